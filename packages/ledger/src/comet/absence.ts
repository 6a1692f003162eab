/**
 * Who was absent in the commits of CometBFT's heights, counted in runs that begin where every validator's do: at heights
 * 1, n+1, 2n+1 … for runs of n. A run of which this node did not see every height is left out.
 */
import { toHex } from "@chartseal/crypto";

export interface CommitVotes {
  /** CometBFT's height that the votes are for. */
  readonly height: number;
  readonly votes: readonly { readonly address: Uint8Array; readonly absent: boolean }[];
}

export interface AbsenceRun {
  readonly fromHeight: number;
  readonly toHeight: number;
  /** How many heights a validator missed, by its address in hex. */
  readonly missed: ReadonlyMap<string, number>;
}

export class AbsenceCounter {
  #blocks = 0;
  /** The height that comes next in the run; undefined while no run has been seen from its beginning. */
  #next: number | undefined;
  #missed = new Map<string, number>();

  /** Counts the votes of one height; gives the run that it ends. */
  take({ height, votes }: CommitVotes, blocks: number): AbsenceRun | undefined {
    const fromHeight = Math.floor((height - 1) / blocks) * blocks + 1;
    if (height === fromHeight) {
      this.#missed = new Map();
      this.#next = height;
    }
    if (blocks !== this.#blocks && height !== fromHeight) this.#next = undefined;
    this.#blocks = blocks;
    if (this.#next !== height) {
      this.#next = undefined;
      return undefined;
    }
    this.#next++;
    for (const { address, absent } of votes) {
      const key = toHex(address);
      if (absent) this.#missed.set(key, (this.#missed.get(key) ?? 0) + 1);
    }
    const toHeight = fromHeight + blocks - 1;
    return height === toHeight ? { fromHeight, toHeight, missed: this.#missed } : undefined;
  }
}
