/**
 * Sealing a payload, and hashing a sealed one: streams in constant memory (CRYPTO §4).
 *
 * Encryption runs on the calling thread while the chunks before are hashed on the platform's other threads; at most
 * `window` hashes are under way, so memory stays near window + 3 chunks.
 */
import { platform } from "#platform";
import { assert, ChartsealError } from "../errors.ts";
import { randomBytes } from "../random.ts";
import { sha256Tree } from "./merkle.ts";
import {
  chunkBytesDefault,
  chunksMax,
  type Descriptor,
  encodeDescriptor,
  payloadBytesMax,
  payloadKeys,
  type Suite,
  sealChunk,
  tagBytes,
} from "./payload.ts";
import { BufferRing, type ByteSource, portionReader } from "./regroup.ts";

/** Chunks that are hashed, or wait for it, behind the one that is sealed. */
const window = 8;

/**
 * Leaf hashes of chunks that were sealed in this very process, by the object that was handed out: a provider in the same
 * process does not hash them again. What came any other way, a copy too, is another object and is hashed.
 */
const sealedHere = new WeakMap<Uint8Array, Promise<Uint8Array>>();

/** Takes the leaf hashes in order, 32 bytes a chunk: the provider keeps them beside the payload. */
export type LeafSink = (leafHash: Uint8Array, chunk: number) => void | Promise<void>;

export interface PayloadSummary {
  /** Bytes of the sealed payload. */
  readonly ciphertextLength: number;
  readonly chunks: number;
  /** The payload digest: root of the RFC 6962 tree, one leaf a ciphertext chunk. */
  readonly digest: Uint8Array;
}

export interface SealedSummary extends PayloadSummary {
  /** Bytes of the plaintext. */
  readonly length: number;
}

export interface SealedPayload {
  readonly descriptor: Descriptor;
  /** fk: 32 fresh random bytes, the secret that the header wraps. */
  readonly fileKey: Uint8Array;
  readonly keyCommitment: Uint8Array;
  /**
   * The sealed payload, chunk by chunk, once; each is the caller's to keep, or with `lend` its own until it asks for the
   * next. One that is to be altered is copied first: `hashPayload` in this process knows the hash of what is handed out.
   */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Settles when `chunks` was read to its end or given up. */
  readonly finished: Promise<SealedSummary>;
}

/**
 * Seals a stream under a file key of its own; a seal that was interrupted starts over with another.
 * Constant memory, at most 1 TiB and 2^22 chunks; an empty source is one empty chunk.
 * @throws ChartsealError `input-invalid` for chunkBytes that is no power of two from 64 to 2^20; while reading, for a
 * payload beyond the limits. What the source throws passes through.
 */
export function sealPayload(options: {
  readonly source: ByteSource;
  readonly suite?: Suite;
  readonly chunkBytes?: number;
  readonly onLeaf?: LeafSink;
  /** Chunks lie in a few buffers that are used again in turn: faster, and no memory waits to be collected. */
  readonly lend?: boolean;
}): SealedPayload {
  const { suite = "A256GCM", chunkBytes = chunkBytesDefault, lend = false } = options;
  const descriptor: Descriptor = { suite, payloadId: randomBytes(32), chunkBytes };
  try {
    encodeDescriptor(descriptor);
  } catch {
    throw new ChartsealError("input-invalid", "no such suite, or a chunk size that is not allowed");
  }
  const fileKey = randomBytes(32);
  const keys = payloadKeys(fileKey, descriptor);
  const reader = portionReader(options.source);

  async function* produce(hashes: LeafHashes, summary: (summary: SealedSummary) => void) {
    const gathered = new BufferRing(1, chunkBytes);
    // A chunk is hashed when `window` chunks after it are sealed, and the caller has let go of it long before.
    const sealed = lend
      ? new BufferRing(window + 1, 1 + chunkBytes + tagBytes, platform.bulkMemory)
      : undefined;
    let length = 0;
    let index = 0;
    try {
      for (let last = false; !last; index++) {
        // Most chunks are sealed from where they lie. What is at a piece's end is gathered first: the source may use its
        // memory again when it is asked whether there is more.
        let plaintext = reader.takeWithin(chunkBytes);
        if (plaintext === undefined) {
          const buffer = gathered.take();
          plaintext = buffer.subarray(0, await reader.fill(buffer));
          last = plaintext.length < chunkBytes || (await reader.ended());
        }
        length += plaintext.length;
        if (length > payloadBytesMax || index >= chunksMax) {
          throw new ChartsealError("input-invalid", "the payload is larger than 1 TiB or 2^22 chunks");
        }
        const framed = await sealChunk(keys, index, last, plaintext, sealed?.take());
        const chunk = framed.subarray(1);
        const hash = bulkHash(framed);
        sealedHere.set(chunk, hash);
        await hashes.push(hash);
        yield chunk;
      }
      const digest = await hashes.digest();
      summary({ length, ciphertextLength: length + tagBytes * index, chunks: index, digest });
    } finally {
      await reader.close();
    }
  }

  return { descriptor, fileKey, keyCommitment: keys.commitment, ...watched(produce, options.onLeaf) };
}

