/**
 * What a store of another machine must do when the network between fails: connections that end at any byte, servers that
 * go silent. Each store's test hands in how to open it through a proxy that does so, and beside it, past the proxy.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { CutPlan, FaultyProxy } from "@chartseal/lab";
import { beforeEach, describe, expect, it } from "vitest";
import { seeded } from "../../../test/seeded.ts";
import type { ObjectStore } from "../src/index.ts";
import { collect, names, patternBytes, source } from "./conformance.ts";

export interface FaultyCandidate {
  /** Through the proxy. */
  readonly store: ObjectStore;
  /** The same objects without it: what others see meanwhile. */
  readonly beside: ObjectStore;
  readonly proxy: FaultyProxy;
  unfinished(): Promise<number>;
  /** Removes leftovers of whatever age. */
  clear(): Promise<unknown>;
}

export interface FaultySizes {
  /** Of an object that takes several requests, and bytes of a connection within which it is cut. */
  readonly object: number;
  /** Of the connections, which is cut: a store that makes few can lose more of them. */
  readonly share: number;
  /** Longest time that anything may take to fail, in ms. */
  readonly deadlineMs: number;
}

const coded = (code: string) => expect.objectContaining({ name: "StorageError", code });

/** Cuts of `share` of the connections, up or down or by silence, each after a number of bytes of any magnitude. */
function cuts(
  seed: number,
  { share, bytesMax, stalls }: { share: number; bytesMax: number; stalls: boolean },
) {
  const random = seeded(seed);
  const bytes = (): number => Math.floor(bytesMax ** random());
  return {
    plan: (connection: number): CutPlan | undefined => {
      if (connection === 0) return { refuse: true };
      if (random() >= share) return undefined;
      const kind = Math.floor(random() * (stalls ? 4 : 3));
      if (kind === 0) return { upBytes: bytes() };
      if (kind === 1) return { downBytes: bytes() };
      return kind === 2 ? { refuse: true } : { stallBytes: bytes() };
    },
  };
}

export function faults(title: string, sizes: FaultySizes, open: () => Promise<FaultyCandidate>): void {
  describe(`${title}, where the network fails,`, () => {
    let at: FaultyCandidate;
    beforeEach(async () => {
      at = await open();
      at.proxy.faults = undefined;
    });
    survives(() => at, sizes);
    failsWell(() => at, sizes);
    readsOneObject(() => at, sizes);
  });
}

function survives(at: () => FaultyCandidate, { object, share, deadlineMs }: FaultySizes): void {
  it.each([1, 2, 3, 4])(
    "puts and gets though connections are cut at any byte, and others see old or new alone (seed %i)",
    async (seed) => {
      const { store, beside, proxy, unfinished, clear } = at();
      const [old, fresh] = [patternBytes(object, seed), patternBytes(object + seed, seed + 100)];
      await store.put("a", source(old));
      const struck = proxy.struck;
      proxy.faults = cuts(seed, { share, bytesMax: object, stalls: true });
      proxy.cutAll();
      const watching = watch(beside, [old, fresh]);
      try {
        expect(await store.put("a", source(fresh, 10_007))).toEqual({ size: fresh.length });
      } finally {
        watching.isOver = true;
        expect(await watching.count).toBeGreaterThan(0);
      }
      expect(Buffer.compare(await collect(store.get("a")), fresh)).toBe(0);
      const range = { from: 1000, toInclusive: object - 1000 };
      expect(Buffer.compare(await collect(store.get("a", range)), fresh.subarray(1000, object - 999))).toBe(
        0,
      );
      await store.put("b/c", source(old));
      expect(await store.stat("b/c")).toEqual({ size: object });
      expect(await names(store.list())).toEqual(["a", "b/c"]);
      expect(await store.remove("a")).toBe(true);
      proxy.faults = undefined;
      expect(await names(beside.list())).toEqual(["b/c"]);
      expect(Buffer.compare(await collect(beside.get("b/c")), old)).toBe(0);
      expect(proxy.struck).toBeGreaterThan(struck);
      // A cut may leave what only clearing finds.
      await clear();
      expect(await unfinished()).toBe(0);
    },
    6 * deadlineMs,
  );
}

