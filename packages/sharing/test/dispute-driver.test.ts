/** Nodes that run by themselves find disputes on the ledger, judge, and keep the keys that they need for it. */
import { afterEach, expect, test } from "vitest";
import { askTransform, disputeTransform, failedAnswer, readDispute, request } from "../src/index.ts";
import { asAuthority, openChange, settleAll, TestNode } from "./committee.ts";
import { World } from "./world.ts";

let world: World;
afterEach(() => world.close());

/** A committee of three that runs by itself, and a reader's dispute of a T which opens. */
async function disputed() {
  world = await World.create({ n: 3, t: 2, driven: true });
  const nodes = world.nodeParts.map(({ identity }) => new TestNode(world.surroundings, identity));
  await settleAll(nodes);
  world.nodes = asAuthority(nodes);
  await world.hospital("cedars");
  const ana = await world.member("doctor@cedars");
  const { recordId } = await world.byOwner(ana, { policy: "doctor@cedars", text: "mine" });
  const granted = await request(world, { member: ana, recordId });
  const failed = failedAnswer(granted, ana, await askTransform(world, { member: ana, granted }));
  const { disputeId } = await disputeTransform(world, { member: ana, failed });
  return { nodes, outcome: async () => (await readDispute(world, disputeId)).outcome };
}

test("each gives its verdict once it can, one of three may be down, and one may be made anew", async () => {
  const { nodes, outcome } = await disputed();
  nodes[2]!.down = true;
  await settleAll(nodes);
  expect(await outcome()).toBeNull();
  await world.provider.follow();
  nodes[1]!.restart(world.surroundings);
  await settleAll(nodes);
  expect(await outcome()).toBe("reader");
  nodes[2]!.down = false;
  await settleAll(nodes);
});

/** A refresh gives every node a new receiving key; what a dispute shows was sealed to the one before. */
test("a refresh between the evidence and the opening takes no node the key that it reads with", async () => {
  const { nodes, outcome } = await disputed();
  await openChange(world, { change: "refresh", nodes, threshold: 2, dealers: [1, 2, 3] });
  await settleAll(nodes);
  await world.provider.follow();
  await settleAll(nodes);
  expect(await outcome()).toBe("reader");
});
