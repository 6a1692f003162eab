/**
 * Takes a snapshot of the state after one block, into a folder of its own: `metadata`, and each chunk under its number. The
 * tree's rows are never changed, so that the chain goes on meanwhile; no more of it is in memory than one chunk. A folder
 * that is not whole has another name.
 */
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import { ChartsealError, sha256 } from "@chartseal/crypto";
import { encodeNode } from "../state-tree.ts";
import type { CometStore } from "./comet-store.ts";
import { encodeBlockRecord, encodeMetadata, framedRecord, type SnapshotMetadata } from "./snapshot-format.ts";

export const unfinished = ".part";

export interface Taking {
  readonly store: CometStore;
  readonly chainId: Uint8Array;
  /** Our block. */
  readonly height: number;
  /** Where the snapshot's folder is made, named by CometBFT's height. */
  readonly folder: string;
  readonly chunkBytes: number;
  /** Whether to go on. */
  readonly wanted: () => boolean;
}

/** Undefined where it was called off. @throws ChartsealError `chain-altered`, `ledger-unreachable` */
export async function takeSnapshot(taking: Taking): Promise<SnapshotMetadata | undefined> {
  const { store, chainId, height, chunkBytes } = taking;
  const cometHeight = store.madeAt(height);
  const block = store.chain.block(height);
  if (block === undefined || cometHeight === undefined) {
    throw new ChartsealError("chain-altered", `block ${height} is missing`, { data: { height } });
  }
  const place = join(taking.folder, String(cometHeight));
  const part = place + unfinished;
  await rm(part, { recursive: true, force: true });
  await mkdir(part, { recursive: true, mode: 0o700 });
  const chunks = new ChunkFiles(part, chunkBytes);
  await chunks.add(framedRecord(encodeBlockRecord(block)));
  let leafCount = 0;
  const { stateRoot } = block.header;
  for (const lot of store.chain.leaves(height, stateRoot)) {
    for (const leaf of lot) await chunks.add(framedRecord(encodeNode(leaf)));
    leafCount += lot.length;
    await breathe();
    if (!taking.wanted()) return undefined;
  }
  const { hashes, streamBytes } = await chunks.end();
  const metadata: SnapshotMetadata = {
    chainId,
    height,
    blockHash: block.hash,
    cometHeight,
    chunkBytes,
    streamBytes,
    leafCount,
    chunks: hashes,
  };
  await writeFile(join(part, "metadata"), encodeMetadata(metadata), { mode: 0o600 });
  await rm(place, { recursive: true, force: true });
  await rename(part, place);
  return metadata;
}

/** Cuts a stream into files of one size. */
class ChunkFiles {
  readonly #folder: string;
  readonly #chunkBytes: number;
  readonly #hashes: Uint8Array[] = [];
  #held: Uint8Array[] = [];
  #size = 0;
  #written = 0;

  constructor(folder: string, chunkBytes: number) {
    this.#folder = folder;
    this.#chunkBytes = chunkBytes;
  }

  async add(bytes: Uint8Array): Promise<void> {
    this.#held.push(bytes);
    this.#size += bytes.length;
    while (this.#size >= this.#chunkBytes) {
      const whole = new Uint8Array(Buffer.concat(this.#held, this.#size));
      await this.#write(whole.subarray(0, this.#chunkBytes));
      this.#held = [whole.subarray(this.#chunkBytes)];
      this.#size -= this.#chunkBytes;
    }
  }

  async end(): Promise<{ readonly hashes: readonly Uint8Array[]; readonly streamBytes: number }> {
    if (this.#size > 0) await this.#write(new Uint8Array(Buffer.concat(this.#held, this.#size)));
    return { hashes: this.#hashes, streamBytes: this.#written };
  }

  async #write(chunk: Uint8Array): Promise<void> {
    await writeFile(join(this.#folder, String(this.#hashes.length)), chunk, { mode: 0o600 });
    this.#hashes.push(sha256(chunk));
    this.#written += chunk.length;
  }
}
