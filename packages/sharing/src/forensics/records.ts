/**
 * The records whose objects are checked: from the ledger's state where that can be read, else from the transactions of
 * the blocks that are left. What the two say is the same on a sound chain, by replay.
 */
import { ChartsealError, chunkCount, decodeDescriptor, sealedBytes, toHex } from "@chartseal/crypto";
import {
  decodeTransaction,
  entries,
  lists,
  type RecordValue,
  type Statement,
  type Transaction,
} from "@chartseal/ledger";
import { type Reader, readEntry, readList } from "../state.ts";

/** What the ledger says that a provider must hold of one record. */
export interface StoredRecord {
  /** 64 hex. */
  readonly recordId: string;
  /** 40 hex. */
  readonly owner: string;
  readonly policy: string;
  readonly address: string;
  readonly version: number;
  /** 40 hex: whose provider keeps it; unknown where only damaged blocks tell of the record. */
  readonly provider?: string;
  /** Height of the deposit. */
  readonly height: number;
  readonly erased: boolean;
  readonly headerHash: Uint8Array;
  readonly payloadDigest: Uint8Array;
  readonly keyCommitment: Uint8Array;
  /** Plaintext bytes. */
  readonly payloadLength: number;
  readonly chunkBytes: number;
  readonly chunks: number;
  /** Bytes of the stored payload. */
  readonly sealedBytes: number;
}

function fromStatement(statement: Statement) {
  const { chunkBytes } = decodeDescriptor(statement.descriptor);
  const { payloadLength, payloadDigest, keyCommitment } = statement;
  return {
    payloadLength,
    payloadDigest,
    keyCommitment,
    chunkBytes,
    chunks: chunkCount(payloadLength, chunkBytes),
    sealedBytes: sealedBytes(payloadLength, chunkBytes),
  };
}

export function storedRecord(recordId: Uint8Array, record: RecordValue): StoredRecord {
  const { owner, policy, address, version, height, headerHash } = record;
  return {
    recordId: toHex(recordId),
    owner: toHex(owner),
    policy,
    address,
    version,
    provider: toHex(record.provider),
    height,
    erased: record.erasedHeight !== null,
    headerHash,
    ...fromStatement(record.current),
  };
}

/** Every record of the state at the head. @throws ChartsealError `chain-altered` where the state cannot be read */
export async function recordsOfState(ledger: Reader): Promise<StoredRecord[]> {
  const found: StoredRecord[] = [];
  for (const recordId of await readList(ledger, lists.records)) {
    const record = await readEntry(ledger, entries.record, recordId);
    if (record === undefined)
      throw new ChartsealError("chain-altered", "a listed record is not in the state");
    found.push(storedRecord(recordId, record));
  }
  return found;
}

/** Follows the records through the transactions of a chain; what cannot be decoded is passed over. */
export class RecordsOfBlocks {
  readonly #records = new Map<string, StoredRecord>();

  transactions(height: number, transactions: readonly Uint8Array[]): void {
    for (const bytes of transactions) {
      const transaction = attempt(() => decodeTransaction(bytes));
      if (transaction !== undefined) attempt(() => this.#take(height, transaction));
    }
  }

  get records(): StoredRecord[] {
    return [...this.#records.values()];
  }

  #take(height: number, { body: { action }, authorisation }: Transaction): void {
    if (action.kind === "deposit") {
      const { owner, policy, address, headerHash, statement } = action;
      const recordId = toHex(action.recordId);
      const receipt = authorisation.storageReceipt;
      const at = receipt === undefined || receipt === null ? {} : { provider: toHex(receipt.provider) };
      const placed = { recordId, owner: toHex(owner), policy, address, headerHash, height, ...at };
      this.#records.set(recordId, { ...placed, version: 1, erased: false, ...fromStatement(statement) });
    }
    if (action.kind === "raise-era") {
      for (const bytes of action.tombstones) this.transactions(height, [bytes]);
    }
    if (action.kind !== "rekey" && action.kind !== "erase") return;
    const recordId = toHex(action.recordId);
    const record = this.#records.get(recordId);
    if (record === undefined) return;
    if (action.kind === "erase") this.#records.set(recordId, { ...record, erased: true });
    else {
      const { policy, address, headerHash, version, statement } = action;
      const payload = statement === null ? {} : fromStatement(statement);
      this.#records.set(recordId, { ...record, policy, address, headerHash, version, ...payload });
    }
  }
}

/** What a piece of damaged evidence gives, or undefined where it is no evidence. */
export function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof ChartsealError && error.family !== "defect") return undefined;
    throw error;
  }
}
