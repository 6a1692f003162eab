/**
 * What every engine of the ledger gives, the embedded one and the consortium's alike; `test/conformance.ts` is run
 * against each. Everything read is checked against its hash first: damage is `chain-altered`, never a wrong answer.
 */
import type { Block, BlockHeader, Head } from "./block.ts";
import type { Commit } from "./commit.ts";
import type { StateKind } from "./state.ts";

export interface Submitted {
  readonly height: number;
  /** Position in the block, from 0. */
  readonly index: number;
  /** 32 bytes. */
  readonly identifier: Uint8Array;
  readonly blockHash: Uint8Array;
}

/** A value with its proof under the state root of `header`, which `commit` commits to. */
export interface ProvedState {
  /** null where the key is absent. */
  readonly value: Uint8Array | null;
  /** For `verifyStateProof`. */
  readonly proof: Uint8Array;
  readonly header: BlockHeader;
  readonly commit: Commit;
}

/** A transaction with its proof under the Merkle root of `header`, which `commit` commits to. */
export interface FoundTransaction {
  readonly bytes: Uint8Array;
  readonly height: number;
  readonly index: number;
  /** Siblings from the leaf up, for `verifyTransactionProof`. */
  readonly proof: readonly Uint8Array[];
  readonly header: BlockHeader;
  readonly commit: Commit;
}

export interface Ledger {
  /** 32 bytes. */
  readonly chainId: Uint8Array;
  readonly genesis: Uint8Array;

  /** The last block; height 0 where there is none yet. */
  head(): Promise<Head>;

  /**
   * Resolves when the transaction is in a block that is durable and final.
   * @throws ChartsealError `transaction-refused`, data {refusal: number, name}; `input-invalid` for what is no
   *   transaction; after `ledger-unreachable`, data {outcome: "unknown"}, it may be in the chain or not
   */
  submit(transaction: Uint8Array): Promise<Submitted>;

  /** A value of the state at the head. */
  read(kind: StateKind, key: Uint8Array): Promise<Uint8Array | undefined>;

  /** A value at a height (default: the head), with its proof. @throws ChartsealError `input-invalid` for no such block */
  prove(kind: StateKind, key: Uint8Array, height?: number): Promise<ProvedState>;

  /** A transaction of the chain, or undefined. */
  transaction(identifier: Uint8Array): Promise<FoundTransaction | undefined>;

  /** A block, or undefined above the head. */
  block(height: number): Promise<Block | undefined>;

  /** Blocks `from` to `to`, both included; to the head of now where `to` is left out. */
  blocks(from: number, to?: number): AsyncIterable<Block>;

  /** Blocks from `from` on, then each new one, until the ledger is closed or the signal aborts. */
  watch(from: number, signal?: AbortSignal): AsyncIterable<Block>;

  close(): Promise<void>;
}
