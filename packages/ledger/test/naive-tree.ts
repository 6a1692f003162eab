/** The state tree written from CRYPTO §5 alone: the whole tree built again from all its leaves, for comparison. */
import { createHash } from "node:crypto";

const sha = (...parts: Uint8Array[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
};
const twice = (...parts: Uint8Array[]) => sha(sha(...parts));

export interface NaiveEntry {
  readonly kind: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

function pathOf({ kind, key }: { kind: number; key: Uint8Array }): Uint8Array {
  const size = new Uint8Array(8);
  new DataView(size.buffer).setBigUint64(0, BigInt(key.length));
  return sha(Buffer.from("chartseal-v1/ledger/state-key\0"), Uint8Array.of(kind), size, key);
}

function bits(path: Uint8Array): string {
  return [...path].map((byte) => byte.toString(2).padStart(8, "0")).join("");
}

function subtree(entries: { bits: string; leaf: Uint8Array }[], depth: number): Uint8Array {
  if (entries.length === 0) return new Uint8Array(32);
  if (entries.length === 1) return entries[0]!.leaf;
  const side = (bit: string) =>
    subtree(
      entries.filter((entry) => entry.bits[depth] === bit),
      depth + 1,
    );
  return twice(Uint8Array.of(1), side("0"), side("1"));
}

export function naiveRoot(entries: readonly NaiveEntry[]): Uint8Array {
  const leaves = entries.map((entry) => {
    const path = pathOf(entry);
    return { bits: bits(path), leaf: twice(Uint8Array.of(0), path, sha(entry.value)) };
  });
  return subtree(leaves, 0);
}
