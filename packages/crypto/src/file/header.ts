/**
 * The header object: small, written after the payload, replaced by `rekey` (CRYPTO §2.1, §4).
 *
 * Deterministic CBOR array: the eleven fields of the context, then encapsulation, wrapped fk (48 bytes), encrypted
 * metadata (at most 64 KiB and 84 bytes). The encapsulation stays an opaque CBOR value here; cpabe/wire.ts reads it.
 * Under m and transcript: HKDF-SHA-256(ikm m, salt transcript, info "…/wrap" | "…/meta"), each key for exactly one
 * AES-256-GCM with zero nonce and associated data SHA-256(context); m is drawn anew for every header.
 */
import { platform } from "#platform";
import { type CborValue, decode, encode } from "../encoding.ts";
import { assert, ChartsealError } from "../errors.ts";
import { fixed, hash, sha256, tagOf } from "../hash.ts";
import { hkdf } from "../kdf.ts";
import { decodeMetadata, encodeMetadata, type Metadata, metadataBytesMax, saltBytes } from "./metadata.ts";
import {
  type Descriptor,
  formatVersion,
  isChunkSize,
  isPayloadLength,
  isSuite,
  tagBytes,
} from "./payload.ts";

/** The largest header: 256 policy rows are about 50 KiB, the metadata 64 KiB. */
export const headerBytesMax = 262_144;
const policyCharactersMax = 65_536;
const wrappedKeyBytes = 32 + tagBytes;
const zeroNonce = new Uint8Array(12);
/** CBOR around salt and metadata: array head, two byte-string heads. */
const sealedMetadataBytesMax = metadataBytesMax + saltBytes + 16 + tagBytes;

/** What an encapsulation, and with it the header, is bound to. */
export interface RecordContext extends Descriptor {
  /** SHA-256(mpk). */
  readonly masterKeyHash: Uint8Array;
  /** The canonical sealed policy. */
  readonly policy: string;
  readonly recordId: Uint8Array;
  /** The owner's account, 20 bytes. */
  readonly owner: Uint8Array;
  /** Plaintext bytes of the payload. */
  readonly length: number;
  readonly digest: Uint8Array;
  readonly keyCommitment: Uint8Array;
}

export interface RecordHeader {
  readonly context: RecordContext;
  readonly encapsulation: CborValue;
  readonly wrappedKey: Uint8Array;
  readonly sealedMetadata: Uint8Array;
}

/** What recovering m gives: both 32 bytes, from cpabe. */
export interface RecoveredMessage {
  readonly message: Uint8Array;
  readonly transcript: Uint8Array;
}

/** What a header keeps for those who satisfy its policy. */
export interface HeaderSecrets {
  readonly fileKey: Uint8Array;
  readonly salt: Uint8Array;
  readonly metadata: Metadata;
}

/**
 * Deterministic CBOR [version, suite, SHA-256(mpk), canonical policy, record id, owner, payload id, chunk size, payload
 * length, payload digest, key commitment]: the `context` of the encapsulation.
 * @throws ChartsealError `encoding-invalid`
 */
export function encodeContext(context: RecordContext): Uint8Array {
  return encode(contextFields(context));
}

function contextFields(context: RecordContext): CborValue[] {
  const fields = [
    formatVersion,
    context.suite,
    context.masterKeyHash,
    context.policy,
    context.recordId,
    context.owner,
    context.payloadId,
    context.chunkBytes,
    context.length,
    context.digest,
    context.keyCommitment,
  ];
  readContext(fields);
  return fields;
}

function readContext(fields: readonly CborValue[]): RecordContext {
  const [version, suite, masterKeyHash, policy, recordId, owner, payloadId, chunkBytes, ...rest] = fields;
  const [length, digest, keyCommitment] = rest;
  if (version !== formatVersion || !isSuite(suite) || !isChunkSize(chunkBytes)) throw malformed();
  if (typeof policy !== "string" || policy.length === 0 || policy.length > policyCharactersMax)
    throw malformed();
  if (!isPayloadLength(length, chunkBytes)) throw malformed();
  return {
    suite,
    masterKeyHash: sized(masterKeyHash, 32),
    policy,
    recordId: sized(recordId, 32),
    owner: sized(owner, 20),
    payloadId: sized(payloadId, 32),
    chunkBytes,
    length,
    digest: sized(digest, 32),
    keyCommitment: sized(keyCommitment, 32),
  };
}

