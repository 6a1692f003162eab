/**
 * A stranger's check of a whole chain, from the genesis' rules and the lines of `ledger export`: links, hashes, Merkle
 * roots, sizes, counts, commits, and every state root by replaying every transaction. It reports all that it finds,
 * with height and field, and does not stop at the first. Memory grows with the state, not with the chain.
 */
import { ChartsealError, type ErrorData, equalBytes, fromHex, toHex } from "@chartseal/crypto";
import { type Block, blockFaults, decodeHeader, encodeHeader, type Head, headOf } from "./block.ts";
import {
  CommitChain,
  type CommitJson,
  commitJson,
  commitsAlone,
  isCometCommit,
  parseCommit,
  type StakedValidator,
  validatorSetHash,
} from "./commit.ts";
import { type AppliedTransaction, executeBlock, genesisHead, type Rules, stateAt } from "./machine.ts";
import { MemoryNodes, type NodeSource, type StateUpdate } from "./state-tree.ts";

/** One line of `ledger export` (CONTRACT): byte strings are lower-case hex. */
export interface ExportLine {
  readonly height: number;
  readonly header: string;
  readonly hash: string;
  readonly transactions: readonly string[];
  readonly commit: CommitJson;
}

export interface ChainFinding {
  readonly height: number;
  /** The header's field, or `hash`, `commit`, `transactions`, `line`. */
  readonly field: string;
  /** Position of the transaction in its block, where one is to blame. */
  readonly transaction?: number;
  /** Of a state root: the one that the replay gave, hex. */
  readonly expected?: string;
  readonly detail: string;
}

export interface ChainReport {
  readonly ok: boolean;
  /** The first height that was looked at: 1, or where the chain began with a snapshot that block's. */
  readonly from: number;
  readonly blocks: number;
  readonly transactions: number;
  /** The last block, as its own bytes say. */
  readonly head: Head;
  /** Up to this height every state root was recomputed and is right. */
  readonly stateCheckedTo: number;
  readonly findings: readonly ChainFinding[];
}

/** Nodes of a replay: the latest state in memory, or a store that must hold every node already. */
export interface ReplayNodes extends NodeSource {
  /** Takes the tree of the genesis, then of each block. */
  add(update: StateUpdate): void;
  forget(hashes: Iterable<Uint8Array>): void;
}

/** The latest state and no more. */
function inMemory(): ReplayNodes {
  const nodes = new MemoryNodes();
  return {
    load: (hash) => nodes.load(hash),
    add: ({ added }) => nodes.add(added),
    forget: (hashes) => nodes.forget(hashes),
  };
}

export function exportLine(block: Block): ExportLine {
  return {
    height: block.header.height,
    header: toHex(encodeHeader(block.header)),
    hash: toHex(block.hash),
    transactions: block.transactions.map(toHex),
    commit: commitJson(block.commit),
  };
}

/** A block from a parsed line, strictly. @throws ChartsealError `encoding-invalid` */
export function parseExportLine(line: unknown): Block {
  const { height, header, hash, transactions, commit } = fields(line);
  const decoded = decodeHeader(hexOf(header));
  if (decoded.height !== height) throw malformed("the line's height is not the header's");
  if (!Array.isArray(transactions)) throw malformed("transactions are a list");
  return {
    header: decoded,
    hash: hexOf(hash, 32),
    transactions: transactions.map((transaction) => hexOf(transaction)),
    commit: parseCommit(commit),
  };
}

function malformed(message: string): ChartsealError {
  return new ChartsealError("encoding-invalid", message);
}

function fields(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw malformed("a line of the export is an object");
  return value as Record<string, unknown>;
}

function hexOf(value: unknown, size?: number): Uint8Array {
  if (typeof value !== "string") throw malformed("byte strings are lower-case hex");
  return fromHex(value, size);
}

/** A fault of what is checked; a store that cannot be reached, or a bug of ours, is none. */
function isFault(error: unknown): error is ChartsealError {
  return error instanceof ChartsealError && error.family !== "unavailable" && error.family !== "defect";
}

const findingsMax = 1_000;

/** The check itself, fed block by block; `verifyChain` feeds it an export, an engine its own store. */
export class ChainCheck {
  readonly #rules: Rules;
  readonly #nodes: ReplayNodes;
  readonly #findings: ChainFinding[] = [];
  #head: Head;
  #from = 1;
  #blocks = 0;
  #transactions = 0;
  #stateCheckedTo = 0;
  #replaying = true;
  readonly #commits: CommitChain;
  /** As the state holds them after the last block that was replayed; undefined for rules that know none. */
  #validators: readonly StakedValidator[] | undefined;
  /** False after a block that could not be read: the next one's links say nothing new. */
  #linked = true;

  constructor(rules: Rules, nodes: ReplayNodes = inMemory()) {
    this.#rules = rules;
    this.#nodes = nodes;
    const { head, update } = genesisHead(rules);
    this.#head = head;
    this.#guard(0, () => nodes.add(update));
    this.#validators = this.#guard(0, () => rules.validators?.(stateAt(nodes, head)));
    this.#commits = new CommitChain(this.#validators ?? []);
  }

