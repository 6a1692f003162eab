/**
 * The objects of a provider that has places: those divided among them, and those that were stored before it had any and
 * lie where they lay until they are moved. What is put goes to the places; where records are kept whole in a bucket, what
 * is put without a placement goes there.
 */
import { mergedNames } from "../names.ts";
import type {
  ByteRange,
  DirectAccess,
  GetOptions,
  ObjectStat,
  ObjectStore,
  PutHandle,
  PutOptions,
} from "../object-store.ts";
import type { PlaceAttestation, Placement } from "../place.ts";
import { StorageError } from "../storage-error.ts";
import type { IndexEntry } from "./split-index.ts";
import type { SplitStore } from "./split-store.ts";
import { straysAt } from "./sweep.ts";

/** The store of before; of one that is opened for reading, nothing is removed. */
export type EarlierStore = Pick<ObjectStore, "get" | "stat" | "list"> & {
  remove?(name: string): Promise<boolean>;
  foreign?(): AsyncIterable<string>;
  /** Of a store that lies at a place itself. */
  whereabouts?(name: string): Promise<Whereabouts | undefined>;
};

/** How an object is divided, and where its shards lie. */
export interface Whereabouts {
  /** As it was asked for. */
  readonly placement: Placement;
  /** Regions of the places that have a shard, sorted; a place that is not configured any more has none. */
  readonly regions: readonly string[];
  /** Shards that the index knows. */
  readonly shards: number;
  /** True where a shard lies at a place that is not configured any more. */
  readonly astray: boolean;
  /** True where it is not divided, and lies at one place as it is. */
  readonly whole?: boolean;
}

export class PlacedStore implements ObjectStore {
  readonly split: SplitStore;
  readonly direct?: DirectAccess;
  readonly #earlier: EarlierStore;
  readonly #whole: ObjectStore | undefined;

  /** `whole`: the earlier store once more, where what says no placement goes there. */
  constructor(split: SplitStore, earlier: EarlierStore, whole?: ObjectStore) {
    this.split = split;
    this.#earlier = earlier;
    this.#whole = whole;
    const direct = whole?.direct;
    if (direct === undefined) return;
    this.direct = {
      ...direct,
      getUrl: async (name, options) =>
        (await this.#entry(name)) === undefined ? await direct.getUrl(name, options) : undefined,
    };
  }

  #entry(name: string): Promise<IndexEntry | undefined> {
    return this.split.parts.index.find(name);
  }

  /** Where it goes, and what counts no more when it is there: of two copies the divided one is read. */
  #target(options?: PutOptions): {
    readonly store: ObjectStore;
    readonly settle: (name: string) => Promise<unknown>;
  } {
    if (this.#whole === undefined || options?.placement !== undefined) {
      return { store: this.split, settle: async (name) => await this.#earlier.remove?.(name) };
    }
    const settle = async (name: string): Promise<unknown> =>
      (await this.#entry(name)) !== undefined && (await this.split.remove(name));
    return { store: this.#whole, settle };
  }

  async put(name: string, source: AsyncIterable<Uint8Array>, options?: PutOptions): Promise<ObjectStat> {
    const { store, settle } = this.#target(options);
    const stat = await store.put(name, source, options);
    await settle(name);
    return stat;
  }

  async begin(options?: PutOptions): Promise<PutHandle> {
    const { store, settle } = this.#target(options);
    const handle = await store.begin(options);
    return {
      write: (chunk) => handle.write(chunk),
      abort: () => handle.abort(),
      commit: async (name) => {
        const stat = await handle.commit(name);
        await settle(name);
        return stat;
      },
    };
  }

  async *get(name: string, range?: ByteRange, options?: GetOptions): AsyncGenerator<Uint8Array> {
    if ((await this.#entry(name)) !== undefined) yield* this.split.get(name, range);
    else yield* this.#earlier.get(name, range, options);
  }

  async stat(name: string): Promise<ObjectStat> {
    const entry = await this.#entry(name);
    return entry === undefined ? await this.#earlier.stat(name) : { size: entry.size };
  }

  async remove(name: string): Promise<boolean> {
    const earlier = (await this.#earlier.remove?.(name)) ?? false;
    return (await this.split.remove(name)) || earlier;
  }

  /** Both in byte order, what is in both once. */
  async *list(prefix?: string): AsyncGenerator<string, void, undefined> {
    yield* mergedNames([this.split.list(prefix), this.#earlier.list(prefix)]);
  }

  /** What no name leads to: paths of the earlier store, and at each place what is nobody's of this provider. */
  async *foreign(): AsyncGenerator<string, void, undefined> {
    yield* this.#earlier.foreign?.() ?? [];
    for (const { name: place } of this.split.places) {
      try {
        for await (const { shard, manifest } of straysAt(this.split.parts, place)) {
          if (manifest === undefined) yield `${place}:${shard}`;
        }
      } catch (error) {
        // A place that cannot be reached has nothing to show; that it cannot is said where its shards are looked at.
        if (!(error instanceof StorageError) || error.code !== "store-unreachable") throw error;
      }
    }
  }

  /**
   * Has the places that sign for themselves destroy and sign for their shards of these objects, each place once, under
   * `address`/`as`-NUMBER, several joined by `+`, `-left` after what another shard has replaced. What else there is of the objects stays for `remove`.
   * @throws StorageError `store-unreachable` where such a place does not answer
   */
  async attestErased(erased: {
    readonly recordId: Uint8Array;
    readonly objects: readonly { readonly name: string; readonly as: string }[];
    readonly address: string;
  }): Promise<PlaceAttestation[]> {
    const { recordId, address } = erased;
    const byPlace = new Map<string, { readonly names: string[]; readonly parts: Set<string> }>();
    for (const { name, as } of erased.objects) {
      const shards = [...(await this.split.shardsOf(name))].sort((a, b) => a.index - b.index);
      for (const { place, index, pseudonym, replaced } of shards) {
        const at = byPlace.get(place) ?? { names: [], parts: new Set<string>() };
        at.names.push(pseudonym);
        at.parts.add(`${as}-${index + 1}${replaced ? "-left" : ""}`);
        byPlace.set(place, at);
      }
    }
    const signed: PlaceAttestation[] = [];
    for (const [name, { names, parts }] of byPlace) {
      const place = this.split.parts.places.get(name);
      if (place?.attest === undefined) continue;
      const under = `${address}/${[...parts].join("+")}`;
      signed.push(...(await place.attest({ recordId, names, address: under })));
    }
    return signed;
  }

  /** Undefined of an object that lies at no place, or is none. */
  async whereabouts(name: string): Promise<Whereabouts | undefined> {
    const entry = await this.#entry(name);
    if (entry === undefined) return await this.#earlier.whereabouts?.(name);
    const { k, n, regions, shards } = entry;
    const places = shards.map(({ place }) => this.split.parts.places.get(place));
    return {
      placement: { k, n, regions },
      regions: [...new Set(places.flatMap((place) => place?.region ?? []))].sort(),
      shards: shards.length,
      astray: places.includes(undefined),
    };
  }

  /** Divides an object that lies in the earlier store. False where there is none. */
  async move(name: string, placement: Placement): Promise<boolean> {
    const here = async (): Promise<boolean> => {
      for await (const one of this.#earlier.list(name)) if (one === name) return true;
      return false;
    };
    if (!(await here())) return false;
    if ((await this.#entry(name)) === undefined) {
      await this.split.put(name, this.#earlier.get(name), { placement });
    }
    await this.#earlier.remove?.(name);
    return true;
  }
}
