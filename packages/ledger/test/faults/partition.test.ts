/**
 * Four nodes in network namespaces, cut two and two: no packet goes between the halves, and no connection is closed. Neither
 * half is two thirds, so both halt, whatever is submitted to either. Healed, the chain goes on by itself, and what waited on
 * both sides is in it once or not at all.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { NamespaceNetwork } from "./namespace-network.ts";
import { testFault } from "./play.ts";
import { shuffled } from "./toy-network.ts";

const waitMs = 2_500;
/** For what was on its way at the cut. */
const settleMs = 300;
const attemptsMax = 24;

testFault({
  name: "partition",
  what: "a network of four is cut two and two, and healed",
  needsRoot: true,
  make: (program: string) => NamespaceNetwork.make(program, waitMs),
  async round(network, random, _, sent) {
    const order = shuffled(random, 4);
    const halves = [order.slice(0, 2), order.slice(2)];
    const [left, right] = halves.map(([first]) => network.members[first!]!);
    const before = [left!, right!].map((member) => sent.submitMany(member, 2));
    await sleep(random() * 150);
    network.spaces.cut(halves[1]!);
    await sleep(settleMs);
    const heights = () =>
      Promise.all(network.members.map(async (member) => (await member.ask("where", null)).cometHeight));
    const halted = await heights();
    const during = [left!, right!].map((member) => sent.submitMany(member, 2));
    await sleep(500 + random() * 1_500);
    expect(await heights()).toEqual(halted);
    network.spaces.heal();
    await Promise.all([...before, ...during]);
    for (let tries = 0; (await sent.submitMany(left!, 1)) + (await sent.submitMany(right!, 1)) < 2; tries++) {
      if (tries === attemptsMax) throw new Error("the chain does not go on when the network is healed");
    }
    expect(await network.failures()).toEqual([]);
  },
});
