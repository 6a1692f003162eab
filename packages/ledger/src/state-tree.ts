/**
 * The sparse Merkle tree over the state (CRYPTO §5), 32-byte roots.
 *
 * path = SHA-256("…/state-key" ‖ kind u8 ‖ u64 size ‖ key); leaf D(0x00 ‖ path ‖ SHA-256(value)), node
 * D(0x01 ‖ left ‖ right), D = double SHA-256. An empty subtree is 32 zero bytes, a subtree with one leaf is that leaf at
 * any depth, so a tree of n keys is about log2 n deep and never more than 256. Nodes name each other by hash and are
 * never changed: every old root stays readable and provable, and a damaged node shows when it is loaded.
 */
import {
  assert,
  ChartsealError,
  compareBytes,
  concat,
  doubleSha256,
  equalBytes,
  fixed,
  hash,
  sha256,
  u32,
} from "@chartseal/crypto";
import { AddedNodes, HashList, type NewChild, type StoredNode } from "./added-nodes.ts";
import { byteText, type StateChange, type StateKind, stateKeyBytesMax } from "./state.ts";

export const emptyRoot: Uint8Array = new Uint8Array(32);

export interface StateLeaf {
  readonly type: "leaf";
  readonly kind: StateKind;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly path: Uint8Array;
}

export interface StateInner {
  readonly type: "inner";
  readonly left: Uint8Array;
  readonly right: Uint8Array;
  /** Where the source says that the children lie, if it says so. Never hashed, so never believed: see `load`. */
  readonly leftAt?: number | undefined;
  readonly rightAt?: number | undefined;
}

export type StateNode = StateLeaf | StateInner;

/** Where nodes come from. */
export interface NodeSource {
  /**
   * The node of that hash. `at` is what the source itself said of its place, absent for a root; a wrong place may hide
   * the node and never passes off another. `position` is where in the tree it is looked for (`positionBelow`), 0 or
   * absent where nobody counted, and believed as little.
   * @throws ChartsealError `chain-altered` where it is missing or damaged
   */
  load(hash: Uint8Array, at?: number, position?: number): StateNode;
  /** From a root down the way of a path as far as the source has it in memory, for one that keeps nodes there. */
  descend?(root: Uint8Array, path: Uint8Array): Descent;
}

/** A node on a path, or the empty subtree, that was not looked at yet; and the position in the tree that it has. */
export interface Descent extends Child {
  readonly depth: number;
  readonly position: number;
}

/**
 * What an update gives: the new root, the nodes it needs stored, children before their parents, and the nodes that only
 * the old root still needs. A node that was there before keeps its place; without one it was the root.
 */
export interface StateUpdate {
  readonly root: Uint8Array;
  /** Where the root is among the new nodes; undefined where it was there before, at `rootAt`. */
  readonly rootNew: number | undefined;
  readonly rootAt: number | undefined;
  readonly added: AddedNodes;
  readonly replaced: Iterable<Uint8Array>;
}

const leafPrefix = Uint8Array.of(0);
const innerPrefix = Uint8Array.of(1);

export function statePath(kind: StateKind, key: Uint8Array): Uint8Array {
  assert(Number.isInteger(kind) && kind >= 0 && kind <= 255, "a state kind is one byte");
  return hash("ledger/state-key", fixed(Uint8Array.of(kind)), key);
}

export function leafHash(path: Uint8Array, valueHash: Uint8Array): Uint8Array {
  return doubleSha256(leafPrefix, path, valueHash);
}

export function innerHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return doubleSha256(innerPrefix, left, right);
}

/** The root's position in the tree. */
export const rootPosition = 1;

/** The position of a node's child: 2p or 2p + 1, and 0 where that is deeper than anybody counts. */
export function positionBelow(position: number, side: 0 | 1): number {
  return position === 0 || position >= 2 ** 29 ? 0 : 2 * position + side;
}

