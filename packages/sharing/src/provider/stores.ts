/**
 * What a provider keeps, handed in by whoever runs it: objects, leaf hashes, the readers' transform keys, a journal of
 * what it did, and tombstones that outlive backups (CONTRACT, Files). Each call is durable when it resolves.
 */
import { type AttributeKey, fromHex, toHex } from "@chartseal/crypto";
import type { ObjectStore, PlacedStore, WholeStore } from "@chartseal/storage";
import type { Aside, AsideKind } from "./aside.ts";
import type { RepairNotes } from "./repair-notes.ts";

/** A reader's transform key in custody. Opens nothing alone: only the reader's z finishes what it begins. */
export interface CustodyKey {
  readonly keyId: Uint8Array;
  readonly key: AttributeKey;
  /** Attribute → hash of the part that a revocation took (custody-key.ts). */
  readonly dropped: ReadonlyMap<string, Uint8Array>;
}

/**
 * Transform keys, encrypted at rest, by account (20 bytes); those of emergencies and proxies in a store of their own, by
 * the grant's id (32 bytes) in the account's place. One of each is live; while a new one is being announced on the ledger
 * both are kept, since only the ledger says which counts.
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

/** What must stay gone, whatever backup comes back. `transaction`: the whole erasure, revocation or replacement of a key, hex. */
export type Tombstone =
  | {
      readonly kind: "erased";
      readonly recordId: string;
      readonly address: string;
      readonly transaction: string;
    }
  | {
      readonly kind: "revoked";
      readonly account: string;
      readonly attributes: readonly string[];
      readonly transaction: string;
    }
  | { readonly kind: "replaced"; readonly account: string; readonly transaction: string };

/** Written before the deed and never removed. */
export interface Tombstones {
  add(tombstone: Tombstone): Promise<void>;
  list(): Promise<readonly Tombstone[]>;
}

/**
 * Identifier of a receipt → the account that it names, encrypted at rest; needed until the grant lapses. By receipt and
 * not by request: of two readers with one one-time key, only the one whose receipt the ledger took is answered again.
 */
export interface AnsweredStore {
  get(receipt: Uint8Array): Promise<Uint8Array | undefined>;
  put(receipt: Uint8Array, account: Uint8Array): Promise<void>;
}

export interface ProviderStores {
  /** Payloads at `address`, headers at `address`.header, and nothing else. */
  readonly objects: ObjectStore;
  /** The same objects, where they are divided among places. */
  readonly placed?: PlacedStore | undefined;
  /** The bucket where new ones go whole that say no placement, with what was stored before. */
  readonly whole?: WholeStore | undefined;
  /** Headers that wait beside the present one until the ledger has taken their rekey, at `pendingName`. */
  readonly pending: ObjectStore;
  /** Leaf hashes at `address`, and their span tree at `address`.tree above 4,096 leaves. */
  readonly leaves: ObjectStore;
  readonly keys: TransformKeyStore;
  /** Keys of emergencies and proxies: nothing that happens to an account's keys touches them, nor the other way round. */
  readonly special: TransformKeyStore;
  readonly answered: AnsweredStore;
  /** Repairs that the ledger does not know of yet; without them a crash may leave one unsaid. */
  readonly repairs?: RepairNotes | undefined;
  /** What lies beside the objects and may be a copy of one, by what it is: quarantine, uploads under way. */
  readonly asides?: Map<AsideKind, Aside> | undefined;
  readonly journal: Journal;
  readonly tombstones: Tombstones;
}

/** The name of a payload's header. */
export function headerName(address: string): string {
  return `${address}.header`;
}

/** A header that waits for the ledger, by record (32 bytes), the version that it would make, and SHA-256(header). */
export interface PendingHeader {
  readonly recordId: Uint8Array;
  readonly version: number;
  readonly headerHash: Uint8Array;
}

/** The hash is in the name, so that nobody's proposal takes the place of the owner's. */
export function pendingName({ recordId, version, headerHash }: PendingHeader): string {
  return `${toHex(recordId)}.${version}.${toHex(headerHash)}`;
}

/** Undefined for what `pendingName` never gives. */
export function parsePendingName(name: string): PendingHeader | undefined {
  const [, recordId, version, headerHash] =
    /^([0-9a-f]{64})\.([1-9][0-9]{0,15})\.([0-9a-f]{64})$/.exec(name) ?? [];
  if (recordId === undefined || version === undefined || headerHash === undefined) return undefined;
  return { recordId: fromHex(recordId, 32), version: Number(version), headerHash: fromHex(headerHash, 32) };
}
