/** The store's rows of state nodes: small trees that grow, shrink, change back and come to nothing, at every height. */
import { concat, hash, sha256, u64 } from "@chartseal/crypto";
import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fuzzRounds } from "../../../test/fuzz-rounds.ts";
import { decodeHeader, hashHeader, headerVersion } from "../src/block.ts";
import type { ExecutedBlock } from "../src/machine.ts";
import type { StateChange } from "../src/state.ts";
import { StateBuilder } from "../src/state-builder.ts";
import { proveState, verifyStateProof } from "../src/state-proof.ts";
import {
  bitAt,
  emptyRoot,
  encodeNode,
  MemoryNodes,
  type NodeSource,
  readState,
  type StateUpdate,
  statePath,
  updateState,
  walkState,
} from "../src/state-tree.ts";
import { createSchema } from "../src/store/schema.ts";
import { Store } from "../src/store/store.ts";
import { innerRecords, placeOf } from "./inner-rows.ts";

const nothing: NodeSource = {
  load() {
    throw new Error("the empty state has no nodes");
  },
};

/** A block that does this to the state; what else is in it, nothing here looks at. */
function blockOf(height: number, update: StateUpdate): ExecutedBlock {
  const header = {
    version: headerVersion,
    height,
    previousHash: new Uint8Array(32),
    merkleRoot: new Uint8Array(32),
    stateRoot: update.root,
    timestampMs: height,
    size: 0,
    transactionCount: 0,
    proposer: new Uint8Array(32),
  };
  return {
    header,
    hash: hashHeader(header),
    transactions: [],
    results: [],
    changes: [],
    update,
    validatorUpdates: [],
  };
}

/** Key number → value, or undefined to remove it. */
type Change = readonly [key: number, value: number | undefined];

function changesOf(batch: readonly Change[]): StateChange[] {
  return [...new Map(batch)].map(([key, value]) => ({
    kind: 1,
    key: u64(key),
    value: value === undefined ? undefined : u64(value),
  }));
}

/** The store after the genesis and a block for each batch further, with the roots and what each state must hold. */
function built(batches: readonly (readonly Change[])[]) {
  const database = new Database(":memory:");
  const store = new Store(database);
  const state = new Map<string, bigint>();
  const states: { root: Uint8Array; entries: Map<string, bigint> }[] = [];
  let root = emptyRoot;
  for (const [height, batch] of batches.entries()) {
    const update = updateState(height === 0 ? nothing : store.tree(height - 1), root, changesOf(batch));
    if (height === 0) store.create(new Uint8Array(1), update, () => createSchema(database));
    else store.append(blockOf(height, update), [], () => {});
    for (const [key, value] of new Map(batch)) {
      if (value === undefined) state.delete(String(key));
      else state.set(String(key), BigInt(value));
    }
    root = update.root;
    states.push({ root, entries: new Map(state) });
  }
  return { database, states, store };
}

const number = (bytes: Uint8Array): bigint => Buffer.from(bytes).readBigUInt64BE();

