import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { concat, toHex } from "../src/bytes.ts";
import { hasCode } from "../src/errors.ts";
import { sha256Tree } from "../src/file/merkle.ts";
import {
  chunkBytesDefault,
  decodeDescriptor,
  encodeDescriptor,
  isPayloadLength,
  payloadBytesMax,
  type Suite,
  sealedBytes,
} from "../src/file/payload.ts";
import { hashPayload, sealPayload } from "../src/file/seal.ts";
import { seedRandomness } from "../src/random-seam.ts";
import { chunksOf, collect, open, openFrom, opening, pattern, pieces, seal } from "./file-fixtures.ts";

const suites: readonly Suite[] = ["A128GCM", "A192GCM", "A256GCM"];
/** Around every border of 64-byte chunks. */
const lengths = [0, 1, 63, 64, 65, 127, 128, 129, 191, 192, 193, 640, 641];

afterEach(() => {
  vi.doUnmock("#platform");
  vi.resetModules();
});

describe("a sealed payload", () => {
  it("opens to what was sealed, at every length around a chunk's border, under every suite", async () => {
    for (const suite of suites) {
      for (const length of lengths) {
        const plaintext = pattern(length);
        const sealed = await seal(plaintext, { suite });
        expect(sealed.length).toBe(length);
        expect(sealed.chunks).toBe(Math.max(1, Math.ceil(length / 64)));
        expect(sealed.ciphertext.length).toBe(sealedBytes(length, 64));
        expect(sealed.ciphertextLength).toBe(sealed.ciphertext.length);
        expect(toHex(await open(sealed))).toBe(toHex(plaintext));
      }
    }
  });

  it("has chunks of 256 KiB where nothing else is asked", async () => {
    for (const length of [0, 1, chunkBytesDefault - 1, chunkBytesDefault, chunkBytesDefault + 1, 700_000]) {
      const plaintext = pattern(length);
      const sealed = await seal(plaintext, { chunkBytes: chunkBytesDefault, sizes: [65_536, 100_001] });
      expect(sealed.descriptor.chunkBytes).toBe(262_144);
      expect(Buffer.compare(await open(sealed), plaintext)).toBe(0);
    }
  });

  it("is the same however the plaintext arrives: whole, in pieces, one byte at a time, with empty pieces", async () => {
    const plaintext = pattern(333);
    const sealWith = async (sizes: readonly number[]): Promise<string> => {
      const restore = seedRandomness("pieces");
      const sealed = await seal(plaintext, { sizes });
      restore();
      return `${toHex(sealed.ciphertext)} ${toHex(sealed.digest)}`;
    };
    const whole = await sealWith([333]);
    for (const sizes of [[1], [64], [63, 2], [128], [65], [200, 0, 1], [0, 5]]) {
      expect(await sealWith(sizes)).toBe(whole);
    }
  });

  it("opens however the ciphertext arrives", async () => {
    const plaintext = pattern(333);
    const sealed = await seal(plaintext);
    for (const sizes of [[1], [80], [79, 3], [160], [1000], [0, 7]]) {
      const source = (offset: number, length: number): Iterable<Uint8Array> =>
        pieces(sealed.ciphertext.slice(offset, offset + length), sizes);
      expect(toHex(await open(sealed, { source }))).toBe(toHex(plaintext));
    }
  });

  it("gives any range, at every border, and reads no chunk outside it", async () => {
    const plaintext = pattern(333);
    const sealed = await seal(plaintext);
    const border = fc.constantFrom(0, 1, 63, 64, 65, 127, 128, 319, 320, 331, 332);
    const position = fc.oneof(border, fc.nat(332));
    await fc.assert(
      fc.asyncProperty(position, position, async (a, b) => {
        const range = { from: Math.min(a, b), to: Math.max(a, b) };
        const asked: number[][] = [];
        const source = (offset: number, length: number): Uint8Array[] => {
          asked.push([offset, length]);
          return [sealed.ciphertext.subarray(offset, offset + length)];
        };
        const opened = await open(sealed, { range, source });
        expect(toHex(opened)).toBe(toHex(plaintext.subarray(range.from, range.to + 1)));
        const [first, last] = [Math.floor(range.from / 64), Math.floor(range.to / 64)];
        const end = Math.min(80 * (last + 1), sealed.ciphertext.length);
        expect(asked).toEqual([[80 * first, end - 80 * first]]);
      }),
      { numRuns: 300 },
    );
  });

  it("refuses a range that is not inside the payload", async () => {
    const [sealed, empty] = [await seal(pattern(100)), await seal(new Uint8Array(0))];
    const outside = [
      [0, 100],
      [-1, 5],
      [6, 5],
      [100, 100],
      [0.5, 3],
      [0, Number.NaN],
      [0, 2 ** 60],
    ] as const;
    for (const [from, to] of outside) {
      await expect(open(sealed, { range: { from, to } })).rejects.toSatisfy((error) =>
        hasCode(error, "input-invalid"),
      );
    }
    await expect(open(empty, { range: { from: 0, to: 0 } })).rejects.toSatisfy((error) =>
      hasCode(error, "input-invalid"),
    );
  });

  it("gives each chunk's leaf hash in order, and the digest that they make", async () => {
    const sealed = await seal(pattern(1000));
    const leaves = chunksOf(sealed).map((chunk) => sha256Tree.leafHash(chunk));
    expect(toHex(sealed.leaves)).toBe(toHex(concat(...leaves)));
    expect(toHex(sealed.digest)).toBe(toHex(sha256Tree.root(leaves)));
  });

  it("is hashed by the provider to the same leaves and digest, the bytes passing through", async () => {
    for (const length of lengths) {
      const sealed = await seal(pattern(length));
      const leaves: Uint8Array[] = [];
      const hashing = hashPayload({
        source: pieces(sealed.ciphertext, [50, 1, 200]),
        chunkBytes: 64,
        onLeaf: async (leaf) => void leaves.push(leaf),
      });
      expect(toHex(await collect(hashing.chunks))).toBe(toHex(sealed.ciphertext));
      const { digest, chunks, ciphertextLength } = await hashing.finished;
      expect([toHex(digest), chunks, ciphertextLength]).toEqual([
        toHex(sealed.digest),
        sealed.chunks,
        sealed.ciphertext.length,
      ]);
      expect(toHex(concat(...leaves))).toBe(toHex(sealed.leaves));
    }
  });

  it("is hashed as it passes from sealer to provider in one process, and what is altered, replayed or cut otherwise is hashed anew", async () => {
    const sealWhole = async (passing: (chunks: Uint8Array[]) => Iterable<Uint8Array>) => {
      const sealing = sealPayload({ source: [pattern(1000)], chunkBytes: 64 });
      const made: Uint8Array[] = [];
      for await (const chunk of sealing.chunks) made.push(chunk);
      const passed = [...passing(made)];
      const leaves: Uint8Array[] = [];
      const hashing = hashPayload({
        source: passed,
        chunkBytes: 64,
        onLeaf: (leaf) => void leaves.push(leaf),
      });
      const bytes = await collect(hashing.chunks);
      expect(toHex(bytes)).toBe(toHex(concat(...passed)));
      const expected = Array.from({ length: Math.ceil(bytes.length / 80) }, (_, at) =>
        toHex(sha256Tree.leafHash(bytes.subarray(80 * at, 80 * (at + 1)))),
      );
      expect(leaves.map(toHex)).toEqual(expected);
      const same = toHex((await hashing.finished).digest) === toHex((await sealing.finished).digest);
      return same ? "the sealer's digest" : "another digest";
    };
    const altered = (chunk: Uint8Array) => chunk.map((byte, at) => (at === 7 ? byte ^ 1 : byte));
    const own = "the sealer's digest";
    expect(await sealWhole((chunks) => chunks)).toBe(own);
    expect(await sealWhole((chunks) => chunks.map((chunk) => chunk.slice()))).toBe(own);
    expect(await sealWhole((chunks) => chunks.flatMap((one) => [one.subarray(0, 9), one.subarray(9)]))).toBe(
      own,
    );
    expect(await sealWhole((chunks) => chunks.with(3, altered(chunks[3]!)))).not.toBe(own);
    expect(await sealWhole((chunks) => chunks.with(3, chunks[4]!))).not.toBe(own);
    expect(await sealWhole((chunks) => [chunks[0]!.subarray(0, 79), ...chunks.slice(1)])).not.toBe(own);
    expect(await sealWhole((chunks) => [...chunks, ...chunks])).not.toBe(own);
  });

  it("has a key, an identity and a ciphertext of its own each time the same bytes are sealed", async () => {
    const [one, two] = [await seal(pattern(100)), await seal(pattern(100))];
    expect(toHex(one.fileKey)).not.toBe(toHex(two.fileKey));
    expect(toHex(one.descriptor.payloadId)).not.toBe(toHex(two.descriptor.payloadId));
    expect(toHex(one.ciphertext)).not.toBe(toHex(two.ciphertext));
    expect(toHex(one.keyCommitment)).not.toBe(toHex(two.keyCommitment));
  });
});