/** Bit `depth` of a path, from the most significant bit of its first byte. */
export function bitAt(path: Uint8Array, depth: number): 0 | 1 {
  return (((path[depth >> 3] ?? 0) >> (7 - (depth & 7))) & 1) as 0 | 1;
}

export function isEmptyHash(hash: Uint8Array): boolean {
  return hash === emptyRoot || equalBytes(hash, emptyRoot);
}

/** Size of a stored inner node in bytes. */
export const innerBytes = 65;

/** A node as it is stored: 0x00 ‖ kind u8 ‖ key size u32 ‖ key ‖ value, or 0x01 ‖ left ‖ right. */
export function encodeNode(node: StateNode): Uint8Array {
  if (node.type === "inner") return concat(innerPrefix, node.left, node.right);
  return concat(leafPrefix, Uint8Array.of(node.kind), u32(node.key.length), node.key, node.value);
}

/** Reads a stored node, checks that it has that hash, and keeps the record. @throws ChartsealError `chain-altered` */
export function decodeNode(expected: Uint8Array, record: Uint8Array): StateNode {
  const found = record[0] === 1 ? decodeInner(record) : decodeLeaf(record);
  if (found === undefined || !equalBytes(found.hash, expected)) {
    throw new ChartsealError("chain-altered", "a stored node of the state tree does not have its hash");
  }
  return found.node;
}

function decodeInner(record: Uint8Array): StoredNode | undefined {
  if (record.length !== innerBytes) return undefined;
  const node: StateInner = { type: "inner", left: record.subarray(1, 33), right: record.subarray(33) };
  return { hash: doubleSha256(record), node };
}

/** A leaf as it is stored, by itself; undefined where it is none. It keeps the record. */
export function decodeLeaf(
  record: Uint8Array,
): { readonly hash: Uint8Array; readonly node: StateLeaf } | undefined {
  if (record.length < 6 || record[0] !== 0) return undefined;
  const keySize = new DataView(record.buffer, record.byteOffset).getUint32(2);
  if (keySize > stateKeyBytesMax || record.length < 6 + keySize) return undefined;
  return storedLeaf(record[1] ?? 0, record.subarray(6, 6 + keySize), record.subarray(6 + keySize));
}

function storedLeaf(
  kind: StateKind,
  key: Uint8Array,
  value: Uint8Array,
): { readonly hash: Uint8Array; readonly node: StateLeaf } {
  const path = statePath(kind, key);
  return { hash: leafHash(path, sha256(value)), node: { type: "leaf", kind, key, value, path } };
}

/** Nodes in memory: for genesis, tests, and a check that keeps nothing but the last root (`forget`). */
export class MemoryNodes implements NodeSource {
  readonly #nodes = new Map<string, StateNode>();

  get size(): number {
    return this.#nodes.size;
  }

  load(hash: Uint8Array): StateNode {
    const node = this.#nodes.get(byteText(hash));
    if (node === undefined) throw new ChartsealError("chain-altered", "a node of the state tree is missing");
    return node;
  }

  add(nodes: Iterable<StoredNode>): void {
    for (const { hash, node } of nodes) this.#nodes.set(byteText(hash), node);
  }

  forget(hashes: Iterable<Uint8Array>): void {
    for (const hash of hashes) this.#nodes.delete(byteText(hash));
  }
}

/** The value of a key under a root. @throws ChartsealError `chain-altered` for a damaged store */
export function readState(
  nodes: NodeSource,
  root: Uint8Array,
  kind: StateKind,
  key: Uint8Array,
): Uint8Array | undefined {
  const path = statePath(kind, key);
  const start = nodes.descend?.(root, path) ?? {
    hash: root,
    at: undefined,
    depth: 0,
    position: rootPosition,
  };
  let next: Child = start;
  let { position } = start;
  for (let depth = start.depth; !isEmptyHash(next.hash); depth++) {
    const node = nodes.load(next.hash, next.at, position);
    if (node.type === "leaf") return equalBytes(node.path, path) ? node.value : undefined;
    if (depth >= 256) throw new ChartsealError("chain-altered", "the state tree is deeper than it can be");
    const side = bitAt(path, depth);
    next = childOf(node, side);
    position = positionBelow(position, side);
  }
  return undefined;
}

