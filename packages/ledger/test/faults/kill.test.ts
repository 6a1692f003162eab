/**
 * kill -9 of one of four nodes at random moments, while transactions go on through another: those are all taken, the killed
 * node comes back.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { testFault } from "./play.ts";
import { shuffled, ToyNetwork } from "./toy-network.ts";

testFault({
  name: "kill",
  what: "one of four nodes is killed",
  make: (program: string) => ToyNetwork.make(program),
  async round(network, random, _, sent) {
    const [victim, other] = shuffled(random, 4) as [number, number];
    const through = network.ledger(other);
    const submits = sent.submitMany(through, 5);
    await sleep(random() * 150);
    await network.comet.members[victim]!.node!.kill();
    expect(await submits).toBe(5);
    expect(await sent.submit(through)).toBe(true);
    network.comet.restart(victim);
    await network.comet.ready(victim);
    expect(network.comet.members.flatMap(({ failures }) => failures)).toEqual([]);
  },
});
