/**
 * One stored payload against the ledger's digest, chunk by chunk, in constant memory (CRYPTO §4, §5). The provider's
 * leaf hashes are trusted only where they give that digest; then each chunk is judged by itself, else the object only as
 * a whole.
 */
import {
  concat,
  decodeSpanTree,
  equalBytes,
  hashPayload,
  sha256Tree,
  spanLeaves,
  spanTreeDigest,
} from "@chartseal/crypto";
import { type ObjectStore, StorageError } from "@chartseal/storage";
import { spanTreeName } from "../provider/take.ts";
import { getRange, readAll } from "../streams.ts";
import { attempt, type StoredRecord } from "./records.ts";

export type ObjectReader = Pick<ObjectStore, "get" | "stat">;

/** Chunks first … first + count − 1 and their bytes in the object. */
export interface ChunkRange {
  readonly chunk: number;
  readonly chunks: number;
  readonly offset: number;
  readonly length: number;
}

export interface PayloadState {
  /** Bytes of the object, undefined where it is missing. */
  readonly size: number | undefined;
  /** Whether the stored leaf hashes give the ledger's digest. */
  readonly leaves: "good" | "missing" | "altered";
  /** Whether the span tree of a long list of leaves is right too. */
  readonly tree: boolean;
  /** Whether each chunk could be judged. */
  readonly precise: boolean;
  readonly good: boolean;
  /** Wrong or missing chunks, in order; one range of everything where `precise` is false. */
  readonly bad: readonly ChunkRange[];
  /** Bytes beyond the registered length. */
  readonly excess: number;
}

const tagBytes = 16;
const hashBytes = 32;
/** Of a span tree: 1,024 nodes of 32 bytes and their frame. */
const treeBytesMax = 64 * 1024;

/** An object's size, or undefined where there is none. */
export async function sizeOf(objects: ObjectReader, name: string): Promise<number | undefined> {
  try {
    return (await objects.stat(name)).size;
  } catch (error) {
    if (error instanceof StorageError && error.code === "object-missing") return undefined;
    throw error;
  }
}

/** Pieces of 32 bytes of a stream; a rest at its end comes as it is. */
async function* hashesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array = new Uint8Array(0);
  for await (const piece of source) {
    const bytes = rest.length === 0 ? piece : concat(rest, piece);
    const whole = bytes.length - (bytes.length % hashBytes);
    for (let at = 0; at < whole; at += hashBytes) yield bytes.slice(at, at + hashBytes);
    rest = bytes.slice(whole);
  }
  if (rest.length > 0) yield rest;
}

/** Whether the stored leaf hashes give the ledger's digest. */
export async function leavesState(
  leaves: ObjectReader,
  record: StoredRecord,
): Promise<"good" | "missing" | "altered"> {
  const { address, payloadDigest, chunks: count } = record;
  const size = await sizeOf(leaves, address);
  if (size === undefined) return "missing";
  if (size !== count * hashBytes) return "altered";
  const tree = sha256Tree.builder();
  for await (const hash of hashesOf(leaves.get(address))) {
    if (hash.length !== hashBytes) return "altered";
    tree.append(hash);
  }
  return equalBytes(tree.root(), payloadDigest) ? "good" : "altered";
}

/** Whether the span tree that goes with more than 4,096 leaf hashes gives the ledger's digest. */
async function treeState(leaves: ObjectReader, record: StoredRecord): Promise<boolean> {
  const { chunks: count } = record;
  if (count <= spanLeaves) return true;
  const name = spanTreeName(record.address);
  const size = await sizeOf(leaves, name);
  if (size === undefined || size > treeBytesMax) return false;
  const bytes = await readAll(leaves.get(name), treeBytesMax);
  const tree = attempt(() => decodeSpanTree(bytes));
  return (
    tree !== undefined && tree.leaves === count && equalBytes(spanTreeDigest(tree), record.payloadDigest)
  );
}

/** Collects bad chunks into ranges. */
class Ranges {
  readonly list: ChunkRange[] = [];
  readonly #size: number;
  readonly #end: number;

  constructor(size: number, end: number) {
    this.#size = size;
    this.#end = end;
  }

  add(chunk: number): void {
    const last = this.list.at(-1);
    const joins = last !== undefined && last.chunk + last.chunks === chunk;
    const first = joins ? last.chunk : chunk;
    const chunks = chunk - first + 1;
    const offset = first * this.#size;
    const range = {
      chunk: first,
      chunks,
      offset,
      length: Math.min(this.#end, (chunk + 1) * this.#size) - offset,
    };
    if (joins) this.list[this.list.length - 1] = range;
    else this.list.push(range);
  }
}

/** The object's first bytes, up to its registered length, hashed; the digest that they give. */
async function hashStored(
  objects: ObjectReader,
  record: StoredRecord,
  options: {
    readonly length: number;
    readonly onLeaf: (hash: Uint8Array, chunk: number) => Promise<void>;
    readonly onBytes: (bytes: number) => void;
  },
): Promise<Uint8Array> {
  const { address, chunkBytes } = record;
  const source = getRange(objects, address, { offset: 0, length: options.length });
  const passing = hashPayload({ source, chunkBytes, onLeaf: options.onLeaf, lend: true });
  for await (const chunk of passing.chunks) options.onBytes(chunk.length);
  return (await passing.finished).digest;
}

/** @throws ChartsealError `provider-unreachable` where the object cannot be read to its end */
export async function checkPayload(
  stores: { readonly objects: ObjectReader; readonly leaves: ObjectReader },
  record: StoredRecord,
  onBytes: (bytes: number) => void = () => {},
): Promise<PayloadState> {
  const { address, chunkBytes, chunks, sealedBytes: expected } = record;
  const leaves = await leavesState(stores.leaves, record);
  const size = await sizeOf(stores.objects, address);
  const precise = leaves === "good";
  const tree = await treeState(stores.leaves, record);
  const known = { size, leaves, tree, precise };
  if (size === undefined) return { ...known, good: false, bad: [], excess: 0 };
  const length = Math.min(size, expected);
  const ranges = new Ranges(chunkBytes + tagBytes, expected);
  const trusted = precise ? hashesOf(stores.leaves.get(address)) : undefined;
  const onLeaf = async (hash: Uint8Array, chunk: number): Promise<void> => {
    if (trusted === undefined) return;
    const { value } = await trusted.next();
    if (value === undefined || !equalBytes(hash, value)) ranges.add(chunk);
  };
  const digest = await hashStored(stores.objects, record, { length, onLeaf, onBytes });
  await trusted?.return(undefined);
  const excess = Math.max(0, size - expected);
  const good = equalBytes(digest, record.payloadDigest) && size === expected;
  if (good) return { ...known, good, bad: [], excess };
  if (!precise) {
    const same = equalBytes(digest, record.payloadDigest);
    const whole = { chunk: 0, chunks, offset: 0, length: expected };
    return { ...known, good, bad: same ? [] : [whole], excess };
  }
  // Chunks of which not one byte is there were never hashed.
  for (let chunk = Math.ceil(length / (chunkBytes + tagBytes)); chunk < chunks; chunk++) {
    ranges.add(chunk);
  }
  return { ...known, good, bad: ranges.list, excess };
}
