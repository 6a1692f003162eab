/**
 * What the provider itself knows of its divided objects: for each name the present generation and where its shards lie,
 * and what still has to be removed. An entry is one whole object of a store (a folder of small files in a home), so
 * writing it is the one step by which an object appears, is replaced or goes.
 */

import { type ObjectStore, segmentsOf } from "../object-store.ts";
import { isPlacement, isPlaceName } from "../place.ts";
import { StorageError } from "../storage-error.ts";

export interface ShardPlace {
  readonly index: number;
  readonly place: string;
}

export interface IndexEntry {
  readonly generation: string;
  readonly size: number;
  readonly k: number;
  readonly n: number;
  readonly blockBytes: number;
  readonly regions: readonly string[];
  readonly sequence: number;
  /** Ascending by index; fewer than n where the object is degraded. */
  readonly shards: readonly ShardPlace[];
}

/** Shards that are to go, of a generation that nothing names any more. */
export interface Leftover {
  readonly name: string;
  readonly generation: string;
  readonly shards: readonly ShardPlace[];
}

/** Reading alone, for checks that change nothing. */
export type IndexReader = Pick<ObjectStore, "get" | "stat" | "list">;
export interface IndexStores<S = ObjectStore> {
  /** Entries by the object's name. */
  readonly entries: S;
  /** Leftovers by generation. */
  readonly leftovers: S;
}

/** Largest file of an index. */
const indexBytesMax = 64 * 1024;

export async function readSmall(store: Pick<ObjectStore, "get">, name: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of store.get(name)) {
    parts.push(part);
    size += part.length;
    if (size > indexBytesMax) throw damaged(name);
  }
  return Buffer.concat(parts);
}

function damaged(name: string): StorageError {
  return new StorageError("object-damaged", `the index of the places is damaged at ${name}`);
}

async function* once(value: unknown): AsyncGenerator<Uint8Array> {
  yield Buffer.from(`${JSON.stringify(value)}\n`);
}

/** @throws StorageError `object-damaged` for what is no JSON */
async function readJson(store: Pick<ObjectStore, "get">, name: string): Promise<Record<string, unknown>> {
  const bytes = await readSmall(store, name);
  try {
    const value = JSON.parse(Buffer.from(bytes).toString("utf8")) as unknown;
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw damaged(name);
}

export class SplitIndex {
  readonly #stores: IndexStores<IndexReader & Partial<ObjectStore>>;

  constructor(stores: IndexStores<IndexReader & Partial<ObjectStore>>) {
    this.#stores = stores;
  }

  /** @throws StorageError `name-invalid`, `object-missing`, `object-damaged`, `store-unreachable` */
  async read(name: string): Promise<IndexEntry> {
    segmentsOf(name);
    const value = await readJson(this.#stores.entries, name);
    const entry = value as unknown as IndexEntry & { readonly version: unknown };
    const counts = [entry.size, entry.blockBytes, entry.sequence];
    const sound =
      entry.version === 1 &&
      isGeneration(entry.generation) &&
      counts.every((count) => Number.isSafeInteger(count) && count >= 0) &&
      entry.blockBytes > 0 &&
      Array.isArray(entry.regions) &&
      isPlacement(entry) &&
      areShards(entry.shards, entry.n);
    if (!sound) throw damaged(name);
    return entry;
  }

  /** Undefined where no object has the name. */
  async find(name: string): Promise<IndexEntry | undefined> {
    try {
      return await this.read(name);
    } catch (error) {
      if (error instanceof StorageError && error.code === "object-missing") return undefined;
      throw error;
    }
  }

  /** As `find`, and a word for an entry that is damaged: its object is there and not to be found by it. */
  async look(name: string): Promise<IndexEntry | "damaged" | undefined> {
    try {
      return await this.find(name);
    } catch (error) {
      if (error instanceof StorageError && error.code === "object-damaged") return "damaged";
      throw error;
    }
  }

  names(prefix = ""): AsyncIterable<string> {
    return this.#stores.entries.list(prefix);
  }

  /** @throws StorageError `name-invalid` where another name stands in the way */
  async demandRoom(name: string): Promise<void> {
    const segments = segmentsOf(name);
    const shorter = segments.slice(1).map((_, at) => segments.slice(0, at + 1).join("/"));
    for (const other of shorter) {
      if ((await this.find(other)) !== undefined) throw inTheWay(name);
    }
    for await (const _other of this.#stores.entries.list(`${name}/`)) throw inTheWay(name);
  }

  async write(name: string, entry: IndexEntry): Promise<void> {
    const { generation, size, k, n, blockBytes, regions, sequence } = entry;
    const shards = entry.shards.map(({ index, place }) => ({ index, place }));
    const value = { version: 1, generation, size, k, n, blockBytes, regions, sequence, shards };
    await this.#writable("entries").put(name, once(value));
  }

  async drop(name: string): Promise<boolean> {
    return await this.#writable("entries").remove(name);
  }

  /** Notes what is to go, beside what is noted of that generation already. */
  async note({ name, generation, shards }: Leftover): Promise<readonly ShardPlace[]> {
    const before = await this.#leftover(generation);
    const known = (shard: ShardPlace): boolean =>
      shards.some(({ index, place }) => index === shard.index && place === shard.place);
    const all = [...shards, ...(before?.shards ?? []).filter((shard) => !known(shard))];
    await this.leave({ name, generation, shards: all });
    return all;
  }

  /** What is left to go of a generation; nothing: forgotten. */
  async leave(leftover: Leftover): Promise<void> {
    if (leftover.shards.length === 0) {
      await this.#writable("leftovers").remove(leftover.generation);
      return;
    }
    await this.#writable("leftovers").put(leftover.generation, once({ version: 1, ...leftover }));
  }

  async *leftovers(): AsyncGenerator<Leftover> {
    const names: string[] = [];
    for await (const name of this.#stores.leftovers.list()) names.push(name);
    for (const generation of names) {
      const leftover = await this.#leftover(generation);
      if (leftover !== undefined) yield leftover;
    }
  }

  async #leftover(generation: string): Promise<Leftover | undefined> {
    try {
      const leftover = (await readJson(this.#stores.leftovers, generation)) as unknown as Leftover;
      const sound = leftover.generation === generation && areShards(leftover.shards, undefined);
      return sound && typeof leftover.name === "string" ? leftover : undefined;
    } catch (error) {
      // A damaged note is as none: a sweep finds by themselves the shards that no entry names.
      const codes = ["object-missing", "object-damaged"];
      if (error instanceof StorageError && codes.includes(error.code)) return undefined;
      throw error;
    }
  }

  #writable(which: keyof IndexStores): Pick<ObjectStore, "put" | "remove"> {
    const store = this.#stores[which];
    if (store.put !== undefined && store.remove !== undefined) return store as ObjectStore;
    throw new StorageError("store-unreachable", "the places were opened for reading alone");
  }
}

function inTheWay(name: string): StorageError {
  return new StorageError("name-invalid", `${name} stands in the way of another object's name`);
}

function isGeneration(text: unknown): boolean {
  return typeof text === "string" && /^[0-9a-f]{32}$/.test(text);
}

/** Of an entry: below n and ascending; of a leftover one shard may lie at several places. */
function areShards(shards: unknown, n: number | undefined): boolean {
  return (
    Array.isArray(shards) &&
    (shards as ShardPlace[]).every(
      ({ index, place }, at, all) =>
        Number.isInteger(index) &&
        index >= 0 &&
        (n === undefined || (index < n && index > (all[at - 1]?.index ?? -1))) &&
        typeof place === "string" &&
        isPlaceName(place),
    )
  );
}
