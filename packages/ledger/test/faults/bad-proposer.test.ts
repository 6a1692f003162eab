/**
 * One of four validators is of bad will: it proposes a transaction that no rules take, or a block larger than any may be, and
 * the others refuse it and go on; or its application answers another app hash than theirs, and its own node halts. What a
 * single proposal is judged by is tested in comet-application.test.ts; here the chain goes on around it.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { CometNetwork } from "../comet-network.ts";
import { type Bent, BentApplication } from "./bent-application.ts";
import { type Sent, testFault } from "./play.ts";
import { draw, faultRules, ToyNetwork } from "./toy-network.ts";

const villain = 3;
const endMsMax = 30_000;
const kinds = ["refused-transaction", "oversized", "app-hash"] as const;

class BentNetwork extends ToyNetwork {
  readonly application = new BentApplication();

  static override async make(program: string): Promise<BentNetwork> {
    const network = new BentNetwork(await CometNetwork.make({ program, ...faultRules() }));
    try {
      for (const at of network.comet.members.keys()) await network.begin(at);
      for (const at of network.comet.members.keys()) await network.comet.ready(at);
    } catch (error) {
      await network.dispose();
      throw error;
    }
    return network;
  }

  async begin(at: number): Promise<void> {
    await this.comet.up(at, at === villain ? { open: this.application.open } : {});
  }

  /** Until it has done so a few times, while the others take what is submitted; as many are acknowledged. */
  async bend(bent: Bent, random: () => number, sent: Sent): Promise<void> {
    this.application.bent = bent;
    const before = this.application.times;
    for (let tries = 0; this.application.times === before; tries++) {
      if (tries === 40) throw new Error("the validator of bad will never came to propose");
      expect(await sent.submit(this.ledger(draw(random, villain)))).toBe(true);
    }
    expect(await sent.submitMany(this.ledger(draw(random, villain)), 3)).toBe(3);
    this.application.bent = "honest";
  }
}

/** What it has of the chain cannot be mended: it begins anew, and keeps what it signed. */
async function beginAnew(network: BentNetwork): Promise<void> {
  const { comet } = network;
  const { directory } = comet.members[villain]!;
  await comet.down(villain);
  rmSync(join(directory, "ledger"), { recursive: true });
  for (const name of ["blockstore.db", "state.db", "evidence.db", "cs.wal"]) {
    rmSync(join(directory, "data", name), { recursive: true, force: true });
  }
  await network.begin(villain);
  await comet.ready(villain);
}

testFault({
  name: "bad-proposer",
  what: "a validator proposes what is refused, too much, or has another state",
  make: (program: string) => BentNetwork.make(program),
  async round(network, random, round, sent) {
    const { comet } = network;
    const kind = kinds[round % kinds.length]!;
    await network.bend(kind, random, sent);
    if (kind === "app-hash") {
      const member = comet.members[villain]!;
      const halted = member.opened!.cometHeight();
      expect(await sent.submitMany(network.ledger(0), 3)).toBe(3);
      expect(await Promise.race([member.node!.ended, sleep(endMsMax)])).toBeDefined();
      expect(member.opened!.cometHeight()).toBe(halted);
      const reason = expect.stringMatching(/wrong Block.Header.AppHash/);
      expect(member.failures.splice(0)).toEqual([expect.objectContaining({ data: { reason } })]);
      await beginAnew(network);
    }
  },
});
