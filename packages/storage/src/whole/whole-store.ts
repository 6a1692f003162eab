/**
 * The objects of a provider that keeps them whole at one place, a bucket: what is put goes there; what was stored before
 * lies where it lay until it is moved (docs/decisions/whole-place.md). Where both have a name, the earlier store counts:
 * so an object is replaced or moved by one step, the removal there, whatever instant the process dies.
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
import type { Place } from "../place.ts";
import type { EarlierStore, Whereabouts } from "../split/placed-store.ts";
import { StorageError } from "../storage-error.ts";

/** A place whose store gives URLs, and says what lies there under a name that is none. */
export interface WholePlace extends Place {
  readonly store: ObjectStore & { foreign?(): AsyncIterable<string> };
}

export class WholeStore implements ObjectStore {
  readonly place: WholePlace;
  readonly direct?: DirectAccess;
  readonly #earlier: EarlierStore;

  constructor(place: WholePlace, earlier: EarlierStore) {
    this.place = place;
    this.#earlier = earlier;
    const { direct } = place.store;
    if (direct === undefined) return;
    this.direct = {
      ...direct,
      getUrl: async (name, options) =>
        (await this.#isEarlier(name)) ? undefined : await direct.getUrl(name, options),
    };
  }

  async #isEarlier(name: string): Promise<boolean> {
    return await has(this.#earlier, name);
  }

  async put(name: string, source: AsyncIterable<Uint8Array>, options: PutOptions = {}): Promise<ObjectStat> {
    const stat = await this.place.store.put(name, source, options);
    await this.#earlier.remove?.(name);
    return stat;
  }

  async begin(options?: PutOptions): Promise<PutHandle> {
    const handle = await this.place.store.begin(options);
    return {
      write: (chunk) => handle.write(chunk),
      abort: () => handle.abort(),
      commit: async (name) => {
        const stat = await handle.commit(name);
        await this.#earlier.remove?.(name);
        return stat;
      },
    };
  }

  async *get(name: string, range?: ByteRange, options?: GetOptions): AsyncGenerator<Uint8Array> {
    if (await this.#isEarlier(name)) {
      let begun = false;
      try {
        for await (const chunk of this.#earlier.get(name, range, options)) {
          begun = true;
          yield chunk;
        }
        return;
      } catch (error) {
        // Moved between the look and the reading: it is here now.
        if (begun || !isMissing(error)) throw error;
      }
    }
    yield* this.place.store.get(name, range, options);
  }

  async stat(name: string): Promise<ObjectStat> {
    return (await statOf(this.#earlier, name)) ?? (await this.place.store.stat(name));
  }

  /** Here first: what the earlier store hides must not come out when that has gone. */
  async remove(name: string): Promise<boolean> {
    const removed = await this.place.store.remove(name);
    return ((await this.#earlier.remove?.(name)) ?? false) || removed;
  }

  async *list(prefix?: string): AsyncGenerator<string, void, undefined> {
    yield* mergedNames([this.#earlier.list(prefix), this.place.store.list(prefix)]);
  }

  /** What no name leads to: paths of the earlier store, and what lies at the place under no object's name. */
  async *foreign(): AsyncGenerator<string, void, undefined> {
    yield* this.#earlier.foreign?.() ?? [];
    for await (const key of this.place.store.foreign?.() ?? []) yield `${this.place.name}:${key}`;
  }

  /** Undefined of an object that lies at no place, or is none. */
  async whereabouts(name: string): Promise<Whereabouts | undefined> {
    if (await this.#isEarlier(name)) return await this.#earlier.whereabouts?.(name);
    if ((await statOf(this.place.store, name)) === undefined) return undefined;
    const { region } = this.place;
    return { placement: { k: 1, n: 1 }, regions: [region], shards: 1, astray: false, whole: true };
  }

  /** Brings an object here that lies in the earlier store. False where there is none. */
  async move(name: string): Promise<boolean> {
    if (!(await this.#isEarlier(name))) return false;
    await this.put(name, this.#earlier.get(name));
    return true;
  }
}

type Looking = Pick<ObjectStore, "stat">;

async function statOf(store: Looking, name: string): Promise<ObjectStat | undefined> {
  try {
    return await store.stat(name);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof StorageError && error.code === "object-missing";
}

async function has(store: Looking, name: string): Promise<boolean> {
  return (await statOf(store, name)) !== undefined;
}
