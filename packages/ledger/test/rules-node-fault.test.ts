/** Evidence against a node: what names it, and that a right answer never does. */
import { encode, toHex } from "@chartseal/crypto";
import { beforeAll, expect, test } from "vitest";
import { emptyKey, entries, items, lists, load } from "../src/state-kinds.ts";
import { opening, refreshed, runChange } from "./committee-run.ts";
import { baseEvidence, issueEvidence, spoilt } from "./refusals/committee.ts";
import { doctor, nodes, service, type World } from "./world.ts";
import { builtWorld } from "./world-build.ts";

let base: World;
beforeAll(async () => {
  base = await builtWorld();
});

function named(world: World): string[] {
  return items(world.state, lists.nodeFaults, emptyKey).map((key) => {
    const node = nodes.findIndex(({ account }) => toHex(account) === toHex(key.slice(0, 20))) + 1;
    return `${node} ${load(world.state, entries.nodeFault, key)!.fault}`;
  });
}

const wrong: Record<string, (answer: Uint8Array) => Uint8Array> = {
  "with another proof": spoilt,
  "that is no answer": () => encode([1, 2, 3]),
  "of no bytes": () => new Uint8Array(0),
};

for (const [how, change] of Object.entries(wrong)) {
  test(`a signed answer ${how} names its node, whoever shows it`, () => {
    const world = base.fork();
    world.do(doctor, issueEvidence(world, change));
    expect(named(world)).toEqual(["2 answer-invalid"]);
  });
}

test("a signed wrong part of a base key names its node", () => {
  const world = base.fork();
  const { g1 } = world.pairing;
  const other = (part: Uint8Array): Uint8Array => {
    const copy = part.slice();
    copy.set(g1.encode(g1.generator), copy.length - 48);
    return copy;
  };
  world.do(service, baseEvidence(world, other));
  expect(named(world)).toEqual(["2 answer-invalid"]);
});

test("a wrong answer of an earlier epoch still names its node, and a right one of it still does not", () => {
  const world = base.fork();
  const evidence = issueEvidence(world, spoilt);
  const right = baseEvidence(world, (part) => part);
  world.submit(world.admitted(service, opening(refreshed)));
  runChange(world, refreshed);
  expect(world.verdict(world.signed(service, right))).toBe("fault-unfounded");
  world.do(service, evidence);
  expect(named(world)).toEqual(["2 answer-invalid"]);
});
