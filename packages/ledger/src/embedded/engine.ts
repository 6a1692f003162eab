/**
 * The embedded engine: the ledger in one process, durable and crash-safe (DESIGN, decisions 1 and 10). Transactions that
 * arrive together share a block; a submit resolves once its block is on the disk. Blocks are signed by one proposer.
 */
import { assert, ChartsealError, ed25519KeyPairFromSeed, equalBytes } from "@chartseal/crypto";
import { type Block, checkBlock, type Head, headOf, signBlock } from "../block.ts";
import type { FoundTransaction, Ledger, ProvedState, Submitted } from "../ledger.ts";
import { BlockBuilder, type ExecutedBlock, genesisHead, type Rules } from "../machine.ts";
import { proveTransaction } from "../merkle.ts";
import type { StateKind } from "../state.ts";
import { proveState } from "../state-proof.ts";
import { readState } from "../state-tree.ts";
import type { CommitStage, Store } from "../store/store.ts";

/** A block takes no further transaction beyond these. */
const blockBytesMax = 4 * 1024 * 1024;
const blockTransactionsMax = 4_096;

export interface Writer {
  /** The proposer's Ed25519 seed, 32 bytes. */
  readonly proposerSeed: Uint8Array;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly stage: (stage: CommitStage) => void;
}

interface Waiting {
  readonly transaction: Uint8Array;
  readonly resolve: (submitted: Submitted) => void;
  readonly reject: (reason: unknown) => void;
}

export interface EngineParts {
  readonly store: Store;
  readonly rules: Rules;
  /** Absent in a reader. */
  readonly writer?: Writer | undefined;
  /** Brings a reader's store up to date before it looks at the head. */
  readonly refresh: () => void;
  readonly release: () => void;
  /** How often a reader's `watch` looks for new blocks. */
  readonly pollMs: number;
}

export class EmbeddedLedger implements Ledger {
  readonly #parts: EngineParts;
  readonly #genesis: Head;
  #head: Head;
  #queue: Waiting[] = [];
  #scheduled = false;
  #closed = false;
  readonly #watchers = new Set<() => void>();

