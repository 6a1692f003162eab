/**
 * Reading and writing while places fail: any n − k of them may be down, silent, slow or wrong, in any block, and what
 * comes back is the object or an error that says which place was what.
 */
import { rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ObjectStore, StorageError } from "../src/index.ts";
import { collect, patternBytes, source } from "./conformance.ts";
import { destroyPlace, flipBit, keys, openWorld, type World } from "./split-world.ts";

const blockBytes = 4096;
const sealed = blockBytes + 16;
let world: World;
beforeEach(async () => {
  world = await openWorld({ blockBytes });
});
afterEach(() => rm(world.folder, { recursive: true, force: true }));

const bytes = patternBytes(300_000);
const readAll = async (): Promise<Uint8Array> => await collect(world.store.get("a"));
const expectWhole = async (): Promise<void> => expect(Buffer.compare(await readAll(), bytes)).toBe(0);
const coded = (code: string, message: RegExp) =>
  expect.objectContaining({ name: "StorageError", code, message: expect.stringMatching(message) });

/** The place that holds the shard of that index. */
async function placeOf(index: number): Promise<number> {
  const entry = await world.store.parts.index.read("a");
  const { place } = entry.shards.find((one) => one.index === index)!;
  return world.places.findIndex(({ name }) => name === place);
}

describe("with any one of three places", () => {
  it.each([0, 1, 2])("destroyed (shard %i), every object comes back", async (index) => {
    await world.store.put("a", source(bytes));
    await destroyPlace(world, await placeOf(index));
    await expectWhole();
  });

  it.each([0, 1, 2])("down (shard %i), every object comes back, and every range", async (index) => {
    await world.store.put("a", source(bytes));
    world.moods[await placeOf(index)]!.down = true;
    await expectWhole();
    for (const [from, toInclusive] of [
      [0, 0],
      [4095, 4096],
      [8191, 120_000],
      [299_999, 299_999],
    ] as const) {
      const part = await collect(world.store.get("a", { from, toInclusive }));
      expect(Buffer.compare(part, bytes.subarray(from, toInclusive + 1))).toBe(0);
    }
  });

  it("silent for ever, another is asked after a moment", async () => {
    await world.store.put("a", source(bytes));
    world.moods[await placeOf(0)]!.slowMs = Number.POSITIVE_INFINITY;
    const startedMs = performance.now();
    await expectWhole();
    expect(performance.now() - startedMs).toBeLessThan(3000);
  });

  it("slow, it is asked last from then on", async () => {
    await world.store.put("a", source(bytes));
    const slow = await placeOf(0);
    world.moods[slow]!.slowMs = 400;
    await expectWhole();
    const startedMs = performance.now();
    await expectWhole();
    expect(performance.now() - startedMs).toBeLessThan(200);
  });

  it("dying while a reader is on its way, the reader goes on", async () => {
    await world.store.put("a", source(bytes));
    const dying = await placeOf(1);
    const parts: Uint8Array[] = [];
    for await (const part of world.store.get("a")) {
      parts.push(part);
      if (parts.length === 3) world.moods[dying]!.down = true;
    }
    expect(Buffer.compare(Buffer.concat(parts), bytes)).toBe(0);
  });
});

describe("wrong blocks", () => {
  it("one in each stripe, at another place each time, cost nothing", async () => {
    const seen: string[] = [];
    world = await openWorld({
      blockBytes,
      onTrouble: ({ place, block, trouble }) => seen.push(`${place} ${block} ${trouble}`),
    });
    await world.store.put("a", source(bytes));
    const stripes = Math.floor(bytes.length / (2 * blockBytes));
    for (let stripe = 0; stripe < stripes; stripe++) {
      const at = stripe % 3;
      const [path] = await world.files(at);
      await flipBit(world, at, { path: path!, offset: stripe * sealed + 100 });
    }
    await expectWhole();
    expect(seen.length).toBeGreaterThan(10);
    expect(seen.every((one) => one.endsWith("wrong"))).toBe(true);
  });

  it("of two places in one stripe are too many: the error names both", async () => {
    await world.store.put("a", source(bytes));
    for (const at of [0, 2]) {
      const [path] = await world.files(at);
      await flipBit(world, at, { path: path!, offset: 5 * sealed });
    }
    await expect(readAll()).rejects.toEqual(coded("object-damaged", /p0: wrong.*p2: wrong/));
    // All before the bad stripe is right, and a range beside it is whole.
    const after = { from: 6 * 2 * blockBytes, toInclusive: 299_999 };
    expect(Buffer.compare(await collect(world.store.get("a", after)), bytes.subarray(after.from))).toBe(0);
  });

  /**
   * An attacker who owns one place cannot damage quietly: it may give back another block of the same shard, a block of
   * another shard, or the shard of an earlier version. None of them opens where it does not belong.
   */
  it("a block moved to another number, and a shard rolled back to an earlier version, are noticed", async () => {
    const { readFile, writeFile } = await import("node:fs/promises");
    await world.store.put("a", source(patternBytes(300_000, 9)));
    const [oldPath] = await world.files(0);
    const old = await readFile(join(world.placeFolder(0), oldPath!));
    await world.store.put("a", source(bytes));
    const [path] = await world.files(0);
    const file = join(world.placeFolder(0), path!);
    const now = await readFile(file);
    const swapped = Buffer.concat([
      now.subarray(sealed, 2 * sealed),
      now.subarray(0, sealed),
      now.subarray(2 * sealed),
    ]);
    for (const attack of [old, swapped]) {
      await writeFile(file, attack);
      await expectWhole();
      world.moods[1]!.down = true;
      await expect(readAll()).rejects.toBeInstanceOf(StorageError);
      world.moods[1]!.down = false;
    }
  });

  it("a shard cut short is lost, and no more than it", async () => {
    await world.store.put("a", source(bytes));
    const at = await placeOf(0);
    const [path] = await world.files(at);
    await truncate(join(world.placeFolder(at), path!), 3 * sealed + 5);
    await expectWhole();
  });
});

