/** Audits of stored payloads: which chunks are asked for, what an answer must be, and what that finds. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type AuditedPayload,
  type AuditSeed,
  auditAnswerBytes,
  auditedChunkBytes,
  auditedChunks,
  auditRoot,
  chunkCount,
  concat,
  fixed,
  hash,
  proofLength,
  sealedBytes,
  sha256,
  sha256Tree,
  tag,
  u32,
  u64,
  utf8,
  verifyAuditedChunk,
} from "../src/index.ts";

const seedOf = (label: string): AuditSeed => ({
  blockHash: sha256(utf8(`block ${label}`)),
  recordId: sha256(utf8("record")),
  payloadDigest: sha256(utf8("payload")),
  nonce: sha256(utf8(`nonce ${label}`)),
});

describe("the chunks that are asked for", () => {
  test("follow from the recipe by hand", () => {
    const seed = seedOf("a");
    const { blockHash, recordId, payloadDigest, nonce } = seed;
    const words: bigint[] = [];
    for (let counter = 0; counter < 3; counter++) {
      const name = utf8("chartseal-v1/audit/challenge\0");
      const bytes = sha256(name, blockHash, recordId, payloadDigest, nonce, u32(counter));
      const view = new DataView(bytes.buffer, bytes.byteOffset, 32);
      for (let at = 0; at < 32; at += 8) words.push(view.getBigUint64(at));
    }
    const expected = [...new Set(words.map((word) => Number(word % 1_000_003n)))].slice(0, 10);
    expect(auditedChunks(seed, { size: 1_000_003, count: 10 })).toEqual(expected.sort((a, b) => a - b));
  });

  test("are distinct, ascending and inside, and all of them where there are no more", () => {
    const sizes = fc.tuple(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 1000 }));
    fc.assert(
      fc.property(sizes, fc.string(), ([size, count], label) => {
        const chosen = auditedChunks(seedOf(label), { size, count });
        expect(chosen).toHaveLength(Math.min(size, count));
        expect(chosen).toEqual([...new Set(chosen)].sort((a, b) => a - b));
        expect(chosen.every((index) => index >= 0 && index < size)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test("change with every part of the seed", () => {
    const seed = seedOf("a");
    const place = { size: 100_000, count: 5 };
    const first = auditedChunks(seed, place);
    for (const part of Object.keys(seed)) {
      expect(auditedChunks({ ...seed, [part]: sha256(utf8(part)) }, place)).not.toEqual(first);
    }
  });

  test("are all as likely: no index of seven is favoured in 21,000 draws", () => {
    const counts = new Array<number>(7).fill(0);
    for (let trial = 0; trial < 7000; trial++) {
      for (const index of auditedChunks(seedOf(String(trial)), { size: 7, count: 3 })) counts[index]!++;
    }
    // χ² with 6 degrees of freedom stays below 22.5 but once in a thousand; the seeds are fixed.
    const chi = counts.reduce((sum, count) => sum + (count - 3000) ** 2 / 3000, 0);
    expect(chi).toBeLessThan(22.5);
  });
});

/** A payload of `size` chunks of 64 bytes, the last one short, and its leaves. */
function payloadOf(size: number): { payload: AuditedPayload; chunks: Uint8Array[]; leaves: Uint8Array[] } {
  const chunkBytes = 64;
  const length = size === 1 ? 0 : chunkBytes * size - 5;
  const payload = { length, chunkBytes, digest: new Uint8Array(32) };
  const chunks = Array.from({ length: size }, (_, at) => {
    const bytes = concat(sha256(u32(at)), sha256(u32(at), u32(1)), sha256(u32(at), u32(2)));
    return bytes.slice(0, auditedChunkBytes(payload, at));
  });
  const leaves = chunks.map((chunk) => sha256Tree.leafHash(chunk));
  return { payload: { ...payload, digest: sha256Tree.root(leaves) }, chunks, leaves };
}

