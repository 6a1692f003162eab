/**
 * What a place learns of the objects whose shards it holds: sizes in classes, and times. The adversary here has one
 * place's whole disk, and in one test two places' disks; the objects hold what it knows by heart.
 */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, it } from "vitest";
import { paddedBytes } from "../src/split/layout.ts";
import { source } from "./conformance.ts";
import { openWorld, type World } from "./split-world.ts";

let world: World;
beforeEach(async () => {
  world = await openWorld();
});
afterEach(() => rm(world.folder, { recursive: true, force: true }));

interface Seen {
  readonly path: string;
  readonly bytes: Buffer;
}

async function disk(at: number): Promise<Seen[]> {
  const paths = await world.files(at);
  return await Promise.all(
    paths.map(async (path) => ({ path, bytes: await readFile(join(world.placeFolder(at), path)) })),
  );
}

const recordId = "ab".repeat(32);
const text = (label: string, size: number): Uint8Array => Buffer.alloc(size, `${recordId} ${label} `);

/**
 * Attack: look for what an object is called, what stands in it, and for anything that is not noise. It fails on the
 * shards, and succeeds on the same bytes as a plain split without sealing would lay them down.
 */
it("one place's disk shows no name, no manifest and no byte of an object", async () => {
  for (let at = 0; at < 6; at++) {
    await world.store.put(`${recordId.slice(0, 30)}${at}`, source(text("payload", 150_000 + at * 77)));
    await world.store.put(`${recordId.slice(0, 30)}${at}.header`, source(text("header", 3000 + at)));
  }
  const seen = await disk(0);
  expect(seen).toHaveLength(12);
  const finds = (haystack: Buffer): boolean =>
    ["abab", "payload", "header", "regions", '"', "eu"].some(
      (needle) => needle.length > 3 && haystack.includes(needle),
    ) || gzipSync(haystack).length < haystack.length * 0.98;
  for (const { path, bytes } of seen) {
    expect(path).toMatch(/^[0-9a-f]{2}\/[0-9a-f]{62}$/);
    expect(finds(bytes), path).toBe(false);
  }
  const plain = Buffer.from(text("payload", 150_000)).subarray(0, 75_000);
  expect(finds(plain)).toBe(true);
  expect(gunzipSync(gzipSync(plain))).toEqual(plain);
});

/**
 * Attack: group shards by equal sizes, within a place (header and payload of one record, versions of one payload) and
 * between two places (the shards of one object). All objects of a class look alike, so a group is the class.
 */
it("sizes tell a class: objects of sizes near each other cannot be told apart, at one place or at two", async () => {
  const sizes = [200_900, 201_800, 202_700, 203_600, 204_500];
  for (const [at, size] of sizes.entries()) await world.store.put(`payload-${at}`, source(text("p", size)));
  for (let at = 0; at < 5; at++) await world.store.put(`header-${at}`, source(text("h", 2000 + at * 999)));
  for (const at of [0, 1]) {
    const counts = new Map<number, number>();
    for (const { bytes } of await disk(at)) counts.set(bytes.length, (counts.get(bytes.length) ?? 0) + 1);
    expect([...counts.values()].sort()).toEqual([5, 5]);
  }
});

it("padding costs at most an eighth, and leaves few sizes", () => {
  const classes = new Set<number>();
  for (let size = 4096; size < 1 << 20; size += 97) {
    const padded = paddedBytes(size);
    expect(padded).toBeGreaterThanOrEqual(size);
    expect(padded).toBeLessThanOrEqual(size * 1.125);
    classes.add(padded);
  }
  expect(classes.size).toBeLessThan(200);
  expect(paddedBytes(1)).toBe(4096);
  expect(paddedBytes(2 ** 33 + 1) / 2 ** 33).toBeLessThan(1.04);
});

/** Attack: two places compare what they hold. Mirrors of one object, and one object stored twice, have nothing in common. */
it("two places that compare their disks find no equal block and no equal name", async () => {
  const placement = { k: 1, n: 2 };
  await world.store.put("a", source(text("mirrored", 300_000)), { placement });
  await world.store.put("b", source(text("mirrored", 300_000)), { placement });
  const blocks = new Set<string>();
  const names = new Set<string>();
  let count = 0;
  for (const at of [0, 1, 2]) {
    for (const { path, bytes } of await disk(at)) {
      names.add(path);
      for (let from = 0; from + 32 <= bytes.length; from += 4096) {
        blocks.add(bytes.subarray(from, from + 32).toString("hex"));
        count++;
      }
    }
  }
  expect(names.size).toBe(4);
  expect(blocks.size).toBe(count);
});
