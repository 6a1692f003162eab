/** The store's rows of state nodes: small trees that grow, shrink, change back and come to nothing, at every height. */
import { concat, hash, sha256, u64 } from "@chartseal/crypto";
import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fuzzRounds } from "../../../test/fuzz-rounds.ts";
import { hashHeader, headerVersion } from "../src/block.ts";
import type { ExecutedBlock } from "../src/machine.ts";
import type { StateChange } from "../src/state.ts";
import { proveState, verifyStateProof } from "../src/state-proof.ts";
import { emptyRoot, type NodeSource, type StateUpdate, updateState, walkState } from "../src/state-tree.ts";
import { createSchema } from "../src/store/schema.ts";
import { Store } from "../src/store/store.ts";

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
  return { database, states };
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

  it("are numbered in the order in which they were made, children first, and never changed", () => {
    const grow = Array.from({ length: 6 }, (_, i): Change[] => [
      [i, i],
      [i + 10, 1],
    ]);
    const { database } = built(grow);
    const rows = database.prepare("SELECT id, node, left_id, right_id FROM nodes ORDER BY id").all() as {
      id: number;
      node: Buffer;
      left_id: number | null;
      right_id: number | null;
    }[];
    expect(rows.map(({ id }) => id)).toEqual(rows.map((_, at) => at + 1));
    const hashes = rows.map(({ node }) => hashOf(node));
    for (const { id, node, left_id, right_id } of rows) {
      if (node[0] === 0) expect([left_id, right_id]).toEqual([null, null]);
      for (const [child, at] of node[0] === 1
        ? ([
            [left_id, 1],
            [right_id, 33],
          ] as const)
        : []) {
        const named = node.subarray(at, at + 32);
        if (child === null) expect(named.every((byte) => byte === 0)).toBe(true);
        else {
          expect(child).toBeLessThan(id);
          expect(Buffer.compare(hashes[child - 1]!, named)).toBe(0);
        }
      }
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
