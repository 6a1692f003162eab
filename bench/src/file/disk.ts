/** Files for the file benchmark: test data, reading from the page cache, and a folder that goes away afterwards. */

import { randomFillSync } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statfsSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

export const blockBytes = 1 << 20;

/** A new folder below `parent` for the time of `work`. */
export async function withFolder<T>(parent: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(parent, "chartseal-bench-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Bytes that an unprivileged process may still write below the folder. */
export function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** Writes `size` bytes of noise, durable, so that the disk is quiet again when the clock starts. */
export function makeFile(path: string, size: number): void {
  const block = randomFillSync(new Uint8Array(Math.min(size, 64 * blockBytes)));
  const file = openSync(path, "w");
  try {
    for (let written = 0; written < size; ) {
      written += writeSync(file, block, 0, Math.min(block.length, size - written));
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** The file in blocks, all in one buffer that is used again: the cheapest source that there is. */
export function* blocksOf(
  path: string,
  { from = 0, length = Number.POSITIVE_INFINITY, block = blockBytes } = {},
): Generator<Uint8Array> {
  const file = openSync(path, "r");
  const buffer = new Uint8Array(block);
  try {
    for (let rest = length; rest > 0; ) {
      const read = readSync(file, buffer, 0, Math.min(buffer.length, rest), from + length - rest || null);
      if (read === 0) return;
      rest -= read;
      yield buffer.subarray(0, read);
    }
  } finally {
    closeSync(file);
  }
}

/** Brings a file into the page cache. */
export function readThrough(path: string): void {
  for (const _block of blocksOf(path)) {
    // Only the reading is wanted.
  }
}