/** @throws ChartsealError `encoding-invalid` for fields out of their sizes or limits */
export function encodeHeader(header: RecordHeader): Uint8Array {
  const bytes = encode([
    ...contextFields(header.context),
    header.encapsulation,
    sized(header.wrappedKey, wrappedKeyBytes),
    sealedMetadataOf(header.sealedMetadata),
  ]);
  if (bytes.length > headerBytesMax) throw malformed();
  return bytes;
}

/**
 * Exactly what `encodeHeader` makes; the encapsulation is left for `decodeEncapsulation`, which takes the policy.
 * @throws ChartsealError `encoding-invalid`
 */
export function decodeHeader(bytes: Uint8Array): RecordHeader {
  const fields = decode(bytes, { sizeMax: headerBytesMax });
  if (!Array.isArray(fields) || fields.length !== 14) throw malformed();
  const [encapsulation, wrappedKey, sealedMetadata] = fields.slice(11) as readonly CborValue[];
  if (!Array.isArray(encapsulation)) throw malformed();
  return {
    context: readContext(fields.slice(0, 11)),
    encapsulation,
    wrappedKey: sized(wrappedKey, wrappedKeyBytes),
    sealedMetadata: sealedMetadataOf(sealedMetadata),
  };
}

/**
 * Wraps fk and encrypts salt and metadata under m and transcript, fresh from `encapsulate` with the same context.
 * Never called twice with one m: the keys are used with a zero nonce.
 * @throws ChartsealError `input-invalid` for metadata above 64 KiB, `encoding-invalid` for a malformed context
 */
export async function sealHeader(
  parts: RecoveredMessage &
    HeaderSecrets & { readonly context: RecordContext; readonly encapsulation: CborValue },
): Promise<Uint8Array> {
  const { context, encapsulation, fileKey, salt, metadata } = parts;
  assert(fileKey.length === 32 && salt.length === saltBytes, "a file key and a salt have 32 bytes");
  const associated = sha256(encodeContext(context));
  const [wrapKey, metaKey] = headerKeys(parts);
  return encodeHeader({
    context,
    encapsulation,
    wrappedKey: await platform.aesGcmSeal(wrapKey, zeroNonce, associated, fileKey),
    sealedMetadata: await platform.aesGcmSeal(
      metaKey,
      zeroNonce,
      associated,
      encode([salt, encodeMetadata(metadata)]),
    ),
  });
}

/**
 * The secrets of a header under the recovered m.
 * @throws ChartsealError `header-altered` whatever does not open: one error whatever the cause
 */
export async function openHeader(header: RecordHeader, recovered: RecoveredMessage): Promise<HeaderSecrets> {
  const associated = sha256(encodeContext(header.context));
  const [wrapKey, metaKey] = headerKeys(recovered);
  const fileKey = await platform.aesGcmOpen(wrapKey, zeroNonce, associated, header.wrappedKey);
  const opened = await platform.aesGcmOpen(metaKey, zeroNonce, associated, header.sealedMetadata);
  if (fileKey === null || opened === null) throw unopened();
  try {
    const fields = decode(opened, { sizeMax: sealedMetadataBytesMax });
    if (!Array.isArray(fields) || fields.length !== 2) throw malformed();
    const [salt, metadata] = fields as readonly CborValue[];
    if (!(metadata instanceof Uint8Array)) throw malformed();
    return { fileKey, salt: sized(salt, saltBytes), metadata: decodeMetadata(metadata) };
  } catch {
    throw unopened();
  }
}

/** The record's digest, 32 bytes: SHA-256("…/record" ‖ SHA-256(header) ‖ payload digest). */
export function recordDigest(header: Uint8Array, payloadDigest: Uint8Array): Uint8Array {
  return hash("file/record", fixed(sha256(header)), fixed(payloadDigest));
}

function headerKeys({
  message,
  transcript,
}: RecoveredMessage): readonly [wrap: Uint8Array, meta: Uint8Array] {
  assert(message.length === 32 && transcript.length === 32, "m and transcript have 32 bytes");
  return [
    hkdf(message, transcript, tagOf("file/wrap"), 32),
    hkdf(message, transcript, tagOf("file/meta"), 32),
  ];
}

function sealedMetadataOf(value: CborValue | undefined): Uint8Array {
  if (value instanceof Uint8Array && value.length <= sealedMetadataBytesMax && value.length >= tagBytes) {
    return value;
  }
  throw malformed();
}

function sized(value: CborValue | undefined, size: number): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length !== size) throw malformed();
  return value;
}

function malformed(): ChartsealError {
  return new ChartsealError("encoding-invalid", "not the encoding of a header");
}

function unopened(): ChartsealError {
  return new ChartsealError("header-altered", "the header's wrapped key or metadata does not open", {
    data: { field: "secrets" },
  });
}
