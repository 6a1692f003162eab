/** The upper levels in memory: what is found there was put there for that very position, place and hash, and stays as it was. */
import { randomBytes } from "@chartseal/crypto";
import { expect, it } from "vitest";
import { AddedNodes } from "../src/added-nodes.ts";
import { bitAt, positionBelow, type StateInner } from "../src/state-tree.ts";
import { TopLevels, type TopNode } from "../src/store/top-levels.ts";

/** Ends of both ways of keeping nodes, and of their blocks. */
const positions = [1, 2, 511, 1_023, 1_024, 2_047, 2_048, 4_095, 4_096, 2 ** 22 - 1];

function someNode(at: number, places: readonly (number | undefined)[] = [at - 1, at - 2]): TopNode {
  const [leftAt, rightAt] = places;
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

it("gives at each position the node that was put there last, for its own place and hash alone", () => {
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
    const left = { hash: node.left, isEmpty: false, added: undefined, at: 3 };
    const right = { hash: node.right, isEmpty: true, added: undefined, at: undefined };
    added.putInner(hash, left, right, position);
    grown.putAdded(added, 0, { firstLeaf: 1, firstInner: 9, root: undefined });
    expect(grown.get(position, 9, hash)).toEqual(loaded.get(position, 9, hash));
    expect(grown.get(position, 9, hash)).toEqual(node);
  }
});

it("knows a child without a place, and leaves what it gave as it was when another node takes the place", () => {
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

/** One way down, its sides by the bits of a path, each node put in its position. */
function wayDown(top: TopLevels, path: Uint8Array, levels: number): TopNode[] {
  const nodes: TopNode[] = [];
  let position = 1;
  let hash: Uint8Array = randomBytes(32);
  for (let depth = 0; depth < levels; depth++) {
    const side = bitAt(path, depth);
    const child = randomBytes(32);
    const other = randomBytes(32);
    const node: StateInner = {
      type: "inner",
      left: side === 0 ? child : other,
      right: side === 1 ? child : other,
      leftAt: 2 ** 40 + 2 * depth + (side === 0 ? 3 : 2),
      rightAt: 2 ** 40 + 2 * depth + (side === 1 ? 3 : 2),
    };
    nodes.push({ at: 2 ** 40 + 2 * depth + 1, hash, node });
    top.put(position, nodes.at(-1)!);
    position = positionBelow(position, side);
    hash = child;
  }
  return nodes;
}

it("goes down a path as far as each node is the one that its parent names", () => {
  for (let round = 0; round < 20; round++) {
    const path = randomBytes(32);
    const sides = (depth: number) => (bitAt(path, depth) === 0 ? "left" : "right");
    for (const levels of [1, 9, 10, 11, 21, 22]) {
      const top = new TopLevels();
      const nodes = wayDown(top, path, levels);
      const ends = (broken: number) => {
        const { node } = nodes[broken - 1]!;
        const side = sides(broken - 1);
        return { hash: node[side], at: node[`${side}At`], depth: broken };
      };
      const { hash, at } = nodes[0]!;
      expect(top.descend(hash, at, path)).toMatchObject(ends(levels));
      for (let broken = 1; broken < levels; broken++) {
        let position = 1;
        for (let depth = 0; depth < broken; depth++) position = positionBelow(position, bitAt(path, depth));
        const whole = nodes[broken]!;
        // Another node there: of the same place, or of the same hash.
        for (const other of [
          { ...whole, hash: randomBytes(32) },
          { ...whole, at: whole.at + 9 },
        ]) {
          top.put(position, other);
          expect(top.descend(hash, at, path)).toEqual({ ...ends(broken), position });
        }
        top.put(position, whole);
      }
      expect(top.descend(hash, at, path)).toMatchObject(ends(levels));
      expect(top.descend(randomBytes(32), at, path)).toMatchObject({ at, depth: 0, position: 1 });
      expect(top.descend(hash, at + 1, path)).toEqual({ hash, at: at + 1, depth: 0, position: 1 });
    }
  }
});

it("goes down to an empty subtree, which lies nowhere, and gives hashes that stay as they were", () => {
  for (const levels of [3, 10, 15]) {
    const [top, path] = [new TopLevels(), randomBytes(32)];
    const nodes = wayDown(top, path, levels);
    const last = nodes.at(-1)!;
    let position = 1;
    for (let depth = 0; depth < levels - 1; depth++) position = positionBelow(position, bitAt(path, depth));
    const empty = {
      left: new Uint8Array(32),
      right: new Uint8Array(32),
      leftAt: undefined,
      rightAt: undefined,
    };
    top.put(position, { ...last, node: { type: "inner", ...empty } });
    const end = top.descend(nodes[0]!.hash, nodes[0]!.at, path);
    expect(end).toMatchObject({ hash: new Uint8Array(32), at: undefined, depth: levels });
    top.put(position, { ...last, node: { ...last.node } });
    expect(end.hash).toEqual(new Uint8Array(32));
  }
});
