/**
 * Merkle trees of the shape of RFC 6962 §2.1 over any 32-byte hash: split at the largest power of two below n, leaf
 * H(0x00 ‖ data), node H(0x01 ‖ left ‖ right), nothing duplicated, the empty tree H("").
 *
 * Two uses: SHA-256 over the chunks of a payload, and double SHA-256 over the transactions of a block. Proofs carry
 * neither index nor size: both come from an authenticated source (CRYPTO §5), never from whoever sends the proof.
 * Verification follows RFC 9162 §2.1.3.2 and §2.1.4.2. Sizes are safe integers, so no bit operations on them.
 */
import { equalBytes } from "../bytes.ts";
import { assert } from "../errors.ts";
import { doubleSha256, sha256 } from "../hash.ts";

type Hash = (...parts: readonly Uint8Array[]) => Uint8Array;

export interface InclusionClaim {
  readonly leafHash: Uint8Array;
  readonly index: number;
  readonly size: number;
  readonly proof: readonly Uint8Array[];
  readonly root: Uint8Array;
}

export interface ConsistencyClaim {
  readonly size1: number;
  readonly size2: number;
  readonly root1: Uint8Array;
  readonly root2: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

const leafPrefix = Uint8Array.of(0);
const nodePrefix = Uint8Array.of(1);
const odd = (value: number): boolean => value % 2 === 1;
const half = (value: number): number => Math.floor(value / 2);
const isSize = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

/** The largest power of two below n; n ≥ 2. */
function split(n: number): number {
  let k = 1;
  while (2 * k < n) k *= 2;
  return k;
}

/** Builds a root leaf by leaf in O(log n) memory. */
export class MerkleBuilder {
  readonly #hash: Hash;
  /** [k] is the root of a complete subtree of 2^k leaves where bit k of the size is set: a binary counter. */
  readonly #stack: (Uint8Array | undefined)[] = [];
  #size = 0;

  constructor(hash: Hash) {
    this.#hash = hash;
  }

  /** Leaves so far. */
  get size(): number {
    return this.#size;
  }

  /** Appends a leaf's hash, 32 bytes. */
  append(leafHash: Uint8Array): void {
    let carried = leafHash;
    let level = 0;
    for (let rest = this.#size; odd(rest); rest = half(rest), level++) {
      const left = this.#stack[level];
      assert(left !== undefined, "a set bit has a subtree");
      carried = this.#hash(nodePrefix, left, carried);
      this.#stack[level] = undefined;
    }
    this.#stack[level] = carried;
    this.#size++;
  }

  /** Root of the leaves so far; more may follow. */
  root(): Uint8Array {
    let root: Uint8Array | undefined;
    for (const subtree of this.#stack) {
      if (subtree !== undefined) root = root === undefined ? subtree : this.#hash(nodePrefix, subtree, root);
    }
    return root ?? this.#hash();
  }
}

/**
 * A tree with all its nodes, level by level: pairs from the left, and an odd last node goes up as it is, which gives the
 * shape that splitting at the largest power of two gives.
 */
export class MerkleLevels {
  readonly #levels: (readonly Uint8Array[])[];

  constructor(hash: Hash, leafHashes: readonly Uint8Array[]) {
    assert(leafHashes.length >= 1, "a tree with nodes has a leaf");
    let level = leafHashes;
    this.#levels = [level];
    while (level.length > 1) {
      const below = level;
      level = Array.from({ length: Math.ceil(below.length / 2) }, (_, at) => {
        const left = below[2 * at]!;
        const right = below[2 * at + 1];
        return right === undefined ? left : hash(nodePrefix, left, right);
      });
      this.#levels.push(level);
    }
  }

  get root(): Uint8Array {
    return this.#levels.at(-1)![0]!;
  }

  /** The siblings of leaf `index`, lowest first, as `inclusionProof` gives them. */
  proof(index: number): Uint8Array[] {
    assert(isSize(index) && index < this.#levels[0]!.length, "the index is inside the tree");
    const siblings: Uint8Array[] = [];
    for (let at = index, level = 0; level < this.#levels.length - 1; level++, at = half(at)) {
      const sibling = this.#levels[level]![odd(at) ? at - 1 : at + 1];
      if (sibling !== undefined) siblings.push(sibling);
    }
    return siblings;
  }
}

/** The tree over one hash of joined parts. Leaves are given by their hashes; `leafHash` makes one. */
export class MerkleTree {
  readonly #hash: Hash;

  constructor(hash: Hash) {
    this.#hash = hash;
  }

  leafHash(data: Uint8Array): Uint8Array {
    return this.#hash(leafPrefix, data);
  }

