import { describe, expect, it, vi } from "vitest";
import { concat, toHex } from "../src/bytes.ts";
import { type CborValue, decode, encode } from "../src/encoding.ts";
import { ChartsealError, hasCode } from "../src/errors.ts";
import {
  decodeHeader,
  encodeContext,
  encodeHeader,
  headerBytesMax,
  openHeader,
  type RecordContext,
  recordDigest,
} from "../src/file/header.ts";
import {
  decodeMetadata,
  encodeMetadata,
  metadataBytesMax,
  metadataCommitment,
} from "../src/file/metadata.ts";
import {
  context,
  encapsulation,
  filled,
  header,
  metadata,
  metadataOf,
  recovered,
  secrets,
} from "./file-header-fixtures.ts";

const invalid = expect.toSatisfy((error: unknown) => hasCode(error, "encoding-invalid"));
const sizeMax = headerBytesMax;

/** One change to each field of the context that leaves it well-formed. */
const otherContexts: readonly Partial<RecordContext>[] = [
  { suite: "A128GCM" },
  { masterKeyHash: filled(99) },
  { policy: "doctor@cedars" },
  { recordId: filled(99) },
  { owner: filled(99, 20) },
  { payloadId: filled(99) },
  { chunkBytes: 4096 },
  { length: 1_000_001 },
  { digest: filled(99) },
  { keyCommitment: filled(99) },
];

describe("a header", () => {
  it("gives back its context, its encapsulation untouched, and under the recovered m its secrets", async () => {
    const decoded = decodeHeader(await header());
    expect(decoded.context).toEqual(context);
    expect(decoded.encapsulation).toEqual(encapsulation);
    expect(await openHeader(decoded, recovered)).toEqual(secrets);
    expect(toHex(encodeHeader(decoded))).toBe(toHex(await header()));
  });

  it("shows neither name nor media type nor hints to who has no m", async () => {
    const text = Buffer.from(await header()).toString("latin1");
    for (const word of ["Befund", "application", "pages"]) expect(text).not.toContain(word);
  });

  it("starts with the context's fields, in their order", async () => {
    const fields = decode(await header(), { sizeMax }) as readonly CborValue[];
    expect(fields).toHaveLength(14);
    expect(toHex(encode(fields.slice(0, 11)))).toBe(toHex(encodeContext(context)));
    expect(fields.slice(0, 4)).toEqual([1, "A256GCM", filled(1), context.policy]);
  });

  it("opens under no other field of its context: each is part of what the keys authenticate", async () => {
    const decoded = decodeHeader(await header());
    for (const change of otherContexts) {
      const moved = { ...decoded, context: { ...context, ...change } };
      await expect(openHeader(moved, recovered)).rejects.toSatisfy((error) =>
        hasCode(error, "header-altered"),
      );
    }
    // The weakened copy authenticates nothing: there another record's wrapped key opens in this header.
    const { platform } = await import("#platform");
    const { aesGcmSeal, aesGcmOpen } = platform;
    const none = new Uint8Array(0);
    const sealing = vi.spyOn(platform, "aesGcmSeal");
    const opening = vi.spyOn(platform, "aesGcmOpen");
    sealing.mockImplementation((key, nonce, _, plaintext) => aesGcmSeal(key, nonce, none, plaintext));
    opening.mockImplementation((key, nonce, _, ciphertext) => aesGcmOpen(key, nonce, none, ciphertext));
    const weak = decodeHeader(await header());
    for (const change of otherContexts) {
      const moved = { ...weak, context: { ...context, ...change } };
      expect((await openHeader(moved, recovered)).fileKey).toEqual(secrets.fileKey);
    }
    vi.restoreAllMocks();
  });

  it("fails in one way whatever is wrong: m, transcript, wrapped key, metadata, or the two exchanged", async () => {
    const decoded = decodeHeader(await header());
    const { wrappedKey, sealedMetadata } = decoded;
    const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => (i === 5 ? byte ^ 1 : byte));
    const failures = [
      openHeader(decoded, { ...recovered, message: filled(0) }),
      openHeader(decoded, { ...recovered, transcript: filled(0) }),
      openHeader({ ...decoded, wrappedKey: flip(wrappedKey) }, recovered),
      openHeader({ ...decoded, sealedMetadata: flip(sealedMetadata) }, recovered),
      openHeader({ ...decoded, wrappedKey: sealedMetadata, sealedMetadata: wrappedKey }, recovered),
    ];
    const shown = new Set<string>();
    for (const failed of failures) {
      const error = await failed.catch((reason: unknown) => reason);
      if (!(error instanceof ChartsealError)) throw new Error("it opened");
      shown.add(JSON.stringify([error.code, error.message, error.data]));
    }
    expect([...shown]).toEqual([
      '["header-altered","the header\'s wrapped key or metadata does not open",{"field":"secrets"}]',
    ]);
  });

  it("wraps the key and encrypts the metadata under different keys, though both nonces are zero", async () => {
    const decoded = decodeHeader(await header());
    const moved = { ...decoded, wrappedKey: decoded.sealedMetadata };
    await expect(openHeader(moved, recovered)).rejects.toThrow();
    // A second header under another m shares no keystream with the first.
    const other = decodeHeader(await header({ message: filled(88) }));
    const mix = decoded.wrappedKey.map((byte, i) => byte ^ (other.wrappedKey[i] ?? 0));
    expect(toHex(mix.subarray(0, 32))).not.toBe(toHex(filled(0)));
  });

  it("refuses every field of another type, size or bound", async () => {
    const fields = decode(await header(), { sizeMax }) as readonly CborValue[];
    const spoilt: readonly (readonly [number, CborValue])[] = [
      [0, 2],
      [0, "1"],
      [1, "A512GCM"],
      [1, "constructor"],
      [2, filled(1, 31)],
      [3, ""],
      [3, "x".repeat(65_537)],
      [3, filled(1)],
      [4, filled(1, 33)],
      [5, filled(1, 32)],
      [6, null],
      [7, 100],
      [7, 2 ** 21],
      [8, -1],
      [8, 2 ** 40 + 1],
      [8, 2n ** 60n],
      [9, filled(1, 0)],
      [10, "key"],
      [11, filled(1)],
      [11, null],
      [12, filled(1, 47)],
      [12, filled(1, 49)],
      [13, filled(1, 15)],
      [13, filled(1, 65_700)],
      [13, []],
    ];
    for (const [at, value] of spoilt) {
      const bytes = encode(fields.map((field, i) => (i === at ? value : field)));
      expect(() => decodeHeader(bytes), `field ${at}`).toThrow(invalid);
    }
    for (const count of [0, 11, 13])
      expect(() => decodeHeader(encode(fields.slice(0, count)))).toThrow(invalid);
    expect(() => decodeHeader(encode([...fields, 0]))).toThrow(invalid);
    expect(() => decodeHeader(encode("header"))).toThrow(invalid);
    expect(() => decodeHeader(new Uint8Array(headerBytesMax + 1))).toThrow(invalid);
    expect(() => encodeContext({ ...context, owner: filled(1) })).toThrow(invalid);
    expect(() => encodeContext({ ...context, policy: "\ud800" })).toThrow(invalid);
  });
});

