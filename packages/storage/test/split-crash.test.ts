/**
 * The process dies at any step of a put, a replacement or a removal, before the step or right after it: what a new process
 * finds is the old object or the new one, whole, and a sweep leaves no shard that is nobody's.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import {
  type ObjectStore,
  openFilesystemStore,
  type PutHandle,
  type SplitStore,
  StorageError,
  sweep,
} from "../src/index.ts";
import { collect, names, patternBytes, source } from "./conformance.ts";
import { openWorld, type World } from "./split-world.ts";

class Death extends Error {}

/** Counts the steps that change something, and ends everything at one of them. */
class Fate {
  readonly #at: number;
  readonly #afterIt: boolean;
  steps = 0;
  /** What a real death would close. */
  readonly handles: PutHandle[] = [];

  constructor(at: number, afterIt: boolean) {
    this.#at = at;
    this.#afterIt = afterIt;
  }

  async step<T>(act: () => Promise<T>): Promise<T> {
    const here = this.steps++;
    if (here > this.#at || (here === this.#at && !this.#afterIt)) throw new Death("killed");
    const done = await act();
    if (here === this.#at) throw new Death("killed");
    return done;
  }

  over(store: ObjectStore): ObjectStore {
    return {
      put: (...args) => this.step(() => store.put(...args)),
      remove: (name) => this.step(() => store.remove(name)),
      begin: (options) =>
        this.step(async () => {
          const handle = await store.begin(options);
          this.handles.push(handle);
          return {
            write: (chunk) => this.step(() => handle.write(chunk)),
            commit: (name) => this.step(() => handle.commit(name)),
            abort: () => this.step(() => handle.abort()),
          };
        }),
      get: (...args) => store.get(...args),
      stat: (name) => store.stat(name),
      list: (prefix) => store.list(prefix),
    };
  }
}

const worlds: World[] = [];
afterEach(async () => {
  for (const { folder } of worlds.splice(0)) await rm(folder, { recursive: true, force: true });
});

const old = patternBytes(20_000, 1);
const fresh = patternBytes(30_000, 2);

const deeds: readonly (readonly [
  string,
  (store: SplitStore) => Promise<unknown>,
  (Uint8Array | undefined)[],
])[] = [
  ["a put", (store) => store.put("b", source(fresh)), [undefined, fresh]],
  ["a replacement", (store) => store.put("a", source(fresh)), [old, fresh]],
  ["a removal", (store) => store.remove("a"), [old, undefined]],
];

async function contentOf(store: SplitStore, name: string): Promise<Uint8Array | undefined> {
  try {
    return await collect(store.get(name));
  } catch (error) {
    if (error instanceof StorageError && error.code === "object-missing") return undefined;
    throw error;
  }
}

/** Does the deed with a death at that step; false once the deed is over before it. */
async function dieAt(at: number, afterIt: boolean, deed: (typeof deeds)[number]): Promise<boolean> {
  const [what, act, allowed] = deed;
  const world = await openWorld({ blockBytes: 4096 });
  worlds.push(world);
  await world.store.put("a", source(old));
  const fate = new Fate(at, afterIt);
  const index = (name: string) => openFilesystemStore(join(world.folder, name));
  const doomed = await world.reopen({
    places: world.places.map((place) => ({ ...place, store: fate.over(place.store) })),
    index: { entries: fate.over(await index("entries")), leftovers: fate.over(await index("leftovers")) },
  });
  const ended = await act(doomed).then(
    () => true,
    () => false,
  );
  const again = await world.reopen();
  const name = what === "a put" ? "b" : "a";
  const found = await contentOf(again, name);
  const which = allowed.findIndex((one) =>
    one === undefined ? found === undefined : found !== undefined && Buffer.compare(one, found) === 0,
  );
  expect(which, `${what}, step ${at}`).toBeGreaterThanOrEqual(0);
  // An acknowledged deed is done.
  if (ended) expect(which).toBe(1);
  const later = { graceMs: 0, now: () => Date.now() + 1000 };
  const swept = await sweep(again, later);
  expect(swept).toMatchObject({ kept: 0, foreign: [], unreachable: [], waiting: 0 });
  const objects = await names(again.list());
  for (const place of [0, 1, 2]) {
    const expected = [];
    for (const one of objects) {
      const { shards } = await again.parts.index.read(one);
      expected.push(...shards.filter((shard) => shard.place === `p${place}`));
    }
    expect((await world.files(place)).length, `${what}, step ${at}, place ${place}`).toBe(expected.length);
  }
  const still = await contentOf(again, name);
  expect(still === undefined ? -1 : still.length).toBe(found === undefined ? -1 : found.length);
  for (const handle of fate.handles) await handle.abort();
  return fate.steps > at;
}

it.each(deeds)("%s", { timeout: 120_000 }, async (...deed) => {
  for (const afterIt of [false, true]) {
    let at = 0;
    while (await dieAt(at, afterIt, deed)) at++;
    expect(at).toBeGreaterThan(5);
  }
});

it("an index that says it failed and has written, or cannot note what is old, loses nothing", async () => {
  const world = await openWorld({ blockBytes: 4096 });
  worlds.push(world);
  await world.store.put("a", source(old));
  const entries = await openFilesystemStore(join(world.folder, "entries"));
  const leftovers = await openFilesystemStore(join(world.folder, "leftovers"));
  const broken = new StorageError("store-unreachable", "the disk lost power after the write");
  const wrote: ObjectStore = {
    ...stepping(entries),
    put: async (name, bytes) => {
      await entries.put(name, bytes);
      throw broken;
    },
  };
  const half = await world.reopen({ index: { entries: wrote, leftovers } });
  await expect(half.put("a", source(fresh))).rejects.toBe(broken);
  expect(Buffer.compare(await collect((await world.reopen()).get("a")), fresh)).toBe(0);
  const unnoted = { ...stepping(leftovers), put: async () => Promise.reject(broken) };
  const deaf = await world.reopen({ index: { entries, leftovers: unnoted } });
  await deaf.put("a", source(old));
  const again = await world.reopen();
  expect(Buffer.compare(await collect(again.get("a")), old)).toBe(0);
  await sweep(again, { graceMs: 0, now: () => Date.now() + 1000 });
  expect(await Promise.all([0, 1, 2].map(async (at) => (await world.files(at)).length))).toEqual([1, 1, 1]);
});

/** The store's own calls, to be laid over one by one. */
function stepping(store: ObjectStore): ObjectStore {
  return new Fate(Number.POSITIVE_INFINITY, false).over(store);
}

it("a removal that a place was not there for is finished by a later one, or by a sweep", async () => {
  const world = await openWorld();
  worlds.push(world);
  await world.store.put("a", source(old));
  await world.store.put("b", source(old));
  world.moods[1]!.down = true;
  await expect(world.store.remove("a")).rejects.toThrow(/shards of a are left at p1/);
  await expect(world.store.remove("b")).rejects.toThrow(/shards of b are left at p1/);
  await expect(world.store.stat("a")).rejects.toThrow(/no object a/);
  await expect(world.store.remove("a")).rejects.toThrow(/left at p1/);
  expect(await world.files(1)).toHaveLength(2);
  world.moods[1]!.down = false;
  expect(await world.store.remove("a")).toBe(true);
  expect(await world.store.remove("a")).toBe(false);
  expect(await world.files(1)).toHaveLength(1);
  expect(await sweep(world.store)).toMatchObject({ removed: 0, waiting: 0 });
  expect(await world.files(1)).toEqual([]);
});
