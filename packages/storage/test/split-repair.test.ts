/** Lost and wrong shards are found, named and made again; shards move away from where they may not lie. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import {
  copiesOf,
  rebuildIndex,
  repairAll,
  repairObject,
  type SplitStore,
  scrub,
  sweep,
} from "../src/index.ts";
import { sample } from "../src/split/inspect.ts";
import { collect, names, patternBytes, source } from "./conformance.ts";
import { destroyPlace, flipBit, openWorld, type World } from "./split-world.ts";

const blockBytes = 4096;
const bytes = patternBytes(250_000);
let world: World;
let store: SplitStore;
beforeEach(async () => {
  world = await openWorld({ count: 4, regions: ["eu", "eu", "ch", "us"], blockBytes });
  store = world.store;
  const placement = { k: 2, n: 3, regions: ["ch", "eu"] };
  await store.put("a", source(bytes), { placement });
  await store.put("a.header", source(bytes.subarray(0, 3000)), { placement });
});
afterEach(() => rm(world.folder, { recursive: true, force: true }));

async function expectGood(code = { k: 2, n: 3 }): Promise<void> {
  expect(Buffer.compare(await collect(store.get("a")), bytes)).toBe(0);
  const { shards } = await copiesOf(store, "a", { deep: true });
  expect(shards.map(({ state }) => state)).toEqual(Array.from({ length: code.n }, () => "present"));
}

it("a destroyed place gets its shards again, and any other may then vanish", async () => {
  await destroyPlace(world, 1);
  const done: string[] = [];
  const all = await repairAll(store, {
    onObject: ({ name, lost, rebuilt, rebuiltRegions, regions, whole }) => {
      done.push(
        `${name} ${lost.map(({ place, why }) => `${place} ${why}`)} ${rebuilt.map(({ place }) => place)}`,
      );
      expect({ rebuiltRegions, regions, whole }).toEqual({
        rebuiltRegions: ["eu"],
        regions: ["ch", "eu"],
        whole: true,
      });
    },
  });
  expect(all).toEqual({ objects: 2, failed: [] });
  expect(done).toEqual(["a p1 missing p1", "a.header p1 missing p1"]);
  await expectGood();
  await destroyPlace(world, 2);
  expect(Buffer.compare(await collect(store.get("a")), bytes)).toBe(0);
});

it("wrong blocks are named by place and number, and made again", async () => {
  const files = await world.files(2);
  const { shards } = await copiesOf(store, "a");
  const index = shards.find(({ place }) => place === "p2")!.index;
  for (const path of files) await flipBit(world, 2, { path, offset: 0 });
  const { shards: looked, blocks } = await copiesOf(store, "a", { deep: true });
  expect(looked.find(({ place }) => place === "p2")).toMatchObject({
    index,
    region: "ch",
    state: "wrong",
    badBlocks: [0],
  });
  expect(blocks).toBeGreaterThan(25);
  const { lost, whole } = await repairObject(store, "a");
  expect(lost).toEqual([{ index, place: "p2", why: "wrong" }]);
  expect(whole).toBe(true);
  await expectGood();
});

it("what cannot be repaired is said, and the rest is", async () => {
  await destroyPlace(world, 0);
  world.moods[0]!.down = true;
  // No other place of ch or eu is left for the third shard.
  const { whole, lost, rebuilt } = await repairObject(store, "a");
  expect({ whole, rebuilt, lost: lost.map(({ place, why }) => [place, why]) }).toEqual({
    whole: false,
    rebuilt: [],
    lost: [["p0", "unreachable"]],
  });
  await destroyPlace(world, 1);
  const { failed } = await repairAll(store);
  expect(failed.map(({ name }) => name)).toEqual(["a", "a.header"]);
  expect(failed[0]!.why).toMatch(/p0: unreachable, p1: missing/);
});

it("a replacement place takes over where the placement allows it", async () => {
  await store.put("free", source(bytes), { placement: { k: 2, n: 3 } });
  const used = (await copiesOf(store, "free")).shards.map(({ place }) => place);
  const spare = world.places.find(({ name }) => !used.includes(name))!.name;
  world.moods[Number(used[0]!.slice(1))]!.down = true;
  const { rebuilt, whole } = await repairObject(store, "free");
  expect(rebuilt).toEqual([{ index: 0, place: spare }]);
  expect(whole).toBe(true);
  // The shard that was out of reach goes when its place is back.
  world.moods[Number(used[0]!.slice(1))]!.down = false;
  await sweep(store);
  expect(await world.files(Number(used[0]!.slice(1)))).toHaveLength(used[0] === "p3" ? 0 : 2);
  expect(Buffer.compare(await collect(store.get("free")), bytes)).toBe(0);
});

it("other regions move the shards that lie outside of them", async () => {
  await store.put("free", source(bytes), { placement: { k: 1, n: 2, regions: ["us", "ch"] } });
  const { lost, rebuilt, regions, whole } = await repairObject(store, "free", { regions: ["eu"] });
  expect(lost.map(({ why }) => why)).toEqual(["outside", "outside"]);
  expect({ regions, whole, rebuilt: rebuilt.map(({ place }) => place).sort() }).toEqual({
    regions: ["eu"],
    whole: true,
    rebuilt: ["p0", "p1"],
  });
  expect(await world.files(3)).toEqual([]);
  expect(Buffer.compare(await collect(store.get("free")), bytes)).toBe(0);
  const again = await repairObject(store, "free");
  expect(again).toMatchObject({ lost: [], rebuilt: [], whole: true });
});

it("a place that is left is emptied", async () => {
  const all = await repairAll(store, { leaving: ["p2"], regionsOf: async () => ["eu", "us"] });
  expect(all.failed).toEqual([]);
  expect(await world.files(2)).toEqual([]);
  expect(await world.files(3)).toHaveLength(2);
  expect(Buffer.compare(await collect(store.get("a")), bytes)).toBe(0);
});

it("an interrupted repair leaves what was there, and goes on when run again", async () => {
  await destroyPlace(world, 0);
  const write = world.places[0]!.store.begin;
  let written = 0;
  world.places[0]!.store.begin = async (options) => {
    const handle = await write.call(world.places[0]!.store, options);
    const failing = async (chunk: Uint8Array): Promise<void> => {
      if (++written > 20) throw new RangeError("killed");
      await handle.write(chunk);
    };
    return { ...handle, write: failing, commit: handle.commit, abort: handle.abort };
  };
  await expect(repairObject(store, "a")).rejects.toThrow("killed");
  expect(Buffer.compare(await collect(store.get("a")), bytes)).toBe(0);
  world.places[0]!.store.begin = write;
  const done: string[] = [];
  await repairAll(store, { onObject: ({ name, rebuilt }) => void done.push(`${name} ${rebuilt.length}`) });
  expect(done).toEqual(["a 1", "a.header 1"]);
  await expectGood();
});

it("an object that was stored while a place was down is degraded until it is repaired", async () => {
  world.moods[1]!.down = true;
  await store.put("late", source(bytes), { placement: { k: 2, n: 3, regions: ["ch", "eu"] } });
  world.moods[1]!.down = false;
  expect((await scrub(store, { fraction: 0.01 })).degraded).toEqual(["late"]);
  // Which shard the place was to have is chance: the order of the places is the generation's own.
  const there = (await copiesOf(store, "late", { deep: false })).shards.map(({ index }) => index);
  const missing = [0, 1, 2].filter((index) => !there.includes(index));
  const { lost, whole } = await repairObject(store, "late");
  expect(missing).toHaveLength(1);
  expect(lost).toEqual([{ index: missing[0], place: undefined, why: "never stored" }]);
  expect(whole).toBe(true);
  expect((await scrub(store, { fraction: 0.01 })).degraded).toEqual([]);
});

it("a scrub reads random blocks and names place, object and block", async () => {
  expect(await scrub(store, { fraction: 1 })).toMatchObject({ objects: 2, findings: [], degraded: [] });
  const [path] = (await world.files(0)).sort();
  await flipBit(world, 0, { path: path!, offset: 10 });
  await destroyPlace(world, 2);
  const { findings } = await scrub(store, { fraction: 1 });
  const found = findings.map(({ name, place, state, badBlocks }) => `${place} ${name} ${state} ${badBlocks}`);
  expect(found.filter((one) => one.startsWith("p2"))).toEqual(["p2 a missing ", "p2 a.header missing "]);
  expect(found.filter((one) => /^p0 a(\.header)? wrong 0$/.test(one))).toHaveLength(1);
  const some = await scrub(store, { fraction: 0.2 });
  expect(some.blocks).toBeLessThan(30);
});

it("a sample has distinct numbers, and every number its turn", () => {
  const seen = new Set<number>();
  for (let round = 0; round < 200; round++) {
    const chosen = sample(20, 5);
    expect(new Set(chosen).size).toBe(5);
    for (const one of chosen) seen.add(one);
  }
  expect([...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
});

it("a lost index is made again from the places, the latest put of each name", async () => {
  await store.put("a", source(bytes.subarray(0, 100_000)));
  world.moods[0]!.down = true;
  // The shard of this earlier put stays where it cannot be reached.
  await store.put("a", source(bytes), { placement: { k: 2, n: 3 } });
  world.moods[0]!.down = false;
  await rm(join(world.folder, "entries"), { recursive: true });
  await rm(join(world.folder, "leftovers"), { recursive: true });
  store = await world.reopen();
  expect(await names(store.list())).toEqual([]);
  const { entries, unreachable } = await rebuildIndex(store);
  expect({ entries, unreachable }).toEqual({ entries: ["a", "a.header"], unreachable: [] });
  expect(Buffer.compare(await collect(store.get("a")), bytes)).toBe(0);
  expect(Buffer.compare(await collect(store.get("a.header")), bytes.subarray(0, 3000))).toBe(0);
  await repairAll(store);
  await expectGood();
  expect(await rebuildIndex(store)).toMatchObject({ entries: [], unreachable: [] });
});

it("a sweep leaves alone what is not this provider's, and what is under way", async () => {
  await writeFile(join(world.placeFolder(0), "readme"), "not ours");
  const handle = await store.begin({ placement: { k: 2, n: 3 } });
  await handle.write(bytes);
  const swept = await sweep(store, { graceMs: 0, now: () => Date.now() + 1000 });
  expect(swept.foreign.map(({ place, shard }) => `${place} ${shard}`)).toEqual(["p0 readme"]);
  expect(swept).toMatchObject({ removed: 0, unreachable: [], waiting: 0 });
  await handle.commit("under/way");
  expect(Buffer.compare(await collect(store.get("under/way")), bytes)).toBe(0);
  await expectGood();
});

it("a replaced or removed object leaves nothing, without a sweep; what its readers are on goes when they end", async () => {
  const count = async (): Promise<number[]> =>
    await Promise.all([0, 1, 2].map(async (at) => (await world.files(at)).length));
  expect(await count()).toEqual([2, 2, 2]);
  await store.put("a", source(bytes), { placement: { k: 2, n: 3, regions: ["ch", "eu"] } });
  expect(await count()).toEqual([2, 2, 2]);
  const reader = store.get("a")[Symbol.asyncIterator]();
  await reader.next();
  await store.remove("a");
  expect(await count()).toEqual([2, 2, 2]);
  await reader.return?.();
  expect(await count()).toEqual([1, 1, 1]);
});

it("a sweep after the index was lost keeps what must be there", async () => {
  await rm(join(world.folder, "entries"), { recursive: true });
  store = await world.reopen();
  const later = { now: () => Date.now() + 25 * 3_600_000 };
  expect(await sweep(store, { ...later, keep: (name) => name === "a" })).toMatchObject({
    removed: 3,
    kept: 3,
  });
  expect((await rebuildIndex(store)).entries).toEqual(["a"]);
  await expectGood();
});

it("an entry that is damaged is said, kept from the sweep, and made again", async () => {
  await writeFile(join(world.folder, "entries/a"), '{"version":1');
  await expect(collect(store.get("a"))).rejects.toThrow(/index of the places is damaged at a/);
  const later = { now: () => Date.now() + 25 * 3_600_000 };
  expect(await sweep(store, later)).toMatchObject({ removed: 0, kept: 3 });
  expect((await scrub(store, { fraction: 1 })).objects).toBe(1);
  expect((await rebuildIndex(store)).entries).toEqual(["a"]);
  await expectGood();
});

it("a young shard without an entry is kept: its put may be about to end", async () => {
  await rm(join(world.folder, "entries/a"));
  store = await world.reopen();
  expect(await sweep(store)).toMatchObject({ removed: 0, kept: 3 });
  expect(await sweep(store, { now: () => Date.now() + 25 * 3_600_000 })).toMatchObject({
    removed: 3,
    kept: 0,
  });
});
