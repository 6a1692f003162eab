/**
 * Who takes part in the journeys, and what each asks of the other (DESIGN, Who takes part).
 *
 * A member's client talks to three services through these interfaces; in one process they are objects, over the network
 * they are an HTTP client with the same calls. Everything a party needs (stores, ledger, clock) is handed in.
 */
import type { G1, LeafSource, Pairing, Scalar } from "@chartseal/crypto";
import type { Ledger, Submitted, TransformStatement } from "@chartseal/ledger";
import type { Placement } from "@chartseal/storage";
import type { Auditable } from "./audit/challenge.ts";

/** What every party has: the group, the ledger it reads, the time. */
export interface Surroundings {
  readonly pairing: Pairing;
  readonly ledger: Ledger;
  /** Milliseconds since 1970, handed in: no library reads a clock. */
  now(): number;
}

/** An Ed25519 account with its X25519 key for HPKE. */
export interface Identity {
  /** 20 bytes. */
  readonly account: Uint8Array;
  /** Ed25519 seed, 32 bytes. */
  readonly seed: Uint8Array;
  /** Ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** X25519 secret and public key, 32 bytes each. */
  readonly hpkeSecret: Uint8Array;
  readonly hpkePublic: Uint8Array;
  /** X25519 secrets of keys that the account replaced: what was sealed to them still opens. */
  readonly earlierHpkeSecrets?: readonly Uint8Array[];
}

/** A member's secrets, as the client holds them while a command runs. */
export interface MemberKeys extends Identity {
  /** z, the secret that finishes a transform; null until a key was issued. */
  recoveryKey: Scalar | null;
  /** Id of the live transform key that z belongs to, 32 bytes. */
  transformKeyId: Uint8Array | null;
  /** K_base, the base of all signing keys; null until issued. */
  baseKey: G1 | null;
  /** `name@namespace#period` → K_u. */
  readonly signingKeys: Map<string, G1>;
}

/** What the provider gives a proved reader: T, its signed word for it, the header, the leaf hashes and the payload. */
export interface Transformed {
  /** T, 576 bytes, untrusted. */
  readonly transform: Uint8Array;
  readonly statement: TransformStatement;
  readonly header: Uint8Array;
  readonly leaves: LeafSource;
  /** Ciphertext bytes from `offset`, `length` of them; with `lend` a piece may be only until the next is asked for. */
  payload(offset: number, length: number, options?: { readonly lend?: boolean }): AsyncIterable<Uint8Array>;
  /** Where the payload lies and its size: other bytes never lie at the same address. */
  readonly stored?: { readonly address: string; readonly bytes: number };
  /** A short-lived URL at which the store itself gives the payload, by GET and Range; undefined where it cannot. */
  readonly directUrl?: () => Promise<string | undefined>;
}

/** The reader's signed words at the transform (CRYPTO §3.1, Reveal). */
export interface Reveal {
  readonly requestId: Uint8Array;
  readonly recordId: Uint8Array;
  readonly account: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly transformKeyId: Uint8Array;
  readonly oneTimePublicKey: Uint8Array;
  readonly oneTimeSignature: Uint8Array;
  readonly accountSignature: Uint8Array;
}

export interface TakeOptions {
  readonly chunkBytes?: number;
  /** Over how many of the provider's places, and in which regions; else as it does by default. */
  readonly placement?: Placement;
  /** Regions in which it may lie, where nothing else is asked. */
  readonly regions?: readonly string[];
}

/** A payload on its way past the provider into its store. */
export interface DirectUpload {
  /** Where the payload will be. */
  readonly address: string;
  /** Names the upload towards the store. */
  readonly uploadId: string;
}

/** Uploads past the provider, of one whose store can take them. */
export interface DirectIntake {
  /** Sizes of the parts that are not the last, each from a number on. */
  readonly partSizes: readonly { readonly from: number; readonly bytes: number }[];
  readonly partsMax: number;
  /** False of a payload that is to be divided: that one passes the provider. @throws ChartsealError as `begin` */
  takes(options: TakeOptions): boolean;
  /** @throws ChartsealError as `takePayload` before its first byte */
  begin(options: TakeOptions): Promise<DirectUpload>;
  /** Where the store takes that part, of exactly that size, by PUT, for some minutes. */
  partUrl(upload: DirectUpload, part: { readonly number: number; readonly size: number }): Promise<string>;
  /**
   * Makes the parts a payload, after reading all of it back: only what gives that digest is kept. Asked again, it goes on.
   * @throws ChartsealError `object-altered`; `input-invalid` where parts are missing; `object-missing`
   */
  complete(
    upload: DirectUpload,
    payload: { readonly size: number; readonly digest: Uint8Array; readonly chunkBytes?: number },
  ): Promise<{ readonly address: string; readonly bytes: number }>;
  /** Forgets the parts. */
  abort(upload: DirectUpload): Promise<void>;
}

