/**
 * Who stands behind a transaction: what each part of an authorisation signs, made by clients and checked by the machine
 * (CRYPTO §3.1). Ed25519 signatures of 64 bytes, each under its own tag:
 *
 *   account          ledger/tx ‖ chain id ‖ era u64 ‖ account ‖ sequence u64 ‖ u64 length ‖ body
 *   one-time key     ledger/one-time ‖ identifier
 *   relay            ledger/relay ‖ chain id ‖ relay ‖ SHA-256(body ‖ one-time signature ‖ attribute signature)
 *   storage receipt  ledger/storage-receipt ‖ record id ‖ u64 length ‖ address ‖ SHA-256(header) ‖ payload digest ‖
 *                    payload length u64
 *   admission        ledger/admission ‖ identifier
 */
import {
  ed25519KeyPairFromSeed,
  fixed,
  type HashPart,
  hash,
  sha256,
  signTagged,
  u64,
  utf8,
  verifyTagged,
} from "@chartseal/crypto";
import type { SignatureCheck } from "./signature-memory.ts";
import { type Admission, type Authorisation, decodeBody, identifierOf } from "./transaction.ts";

/** The account of an Ed25519 key: the first 20 bytes of SHA-256("chartseal-v1/ledger/account\0" ‖ key). */
export function accountOf(publicKey: Uint8Array): Uint8Array {
  return hash("ledger/account", fixed(publicKey)).slice(0, 20);
}

/** The id of a record or a request, 32 bytes: nobody but the holder of its one-time key can use it. */
export function idOf(chainId: Uint8Array, oneTimePublicKey: Uint8Array): Uint8Array {
  return hash("ledger/id", fixed(chainId), fixed(oneTimePublicKey));
}

/**
 * An account's signature over a body, with the account's next sequence number. `account`: whose the key is now, where it
 * is not the one that the account began with.
 */
export function signAsAccount(options: {
  readonly seed: Uint8Array;
  readonly sequence: number;
  readonly body: Uint8Array;
  readonly account?: Uint8Array;
}): NonNullable<Authorisation["account"]> {
  const { seed, sequence, body } = options;
  const account = options.account ?? accountOf(ed25519KeyPairFromSeed(seed).publicKey);
  const signature = signTagged(seed, "ledger/tx", ...accountParts(account, sequence, body, decodeBody(body)));
  return { account, sequence, signature };
}

export function verifyAsAccount(
  publicKey: Uint8Array,
  { account, sequence, signature }: NonNullable<Authorisation["account"]>,
  body: Uint8Array,
  place: { readonly chainId: Uint8Array; readonly era: number },
  check: SignatureCheck = verifyTagged,
): boolean {
  return check(publicKey, signature, "ledger/tx", ...accountParts(account, sequence, body, place));
}

function accountParts(
  account: Uint8Array,
  sequence: number,
  body: Uint8Array,
  { chainId, era }: { readonly chainId: Uint8Array; readonly era: number },
): HashPart[] {
  return [fixed(chainId), fixed(u64(era)), fixed(account), fixed(u64(sequence)), body];
}

/** The one-time key's signature over the identifier. */
export function signOneTime(seed: Uint8Array, body: Uint8Array): NonNullable<Authorisation["oneTime"]> {
  const { publicKey } = ed25519KeyPairFromSeed(seed);
  return { publicKey, signature: signTagged(seed, "ledger/one-time", fixed(identifierOf(body))) };
}

export function verifyOneTime(
  { publicKey, signature }: NonNullable<Authorisation["oneTime"]>,
  identifier: Uint8Array,
  check: SignatureCheck = verifyTagged,
): boolean {
  return check(publicKey, signature, "ledger/one-time", fixed(identifier));
}

interface Enveloped {
  readonly chainId: Uint8Array;
  readonly body: Uint8Array;
  readonly oneTimeSignature: Uint8Array;
  readonly attributes: Uint8Array;
}

