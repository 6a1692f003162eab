/** A place is told a shard's name when the shard begins: a server in the cloud then needs no copy of it at the end. */

import { rm } from "node:fs/promises";
import { expect, it } from "vitest";
import { type ObjectStore, type Place, repairObject } from "../src/index.ts";
import { patternBytes, source } from "./conformance.ts";
import { openWorld } from "./split-world.ts";

/** The store, which notes what each object was begun and committed as. */
function noting(store: ObjectStore, seen: [begun: string | undefined, committed: string][]): ObjectStore {
  return {
    put: (...args) => store.put(...args),
    get: (...args) => store.get(...args),
    stat: (name) => store.stat(name),
    remove: (name) => store.remove(name),
    list: (prefix) => store.list(prefix),
    async begin(options) {
      const handle = await store.begin(options);
      const commit = async (name: string) => {
        seen.push([options?.finalName, name]);
        return await handle.commit(name);
      };
      return { write: (chunk) => handle.write(chunk), abort: () => handle.abort(), commit };
    },
  };
}

it("when it is put, also where a place is down at first, and when it is rebuilt", async () => {
  const world = await openWorld({ count: 4, placement: { k: 2, n: 3 }, blockBytes: 1024 });
  const seen: [string | undefined, string][] = [];
  const places = world.places.map((place): Place => ({ ...place, store: noting(place.store, seen) }));
  const store = await world.reopen({ places });
  for (const [at, mood] of world.moods.entries()) {
    mood.down = true;
    await store.put(`a${at}`, source(patternBytes(5_000)));
    mood.down = false;
  }
  // Three shards each, of three indices, whichever place was down.
  expect(seen).toHaveLength(12);
  for (const name of ["a0", "a1", "a2", "a3"]) {
    const { shards } = await store.parts.index.read(name);
    expect(shards.map(({ index }) => index)).toEqual([0, 1, 2]);
  }
  const [lost] = (await store.parts.index.read("a0")).shards;
  const place = places.find(({ name }) => name === lost!.place)!;
  for await (const name of place.store.list()) await place.store.remove(name);
  const before = seen.length;
  await repairObject(store, "a0");
  expect(seen.length).toBe(before + 1);
  expect(seen.map(([begun]) => begun)).toEqual(seen.map(([, committed]) => committed));
  await rm(world.folder, { recursive: true });
});