  builder(): MerkleBuilder {
    return new MerkleBuilder(this.#hash);
  }

  root(leafHashes: readonly Uint8Array[]): Uint8Array {
    const tree = this.builder();
    for (const leafHash of leafHashes) tree.append(leafHash);
    return tree.root();
  }

  /** Every node of the tree: one hashing of it, and then any number of proofs for nothing. */
  levels(leafHashes: readonly Uint8Array[]): MerkleLevels {
    return new MerkleLevels(this.#hash, leafHashes);
  }

  /** The siblings of leaf `index`, lowest first. */
  inclusionProof(leafHashes: readonly Uint8Array[], index: number): Uint8Array[] {
    assert(isSize(index) && index < leafHashes.length, "the index is inside the tree");
    if (leafHashes.length === 1) return [];
    const k = split(leafHashes.length);
    const left = leafHashes.slice(0, k);
    const right = leafHashes.slice(k);
    if (index < k) return [...this.inclusionProof(left, index), this.root(right)];
    return [...this.inclusionProof(right, index - k), this.root(left)];
  }

  /** That the tree of the first `size1` leaves is a prefix of the whole. 1 ≤ size1 ≤ number of leaves. */
  consistencyProof(leafHashes: readonly Uint8Array[], size1: number): Uint8Array[] {
    assert(isSize(size1) && size1 >= 1 && size1 <= leafHashes.length, "the older tree is not empty");
    return this.#subproof(leafHashes, size1, true);
  }

  /** Index and size come from an authenticated source. False for anything malformed. */
  verifyInclusion({ leafHash, index, size, proof, root }: InclusionClaim): boolean {
    if (!isSize(index) || !isSize(size) || index >= size || !all32(leafHash, root, ...proof)) return false;
    const climb = this.#climb(index, size - 1, leafHash, proof);
    return climb !== undefined && equalBytes(climb.grown, root);
  }

  /** Sizes come from an authenticated source. False for anything malformed. */
  verifyConsistency({ size1, size2, root1, root2, proof }: ConsistencyClaim): boolean {
    if (!isSize(size1) || !isSize(size2) || size1 < 1 || size1 > size2) return false;
    if (!all32(root1, root2, ...proof)) return false;
    if (size1 === size2) return proof.length === 0 && equalBytes(root1, root2);
    let at = size1 - 1;
    let last = size2 - 1;
    for (; odd(at); at = half(at)) last = half(last);
    // Where size1 is a power of two the first subtree is root1 itself, and the proof leaves it out.
    const path = at === 0 ? [root1, ...proof] : proof;
    const start = path[0];
    if (start === undefined) return false;
    const climb = this.#climb(at, last, start, path.slice(1));
    return climb !== undefined && equalBytes(climb.old, root1) && equalBytes(climb.grown, root2);
  }

  /**
   * Climbs from node `at` of a level whose last node is `last` to the root: `old` takes the siblings to the left only,
   * so it is the root of the tree that ends with the start. Undefined if the path is too short or too long.
   */
  #climb(
    from: number,
    lastOfLevel: number,
    start: Uint8Array,
    path: readonly Uint8Array[],
  ): { old: Uint8Array; grown: Uint8Array } | undefined {
    let at = from;
    let last = lastOfLevel;
    let old = start;
    let grown = start;
    for (const sibling of path) {
      if (last === 0) return undefined;
      if (odd(at) || at === last) {
        old = this.#hash(nodePrefix, sibling, old);
        grown = this.#hash(nodePrefix, sibling, grown);
        for (; !odd(at) && at !== 0; at = half(at)) last = half(last);
      } else {
        grown = this.#hash(nodePrefix, grown, sibling);
      }
      at = half(at);
      last = half(last);
    }
    return last === 0 ? { old, grown } : undefined;
  }

  /** SUBPROOF of RFC 6962 §2.1.2; `known` while the verifier holds the root of the whole subtree. */
  #subproof(leafHashes: readonly Uint8Array[], size1: number, known: boolean): Uint8Array[] {
    if (size1 === leafHashes.length) return known ? [] : [this.root(leafHashes)];
    const k = split(leafHashes.length);
    const left = leafHashes.slice(0, k);
    const right = leafHashes.slice(k);
    if (size1 <= k) return [...this.#subproof(left, size1, known), this.root(right)];
    return [...this.#subproof(right, size1 - k, false), this.root(left)];
  }
}

/** A node of another size than 32 bytes would let leaf and node inputs meet. */
function all32(...hashes: readonly Uint8Array[]): boolean {
  return hashes.every((hash) => hash.length === 32);
}

/** SHA-256: the payload digest's tree, RFC 6962 as published. */
export const sha256Tree = new MerkleTree(sha256);

/** Double SHA-256: the transaction tree of a block (CONTRACT, Blocks); no transactions: D(""). */
export const doubleSha256Tree = new MerkleTree(doubleSha256);
