/** New nodes in columns: what is read of them is what was put, however many they are, and a child lies where it was said. */
import { randomBytes } from "@chartseal/crypto";
import { expect, it } from "vitest";
import { AddedNodes, HashList, type NewChild, type NewPlaces } from "../src/added-nodes.ts";
import type { StateLeaf } from "../src/state-tree.ts";

/** More than there is room for at first, twice over. */
const many = 300;

const nothing: NewChild = { hash: new Uint8Array(32), isEmpty: true, added: undefined, at: undefined };
const before = (at: number | undefined): NewChild => ({
  hash: randomBytes(32),
  isEmpty: false,
  added: undefined,
  at,
});
const made = (added: number): NewChild => ({ ...before(undefined), added });
const leaf = (key: number): StateLeaf => ({
  type: "leaf",
  kind: 1,
  key: Uint8Array.of(key & 255),
  value: Uint8Array.of(7),
  path: randomBytes(32),
});

it("gives what was put, in its order, when its room has grown", () => {
  const nodes = new AddedNodes();
  const expected: unknown[] = [];
  for (let number = 0; number < many; number++) {
    const hash = randomBytes(32);
    if (number % 3 === 0) {
      const node = leaf(number);
      expect(nodes.putLeaf(hash, node, number)).toBe(number);
      expected.push({ hash, node });
      continue;
    }
    const [left, right] = [before(number + 1_000), made(number - 1)];
    expect(nodes.putInner(hash, left, right, number)).toBe(number);
    const inner = { type: "inner", left: left.hash, right: right.hash };
    expected.push({ hash, node: { ...inner, leftAt: number + 1_000, rightAt: undefined } });
  }
  expect(nodes.length).toBe(many);
  expect([...nodes]).toEqual(expected);
  for (const number of [0, 63, 64, 127, 128, many - 1]) {
    expect(nodes.position(number)).toBe(number);
    expect(nodes.leaf(number) === undefined).toBe(number % 3 !== 0);
  }
});

it("knows the places of children: none, new ones behind the first of their kind, those that were there, and the root before", () => {
  const nodes = new AddedNodes();
  const first = nodes.putLeaf(randomBytes(32), leaf(1), 2);
  const parent = nodes.putInner(randomBytes(32), made(first), before(2 ** 40), 1);
  const second = nodes.putLeaf(randomBytes(32), leaf(2), 2);
  const overBoth = nodes.putInner(randomBytes(32), made(parent), made(second), 1);
  const overRoot = nodes.putInner(randomBytes(32), before(undefined), nothing, 1);
  const places = { firstLeaf: 500, firstInner: 2 ** 41, root: 77 };
  const children = (number: number, given: NewPlaces = places) =>
    ([0, 1] as const).map((side) => nodes.childPlace(number, side, given));
  expect(children(parent)).toEqual([500, 2 ** 40]);
  expect(children(overBoth)).toEqual([2 ** 41, 501]);
  expect(children(overRoot)).toEqual([77, 0]);
  expect(() => children(overRoot, { ...places, root: undefined })).toThrow(
    expect.objectContaining({ code: "defect" }),
  );
  expect([first, parent, second, overBoth, overRoot].map((number) => nodes.place(number, places))).toEqual([
    500,
    2 ** 41,
    501,
    2 ** 41 + 1,
    2 ** 41 + 2,
  ]);
  expect([nodes.length, nodes.innerCount]).toEqual([5, 3]);
});

it("copies a node's three hashes, or what is behind the first bytes of them, to any place", () => {
  const nodes = new AddedNodes();
  const [own, left, right] = [randomBytes(32), before(1), before(2)];
  nodes.putLeaf(randomBytes(32), leaf(1), 2);
  nodes.putInner(own, left, right, 1);
  const whole = [...own, ...left.hash, ...right.hash];
  const target = new Uint8Array(100).fill(9);
  nodes.copyHashes(1, target, 2);
  expect([...target]).toEqual([9, 9, ...whole, 9, 9]);
  const children = new Uint8Array(66).fill(9);
  nodes.copyHashes(1, children, 1, 32);
  expect([...children]).toEqual([9, ...whole.slice(32), 9]);
});

it("lists hashes in their order when its room has grown, each its own copy", () => {
  const list = new HashList();
  const hashes = Array.from({ length: many }, () => randomBytes(32));
  for (const hash of hashes) list.push(hash);
  const [first] = list;
  first!.fill(0);
  expect([...list]).toEqual(hashes);
});