/**
 * Hashes a sealed payload as it passes: what a provider does at the store, and forensics to find altered chunks.
 * `chunks` gives the same bytes, cut into chunks that are the caller's to keep, or with `lend` its own until it asks for
 * the next; compare `ciphertextLength` with `sealedBytes`.
 */
export function hashPayload(options: {
  readonly source: ByteSource;
  readonly chunkBytes?: number;
  readonly onLeaf?: LeafSink;
  readonly lend?: boolean;
}): { readonly chunks: AsyncIterable<Uint8Array>; readonly finished: Promise<PayloadSummary> } {
  const { source, chunkBytes = chunkBytesDefault, lend = false } = options;
  const size = chunkBytes + tagBytes;
  const reader = portionReader(source);

  async function* produce(hashes: LeafHashes, summary: (summary: PayloadSummary) => void) {
    const ring = lend ? new BufferRing(window + 1, 1 + size, platform.bulkMemory) : undefined;
    let ciphertextLength = 0;
    let chunks = 0;
    try {
      for (let filled = size; filled === size; ) {
        const known = await reader.takePiece((piece) => piece.length === size && sealedHere.has(piece));
        const hash = known && sealedHere.get(known);
        if (known !== undefined && hash !== undefined) {
          chunks++;
          ciphertextLength += size;
          await hashes.push(hash);
          yield known;
          continue;
        }
        const framed = ring?.take() ?? new Uint8Array(1 + size);
        filled = await reader.fill(framed.subarray(1));
        if (filled === 0) break;
        chunks++;
        ciphertextLength += filled;
        await hashes.push(bulkHash(framed.subarray(0, 1 + filled)));
        yield framed.subarray(1, 1 + filled);
      }
      summary({ ciphertextLength, chunks, digest: await hashes.digest() });
    } finally {
      await reader.close();
    }
  }

  return watched(produce, options.onLeaf);
}

/** Starts hashing 0x00 ‖ chunk, a leaf. */
function bulkHash(framed: Uint8Array): Promise<Uint8Array> {
  const hash = platform.sha256Bulk(framed);
  // A failure is met where the hash is awaited, or nowhere if the stream was given up before.
  hash.catch(() => {});
  return hash;
}

/** Leaf hashes under way on other threads, at most `window`, taken into the tree in order. */
class LeafHashes {
  readonly #tree = sha256Tree.builder();
  readonly #underWay: Promise<Uint8Array>[] = [];
  readonly #sink: LeafSink | undefined;

  constructor(sink: LeafSink | undefined) {
    this.#sink = sink;
  }

  async push(hash: Promise<Uint8Array>): Promise<void> {
    this.#underWay.push(hash);
    if (this.#underWay.length >= window) await this.#take();
  }

  async digest(): Promise<Uint8Array> {
    while (this.#underWay.length > 0) await this.#take();
    return this.#tree.root();
  }

  async #take(): Promise<void> {
    const hash = await this.#underWay.shift();
    assert(hash !== undefined, "a hash is under way");
    const chunk = this.#tree.size;
    this.#tree.append(hash);
    await this.#sink?.(hash, chunk);
  }
}

/** The chunks, to be read once, and the promise of their summary. */
function watched<S>(
  produce: (hashes: LeafHashes, summary: (summary: S) => void) => AsyncGenerator<Uint8Array>,
  onLeaf: LeafSink | undefined,
): { chunks: AsyncIterable<Uint8Array>; finished: Promise<S> } {
  const { promise: finished, resolve, reject } = Promise.withResolvers<S>();
  // Whoever reads the chunks meets the failure there; `finished` may go unread.
  finished.catch(() => {});
  async function* run(): AsyncGenerator<Uint8Array> {
    try {
      yield* produce(new LeafHashes(onLeaf), resolve);
    } catch (error) {
      reject(error);
      throw error;
    } finally {
      reject(new ChartsealError("input-invalid", "the payload was not read to its end"));
    }
  }
  return { chunks: run(), finished };
}
