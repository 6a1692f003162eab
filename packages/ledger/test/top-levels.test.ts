/** The upper levels in memory: what is found there was put there for that very place, row and hash, and stays as it was. */
import { randomBytes } from "@chartseal/crypto";
import { expect, it } from "vitest";
import { AddedNodes } from "../src/added-nodes.ts";
import type { StateInner } from "../src/state-tree.ts";
import { TopLevels, type TopNode } from "../src/store/top-levels.ts";

/** Ends of both ways of keeping nodes, and of their blocks. */
const positions = [1, 2, 63, 64, 1_023, 1_024, 1_087, 1_088, 2 ** 22 - 1];

function someNode(at: number, rows: readonly (number | undefined)[] = [at - 1, at - 2]): TopNode {
  const [leftAt, rightAt] = rows;
  const node: StateInner = {
    type: "inner",
    left: randomBytes(32),
    right: randomBytes(32),
    leftAt,
    rightAt,
  };
  return { at, hash: randomBytes(32), node };
}

it("holds the first twenty-two levels, and nothing that nobody counted", () => {
  const top = new TopLevels();
  for (const position of positions) expect(top.holds(position)).toBe(true);
  for (const position of [0, 2 ** 22, 2 ** 29]) expect(top.holds(position)).toBe(false);
});

it("gives at each position the node that was put there last, for its own row and hash alone", () => {
  const top = new TopLevels();
  const nodes = positions.map((position, index) => someNode(2 ** 40 + 10 * index + position));
  for (const position of positions) expect(top.get(position, 0, new Uint8Array(32))).toBeUndefined();
  for (const [index, position] of positions.entries()) top.put(position, someNode(index + 1));
  for (const [index, position] of positions.entries()) top.put(position, nodes[index]!);
  for (const [index, position] of positions.entries()) {
    const { at, hash, node } = nodes[index]!;
    expect(top.get(position, at, hash)).toEqual(node);
    expect(top.get(position, at + 1, hash)).toBeUndefined();
    for (const bit of [0, 100, 255]) {
      const other = hash.map((byte, place) => (place === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      expect(top.get(position, at, other)).toBeUndefined();
    }
    for (const place of positions) {
      if (place !== position) expect(top.get(place, at, hash)).toBeUndefined();
    }
  }
  top.clear();
  for (const [index, position] of positions.entries()) {
    expect(top.get(position, nodes[index]!.at, nodes[index]!.hash)).toBeUndefined();
  }
});

it("gives a new node as it gives one that was loaded", () => {
  for (const position of positions) {
    const [loaded, grown] = [new TopLevels(), new TopLevels()];
    const { hash, node } = someNode(9, [3, undefined]);
    loaded.put(position, { at: 9, hash, node });
    const added = new AddedNodes();
    const child = (hash: Uint8Array) => ({ hash, isEmpty: false, added: undefined, at: 5 });
    added.putInner(hash, child(node.left), child(node.right), position);
    grown.putAdded(added, 0, 9, 3, 0);
    expect(grown.get(position, 9, hash)).toEqual(loaded.get(position, 9, hash));
    expect(grown.get(position, 9, hash)).toEqual(node);
  }
});

it("knows a child without a row, and leaves what it gave as it was when another node takes the place", () => {
  const top = new TopLevels();
  for (const position of positions) {
    const first = someNode(7, [undefined, 5]);
    top.put(position, first);
    const given = top.get(position, 7, first.hash);
    const before = structuredClone(given);
    expect(given).toEqual(first.node);
    top.put(position, someNode(8, [3, undefined]));
    expect(given).toEqual(before);
  }
});
