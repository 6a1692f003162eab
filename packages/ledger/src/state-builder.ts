/**
 * The state tree of leaves that come one by one in the order of their paths: the same nodes as `updateState` makes of all at
 * once, given out children before parents, with no more in memory than one way from the root down. What a snapshot is
 * restored with.
 */
import { assert, compareBytes } from "@chartseal/crypto";
import {
  bitAt,
  emptyRoot,
  innerHash,
  isEmptyHash,
  type StateInner,
  type StateLeaf,
  type StateNode,
} from "./state-tree.ts";

/** Stores a node and gives its place; its children have theirs already. */
export type PutNode = (node: StateNode) => number;

/** A subtree that is whole, and the depth at which it hangs; a leaf hangs anywhere. */
interface Whole {
  readonly hash: Uint8Array;
  readonly at: number | undefined;
  readonly depth: number;
  readonly isLeaf: boolean;
}

const nothing: Whole = { hash: emptyRoot, at: undefined, depth: 0, isLeaf: true };

export class StateBuilder {
  readonly #put: PutNode;
  /** Left sides that wait for their right ones, by the depth of the node above, rising. */
  readonly #waiting: { readonly depth: number; readonly left: Whole }[] = [];
  #last: { readonly path: Uint8Array; readonly whole: Whole } | undefined;
  #count = 0;

  constructor(put: PutNode) {
    this.#put = put;
  }

  get count(): number {
    return this.#count;
  }

  /** The next leaf. False, and nothing is taken, where its path does not come after the last one's. */
  add(hash: Uint8Array, leaf: StateLeaf): boolean {
    const last = this.#last;
    if (last !== undefined) {
      if (compareBytes(last.path, leaf.path) >= 0) return false;
      const depth = commonBits(last.path, leaf.path);
      const left = this.#lift(this.#close(last, depth), last.path, depth + 1);
      this.#waiting.push({ depth, left });
    }
    this.#count++;
    this.#last = {
      path: leaf.path,
      whole: { hash, at: this.#put(leaf), depth: 256, isLeaf: true },
    };
    return true;
  }

  /** The root of all leaves and its place; undefined for none. */
  finish(): { readonly root: Uint8Array; readonly at: number | undefined } {
    const last = this.#last;
    if (last === undefined) return { root: emptyRoot, at: undefined };
    const { hash, at } = this.#lift(this.#close(last, -1), last.path, 0);
    assert(this.#waiting.length === 0, "every subtree has found its place");
    return { root: hash, at };
  }

  /** The subtree that ends with the last leaf, with everything that waits for it below a depth. */
  #close({ path, whole }: { path: Uint8Array; whole: Whole }, depth: number): Whole {
    let right = whole;
    for (let top = this.#waiting.at(-1); top !== undefined && top.depth > depth; top = this.#waiting.at(-1)) {
      this.#waiting.pop();
      right = this.#join(top.left, this.#lift(right, path, top.depth + 1), top.depth);
    }
    return right;
  }

  /** The same subtree hung at a lesser depth: nodes with nothing on their other side lie between. */
  #lift(whole: Whole, path: Uint8Array, depth: number): Whole {
    let lifted = whole;
    while (!lifted.isLeaf && lifted.depth > depth) {
      const above = lifted.depth - 1;
      lifted =
        bitAt(path, above) === 0 ? this.#join(lifted, nothing, above) : this.#join(nothing, lifted, above);
    }
    return lifted;
  }

  #join(left: Whole, right: Whole, depth: number): Whole {
    const node: StateInner = {
      type: "inner",
      left: left.hash,
      right: right.hash,
      leftAt: isEmptyHash(left.hash) ? undefined : left.at,
      rightAt: isEmptyHash(right.hash) ? undefined : right.at,
    };
    return { hash: innerHash(left.hash, right.hash), at: this.#put(node), depth, isLeaf: false };
  }
}

function commonBits(a: Uint8Array, b: Uint8Array): number {
  for (let depth = 0; depth < 256; depth++) if (bitAt(a, depth) !== bitAt(b, depth)) return depth;
  return 256;
}
