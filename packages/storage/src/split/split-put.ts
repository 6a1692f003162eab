/**
 * An object on its way into its places: stripes are coded and sealed as the bytes come, and written to all places at
 * once while the next stripe is gathered, so that memory is flat and the slowest place sets the pace. A place that fails
 * or does not answer is left behind; the object goes on while k are left (docs/decisions/split-storage.md).
 */
import { type ObjectStat, type PutHandle, segmentsOf } from "../object-store.ts";
import type { Place, Placement } from "../place.ts";
import { StorageError } from "../storage-error.ts";
import { Layout } from "./layout.ts";
import { type PlaceHealth, withPatience } from "./place-health.ts";
import type { ReedSolomon } from "./reed-solomon.ts";
import { BlockSeal, pseudonym, type SplitKeys, sealManifest } from "./shard-seal.ts";
import type { ShardPlace } from "./split-index.ts";

/** A shard being written. */
export interface Lane {
  readonly index: number;
  readonly place: Place;
  readonly handle: PutHandle;
}

export interface SplitPutOptions {
  readonly generation: string;
  readonly placement: Placement;
  readonly blockBytes: number;
  readonly lanes: readonly Lane[];
  readonly keys: SplitKeys;
  readonly health: PlaceHealth;
  readonly reedSolomon: ReedSolomon;
  readonly patienceMs: number;
  readonly sizeMax: number;
  readonly sequence: () => number;
  /** Refuses a name that another stands in the way of. */
  readonly demandRoom: (name: string) => Promise<void>;
  /** The commit point: the shards lie at their places. */
  readonly commit: (name: string, written: Written) => Promise<void>;
  /** Whether the index names this generation under that name. */
  readonly isNamed: (name: string) => Promise<boolean>;
}

export interface Written {
  readonly size: number;
  readonly sequence: number;
  readonly shards: readonly ShardPlace[];
}

/**
 * How many times longer a commit may take than another step, and how many bytes of the object a ms more: all of it is made
 * durable by it, and a server that keeps files writes it once more to join its parts.
 */
const commitPatience = 10;
const commitBytesPerMs = 16 * 1024;

interface LiveLane extends Lane {
  readonly seal: BlockSeal;
}

export class SplitPut implements PutHandle {
  readonly #options: SplitPutOptions;
  #lanes: readonly LiveLane[];
  #state: "open" | "written" | "failed" | "ended" = "open";
  #filling: Uint8Array = new Uint8Array(0);
  #filled = 0;
  #size = 0;
  #stripe = 0;
  /** The stripe under way; never rejects. */
  #writing: Promise<void> = Promise.resolve();

