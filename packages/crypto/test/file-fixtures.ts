/** A sealed payload kept in memory, and ways to open it, for the tests of file/. */
import { concat } from "../src/bytes.ts";
import { type OpenOptions, openPayload } from "../src/file/open.ts";
import { type Suite, tagBytes } from "../src/file/payload.ts";
import { type SealedPayload, type SealedSummary, sealPayload } from "../src/file/seal.ts";
import { type Span, SpanTreeBuilder, spanLeaves, spanProof } from "../src/file/span-tree.ts";

export interface Sealed extends Omit<SealedPayload, "chunks" | "finished">, SealedSummary {
  readonly ciphertext: Uint8Array;
  /** Leaf hashes joined. */
  readonly leaves: Uint8Array;
}

/** Bytes that differ everywhere and repeat nowhere near a chunk: i·i + 7·i mod 251. */
export function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * i + 7 * i) % 251);
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(Uint8Array.from(part));
  return concat(...parts);
}

/** The same bytes in pieces of the given sizes, taken in turn; the memory of a piece is spoilt after it was used. */
export function* pieces(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const piece = bytes.slice(at, at + (sizes[i % sizes.length] ?? 1));
    at += piece.length;
    yield piece;
    piece.fill(0xee);
  }
}

export async function seal(
  plaintext: Uint8Array,
  options: { chunkBytes?: number; suite?: Suite; sizes?: readonly number[] } = {},
): Promise<Sealed> {
  const { chunkBytes = 64, suite = "A256GCM", sizes = [plaintext.length + 1] } = options;
  const leaves: Uint8Array[] = [];
  const sealing = sealPayload({
    source: pieces(plaintext, sizes),
    chunkBytes,
    suite,
    onLeaf: (leaf) => void leaves.push(leaf),
  });
  const ciphertext = await collect(sealing.chunks);
  const { descriptor, fileKey, keyCommitment } = sealing;
  return {
    descriptor,
    fileKey,
    keyCommitment,
    ciphertext,
    leaves: concat(...leaves),
    ...(await sealing.finished),
  };
}

/** What the reader is given, where nothing is wrong; `changes` spoil it. */
export function opening(sealed: Sealed, changes: Partial<OpenOptions> = {}): OpenOptions {
  return {
    ...sealed,
    leaves: { list: sealed.leaves },
    source: (offset, length) => [sealed.ciphertext.subarray(offset, offset + length)],
    ...changes,
  };
}

export function open(sealed: Sealed, changes: Partial<OpenOptions> = {}): Promise<Uint8Array> {
  return collect(openPayload(opening(sealed, changes)));
}

/** Opens from other bytes than were sealed. */
export function openFrom(
  sealed: Sealed,
  ciphertext: Uint8Array,
  changes: Partial<OpenOptions> = {},
): Promise<Uint8Array> {
  const source = (offset: number, length: number): Uint8Array[] => {
    const whole = offset === 0 && length === sealed.ciphertext.length;
    // A provider that was asked for everything sends everything that it has.
    return [whole ? ciphertext : ciphertext.subarray(offset, offset + length)];
  };
  return open(sealed, { source, ...changes });
}

/** The ciphertext's chunks. */
export function chunksOf(sealed: Sealed): Uint8Array[] {
  const size = sealed.descriptor.chunkBytes + tagBytes;
  return Array.from({ length: sealed.chunks }, (_, i) => sealed.ciphertext.slice(size * i, size * (i + 1)));
}

/** A provider's spans over a list of leaf hashes. */
export function spansOf(leaves: Uint8Array): (index: number) => Promise<Span> {
  const builder = new SpanTreeBuilder();
  for (let at = 0; at < leaves.length; at += 32) builder.append(leaves.subarray(at, at + 32));
  const tree = builder.finish();
  return async (index) => ({
    leafHashes: leaves.slice(32 * spanLeaves * index, 32 * spanLeaves * (index + 1)),
    proof: spanProof(tree, index),
  });
}
