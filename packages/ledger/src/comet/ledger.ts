/**
 * The ledger over a CometBFT node and the application beside it. Transactions go to the node; everything read comes from
 * the application's own store. A block counts once CometBFT's commit for it is stored beside it, which is one of CometBFT's
 * heights later: until then it is not shown, and its transactions are not answered.
 */
import { ChartsealError, sha256, toHex } from "@chartseal/crypto";
import { type Block, checkBlock, type Head, headOf, isTransaction } from "../block.ts";
import { verifyCometCommit } from "../commit.ts";
import type { FoundTransaction, Ledger, ProvedState, Submitted } from "../ledger.ts";
import { type ExecutedBlock, genesisHead, type Rules } from "../machine.ts";
import { proveTransaction } from "../merkle.ts";
import type { StateKind } from "../state.ts";
import { proveState } from "../state-proof.ts";
import { readState } from "../state-tree.ts";
import type { Application } from "./application.ts";
import type { CometStore } from "./comet-store.ts";
import { broadcastMax, type CometRpc, type Taken } from "./rpc.ts";

const retryMs = 100;

/** A transaction on its way. */
interface Waiting {
  readonly key: string;
  readonly transaction: Uint8Array;
  readonly resolve: (submitted: Submitted) => void;
  readonly reject: (reason: unknown) => void;
  /** Where it is, from the moment its block is made until that has its commit. */
  place?: Submitted;
}

export interface CometLedgerParts {
  readonly store: CometStore;
  readonly rules: Rules;
  readonly application: Application;
  readonly rpc: CometRpc;
  /** How long a submit waits for its block. */
  readonly waitMs: number;
  readonly release: () => Promise<void>;
}

export class CometLedger implements Ledger {
  readonly #parts: CometLedgerParts;
  #head: Head;
  #closed = false;
  #sealing = false;
  #sending = false;
  readonly #queue: Waiting[] = [];
  readonly #waiting = new Map<string, Waiting>();
  /** The last submit of the same bytes, which the next one waits for. */
  readonly #lines = new Map<string, Promise<unknown>>();
  readonly #watchers = new Set<() => void>();

  constructor(parts: CometLedgerParts) {
    this.#parts = parts;
    const unsealed = parts.store.firstUnsealed();
    const height = unsealed === undefined ? parts.store.chain.height() : unsealed.height - 1;
    this.#head = height === 0 ? genesisHead(parts.rules).head : headOf(this.#stored(height));
    void this.#seal();
  }

  get chainId(): Uint8Array {
    return this.#parts.rules.chainId;
  }

  get genesis(): Uint8Array {
    return this.#parts.rules.genesis;
  }

  async head(): Promise<Head> {
    this.#open();
    return this.#head;
  }

