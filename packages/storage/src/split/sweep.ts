/**
 * Keeping index and places together: `sweep` removes what no entry names (of a put that was interrupted, of an object
 * that was removed or replaced while a place was away), `rebuildIndex` makes a lost index again from the manifests that
 * every shard carries.
 */
import type { ObjectStore } from "../object-store.ts";
import { StorageError } from "../storage-error.ts";
import { trailerBytes } from "./layout.ts";
import { layoutOf, removeShards, type SplitParts } from "./shard-access.ts";
import { isPseudonym, type Manifest, openManifest, pseudonym } from "./shard-seal.ts";
import type { ShardPlace } from "./split-index.ts";
import type { SplitStore } from "./split-store.ts";

/** What a place holds that the index does not name. */
export interface Stray {
  readonly place: string;
  /** The name at that place. */
  readonly shard: string;
  /** Undefined where it is nothing of this provider's. */
  readonly manifest: Manifest | undefined;
}

export interface Swept {
  readonly removed: number;
  /** Younger than the grace time, of a put under way, or of an object that the index has lost. */
  readonly kept: number;
  /** Nothing of this provider's; left alone. */
  readonly foreign: readonly Stray[];
  /** Places that could not be looked through. */
  readonly unreachable: readonly string[];
  /** Removals that still wait for a place. */
  readonly waiting: number;
}

/** Age from which a shard without an entry is garbage, in ms: longer than a put takes between its shards and its entry. */
const graceDefaultMs = 24 * 60 * 60 * 1000;

export async function sweep(
  store: SplitStore,
  options: {
    readonly graceMs?: number;
    readonly now?: () => number;
    /** Names that must have an object: their shards are kept where the index has lost them. */
    readonly keep?: (name: string) => boolean;
  } = {},
): Promise<Swept> {
  const { parts } = store;
  const { graceMs = graceDefaultMs, now = Date.now, keep = () => false } = options;
  const waiting = await finishRemovals(parts);
  const foreign: Stray[] = [];
  const unreachable: string[] = [];
  let removed = 0;
  let kept = 0;
  const before = now() - graceMs;
  for (const { name: place } of store.places) {
    try {
      for await (const stray of straysAt(parts, place)) {
        const { manifest } = stray;
        if (manifest === undefined) {
          foreign.push(stray);
          continue;
        }
        const { generation, index, sequence } = manifest;
        const entry = await parts.index.look(manifest.name);
        const lost = entry === "damaged" || (entry === undefined && keep(manifest.name));
        const young = sequence > before || store.isUnderWay(generation);
        const left = young || lost ? [1] : await removeShards(parts, generation, [{ index, place }]);
        if (left.length === 0) removed++;
        else kept++;
      }
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      unreachable.push(place);
    }
  }
  return { removed, kept, foreign, unreachable, waiting };
}

/** Removals that a place was not there for, or that a crash cut short. Gives how many shards still wait. */
async function finishRemovals(parts: SplitParts): Promise<number> {
  const { index } = parts;
  let waiting = 0;
  for await (const { name, generation, shards } of index.leftovers()) {
    const entry = await index.look(name);
    // What an entry that cannot be read still needs, nobody knows.
    if (entry === "damaged") {
      waiting += shards.length;
      continue;
    }
    const live = entry?.generation === generation ? entry.shards : [];
    // Noted before its entry went, and it never did: the shards that the entry names stay.
    const going = shards.filter(
      (shard) => !live.some((one) => one.index === shard.index && one.place === shard.place),
    );
    const left = await removeShards(parts, generation, going);
    await index.leave({ name, generation, shards: left });
    waiting += left.length;
  }
  return waiting;
}

/** Names at a place that the index does not give to it. @throws StorageError where the place cannot be read */
export async function* straysAt(parts: SplitParts, place: string): AsyncGenerator<Stray> {
  const { keys, index, places } = parts;
  const known = new Set<string>();
  for await (const name of index.names()) {
    const entry = await index.look(name);
    if (entry === undefined || entry === "damaged") continue;
    for (const shard of entry.shards) {
      if (shard.place === place) known.add(pseudonym(keys, { ...entry, index: shard.index }));
    }
  }
  const { store } = places.get(place)!;
  for await (const shard of store.list()) {
    if (known.has(shard)) continue;
    const manifest = isPseudonym(shard) ? await manifestAt(parts, store, shard) : undefined;
    yield { place, shard, manifest };
  }
}

async function manifestAt(
  { keys }: SplitParts,
  store: Pick<ObjectStore, "get" | "stat">,
  shard: string,
): Promise<Manifest | undefined> {
  try {
    const { size } = await store.stat(shard);
    if (size < trailerBytes) return undefined;
    const parts: Uint8Array[] = [];
    for await (const part of store.get(shard, { from: size - trailerBytes, toInclusive: size - 1 })) {
      parts.push(part);
    }
    const manifest = openManifest(keys, shard, Buffer.concat(parts));
    if (manifest === undefined) return undefined;
    const whole = layoutOf({ ...manifest, shards: [] }).storedBytes === size;
    return whole ? manifest : undefined;
  } catch (error) {
    if (error instanceof StorageError && error.code === "object-missing") return undefined;
    throw error;
  }
}

export interface Rebuilt {
  /** Names that have an entry again. */
  readonly entries: readonly string[];
  /** Objects of which fewer than k shards were found. */
  readonly incomplete: readonly { readonly name: string; readonly shards: number; readonly k: number }[];
  readonly unreachable: readonly string[];
}

/**
 * Entries for objects that the index does not know, or whose entry is damaged, from the manifests at the places: of each name the latest generation
 * of which k shards are there. What the index knows stays as it is. An object that was removed while a place was away
 * can come back by this where that place alone has k shards' worth: the provider's tombstones take it away again.
 */
export async function rebuildIndex(store: SplitStore): Promise<Rebuilt> {
  const { parts } = store;
  const found = new Map<string, { manifest: Manifest; shards: ShardPlace[] }>();
  const unreachable: string[] = [];
  for (const { name: place } of store.places) {
    try {
      for await (const { manifest } of straysAt(parts, place)) {
        if (manifest === undefined) continue;
        const { generation, index } = manifest;
        const of = found.get(generation) ?? { manifest, shards: [] };
        if (!of.shards.some((one) => one.index === index)) of.shards.push({ index, place });
        found.set(generation, of);
      }
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      unreachable.push(place);
    }
  }
  const latest = new Map<string, { manifest: Manifest; shards: ShardPlace[] }>();
  const incomplete: { name: string; shards: number; k: number }[] = [];
  for (const one of found.values()) {
    const { name, k, sequence } = one.manifest;
    if (one.shards.length < k) {
      incomplete.push({ name, shards: one.shards.length, k });
      continue;
    }
    const other = latest.get(name);
    if (other === undefined || other.manifest.sequence < sequence) latest.set(name, one);
  }
  const entries: string[] = [];
  for (const [name, { manifest, shards }] of [...latest].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const entry = await parts.index.look(name);
    if (entry !== undefined && entry !== "damaged") continue;
    const { index: _, ...rest } = manifest;
    await parts.index.write(name, { ...rest, shards: shards.sort((a, b) => a.index - b.index) });
    entries.push(name);
  }
  const missing = incomplete.filter(({ name }) => !latest.has(name));
  return { entries, incomplete: missing, unreachable };
}