describe("an answer", () => {
  const sizes = [1, 2, 3, 5, 8, 13, 64, 100, 129];

  test.each(sizes)("for every chunk of %i has the length that follows, and verifies", (size) => {
    const { payload, chunks, leaves } = payloadOf(size);
    expect(chunkCount(payload.length, 64)).toBe(size);
    const levels = sha256Tree.levels(leaves);
    expect(levels.root).toEqual(payload.digest);
    let bytes = 0;
    for (const [index, chunk] of chunks.entries()) {
      const proof = levels.proof(index);
      expect(proof).toEqual(sha256Tree.inclusionProof(leaves, index));
      expect(proof).toHaveLength(proofLength(index, size));
      expect(verifyAuditedChunk(payload, { index, proof: concat(...proof), chunk })).toBe(true);
      bytes += chunk.length + 32 * proof.length;
    }
    expect(
      auditAnswerBytes(
        payload,
        chunks.map((_, at) => at),
      ),
    ).toBe(bytes);
    expect(chunks.reduce((sum, { length }) => sum + length, 0)).toBe(sealedBytes(payload.length, 64));
  });

  test("with a chunk's hash in the chunk's place is none, and would pass where only hashes are compared", () => {
    const { payload, leaves } = payloadOf(13);
    const proof = concat(...sha256Tree.inclusionProof(leaves, 4));
    expect(verifyAuditedChunk(payload, { index: 4, proof, chunk: leaves[4]! })).toBe(false);
    // The weak form of the check, which a provider that threw away every chunk and kept 32 bytes of each satisfies.
    const siblings = sha256Tree.inclusionProof(leaves, 4);
    const weak = { leafHash: leaves[4]!, index: 4, size: 13, proof: siblings, root: payload.digest };
    expect(sha256Tree.verifyInclusion(weak)).toBe(true);
  });

  test("for another index is none, though chunk and proof belong together", () => {
    const { payload, chunks, leaves } = payloadOf(64);
    const proof = concat(...sha256Tree.inclusionProof(leaves, 9));
    const answer = { proof, chunk: chunks[9]! };
    expect(verifyAuditedChunk(payload, { index: 8, ...answer })).toBe(false);
    // A check that took the index from the answer would be content.
    expect(verifyAuditedChunk(payload, { index: 9, ...answer })).toBe(true);
  });

  test("with a changed byte anywhere is none", () => {
    const { payload, chunks, leaves } = payloadOf(13);
    const proof = concat(...sha256Tree.inclusionProof(leaves, 7));
    const chunk = chunks[7]!;
    const flip = (bytes: Uint8Array, at: number) =>
      bytes.map((byte, here) => (here === at ? byte ^ 1 : byte));
    for (const at of [0, 40, chunk.length - 1]) {
      expect(verifyAuditedChunk(payload, { index: 7, proof, chunk: flip(chunk, at) })).toBe(false);
    }
    expect(verifyAuditedChunk(payload, { index: 7, proof: flip(proof, 33), chunk })).toBe(false);
    expect(verifyAuditedChunk(payload, { index: 7, proof: proof.subarray(32), chunk })).toBe(false);
  });
});

describe("of a payload of 100,000 chunks with 1 % of them lost, 460 challenges", () => {
  const size = 100_000;
  const lost = size / 100;
  const trials = 2000;
  /** The share of trials that must find it, by arithmetic: 1 − C(99,000, 460) / C(100,000, 460). */
  const exact = 1 - missed(460);

  function missed(count: number): number {
    let probability = 1;
    for (let drawn = 0; drawn < count; drawn++) probability *= (size - lost - drawn) / (size - drawn);
    return probability;
  }

  /** The share of the trials that find a lost chunk, each with its own seed and its own loss. */
  function found(isLost: (trial: number) => (index: number) => boolean): number {
    let count = 0;
    for (let trial = 0; trial < trials; trial++) {
      if (auditedChunks(seedOf(`trial ${trial}`), { size, count: 460 }).some(isLost(trial))) count++;
    }
    return count / trials;
  }

  /** Three standard errors of a share that is measured in so many trials. */
  const spreadOf = 3 * Math.sqrt((exact * (1 - exact)) / trials);

  test("find a loss spread at random as often as arithmetic says", () => {
    const spread = (trial: number) => {
      // A stride that is prime to the size makes every loss a set of its own, all over the payload.
      const stride = 2 * (trial * 7919) + 1;
      const start = (trial * 49_157) % size;
      const step = stride % 5 === 0 ? stride + 2 : stride;
      const gone = new Set(Array.from({ length: lost }, (_, at) => (start + at * step) % size));
      return (index: number) => gone.has(index);
    };
    const share = found(spread);
    expect(Math.abs(share - exact), `${share}`).toBeLessThan(spreadOf);
  });

  test("find a loss of one piece just so: no place in the payload is safer", () => {
    const piece = (trial: number) => {
      const start = (trial * 49_157) % (size - lost);
      return (index: number) => index >= start && index < start + lost;
    };
    const share = found(piece);
    expect(Math.abs(share - exact), `${share}`).toBeLessThan(spreadOf);
  });

  test("is found with more than 99 %: 459 are needed where a chunk may be drawn twice, and 458 would not do", () => {
    expect(exact).toBeGreaterThan(0.9901);
    expect(missed(460)).toBeLessThan(0.99 ** 460);
    expect(0.99 ** 459).toBeLessThan(0.01);
    expect(0.99 ** 458).toBeGreaterThan(0.01);
  });
});

test("the root of a run's outcomes follows from the recipe by hand, whatever their order", () => {
  const [a, b] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  const leaf = (recordId: Uint8Array, version: number, outcome: number) =>
    sha256(Uint8Array.of(0), utf8(tag("audit/outcome")), recordId, u64(version), Uint8Array.of(outcome));
  const expected = sha256(Uint8Array.of(1), leaf(a, 3, 2), leaf(b, 1, 1));
  const records = [
    { recordId: b, version: 1, outcome: "held" },
    { recordId: a, version: 3, outcome: "failed" },
  ] as const;
  expect(auditRoot(records)).toEqual(expected);
  expect(auditRoot([...records].reverse())).toEqual(expected);
  expect(hash("audit/nonce", fixed(a))).toEqual(sha256(utf8("chartseal-v1/audit/nonce\0"), a));
});
