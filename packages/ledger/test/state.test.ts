/** The state tree against a model that builds it again from all its leaves, its proofs against forgers, and overlays. */
import { createHash } from "node:crypto";
import { encode, toHex, u64 } from "@chartseal/crypto";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { Overlay, Remembering, type StateChange, Watching } from "../src/state.ts";
import { proveState, verifyStateProof } from "../src/state-proof.ts";
import {
  bitAt,
  decodeNode,
  emptyRoot,
  encodeNode,
  innerHash,
  leafHash,
  MemoryNodes,
  readState,
  type StateLeaf,
  statePath,
  updateState,
  walkState,
} from "../src/state-tree.ts";
import { type NaiveEntry, naiveRoot } from "./naive-tree.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** Keys from a small set, so that puts meet puts and removals meet what is there. */
const change = fc.record({
  kind: fc.integer({ min: 0, max: 2 }),
  key: fc.integer({ min: 0, max: 24 }).map((number) => u64(number)),
  value: fc.option(fc.uint8Array({ maxLength: 6 }), { nil: undefined, freq: 2 }),
});
const batch = fc.uniqueArray(change, {
  maxLength: 12,
  size: "max",
  selector: ({ kind, key }) => `${kind}:${toHex(key)}`,
});

function entriesAfter(batches: readonly (readonly StateChange[])[]): NaiveEntry[] {
  const model = new Map<string, NaiveEntry>();
  for (const { kind, key, value } of batches.flat()) {
    if (value === undefined) model.delete(`${kind}:${toHex(key)}`);
    else model.set(`${kind}:${toHex(key)}`, { kind, key, value });
  }
  return [...model.values()];
}

function grown(batches: readonly (readonly StateChange[])[], forget = false) {
  const nodes = new MemoryNodes();
  const roots: Uint8Array[] = [];
  let root = emptyRoot;
  for (const changes of batches) {
    const update = updateState(nodes, root, changes);
    nodes.add(update.added);
    if (forget) nodes.forget(update.replaced);
    root = update.root;
    roots.push(root);
  }
  return { nodes, root, roots };
}

/** `count` entries in one batch, all of kind 7. */
function many(count: number) {
  const changes = Array.from({ length: count }, (_, i) => ({ kind: 7, key: u64(i), value: bytes(`v${i}`) }));
  return { ...grown([changes]), changes };
}

describe("the state tree", () => {
  it("has the root of a tree built again from all its leaves, whatever came before", () => {
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 8, size: "max" }), (batches) => {
        const { root } = grown(batches);
        expect(toHex(root)).toBe(toHex(naiveRoot(entriesAfter(batches))));
      }),
      { numRuns: 300 },
    );
  });

  it("keeps every old root readable, value by value", () => {
    fc.assert(
      fc.property(fc.array(batch, { minLength: 1, maxLength: 6, size: "max" }), (batches) => {
        const { nodes, roots } = grown(batches);
        for (const [at, root] of roots.entries()) {
          const entries = entriesAfter(batches.slice(0, at + 1));
          const found = [...walkState(nodes, root)].map(({ kind, key, value }) => ({ kind, key, value }));
          const order = (a: NaiveEntry, b: NaiveEntry) =>
            `${a.kind}${toHex(a.key)}` < `${b.kind}${toHex(b.key)}` ? -1 : 1;
          expect(found.sort(order)).toEqual(entries.sort(order));
          for (const { kind, key, value } of entries)
            expect(readState(nodes, root, kind, key)).toEqual(value);
          expect(readState(nodes, root, 9, u64(1))).toBeUndefined();
        }
      }),
      { numRuns: 100 },
    );
  });

  it("needs exactly the nodes of the last root when the replaced ones are forgotten", () => {
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 8, size: "max" }), (batches) => {
        const { nodes, root } = grown(batches, true);
        const fresh = grown([entriesAfter(batches)]);
        expect(toHex(root)).toBe(toHex(fresh.root));
        expect(nodes.size).toBe(fresh.nodes.size);
        expect([...walkState(nodes, root)].length).toBe(entriesAfter(batches).length);
      }),
      { numRuns: 200 },
    );
  });

  it("is 32 zero bytes when empty, the leaf itself with one entry, and nothing again after its removal", () => {
    const key = bytes("k");
    const one = grown([[{ kind: 1, key, value: bytes("v") }]]);
    expect(one.nodes.size).toBe(1);
    expect([...walkState(one.nodes, one.root)]).toHaveLength(1);
    expect(grown([[{ kind: 1, key, value: bytes("v") }], [{ kind: 1, key, value: undefined }]]).root).toEqual(
      new Uint8Array(32),
    );
  });

  it("shares the work of a batch: far fewer new nodes than one by one", () => {
    const { nodes, root } = many(4_096);
    const changes = Array.from({ length: 512 }, (_, i) => ({
      kind: 7,
      key: u64(i * 8),
      value: bytes("new"),
    }));
    const together = updateState(nodes, root, changes).added.length;
    const apart = changes.reduce((sum, one) => sum + updateState(nodes, root, [one]).added.length, 0);
    expect(together).toBeLessThan(apart / 2);
    expect(apart / changes.length).toBeLessThan(20);
  });

  it("does not take a stored node for another, nor a damaged one", () => {
    const { nodes, root } = many(20);
    const record = encodeNode(nodes.load(root));
    expect(decodeNode(root, record)).toEqual(nodes.load(root));
    for (let i = 0; i < record.length; i++) {
      const damaged = record.slice();
      damaged[i]! ^= 1;
      expect(() => decodeNode(root, damaged)).toThrow(expect.objectContaining({ code: "chain-altered" }));
    }
    for (const size of [0, 1, 5, 64, 66]) {
      expect(() => decodeNode(root, new Uint8Array(size))).toThrow(
        expect.objectContaining({ code: "chain-altered" }),
      );
    }
  });
});

