/**
 * One of four nodes comes up with a folder from earlier, as from a backup: CometBFT's data and our ledger, with what it has
 * signed kept as it is; the same with that from earlier too, so that it may sign a height twice; and our ledger alone from
 * earlier. It catches up each time, and the chain does not fork. CometBFT's data alone from earlier is behind its
 * application: the node refuses to run, and runs again with the data that belong to it.
 */
import { cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { testFault } from "./play.ts";
import { draw, shuffled, ToyNetwork } from "./toy-network.ts";

const kinds = ["state kept", "all old", "ledger old", "node old"] as const;
const endMsMax = 30_000;
const signed = join("data", "priv_validator_state.json");

/** Puts folders of `from` in the place of those of `to`. */
function replace(from: string, to: string, folders: readonly string[]): void {
  for (const folder of folders) {
    rmSync(join(to, folder), { recursive: true, force: true });
    cpSync(join(from, folder), join(to, folder), { recursive: true });
  }
}

const all = ["data", "ledger"];

testFault({
  name: "old-data",
  what: "a node comes up with a folder from earlier",
  make: (program: string) => ToyNetwork.make(program),
  async round(network, random, round, sent) {
    const { comet } = network;
    const [victim, other] = shuffled(random, 4) as [number, number];
    const kind = kinds[round % kinds.length]!;
    const { directory } = comet.members[victim]!;
    const old = `${directory}-old`;
    const now = `${directory}-now`;
    if (!existsSync(old)) {
      await comet.down(victim);
      mkdirSync(old);
      replace(directory, old, all);
      await comet.up(victim);
    }
    for (let block = 0; block < 2 + draw(random, 4); block++) {
      expect(await sent.submitMany(network.ledger(other), 2)).toBe(2);
    }
    await network.level(sent.height());
    await comet.down(victim);
    mkdirSync(now, { recursive: true });
    replace(directory, now, all);
    replace(old, directory, kind === "ledger old" ? ["ledger"] : kind === "node old" ? ["data"] : all);
    if (kind !== "all old") cpSync(join(now, signed), join(directory, signed));
    const submits = sent.submitMany(network.ledger(other), 3);
    await comet.up(victim);
    if (kind === "node old") {
      const ended = await Promise.race([comet.members[victim]!.node!.ended, sleep(endMsMax)]);
      expect([undefined, 0]).not.toContain(ended);
      await comet.down(victim);
      replace(now, directory, all);
      await comet.up(victim);
    }
    expect(await submits).toBe(3);
    await comet.ready(victim);
    replace(now, old, all);
  },
});
