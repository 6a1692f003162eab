/**
 * What a provider keeps, handed in by whoever runs it: objects, leaf hashes, the readers' transform keys, a journal of
 * what it did, and tombstones that outlive backups (CONTRACT, Files). Each call is durable when it resolves.
 */
import type { AttributeKey } from "@chartseal/crypto";
import type { ObjectStore } from "@chartseal/storage";

/** A reader's transform key in custody. Opens nothing alone: only the reader's z finishes what it begins. */
export interface CustodyKey {
  readonly keyId: Uint8Array;
  readonly key: AttributeKey;
}

/**
 * Transform keys, encrypted at rest. One of an account's is live; while a new one is being announced on the ledger both
 * are kept, since only the ledger says which counts.
 */
export interface TransformKeyStore {
  get(account: Uint8Array, keyId: Uint8Array): Promise<CustodyKey | undefined>;
  /** Keeps a key beside what is there. */
  put(account: Uint8Array, key: CustodyKey): Promise<void>;
  /** Deletes every key of the account but this one. */
  settle(account: Uint8Array, keyId: Uint8Array): Promise<void>;
  /** Deletes every key of the account. */
  remove(account: Uint8Array): Promise<void>;
  /** Accounts with a key. */
  accounts(): Promise<readonly Uint8Array[]>;
}

/** `taken` is written before an object can be seen, `removed` after it is gone. */
export interface JournalEntry {
  readonly event: "taken" | "removed";
  readonly address: string;
  readonly atMs: number;
}

export interface Journal {
  append(entry: JournalEntry): Promise<void>;
  /** All entries, oldest first. */
  entries(): AsyncIterable<JournalEntry>;
}

/** The transaction behind a tombstone; whole, so that a ledger that lost it can take it again (CONTRACT, Files). */
interface TombstoneOrigin {
  /** Its identifier in hex; a block's hash where the transaction itself was not found. */
  readonly transaction: string;
  /** Its bytes in hex. */
  readonly bytes?: string;
}

/** What must stay gone, whatever backup comes back. */
export type Tombstone =
  | (TombstoneOrigin & { readonly kind: "erased"; readonly recordId: string; readonly address: string })
  | (TombstoneOrigin & {
      readonly kind: "revoked";
      readonly account: string;
      readonly attributes: readonly string[];
    });

/** Written before the deed and never removed. */
export interface Tombstones {
  add(tombstone: Tombstone): Promise<void>;
  list(): Promise<readonly Tombstone[]>;
}

/** Request id → the account whose reveal it answered, encrypted at rest; needed until the grant lapses. */
export interface AnsweredStore {
  get(requestId: Uint8Array): Promise<Uint8Array | undefined>;
  put(requestId: Uint8Array, account: Uint8Array): Promise<void>;
}

export interface ProviderStores {
  /** Payloads at `address`, headers at `address`.header, and nothing else. */
  readonly objects: ObjectStore;
  /** Headers of a rekey that the ledger has not taken yet, at `recordId`. */
  readonly pending: ObjectStore;
  /** Leaf hashes at `address`, and their span tree at `address`.tree above 4,096 leaves. */
  readonly leaves: ObjectStore;
  readonly keys: TransformKeyStore;
  readonly answered: AnsweredStore;
  readonly journal: Journal;
  readonly tombstones: Tombstones;
}

/** The name of a payload's header. */
export function headerName(address: string): string {
  return `${address}.header`;
}