  async submit(transaction: Uint8Array): Promise<Submitted> {
    this.#open();
    if (!isTransaction(transaction)) {
      throw new ChartsealError("input-invalid", "a transaction is a CBOR array of at most 256 KiB");
    }
    const bytes = new Uint8Array(transaction);
    const key = toHex(sha256(bytes));
    // The node takes the same bytes once: whoever brings them again learns first what became of them.
    const before = this.#lines.get(key);
    const line =
      before === undefined
        ? this.#send(key, bytes)
        : before.catch(() => {}).then(() => this.#send(key, bytes));
    this.#lines.set(key, line);
    try {
      return await line;
    } finally {
      if (this.#lines.get(key) === line) this.#lines.delete(key);
    }
  }

  #send(key: string, transaction: Uint8Array): Promise<Submitted> {
    return new Promise<Submitted>((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.reject(unknownOutcome("no block took the transaction in time"));
      }, this.#parts.waitMs);
      const end = () => {
        clearTimeout(timer);
        if (this.#waiting.get(key) === waiting) this.#waiting.delete(key);
      };
      const waiting: Waiting = {
        key,
        transaction,
        resolve(submitted) {
          end();
          resolve(submitted);
        },
        reject(reason) {
          end();
          reject(reason);
        },
      };
      this.#waiting.set(key, waiting);
      this.#queue.push(waiting);
      void this.#sendAll();
    });
  }

  /** One message at a time, so that transactions reach the node in the order in which they came. */
  async #sendAll(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    // What comes in the same turn goes together.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, broadcastMax);
      try {
        const answers = await this.#parts.rpc.broadcast(batch.map(({ transaction }) => transaction));
        for (const [at, waiting] of batch.entries()) this.#taken(waiting, answers[at]!);
      } catch (error) {
        for (const waiting of batch) waiting.reject(unknownOutcome("the node did not answer", error));
      }
    }
    this.#sending = false;
  }

  #taken(waiting: Waiting, taken: Taken): void {
    if (typeof taken === "object") {
      const data = { reason: taken.reason };
      waiting.reject(new ChartsealError("ledger-unreachable", "the CometBFT node takes nothing", { data }));
    }
    if (taken !== "held") return;
    if (waiting.place !== undefined) return;
    // It is in the chain, and then its rules refuse it again; or in the node's hands, and then it will be.
    const refusal = this.#parts.application.refusalAtHead(waiting.transaction);
    if (refusal !== undefined) waiting.reject(refusal);
  }

  /** The application's word that a height is on the disk. */
  committed(made: ExecutedBlock | undefined): void {
    if (made !== undefined && this.#waiting.size > 0) {
      for (const [index, transaction] of made.transactions.entries()) {
        const waiting = this.#waiting.get(toHex(sha256(transaction)));
        if (waiting === undefined) continue;
        const { identifier } = made.results[index]!;
        waiting.place = { height: made.header.height, index, identifier, blockHash: made.hash };
      }
    }
    void this.#seal();
  }

  /** The application's word that a transaction does not apply, or no more. */
  refused(key: string, reason: unknown): void {
    const waiting = this.#waiting.get(key);
    if (waiting?.place === undefined) waiting?.reject(reason);
  }

  /** Stores the commits of the blocks that have none yet and whose next height is there. */
  async #seal(): Promise<void> {
    if (this.#sealing) return;
    this.#sealing = true;
    while (!this.#closed) {
      const { store, rpc } = this.#parts;
      const unsealed = store.firstUnsealed();
      if (unsealed === undefined || unsealed.comet >= store.cometHeight()) break;
      try {
        const commit = await rpc.lightBlock(unsealed.comet + 1);
        if (this.#closed) break;
        const { hash } = store.chain.block(unsealed.height)!;
        if (!verifyCometCommit(this.chainId, hash, commit)) {
          throw new ChartsealError("chain-altered", "the node's commit is not for this ledger's block");
        }
        store.seal(unsealed.height, commit);
        this.#head = headOf(this.#stored(unsealed.height));
        this.#answer();
      } catch (error) {
        if (!(error instanceof ChartsealError)) throw error;
        await new Promise((resolve) => setTimeout(resolve, retryMs));
      }
    }
    this.#sealing = false;
  }

  /** Resolves those whose block has its commit now. */
  #answer(): void {
    for (const waiting of [...this.#waiting.values()]) {
      if (waiting.place !== undefined && waiting.place.height <= this.#head.height) {
        waiting.resolve(waiting.place);
      }
    }
    for (const wake of this.#watchers) wake();
  }

  async read(kind: StateKind, key: Uint8Array): Promise<Uint8Array | undefined> {
    this.#open();
    const { height, stateRoot } = this.#head;
    return readState(this.#parts.store.chain.tree(height), stateRoot, kind, key);
  }

  async prove(kind: StateKind, key: Uint8Array, height?: number): Promise<ProvedState> {
    this.#open();
    const { header, commit } = this.#required(height ?? this.#head.height);
    const tree = this.#parts.store.chain.tree(header.height);
    return { ...proveState(tree, header.stateRoot, kind, key), header, commit };
  }

  async transaction(identifier: Uint8Array): Promise<FoundTransaction | undefined> {
    this.#open();
    const location = this.#parts.store.chain.location(identifier);
    if (location === undefined || location.height > this.#head.height) return undefined;
    const { header, commit, transactions } = this.#required(location.height);
    const bytes = transactions[location.index];
    if (bytes === undefined) {
      throw new ChartsealError("chain-altered", "the index of transactions is damaged", { data: location });
    }
    return { bytes, ...location, proof: proveTransaction(transactions, location.index), header, commit };
  }

  async block(height: number): Promise<Block | undefined> {
    this.#open();
    return height > this.#head.height ? undefined : this.#required(height);
  }

  async *blocks(from: number, to?: number): AsyncIterable<Block> {
    this.#open();
    const last = Math.min(to ?? Number.MAX_SAFE_INTEGER, this.#head.height);
    for (let height = Math.max(1, from); height <= last; height++) {
      this.#open();
      yield this.#required(height);
    }
  }

  async *watch(from: number, signal?: AbortSignal): AsyncIterable<Block> {
    let height = Math.max(1, from);
    while (!this.#closed && signal?.aborted !== true) {
      if (height <= this.#head.height) yield this.#required(height++);
      else await this.#news(signal);
    }
  }

  /** Waits for what was submitted before; then the application answers its node no more. */
  async close(): Promise<void> {
    if (this.#closed) return;
    const open = [...this.#lines.values()];
    const finished = Promise.allSettled(open);
    this.#closed = open.length === 0;
    await finished;
    this.#closed = true;
    for (const wake of this.#watchers) wake();
    await this.#parts.release();
    this.#parts.store.close();
  }

  #open(): void {
    if (this.#closed) throw new ChartsealError("ledger-unreachable", "the ledger is closed");
  }

  #required(height: number): Block {
    if (!Number.isSafeInteger(height) || height < 1 || height > this.#head.height) {
      throw new ChartsealError("input-invalid", "there is no block of that height", { data: { height } });
    }
    return this.#stored(height);
  }

  /** A block that must be there with its commit, checked by itself. */
  #stored(height: number): Block {
    const block = this.#parts.store.block(height);
    if (block === undefined || block.header.height !== height) {
      throw new ChartsealError("chain-altered", `block ${height} is missing`, { data: { height } });
    }
    checkBlock(block, this.chainId);
    return block;
  }

  /** Resolves when there may be a new block, on close and on abort. */
  #news(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#watchers.delete(done);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      this.#watchers.add(done);
      signal?.addEventListener("abort", done);
    });
  }
}

function unknownOutcome(message: string, cause?: unknown): ChartsealError {
  return new ChartsealError("ledger-unreachable", message, { data: { outcome: "unknown" }, cause });
}
