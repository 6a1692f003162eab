/**
 * A ledger over HTTP that believes nothing its server says: the genesis is the caller's, heads only go forward, values
 * come with state proofs, transactions with their place in a block, absences with proofs of absence. A lie is
 * `chain-altered`; silence is `ledger-unreachable`. What no proof can show is whether there is a newer head.
 */
import { ChartsealError, equalBytes, toHex, u64 } from "@chartseal/crypto";
import {
  type Block,
  blockKind,
  checkBlock,
  decodeTransaction,
  entries,
  type FoundTransaction,
  type Head,
  hashHeader,
  type Ledger,
  type ProvedState,
  parseExportLine,
  type Rules,
  type StateKind,
  type Submitted,
  transactionBytesMax,
  verifyStateProof,
  verifyTransactionProof,
} from "@chartseal/ledger";
import { fromProblem } from "../problem.ts";
import type { Connection } from "./connection.ts";
import { bytesOf, type Fields, fieldsOf, listOf, malformed, wholeOf } from "./fields.ts";
import { altered, type HeadTrust, VerifiedHead } from "./verified-head.ts";

export interface HttpLedgerOptions {
  readonly connection: Connection;
  /** The rules of the chain that the caller trusts: its genesis decides who may sign blocks. */
  readonly rules: Rules;
  /** How long validators are trusted without news of them; default: for ever. */
  readonly trust?: HeadTrust;
  /** Where the state lists all transactions, and how one is named; default: the ledger's own way. */
  readonly transactions?: {
    readonly kind: StateKind;
    identifierOf(transaction: Uint8Array): Uint8Array;
  };
}

/** Transactions and their bytes in one request. */
const batchMax = 64;
const batchBytesMax = 8 * 1024 * 1024;
const waitMs = 20_000;

interface Waiting {
  readonly transaction: Uint8Array;
  resolve(submitted: Submitted): void;
  reject(reason: unknown): void;
}

/** An answer and the head that it is about. */
interface Answer {
  readonly fields: Fields;
  readonly head: Head;
}

export class HttpLedger implements Ledger {
  readonly #connection: Connection;
  readonly #rules: Rules;
  readonly #transactions: NonNullable<HttpLedgerOptions["transactions"]>;
  readonly #verified: VerifiedHead;
  readonly #closing = new AbortController();
  #queue: Waiting[] = [];
  #sending: Promise<void> | undefined;

