/**
 * Which chunks an audit asks for, and what an answer must be (CRYPTO §5; spec/7-sharing.md, Audits). Sampling after
 * Ateniese et al., Provable Data Possession (CCS 2007): of a payload with the share f of its chunks lost, c random chunks
 * show it with probability ≥ 1 − (1 − f)^c: 460 for 1 % at 99 %. Nothing here knows a key: a chunk is ciphertext.
 *
 * An answer is, for each index ascending, the RFC 6962 proof of that leaf, lowest sibling first, then the chunk itself.
 * Every length follows from index and payload length, which the auditor has from the ledger; so nothing in an answer says
 * what it is, and there is nothing to lie about but the bytes.
 */
import { compareBytes, u32, u64 } from "../bytes.ts";
import { assert } from "../errors.ts";
import { fixed, hash, tagged } from "../hash.ts";
import { sha256Tree } from "./merkle.ts";
import { chunkCount, sealedBytes, tagBytes } from "./payload.ts";

/** What the chunks derive from; 32 bytes each. */
export interface AuditSeed {
  /** Of a block later than the payload. */
  readonly blockHash: Uint8Array;
  readonly recordId: Uint8Array;
  readonly payloadDigest: Uint8Array;
  /** The auditor's. */
  readonly nonce: Uint8Array;
}

/** A payload as the ledger has it. */
export interface AuditedPayload {
  /** Of the plaintext, in bytes. */
  readonly length: number;
  readonly chunkBytes: number;
  readonly digest: Uint8Array;
}

const drawBytes = 8;
const drawRange = 2n ** 64n;
const hashBytes = 32;

/**
 * `count` distinct chunks of `size`, ascending, all of them where there are no more. Draws are the 8-byte words of
 * SHA-256(tag ‖ block hash ‖ record id ‖ payload digest ‖ nonce ‖ u32 counter), counter 0, 1, …; a word in the last, short
 * multiple of `size` is passed over, so that no index is likelier than another, and so is an index that was drawn before.
 */
export function auditedChunks(seed: AuditSeed, { size, count }: { size: number; count: number }): number[] {
  assert(Number.isSafeInteger(size) && size >= 1 && count >= 1, "a payload has chunks and an audit asks");
  if (count >= size) return Array.from({ length: size }, (_, at) => at);
  const chosen = new Set<number>();
  const range = BigInt(size);
  const fair = drawRange - (drawRange % range);
  const { blockHash, recordId, payloadDigest, nonce } = seed;
  const parts = [blockHash, recordId, payloadDigest, nonce].map(fixed);
  for (let counter = 0; chosen.size < count; counter++) {
    const words = hash("audit/challenge", ...parts, fixed(u32(counter)));
    const view = new DataView(words.buffer, words.byteOffset, words.length);
    for (let at = 0; at < words.length && chosen.size < count; at += drawBytes) {
      const word = view.getBigUint64(at);
      if (word < fair) chosen.add(Number(word % range));
    }
  }
  return [...chosen].sort((a, b) => a - b);
}

/** Bytes of chunk `index` as it is stored. */
export function auditedChunkBytes({ length, chunkBytes }: AuditedPayload, index: number): number {
  const last = chunkCount(length, chunkBytes) - 1;
  const whole = chunkBytes + tagBytes;
  return index < last ? whole : sealedBytes(length, chunkBytes) - last * whole;
}

/** Siblings in the proof of leaf `index` of `size`: a node that is the last of its level and odd has none there. */
export function proofLength(index: number, size: number): number {
  let count = 0;
  for (let at = index, last = size - 1; last > 0; at = Math.floor(at / 2), last = Math.floor(last / 2)) {
    if (at !== last || at % 2 === 1) count++;
  }
  return count;
}

/** Bytes of the answer for these chunks. */
export function auditAnswerBytes(payload: AuditedPayload, indexes: readonly number[]): number {
  const size = chunkCount(payload.length, payload.chunkBytes);
  let bytes = 0;
  for (const index of indexes)
    bytes += hashBytes * proofLength(index, size) + auditedChunkBytes(payload, index);
  return bytes;
}

/** Whether these are the proof and the bytes of chunk `index`. `proof`: the siblings, joined. */
export function verifyAuditedChunk(
  payload: AuditedPayload,
  answer: { readonly index: number; readonly proof: Uint8Array; readonly chunk: Uint8Array },
): boolean {
  const { index, proof, chunk } = answer;
  const size = chunkCount(payload.length, payload.chunkBytes);
  if (proof.length !== hashBytes * proofLength(index, size)) return false;
  if (chunk.length !== auditedChunkBytes(payload, index)) return false;
  const siblings = Array.from({ length: proof.length / hashBytes }, (_, at) =>
    proof.subarray(hashBytes * at, hashBytes * (at + 1)),
  );
  const leafHash = sha256Tree.leafHash(chunk);
  return sha256Tree.verifyInclusion({ leafHash, index, size, proof: siblings, root: payload.digest });
}

/** What an audit found of one record. */
export const auditOutcomes = { held: 1, failed: 2, unanswered: 3 } as const;
export type AuditOutcome = keyof typeof auditOutcomes;

export interface AuditedRecord {
  /** 32 bytes. */
  readonly recordId: Uint8Array;
  readonly version: number;
  readonly outcome: AuditOutcome;
}

/** RFC 6962 root over the outcomes, by record id ascending: leaf tag ‖ record id ‖ u64 version ‖ u8 outcome. */
export function auditRoot(records: readonly AuditedRecord[]): Uint8Array {
  const tree = sha256Tree.builder();
  for (const { recordId, version, outcome } of records.toSorted(byRecord)) {
    const found = Uint8Array.of(auditOutcomes[outcome]);
    const leaf = tagged("audit/outcome", fixed(recordId), fixed(u64(version)), fixed(found));
    tree.append(sha256Tree.leafHash(leaf));
  }
  return tree.root();
}

function byRecord(a: AuditedRecord, b: AuditedRecord): number {
  return compareBytes(a.recordId, b.recordId);
}
