/**
 * One of four members loses its power at random moments, while transactions go on: its application and its node are killed
 * together, wherever either is in a height. It comes back with what is on its disk.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { NamespaceNetwork } from "./namespace-network.ts";
import { testFault } from "./play.ts";
import { shuffled } from "./toy-network.ts";

const waitMs = 60_000;

testFault({
  name: "crash",
  what: "application and node of one of four are killed together",
  needsRoot: true,
  make: (program: string) => NamespaceNetwork.make(program, waitMs),
  async round(network, random, _, sent) {
    const [victim, other] = shuffled(random, 4) as [number, number];
    const through = network.members[other]!;
    const submits = sent.submitMany(through, 5);
    await sleep(random() * 400);
    await network.members[victim]!.kill();
    expect(await submits).toBe(5);
    network.begin(victim);
    expect(await sent.submit(through)).toBe(true);
    await network.until("it is back", ({ ready }) => ready);
    expect(await network.failures()).toEqual([]);
  },
});
