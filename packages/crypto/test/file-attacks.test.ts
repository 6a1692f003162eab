import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { platform } from "#platform";
import { fuzzRounds } from "../../../test/fuzz-rounds.ts";
import { concat, toHex, utf8 } from "../src/bytes.ts";
import { ChartsealError, type ErrorCode, hasCode } from "../src/errors.ts";
import { sha256Tree } from "../src/file/merkle.ts";
import { openPayload } from "../src/file/open.ts";
import { openChunk, payloadKeys, sealChunk, tagBytes } from "../src/file/payload.ts";
import { chunksOf, collect, open, openFrom, opening, pattern, type Sealed, seal } from "./file-fixtures.ts";
import { salamander } from "./file-salamander.ts";

const size = 64 + tagBytes;

async function failure(run: Promise<unknown>): Promise<ChartsealError> {
  const error = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ChartsealError)) throw new Error(`no error of ours: ${String(error)}`);
  return error;
}

/** That opening fails with the code and the data, whole and by a range that holds the first byte named. */
async function named(run: Promise<unknown>, code: ErrorCode, data: Record<string, unknown>): Promise<void> {
  const error = await failure(run);
  expect([error.code, error.data]).toEqual([code, expect.objectContaining(data)]);
}

/** A reader that trusts the tags: it compares no hash, and takes the end where the stream ends. */
async function trustingReader(sealed: Sealed, ciphertext: Uint8Array): Promise<Uint8Array | null> {
  const keys = payloadKeys(sealed.fileKey, sealed.descriptor);
  const parts: Uint8Array[] = [];
  for (let index = 0; index * size < Math.max(1, ciphertext.length); index++) {
    const chunk = ciphertext.subarray(size * index, size * (index + 1));
    const plaintext =
      (await openChunk(keys, index, false, chunk)) ?? (await openChunk(keys, index, true, chunk));
    if (plaintext === null) return null;
    parts.push(plaintext);
  }
  return concat(...parts);
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("an altered payload", () => {
  it("is refused at every bit of every chunk, by its number and offset, whole and in ranges", async () => {
    const sealed = await seal(pattern(200));
    for (let at = 0; at < sealed.ciphertext.length; at += 3) {
      const altered = Uint8Array.from(sealed.ciphertext);
      altered[at]! ^= 1 << (at % 8);
      const chunk = Math.floor(at / size);
      const data = { chunk, offset: chunk * size, reason: "altered" };
      await named(openFrom(sealed, altered), "object-altered", data);
      const range = { from: 64 * chunk, to: 64 * chunk };
      await named(openFrom(sealed, altered, { range }), "object-altered", data);
    }
  });

  it("is not noticed by a range that does not touch the altered chunk, and gives the right bytes", async () => {
    const plaintext = pattern(300);
    const sealed = await seal(plaintext);
    const altered = Uint8Array.from(sealed.ciphertext);
    altered[size + 5]! ^= 1;
    for (const range of [
      { from: 0, to: 63 },
      { from: 128, to: 299 },
    ]) {
      const opened = await openFrom(sealed, altered, { range });
      expect(toHex(opened)).toBe(toHex(plaintext.subarray(range.from, range.to + 1)));
    }
    await named(openFrom(sealed, altered, { range: { from: 63, to: 64 } }), "object-altered", { chunk: 1 });
  });

  it("is refused truncated at any byte, with the chunk where it ends", async () => {
    const sealed = await seal(pattern(200));
    for (let end = 0; end < sealed.ciphertext.length; end++) {
      const chunk = Math.floor(end / size);
      const reason = end % size === 0 ? "missing" : "truncated";
      const run = openFrom(sealed, sealed.ciphertext.subarray(0, end));
      await named(run, "object-altered", { chunk, offset: chunk * size, reason });
    }
  });

  it("is refused extended by a byte, by a chunk, by itself", async () => {
    for (const length of [0, 64, 200]) {
      const sealed = await seal(pattern(length));
      const { ciphertext, chunks } = sealed;
      for (const extra of [Uint8Array.of(0), ciphertext.slice(0, size), ciphertext]) {
        const run = openFrom(sealed, concat(ciphertext, extra));
        // Bytes behind a short last chunk belong to no chunk of the payload.
        await named(run, "object-altered", { chunk: chunks, reason: "extended" });
      }
    }
  });

  it("is refused with chunks in another order, doubled, left out, or from another payload", async () => {
    const [sealed, other] = [await seal(pattern(320)), await seal(pattern(320))];
    const [a, b, c, d, e] = chunksOf(sealed) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    const cases: readonly (readonly [Uint8Array[], number])[] = [
      [[b, a, c, d, e], 0],
      [[a, b, d, c, e], 2],
      [[a, b, b, d, e], 2],
      [[a, b, c, c, e], 3],
      [[a, c, d, e], 1],
      [[a, b, c, e], 3],
      [[e, b, c, d, a], 0],
      [[a, b, chunksOf(other)[2]!, d, e], 2],
    ];
    for (const [chunks, chunk] of cases) {
      await named(openFrom(sealed, concat(...chunks)), "object-altered", { chunk });
    }
  });

  it("hands out nothing of a chunk that fails, and never decrypts it", async () => {
    const plaintext = pattern(320);
    const sealed = await seal(plaintext);
    const altered = Uint8Array.from(sealed.ciphertext);
    altered[2 * size]! ^= 1;
    const decrypt = vi.spyOn(platform, "aesGcmOpen");
    const parts: Uint8Array[] = [];
    const source = (): Uint8Array[] => [altered];
    await expect(async () => {
      for await (const part of openPayload(opening(sealed, { source }))) parts.push(part);
    }).rejects.toThrow();
    expect(toHex(concat(...parts))).toBe(toHex(plaintext.subarray(0, 128)));
    expect(decrypt).toHaveBeenCalledTimes(2);
  });
});

describe("a reader of the record who turns against the others", () => {
  const forged = utf8("a diagnosis that nobody ever made, exactly sixty-four bytes long");

  it("cannot put a chunk that decrypts in place of one, which a reader that trusts the tags takes", async () => {
    expect(forged).toHaveLength(64);
    const sealed = await seal(pattern(320));
    const keys = payloadKeys(sealed.fileKey, sealed.descriptor);
    for (const [index, last] of [
      [0, false],
      [2, false],
      [4, true],
    ] as const) {
      const chunk = (await sealChunk(keys, index, last, forged)).subarray(1);
      const ciphertext = Uint8Array.from(sealed.ciphertext);
      ciphertext.set(chunk, size * index);
      const fooled = await trustingReader(sealed, ciphertext);
      expect(fooled && toHex(fooled.subarray(64 * index, 64 * index + 64))).toBe(toHex(forged));
      const data = { chunk: index, offset: size * index, reason: "altered" };
      await named(openFrom(sealed, ciphertext), "object-altered", data);
      const range = { from: 64 * index, to: 64 * index + 1 };
      await named(openFrom(sealed, ciphertext, { range }), "object-altered", data);
      // Nor with leaf hashes that fit the forged object: they do not give the registered digest.
      const leaves = Uint8Array.from(sealed.leaves);
      leaves.set(sha256Tree.leafHash(chunk), 32 * index);
      const helped = openFrom(sealed, ciphertext, { leaves: { list: leaves } });
      await named(helped, "object-altered", { part: "leaf-hashes" });
    }
  });

  it("cannot end the payload early, which a reader that asks the stream for the end takes", async () => {
    const sealed = await seal(pattern(320));
    const keys = payloadKeys(sealed.fileKey, sealed.descriptor);
    const chunks = chunksOf(sealed);
    const end = (await sealChunk(keys, 2, true, pattern(320).subarray(128, 192))).subarray(1);
    for (const shortened of [concat(...chunks.slice(0, 3)), concat(chunks[0]!, chunks[1]!, end)]) {
      expect((await trustingReader(sealed, shortened))?.length).toBe(192);
      expect((await failure(openFrom(sealed, shortened))).code).toBe("object-altered");
    }
    // Nor by leaf hashes of the shortened object: the number of chunks is the header's.
    const list = sealed.leaves.slice(0, 96);
    const run = openFrom(sealed, concat(...chunks.slice(0, 3)), { leaves: { list } });
    await named(run, "object-altered", { part: "leaf-hashes" });
  });
});

describe("leaf hashes from the provider", () => {
  it("are refused before any byte of the payload is asked for, unless they give the digest", async () => {
    const sealed = await seal(pattern(320));
    const source = vi.fn(() => [sealed.ciphertext]);
    const { leaves } = sealed;
    const flipped = Uint8Array.from(leaves);
    flipped[40]! ^= 1;
    const swapped = concat(leaves.subarray(32, 64), leaves.subarray(0, 32), leaves.subarray(64));
    const empty = new Uint8Array(0);
    const lists = [flipped, swapped, empty, leaves.subarray(32), leaves.subarray(1), concat(leaves, flipped)];
    // The nodes one floor up give the digest too: only the count tells them from leaves.
    const floor = sha256Tree.root([leaves.subarray(0, 32), leaves.subarray(32, 64)]);
    for (const list of [...lists, concat(floor, leaves.subarray(64))]) {
      await named(open(sealed, { leaves: { list }, source }), "object-altered", { part: "leaf-hashes" });
    }
    expect(source).not.toHaveBeenCalled();
  });

  it("of a payload whose length was changed in the header do not fit", async () => {
    const sealed = await seal(pattern(320));
    for (const length of [0, 64, 256, 384, 321]) {
      expect((await failure(open(sealed, { length }))).code).toBe("object-altered");
    }
    for (const length of [-1, 2 ** 41, 0.5]) {
      await named(open(sealed, { length }), "header-altered", { field: "length" });
    }
    // A length inside the last chunk changes no count; the chunk's hash then covers too few bytes.
    expect((await failure(open(sealed, { length: 300 }))).code).toBe("object-altered");
  });
});

describe("a payload that its own sealer made wrongly", () => {
  it("is refused where the registered bytes do not decrypt at their place", async () => {
    const plaintext = pattern(192);
    const sealed = await seal(plaintext);
    const keys = payloadKeys(sealed.fileKey, sealed.descriptor);
    const parts = [0, 1, 2].map((i) => plaintext.subarray(64 * i, 64 * i + 64));
    // The middle chunk under another counter, and a payload whose last chunk does not say so.
    for (const [counters, last, chunk] of [
      [[0, 2, 2], true, 1],
      [[0, 1, 2], false, 2],
    ] as const) {
      const chunks: Uint8Array[] = [];
      for (const [i, part] of parts.entries()) {
        chunks.push((await sealChunk(keys, counters[i]!, i === 2 && last, part)).subarray(1));
      }
      const leaves = chunks.map((item) => sha256Tree.leafHash(item));
      const registered = { digest: sha256Tree.root(leaves), leaves: { list: concat(...leaves) } };
      const run = openFrom(sealed, concat(...chunks), registered);
      await named(run, "object-altered", { chunk, reason: "sealed-wrongly" });
    }
  });
});

describe("the key commitment", () => {
  it("is compared before the provider is asked for anything", async () => {
    const [sealed, other] = [await seal(pattern(100)), await seal(pattern(100))];
    const source = vi.fn(() => [sealed.ciphertext]);
    const span = vi.fn();
    const changes = { source, leaves: { span } };
    for (const spoilt of [
      { fileKey: other.fileKey },
      { keyCommitment: other.keyCommitment },
      { descriptor: { ...sealed.descriptor, payloadId: other.descriptor.payloadId } },
      { descriptor: { ...sealed.descriptor, suite: "A128GCM" as const } },
      { descriptor: { ...sealed.descriptor, chunkBytes: 128 } },
    ]) {
      await named(open(sealed, { ...changes, ...spoilt }), "header-altered", { field: "keyCommitment" });
    }
    expect(source).not.toHaveBeenCalled();
    expect(span).not.toHaveBeenCalled();
  });

  it("stops one payload that opens to two records under two keys, which GCM alone allows", async () => {
    const [one, two] = [await seal(pattern(64)), await seal(pattern(64))];
    const keys = [one, two].map(({ fileKey }) => payloadKeys(fileKey, one.descriptor));
    const nonce = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
    const pair = [keys[0]!.key, keys[1]!.key] as const;
    const ciphertext = salamander(pair, nonce, keys[0]!.associated, pattern(64));
    const digest = sha256Tree.leafHash(ciphertext);
    const source = (): Uint8Array[] => [ciphertext];
    const shared = { digest, leaves: { list: digest }, source };
    // The weakened reader takes whatever key it is given: both open, to different plaintexts, under one digest.
    const plaintexts = [];
    for (const [i, { fileKey }] of [one, two].entries()) {
      const keyCommitment = keys[i]!.commitment;
      plaintexts.push(toHex(await open(one, { ...shared, fileKey, keyCommitment })));
    }
    expect(plaintexts[0]).not.toBe(plaintexts[1]);
    // Ours holds both to the one commitment of the header.
    const keyCommitment = keys[0]!.commitment;
    expect(toHex(await open(one, { ...shared, keyCommitment }))).toBe(plaintexts[0]);
    const run = open(one, { ...shared, keyCommitment, fileKey: two.fileKey });
    await named(run, "header-altered", { field: "keyCommitment" });
  });
});

describe("any change at all", () => {
  it("to object, leaf hashes or header fields opens to the sealed bytes or to a coded error", async () => {
    const plaintext = pattern(333);
    const sealed = await seal(plaintext);
    const splice = fc.record({
      at: fc.nat(500),
      remove: fc.nat(100),
      insert: fc.uint8Array({ maxLength: 100 }),
    });
    const apply = (
      bytes: Uint8Array,
      change: { at: number; remove: number; insert: Uint8Array },
    ): Uint8Array =>
      concat(bytes.subarray(0, change.at), change.insert, bytes.subarray(change.at + change.remove));
    const runs = fuzzRounds(500, 1 / 50);
    await fc.assert(
      fc.asyncProperty(splice, fc.constantFrom("object", "leaves"), async (change, where) => {
        const list = where === "leaves" ? apply(sealed.leaves, change) : sealed.leaves;
        const object = where === "object" ? apply(sealed.ciphertext, change) : sealed.ciphertext;
        const run = collect(openPayload(opening(sealed, { leaves: { list }, source: () => [object] })));
        const opened = await run.catch((error: unknown) => {
          if (!hasCode(error, "object-altered")) throw error;
        });
        if (opened !== undefined) expect(toHex(opened)).toBe(toHex(plaintext));
      }),
      { numRuns: runs },
    );
  });
});
