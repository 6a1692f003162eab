/**
 * An object store over n places (spec 5-storage, Split): each object is divided into n shards of which any k give it
 * back, sealed so that a place learns sizes in classes and times and nothing else. The index is the commit point: an
 * object appears, is replaced and goes by one step there, whatever instant the process dies; shards that no entry names
 * are swept away. Any n − k places may vanish.
 */
import { createHmac, randomBytes } from "node:crypto";
import {
  type ByteRange,
  type ObjectStat,
  type ObjectStore,
  type PutHandle,
  type PutOptions,
  putThrough,
  resolveRange,
  segmentsOf,
} from "../object-store.ts";
import { allows, isPlacement, type Place, type Placement } from "../place.ts";
import { StorageError } from "../storage-error.ts";
import { blockBytesDefault, type Layout } from "./layout.ts";
import { PlaceHealth, withPatience } from "./place-health.ts";
import { ReedSolomon } from "./reed-solomon.ts";
import { layoutOf, openStripes, removeShards, type SplitParts } from "./shard-access.ts";
import { pseudonym, type SplitKeys } from "./shard-seal.ts";
import {
  type IndexEntry,
  type IndexReader,
  type IndexStores,
  type ShardPlace,
  SplitIndex,
} from "./split-index.ts";
import { type Lane, SplitPut, type Written } from "./split-put.ts";
import type { Observed, StripeReader } from "./stripe-reader.ts";

export interface SplitOptions {
  readonly places: readonly Place[];
  readonly keys: SplitKeys;
  /** Of a home's own folder; for reading alone where they cannot write. */
  readonly index: IndexStores<IndexReader & Partial<ObjectStore>>;
  /** For puts that say nothing; by default as `defaultPlacement`. */
  readonly placement?: Placement;
  /** Data bytes of a block; for objects stored from now on. */
  readonly blockBytes?: number;
  /** How long a block may take before another place is asked as well, in ms; default 1 s. */
  readonly hedgeMs?: number;
  /** How long a place may take for one step before it counts as down, in ms; default 60 s. */
  readonly patienceMs?: number;
  readonly now?: () => number;
  /** Told of every block and shard that was found wrong while reading. */
  readonly onTrouble?: (observed: Observed) => void;
}

/** A shard where it lies, under its name there. */
export interface NamedShard {
  readonly place: string;
  readonly index: number;
  readonly pseudonym: string;
  /** Of an object that is there: what another shard has replaced, and what waits to be removed. */
  readonly replaced: boolean;
}

/** One copy at one place, one copy at each of two, two of three. */
export function defaultPlacement(places: number): Placement {
  const n = Math.min(3, Math.max(1, places));
  return { k: n === 3 ? 2 : 1, n };
}

export class SplitStore implements ObjectStore {
  readonly parts: SplitParts;
  readonly #placement: Placement;
  readonly #blockBytes: number;
  readonly #now: () => number;
  /** Generation → readers that are on it. */
  readonly #readers = new Map<string, number>();
  /** Generation → what to do when its last reader has ended. */
  readonly #deferred = new Map<string, () => Promise<void>>();
  /** Generations whose shards are on their way in: no sweep touches them. */
  readonly #underWay = new Set<string>();
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(options: SplitOptions) {
    const { places, keys, hedgeMs = 1000, patienceMs = 60_000, onTrouble } = options;
    this.parts = {
      places: new Map(places.map((place) => [place.name, place])),
      keys,
      index: new SplitIndex(options.index),
      health: new PlaceHealth(),
      reedSolomon: ReedSolomon.load(),
      hedgeMs,
      patienceMs,
      ...(onTrouble === undefined ? {} : { onTrouble }),
    };
    this.#placement = options.placement ?? defaultPlacement(places.length);
    this.#blockBytes = options.blockBytes ?? blockBytesDefault;
    this.#now = options.now ?? Date.now;
  }

