/**
 * What a record is called and what it holds: encrypted in the header, committed to in the author's statement (CRYPTO §4).
 *
 * Encoding: deterministic CBOR [version, name, media type, hints], at most 64 KiB. The 32-byte salt is drawn once per
 * deposit and travels unchanged through every `rekey`, so the commitment outlives rekeying and tells nothing by itself.
 */
import { type CborValue, decode, encode } from "../encoding.ts";
import { ChartsealError } from "../errors.ts";
import { fixed, hash } from "../hash.ts";
import { formatVersion } from "./payload.ts";

export const metadataBytesMax = 65_536;
export const saltBytes = 32;

export interface Metadata {
  /** File name as the author gave it; whoever writes files by it checks it first. */
  readonly name: string;
  readonly mediaType: string;
  /** FHIR and DICOM hints, validation result: what the layer above records. */
  readonly hints: CborValue;
}

/** @throws ChartsealError `input-invalid` above 64 KiB, `encoding-invalid` for hints that have no encoding */
export function encodeMetadata(metadata: Metadata): Uint8Array {
  const bytes = encode([formatVersion, metadata.name, metadata.mediaType, metadata.hints]);
  if (bytes.length > metadataBytesMax) {
    throw new ChartsealError("input-invalid", "the metadata is larger than 64 KiB");
  }
  return bytes;
}

/** @throws ChartsealError `encoding-invalid` */
export function decodeMetadata(bytes: Uint8Array): Metadata {
  const fields = decode(bytes, { sizeMax: metadataBytesMax });
  if (Array.isArray(fields) && fields.length === 4 && fields[0] === formatVersion) {
    const [, name, mediaType, hints] = fields as readonly CborValue[];
    if (typeof name === "string" && typeof mediaType === "string" && hints !== undefined) {
      return { name, mediaType, hints };
    }
  }
  throw new ChartsealError("encoding-invalid", "not the encoding of metadata");
}

/** 32 bytes: SHA-256("…/metadata" ‖ salt ‖ metadata). Part of what the author signs. */
export function metadataCommitment(salt: Uint8Array, metadata: Metadata): Uint8Array {
  return hash("file/metadata", fixed(salt), encodeMetadata(metadata));
}
