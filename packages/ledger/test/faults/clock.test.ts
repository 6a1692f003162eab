/**
 * One of four validators has a clock that is an hour off, before or behind: its node's and its application's. The time of a
 * block is the median of the votes before it, so it stays right, and the others go on. Before its time a node goes on with
 * them; behind it takes no block, until its clock is right.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { Chain } from "./chain-check.ts";
import { testFault } from "./play.ts";
import { shiftedBy, shiftedClockProgram } from "./shifted-clock.ts";
import { shuffled, ToyNetwork } from "./toy-network.ts";

const hourMs = 3_600_000;
/** How far a block's time may be from this machine's clock: rounds of a busy machine, and no hour. */
const aroundMsMax = 120_000;

const blocks = 6;
const standstillMs = 2_000;

class ClockNetwork extends ToyNetwork {
  readonly programs = mkdtempSync(join(tmpdir(), "chartseal-clock-"));
  readonly startedMs = Date.now();

  override async dispose(): Promise<void> {
    await super.dispose();
    rmSync(this.programs, { recursive: true, force: true });
  }
}

/** The chain's time goes on, and is this machine's. */
function timesAreSane({ startedMs }: ClockNetwork, chains: readonly Chain[]): void {
  for (const { comet } of chains) {
    for (const [index, { height, timeMs }] of comet.entries()) {
      // The first height has the time of the genesis.
      if (height === 1) continue;
      expect(timeMs).toBeGreaterThan(startedMs - aroundMsMax);
      expect(timeMs).toBeLessThan(Date.now() + aroundMsMax);
      expect(timeMs).toBeGreaterThan(comet[index - 1]?.timeMs ?? 0);
    }
  }
}

testFault({
  name: "clock",
  what: "a validator's clock is an hour off",
  // It takes a minute, once, and comes before there is a network: no application could answer meanwhile.
  lacks() {
    try {
      shiftedClockProgram();
      return undefined;
    } catch (error) {
      return `no CometBFT with another clock: ${(error as Error).message}`;
    }
  },
  make: async (program: string) => new ClockNetwork((await ToyNetwork.make(program)).comet),
  async round(network, random, round, sent) {
    const { comet } = network;
    const [victim, other] = shuffled(random, 4) as [number, number];
    const offsetMs = round % 2 === 0 ? hourMs : -hourMs;
    await comet.down(victim);
    const program = shiftedBy(network.programs, offsetMs);
    await comet.up(victim, { now: () => Date.now() + offsetMs, program });
    const late = comet.members[victim]!.opened!;
    const height = late.cometHeight();
    for (let block = 0; block < blocks; block++) {
      expect(await sent.submit(network.ledger(other))).toBe(true);
    }
    if (offsetMs > 0) await network.level(sent.height());
    else {
      // To it the others' blocks are of the future: it takes none, and its node may end for that.
      await sleep(standstillMs);
      expect(late.cometHeight()).toBe(height);
    }
    const { failures } = comet.members[victim]!;
    for (const failure of failures.splice(0)) {
      expect(failure).toMatchObject({ data: { reason: expect.stringContaining("too far in the future") } });
      expect(offsetMs).toBeLessThan(0);
    }
    await comet.down(victim);
    await comet.up(victim);
    await comet.ready(victim);
    timesAreSane(network, await network.chains(1, 1));
  },
});