describe("metadata", () => {
  it("takes up to 64 KiB, and travels whole in a header of that size", async () => {
    const largest = metadataOf(metadataBytesMax);
    expect(encodeMetadata(largest)).toHaveLength(metadataBytesMax);
    const opened = await openHeader(decodeHeader(await header({ metadata: largest })), recovered);
    expect(toHex(encodeMetadata(opened.metadata))).toBe(toHex(encodeMetadata(largest)));
    const tooLarge = metadataOf(metadataBytesMax + 1);
    expect(() => encodeMetadata(tooLarge)).toThrow(
      expect.toSatisfy((error: unknown) => hasCode(error, "input-invalid")),
    );
  });

  it("has one encoding and takes nothing else", () => {
    expect(decodeMetadata(encodeMetadata(metadata))).toEqual(metadata);
    const others: CborValue[] = [
      [1, "a", "b"],
      [2, "a", "b", null],
      [1, "a", null, null],
      [1, filled(1), "b", null],
      [1, "a", "b", null, null],
      "a",
    ];
    for (const value of others) expect(() => decodeMetadata(encode(value))).toThrow(invalid);
  });

  it("is committed to with its salt: another name, type, hint or salt gives another commitment", () => {
    const commitments = [
      metadataCommitment(secrets.salt, metadata),
      metadataCommitment(filled(1), metadata),
      metadataCommitment(secrets.salt, { ...metadata, name: "Befund.pdF" }),
      metadataCommitment(secrets.salt, { ...metadata, mediaType: "application/pd" }),
      metadataCommitment(secrets.salt, { ...metadata, hints: [["pages", 4]] }),
    ].map(toHex);
    expect(new Set(commitments).size).toBe(commitments.length);
  });
});

describe("a record's digest", () => {
  it("changes with the header and with the payload", async () => {
    const bytes = await header();
    const digests = [
      recordDigest(bytes, context.digest),
      recordDigest(concat(bytes, filled(0, 1)), context.digest),
      recordDigest(bytes, filled(0)),
    ].map(toHex);
    expect(new Set(digests).size).toBe(3);
  });
});
