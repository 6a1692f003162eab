/**
 * The upper levels of the state tree in memory: one place for each position in the tree, which the node that was seen
 * there last takes. So every way through the tree begins in memory however large the state is. The first ten levels are
 * kept as they are used; the next twelve in 128 bytes a node, so that nothing of them is the collector's work: objects that
 * live for a while and are replaced cost it more than making them anew. What belongs to a node lies in two or three
 * neighbouring lines of the processor's cache: of a large tree none is there, and fetching a line costs more than all else
 * that is done with a node. Room comes in blocks, when their first node does.
 *
 * A node is found by its position and must have the hash and the place that are asked for: other roots have other nodes
 * there. What a commit that failed had put must never come here: its places are others' later.
 */
import { equalBytes } from "@chartseal/crypto";
import { type AddedNodes, type NewPlaces, nodeHashesBytes } from "../added-nodes.ts";
import { bitAt, type Child, childOf, type Descent, type StateInner } from "../state-tree.ts";

/** Positions below these are kept, as objects and as bytes: at most some 1 and 512 MiB, the latter for 4 million entries. */
const objectsMax = 2 ** 10;
const positionsMax = 2 ** 22;
/** Of 256 KiB, which the system mostly gives when they are touched: a reader that goes one way has a page of one for each level. */
const nodesPerBlock = 2_048;
const hashBytes = 32;
/** Own, left and right hash, then three places of 8 bytes, where it lies and where its children do, 0 for none. */
const nodeBytes = 128;
const wordsPerNode = nodeBytes / 8;
const placesFrom = nodeHashesBytes / 8;

/** The same memory twice. */
interface Block {
  readonly bytes: Uint8Array;
  readonly places: Float64Array;
}

export interface TopNode {
  readonly at: number;
  readonly hash: Uint8Array;
  readonly node: StateInner;
}

export class TopLevels {
  readonly #objects: (TopNode | undefined)[] = new Array<TopNode | undefined>(objectsMax).fill(undefined);
  readonly #blocks: (Block | undefined)[] = [];

  /** True where a node of that position is kept; 0 is none. */
  holds(position: number): boolean {
    return position > 0 && position < positionsMax;
  }

  get(position: number, at: number, hash: Uint8Array): StateInner | undefined {
    if (position < objectsMax) {
      const found = this.#objects[position];
      return found?.at === at && equalBytes(found.hash, hash) ? found.node : undefined;
    }
    const block = this.#blocks[blockOf(position)];
    if (block === undefined) return undefined;
    const { bytes, places } = block;
    const slot = position % nodesPerBlock;
    const start = nodeBytes * slot;
    if (places[placeIndex(slot)] !== at || !isAt(bytes, start, hash, 0)) return undefined;
    // Copies: the slot is another node's before long.
    const left = bytes.slice(start + hashBytes, start + 2 * hashBytes);
    const right = bytes.slice(start + 2 * hashBytes, start + 3 * hashBytes);
    const [leftAt, rightAt] = [places[placeIndex(slot) + 1], places[placeIndex(slot) + 2]];
    return { type: "inner", left, right, leftAt: placeOf(leftAt), rightAt: placeOf(rightAt) };
  }

  /** From the root that lies at `at` down the way of a path, as far as it is here; nothing of what lies between is made an object. */
  descend(root: Uint8Array, at: number, path: Uint8Array): Descent {
    let depth = 0;
    let position = 1;
    let next: Child = { hash: root, at };
    for (; position < objectsMax; depth++) {
      const node = next.at === undefined ? undefined : this.get(position, next.at, next.hash);
      if (node === undefined) return { ...next, depth, position };
      const side = bitAt(path, depth);
      next = childOf(node, side);
      position = 2 * position + side;
    }
    let { hash } = next;
    let from = 0;
    let lies = next.at ?? 0;
    for (; position < positionsMax && lies !== 0; depth++) {
      const block = this.#blocks[blockOf(position)];
      if (block === undefined) break;
      const { bytes, places } = block;
      const slot = position % nodesPerBlock;
      if (places[placeIndex(slot)] !== lies || !isAt(bytes, nodeBytes * slot, hash, from)) break;
      const side = bitAt(path, depth);
      hash = bytes;
      from = nodeBytes * slot + hashBytes * (1 + side);
      lies = places[placeIndex(slot) + 1 + side]!;
      position = 2 * position + side;
    }
    return { hash: hash.slice(from, from + hashBytes), at: placeOf(lies), depth, position };
  }

  put(position: number, top: TopNode): void {
    if (position < objectsMax) {
      this.#objects[position] = top;
      return;
    }
    const { at, hash, node } = top;
    const block = this.#roomOf(position);
    const slot = position % nodesPerBlock;
    const start = nodeBytes * slot;
    block.bytes.set(hash, start);
    block.bytes.set(node.left, start + hashBytes);
    block.bytes.set(node.right, start + 2 * hashBytes);
    setPlaces(block, slot, at, node.leftAt ?? 0, node.rightAt ?? 0);
  }

  /** Puts a new inner node. */
  putAdded(added: AddedNodes, number: number, newPlaces: NewPlaces): void {
    const position = added.position(number);
    const at = added.place(number, newPlaces);
    const [left, right] = [added.childPlace(number, 0, newPlaces), added.childPlace(number, 1, newPlaces)];
    if (position >= objectsMax) {
      const block = this.#roomOf(position);
      const slot = position % nodesPerBlock;
      added.copyHashes(number, block.bytes, nodeBytes * slot);
      setPlaces(block, slot, at, left, right);
      return;
    }
    const hashes = { left: added.hash(number, 1), right: added.hash(number, 2) };
    const node = { type: "inner", ...hashes, leftAt: placeOf(left), rightAt: placeOf(right) } as const;
    this.put(position, { at, hash: added.hash(number, 0), node });
  }

  clear(): void {
    this.#objects.fill(undefined);
    this.#blocks.length = 0;
  }

  #roomOf(position: number): Block {
    const number = blockOf(position);
    let block = this.#blocks[number];
    if (block === undefined) {
      const bytes = new Uint8Array(nodesPerBlock * nodeBytes);
      block = { bytes, places: new Float64Array(bytes.buffer) };
      this.#blocks[number] = block;
    }
    return block;
  }
}

function setPlaces({ places }: Block, slot: number, at: number, left: number, right: number): void {
  const index = placeIndex(slot);
  places[index] = at;
  places[index + 1] = left;
  places[index + 2] = right;
}

function placeIndex(slot: number): number {
  return wordsPerNode * slot + placesFrom;
}

function isAt(bytes: Uint8Array, start: number, hash: Uint8Array, from: number): boolean {
  for (let i = 0; i < hashBytes; i++) if (bytes[start + i] !== hash[from + i]) return false;
  return true;
}

function blockOf(position: number): number {
  return Math.floor(position / nodesPerBlock);
}

/** Places are numbered from 1. */
function placeOf(value: number | undefined): number | undefined {
  return value === 0 ? undefined : value;
}
