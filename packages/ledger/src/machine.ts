/**
 * The ledger's machine: one block after another, a pure function of the genesis, the blocks and the rules (DESIGN,
 * decision 1). Both engines drive it; it has no clock, no storage and no randomness of its own.
 *
 * At the start of every block but the first it writes the hash of the block before into the state (kind 0, key u64
 * height), so that a transaction naming a block is judged from state alone, after a snapshot too.
 */
import { assert, ChartsealError, toHex, u64 } from "@chartseal/crypto";
import { type BlockHeader, type Head, hashHeader, headerVersion, isTransaction } from "./block.ts";
import type { StakedValidator } from "./commit.ts";
import { transactionRoot } from "./merkle.ts";
import {
  blockKind,
  Overlay,
  Remembering,
  type StateAccess,
  type StateChange,
  type StateReader,
  Watching,
} from "./state.ts";
import { emptyRoot, type NodeSource, readState, type StateUpdate, updateState } from "./state-tree.ts";

/** Where in the chain a transaction is applied. */
export interface BlockPosition {
  readonly height: number;
  readonly timestampMs: number;
  /** Ed25519 public key of the block's proposer, 32 bytes. */
  readonly proposer: Uint8Array;
}

/** What the machine needs of a transaction that applied. */
export interface AppliedTransaction {
  /** 32 bytes, unique in the chain. */
  readonly identifier: Uint8Array;
}

/**
 * The rules of one chain, as the machine asks them. Deterministic; they read and write nothing but the state given.
 * `apply` throws ChartsealError `transaction-refused`, data {refusal: number, name}, and then nothing of it stays.
 */
export interface Rules {
  /** 32 bytes. */
  readonly chainId: Uint8Array;
  /** The genesis' bytes, of which the chain id is the hash. */
  readonly genesis: Uint8Array;
  /** The first block's timestamp is not before it. */
  readonly createdMs: number;
  /** Writes the genesis' entries into the empty state. */
  initialise(state: StateAccess): void;
  /** Whether this key may propose the next block. */
  mayPropose(state: StateAccess, proposer: Uint8Array): boolean;
  apply(state: StateAccess, position: BlockPosition, transaction: Uint8Array): AppliedTransaction;
  /** The validators with their weight, where the chain has any: who signs the next blocks. */
  validators?(state: StateAccess): readonly StakedValidator[];
  /** Keys of all that could propose at any time up to now, where the state tells: an engine may know their hashes only. */
  proposers?(state: StateAccess): readonly Uint8Array[];
  /**
   * An `apply` for the transactions of one block that has checked together what they share (a batch of signatures).
   * It may be faster and must never decide otherwise. Only for blocks that somebody proposed: of transactions that
   * just came in, none costs a pairing before its relay's quota was looked at.
   */
  prepare?(state: StateAccess, position: BlockPosition, transactions: readonly Uint8Array[]): Rules["apply"];
}

/** A block but for its commit, and what it does to the stored state. */
export interface ExecutedBlock {
  readonly header: BlockHeader;
  readonly hash: Uint8Array;
  readonly transactions: readonly Uint8Array[];
  readonly results: readonly AppliedTransaction[];
  readonly changes: readonly StateChange[];
  readonly update: StateUpdate;
  /** Validators whose stake it changed, by rising key; 0 for one that is in force no more. An embedded engine needs none. */
  readonly validatorUpdates: readonly StakedValidator[];
}

/** A transaction that was left out of a block, and why. */
export interface Dropped {
  readonly transaction: Uint8Array;
  readonly reason: unknown;
}

/** The head before block 1 and the nodes of its state. Its hash is block 1's previousHash, 32 zero bytes. */
export function genesisHead(rules: Rules): {
  head: Head;
  changes: readonly StateChange[];
  update: StateUpdate;
} {
  const overlay = new Overlay({ get: () => undefined });
  rules.initialise(overlay);
  const nothing: NodeSource = {
    load() {
      throw new ChartsealError("defect", "the empty state has no nodes");
    },
  };
  const changes = overlay.changes();
  const update = updateState(nothing, emptyRoot, changes);
  const head = { height: 0, hash: new Uint8Array(32), stateRoot: update.root, timestampMs: rules.createdMs };
  return { head, changes, update };
}

/** The state at a head, read-only in effect: what is written to it goes nowhere. */
export function stateAt(nodes: NodeSource, head: Head): StateAccess {
  return new Overlay({ get: (kind, key) => readState(nodes, head.stateRoot, kind, key) });
}

/** The state at a head as the blocks that are tried on it read it: each entry once, for all of them together. */
export function rememberedState(nodes: NodeSource, { stateRoot }: Head): StateReader {
  return new Remembering({ get: (kind, key) => readState(nodes, stateRoot, kind, key) });
}

/** What a block begins with. */
export interface BlockStart {
  readonly timestampMs: number;
  readonly proposer: Uint8Array;
  /** The state after the block before, where somebody read of it already (`rememberedState`). */
  readonly state?: StateReader | undefined;
}

/** A block in the making: transactions are added one by one, each applies whole or leaves nothing. */
export class BlockBuilder {
  readonly position: BlockPosition;
  readonly #nodes: NodeSource;
  readonly #previous: Head;
  readonly #state: Overlay;
  readonly #transactions: Uint8Array[] = [];
  readonly #results: AppliedTransaction[] = [];
  readonly #rules: Rules;
  #apply: Rules["apply"];
  #size = 0;
  /** The state before the block. The rules may take for a fault of the transaction what reading it failed with. */
  readonly #before: Watching;

