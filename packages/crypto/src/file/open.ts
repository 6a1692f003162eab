/**
 * Opening a payload, whole or a range, from an untrusted provider, in constant memory (CRYPTO §4).
 *
 * GCM tags stop outsiders only: every reader who ever opened the record knows the file key and could make chunks that
 * decrypt. So a chunk's hash is compared with the leaf hash, itself checked against the payload digest, before the chunk
 * is decrypted, in ranges too; bytes come out only after that.
 */
import { platform } from "#platform";
import { equalBytes } from "../bytes.ts";
import { assert, ChartsealError } from "../errors.ts";
import { type LeafSource, type VerifiedLeaves, verifiedLeaves } from "./leaves.ts";
import {
  checkCommitment,
  chunkCount,
  type Descriptor,
  isPayloadLength,
  openChunk,
  type PayloadKeys,
  payloadKeys,
  sealedBytes,
  tagBytes,
} from "./payload.ts";
import { BufferRing, type ByteSource, type PortionReader, portionReader } from "./regroup.ts";

/** Chunks that are read ahead and hashed while another is decrypted. */
const window = 8;

export interface OpenOptions {
  readonly fileKey: Uint8Array;
  /** From the header, as are length, digest and keyCommitment. */
  readonly descriptor: Descriptor;
  /** Plaintext bytes of the whole payload. */
  readonly length: number;
  readonly digest: Uint8Array;
  readonly keyCommitment: Uint8Array;
  readonly leaves: LeafSource;
  /** Gives `length` bytes of the sealed payload from `offset` on. */
  readonly source: (offset: number, length: number) => ByteSource | Promise<ByteSource>;
  /** Plaintext bytes from … to, both included; the whole payload where it is missing. */
  readonly range?: { readonly from: number; readonly to: number };
  /** A piece is the caller's until it asks for the next, and not to keep: its memory is used again. */
  readonly lend?: boolean;
}

interface Plan {
  readonly keys: PayloadKeys;
  readonly leaves: VerifiedLeaves;
  readonly reader: PortionReader;
  readonly chunkBytes: number;
  readonly chunks: number;
  readonly sealedBytes: number;
  readonly first: number;
  readonly last: number;
  /** What plaintext lies in, where it is lent. */
  readonly lent: BufferRing | undefined;
}

/**
 * The plaintext, in pieces of at most a chunk; every byte that comes out was verified.
 * @throws ChartsealError `input-invalid` for a range outside the payload; `header-altered` if the key commitment
 * differs; `object-altered` with data `{chunk, offset, reason}` (offset into the sealed payload) for a chunk that is
 * altered, missing, moved or too much, with `{part: "leaf-hashes"}` where the leaf hashes are wrong
 */
export async function* openPayload(options: OpenOptions): AsyncGenerator<Uint8Array> {
  const { descriptor, length, range } = options;
  const { chunkBytes } = descriptor;
  if (!isPayloadLength(length, chunkBytes)) {
    throw new ChartsealError("header-altered", "no payload has that length", { data: { field: "length" } });
  }
  checkRange(range, length);
  const keys = payloadKeys(options.fileKey, descriptor);
  checkCommitment(keys, options.keyCommitment);
  const chunks = chunkCount(length, chunkBytes);
  const leaves = await verifiedLeaves(options.leaves, { leaves: chunks, digest: options.digest });
  const from = range?.from ?? 0;
  const end = range === undefined ? length : range.to + 1;
  const first = Math.floor(from / chunkBytes);
  const last = range === undefined ? chunks - 1 : Math.floor(range.to / chunkBytes);
  const size = chunkBytes + tagBytes;
  const total = sealedBytes(length, chunkBytes);
  const reader = portionReader(
    await options.source(size * first, Math.min(size * (last + 1), total) - size * first),
  );
  try {
    const lent = options.lend === true ? new BufferRing(2, Math.min(chunkBytes, length)) : undefined;
    const plan = { keys, leaves, reader, chunkBytes, chunks, sealedBytes: total, first, last, lent };
    let position = first * chunkBytes;
    for await (const plaintext of verifiedChunks(plan)) {
      const piece = plaintext.subarray(Math.max(0, from - position), Math.max(0, end - position));
      position += plaintext.length;
      if (piece.length > 0) yield piece;
    }
  } finally {
    await reader.close();
  }
}

function checkRange(range: { from: number; to: number } | undefined, length: number): void {
  if (range === undefined) return;
  const { from, to } = range;
  const whole = Number.isSafeInteger(from) && Number.isSafeInteger(to);
  if (!whole || from < 0 || from > to || to >= length) {
    throw new ChartsealError("input-invalid", "the range is not inside the payload", {
      data: { from, to, length },
    });
  }
}

/** Reads ahead, hashes beside decryption, and compares before it. */
async function* verifiedChunks(plan: Plan): AsyncGenerator<Uint8Array> {
  const { keys, chunkBytes, chunks, first, last } = plan;
  const size = chunkBytes + tagBytes;
  const ring = new BufferRing(window, 1 + Math.min(size, plan.sealedBytes), platform.bulkMemory);
  const ahead: { ciphertext: Uint8Array; hash: Promise<Uint8Array> }[] = [];
  let next = first;
  for (let index = first; index <= last; index++) {
    for (; next <= last && next < index + window; next++) {
      const portion = Math.min(size, plan.sealedBytes - size * next);
      const framed = ring.take().subarray(0, 1 + portion);
      const filled = await plan.reader.fill(framed.subarray(1));
      const hash = platform.sha256Bulk(framed.subarray(0, 1 + filled));
      hash.catch(() => {});
      ahead.push({ ciphertext: framed.subarray(1, 1 + filled), hash });
      // A short chunk is the source's end. What was read before it is checked and handed out first; then it fails.
      if (filled < portion) next = last;
    }
    const chunk = ahead.shift();
    assert(chunk !== undefined, "a chunk was read ahead");
    const expected = await plan.leaves(index);
    if (!equalBytes(await chunk.hash, expected)) {
      const { length } = chunk.ciphertext;
      const complete = length === Math.min(size, plan.sealedBytes - size * index);
      throw altered(index, size, complete ? "altered" : length === 0 ? "missing" : "truncated");
    }
    if (index === last && !(await plan.reader.ended())) throw altered(index + 1, size, "extended");
    const memory = plan.lent?.take();
    const plaintext = await openChunk(keys, index, index === chunks - 1, chunk.ciphertext, memory);
    if (plaintext === null) throw altered(index, size, "sealed-wrongly");
    yield plaintext;
  }
}

/** `sealed-wrongly`: the bytes that were deposited, but not what this key and this place in the payload seal. */
type Reason = "altered" | "truncated" | "missing" | "extended" | "sealed-wrongly";

function altered(chunk: number, size: number, reason: Reason): ChartsealError {
  return new ChartsealError("object-altered", `chunk ${chunk} of the payload is not what was deposited`, {
    data: { chunk, offset: chunk * size, reason },
  });
}
