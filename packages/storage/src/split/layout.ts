/**
 * How an object lies in its shards (spec 5-storage, Split): stripes of k blocks of data and n − k of parity, the last
 * stripe's blocks shorter; a shard is its block of every stripe, each sealed, and a trailer. A shard's data is padded as
 * Nikitin et al. do (PURBs, 2019: at most 12 % more, less as it grows), so that its size tells a class and no more.
 */

/** Data bytes of a block. */
export const blockBytesDefault = 64 * 1024;
/** Bytes that sealing adds to a block. */
export const sealBytes = 16;
/** Bytes of the sealed manifest at a shard's end. */
export const trailerBytes = 4096;
/** Fewest data bytes of a shard. */
const shardBytesMin = 4096;

/** Data bytes of a shard: what is needed, rounded up to where few sizes are left. */
export function paddedBytes(needed: number): number {
  const size = Math.max(needed, shardBytesMin);
  const exponent = Math.floor(Math.log2(size));
  const kept = Math.floor(Math.log2(exponent)) + 1;
  const step = 2 ** Math.max(0, exponent - kept);
  return Math.ceil(size / step) * step;
}

export interface Shape {
  readonly size: number;
  readonly k: number;
  readonly blockBytes: number;
}

/** One object's geometry. */
export class Layout {
  readonly k: number;
  readonly blockBytes: number;
  /** Data bytes of each shard. */
  readonly shardBytes: number;
  /** Stripes, which is blocks of each shard. */
  readonly stripes: number;

  constructor({ size, k, blockBytes }: Shape) {
    this.k = k;
    this.blockBytes = blockBytes;
    this.shardBytes = paddedBytes(Math.ceil(size / k));
    this.stripes = Math.ceil(this.shardBytes / blockBytes);
  }

  /** Data bytes of the blocks of a stripe. */
  blockLength(stripe: number): number {
    return Math.min(this.blockBytes, this.shardBytes - stripe * this.blockBytes);
  }

  /** First byte of the object in a stripe. */
  stripeOffset(stripe: number): number {
    return stripe * this.k * this.blockBytes;
  }

  /** The stripe that holds a byte of the object. */
  stripeOf(offset: number): number {
    return Math.floor(offset / (this.k * this.blockBytes));
  }

  /** Where a sealed block begins in its shard. */
  sealedOffset(stripe: number): number {
    return stripe * (this.blockBytes + sealBytes);
  }

  /** Bytes of a shard without its trailer. */
  get sealedBytes(): number {
    return this.shardBytes + this.stripes * sealBytes;
  }

  /** Bytes of a shard as it lies at its place. */
  get storedBytes(): number {
    return this.sealedBytes + trailerBytes;
  }
}