  /** For puts that say nothing. */
  get placement(): Placement {
    return this.#placement;
  }

  get places(): readonly Place[] {
    return [...this.parts.places.values()];
  }

  isUnderWay(generation: string): boolean {
    return this.#underWay.has(generation);
  }

  /** No sweep touches that generation's shards while the work is under way. */
  async undisturbed<T>(generation: string, work: () => Promise<T>): Promise<T> {
    this.#underWay.add(generation);
    try {
      return await work();
    } finally {
      this.#underWay.delete(generation);
    }
  }

  async put(name: string, source: AsyncIterable<Uint8Array>, options: PutOptions = {}): Promise<ObjectStat> {
    return await putThrough({ name, source }, () => this.begin(options));
  }

  /** @throws StorageError `placement-impossible` before a byte is stored; `store-unreachable` where fewer than k answer */
  async begin(options: PutOptions = {}): Promise<PutHandle> {
    const placement = options.placement ?? this.#placement;
    const generation = randomBytes(16).toString("hex");
    const lanes = await this.#openLanes(placement, generation);
    const { keys, health, reedSolomon, patienceMs, index } = this.parts;
    let before = 0;
    const put = new SplitPut({
      generation,
      placement,
      lanes,
      keys,
      health,
      reedSolomon,
      patienceMs,
      blockBytes: this.#blockBytes,
      sizeMax: options.sizeMax ?? Number.MAX_SAFE_INTEGER,
      sequence: () => Math.max(before + 1, this.#now()),
      demandRoom: async (name) => {
        await index.demandRoom(name);
        before = (await index.find(name))?.sequence ?? 0;
      },
      commit: (name, written) => this.#commit(name, { generation, placement }, written),
      isNamed: async (name) => (await index.find(name))?.generation === generation,
    });
    this.#underWay.add(generation);
    const ends = (): boolean => this.#underWay.delete(generation);
    return {
      write: (chunk) => put.write(chunk),
      commit: async (name) => {
        const stat = await put.commit(name);
        ends();
        return stat;
      },
      abort: async () => {
        await put.abort();
        ends();
      },
    };
  }

  /** Allowed places in an order of this generation's own, those that are down last. */
  candidates(placement: Placement, generation: string): Place[] {
    if (!isPlacement(placement)) {
      throw new StorageError("placement-impossible", "not a way to divide an object: 1 ≤ k ≤ n ≤ 16");
    }
    const { keys, health } = this.parts;
    const orderOf = (place: Place): string =>
      createHmac("sha256", keys.names).update(`${generation} ${place.name}`).digest("hex");
    return this.places
      .filter((place) => allows(placement, place))
      .map((place) => ({ place, order: `${health.isDown(place.name) ? 1 : 0}${orderOf(place)}` }))
      .sort((a, b) => (a.order < b.order ? -1 : 1))
      .map(({ place }) => place);
  }

  /** The candidates, at least n of them. @throws StorageError `placement-impossible` */
  demandPlaces(placement: Placement, generation = ""): Place[] {
    const { n, regions = [] } = placement;
    const candidates = this.candidates(placement, generation);
    if (candidates.length >= n) return candidates;
    const where = regions.length === 0 ? "" : ` in ${regions.join(", ")}`;
    throw new StorageError(
      "placement-impossible",
      `${n} shards need ${n} places, and there are ${candidates.length}${where}`,
    );
  }

  async #openLanes(placement: Placement, generation: string): Promise<Lane[]> {
    const { k, n } = placement;
    const candidates = this.demandPlaces(placement, generation);
    const { keys, patienceMs, health } = this.parts;
    const opened: Lane[] = [];
    // A shard's name follows from its index, and a place that knows the name from the start needs no copy at the end.
    const free = Array.from({ length: n }, (_, index) => index);
    while (free.length > 0 && candidates.length > 0) {
      const next = candidates.splice(0, free.length);
      const tried = next.map(async (place) => {
        const index = free.shift()!;
        const finalName = pseudonym(keys, { generation, index });
        try {
          const beginning = place.store.begin({ finalName, abreast: n });
          opened.push({
            index,
            place,
            handle: await withPatience(beginning, { ms: patienceMs, place: place.name }),
          });
        } catch {
          health.failed(place.name);
          free.push(index);
        }
      });
      await Promise.all(tried);
    }
    if (opened.length < k) {
      for (const { handle } of opened) await handle.abort();
      throw new StorageError(
        "store-unreachable",
        `${opened.length} of ${n} places can be reached, and ${k} are needed`,
      );
    }
    return opened.sort((a, b) => a.index - b.index);
  }