describe("the two platforms", () => {
  it("write the same file bit for bit and read each other's", async () => {
    const plaintext = pattern(333);
    for (const suite of suites) {
      const written: Record<string, Awaited<ReturnType<typeof seal>>> = {};
      const readers: Record<string, typeof open> = {};
      for (const name of ["node", "web"]) {
        vi.resetModules();
        vi.doMock("#platform", () => import(`../src/platform/${name}.ts`));
        const used = await import("#platform");
        expect(used.platform.name).toBe(name);
        const fixtures = await import("./file-fixtures.ts");
        const seam = await import("../src/random-seam.ts");
        const restore = seam.seedRandomness("both");
        written[name] = await fixtures.seal(plaintext, { suite });
        restore();
        readers[name] = fixtures.open;
      }
      expect(written.web).toEqual(written.node);
      for (const reader of ["node", "web"]) {
        expect(toHex(await readers[reader]!(written[reader === "node" ? "web" : "node"]!))).toBe(
          toHex(plaintext),
        );
      }
    }
  });
});

describe("streams", () => {
  it("keep no more than a few chunks, whatever the length", async () => {
    const chunkBytes = 1024;
    let made = 0;
    let taken = 0;
    let ahead = 0;
    function* source(): Generator<Uint8Array> {
      for (; made < 500; made++) {
        ahead = Math.max(ahead, made - taken);
        yield new Uint8Array(chunkBytes);
      }
    }
    const sealing = sealPayload({ source: source(), chunkBytes });
    for await (const _ of sealing.chunks) taken++;
    expect(taken).toBe(500);
    expect(ahead).toBeLessThanOrEqual(4);
    expect((await sealing.finished).length).toBe(512_000);
  });

  it("pass on what the source throws, and close it when the reader gives up", async () => {
    let closed = 0;
    async function* source(fails: boolean): AsyncGenerator<Uint8Array> {
      try {
        for (let i = 0; i < 20; i++) yield pattern(64);
        if (fails) throw new Error("the disk is gone");
        for (;;) yield pattern(64);
      } finally {
        closed++;
      }
    }
    const failing = sealPayload({ source: source(true), chunkBytes: 64 });
    await expect(collect(failing.chunks)).rejects.toThrow("the disk is gone");
    await expect(failing.finished).rejects.toThrow("the disk is gone");
    const abandoned = sealPayload({ source: source(false), chunkBytes: 64 });
    for await (const _ of abandoned.chunks) break;
    await expect(abandoned.finished).rejects.toSatisfy((error) => hasCode(error, "input-invalid"));
    expect(closed).toBe(2);
    const sealed = await seal(pattern(5000));
    let open = 0;
    async function* slow(): AsyncGenerator<Uint8Array> {
      open++;
      try {
        yield* pieces(sealed.ciphertext, [100]);
      } finally {
        open--;
      }
    }
    const { openPayload } = await import("../src/file/open.ts");
    for await (const _ of openPayload(opening(sealed, { source: slow }))) break;
    expect(open).toBe(0);
    await expect(
      openFrom(sealed, new Uint8Array(0), { source: slow, digest: pattern(32) }),
    ).rejects.toThrow();
    expect(open).toBe(0);
  });
});

