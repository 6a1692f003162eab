/** A header with every field filled and an encapsulation that only looks like one: file/ does not read it. */
import { concat } from "../src/bytes.ts";
import type { CborValue } from "../src/encoding.ts";
import { type RecordContext, sealHeader } from "../src/file/header.ts";
import type { Metadata } from "../src/file/metadata.ts";
import { pattern } from "./file-fixtures.ts";

/** 32 bytes that differ for each number. */
export const filled = (value: number, size = 32): Uint8Array => new Uint8Array(size).fill(value);

export const context: RecordContext = {
  suite: "A256GCM",
  masterKeyHash: filled(1),
  policy: "(doctor@cedars and cardiology@cedars) or 00112233445566778899aabbccddeeff00112233@self",
  recordId: filled(2),
  owner: filled(3, 20),
  payloadId: filled(4),
  chunkBytes: 262_144,
  length: 1_000_000,
  digest: filled(5),
  keyCommitment: filled(6),
};

export const encapsulation: CborValue = [
  filled(7, 96),
  [filled(8, 96)],
  [filled(9, 48), filled(10, 48)],
  filled(11),
  filled(12, 96),
  filled(13),
];

export const metadata: Metadata = { name: "Befund.pdf", mediaType: "application/pdf", hints: [["pages", 3]] };
export const recovered = { message: filled(14), transcript: filled(15) };
export const secrets = { fileKey: filled(16), salt: filled(17), metadata };

export function header(changes: Partial<Parameters<typeof sealHeader>[0]> = {}): Promise<Uint8Array> {
  return sealHeader({ context, encapsulation, ...recovered, ...secrets, ...changes });
}

/** Metadata of exactly that many encoded bytes, from 1,000 on. */
export function metadataOf(bytes: number): Metadata {
  // version, two empty strings, array and byte-string heads: 8 bytes beside the hints from 65,536 on, else 6.
  const head = bytes > 65_543 ? 9 : 7;
  return { name: "", mediaType: "", hints: concat(pattern(bytes - head)) };
}
