/**
 * The embedded engine: the ledger in one process, durable and crash-safe (DESIGN, decisions 1 and 10). Transactions that
 * arrive together share a block; a submit resolves once its block is on the disk. Blocks are signed by one proposer.
 */
import { assert, ChartsealError, ed25519KeyPairFromSeed, equalBytes } from "@chartseal/crypto";
import { type Head, headOf, signBlock } from "../block.ts";
import type { Submitted } from "../ledger.ts";
import { BlockBuilder, type ExecutedBlock, genesisHead, type Rules } from "../machine.ts";
import { ChainReads } from "../store/chain-reads.ts";
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

export class EmbeddedLedger extends ChainReads {
  readonly #parts: EngineParts;
  readonly #genesis: Head;
  #head: Head;
  #queue: Waiting[] = [];
  #scheduled = false;

  /** @throws ChartsealError `chain-altered` where genesis or last block do not hold together */
  constructor(parts: EngineParts) {
    const { store, rules, writer, pollMs } = parts;
    const wakeLater = (wake: () => void) => {
      const timer = setTimeout(wake, pollMs);
      return () => clearTimeout(timer);
    };
    const block = (height: number) => store.block(height);
    super({ store, rules, block, wakeLater: writer === undefined ? wakeLater : undefined });
    this.#parts = parts;
    this.#genesis = genesisHead(rules).head;
    const { genesis, stateRoot } = store.genesis();
    if (!equalBytes(genesis, rules.genesis) || !equalBytes(stateRoot, this.#genesis.stateRoot)) {
      throw new ChartsealError("chain-altered", "the stored genesis is not what the chain began with");
    }
    this.#head = this.#readHead();
  }

  submit(transaction: Uint8Array): Promise<Submitted> {
    return new Promise((resolve, reject) => {
      this.requireOpen();
      if (this.#parts.writer === undefined) {
        throw new ChartsealError("ledger-unreachable", "the ledger was opened for reading");
      }
      this.#queue.push({ transaction: new Uint8Array(transaction), resolve, reject });
      this.#schedule();
    });
  }

  /** Finishes what was submitted, then lets the home go. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    while (this.#queue.length > 0) this.#flush();
    this.endReads();
    this.#parts.store.close();
    this.#parts.release();
  }

  protected latest(): Head {
    if (this.#parts.writer !== undefined) return this.#head;
    this.#parts.refresh();
    if (this.#parts.store.height() !== this.#head.height) this.#head = this.#readHead();
    return this.#head;
  }

  #readHead(): Head {
    const height = this.#parts.store.height();
    return height === 0 ? this.#genesis : headOf(this.storedBlock(height));
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.isClosed) return;
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
    this.wakeWatchers();
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
      this.wakeWatchers();
    } catch {
      // The store stays unreadable: the next commit meets the same damage and says so to its caller.
    }
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