  /**
   * Begins the block after `previous`. A clock that went back is held at the block before.
   * @throws ChartsealError `chain-altered` if the proposer may not propose
   */
  constructor(nodes: NodeSource, previous: Head, rules: Rules, next: BlockStart) {
    assert(
      Number.isSafeInteger(next.timestampMs) && next.timestampMs >= 0,
      "a timestamp is in whole milliseconds",
    );
    const timestampMs = Math.max(next.timestampMs, previous.timestampMs);
    this.position = { height: previous.height + 1, timestampMs, proposer: next.proposer };
    this.#nodes = nodes;
    this.#previous = previous;
    this.#rules = rules;
    this.#apply = (...asked) => rules.apply(...asked);
    // Most of what a transaction reads is what the one before it read.
    this.#before = new Watching(next.state ?? rememberedState(nodes, previous));
    this.#state = new Overlay(this.#before);
    if (!rules.mayPropose(this.#state, next.proposer)) {
      const data = { height: this.position.height, field: "proposer" };
      throw new ChartsealError("chain-altered", "the block's proposer may not propose", { data });
    }
    if (previous.height > 0) this.#state.put(blockKind, u64(previous.height), previous.hash);
  }

  /** Lets the rules check together what these transactions share, before they are added. */
  prepare(rules: Rules, transactions: readonly Uint8Array[]): void {
    const prepared = rules.prepare?.(new Overlay(this.#state), this.position, transactions);
    if (prepared !== undefined) this.#apply = prepared;
  }

  /** @throws ChartsealError `transaction-refused`, or `input-invalid` for what is no transaction at all */
  add(transaction: Uint8Array): AppliedTransaction {
    if (!isTransaction(transaction)) {
      throw new ChartsealError("input-invalid", "a transaction is a CBOR array of at most 256 KiB");
    }
    const own = new Overlay(this.#state);
    const result = this.#judge(own, transaction);
    own.writeTo(this.#state);
    this.#transactions.push(transaction);
    this.#size += transaction.length;
    this.#results.push(result);
    return result;
  }

  /** Damage of the store beneath is never a refusal, whatever the rules make of it. */
  #judge(own: Overlay, transaction: Uint8Array): AppliedTransaction {
    this.#before.failure = undefined;
    try {
      return this.#apply(own, this.position, transaction);
    } catch (error) {
      throw this.#before.failure ?? error;
    }
  }

  /** The block, its header hashed and the new state tree built. */
  finish(): ExecutedBlock {
    const transactions = this.#transactions;
    const changes = this.#state.changes();
    const update = updateState(this.#nodes, this.#previous.stateRoot, changes);
    const header: BlockHeader = {
      version: headerVersion,
      height: this.position.height,
      previousHash: this.#previous.hash,
      merkleRoot: transactionRoot(transactions),
      stateRoot: update.root,
      timestampMs: this.position.timestampMs,
      size: this.#size,
      transactionCount: transactions.length,
      proposer: this.position.proposer,
    };
    const results = this.#results;
    const validatorUpdates = this.#validatorUpdates();
    return { header, hash: hashHeader(header), transactions, results, changes, update, validatorUpdates };
  }

  #validatorUpdates(): StakedValidator[] {
    const { validators } = this.#rules;
    if (validators === undefined) return [];
    const stakes = (state: StateAccess) =>
      new Map(validators(state).map(({ publicKey, stake }) => [toHex(publicKey), { publicKey, stake }]));
    const before = stakes(new Overlay(this.#before));
    const after = stakes(this.#state);
    const all = [...new Map([...before, ...after])].sort(([a], [b]) => (a < b ? -1 : 1));
    return all.flatMap(([key, { publicKey }]) => {
      const stake = after.get(key)?.stake ?? 0;
      return stake === (before.get(key)?.stake ?? 0) ? [] : [{ publicKey, stake }];
    });
  }
}

export interface BlockInput extends BlockStart {
  readonly nodes: NodeSource;
  readonly previous: Head;
  readonly rules: Rules;
  readonly transactions: readonly Uint8Array[];
}

/**
 * One block of exactly these transactions.
 * @throws ChartsealError what the first one that does not apply was refused with, `transaction` its index in the data
 */
export function executeBlock(input: BlockInput): ExecutedBlock {
  const builder = new BlockBuilder(input.nodes, input.previous, input.rules, input);
  builder.prepare(input.rules, input.transactions);
  for (const [index, transaction] of input.transactions.entries()) {
    try {
      builder.add(transaction);
    } catch (error) {
      if (!(error instanceof ChartsealError)) throw error;
      const data = { ...error.data, transaction: index };
      throw new ChartsealError(error.code, error.message, { data, cause: error });
    }
  }
  return builder.finish();
}

/** Of the transactions offered, in order, those that apply one after another; the others with what refused them. */
export function selectTransactions(input: BlockInput): { selected: Uint8Array[]; dropped: Dropped[] } {
  const builder = new BlockBuilder(input.nodes, input.previous, input.rules, input);
  const selected: Uint8Array[] = [];
  const dropped: Dropped[] = [];
  for (const transaction of input.transactions) {
    try {
      builder.add(transaction);
      selected.push(transaction);
    } catch (reason) {
      dropped.push({ transaction, reason });
    }
  }
  return { selected, dropped };
}