  async #commit(
    name: string,
    of: { readonly generation: string; readonly placement: Placement },
    { size, sequence, shards }: Written,
  ): Promise<void> {
    const { generation, placement } = of;
    const { k, n, regions = [] } = placement;
    await this.inTurn(name, async () => {
      const { index } = this.parts;
      const old = await index.find(name);
      const blockBytes = this.#blockBytes;
      const later = Math.max(sequence, (old?.sequence ?? 0) + 1);
      await index.write(name, { generation, size, k, n, blockBytes, regions, sequence: later, shards });
      if (old === undefined) return;
      try {
        const going = await index.note({ name, generation: old.generation, shards: old.shards });
        await this.#discard(name, old.generation, going);
      } catch (error) {
        // The new object is there; what is left of the old one a sweep finds.
        if (!(error instanceof StorageError)) throw error;
      }
    });
  }

  /** Removes the shards of an entry that is no more, now or when its last reader has ended. */
  async #discard(name: string, generation: string, shards: readonly ShardPlace[]): Promise<void> {
    const { index } = this.parts;
    const act = async (): Promise<void> => {
      const left = await removeShards(this.parts, generation, shards);
      await index.leave({ name, generation, shards: left });
    };
    if ((this.#readers.get(generation) ?? 0) > 0) this.#deferred.set(generation, act);
    else await act();
  }

  /** One after the other for one name. Never called from within a turn of that name. */
  async inTurn<T>(name: string, act: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(name) ?? Promise.resolve();
    const done = before.then(act, act);
    const settled = done.catch(() => {});
    this.#turns.set(name, settled);
    try {
      return await done;
    } finally {
      if (this.#turns.get(name) === settled) this.#turns.delete(name);
    }
  }

  async *get(name: string, range?: ByteRange): AsyncGenerator<Uint8Array, void, undefined> {
    let entry = await this.parts.index.read(name);
    for (;;) {
      const { from, length } = resolveRange(range, entry.size);
      const release = this.#lease(entry.generation);
      let given = false;
      try {
        for await (const piece of this.#pieces(name, entry, { from, length })) {
          given = true;
          yield piece;
        }
        return;
      } catch (error) {
        // Another process may have replaced the object between its index and its shards.
        const now = given ? entry : await this.parts.index.read(name);
        if (now.generation === entry.generation) throw error;
        entry = now;
      } finally {
        await release();
      }
    }
  }

  async *#pieces(
    name: string,
    entry: IndexEntry,
    { from, length }: { readonly from: number; readonly length: number },
  ): AsyncGenerator<Uint8Array> {
    if (length === 0) return;
    const layout = layoutOf(entry);
    const first = layout.stripeOf(from);
    const last = layout.stripeOf(from + length - 1);
    const { reader, streams } = openStripes(this.parts, { name, entry, lastBlock: last });
    const end = from + length;
    const read = (stripe: number): Promise<Uint8Array[]> => readPieces(reader, layout, { stripe, from, end });
    let pending: Promise<Uint8Array[]> | undefined = read(first);
    try {
      for (let stripe = first; stripe <= last; stripe++) {
        const pieces: Uint8Array[] = await pending!;
        pending = stripe < last ? read(stripe + 1) : undefined;
        pending?.catch(() => {});
        yield* pieces;
      }
    } finally {
      await Promise.all(streams.map((stream) => stream.close()));
    }
  }

  /** Keeps a generation's shards until it is released. */
  #lease(generation: string): () => Promise<void> {
    this.#readers.set(generation, (this.#readers.get(generation) ?? 0) + 1);
    return async () => {
      const left = (this.#readers.get(generation) ?? 1) - 1;
      if (left > 0) {
        this.#readers.set(generation, left);
        return;
      }
      this.#readers.delete(generation);
      const act = this.#deferred.get(generation);
      this.#deferred.delete(generation);
      await act?.();
    };
  }

  async stat(name: string): Promise<ObjectStat> {
    return { size: (await this.parts.index.read(name)).size };
  }

  /**
   * As the contract says; true only when no place has a shard of it any more.
   * @throws StorageError `store-unreachable` where a place could not be asked: the object is gone from the index, and a
   *   later call (or `sweep`) goes on with what is left
   */
  async remove(name: string): Promise<boolean> {
    segmentsOf(name);
    return await this.inTurn(name, async () => {
      const { index } = this.parts;
      const entry = await index.find(name);
      if (entry !== undefined) {
        const { generation, shards } = entry;
        // Noted first: a crash between the two leaves an entry that is still right.
        const going = await index.note({ name, generation, shards });
        await index.drop(name);
        await this.#discard(name, generation, going);
      }
      const left = await this.#finishRemovals(name);
      return entry !== undefined || left;
    });
  }

  /** Where the shards of an object lie and by what names, those too whose removal is not finished. */
  async shardsOf(name: string): Promise<readonly NamedShard[]> {
    const { index, keys } = this.parts;
    const entry = await index.find(name);
    const sets = entry === undefined ? [] : [{ generation: entry.generation, shards: entry.shards }];
    for await (const leftover of index.leftovers()) if (leftover.name === name) sets.push(leftover);
    return sets.flatMap(({ generation, shards }, at) =>
      shards.map((shard) => ({
        place: shard.place,
        index: shard.index,
        pseudonym: pseudonym(keys, { generation, index: shard.index }),
        replaced: entry !== undefined && at > 0,
      })),
    );
  }

  /** Goes on with removals of that name that a place was not there for. True where there were any. */
  async #finishRemovals(name: string): Promise<boolean> {
    const { index } = this.parts;
    let any = false;
    for await (const leftover of index.leftovers()) {
      const { generation, shards } = leftover;
      if (leftover.name !== name || this.#deferred.has(generation)) continue;
      any = true;
      const left = await removeShards(this.parts, generation, shards);
      await index.leave({ name, generation, shards: left });
      if (left.length === 0) continue;
      const places = left.map(({ place }) => place).join(", ");
      throw new StorageError("store-unreachable", `shards of ${name} are left at ${places}`);
    }
    return any;
  }

  async *list(prefix = ""): AsyncGenerator<string, void, undefined> {
    yield* this.parts.index.names(prefix);
  }
}

/** The bytes of a stripe that lie in from … end − 1, block by block. */
async function readPieces(
  reader: StripeReader,
  layout: Layout,
  { stripe, from, end }: { readonly stripe: number; readonly from: number; readonly end: number },
): Promise<Uint8Array[]> {
  const length = layout.blockLength(stripe);
  const offset = layout.stripeOffset(stripe);
  const cuts = Array.from({ length: layout.k }, (_, block) => {
    const start = offset + block * length;
    return { block, begin: Math.max(from, start) - start, stop: Math.min(end, start + length) - start };
  }).filter(({ begin, stop }) => begin < stop);
  const blocks = await reader.read(
    stripe,
    cuts.map(({ block }) => block),
  );
  return cuts.map(({ block, begin, stop }) => blocks.get(block)!.subarray(begin, stop));
}
