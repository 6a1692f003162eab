/**
 * The upper levels of the state tree in memory: one place for each position in the tree, which the node that was seen
 * there last takes. So every way through the tree begins in memory however large the state is. The first ten levels are
 * kept as they are used; the next twelve in 120 bytes a node, so that nothing of them is the collector's work: objects that
 * live for a while and are replaced cost it more than making them anew. Room comes in blocks, when their first node does.
 *
 * A node is found by its position and must have the hash and the row that are asked for: other roots, and rows of a
 * commit that failed, have other nodes there.
 */
import { equalBytes } from "@chartseal/crypto";
import { type AddedNodes, nodeHashesBytes as nodeBytes } from "../added-nodes.ts";
import type { StateInner } from "../state-tree.ts";

/** Positions below these are kept, as objects and as bytes: at most some 1 and 510 MiB, the latter for 4 million entries. */
const objectsMax = 2 ** 10;
const positionsMax = 2 ** 22;
/** Few: a reader that goes one way through a large tree makes a block on every level. */
const nodesPerBlock = 64;
const hashBytes = 32;
/** A node's rows: its own and its children's, 0 for none. */
const rowsPerNode = 3;

interface Block {
  readonly hashes: Uint8Array;
  readonly rows: Float64Array;
}

export interface TopNode {
  readonly at: number;
  readonly hash: Uint8Array;
  readonly node: StateInner;
}

export class TopLevels {
  #objects: (TopNode | undefined)[][] = [];
  #blocks: (Block | undefined)[] = [];

  /** True where a node of that position is kept; 0 is none. */
  holds(position: number): boolean {
    return position > 0 && position < positionsMax;
  }

  get(position: number, row: number, hash: Uint8Array): StateInner | undefined {
    if (position >= objectsMax) return this.#fromBytes(position, row, hash);
    const found = this.#objects[blockOf(position)]?.[position % nodesPerBlock];
    return found?.at === row && equalBytes(found.hash, hash) ? found.node : undefined;
  }

  put(position: number, top: TopNode): void {
    if (position >= objectsMax) {
      this.#toBytes(position, top);
      return;
    }
    const number = blockOf(position);
    let block = this.#objects[number];
    if (block === undefined) {
      block = new Array<TopNode | undefined>(nodesPerBlock).fill(undefined);
      this.#objects[number] = block;
    }
    block[position % nodesPerBlock] = top;
  }

  /** Puts a new inner node, which lies at `at` with its children at those rows, 0 for none. */
  putAdded(added: AddedNodes, number: number, at: number, leftRow: number, rightRow: number): void {
    const position = added.position(number);
    if (position >= objectsMax) {
      const block = this.#roomOf(position);
      const place = position % nodesPerBlock;
      added.copyHashes(number, block.hashes, nodeBytes * place);
      setRows(block, place, at, leftRow, rightRow);
      return;
    }
    const [hash, left, right] = [added.hash(number, 0), added.hash(number, 1), added.hash(number, 2)];
    const node = { type: "inner", left, right, leftAt: rowOf(leftRow), rightAt: rowOf(rightRow) } as const;
    this.put(position, { at, hash, node });
  }

  clear(): void {
    this.#objects = [];
    this.#blocks = [];
  }

  #fromBytes(position: number, row: number, hash: Uint8Array): StateInner | undefined {
    const block = this.#blocks[blockOf(position)];
    if (block === undefined) return undefined;
    const place = position % nodesPerBlock;
    const { hashes, rows } = block;
    if (rows[rowsPerNode * place] !== row) return undefined;
    const start = nodeBytes * place;
    for (let i = 0; i < hashBytes; i++) if (hashes[start + i] !== hash[i]) return undefined;
    // Copies: the place is another node's before long.
    const left = hashes.slice(start + hashBytes, start + 2 * hashBytes);
    const right = hashes.slice(start + 2 * hashBytes, start + nodeBytes);
    const [leftAt, rightAt] = [rows[rowsPerNode * place + 1], rows[rowsPerNode * place + 2]];
    return { type: "inner", left, right, leftAt: rowOf(leftAt), rightAt: rowOf(rightAt) };
  }

  #toBytes(position: number, { at, hash, node }: TopNode): void {
    const block = this.#roomOf(position);
    const place = position % nodesPerBlock;
    block.hashes.set(hash, nodeBytes * place);
    block.hashes.set(node.left, nodeBytes * place + hashBytes);
    block.hashes.set(node.right, nodeBytes * place + 2 * hashBytes);
    setRows(block, place, at, node.leftAt ?? 0, node.rightAt ?? 0);
  }

  #roomOf(position: number): Block {
    const number = blockOf(position);
    let block = this.#blocks[number];
    if (block === undefined) {
      block = {
        hashes: new Uint8Array(nodesPerBlock * nodeBytes),
        rows: new Float64Array(nodesPerBlock * rowsPerNode),
      };
      this.#blocks[number] = block;
    }
    return block;
  }
}

function setRows({ rows }: Block, place: number, at: number, left: number, right: number): void {
  rows[rowsPerNode * place] = at;
  rows[rowsPerNode * place + 1] = left;
  rows[rowsPerNode * place + 2] = right;
}

function blockOf(position: number): number {
  return Math.floor(position / nodesPerBlock);
}

/** Rows are numbered from 1. */
function rowOf(value: number | undefined): number | undefined {
  return value === 0 ? undefined : value;
}