  /** @throws ChartsealError `chain-altered` where genesis or last block do not hold together */
  constructor(parts: EngineParts) {
    this.#parts = parts;
    this.#genesis = genesisHead(parts.rules).head;
    const { genesis, stateRoot } = parts.store.genesis();
    if (!equalBytes(genesis, parts.rules.genesis) || !equalBytes(stateRoot, this.#genesis.stateRoot)) {
      throw new ChartsealError("chain-altered", "the stored genesis is not what the chain began with");
    }
    this.#head = this.#readHead();
  }

  get chainId(): Uint8Array {
    return this.#parts.rules.chainId;
  }

  get genesis(): Uint8Array {
    return this.#parts.rules.genesis;
  }

  async head(): Promise<Head> {
    return this.#now();
  }

  submit(transaction: Uint8Array): Promise<Submitted> {
    return new Promise((resolve, reject) => {
      this.#open();
      if (this.#parts.writer === undefined) {
        throw new ChartsealError("ledger-unreachable", "the ledger was opened for reading");
      }
      this.#queue.push({ transaction: new Uint8Array(transaction), resolve, reject });
      this.#schedule();
    });
  }

  async read(kind: StateKind, key: Uint8Array): Promise<Uint8Array | undefined> {
    const { store } = this.#parts;
    const { height, stateRoot } = this.#now();
    return store.together(() => readState(store.tree(height), stateRoot, kind, key));
  }

  async prove(kind: StateKind, key: Uint8Array, height?: number): Promise<ProvedState> {
    const { store } = this.#parts;
    const { header, commit } = this.#required(height ?? this.#now().height);
    const proved = store.together(() => proveState(store.tree(header.height), header.stateRoot, kind, key));
    return { ...proved, header, commit };
  }

  async transaction(identifier: Uint8Array): Promise<FoundTransaction | undefined> {
    this.#open();
    const location = this.#parts.store.location(identifier);
    if (location === undefined) return undefined;
    const { header, commit, transactions } = this.#required(location.height);
    const bytes = transactions[location.index];
    if (bytes === undefined) {
      throw new ChartsealError("chain-altered", "the index of transactions is damaged", { data: location });
    }
    return { bytes, ...location, proof: proveTransaction(transactions, location.index), header, commit };
  }

  async block(height: number): Promise<Block | undefined> {
    return height > this.#now().height ? undefined : this.#required(height);
  }

  async *blocks(from: number, to?: number): AsyncIterable<Block> {
    const last = Math.min(to ?? Number.MAX_SAFE_INTEGER, this.#now().height);
    for (let height = Math.max(1, from); height <= last; height++) {
      this.#open();
      yield this.#required(height);
    }
  }

  async *watch(from: number, signal?: AbortSignal): AsyncIterable<Block> {
    let height = Math.max(1, from);
    while (!this.#closed && signal?.aborted !== true) {
      if (height <= this.#now().height) yield this.#required(height++);
      else await this.#news(signal);
    }
  }

  /** Finishes what was submitted, then lets the home go. */
  async close(): Promise<void> {
    if (this.#closed) return;
    while (this.#queue.length > 0) this.#flush();
    this.#closed = true;
    this.#wake();
    this.#parts.store.close();
    this.#parts.release();
  }

  #open(): void {
    if (this.#closed) throw new ChartsealError("ledger-unreachable", "the ledger is closed");
  }

  #now(): Head {
    this.#open();
    if (this.#parts.writer !== undefined) return this.#head;
    this.#parts.refresh();
    if (this.#parts.store.height() !== this.#head.height) this.#head = this.#readHead();
    return this.#head;
  }

  #readHead(): Head {
    const height = this.#parts.store.height();
    return height === 0 ? this.#genesis : headOf(this.#required(height));
  }

  /** A block that must be there, checked by itself. */
  #required(height: number): Block {
    this.#open();
    if (!Number.isSafeInteger(height) || height < 1 || height > this.#parts.store.height()) {
      throw new ChartsealError("input-invalid", "there is no block of that height", { data: { height } });
    }
    const block = this.#parts.store.block(height);
    if (block === undefined || block.header.height !== height) {
      throw new ChartsealError("chain-altered", `block ${height} is missing`, { data: { height } });
    }
    checkBlock(block, this.chainId);
    return block;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#closed) return;
      this.#flush();
      if (this.#queue.length > 0) this.#schedule();
    });
  }

  /** Makes one block of what waits. Nothing is answered before the block is durable, refusals neither. */
  #flush(): void {
    const batch = this.#takeBatch();
    let answers: (() => void)[];
    try {
      answers = this.#commit(batch);
    } catch (error) {
      // Whether the block reached the disk is read back from it; the callers learn that the outcome is unknown.
      const failure = unknownOutcome(error);
      this.#reload();
      for (const waiting of batch) waiting.reject(failure);
      return;
    }
    for (const answer of answers) answer();
    this.#wake();
  }

  /** The first of the queue, as many as fit into one block; one always does. */
  #takeBatch(): Waiting[] {
    let size = 0;
    let count = 0;
    for (const { transaction } of this.#queue) {
      size += transaction.length;
      if (count === blockTransactionsMax || (count > 0 && size > blockBytesMax)) break;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  /** One durable block of those that apply; what to answer each one. */
  #commit(batch: readonly Waiting[]): (() => void)[] {
    const { store, rules, writer } = this.#parts;
    assert(writer !== undefined, "only a writer commits");
    const { publicKey, seed } = ed25519KeyPairFromSeed(writer.proposerSeed);
    const accepted: Waiting[] = [];
    const answers: (() => void)[] = [];
    // Thousands of nodes are read here, each under a lock of its own otherwise. Other readers read on meanwhile.
    const executed = store.together(() => {
      const next = { timestampMs: writer.now(), proposer: publicKey };
      const builder = new BlockBuilder(store.tree(this.#head.height), this.#head, rules, next);
      for (const waiting of batch) {
        try {
          builder.add(waiting.transaction);
          accepted.push(waiting);
        } catch (reason) {
          answers.push(() => waiting.reject(reason));
        }
      }
      return accepted.length === 0 ? undefined : builder.finish();
    });
    if (executed === undefined) return answers;
    const signature = signBlock(this.chainId, executed.header.height, executed.hash, seed);
    store.append(executed, [{ publicKey, signature }], writer.stage);
    this.#head = headOf(executed);
    return [...answers, () => acknowledge(accepted, executed)];
  }

  #reload(): void {
    try {
      this.#head = this.#readHead();
      this.#wake();
    } catch {
      // The store stays unreadable: the next commit meets the same damage and says so to its caller.
    }
  }

  #wake(): void {
    for (const wake of this.#watchers) wake();
  }

  /** Resolves when there may be a new block, on close and on abort. */
  #news(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer =
        this.#parts.writer === undefined ? setTimeout(() => done(), this.#parts.pollMs) : undefined;
      const done = () => {
        clearTimeout(timer);
        this.#watchers.delete(done);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      this.#watchers.add(done);
      signal?.addEventListener("abort", done);
    });
  }
}

function acknowledge(accepted: readonly Waiting[], executed: ExecutedBlock): void {
  for (const [index, waiting] of accepted.entries()) {
    const { identifier } = executed.results[index]!;
    waiting.resolve({ height: executed.header.height, index, identifier, blockHash: executed.hash });
  }
}

function unknownOutcome(error: unknown): unknown {
  if (!(error instanceof ChartsealError)) return error;
  const data = { ...error.data, outcome: "unknown" };
  return new ChartsealError(error.code, error.message, { data, cause: error });
}