  constructor(options: HttpLedgerOptions) {
    this.#connection = options.connection;
    this.#rules = options.rules;
    this.#transactions = options.transactions ?? {
      kind: entries.transaction.kind,
      identifierOf: (transaction) => decodeTransaction(transaction).identifier,
    };
    this.#verified = new VerifiedHead(options.rules, options.trust);
  }

  get chainId(): Uint8Array {
    return this.#rules.chainId;
  }

  get genesis(): Uint8Array {
    return this.#rules.genesis;
  }

  /** The newest head that this client has verified, without asking for a newer one. */
  get verifiedHead(): Head {
    return this.#verified.head;
  }

  async head(): Promise<Head> {
    return (await this.#ask("/head", {})).head;
  }

  async read(kind: StateKind, key: Uint8Array): Promise<Uint8Array | undefined> {
    const { fields, head } = await this.#ask("/state", { kind, key: toHex(key) });
    if (head.height === 0) return this.#verified.genesisState.get(kind, key);
    return checkedValue(fields, head.stateRoot, { kind, key, height: head.height }) ?? undefined;
  }

  async prove(kind: StateKind, key: Uint8Array, height?: number): Promise<ProvedState> {
    const wanted = height ?? (await this.head()).height;
    if (!Number.isSafeInteger(wanted) || wanted < 1) throw noSuchBlock(wanted);
    const { fields, head } = await this.#ask("/state", { kind, key: toHex(key), height: wanted });
    const { header, hash, commit, proof: place } = this.#placed(fields.block);
    if (header.height !== wanted) throw altered("the server proves another block", wanted, "height");
    this.#verified.demandPlace({ header, hash }, head, place);
    const value = checkedValue(fields, header.stateRoot, { kind, key, height: wanted });
    return { value, proof: bytesOf(fields.proof, "proof"), header, commit };
  }

  async transaction(identifier: Uint8Array): Promise<FoundTransaction | undefined> {
    const { fields, head } = await this.#ask(`/transactions/${toHex(identifier)}`, {});
    if (fields.found !== null) return this.#found(fields.found, head, identifier);
    const { kind } = this.#transactions;
    const isAbsent =
      head.height === 0 ||
      verifyStateProof(head.stateRoot, kind, identifier, null, bytesOf(fields.absence, "absence"));
    if (isAbsent) return undefined;
    throw altered("the server hides a transaction", head.height, "transactions");
  }

  async block(height: number): Promise<Block | undefined> {
    if (!Number.isSafeInteger(height) || height < 1) throw noSuchBlock(height);
    const { blocks, head } = await this.#page(height, height);
    if (height > head.height) return undefined;
    return blocks[0];
  }

  async *blocks(from: number, to?: number): AsyncIterable<Block> {
    const last = Math.min(to ?? Number.MAX_SAFE_INTEGER, (await this.head()).height);
    for (let height = Math.max(1, from); height <= last; ) {
      const { blocks } = await this.#page(height, last);
      yield* blocks;
      height += blocks.length;
    }
  }

  async *watch(from: number, signal?: AbortSignal): AsyncIterable<Block> {
    const ends =
      signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
    try {
      for (let height = Math.max(1, from); !ends.aborted; ) {
        if (height > this.#verified.head.height) {
          const after = height - 1;
          const { head } = await this.#ask("/head", { after, wait: waitMs }, ends);
          if (head.height < height) continue;
        }
        const { blocks } = await this.#page(height, this.#verified.head.height, ends);
        for (const block of blocks) {
          if (ends.aborted) return;
          yield block;
          height++;
        }
      }
    } catch (error) {
      if (!ends.aborted) throw error;
    }
  }

  submit(transaction: Uint8Array): Promise<Submitted> {
    return new Promise((resolve, reject) => {
      this.#open();
      if (transaction.length > transactionBytesMax) {
        throw new ChartsealError("input-invalid", "a transaction has at most 256 KiB");
      }
      this.#queue.push({ transaction: new Uint8Array(transaction), resolve, reject });
      this.#sending ??= this.#send();
    });
  }

  /** Waits for what was submitted; ends every watch. */
  async close(): Promise<void> {
    while (this.#sending !== undefined) await this.#sending;
    this.#closing.abort();
  }

  #open(): void {
    if (this.#closing.signal.aborted) throw new ChartsealError("ledger-unreachable", "the ledger is closed");
  }

  /** A GET whose answer stands at a head not older than the one verified before. */
  async #ask(
    path: string,
    query: Readonly<Record<string, string | number>>,
    signal?: AbortSignal,
  ): Promise<Answer> {
    this.#open();
    const seen = this.#verified.head.height;
    const parameters = Object.entries({ ...query, seen }).map(([name, value]) => `${name}=${value}`);
    const target = `/v1/ledger${path}?${parameters.join("&")}`;
    const fields = await this.#connection.json({ target, ...(signal === undefined ? {} : { signal }) });
    return { fields, head: await this.#advance(fields.anchor, seen) };
  }

  #advance(anchor: unknown, seen: number): Promise<Head> {
    const place = (height: number, at: number) => {
      const target = `/v1/ledger/state?kind=${blockKind}&key=${toHex(u64(height))}&height=${at}`;
      return this.#connection.json({ target });
    };
    return this.#verified.advance(anchor, seen, {
      ancestor: async (height, at) => bytesOf((await place(height, at)).proof, "proof"),
      block: async (height) => (await place(height, height)).block,
    });
  }

  #placed(value: unknown) {
    const fields = fieldsOf(value, "block");
    return { ...this.#verified.signedHeader(fields), proof: fields.proof };
  }

  /** @throws ChartsealError `chain-altered` for a transaction that is not the one asked for, or not where it is said to be */
  #found(value: unknown, head: Head, identifier: Uint8Array): FoundTransaction {
    const fields = fieldsOf(value, "found");
    const { header, hash, commit, proof: place } = this.#placed(fields.block);
    this.#verified.demandPlace({ header, hash }, head, place);
    const bytes = bytesOf(fields.bytes, "bytes");
    const index = wholeOf(fields.index, "index");
    const proof = listOf(fields.proof, "proof").map((one) => bytesOf(one, "proof", 32));
    const { merkleRoot: root, transactionCount: count, height } = header;
    if (!verifyTransactionProof({ root, count, index, transaction: bytes, proof })) {
      throw altered("a transaction is not in the block that it is said to be in", height, "merkleRoot");
    }
    if (!equalBytes(this.#identifierOf(bytes, height), identifier)) {
      throw altered("the server answers with another transaction", height, "transactions");
    }
    return { bytes, height, index, proof, header, commit };
  }

  #identifierOf(transaction: Uint8Array, height: number): Uint8Array {
    try {
      return this.#transactions.identifierOf(transaction);
    } catch {
      throw altered("a block holds what is no transaction", height, "transactions");
    }
  }

  /** Blocks from a height on, as many as the server gives at once: linked, and their last one placed under the head. */
  async #page(
    from: number,
    to: number,
    signal?: AbortSignal,
  ): Promise<{ readonly blocks: Block[]; readonly head: Head }> {
    const { fields, head } = await this.#ask("/blocks", { from, to }, signal);
    const blocks = listOf(fields.blocks, "blocks").map((line) => this.#block(line));
    const last = blocks.at(-1);
    if (last === undefined) {
      if (from <= Math.min(to, head.height)) throw altered("the server leaves blocks out", from, "height");
      return { blocks, head };
    }
    for (const [at, block] of blocks.entries()) {
      const previous = blocks[at - 1];
      const isNext = block.header.height === from + at && block.header.height <= to;
      const isLinked = previous === undefined || equalBytes(block.header.previousHash, previous.hash);
      if (!isNext || !isLinked)
        throw altered("blocks do not follow one another", block.header.height, "previousHash");
    }
    this.#verified.demandPlace(last, head, fields.proof);
    return { blocks, head };
  }

  #block(line: unknown): Block {
    let block: Block;
    try {
      block = parseExportLine(line);
    } catch {
      throw malformed("blocks");
    }
    checkBlock(block, this.chainId);
    return block;
  }

  /** Sends what waits, batch by batch in order: numbers of one account must not overtake each other on the way. */
  async #send(): Promise<void> {
    // What is submitted in one go is sent in one request.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#takeBatch();
      try {
        await this.#sendBatch(batch);
      } catch (error) {
        const failure = unknownOutcome(error);
        for (const waiting of batch) waiting.reject(failure);
      }
    }
    this.#sending = undefined;
  }

  #takeBatch(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { transaction } of this.#queue) {
      bytes += transaction.length;
      if (count === batchMax || (count > 0 && bytes > batchBytesMax)) break;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  async #sendBatch(batch: readonly Waiting[]): Promise<void> {
    const seen = this.#verified.head.height;
    const fields = await this.#connection.json({
      target: `/v1/ledger/transactions?seen=${seen}`,
      json: { transactions: batch.map(({ transaction }) => toHex(transaction)) },
    });
    const head = await this.#advance(fields.anchor, seen);
    const outcomes = listOf(fields.outcomes, "outcomes");
    if (outcomes.length !== batch.length) throw malformed("outcomes");
    for (const [at, waiting] of batch.entries()) {
      try {
        waiting.resolve(this.#outcome(fieldsOf(outcomes[at], "outcomes"), head, waiting.transaction));
      } catch (error) {
        waiting.reject(error);
      }
    }
  }

  #outcome(outcome: Fields, head: Head, transaction: Uint8Array): Submitted {
    if (outcome.problem !== undefined) throw fromProblem(outcome.problem) ?? malformed("problem");
    const identifier = this.#identifierOf(transaction, head.height);
    const { bytes, height, index, header } = this.#found(outcome.found, head, identifier);
    if (!equalBytes(bytes, transaction)) {
      throw altered("the block holds another authorisation of this transaction", height, "transactions");
    }
    return { height, index, identifier, blockHash: hashHeader(header) };
  }
}

/** The value of an answer, proved under a root; null for a proved absence. */
function checkedValue(
  fields: Fields,
  stateRoot: Uint8Array,
  { kind, key, height }: { kind: StateKind; key: Uint8Array; height: number },
): Uint8Array | null {
  const value = fields.value === null ? null : bytesOf(fields.value, "value");
  if (verifyStateProof(stateRoot, kind, key, value, bytesOf(fields.proof, "proof"))) return value;
  throw altered("a value is not the one that the state holds", height, "stateRoot");
}

function noSuchBlock(height: number): ChartsealError {
  return new ChartsealError("input-invalid", "there is no block of that height", { data: { height } });
}

/** Once it was sent, a transaction may be in the chain whatever went wrong after. */
function unknownOutcome(error: unknown): unknown {
  if (!(error instanceof ChartsealError) || error.family !== "unavailable") return error;
  return new ChartsealError(error.code, error.message, {
    data: { ...error.data, outcome: "unknown" },
    cause: error,
  });
}