export interface Child {
  readonly hash: Uint8Array;
  readonly at: number | undefined;
}

export function childOf(node: StateInner, side: 0 | 1): Child {
  return side === 0 ? { hash: node.left, at: node.leftAt } : { hash: node.right, at: node.rightAt };
}

/** Every entry under a root, in the order of paths; memory grows with the depth only. */
export function* walkState(nodes: NodeSource, root: Uint8Array): Generator<StateLeaf> {
  if (isEmptyHash(root)) return;
  const waiting: Child[] = [{ hash: root, at: undefined }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const node = nodes.load(next.hash, next.at);
    if (node.type === "leaf") yield node;
    else
      for (const side of [1, 0] as const)
        if (!isEmptyHash(childOf(node, side).hash)) waiting.push(childOf(node, side));
    if (waiting.length > 257)
      throw new ChartsealError("chain-altered", "the state tree is deeper than it can be");
  }
}

/** A leaf of the new tree. `isNew` where it has to be stored; else it lies where it was. */
interface Leaf {
  readonly hash: Uint8Array;
  readonly node: StateLeaf;
  readonly isNew: boolean;
  readonly at: number | undefined;
}

interface PathChange {
  readonly path: Uint8Array;
  /** The new leaf, or undefined to remove what is there. */
  readonly leaf: Leaf | undefined;
}

/**
 * A subtree while it is built: nothing, one leaf, or an inner node. Its top is among the new nodes, or was there before and may
 * not have been looked at.
 */
interface Subtree extends NewChild {
  readonly top: StateNode["type"] | undefined;
}

const emptySubtree: Subtree = {
  hash: emptyRoot,
  isEmpty: true,
  at: undefined,
  added: undefined,
  top: undefined,
};

/**
 * Applies many changes at once, so that they share the work on the upper levels: O(changes · log n) hashes.
 * The result depends on the set of entries alone, never on the order they came in.
 */
export function updateState(
  nodes: NodeSource,
  root: Uint8Array,
  changes: readonly StateChange[],
): StateUpdate {
  const byPath = changes.map(({ kind, key, value }): PathChange => {
    if (value === undefined) return { path: statePath(kind, key), leaf: undefined };
    const leaf = storedLeaf(kind, key, value);
    return { path: leaf.node.path, leaf: { ...leaf, isNew: true, at: undefined } };
  });
  byPath.sort((a, b) => compareBytes(a.path, b.path));
  for (let i = 1; i < byPath.length; i++) {
    assert(!equalBytes(byPath[i - 1]!.path, byPath[i]!.path), "a key changes once in an update");
  }
  return new Update(nodes, byPath).of(root);
}

/** One update. Where a subtree is, it is told by numbers and not by an object: there are thousands of them. */
class Update {
  readonly #nodes: NodeSource;
  /** Sorted by path. A subtree is given the part of them that lies below it, as first and behind-last index. */
  readonly #changes: readonly PathChange[];
  readonly #added = new AddedNodes();
  readonly #replaced = new HashList();

  constructor(nodes: NodeSource, changes: readonly PathChange[]) {
    this.#nodes = nodes;
    this.#changes = changes;
  }

  of(root: Uint8Array): StateUpdate {
    const { hash, at, added } = this.#at(
      { hash: root, at: undefined },
      0,
      rootPosition,
      0,
      this.#changes.length,
    );
    return { root: hash, rootNew: added, rootAt: at, added: this.#added, replaced: this.#replaced };
  }

