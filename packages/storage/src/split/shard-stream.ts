/**
 * One shard on its way out: its blocks in order, each opened, over one open stream of the place. It says what is wrong
 * with a block (the shard is gone, the block is wrong, the place does not answer) and goes on with the next.
 */
import type { ObjectStore } from "../object-store.ts";
import { StorageError } from "../storage-error.ts";
import { type Layout, sealBytes } from "./layout.ts";
import type { BlockSeal } from "./shard-seal.ts";

export type Trouble = "missing" | "wrong" | "unreachable";

export class BlockTrouble extends Error {
  readonly trouble: Trouble;

  constructor(trouble: Trouble, options: { cause?: unknown } = {}) {
    super(trouble, options);
    this.trouble = trouble;
  }
}

export interface ShardSource {
  readonly store: Pick<ObjectStore, "get">;
  /** The shard's name at its place. */
  readonly name: string;
  readonly seal: BlockSeal;
  readonly layout: Layout;
  /** Last block that will be asked for. */
  readonly lastBlock: number;
}

export class ShardStream {
  readonly #source: ShardSource;
  #chunks: AsyncIterator<Uint8Array> | undefined;
  #rest: Uint8Array = new Uint8Array(0);
  /** Memory of a block that came in several chunks, used for each. */
  #gathered: Uint8Array = new Uint8Array(0);
  #next = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(source: ShardSource) {
    this.#source = source;
  }

  /** The data of a block. One after the other, however they are asked. @throws BlockTrouble */
  read(block: number): Promise<Uint8Array> {
    const read = this.#turn.then(() => this.#read(block));
    this.#turn = read.catch(() => {});
    return read;
  }

  async #read(block: number): Promise<Uint8Array> {
    const { seal, layout } = this.#source;
    if (this.#closed) throw new BlockTrouble("unreachable");
    if (this.#chunks === undefined || this.#next !== block) await this.#open(block);
    this.#next = block + 1;
    const sealed = await this.#take(layout.blockLength(block) + sealBytes);
    const data = seal.open(block, sealed);
    if (data === undefined) throw new BlockTrouble("wrong");
    return data;
  }

  async #open(block: number): Promise<void> {
    await this.#end();
    const { store, name, layout, lastBlock } = this.#source;
    const from = layout.sealedOffset(block);
    const last = Math.max(block, lastBlock);
    const toInclusive = layout.sealedOffset(last) + layout.blockLength(last) + sealBytes - 1;
    this.#chunks = store.get(name, { from, toInclusive }, { lend: true })[Symbol.asyncIterator]();
    this.#rest = new Uint8Array(0);
  }

  /** The next bytes, until the next are asked for: a chunk is the place's own again by then. */
  async #take(length: number): Promise<Uint8Array> {
    if (this.#rest.length === 0) this.#rest = await this.#chunk();
    if (this.#rest.length < length) return await this.#gather(length);
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }

  async #gather(length: number): Promise<Uint8Array> {
    if (this.#gathered.length < length) this.#gathered = new Uint8Array(length);
    for (let filled = 0; filled < length; ) {
      if (this.#rest.length === 0) this.#rest = await this.#chunk();
      const part = this.#rest.subarray(0, length - filled);
      this.#gathered.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return this.#gathered.subarray(0, length);
  }

  async #chunk(): Promise<Uint8Array> {
    try {
      const step = await this.#chunks!.next();
      if (step.done !== true) return step.value;
    } catch (error) {
      this.#chunks = undefined;
      throw new BlockTrouble(troubleOf(error), { cause: error });
    }
    this.#chunks = undefined;
    throw new BlockTrouble("missing");
  }

  /** Frees what is open. Nobody waits for a place that does not answer. */
  async close(): Promise<void> {
    this.#closed = true;
    const ended = this.#turn.then(() => this.#end());
    await Promise.race([ended, new Promise((resolve) => setImmediate(resolve))]);
  }

  async #end(): Promise<void> {
    const chunks = this.#chunks;
    this.#chunks = undefined;
    await chunks?.return?.().catch(() => {});
  }
}

/** A shard that is too short answers `range-invalid`. */
export function troubleOf(error: unknown): Trouble {
  const gone = ["object-missing", "range-invalid", "object-damaged"];
  return error instanceof StorageError && gone.includes(error.code) ? "missing" : "unreachable";
}
