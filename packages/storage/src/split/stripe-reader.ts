/**
 * Reads stripes of an object from the shards that answer: the data shards where they are well, else any k, the fastest
 * first. A block that is wrong, or a place that is down or slow, costs the block of another shard and nothing more.
 */
import { StorageError } from "../storage-error.ts";
import type { PlaceHealth } from "./place-health.ts";
import type { Code, ReedSolomon } from "./reed-solomon.ts";
import { BlockTrouble, type ShardStream, type Trouble } from "./shard-stream.ts";

export interface ReadShard {
  readonly index: number;
  readonly place: string;
  readonly stream: ShardStream;
}

/** What was found wrong while reading. */
export interface Observed {
  readonly name: string;
  readonly place: string;
  readonly index: number;
  readonly block: number;
  readonly trouble: Trouble;
}

export interface StripeReaderOptions {
  readonly name: string;
  readonly code: Code;
  readonly shards: readonly ReadShard[];
  readonly health: PlaceHealth;
  readonly reedSolomon: ReedSolomon;
  /** How long a block may take before another shard is asked as well, in ms. */
  readonly hedgeMs: number;
  /** How long to wait where nobody else is left to ask, in ms. */
  readonly patienceMs: number;
  readonly onTrouble?: (observed: Observed) => void;
}

interface Ranked {
  readonly shard: ReadShard;
  readonly rank: number;
}

/** One stripe under way. */
interface Run {
  readonly stripe: number;
  readonly got: Map<number, Uint8Array>;
  readonly troubles: Map<number, Trouble>;
  /** Index → whether it was waited for in vain already. */
  readonly pending: Map<number, boolean>;
  /** True once any k blocks are wanted, and not only certain data blocks. */
  anyK: boolean;
  wake: () => void;
}

export class StripeReader {
  readonly #options: StripeReaderOptions;
  /** Shards that are missing or cannot be reached in all of this reading. */
  readonly #lost = new Map<number, Trouble>();

  constructor(options: StripeReaderOptions) {
    this.#options = options;
  }

  /**
   * The data blocks of those indices, by index.
   * @throws StorageError `object-damaged`, `object-missing`, `store-unreachable` where too few blocks are left
   */
  async read(stripe: number, wanted: readonly number[]): Promise<ReadonlyMap<number, Uint8Array>> {
    const { code, reedSolomon } = this.#options;
    const run: Run = {
      stripe,
      got: new Map(),
      troubles: new Map(this.#lost),
      pending: new Map(),
      anyK: false,
      wake: () => {},
    };
    const order = this.#order();
    const well = new Set(order.filter(({ rank }) => rank === 0).map(({ shard }) => shard.index));
    run.anyK = !wanted.every((index) => well.has(index));
    const isDone = (): boolean =>
      wanted.every((index) => run.got.has(index)) || (run.anyK && run.got.size >= code.k);
    while (!isDone()) {
      for (const { shard } of this.#next(run, { order, wanted })) this.#start(run, shard);
      if (run.pending.size === 0) throw this.#tooFew(run);
      await this.#wait(run);
    }
    if (wanted.every((index) => run.got.has(index))) return run.got;
    const data = reedSolomon.data(code, run.got);
    return new Map(data.map((block, index) => [index, block]));
  }

  /** Data shards first among equals. */
  #order(): readonly Ranked[] {
    const { shards, health } = this.#options;
    const places = shards.map(({ place }) => place);
    return shards
      .filter(({ index }) => !this.#lost.has(index))
      .map((shard) => ({ shard, rank: health.rank(shard.place, places) }))
      .sort((a, b) => a.rank - b.rank || a.shard.index - b.shard.index);
  }

  /** Whom to ask now. */
  #next(
    { got, pending, troubles, anyK }: Run,
    { order, wanted }: { readonly order: readonly Ranked[]; readonly wanted: readonly number[] },
  ): readonly Ranked[] {
    const free = order.filter(
      ({ shard: { index } }) => !got.has(index) && !pending.has(index) && !troubles.has(index),
    );
    if (!anyK) return free.filter(({ shard }) => wanted.includes(shard.index));
    const hopeful = [...pending.values()].filter((late) => !late).length;
    return free.slice(0, Math.max(0, this.#options.code.k - got.size - hopeful));
  }

  #start(run: Run, { index, place, stream }: ReadShard): void {
    const { health, name, onTrouble } = this.#options;
    const startedMs = performance.now();
    run.pending.set(index, false);
    const ended = (): void => {
      run.pending.delete(index);
      run.wake();
    };
    stream.read(run.stripe).then(
      (block) => {
        run.got.set(index, block);
        health.answered(place, performance.now() - startedMs);
        ended();
      },
      (error: unknown) => {
        const trouble = error instanceof BlockTrouble ? error.trouble : "unreachable";
        run.troubles.set(index, trouble);
        run.anyK = true;
        if (trouble !== "wrong") this.#lost.set(index, trouble);
        if (trouble === "unreachable") health.failed(place);
        onTrouble?.({ name, place, index, block: run.stripe, trouble });
        ended();
      },
    );
  }

  /** Until something ends, or it is time to ask another as well. */
  async #wait(run: Run): Promise<void> {
    const { hedgeMs, patienceMs, health } = this.#options;
    const late = [...run.pending.values()].every((one) => one);
    let timer: NodeJS.Timeout | undefined;
    const woken = new Promise<"woken">((resolve) => {
      run.wake = () => resolve("woken");
    });
    const over = new Promise<"over">((resolve) => {
      timer = setTimeout(() => resolve("over"), late ? patienceMs : hedgeMs);
    });
    const what = await Promise.race([woken, over]);
    clearTimeout(timer);
    if (what === "woken") return;
    for (const [index, wasLate] of run.pending) {
      if (wasLate) run.troubles.set(index, "unreachable");
      run.pending.set(index, true);
      const shard = this.#options.shards.find((one) => one.index === index)!;
      health.failed(shard.place);
    }
    run.anyK = true;
    if (late) throw this.#tooFew(run);
  }

  #tooFew({ got, troubles }: Run): StorageError {
    const { shards, code, name } = this.#options;
    const kinds = [...troubles.values()];
    const what = shards
      .filter(({ index }) => troubles.has(index))
      .sort((a, b) => (a.place < b.place ? -1 : 1))
      .map(({ index, place }) => `${place}: ${troubles.get(index)}`)
      .join(", ");
    const message = `${got.size} of the ${code.k} shards that ${name} needs can be read (${what})`;
    const unreachable = kinds.filter((one) => one === "unreachable").length;
    if (got.size + unreachable >= code.k && unreachable > 0)
      return new StorageError("store-unreachable", message);
    const missing = kinds.every((one) => one === "missing") && got.size === 0;
    return new StorageError(missing ? "object-missing" : "object-damaged", message);
  }
}