describe("the descriptor", () => {
  const descriptor = { suite: "A256GCM", payloadId: pattern(32), chunkBytes: 262_144 } as const;

  it("has one encoding and takes nothing else", () => {
    const bytes = encodeDescriptor(descriptor);
    expect(decodeDescriptor(bytes)).toEqual(descriptor);
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const altered = Uint8Array.from(bytes);
      altered[bit >> 3]! ^= 1 << (bit & 7);
      try {
        expect(toHex(encodeDescriptor(decodeDescriptor(altered)))).toBe(toHex(altered));
      } catch (error) {
        expect(hasCode(error, "encoding-invalid")).toBe(true);
      }
    }
  });

  it("takes a power of two from 64 bytes to 1 MiB for the chunks, and no other", () => {
    for (const chunkBytes of [64, 4096, 2 ** 20]) encodeDescriptor({ ...descriptor, chunkBytes });
    for (const chunkBytes of [0, 1, 32, 63, 65, 100, 2 ** 21, 2 ** 32, -64, 64.5, Number.NaN]) {
      expect(() => encodeDescriptor({ ...descriptor, chunkBytes })).toThrow("descriptor");
      expect(() => sealPayload({ source: [], chunkBytes })).toThrow(
        expect.toSatisfy((error: unknown) => hasCode(error, "input-invalid")),
      );
    }
    const suite = "toString" as Suite;
    expect(() => sealPayload({ source: [], suite })).toThrow(
      expect.toSatisfy((error: unknown) => hasCode(error, "input-invalid")),
    );
  });

  it("bounds a payload at 1 TiB and 2^22 chunks", () => {
    expect(isPayloadLength(payloadBytesMax, chunkBytesDefault)).toBe(true);
    expect(isPayloadLength(payloadBytesMax + 1, 2 ** 20)).toBe(false);
    expect(isPayloadLength(64 * 2 ** 22, 64)).toBe(true);
    expect(isPayloadLength(64 * 2 ** 22 + 1, 64)).toBe(false);
    for (const length of [-1, 0.5, Number.NaN, "1", 5n]) expect(isPayloadLength(length, 64)).toBe(false);
  });
});
