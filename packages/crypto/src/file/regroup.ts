/**
 * Streams cut into chunks: pieces of any size in, chunks of one size out, in constant memory.
 * A chunk is behind one zero byte (the prefix of a leaf of RFC 6962), so that hashing it needs no copy, and lies in one
 * of a few buffers that are used again in turn.
 */
import { platform } from "#platform";

/** What a stream of bytes may be. */
export type ByteSource = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Reads a source in portions of a wanted size; close it when done. */
export interface PortionReader {
  /** Fills `target` as far as the source goes and says how many bytes there were: fewer only at its end. */
  fill(target: Uint8Array): Promise<number>;
  /** `size` bytes as they lie in the source's piece, where more than that is left of it; else takes nothing. */
  takeWithin(size: number): Uint8Array | undefined;
  /** The source's next piece as it is, where nothing is left of the one before and it is wanted; else takes nothing. */
  takePiece(isWanted: (piece: Uint8Array) => boolean): Promise<Uint8Array | undefined>;
  /** True if the source has not one byte more. */
  ended(): Promise<boolean>;
  /** Tells the source that nothing more is wanted. */
  close(): Promise<void>;
}

export function portionReader(source: ByteSource): PortionReader {
  const iterator =
    Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  let piece: Uint8Array = new Uint8Array(0);
  let done = false;

  async function more(): Promise<boolean> {
    while (!done && piece.length === 0) {
      const next = await iterator.next();
      if (next.done === true) done = true;
      else piece = next.value;
    }
    return piece.length > 0;
  }

  return {
    async fill(target) {
      let filled = 0;
      while (filled < target.length && (await more())) {
        const part = piece.subarray(0, target.length - filled);
        platform.copyBulk(target, part, filled);
        filled += part.length;
        piece = piece.subarray(part.length);
      }
      return filled;
    },
    takeWithin(size) {
      if (piece.length <= size) return undefined;
      const taken = piece.subarray(0, size);
      piece = piece.subarray(size);
      return taken;
    },
    async takePiece(isWanted) {
      if (!(await more()) || !isWanted(piece)) return undefined;
      const taken = piece;
      piece = new Uint8Array(0);
      return taken;
    },
    ended: async () => !(await more()),
    async close() {
      if (!done) await iterator.return?.();
      done = true;
    },
  };
}

/** A few buffers in turn, made when first used. */
export class BufferRing {
  readonly #buffers: Uint8Array[] = [];
  readonly #count: number;
  readonly #size: number;
  readonly #memory: (size: number) => Uint8Array;
  #next = 0;

  constructor(count: number, size: number, memory = (bytes: number): Uint8Array => new Uint8Array(bytes)) {
    this.#count = count;
    this.#size = size;
    this.#memory = memory;
  }

  /** The next buffer: whoever held it `count` turns ago holds it no more. */
  take(): Uint8Array {
    const at = this.#next++ % this.#count;
    let buffer = this.#buffers[at];
    if (buffer === undefined) {
      buffer = this.#memory(this.#size);
      this.#buffers[at] = buffer;
    }
    return buffer;
  }
}