/** The storage provider, which is also the relay; anyone may audit what it stores. */
export interface Provider extends Auditable {
  readonly account: Uint8Array;
  /** True where `takePayload` holds no piece after it asked for the next, so that the source may lend its memory. */
  readonly takesLent?: boolean;
  /** Refuses what `takePayload` would refuse before its first byte, so that nothing is sealed and sent in vain. */
  demandRoom?(options: TakeOptions): Promise<void>;
  /** Where its store takes payloads itself. */
  readonly direct?: DirectIntake | undefined;
  /** Takes a sealed payload as a stream; a source that fails leaves nothing. Answers with the address. */
  takePayload(
    source: AsyncIterable<Uint8Array>,
    options?: TakeOptions,
  ): Promise<{ readonly address: string; readonly bytes: number }>;
  /**
   * Stores the header beside its payload, after checking it against the body of the deposit or rekey that will register
   * it; answers with its signature over the storage receipt.
   */
  takeHeader(input: {
    readonly header: Uint8Array;
    readonly body: Uint8Array;
  }): Promise<StorageReceiptSignature>;
  /** Checks the attribute signature, signs the envelope and submits (CRYPTO §3.1, relay). */
  relay(transaction: Uint8Array): Promise<Submitted>;
  /** Checks the grant, leaves the receipt on the ledger, and only then computes T (CRYPTO §3.1). */
  transform(reveal: Reveal): Promise<Transformed>;
  /** Combines t answers to an issue into the account's live transform key, and says so on the ledger. */
  takeIssue(input: {
    readonly requestId: Uint8Array;
    readonly answers: readonly SealedAnswer[];
  }): Promise<{ readonly keyId: Uint8Array }>;
  /** Destroys an erased record's objects and signs for each of its copies. */
  destroy(input: { readonly recordId: Uint8Array }): Promise<readonly ErasedCopySignature[]>;
  /** Destroys the objects of payloads of this record that a rekey has replaced. */
  discard(input: { readonly recordId: Uint8Array }): Promise<void>;
  /** Says on the ledger in which regions the record's payload lies; nothing of a provider that has no places. */
  placed?(input: { readonly recordId: Uint8Array }): Promise<void>;
  /** Acts on what the ledger says by now: revoked attributes, erased records, rekeyed headers. */
  follow(): Promise<void>;
}

export interface ErasedCopySignature {
  readonly holder: Uint8Array;
  readonly address: string;
  readonly signature: Uint8Array;
}

export type StorageReceiptSignature = { readonly provider: Uint8Array; readonly signature: Uint8Array };

/** One authority node's answer to an issue, sealed to the provider; or its share of a base key, sealed to the account. */
export interface SealedAnswer {
  readonly node: number;
  readonly sealed: Uint8Array;
}

/** One node of the authority committee. */
export interface AuthorityNode {
  readonly index: number;
  /** Answers what the ledger shows as granted, sealed to the provider's registered key. */
  answer(requestId: Uint8Array): Promise<SealedAnswer>;
  /** [a0_i]K_0 of an enrolled account, sealed to the account's registered key. */
  basePartial(account: Uint8Array): Promise<SealedAnswer>;
}

/** A hospital's service for its namespace: vouches, periods, signing keys. */
export interface NamespaceService {
  readonly name: string;
  /** K_u for every attribute in force of the account in its current period, sealed to the account's registered key. */
  signingKeys(input: { account: Uint8Array; baseKey: Uint8Array }): Promise<Uint8Array>;
}

/** A namespace as whoever runs it sees it: it can be told to vouch and to revoke. */
export interface Hospital extends NamespaceService {
  readonly account: Uint8Array;
  vouch(account: Uint8Array, attributes: readonly string[]): Promise<Submitted>;
  vouchFull(account: Uint8Array, attributes: readonly string[], digest: Uint8Array): Promise<Submitted>;
  /** Longer public lists: policies over its attributes may have so many columns. */
  extend(columns: number): Promise<Submitted>;
  /** No attributes: all of this namespace. */
  revoke(account: Uint8Array, attributes: readonly string[]): Promise<Submitted>;
}
