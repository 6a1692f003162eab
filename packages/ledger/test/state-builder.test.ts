/** The tree that is built of leaves in a stream is the tree that updates make, node for node. */
import { sha256, toHex, u64, utf8 } from "@chartseal/crypto";
import { describe, expect, it } from "vitest";
import { StateBuilder } from "../src/state-builder.ts";
import {
  emptyRoot,
  leafHash,
  MemoryNodes,
  readState,
  type StateLeaf,
  type StateNode,
  updateState,
  walkState,
} from "../src/state-tree.ts";

const hashOf = (leaf: StateLeaf) => leafHash(leaf.path, sha256(leaf.value));

/** The entries' tree by updates, and its leaves in order. */
function tree(count: number, salt: number) {
  const nodes = new MemoryNodes();
  const changes = Array.from({ length: count }, (_, i) => ({
    kind: i % 7,
    key: u64(i * 1_000 + salt),
    value: utf8(`value ${i}`),
  }));
  const { root, added } = updateState(nodes, emptyRoot, changes);
  nodes.add(added);
  return { root, added, nodes, changes, leaves: [...walkState(nodes, root)] };
}

describe("a state tree built in a stream", () => {
  it("has the root and exactly the nodes of the tree that updates make", () => {
    for (const count of [0, 1, 2, 3, 5, 17, 100, 700]) {
      for (let salt = 0; salt < 2; salt++) {
        const { root, added, leaves } = tree(count, salt);
        const put: StateNode[] = [];
        const builder = new StateBuilder((node) => put.push(node));
        for (const leaf of leaves) expect(builder.add(hashOf(leaf), leaf)).toBe(true);
        const built = builder.finish();
        expect([toHex(built.root), builder.count]).toEqual([toHex(root), count]);
        expect(put).toHaveLength(added.length);
        if (count > 0) expect(built.at).toBe(put.length);
      }
    }
  });

  it("names for every child the place that it was put in, before its parent", () => {
    const { root, changes, leaves } = tree(300, 9);
    const put: StateNode[] = [];
    const builder = new StateBuilder((node) => put.push(node));
    for (const leaf of leaves) builder.add(hashOf(leaf), leaf);
    const { at: rootAt } = builder.finish();
    // A source that looks nowhere but where it is told to.
    const source = { load: (_: Uint8Array, at = rootAt) => put[at! - 1]! };
    for (const { kind, key, value } of changes) expect(readState(source, root, kind, key)).toEqual(value);
    for (const [i, node] of put.entries()) {
      if (node.type === "inner")
        expect([node.leftAt, node.rightAt].every((at) => at === undefined || at <= i)).toBe(true);
    }
  });

  it("takes no leaf twice and none that comes too late", () => {
    const { leaves } = tree(10, 1);
    const builder = new StateBuilder(() => 1);
    const add = (at: number) => builder.add(hashOf(leaves[at]!), leaves[at]!);
    expect([add(3), add(3), add(2), add(4)]).toEqual([true, false, false, true]);
  });

  it("keeps chains of nodes with one child where paths go together for long", () => {
    // Two neighbours in the whole tree and one far away: what hangs between them is on one side only.
    const { leaves } = tree(2_000, 3);
    let near = 1;
    const common = (i: number) =>
      toHex(leaves[i]!.path).slice(0, 4) === toHex(leaves[i - 1]!.path).slice(0, 4);
    while (near < leaves.length && !common(near)) near++;
    const chosen = [leaves[near - 1]!, leaves[near]!, ...(near + 1 < leaves.length ? [leaves.at(-1)!] : [])];
    const nodes = new MemoryNodes();
    const { root, added } = updateState(nodes, emptyRoot, chosen);
    let count = 0;
    const builder = new StateBuilder(() => ++count);
    for (const leaf of chosen) builder.add(hashOf(leaf), leaf);
    expect(toHex(builder.finish().root)).toBe(toHex(root));
    expect(count).toBe(added.length);
    expect(count).toBeGreaterThan(2 * chosen.length + 4);
  });
});