describe("a proof of the state tree", () => {
  it("shows the value of every key and the absence of every other, and nothing else", () => {
    fc.assert(
      fc.property(
        fc.array(batch, { maxLength: 5, size: "max" }),
        change,
        fc.uint8Array({ maxLength: 6 }),
        (batches, asked, lie) => {
          const { nodes, root } = grown(batches);
          const { value, proof } = proveState(nodes, root, asked.kind, asked.key);
          expect(value).toEqual(readState(nodes, root, asked.kind, asked.key) ?? null);
          expect(verifyStateProof(root, asked.kind, asked.key, value, proof)).toBe(true);
          const other = value !== null && toHex(lie) === toHex(value) ? null : lie;
          expect(verifyStateProof(root, asked.kind, asked.key, other, proof)).toBe(false);
          if (value !== null) expect(verifyStateProof(root, asked.kind, asked.key, null, proof)).toBe(false);
          expect(verifyStateProof(root, asked.kind + 1, asked.key, value, proof)).toBe(
            value === null && verifyStateProof(root, asked.kind + 1, asked.key, null, proof),
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  it("fails with any bit turned, cut short or grown longer", () => {
    const { nodes, root, changes } = many(50);
    for (const key of [changes[3]!.key, bytes("absent"), bytes("also absent")]) {
      const { value, proof } = proveState(nodes, root, 7, key);
      for (let bit = 0; bit < 8 * proof.length; bit++) {
        const turned = proof.slice();
        turned[bit >> 3]! ^= 1 << (bit & 7);
        expect(verifyStateProof(root, 7, key, value, turned)).toBe(false);
      }
      for (let size = 0; size < proof.length; size++) {
        expect(verifyStateProof(root, 7, key, value, proof.slice(0, size))).toBe(false);
      }
      expect(verifyStateProof(root, 7, key, value, Uint8Array.of(...proof, 0))).toBe(false);
    }
  });

  it("of absence by another leaf fails where that leaf's path does not lead there", () => {
    const { nodes, root } = many(2_000);
    const leaves = [...walkState(nodes, root)];
    // A present key, and the proof that some other leaf stands where that leaf does stand.
    const [victim, other] = [leaves[10] as StateLeaf, leaves[1_500] as StateLeaf];
    const siblings = siblingsOf(nodes, root, other.path);
    const valueHash = hashOf(other.value);
    const forged = encode([siblings, [other.path, valueHash]]);
    expect(verifyStateProof(root, 7, victim.key, null, forged)).toBe(false);
    // Without the test of the bits above it, the forger climbs by the other leaf's own path and arrives at the root.
    expect(toHex(climb(leafHash(other.path, valueHash), other.path, siblings))).toBe(toHex(root));
    // Nor does a tree with that leaf in the wrong place, which nobody honest builds, prove anything by it.
    const misplaced = climb(leafHash(other.path, valueHash), victim.path, siblings);
    expect(verifyStateProof(misplaced, 7, victim.key, null, forged)).toBe(false);
    // And a present key's own leaf is no proof of its absence, which it would be without the comparison of paths.
    const own = encode([siblingsOf(nodes, root, victim.path), [victim.path, hashOf(victim.value)]]);
    expect(verifyStateProof(root, 7, victim.key, null, own)).toBe(false);
  });

  it("has no more than 256 siblings, and is refused where it is not CBOR of this one form", () => {
    const key = bytes("k");
    const path = statePath(7, key);
    const siblings = Array.from({ length: 257 }, () => new Uint8Array(32).fill(7));
    const root = (count: number) => climb(emptyRoot, path, siblings.slice(0, count));
    expect(verifyStateProof(root(256), 7, key, null, encode([siblings.slice(0, 256), null]))).toBe(true);
    expect(verifyStateProof(root(257), 7, key, null, encode([siblings, null]))).toBe(false);
    for (const shape of [
      [],
      [[]],
      [[], null, null],
      [null, null],
      [[], []],
      [[[]], null],
      [[], [path]],
      "text",
      7,
    ]) {
      expect(verifyStateProof(emptyRoot, 7, key, null, encode(shape as never))).toBe(false);
    }
    expect(verifyStateProof(emptyRoot, 7, key, null, encode([[], null]))).toBe(true);
    expect(verifyStateProof(new Uint8Array(31), 7, key, null, encode([[], null]))).toBe(false);
  });
});

describe("an overlay", () => {
  it("reads through, hides what it removes, and writes down only when told", () => {
    const below = new Overlay({ get: () => undefined });
    below.put(1, bytes("a"), bytes("1"));
    below.put(1, bytes("b"), bytes("2"));
    const above = new Overlay(below);
    above.remove(1, bytes("a"));
    above.put(1, bytes("b"), bytes("3"));
    expect(above.get(1, bytes("a"))).toBeUndefined();
    expect(above.get(1, bytes("b"))).toEqual(bytes("3"));
    expect(below.get(1, bytes("a"))).toEqual(bytes("1"));
    above.writeTo(below);
    expect(below.get(1, bytes("a"))).toBeUndefined();
    expect(below.get(1, bytes("b"))).toEqual(bytes("3"));
  });

  it("keeps its own copy of what is put", () => {
    const overlay = new Overlay({ get: () => undefined });
    const value = Buffer.from("abc");
    overlay.put(1, bytes("k"), value);
    value[0] = 0;
    expect(overlay.get(1, bytes("k"))).toEqual(bytes("abc"));
  });

  it("tells kinds apart, and keys of any bytes", () => {
    const overlay = new Overlay({ get: () => undefined });
    overlay.put(1, Uint8Array.of(2, 0), bytes("x"));
    expect(overlay.get(2, Uint8Array.of(2, 0))).toBeUndefined();
    expect(overlay.get(1, Uint8Array.of(2))).toBeUndefined();
    expect(() => overlay.put(256, bytes("k"), bytes("v"))).toThrow(
      expect.objectContaining({ code: "defect" }),
    );
  });
});

describe("a reader that remembers", () => {
  it("asks for each entry once, for one that is not there too, and for nothing that it has kept", () => {
    const below = vi.fn((_kind: number, key: Uint8Array) => (key[0] === 1 ? bytes("one") : undefined));
    const reader = new Remembering({ get: below });
    for (let again = 0; again < 3; again++) {
      expect(reader.get(1, Uint8Array.of(1))).toEqual(bytes("one"));
      expect(reader.get(1, Uint8Array.of(2))).toBeUndefined();
    }
    expect(below).toHaveBeenCalledTimes(2);
  });

  it("keeps so many entries and no more, however many are asked for", () => {
    const below = vi.fn((_kind: number, key: Uint8Array) => key);
    const reader = new Remembering({ get: below });
    const ask = (number: number) => expect(reader.get(1, u64(number))).toEqual(u64(number));
    for (let number = 0; number < 32_768; number++) reader.get(1, u64(number));
    ask(0);
    expect(below).toHaveBeenCalledTimes(32_768);
    ask(32_768);
    ask(0);
    expect(below).toHaveBeenCalledTimes(32_770);
  });
});

describe("a reader that is watched", () => {
  it("gives what is below, keeps the first failure until that is forgotten, and fails as what is below does", () => {
    let failure: Error | undefined;
    const reader = new Watching({
      get(_kind, key) {
        if (failure !== undefined) throw failure;
        return key;
      },
    });
    expect(reader.get(1, bytes("k"))).toEqual(bytes("k"));
    expect(reader.failure).toBeUndefined();
    const [first, second] = [new Error("first"), new Error("second")];
    for (const one of [first, second]) {
      failure = one;
      expect(() => reader.get(1, bytes("k"))).toThrow(one);
    }
    expect(reader.failure).toBe(first);
    reader.failure = undefined;
    expect(() => reader.get(1, bytes("k"))).toThrow(second);
    expect(reader.failure).toBe(second);
  });
});

function hashOf(value: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(value).digest());
}

function siblingsOf(nodes: MemoryNodes, root: Uint8Array, path: Uint8Array): Uint8Array[] {
  const siblings: Uint8Array[] = [];
  for (let node = nodes.load(root); node.type === "inner"; ) {
    const left = bitAt(path, siblings.length) === 0;
    siblings.push(left ? node.right : node.left);
    node = nodes.load(left ? node.left : node.right);
  }
  return siblings;
}

function climb(start: Uint8Array, path: Uint8Array, siblings: readonly Uint8Array[]): Uint8Array {
  return siblings.reduceRight(
    (at, sibling, depth) => (bitAt(path, depth) === 0 ? innerHash(at, sibling) : innerHash(sibling, at)),
    start,
  );
}
