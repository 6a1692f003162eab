/**
 * What waits at one node for a block, in the order in which it came, and the block that would be next, which transactions
 * are tried on. CometBFT hands in what still waits after every block; trying all of it again takes longer than the block
 * does, once a thousand wait. So the first are tried, and the rest when its turn in a proposal comes, or when a new
 * transaction does not apply without it.
 */
import { sha256, toHex } from "@chartseal/crypto";
import type { AppliedTransaction, BlockBuilder } from "../machine.ts";
import { isRefusal } from "./refusal.ts";

/** How many of those that waited through a height are tried again before the next. */
const retriedMax = 64;
/** Blocks for which a doubt stands. */
const doubtedHeights = 8;

export class Waiting {
  readonly #newTrial: () => BlockBuilder;
  #trial: BlockBuilder | undefined;
  /** All of it applied on the trial block where that is whole. */
  readonly #accepted = new Map<string, Uint8Array>();
  #isTrialWhole = true;
  #retried = 0;
  /** What did not apply in its turn, and at which height: it is tried again before it waits on. */
  readonly #doubted = new Map<string, number>();

  constructor(newTrial: () => BlockBuilder) {
    this.#newTrial = newTrial;
  }

  get count(): number {
    return this.#accepted.size;
  }

  transactions(): Iterable<Uint8Array> {
    return this.#accepted.values();
  }

  has(transaction: Uint8Array): boolean {
    return this.#accepted.has(keyOf(transaction));
  }

  /** A new one, tried after all that waits. @throws ChartsealError what it is refused with */
  add(transaction: Uint8Array): AppliedTransaction {
    const applied = this.#try(transaction);
    this.#accepted.set(keyOf(transaction), transaction);
    return applied;
  }

  /** One that waited through a height. @throws ChartsealError what it is refused with now */
  keep(transaction: Uint8Array): void {
    const key = keyOf(transaction);
    if (this.#doubted.delete(key) || ++this.#retried <= retriedMax) this.#try(transaction);
    else this.#isTrialWhole = false;
    this.#accepted.set(key, transaction);
  }

  /** It did not apply in its turn after a height's block. */
  doubt(transaction: Uint8Array, height: number): void {
    this.#doubted.set(keyOf(transaction), height);
  }

  /** A height is over: what still waits is handed in again. */
  next(height: number): void {
    this.#trial = undefined;
    this.#accepted.clear();
    this.#isTrialWhole = true;
    this.#retried = 0;
    // What another validator's block took, or the node dropped, is never asked about again.
    for (const [key, doubted] of this.#doubted) {
      if (doubted < height - doubtedHeights) this.#doubted.delete(key);
    }
  }

  clear(): void {
    this.next(0);
    this.#doubted.clear();
  }

  /** On the trial block; where it does not apply and that is not whole, on the one that is. */
  #try(transaction: Uint8Array): AppliedTransaction {
    this.#trial ??= this.#newTrial();
    try {
      return this.#trial.add(transaction);
    } catch (error) {
      if (this.#isTrialWhole || !isRefusal(error)) throw error;
      return this.#tryAll().add(transaction);
    }
  }

  /** Everything that waits, tried in its order. What does not apply is asked about again before it waits on. */
  #tryAll(): BlockBuilder {
    const trial = this.#newTrial();
    for (const [key, transaction] of this.#accepted) {
      try {
        trial.add(transaction);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        this.#doubted.set(key, trial.position.height - 1);
        this.#accepted.delete(key);
      }
    }
    this.#trial = trial;
    this.#isTrialWhole = true;
    return trial;
  }
}

function keyOf(transaction: Uint8Array): string {
  return toHex(sha256(transaction));
}