describe("too few places", () => {
  it("to read from: which ones, and nothing wrong", async () => {
    await world.store.put("a", source(bytes));
    world.moods[0]!.down = true;
    world.moods[1]!.down = true;
    await expect(readAll()).rejects.toEqual(coded("store-unreachable", /p0: unreachable.*p1: unreachable/));
    world.moods[0]!.down = false;
    await expectWhole();
    for (const at of [0, 1, 2]) await destroyPlace(world, at);
    world.moods[1]!.down = false;
    await expect(readAll()).rejects.toEqual(coded("object-missing", /0 of the 2 shards/));
  });

  it("to write to: the old object stays", async () => {
    await world.store.put("a", source(bytes));
    world.moods[0]!.down = true;
    world.moods[1]!.down = true;
    await expect(world.store.put("a", source(patternBytes(9)))).rejects.toEqual(
      coded("store-unreachable", /1 of 3 places can be reached, and 2 are needed/),
    );
    world.moods[0]!.down = world.moods[1]!.down = false;
    await expectWhole();
    expect(await world.unfinished()).toBe(0);
  });

  it("that die while it is written: it goes on with two, and ends with one", async () => {
    async function* dying(first: number, second?: number) {
      for (let at = 0; at < 20; at++) {
        if (at === 5) world.moods[first]!.down = true;
        if (at === 10 && second !== undefined) world.moods[second]!.down = true;
        yield bytes.subarray(at * 15_000, (at + 1) * 15_000);
      }
    }
    await world.store.put("a", dying(2));
    await expectWhole();
    expect((await world.store.parts.index.read("a")).shards).toHaveLength(2);
    world.moods[2]!.down = false;
    await expect(world.store.put("b", dying(0, 1))).rejects.toEqual(coded("store-unreachable", /are needed/));
    world.moods[0]!.down = world.moods[1]!.down = false;
    await expect(world.store.stat("b")).rejects.toEqual(coded("object-missing", /no object b/));
    expect(await world.unfinished()).toBe(0);
  });
});

describe("a placement", () => {
  it("is refused before a byte is stored where its regions have too few places", async () => {
    world = await openWorld({ regions: ["eu", "ch", "us"], blockBytes });
    const placement = { k: 2, n: 3, regions: ["eu", "ch"] };
    let asked = false;
    async function* never() {
      asked = true;
      yield bytes;
    }
    await expect(world.store.put("a", never(), { placement })).rejects.toEqual(
      coded("placement-impossible", /3 places, and there are 2 in eu, ch/),
    );
    expect(asked).toBe(false);
    await world.store.put("a", source(bytes), { placement: { ...placement, n: 2 } });
    expect(await world.files(2)).toEqual([]);
    await expect(world.store.begin({ placement: { k: 3, n: 2 } })).rejects.toEqual(
      coded("placement-impossible", /1 ≤ k ≤ n/),
    );
  });

  it("uses a spare place where one of its own is down", async () => {
    world = await openWorld({ count: 4, blockBytes, placement: { k: 2, n: 3 } });
    world.moods[1]!.down = true;
    await world.store.put("a", source(bytes));
    expect((await world.store.parts.index.read("a")).shards.map(({ place }) => place).sort()).toEqual([
      "p0",
      "p2",
      "p3",
    ]);
  });
});

it("a range reads the blocks that it needs and no others", async () => {
  const asked: string[] = [];
  const watched = world.places.map((place) => {
    const get: ObjectStore["get"] = (name, range) => {
      asked.push(`${range!.from}-${range!.toInclusive}`);
      return place.store.get(name, range);
    };
    return { ...place, store: { ...place.store, get } };
  });
  await world.store.put("a", source(bytes));
  const store = await world.reopen({ places: watched, keys });
  const from = 7 * 2 * blockBytes + 10;
  await collect(store.get("a", { from, toInclusive: from + 100 }));
  expect(asked).toEqual([`${7 * sealed}-${8 * sealed - 1}`]);
});

it("ten of sixteen: any six places may be gone, and a seventh is one too many", async () => {
  const many = await openWorld({ count: 16, blockBytes, placement: { k: 10, n: 16 } });
  try {
    await many.store.put("a", source(bytes));
    for (let round = 0; round < 4; round++) {
      for (const mood of many.moods) mood.down = false;
      for (let gone = 0; gone < 6; gone++) many.moods[(round * 5 + gone * 3) % 16]!.down = true;
      expect(Buffer.compare(await collect(many.store.get("a")), bytes)).toBe(0);
    }
    many.moods.find(({ down }) => !down)!.down = true;
    await expect(collect(many.store.get("a"))).rejects.toEqual(
      coded("store-unreachable", /9 of the 10 shards/),
    );
  } finally {
    await rm(many.folder, { recursive: true, force: true });
  }
});
