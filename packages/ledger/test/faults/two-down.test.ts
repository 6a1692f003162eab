/**
 * Two of four nodes killed at the same time: the two that are left are no two thirds, so the chain halts. What is submitted
 * then ends with an outcome that nobody knows, no height is made, and with the third node the chain goes on. What waited is
 * in the chain once or not at all, also where its sender brings it again.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { sha256, toHex } from "@chartseal/crypto";
import { expect } from "vitest";
import { heldBy } from "./chain-check.ts";
import { type Sent, testFault } from "./play.ts";
import { draw, shuffled, ToyNetwork } from "./toy-network.ts";

const waitMs = 2_500;
/** For what was on its way when the two ended. */
const settleMs = 300;

/** Until there is a block that was not there: one of those that wait, or one more. */
async function goesOn(network: ToyNetwork, at: number, sent: Sent): Promise<void> {
  const ledger = network.ledger(at);
  const { height } = await ledger.head();
  for (let tries = 0; (await ledger.head()).height === height; tries++) {
    if (tries === 20) throw new Error("the chain does not go on with three of four");
    await sent.submit(ledger);
  }
}

/** The sender of what was not answered brings it again: it is taken now, or was before and is refused. */
async function bringAgain(network: ToyNetwork, at: number, sent: Sent, again: Uint8Array): Promise<void> {
  const ledger = network.ledger(at);
  const taken = () => sent.submit(ledger, again);
  const refused = (error: unknown) => {
    expect(error).toMatchObject({ code: "transaction-refused" });
    return true;
  };
  for (let tries = 0; !(await taken().catch(refused)); tries++) {
    if (tries === 20) throw new Error("what waited is not taken though the chain goes on");
  }
  // A refusal may come before the commit of the block that holds it: the ledger shows that block a height later.
  const key = toHex(sha256(again));
  const times = async () =>
    (await heldBy(ledger, 1)).flatMap(({ transactions }) => transactions).filter((one) => one === key).length;
  for (let tries = 0; tries < 100 && (await times()) === 0; tries++) await sleep(100);
  expect(await times()).toBe(1);
}

testFault({
  name: "two-down",
  what: "two of four nodes are down: the chain halts and goes on with the third",
  make: (program: string) => ToyNetwork.make(program, { waitMs }),
  async round(network, random, _, sent) {
    const { members } = network.comet;
    const [one, other, ...left] = shuffled(random, 4) as [number, number, number, number];
    const before = sent.submitMany(network.ledger(left[0]), 3);
    await sleep(random() * 150);
    await Promise.all([one, other].map((victim) => members[victim]!.node!.kill()));
    await before;
    await sleep(settleMs);
    const heights = () => left.map((at) => members[at]!.opened!.cometHeight());
    const halted = heights();
    const count = sent.unknown.length;
    const taken = await Promise.all(left.map((at) => sent.submitMany(network.ledger(at), 2)));
    expect(taken).toEqual([0, 0]);
    expect(heights()).toEqual(halted);
    network.comet.restart(one);
    await goesOn(network, left[draw(random, 2)]!, sent);
    await bringAgain(network, left[0], sent, sent.unknown[count]!);
    network.comet.restart(other);
    for (const victim of [one, other]) await network.comet.ready(victim);
    await sent.submitMany(network.ledger(draw(random, 4)), 3);
    expect(members.flatMap(({ failures }) => failures)).toEqual([]);
  },
});
