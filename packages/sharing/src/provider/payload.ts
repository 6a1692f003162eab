/**
 * A stored payload on its way out: its size is the registered one, and its leaf hashes give the ledger's digest. They are
 * made again from the payload where they are missing or damaged (CONTRACT, Files), and only from one that is right.
 */
import {
  ChartsealError,
  decodeDescriptor,
  decodeSpanTree,
  equalBytes,
  hasCode,
  type LeafSource,
  listLeavesMax,
  sealedBytes,
  sha256Tree,
  spanLeaves,
  spanProof,
  spanTreeDigest,
} from "@chartseal/crypto";
import type { RecordValue } from "@chartseal/ledger";
import type { ObjectStore } from "@chartseal/storage";
import { getRange, getWhole, readAll, storageFailure } from "../streams.ts";
import { type LeafStores, rebuildLeaves, spanTreeName } from "./take.ts";

/** Largest span tree that is read whole, in bytes. */
const wholeBytesMax = 4 * 1024 * 1024;
const hashBytes = 32;
/** What a reading of leaf hashes that are gone or damaged says. */
const unsound = ["object-missing", "object-altered", "encoding-invalid"] as const;

type Registered = Pick<RecordValue, "address" | "current">;

/** Its bytes. @throws ChartsealError `object-missing`; `object-altered` for a payload longer or shorter than the registered one */
export async function demandSize(
  objects: Pick<ObjectStore, "stat">,
  { address, current }: Registered,
): Promise<number> {
  const expected = sealedBytes(current.payloadLength, decodeDescriptor(current.descriptor).chunkBytes);
  const stat = objects.stat(address);
  const { size } = await stat.catch((error: unknown) => Promise.reject(storageFailure(error, address)));
  if (size === expected) return size;
  throw new ChartsealError("object-altered", `the payload has ${size} bytes and should have ${expected}`, {
    data: { address, bytes: size, expected },
  });
}

/** The leaf hashes whole, or by spans where there are many. @throws ChartsealError `object-altered`, `object-missing` */
export async function leafSource(stores: LeafStores, record: Registered): Promise<LeafSource> {
  const stored = await readLeaves(stores.leaves, record);
  if (stored !== undefined) return stored;
  const { address, current } = record;
  const { chunkBytes } = decodeDescriptor(current.descriptor);
  await rebuildLeaves(stores, { address, chunkBytes, digest: current.payloadDigest });
  const rebuilt = await readLeaves(stores.leaves, record);
  if (rebuilt === undefined) throw new ChartsealError("defect", "leaf hashes were made and do not hold");
  return rebuilt;
}

/** What is stored, or undefined where it is not what gives the ledger's digest. */
async function readLeaves(
  leaves: ObjectStore,
  { address, current }: Registered,
): Promise<LeafSource | undefined> {
  const { chunkBytes } = decodeDescriptor(current.descriptor);
  const count = Math.max(1, Math.ceil(current.payloadLength / chunkBytes));
  try {
    if (count <= spanLeaves) {
      const list = await getWhole(leaves, address, hashBytes * listLeavesMax);
      const sound = list.length === hashBytes * count && equalBytes(rootOf(list), current.payloadDigest);
      return sound ? { list } : undefined;
    }
    const tree = decodeSpanTree(await getWhole(leaves, spanTreeName(address), wholeBytesMax));
    if (tree.leaves !== count || !equalBytes(spanTreeDigest(tree), current.payloadDigest)) return undefined;
    return {
      span: async (index) => {
        const offset = hashBytes * spanLeaves * index;
        const length = hashBytes * Math.min(spanLeaves, count - spanLeaves * index);
        const leafHashes = await readAll(getRange(leaves, address, { offset, length }), length);
        return { leafHashes, proof: spanProof(tree, index) };
      },
    };
  } catch (error) {
    if (unsound.some((code) => hasCode(error, code))) return undefined;
    throw error;
  }
}

function rootOf(list: Uint8Array): Uint8Array {
  const tree = sha256Tree.builder();
  for (let at = 0; at < list.length; at += hashBytes) tree.append(list.subarray(at, at + hashBytes));
  return tree.root();
}