/** A relay's envelope around what an anonymous client sent; it checks the attribute signature first. */
export function signRelay(seed: Uint8Array, content: Enveloped): NonNullable<Authorisation["relay"]> {
  const account = accountOf(ed25519KeyPairFromSeed(seed).publicKey);
  return { account, signature: signTagged(seed, "ledger/relay", ...relayParts(account, content)) };
}

export function verifyRelay(
  publicKey: Uint8Array,
  { account, signature }: NonNullable<Authorisation["relay"]>,
  content: Enveloped,
  check: SignatureCheck = verifyTagged,
): boolean {
  return check(publicKey, signature, "ledger/relay", ...relayParts(account, content));
}

function relayParts(relay: Uint8Array, content: Enveloped): HashPart[] {
  const { chainId, body, oneTimeSignature, attributes } = content;
  const parts = [u64(body.length), body, oneTimeSignature, u64(attributes.length), attributes];
  return [fixed(chainId), fixed(relay), fixed(sha256(...parts))];
}

/** What a provider signs when header and payload are durable. */
export interface StorageReceipt {
  readonly recordId: Uint8Array;
  readonly address: string;
  /** SHA-256(header). */
  readonly headerHash: Uint8Array;
  readonly payloadDigest: Uint8Array;
  /** Ciphertext or plaintext length as the header holds it, in bytes. */
  readonly payloadLength: number;
}

export function signStorageReceipt(
  seed: Uint8Array,
  receipt: StorageReceipt,
): NonNullable<Authorisation["storageReceipt"]> {
  const provider = accountOf(ed25519KeyPairFromSeed(seed).publicKey);
  return { provider, signature: signTagged(seed, "ledger/storage-receipt", ...receiptParts(receipt)) };
}

export function verifyStorageReceipt(
  publicKey: Uint8Array,
  signature: Uint8Array,
  receipt: StorageReceipt,
  check: SignatureCheck = verifyTagged,
): boolean {
  return check(publicKey, signature, "ledger/storage-receipt", ...receiptParts(receipt));
}

function receiptParts(receipt: StorageReceipt): HashPart[] {
  const { recordId, address, headerHash, payloadDigest, payloadLength } = receipt;
  return [fixed(recordId), utf8(address), fixed(headerHash), fixed(payloadDigest), fixed(u64(payloadLength))];
}

/** A validator's vote for what a body admits. */
export function signAdmission(seed: Uint8Array, body: Uint8Array): Admission {
  const validator = ed25519KeyPairFromSeed(seed).publicKey;
  return { validator, signature: signTagged(seed, "ledger/admission", fixed(identifierOf(body))) };
}

export function verifyAdmission({ validator, signature }: Admission, identifier: Uint8Array): boolean {
  return verifyTagged(validator, signature, "ledger/admission", fixed(identifier));
}

/** The holder of a copy attests that it destroyed it. */
export interface ErasedCopy {
  readonly chainId: Uint8Array;
  readonly recordId: Uint8Array;
  readonly address: string;
}

export function signErasedCopy(
  seed: Uint8Array,
  copy: ErasedCopy,
): { holder: Uint8Array; address: string; signature: Uint8Array } {
  const holder = accountOf(ed25519KeyPairFromSeed(seed).publicKey);
  const signature = signTagged(seed, "sharing/certificate", ...copyParts(holder, copy));
  return { holder, address: copy.address, signature };
}

export function verifyErasedCopy(
  publicKey: Uint8Array,
  { holder, signature }: { readonly holder: Uint8Array; readonly signature: Uint8Array },
  copy: ErasedCopy,
): boolean {
  return verifyTagged(publicKey, signature, "sharing/certificate", ...copyParts(holder, copy));
}

function copyParts(holder: Uint8Array, { chainId, recordId, address }: ErasedCopy): HashPart[] {
  return [fixed(chainId), fixed(holder), fixed(recordId), utf8(address)];
}