describe("rows of nodes", () => {
  it("lead from the root of every height to what the state held then, without any cache", () => {
    const change = fc.tuple(fc.nat(7), fc.option(fc.nat(2), { nil: undefined }));
    const batches = fc.array(fc.array(change, { maxLength: 5 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(batches, (given) => {
        const { database, states } = built(given);
        for (const [height, { root, entries }] of states.entries()) {
          // A store of its own for each: a node in a cache is found whatever the way to it says.
          const nodes = new Store(database).tree(height);
          const found = [...walkState(nodes, root)].map(({ key, value }) => [
            String(number(key)),
            number(value),
          ]);
          expect(new Map(found as [string, bigint][])).toEqual(entries);
          for (let key = 0; key < 8; key++) {
            const { value, proof } = proveState(nodes, root, 1, u64(key));
            expect(value === null ? undefined : number(value)).toBe(entries.get(String(key)));
            expect(verifyStateProof(root, 1, u64(key), value, proof)).toBe(true);
          }
        }
        database.close();
      }),
      { numRuns: fuzzRounds(150, 1 / 200) },
    );
  });

  it("are found from memory as from the file, at every height, also where another height's are in memory", () => {
    const change = fc.tuple(fc.nat(40), fc.option(fc.nat(2), { nil: undefined }));
    const batches = fc.array(fc.array(change, { maxLength: 30 }), { minLength: 2, maxLength: 8 });
    fc.assert(
      fc.property(batches, fc.array(fc.tuple(fc.nat(7), fc.nat(41)), { maxLength: 60 }), (given, asked) => {
        const { database, states, store } = built(given);
        for (const [at, key] of asked) {
          const height = at % states.length;
          const { root, entries } = states[height]!;
          const value = readState(store.tree(height), root, 1, u64(key));
          expect(value === undefined ? undefined : number(value)).toBe(entries.get(String(key)));
        }
        database.close();
      }),
      { numRuns: fuzzRounds(150, 1 / 200) },
    );
  });

  it("are all put where a block has many, and found again", () => {
    const many = (from: number, count: number, value: number): Change[] =>
      Array.from({ length: count }, (_, i) => [from + i, value]);
    const { database, states } = built([many(0, 100, 1), many(50, 101, 2), many(3, 7, 3)]);
    for (const [height, { root, entries }] of states.entries()) {
      const found = [...walkState(new Store(database).tree(height), root)];
      expect(new Map(found.map(({ key, value }) => [String(number(key)), number(value)]))).toEqual(entries);
    }
    database.close();
  });

  it("of a block whose transaction failed as a whole are others' afterwards, also for what was in memory", () => {
    const database = new Database(":memory:");
    const store = new Store(database);
    const first = updateState(nothing, emptyRoot, changesOf([[1, 1]]));
    store.create(new Uint8Array(1), first, () => createSchema(database));
    const next = (count: number) =>
      updateState(
        store.tree(0),
        first.root,
        changesOf(Array.from({ length: count }, (_, key) => [key, count])),
      );
    const failing = database.transaction((): void => {
      store.append(blockOf(1, next(7)), [], () => {});
      throw new RangeError("what else the engine keeps");
    });
    expect(() => failing()).toThrow(RangeError);
    const taken = next(13);
    store.append(blockOf(1, taken), [], () => {});
    const values = [...walkState(store.tree(1), taken.root)].map(({ value }) => number(value));
    expect(values).toEqual(Array.from({ length: 13 }, () => 13n));
    database.close();
  });

  it("of a block that a greater transaction took back are in nobody's way, whoever stored the next one", () => {
    const many: Change[] = Array.from({ length: 40 }, (_, key) => [key, 1]);
    const keys = (side: 0 | 1) =>
      many.map(([key]) => key).filter((key) => bitAt(statePath(1, u64(key)), 0) === side);
    const [right] = keys(1) as [number];
    // Where a leaf is beside an inner node, as many inner nodes are made without it as with another value, and one leaf less:
    // what is right of the root has the same hashes and places then, but for its leaf's place.
    // Also where somebody read of it before it was taken back, and whoever keeps the store says that it was.
    for (const [left, isRead] of keys(0).flatMap(
      (key) =>
        [
          [key, false],
          [key, true],
        ] as const,
    )) {
      const database = new Database(":memory:");
      const store = new Store(database);
      const first = updateState(nothing, emptyRoot, changesOf(many));
      store.create(new Uint8Array(1), first, () => createSchema(database));
      const after = (value: number | undefined) =>
        updateState(
          store.tree(0),
          first.root,
          changesOf([
            [left, value],
            [right, 7],
          ]),
        );
      // Made before anything is remembered: reading the state before would put its own nodes there.
      const [taken, made] = [after(undefined), after(5)];
      const failing = database.transaction((): void => {
        store.append(blockOf(1, taken), [], () => {});
        // All but the leaf that changed: with it in memory too, a wrong way to it would be taken for a right one.
        for (const key of isRead ? keys(1).slice(1) : []) readState(store.tree(1), taken.root, 1, u64(key));
        throw new RangeError("what else the engine keeps");
      });
      expect(() => failing()).toThrow(RangeError);
      if (isRead) store.takenBack();
      new Store(database).append(blockOf(1, made), [], () => {});
      expect(number(readState(store.tree(1), made.root, 1, u64(right))!)).toBe(7n);
      database.close();
    }
  });

  it("lie in the order in which they were made, children first, sixteen inner ones in a row", () => {
    const grow = Array.from({ length: 6 }, (_, i): Change[] =>
      Array.from({ length: i === 3 ? 40 : 1 }, (_, k) => [20 * i + k, i]),
    );
    const { database } = built(grow);
    const leaves = database.prepare("SELECT id, node, left_id, right_id FROM nodes ORDER BY id").all() as {
      id: number;
      node: Buffer;
      left_id: null;
      right_id: null;
    }[];
    expect(leaves.map(({ id }) => id)).toEqual(leaves.map((_, at) => at + 1));
    for (const { node, left_id, right_id } of leaves) {
      expect([node[0], left_id, right_id]).toEqual([0, null, null]);
    }
    const inner = innerRecords(database);
    const hashes = new Map([
      ...leaves.map(({ id, node }) => [id, hashOf(node)] as const),
      ...inner.map((record) => [placeOf(record), hashOf(record.node)] as const),
    ]);
    for (const record of inner) {
      for (const side of [0, 1] as const) {
        const named = record.node.subarray(1 + 32 * side, 33 + 32 * side);
        const at = record.places[side];
        if (at === 0) expect(named.every((byte) => byte === 0)).toBe(true);
        else {
          if (at >= 2 ** 40) expect(at).toBeLessThan(placeOf(record));
          expect(Buffer.compare(hashes.get(at)!, named)).toBe(0);
        }
      }
    }
    const counts = [...Map.groupBy(inner, ({ row }) => row).values()].map(({ length }) => length);
    expect(counts.reduce((sum, count) => sum + count)).toBe(inner.length);
    // The block of forty leaves fills whole rows, every other one begins a row of its own.
    expect(Math.max(...counts)).toBe(16);
    expect(counts.filter((count) => count < 16).length).toBeGreaterThan(3);
    expect(inner.map(({ row }) => row)).toEqual(inner.map(({ row }) => row).sort((a, b) => a - b));
    const roots = database.prepare("SELECT root, header FROM blocks ORDER BY height").all() as {
      root: number;
      header: Buffer;
    }[];
    for (const { root, header } of roots) {
      expect(hashes.get(root)).toEqual(new Uint8Array(decodeHeader(new Uint8Array(header)).stateRoot));
    }
    database.close();
  });

  it("that come in a stream are there once the block is, and lead to every leaf", () => {
    for (const count of [1, 2, 17, 300]) {
      const nodes = new MemoryNodes();
      const { root, added } = updateState(
        nodes,
        emptyRoot,
        changesOf(Array.from({ length: count }, (_, i) => [i, i])),
      );
      nodes.add(added);
      const database = new Database(":memory:");
      const store = new Store(database);
      store.create(
        new Uint8Array(1),
        updateState(
          nothing,
          emptyRoot,
          changesOf([
            [900, 1],
            [901, 1],
          ]),
        ),
        () => createSchema(database),
      );
      const builder = new StateBuilder((node) => store.putNode(node));
      for (const leaf of walkState(nodes, root)) builder.add(hashOf(encodeNode(leaf)), leaf);
      const { at } = builder.finish();
      const { header, hash } = blockOf(7, updateState(nodes, root, []));
      store.putBase({ header, hash, transactions: [], commit: [] }, at);
      const read = new Store(database);
      const values = [...walkState(read.tree(7), root)].map(({ value }) => Number(number(value)));
      expect(values.sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
      expect([...walkState(read.tree(0), read.genesis().stateRoot)]).toHaveLength(2);
      // The next block's nodes lie behind them.
      const next = updateState(read.tree(7), root, changesOf([[5_000, 1]]));
      read.append(blockOf(8, next), [], () => {});
      expect([...walkState(new Store(database).tree(8), next.root)]).toHaveLength(count + 1);
      database.close();
    }
  });
});

/** A node's hash, from CRYPTO §5 alone. */
function hashOf(node: Uint8Array): Uint8Array {
  if (node[0] === 1) return sha256(sha256(node));
  const size = new DataView(node.buffer, node.byteOffset).getUint32(2);
  const path = hash("ledger/state-key", { fixed: node.subarray(1, 2) }, node.subarray(6, 6 + size));
  return sha256(sha256(concat(Uint8Array.of(0), path, sha256(node.subarray(6 + size)))));
}