/** Looks at object "a" again and again, until it is over: it is one of `whole` each time, or `count` fails. */
function watch(
  beside: ObjectStore,
  whole: readonly Uint8Array[],
): { isOver: boolean; count: Promise<number> } {
  const state = { isOver: false, count: Promise.resolve(0) };
  state.count = (async () => {
    for (let count = 1; ; count++) {
      const bytes = await collect(beside.get("a"));
      expect(whole.some((one) => Buffer.compare(one, bytes) === 0)).toBe(true);
      expect(await names(beside.list())).toEqual(["a"]);
      if (state.isOver) return count;
      await sleep(20);
    }
  })();
  return state;
}

function failsWell(at: () => FaultyCandidate, { object, deadlineMs }: FaultySizes): void {
  const dead: readonly (readonly [string, CutPlan])[] = [
    ["refuses connections", { refuse: true }],
    ["cuts every connection early", { upBytes: 700 }],
    ["cuts every answer", { downBytes: 100 }],
    ["goes silent at once", { stallBytes: 0 }],
    ["goes silent within a transfer", { stallBytes: 20_000 }],
  ];
  it.each(dead)(
    "a network that %s fails everything within a time, and the old object stays",
    async (_, plan) => {
      const { store, beside, proxy, unfinished, clear } = at();
      const old = patternBytes(object);
      await store.put("a", source(old));
      proxy.faults = { plan: () => plan };
      proxy.cutAll();
      const began = performance.now();
      await Promise.all([
        expect(store.put("a", source(patternBytes(object, 2)))).rejects.toEqual(coded("store-unreachable")),
        expect(collect(store.get("a"))).rejects.toEqual(coded("store-unreachable")),
      ]);
      expect(performance.now() - began).toBeLessThan(deadlineMs);
      expect(await names(beside.list())).toEqual(["a"]);
      expect(Buffer.compare(await collect(beside.get("a")), old)).toBe(0);
      proxy.faults = undefined;
      proxy.cutAll();
      await clear();
      expect(await unfinished()).toBe(0);
      expect(Buffer.compare(await collect(store.get("a")), old)).toBe(0);
    },
    2 * deadlineMs,
  );
}

function readsOneObject(at: () => FaultyCandidate, { object, deadlineMs }: FaultySizes): void {
  it.each([
    ["another of the same size", (store: ObjectStore) => store.put("a", source(patternBytes(object, 2)))],
    ["a longer one", (store: ObjectStore) => store.put("a", source(patternBytes(object + 1, 3)))],
    ["nothing", (store: ObjectStore) => store.remove("a")],
  ])(
    "a reader that is cut when its object was replaced by %s gets no byte of that, and an error",
    async (_, replace) => {
      const { store, beside, proxy } = at();
      const old = patternBytes(object);
      await store.put("a", source(old));
      // The reader must be cut while it still has much to get: more than lies ready on its way.
      const reader = store.get("a")[Symbol.asyncIterator]();
      const read = [(await reader.next()).value as Uint8Array];
      await replace(beside);
      proxy.cutAll();
      const rest = async (): Promise<void> => {
        for (let next = await reader.next(); next.done !== true; next = await reader.next())
          read.push(next.value);
      };
      await expect(rest()).rejects.toEqual(coded("store-unreachable"));
      const bytes = Buffer.concat(read);
      expect(bytes.length).toBeLessThan(object);
      expect(Buffer.compare(bytes, old.subarray(0, bytes.length))).toBe(0);
    },
    2 * deadlineMs,
  );

  it(
    "a reader that is cut again and again gets the one object, whole",
    async () => {
      const { store, proxy } = at();
      const bytes = patternBytes(object);
      await store.put("a", source(bytes));
      const read: Uint8Array[] = [];
      let [got, cutAt] = [0, object / 8];
      for await (const chunk of store.get("a")) {
        read.push(Uint8Array.from(chunk));
        got += chunk.length;
        if (got < cutAt) continue;
        cutAt += object / 8;
        proxy.cutAll();
      }
      expect(Buffer.compare(Buffer.concat(read), bytes)).toBe(0);
    },
    deadlineMs,
  );
}
