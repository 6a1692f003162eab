/**
 * The ledger over a CometBFT node and the application beside it. Transactions go to the node; everything read comes from
 * the application's own store. A block counts once CometBFT's commit for it is stored beside it, which is one of CometBFT's
 * heights later: until then it is not shown, and its transactions are not answered.
 */
import { ChartsealError, sha256, toHex } from "@chartseal/crypto";
import { type Head, headOf, isTransaction } from "../block.ts";
import { verifyCometCommit } from "../commit.ts";
import type { Submitted } from "../ledger.ts";
import { type ExecutedBlock, genesisHead, type Rules } from "../machine.ts";
import { ChainReads } from "../store/chain-reads.ts";
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

export class CometLedger extends ChainReads {
  readonly #parts: CometLedgerParts;
  #head: Head;
  #sealing = false;
  #sending = false;
  readonly #queue: Waiting[] = [];
  readonly #waiting = new Map<string, Waiting>();
  /** The last submit of the same bytes, which the next one waits for. */
  readonly #lines = new Map<string, Promise<unknown>>();

  constructor(parts: CometLedgerParts) {
    const { store, rules } = parts;
    super({ store: store.chain, rules, block: (height) => store.block(height) });
    this.#parts = parts;
    const height = store.sealedHeight();
    this.#head = height === 0 ? genesisHead(rules).head : headOf(this.storedBlock(height));
    void this.#seal();
  }

  protected latest(): Head {
    return this.#head;
  }

  async submit(transaction: Uint8Array): Promise<Submitted> {
    this.requireOpen();
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
    while (!this.isClosed) {
      const { store, rpc } = this.#parts;
      const unsealed = store.firstUnsealed();
      if (unsealed === undefined || unsealed.comet >= store.cometHeight()) break;
      try {
        const commit = await rpc.lightBlock(unsealed.comet + 1);
        if (this.isClosed) break;
        const { hash } = store.chain.block(unsealed.height)!;
        if (!verifyCometCommit(this.chainId, hash, commit)) {
          throw new ChartsealError("chain-altered", "the node's commit is not for this ledger's block");
        }
        store.seal(unsealed.height, commit);
        this.#head = headOf(this.storedBlock(unsealed.height));
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
    this.wakeWatchers();
  }

  /** Waits for what was submitted before; then the application answers its node no more. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    const open = [...this.#lines.values()];
    const finished = Promise.allSettled(open);
    if (open.length === 0) this.endReads();
    await finished;
    this.endReads();
    await this.#parts.release();
    this.#parts.store.close();
  }
}

function unknownOutcome(message: string, cause?: unknown): ChartsealError {
  return new ChartsealError("ledger-unreachable", message, { data: { outcome: "unknown" }, cause });
}
