/**
 * Reading the chain, the same over either engine: state with its proof, transactions, blocks, and the watch for new ones.
 * An engine says which block is its head and adds what differs: how a transaction becomes part of a block. Whatever is
 * read is checked against its hash first; nothing above the head is shown, whether or not the store has it already.
 */
import { ChartsealError } from "@chartseal/crypto";
import { type Block, checkBlock, type Head } from "../block.ts";
import type { FoundTransaction, Ledger, ProvedState, Submitted } from "../ledger.ts";
import type { Rules } from "../machine.ts";
import { proveTransaction } from "../merkle.ts";
import type { StateKind } from "../state.ts";
import { proveState } from "../state-proof.ts";
import { readState } from "../state-tree.ts";
import type { Store } from "./store.ts";

export interface ChainReadsParts {
  readonly rules: Rules;
  readonly store: Store;
  /** A block with its commit, as it is stored; undefined where there is none. */
  readonly block: (height: number) => Block | undefined;
  /** Wakes a `watch` that is to look for new blocks by itself, and gives what calls that off; else the engine wakes it. */
  readonly wakeLater?: ((wake: () => void) => () => void) | undefined;
}

export abstract class ChainReads implements Ledger {
  readonly #parts: ChainReadsParts;
  readonly #watchers = new Set<() => void>();
  #closed = false;

  constructor(parts: ChainReadsParts) {
    this.#parts = parts;
  }

  abstract submit(transaction: Uint8Array): Promise<Submitted>;
  abstract close(): Promise<void>;

  /** The last block that is shown; asked only while the ledger is open. */
  protected abstract latest(): Head;

  get chainId(): Uint8Array {
    return this.#parts.rules.chainId;
  }

  get genesis(): Uint8Array {
    return this.#parts.rules.genesis;
  }

  async head(): Promise<Head> {
    return this.#head();
  }

  async read(kind: StateKind, key: Uint8Array): Promise<Uint8Array | undefined> {
    const { store } = this.#parts;
    const { height, stateRoot } = this.#head();
    return store.together(() => readState(store.tree(height), stateRoot, kind, key));
  }

  async prove(kind: StateKind, key: Uint8Array, height?: number): Promise<ProvedState> {
    const { store } = this.#parts;
    const head = this.#head().height;
    const { header, commit } = this.#required(height ?? head, head);
    const proved = store.together(() => proveState(store.tree(header.height), header.stateRoot, kind, key));
    return { ...proved, header, commit };
  }

  async transaction(identifier: Uint8Array): Promise<FoundTransaction | undefined> {
    const head = this.#head().height;
    const location = this.#parts.store.location(identifier);
    if (location === undefined && this.#parts.store.base() > 0)
      throw this.#beforeBase("that transaction", {});
    if (location === undefined || location.height > head) return undefined;
    const { header, commit, transactions } = this.#required(location.height, head);
    const bytes = transactions[location.index];
    if (bytes === undefined) {
      throw new ChartsealError("chain-altered", "the index of transactions is damaged", { data: location });
    }
    return { bytes, ...location, proof: proveTransaction(transactions, location.index), header, commit };
  }

  async block(height: number): Promise<Block | undefined> {
    const head = this.#head().height;
    return height > head ? undefined : this.#required(height, head);
  }

  async *blocks(from: number, to?: number): AsyncIterable<Block> {
    const last = Math.min(to ?? Number.MAX_SAFE_INTEGER, this.#head().height);
    for (let height = Math.max(1, from); height <= last; height++) {
      this.requireOpen();
      yield this.#required(height, last);
    }
  }

  async *watch(from: number, signal?: AbortSignal): AsyncIterable<Block> {
    let height = Math.max(1, from);
    while (!this.#closed && signal?.aborted !== true) {
      const head = this.#head().height;
      if (height <= head) yield this.#required(height++, head);
      else await this.#news(signal);
    }
  }

  protected get isClosed(): boolean {
    return this.#closed;
  }

  protected requireOpen(): void {
    if (this.#closed) throw new ChartsealError("ledger-unreachable", "the ledger is closed");
  }

  /** From here on nothing is answered; those who watch come to their end. */
  protected endReads(): void {
    this.#closed = true;
    this.wakeWatchers();
  }

  /** Says that there may be a new block. */
  protected wakeWatchers(): void {
    for (const wake of this.#watchers) wake();
  }

  /** A block that must be there with its commit, checked by itself. @throws ChartsealError `chain-altered` */
  protected storedBlock(height: number): Block {
    const block = this.#parts.block(height);
    if (block === undefined || block.header.height !== height) {
      throw new ChartsealError("chain-altered", `block ${height} is missing`, { data: { height } });
    }
    checkBlock(block, this.chainId);
    return block;
  }

  #head(): Head {
    this.requireOpen();
    return this.latest();
  }

  #required(height: number, head: number): Block {
    if (!Number.isSafeInteger(height) || height < 1 || height > head) {
      throw new ChartsealError("input-invalid", "there is no block of that height", { data: { height } });
    }
    if (height < this.#parts.store.base()) throw this.#beforeBase("that block", { height });
    return this.storedBlock(height);
  }

  /** Of a store that began with a snapshot: it cannot tell what was before. */
  #beforeBase(what: string, data: { readonly height?: number }): ChartsealError {
    const base = this.#parts.store.base();
    return new ChartsealError(
      "input-invalid",
      `this node does not hold ${what}: its chain begins with block ${base}`,
      {
        data: { ...data, base },
        hint: "The node joined by a snapshot: ask one that holds the whole chain.",
      },
    );
  }

  /** Resolves when there may be a new block, on close and on abort. */
  #news(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const callOff = this.#parts.wakeLater?.(() => done());
      const done = () => {
        callOff?.();
        this.#watchers.delete(done);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      this.#watchers.add(done);
      signal?.addEventListener("abort", done);
    });
  }
}
