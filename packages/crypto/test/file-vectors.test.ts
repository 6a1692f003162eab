import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { concat, fromHex, toHex } from "../src/bytes.ts";
import { type CborValue, decode } from "../src/encoding.ts";
import { decodeHeader, encodeContext, openHeader, recordDigest, sealHeader } from "../src/file/header.ts";
import { decodeMetadata, encodeMetadata, metadataCommitment } from "../src/file/metadata.ts";
import { openPayload } from "../src/file/open.ts";
import { decodeDescriptor, encodeDescriptor, payloadKeys, sealChunk } from "../src/file/payload.ts";
import { hashToScalar, sha256 } from "../src/hash.ts";
import type { TagUse } from "../src/tags.ts";
import { collect } from "./file-fixtures.ts";
import { allVectors, type PayloadVector, plaintextOf } from "./file-recipe.ts";

const path = new URL("../../../spec/vectors/file.json", import.meta.url);
const vectors = JSON.parse(readFileSync(path, "utf8")) as ReturnType<typeof allVectors>;

async function sealAgain(vector: PayloadVector): Promise<Uint8Array> {
  const keys = payloadKeys(fromHex(vector.fileKey), decodeDescriptor(fromHex(vector.descriptor)));
  const plaintext = plaintextOf(vector.length);
  const count = vector.leafHashes.length;
  const chunks: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const part = plaintext.subarray(vector.chunkBytes * i, vector.chunkBytes * (i + 1));
    chunks.push((await sealChunk(keys, i, i === count - 1, part)).subarray(1));
  }
  return concat(...chunks);
}

describe("the published vectors of the sealed file", () => {
  it("are what the recipe gives, written over another library", () => {
    expect(vectors).toEqual(allVectors());
  });

  for (const vector of vectors.payloads) {
    it(`of ${vector.length} bytes in chunks of ${vector.chunkBytes} under ${vector.suite} are sealed and opened`, async () => {
      const { suite, chunkBytes } = vector;
      const descriptor = { suite, chunkBytes, payloadId: fromHex(vector.payloadId) };
      expect(toHex(encodeDescriptor(descriptor))).toBe(vector.descriptor);
      const keys = payloadKeys(fromHex(vector.fileKey), descriptor);
      expect([toHex(keys.key), toHex(keys.commitment)]).toEqual([vector.payloadKey, vector.keyCommitment]);
      const ciphertext = await sealAgain(vector);
      expect(toHex(sha256(ciphertext))).toBe(vector.ciphertextSha256);
      if (vector.ciphertext !== undefined) expect(toHex(ciphertext)).toBe(vector.ciphertext);
      const opened = openPayload({
        fileKey: fromHex(vector.fileKey),
        descriptor,
        length: vector.length,
        digest: fromHex(vector.digest),
        keyCommitment: fromHex(vector.keyCommitment),
        leaves: { list: fromHex(vector.leafHashes.join("")) },
        source: (offset, length) => [ciphertext.subarray(offset, offset + length)],
      });
      expect(Buffer.compare(await collect(opened), plaintextOf(vector.length))).toBe(0);
    });
  }

  it("of a header are sealed and opened", async () => {
    const vector = vectors.header;
    const payload = vectors.payloads[0]!;
    const context = {
      suite: payload.suite,
      chunkBytes: payload.chunkBytes,
      length: payload.length,
      policy: vector.policy,
      masterKeyHash: fromHex(vector.masterKeyHash),
      recordId: fromHex(vector.recordId),
      owner: fromHex(vector.owner),
      payloadId: fromHex(payload.payloadId),
      digest: fromHex(payload.digest),
      keyCommitment: fromHex(payload.keyCommitment),
    };
    expect(toHex(encodeContext(context))).toBe(vector.context);
    const recovered = { message: fromHex(vector.message), transcript: fromHex(vector.transcript) };
    const metadata = decodeMetadata(fromHex(vector.metadata));
    const secrets = { fileKey: fromHex(payload.fileKey), salt: fromHex(vector.salt), metadata };
    expect(metadata).toEqual({
      name: "scan.dcm",
      mediaType: "application/dicom",
      hints: [["modality", "CT"]],
    });
    expect(toHex(encodeMetadata(metadata))).toBe(vector.metadata);
    expect(toHex(metadataCommitment(secrets.salt, metadata))).toBe(vector.metadataCommitment);
    const encapsulation: CborValue = decode(fromHex(vector.encapsulation), { sizeMax: 10_000 });
    const header = await sealHeader({ context, encapsulation, ...recovered, ...secrets });
    expect(toHex(header)).toBe(vector.header);
    expect(await openHeader(decodeHeader(header), recovered)).toEqual(secrets);
    expect(toHex(recordDigest(header, context.digest))).toBe(vector.recordDigest);
  });

  it("of scalars by hashing are reproduced", () => {
    for (const { tag, parts, scalar } of vectors.scalars) {
      const hashed = hashToScalar(tag as TagUse, ...parts.map((part) => fromHex(part)));
      expect(hashed.toString(16).padStart(64, "0")).toBe(scalar);
    }
  });
});
