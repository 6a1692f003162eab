/**
 * What a snapshot is, byte by byte (spec/6-ledger.md): a stream of the block that it is of and of all leaves of the state
 * after that block, cut into chunks of one size; and the metadata that names every chunk by its hash. Nothing in it is one
 * node's own, so that all nodes make the same bytes and a chunk may come from any of them.
 */
import { type CborValue, ChartsealError, decode, encode, equalBytes, sha256, u32 } from "@chartseal/crypto";
import { type BlockHeader, decodeHeader, encodeHeader } from "../block.ts";

export const snapshotFormat = 1;
/** Size of every chunk but the last. */
export const chunkBytesMax = 4 * 1024 * 1024;
export const chunkBytesMin = 1024;
/** CometBFT carries no more metadata than 4 MB. */
const metadataBytesMax = 3_900_000;
/** Largest record: a block with its header, or a leaf. */
export const recordBytesMax = 32 * 1024 * 1024;

export interface SnapshotMetadata {
  readonly chainId: Uint8Array;
  /** Our block. */
  readonly height: number;
  readonly blockHash: Uint8Array;
  /** CometBFT's height that made it. */
  readonly cometHeight: number;
  readonly chunkBytes: number;
  /** Of the whole stream. */
  readonly streamBytes: number;
  readonly leafCount: number;
  /** SHA-256 of each chunk, 32 bytes. */
  readonly chunks: readonly Uint8Array[];
}

/** encode([1, chain id, height, block hash, CometBFT's height, chunk size, stream size, leaves, hashes of the chunks]). */
export function encodeMetadata(metadata: SnapshotMetadata): Uint8Array {
  const { chainId, height, blockHash, cometHeight, chunkBytes, streamBytes, leafCount, chunks } = metadata;
  const hashes = Buffer.concat(chunks);
  return encode([
    snapshotFormat,
    chainId,
    height,
    blockHash,
    cometHeight,
    chunkBytes,
    streamBytes,
    leafCount,
    new Uint8Array(hashes),
  ]);
}

/** Strict, sizes and counts that do not fit together included. @throws ChartsealError `encoding-invalid` */
export function decodeMetadata(bytes: Uint8Array): SnapshotMetadata {
  const fields = decode(bytes, { sizeMax: metadataBytesMax });
  if (!Array.isArray(fields) || fields.length !== 9 || fields[0] !== snapshotFormat) throw malformed();
  const hashes = bytesOf(fields[8]);
  const metadata = {
    chainId: bytesOf(fields[1], 32),
    height: positive(fields[2]),
    blockHash: bytesOf(fields[3], 32),
    cometHeight: positive(fields[4]),
    chunkBytes: positive(fields[5]),
    streamBytes: positive(fields[6]),
    leafCount: positive(fields[7]),
    chunks: Array.from({ length: hashes.length / 32 }, (_, i) => hashes.slice(32 * i, 32 * i + 32)),
  };
  const { chunkBytes, streamBytes, chunks } = metadata;
  const fits = hashes.length % 32 === 0 && chunks.length === Math.ceil(streamBytes / chunkBytes);
  if (!fits || chunkBytes < chunkBytesMin || chunkBytes > chunkBytesMax) throw malformed();
  return metadata;
}

/** A record of the stream: its size u32 before it. */
export function framedRecord(record: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.concat([u32(record.length), record]));
}

/** The block that a snapshot is of: encode([header, [transactions]]), the stream's first record. */
export interface SnapshotBlock {
  readonly header: BlockHeader;
  readonly transactions: readonly Uint8Array[];
}

export function encodeBlockRecord({ header, transactions }: SnapshotBlock): Uint8Array {
  return encode([encodeHeader(header), transactions]);
}

/** @throws ChartsealError `encoding-invalid` */
export function decodeBlockRecord(record: Uint8Array): SnapshotBlock {
  const fields = decode(record, { sizeMax: recordBytesMax });
  if (!Array.isArray(fields) || fields.length !== 2 || !Array.isArray(fields[1])) throw malformed();
  const transactions = (fields[1] as readonly CborValue[]).map((one) => bytesOf(one));
  return { header: decodeHeader(bytesOf(fields[0])), transactions };
}

/** The records of a stream that comes in pieces cut anywhere. */
export class RecordReader {
  #held: Uint8Array = new Uint8Array(0);

  /** Those that are whole now. @throws ChartsealError `encoding-invalid` for one that is longer than any can be */
  *take(piece: Uint8Array): Generator<Uint8Array> {
    let rest: Uint8Array = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
    while (rest.length >= 4) {
      const size = new DataView(rest.buffer, rest.byteOffset).getUint32(0);
      if (size > recordBytesMax) throw malformed();
      if (rest.length < 4 + size) break;
      yield rest.subarray(4, 4 + size);
      rest = rest.subarray(4 + size);
    }
    this.#held = new Uint8Array(rest);
  }

  get isEmpty(): boolean {
    return this.#held.length === 0;
  }
}

export function isChunk({ chunks }: SnapshotMetadata, index: number, chunk: Uint8Array): boolean {
  const expected = chunks[index];
  return expected !== undefined && equalBytes(sha256(chunk), expected);
}

function bytesOf(value: CborValue | undefined, size?: number): Uint8Array {
  if (!(value instanceof Uint8Array) || (size !== undefined && value.length !== size)) throw malformed();
  return value;
}

function positive(value: CborValue | undefined): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 1) throw malformed();
  return value;
}

function malformed(): ChartsealError {
  return new ChartsealError("encoding-invalid", "not a snapshot of this ledger");
}