  find(height: number, field: string, detail: string, data: ErrorData = {}): void {
    const { transaction, expected } = data;
    if (this.#findings.length >= findingsMax) return;
    this.#findings.push({
      height,
      field,
      ...(typeof transaction === "number" ? { transaction } : {}),
      ...(typeof expected === "string" ? { expected } : {}),
      detail,
    });
  }

  /** What should be a block and cannot be read as one. */
  unreadable(error: unknown): void {
    if (!isFault(error)) throw error;
    const height = error.data.height ?? this.#head.height + 1;
    this.find(Number(height), "line", error.message);
    this.#replaying = false;
    this.#linked = false;
    this.#commits.lose();
  }

  /**
   * Begins with a snapshot's block in the place of the genesis: what lies before it, and what it was made from, is not here.
   * `isStateWhole`: the nodes hold every node under its state root. That it follows from the genesis is not shown.
   */
  begin(block: Block, isStateWhole: boolean): void {
    const { height } = block.header;
    const faults = blockFaults(block, this.#rules.chainId);
    for (const { field, detail } of faults) this.find(height, field, detail);
    this.#commits.lose();
    this.#commit(block);
    this.#from = height;
    this.#blocks++;
    this.#transactions += block.transactions.length;
    this.#head = headOf(block);
    this.#replaying = isStateWhole && faults.every(({ field }) => field === "commit");
    if (!this.#replaying) return;
    this.#stateCheckedTo = height;
    this.#guard(height, () => this.#followValidators(block));
  }

  /** Checks the next block; what its transactions gave, where they could be replayed. */
  block(block: Block): readonly AppliedTransaction[] | undefined {
    const faults = blockFaults(block, this.#rules.chainId, this.#linked ? this.#head : undefined);
    this.#linked = true;
    const { height } = block.header;
    for (const { field, detail } of faults) this.find(height, field, detail);
    this.#commit(block);
    this.#blocks++;
    this.#transactions += block.transactions.length;
    if (faults.some(({ field }) => field !== "commit" && field !== "hash")) this.#replaying = false;
    const results = this.#replaying ? this.#guard(height, () => this.#replay(block)) : undefined;
    this.#head = headOf(block);
    if (this.#replaying) this.#guard(height, () => this.#followValidators(block));
    return results;
  }

  /** Who signed a commit that is right in itself: all others have no say. */
  #commit({ header, commit }: Block): void {
    if (isCometCommit(commit)) {
      const fault = this.#validators === undefined ? undefined : this.#commits.take(commit);
      if (fault !== undefined) this.find(header.height, "commit", fault);
      return;
    }
    if (this.#validators === undefined || commitsAlone(this.#validators, header.proposer)) return;
    const detail = "the commit is one validator's alone, of no more than two thirds of the stake";
    this.find(header.height, "commit", detail);
  }

  /** CometBFT must have been told of the validators that the block leaves, since they sign what follows. */
  #followValidators({ header, commit }: Block): void {
    this.#validators = this.#rules.validators?.(stateAt(this.#nodes, this.#head));
    if (this.#validators === undefined || !isCometCommit(commit)) return;
    const next = commit.signedHeader.header.nextValidatorsHash;
    if (!equalBytes(next, validatorSetHash(this.#validators))) {
      this.find(header.height, "commit", "the commit names other next validators than the state holds");
    }
  }

  #replay(block: Block): readonly AppliedTransaction[] | undefined {
    const { header, transactions } = block;
    const { timestampMs, proposer } = header;
    const input = {
      nodes: this.#nodes,
      previous: this.#head,
      rules: this.#rules,
      timestampMs,
      proposer,
      transactions,
    };
    const executed = executeBlock(input);
    if (!equalBytes(executed.header.stateRoot, header.stateRoot)) {
      const expected = toHex(executed.header.stateRoot);
      this.find(header.height, "stateRoot", "the state root is not what the transactions give", { expected });
      this.#replaying = false;
      return undefined;
    }
    this.#nodes.add(executed.update);
    this.#nodes.forget(executed.update.replaced);
    this.#stateCheckedTo = header.height;
    return executed.results;
  }

  /** Runs a part of the replay; a refused transaction or a damaged node is a finding and ends it. */
  #guard<T>(height: number, work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!isFault(error)) throw error;
      const field =
        error.data.transaction === undefined ? String(error.data.field ?? "stateRoot") : "transactions";
      this.find(height, field, error.message, error.data);
      this.#replaying = false;
      return undefined;
    }
  }

  report(): ChainReport {
    return {
      ok: this.#findings.length === 0,
      from: this.#from,
      blocks: this.#blocks,
      transactions: this.#transactions,
      head: this.#head,
      stateCheckedTo: this.#stateCheckedTo,
      findings: this.#findings,
    };
  }
}

/**
 * Checks an export against the rules of a genesis. `lines` are parsed JSON values.
 * `trusted` is a block that the caller verified before: a chain without it does not extend what was seen.
 */
export async function verifyChain(input: {
  readonly rules: Rules;
  readonly lines: AsyncIterable<unknown> | Iterable<unknown>;
  readonly trusted?: { readonly height: number; readonly hash: Uint8Array };
}): Promise<ChainReport> {
  const check = new ChainCheck(input.rules);
  const { trusted } = input;
  let seen = trusted === undefined || trusted.height === 0;
  for await (const line of input.lines) {
    try {
      const block = parseExportLine(line);
      check.block(block);
      if (block.header.height === trusted?.height) seen = equalBytes(block.hash, trusted.hash);
    } catch (error) {
      check.unreadable(error);
    }
  }
  if (!seen)
    check.find(trusted?.height ?? 0, "hash", "the chain does not hold the block that was verified before");
  return check.report();
}