  /** The subtree at a place after the changes from `from` to before `to`, which all lie below it. */
  #at({ hash, at }: Child, depth: number, position: number, from: number, to: number): Subtree {
    if (from === to) return before(hash, at, undefined);
    if (isEmptyHash(hash)) return this.#build(puts(this.#changes.slice(from, to)), depth, position);
    const node = this.#nodes.load(hash, at, position);
    if (node.type === "leaf") {
      const leaves = this.#besides({ hash, at, node }, this.#changes.slice(from, to));
      return this.#build(leaves, depth, position);
    }
    assert(depth < 256, "the state tree is at most 256 deep");
    let middle = from;
    while (middle < to && bitAt(this.#changes[middle]!.path, depth) === 0) middle++;
    const left = this.#at(childOf(node, 0), depth + 1, positionBelow(position, 0), from, middle);
    const right = this.#at(childOf(node, 1), depth + 1, positionBelow(position, 1), middle, to);
    if (equalBytes(left.hash, node.left) && equalBytes(right.hash, node.right)) {
      return before(hash, at, "inner");
    }
    this.#replaced.push(hash);
    return this.#join(left, right, position);
  }

  /** The leaves where one leaf was. It stays where it lies unless a change takes it away or gives it another value. */
  #besides(old: Child & { readonly node: StateLeaf }, changes: readonly PathChange[]): Leaf[] {
    const { hash, node, at } = old;
    const own = changes.find((change) => equalBytes(change.path, node.path));
    const stays = own === undefined || (own.leaf !== undefined && equalBytes(own.leaf.hash, hash));
    const others = puts(stays ? changes.filter((change) => change !== own) : changes);
    if (stays) return insert(others, { hash, node, isNew: false, at });
    this.#replaced.push(hash);
    return others;
  }

  /** The subtree of exactly these leaves, sorted by path. */
  #build(leaves: readonly Leaf[], depth: number, position: number): Subtree {
    if (leaves.length === 0) return emptySubtree;
    if (leaves.length === 1) {
      const { hash, node, isNew, at } = leaves[0]!;
      if (!isNew) return before(hash, at, "leaf");
      const added = this.#added.putLeaf(hash, node, position);
      return { hash, isEmpty: false, at: undefined, added, top: "leaf" };
    }
    assert(depth < 256, "the state tree is at most 256 deep");
    const middle = leaves.findIndex((leaf) => bitAt(leaf.node.path, depth) === 1);
    const split = middle === -1 ? leaves.length : middle;
    return this.#join(
      this.#build(leaves.slice(0, split), depth + 1, positionBelow(position, 0)),
      this.#build(leaves.slice(split), depth + 1, positionBelow(position, 1)),
      position,
    );
  }

  /** A node over two subtrees; a leaf beside nothing moves up, so that a subtree with one leaf is that leaf. */
  #join(left: Subtree, right: Subtree, position: number): Subtree {
    const lone = left.isEmpty ? right : right.isEmpty ? left : undefined;
    if (lone !== undefined) {
      if (lone.isEmpty) return emptySubtree;
      const top = lone.top ?? this.#nodes.load(lone.hash, lone.at).type;
      if (top === "leaf") return lone.top === top ? lone : { ...lone, top };
    }
    const hash = innerHash(left.hash, right.hash);
    const added = this.#added.putInner(hash, left, right, position);
    return { hash, isEmpty: false, at: undefined, added, top: "inner" };
  }
}

/** A subtree that stays where it is. */
function before(hash: Uint8Array, at: number | undefined, top: Subtree["top"]): Subtree {
  return { hash, isEmpty: isEmptyHash(hash), at, added: undefined, top };
}

function puts(changes: readonly PathChange[]): Leaf[] {
  return changes.flatMap((change) => (change.leaf === undefined ? [] : [change.leaf]));
}

function insert(leaves: Leaf[], leaf: Leaf): Leaf[] {
  const after = leaves.findIndex((other) => compareBytes(other.node.path, leaf.node.path) > 0);
  leaves.splice(after === -1 ? leaves.length : after, 0, leaf);
  return leaves;
}
