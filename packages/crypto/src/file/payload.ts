/**
 * The payload's parts: its descriptor, its keys and one chunk (CRYPTO §4).
 *
 * Chunks of 256 KiB, AES-GCM in the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár, CRYPTO 2015): nonce =
 * 11-byte big-endian counter ‖ last flag (0 or 1), associated data SHA-256(descriptor). Ciphertext chunk = plaintext + 16
 * bytes. An empty payload is one empty last chunk, and no chunk but the last is short. At most 2^22 chunks and 1 TiB.
 * Number of chunks, index and last flag always come from the payload length in the header, never from the sender.
 */
import { platform } from "#platform";
import { equalBytes } from "../bytes.ts";
import { type CborValue, decode, encode } from "../encoding.ts";
import { assert, ChartsealError } from "../errors.ts";
import { sha256, tagOf } from "../hash.ts";
import { hkdf } from "../kdf.ts";
import type { AesGcmKeySize } from "../platform/platform.ts";

export const formatVersion = 1;
export const chunkBytesDefault = 262_144;
export const payloadBytesMax = 2 ** 40;
export const chunksMax = 2 ** 22;
/** Tag of a chunk. */
export const tagBytes = 16;
const chunkBytesMin = 64;
const chunkBytesMax = 2 ** 20;
const fileKeyBytes = 32;

/** Content encryption: AES-GCM with a 128-, 192- or 256-bit key. */
export type Suite = "A128GCM" | "A192GCM" | "A256GCM";

const keySizes: Readonly<Record<Suite, AesGcmKeySize>> = { A128GCM: 16, A192GCM: 24, A256GCM: 32 };

/** What the payload's keys and every one of its chunks are bound to. */
export interface Descriptor {
  readonly suite: Suite;
  /** 32 random bytes. */
  readonly payloadId: Uint8Array;
  /** Plaintext bytes of every chunk but the last: a power of two, 64 to 2^20, normally 262,144. */
  readonly chunkBytes: number;
}

export function isSuite(value: unknown): value is Suite {
  return typeof value === "string" && Object.hasOwn(keySizes, value);
}

/** A power of two from 64 to 2^20. */
export function isChunkSize(value: unknown): value is number {
  return (
    typeof value === "number" &&
    Number.isSafeInteger(value) &&
    value >= chunkBytesMin &&
    value <= chunkBytesMax &&
    (value & (value - 1)) === 0
  );
}

/** A plaintext length that a payload of this chunk size can have. */
export function isPayloadLength(value: unknown, chunkBytes: number): value is number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) return false;
  return value <= payloadBytesMax && chunkCount(value, chunkBytes) <= chunksMax;
}

/** Deterministic CBOR [version, suite, payload id, chunk size]. @throws ChartsealError `encoding-invalid` */
export function encodeDescriptor(descriptor: Descriptor): Uint8Array {
  checkDescriptor(descriptor);
  return encode([formatVersion, descriptor.suite, descriptor.payloadId, descriptor.chunkBytes]);
}

/** @throws ChartsealError `encoding-invalid` */
export function decodeDescriptor(bytes: Uint8Array): Descriptor {
  const fields = decode(bytes, { sizeMax: 64 });
  if (!Array.isArray(fields) || fields.length !== 4 || fields[0] !== formatVersion) throw malformed();
  const [, suite, payloadId, chunkBytes] = fields as readonly CborValue[];
  const descriptor = { suite, payloadId, chunkBytes };
  checkDescriptor(descriptor);
  return descriptor;
}

function checkDescriptor(fields: {
  suite: unknown;
  payloadId: unknown;
  chunkBytes: unknown;
}): asserts fields is Descriptor {
  const { suite, payloadId, chunkBytes } = fields;
  const identified = payloadId instanceof Uint8Array && payloadId.length === 32;
  if (!isSuite(suite) || !identified || !isChunkSize(chunkBytes)) throw malformed();
}

function malformed(): ChartsealError {
  return new ChartsealError("encoding-invalid", "not a payload descriptor");
}

/** Chunks of a payload of `length` plaintext bytes: at least one. */
export function chunkCount(length: number, chunkBytes: number): number {
  return Math.max(1, Math.ceil(length / chunkBytes));
}

/** Bytes of the sealed payload: plaintext and one tag a chunk. */
export function sealedBytes(length: number, chunkBytes: number): number {
  return length + tagBytes * chunkCount(length, chunkBytes);
}

/** What seals and opens the chunks of one payload. */
export interface PayloadKeys {
  readonly key: Uint8Array;
  /** 32 bytes: AES-GCM alone lets one ciphertext open under two keys, so the key is committed to beside it. */
  readonly commitment: Uint8Array;
  /** SHA-256(descriptor). */
  readonly associated: Uint8Array;
}

/** HKDF-SHA-256(ikm fk, salt SHA-256(descriptor), info "…/payload" | "…/commit"). fk has 32 bytes. */
export function payloadKeys(fileKey: Uint8Array, descriptor: Descriptor): PayloadKeys {
  assert(fileKey.length === fileKeyBytes, "a file key has 32 bytes");
  const associated = sha256(encodeDescriptor(descriptor));
  return {
    key: hkdf(fileKey, associated, tagOf("file/payload"), keySizes[descriptor.suite]),
    commitment: hkdf(fileKey, associated, tagOf("file/commit"), 32),
    associated,
  };
}

/** @throws ChartsealError `header-altered` where the header commits to another key */
export function checkCommitment(keys: PayloadKeys, keyCommitment: Uint8Array): void {
  if (equalBytes(keys.commitment, keyCommitment)) return;
  throw new ChartsealError("header-altered", "the header commits to another payload key", {
    data: { field: "keyCommitment" },
  });
}

/** 12 bytes: 11-byte big-endian counter ‖ last flag. An index below 2^22 fills at most three bytes of the counter. */
function nonceOf(index: number, last: boolean): Uint8Array {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setUint32(7, index);
  nonce[11] = last ? 1 : 0;
  return nonce;
}

/**
 * The input of the chunk's leaf hash: 0x00 ‖ ciphertext ‖ tag. `subarray(1)` is the chunk as it is stored. `memory`, if
 * given, may hold the result (platform.ts).
 */
export function sealChunk(
  keys: PayloadKeys,
  index: number,
  last: boolean,
  plaintext: Uint8Array,
  memory?: Uint8Array,
): Promise<Uint8Array> {
  return platform.aesGcmSeal(keys.key, nonceOf(index, last), keys.associated, plaintext, 1, memory);
}

/** The plaintext, or null if the tag does not verify: never called before the chunk's hash was compared. */
export function openChunk(
  keys: PayloadKeys,
  index: number,
  last: boolean,
  ciphertext: Uint8Array,
  memory?: Uint8Array,
): Promise<Uint8Array | null> {
  return platform.aesGcmOpen(keys.key, nonceOf(index, last), keys.associated, ciphertext, memory);
}
