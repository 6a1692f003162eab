/**
 * The new nodes of an update of the state tree in columns, children before their parents. A block makes thousands of them and they
 * live until it is stored: as objects, several each, the collector has them all to move.
 *
 * A node is told by its number, from 0; what was there before by its place in the store.
 */
import { assert } from "@chartseal/crypto";
import type { StateLeaf, StateNode } from "./state-tree.ts";

export interface StoredNode {
  readonly hash: Uint8Array;
  readonly node: StateNode;
}

const hashBytes = 32;
/** A node's bytes: three hashes, its own, its left and its right child's. */
export const nodeHashesBytes = 3 * hashBytes;
const firstCapacity = 64;

/** A child as a number: 0 for none, −1 − n for the new node n, the place of what was there before as it is. */
const nothing = 0;
const rootBefore = Number.NaN;

/** Where new nodes come to lie: leaves one behind the other, and inner nodes. */
export interface NewPlaces {
  readonly firstLeaf: number;
  readonly firstInner: number;
  /** Of the root before, the one node that is never found through another. */
  readonly root: number | undefined;
}

/** A child of a node that is put: its hash, and the number of a new one or the place of one that was there before. */
export interface NewChild {
  readonly hash: Uint8Array;
  readonly isEmpty: boolean;
  readonly added: number | undefined;
  readonly at: number | undefined;
}

export class AddedNodes implements Iterable<StoredNode> {
  #count = 0;
  #hashes = new Uint8Array(nodeHashesBytes * firstCapacity);
  #children = new Float64Array(2 * firstCapacity);
  #positions = new Uint32Array(firstCapacity);
  /** By number: how many of its kind, leaves or inner nodes, were put before. */
  #ordinals = new Uint32Array(firstCapacity);
  #innerCount = 0;
  /** By number; undefined for an inner node. */
  readonly #leaves: (StateLeaf | undefined)[] = [];

  get length(): number {
    return this.#count;
  }

  get innerCount(): number {
    return this.#innerCount;
  }

  /** Gives its number. `position` as `positionBelow` says. */
  putLeaf(hash: Uint8Array, leaf: StateLeaf, position: number): number {
    const number = this.#next(hash, position, this.#count - this.#innerCount);
    this.#leaves.push(leaf);
    return number;
  }

  /** Gives its number. */
  putInner(hash: Uint8Array, left: NewChild, right: NewChild, position: number): number {
    const number = this.#next(hash, position, this.#innerCount++);
    this.#leaves.push(undefined);
    const start = nodeHashesBytes * number;
    this.#hashes.set(left.hash, start + hashBytes);
    this.#hashes.set(right.hash, start + 2 * hashBytes);
    this.#children[2 * number] = numberOf(left);
    this.#children[2 * number + 1] = numberOf(right);
    return number;
  }

  #next(hash: Uint8Array, position: number, ordinal: number): number {
    const number = this.#count++;
    if (number === this.#positions.length) this.#grow();
    this.#hashes.set(hash, nodeHashesBytes * number);
    this.#positions[number] = position;
    this.#ordinals[number] = ordinal;
    return number;
  }

  #grow(): void {
    const capacity = 2 * this.#positions.length;
    const [hashes, children] = [this.#hashes, this.#children];
    const [positions, ordinals] = [this.#positions, this.#ordinals];
    this.#hashes = new Uint8Array(nodeHashesBytes * capacity);
    this.#hashes.set(hashes);
    this.#children = new Float64Array(2 * capacity);
    this.#children.set(children);
    this.#positions = new Uint32Array(capacity);
    this.#positions.set(positions);
    this.#ordinals = new Uint32Array(capacity);
    this.#ordinals.set(ordinals);
  }

  leaf(number: number): StateLeaf | undefined {
    return this.#leaves[number];
  }

  position(number: number): number {
    return this.#positions[number]!;
  }

  place(number: number, { firstLeaf, firstInner }: NewPlaces): number {
    const first = this.#leaves[number] === undefined ? firstInner : firstLeaf;
    return first + this.#ordinals[number]!;
  }

  /** The place of an inner node's child; 0 for none. */
  childPlace(number: number, side: 0 | 1, places: NewPlaces): number {
    const child = this.#children[2 * number + side]!;
    if (child < 0) return this.place(-1 - child, places);
    if (!Number.isNaN(child)) return child;
    assert(places.root !== undefined, "a node's children are stored before it");
    return places.root;
  }

  /** Its own hash, or that of an inner node's left or right child, as a copy. */
  hash(number: number, index: 0 | 1 | 2): Uint8Array {
    const start = nodeHashesBytes * number + hashBytes * index;
    return this.#hashes.slice(start, start + hashBytes);
  }

  /** Copies own, left and right hash of an inner node, 96 bytes, or a part of them. */
  copyHashes(number: number, target: Uint8Array, at: number, from = 0): void {
    const start = nodeHashesBytes * number;
    const hashes = this.#hashes;
    for (let i = from; i < nodeHashesBytes; i++) target[at + i - from] = hashes[start + i]!;
  }

  *[Symbol.iterator](): Generator<StoredNode> {
    for (let number = 0; number < this.#count; number++) {
      const leaf = this.#leaves[number];
      if (leaf !== undefined) {
        yield { hash: this.hash(number, 0), node: leaf };
        continue;
      }
      const placeBefore = (side: 0 | 1): number | undefined => {
        const child = this.#children[2 * number + side]!;
        return child > 0 ? child : undefined;
      };
      const places = { leftAt: placeBefore(0), rightAt: placeBefore(1) };
      const [hash, left, right] = [this.hash(number, 0), this.hash(number, 1), this.hash(number, 2)];
      yield { hash, node: { type: "inner", left, right, ...places } };
    }
  }
}

function numberOf({ isEmpty, added, at }: NewChild): number {
  if (isEmpty) return nothing;
  if (added !== undefined) return -1 - added;
  return at ?? rootBefore;
}

/** Hashes one after another in one piece of memory. */
export class HashList implements Iterable<Uint8Array> {
  #count = 0;
  #hashes = new Uint8Array(hashBytes * firstCapacity);

  push(hash: Uint8Array): void {
    if (hashBytes * this.#count === this.#hashes.length) {
      const hashes = this.#hashes;
      this.#hashes = new Uint8Array(2 * hashes.length);
      this.#hashes.set(hashes);
    }
    this.#hashes.set(hash, hashBytes * this.#count++);
  }

  *[Symbol.iterator](): Generator<Uint8Array> {
    for (let index = 0; index < this.#count; index++) {
      yield this.#hashes.slice(hashBytes * index, hashBytes * (index + 1));
    }
  }
}
