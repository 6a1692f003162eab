/** What the parts of a split store share: its places by name, its secrets, and a shard at its place. */
import type { Place } from "../place.ts";
import { StorageError } from "../storage-error.ts";
import { Layout } from "./layout.ts";
import { type PlaceHealth, withPatience } from "./place-health.ts";
import type { ReedSolomon } from "./reed-solomon.ts";
import { BlockSeal, pseudonym, type SplitKeys } from "./shard-seal.ts";
import { ShardStream, type Trouble, troubleOf } from "./shard-stream.ts";
import type { IndexEntry, ShardPlace, SplitIndex } from "./split-index.ts";
import { type Observed, StripeReader } from "./stripe-reader.ts";

export interface SplitParts {
  readonly places: ReadonlyMap<string, Place>;
  readonly keys: SplitKeys;
  readonly index: SplitIndex;
  readonly health: PlaceHealth;
  readonly reedSolomon: ReedSolomon;
  readonly hedgeMs: number;
  readonly patienceMs: number;
  readonly onTrouble?: (observed: Observed) => void;
}

export function layoutOf(entry: IndexEntry): Layout {
  return new Layout(entry);
}

/** A shard's blocks up to the last that will be asked for; of a place that is not configured any more, none. */
export function openShard(
  { places, keys }: SplitParts,
  shard: { readonly entry: IndexEntry; readonly at: ShardPlace; readonly lastBlock: number },
): ShardStream {
  const { entry, at, lastBlock } = shard;
  const of = { generation: entry.generation, index: at.index };
  const store = places.get(at.place)?.store ?? goneStore;
  const layout = layoutOf(entry);
  return new ShardStream({
    store,
    name: pseudonym(keys, of),
    seal: new BlockSeal(keys, of),
    layout,
    lastBlock,
  });
}

const goneStore = {
  // biome-ignore lint/correctness/useYield: there is nothing there.
  async *get(): AsyncGenerator<Uint8Array> {
    throw new StorageError("store-unreachable", "the place is not configured");
  },
};

/** Reads an object's stripes; the caller closes the streams. */
export function openStripes(
  parts: SplitParts,
  object: { readonly name: string; readonly entry: IndexEntry; readonly lastBlock: number },
): { readonly reader: StripeReader; readonly streams: readonly ShardStream[] } {
  const { name, entry, lastBlock } = object;
  const { health, reedSolomon, hedgeMs, patienceMs, onTrouble } = parts;
  const shards = entry.shards.map((at) => ({
    index: at.index,
    place: at.place,
    stream: openShard(parts, { entry, at, lastBlock }),
  }));
  const reader = new StripeReader({
    name,
    code: entry,
    shards,
    health,
    reedSolomon,
    hedgeMs,
    patienceMs,
    ...(onTrouble === undefined ? {} : { onTrouble }),
  });
  return { reader, streams: shards.map(({ stream }) => stream) };
}

/** Whether the shard is there in its full size. */
export async function lookAt(
  { places, keys, patienceMs }: SplitParts,
  entry: IndexEntry,
  { index, place }: ShardPlace,
): Promise<"present" | Trouble> {
  const { generation } = entry;
  const store = places.get(place)?.store;
  if (store === undefined) return "unreachable";
  try {
    const looking = store.stat(pseudonym(keys, { generation, index }));
    const { size } = await withPatience(looking, { ms: patienceMs, place });
    return size === layoutOf(entry).storedBytes ? "present" : "wrong";
  } catch (error) {
    return troubleOf(error);
  }
}

/**
 * Removes shards where they lie; gives back those that could not be reached. A place that is not configured any more was
 * given up with what lies there: nobody can be asked.
 */
export async function removeShards(
  { places, keys, patienceMs, health }: SplitParts,
  generation: string,
  shards: readonly ShardPlace[],
): Promise<ShardPlace[]> {
  const left = await Promise.all(
    shards.map(async (shard) => {
      const { index, place } = shard;
      const store = places.get(place)?.store;
      if (store === undefined) return [];
      try {
        const removing = store.remove(pseudonym(keys, { generation, index }));
        await withPatience(removing, { ms: patienceMs, place });
        return [];
      } catch {
        health.failed(place);
        return [shard];
      }
    }),
  );
  return left.flat();
}