  constructor(options: SplitPutOptions) {
    this.#options = options;
    const { generation, keys } = options;
    this.#lanes = options.lanes.map((lane) => ({
      ...lane,
      seal: new BlockSeal(keys, { generation, index: lane.index }),
    }));
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#state !== "open")
      throw new StorageError("store-unreachable", "the object cannot take more bytes");
    this.#size += chunk.length;
    if (this.#size > this.#options.sizeMax) {
      this.#state = "failed";
      throw new StorageError("too-large", `the object is larger than ${this.#options.sizeMax} bytes`);
    }
    const stripeBytes = this.#options.placement.k * this.#options.blockBytes;
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#filling.length === 0) this.#filling = new Uint8Array(stripeBytes);
      const part = rest.subarray(0, stripeBytes - this.#filled);
      this.#filling.set(part, this.#filled);
      this.#filled += part.length;
      rest = rest.subarray(part.length);
      if (this.#filled === stripeBytes) await this.#flush(this.#options.blockBytes);
    }
  }

  /** Codes and writes what is gathered, as a stripe of blocks of that length; what is missing of it is zeros. */
  async #flush(length: number): Promise<void> {
    const { k, n } = this.#options.placement;
    const stripe = this.#stripe++;
    const data = Array.from({ length: k }, (_, at) => {
      const from = at * length;
      return this.#filling.subarray(from, from + length);
    });
    const parity = this.#options.reedSolomon.parity({ k, n }, data);
    // Sealing copies: the memory is free for the next stripe.
    const sealed = this.#lanes.map((lane) => ({
      lane,
      parts: lane.seal.seal(stripe, lane.index < k ? data[lane.index]! : parity[lane.index - k]!),
    }));
    this.#filled = 0;
    await this.#writing;
    this.#demandEnough();
    const write = ({ lane, parts }: (typeof sealed)[number]): Promise<void> =>
      this.#onLane(lane, async () => {
        for (const part of parts) await lane.handle.write(part);
      });
    this.#writing = Promise.all(sealed.map(write)).then(() => {});
  }

  /** One lane's step; a lane that fails is left behind. Never rejects. */
  async #onLane(
    lane: LiveLane,
    step: () => Promise<void>,
    ms: number = this.#options.patienceMs,
  ): Promise<void> {
    if (!this.#lanes.includes(lane)) return;
    const { health } = this.#options;
    try {
      await withPatience(step(), { ms, place: lane.place.name });
    } catch {
      health.failed(lane.place.name);
      this.#lanes = this.#lanes.filter((one) => one !== lane);
      void lane.handle.abort().catch(() => {});
    }
  }

  #demandEnough(): void {
    const { k, n } = this.#options.placement;
    if (this.#lanes.length >= k) return;
    this.#state = "failed";
    throw new StorageError(
      "store-unreachable",
      `${this.#lanes.length} of ${n} places take the object, and ${k} are needed`,
    );
  }

  async commit(name: string): Promise<ObjectStat> {
    segmentsOf(name);
    const demandOpen = (): void => {
      if (this.#state === "open" || this.#state === "written") return;
      throw new StorageError("store-unreachable", "the object can only be aborted");
    };
    demandOpen();
    await this.#options.demandRoom(name);
    if (this.#state === "open") await this.#finish();
    demandOpen();
    const sequence = this.#options.sequence();
    await this.#commitLanes(name, sequence);
    const shards = this.#lanes.map(({ index, place }) => ({ index, place: place.name }));
    try {
      await this.#options.commit(name, { size: this.#size, sequence, shards });
    } catch (error) {
      // An index that failed may have written all the same: what it names must stay.
      const named = await this.#options.isNamed(name).catch(() => true);
      if (named) this.#state = "failed";
      else await this.#withdraw(shards);
      throw error;
    }
    this.#state = "ended";
    this.#filling = new Uint8Array(0);
    return { size: this.#size };
  }

  /** The last stripes, up to the shards' padded size. */
  async #finish(): Promise<void> {
    const { blockBytes, placement } = this.#options;
    const layout = new Layout({ size: this.#size, k: placement.k, blockBytes });
    if (this.#filling.length === 0) this.#filling = new Uint8Array(placement.k * blockBytes);
    this.#filling.fill(0, this.#filled);
    while (this.#stripe < layout.stripes) {
      const length = layout.blockLength(this.#stripe);
      // Where the last blocks are short, what is gathered lies in them as in a stripe of that length.
      await this.#flush(length);
      this.#filling.fill(0);
    }
    await this.#writing;
    this.#demandEnough();
    this.#state = "written";
  }

  async #commitLanes(name: string, sequence: number): Promise<void> {
    const { keys, generation, placement, blockBytes } = this.#options;
    const { k, n, regions = [] } = placement;
    const size = this.#size;
    const commit = async ({ index, handle }: LiveLane): Promise<void> => {
      const manifest = { name, size, k, n, blockBytes, regions, sequence, generation, index };
      await handle.write(sealManifest(keys, manifest));
      await handle.commit(pseudonym(keys, { generation, index }));
    };
    const ms = commitPatience * this.#options.patienceMs + size / commitBytesPerMs;
    await Promise.all(this.#lanes.map((lane) => this.#onLane(lane, () => commit(lane), ms)));
    const { length } = this.#lanes;
    if (length < k) {
      const shards = this.#lanes.map(({ index, place }) => ({ index, place: place.name }));
      await this.#withdraw(shards);
      throw new StorageError(
        "store-unreachable",
        `${length} of ${n} places took the object, and ${k} are needed`,
      );
    }
  }

  /** Shards that lie at their places and that no index entry will ever name. */
  async #withdraw(shards: readonly ShardPlace[]): Promise<void> {
    this.#state = "failed";
    const { keys, generation, patienceMs } = this.#options;
    await Promise.all(
      shards.map(async ({ index, place }) => {
        const lane = this.#lanes.find((one) => one.index === index);
        const removing = lane?.place.store.remove(pseudonym(keys, { generation, index }));
        if (removing !== undefined) await withPatience(removing, { ms: patienceMs, place }).catch(() => {});
      }),
    );
  }

  async abort(): Promise<void> {
    if (this.#state === "ended") return;
    this.#state = "ended";
    await this.#writing;
    const { patienceMs } = this.#options;
    await Promise.all(
      this.#lanes.map(({ handle, place }) =>
        withPatience(handle.abort(), { ms: patienceMs, place: place.name }).catch(() => {}),
      ),
    );
    this.#filling = new Uint8Array(0);
  }
}
