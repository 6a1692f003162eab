/** Token buckets by key: each key may spend `perSecond` on average and `burst` at once. Idle keys are forgotten. */
import { ChartsealError } from "@chartseal/crypto";

export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** Keys that are remembered; the one that was idle longest goes first. */
export const keysMax = 10_000;

export class RateLimiter {
  readonly #rate: Rate;
  readonly #now: () => number;
  readonly #max: number;
  /** In the order of their last use. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(rate: Rate, now: () => number, max: number = keysMax) {
    this.#rate = rate;
    this.#now = now;
    this.#max = max;
  }

  /** @throws ChartsealError `rate-limited`, data {retryAfterSeconds}, and then nothing was spent */
  spend(key: string, cost = 1): void {
    const nowMs = this.#now();
    const { perSecond, burst } = this.#rate;
    const bucket = this.#buckets.get(key) ?? { tokens: burst, atMs: nowMs };
    const earned = (Math.max(0, nowMs - bucket.atMs) * perSecond) / 1000;
    const tokens = Math.min(burst, bucket.tokens + earned);
    this.#buckets.delete(key);
    const enough = tokens >= Math.min(cost, burst);
    this.#buckets.set(key, { tokens: enough ? tokens - cost : tokens, atMs: nowMs });
    if (this.#buckets.size > this.#max) this.#buckets.delete(this.#buckets.keys().next().value!);
    if (enough) return;
    const retryAfterSeconds = Math.max(1, Math.ceil((Math.min(cost, burst) - tokens) / perSecond));
    throw new ChartsealError("rate-limited", "too many requests from here", {
      data: { retryAfterSeconds },
      hint: `Try again in ${retryAfterSeconds} s.`,
    });
  }

  /** Gives back what was spent on a request that turned out well. */
  refund(key: string, cost: number): void {
    const bucket = this.#buckets.get(key);
    if (bucket !== undefined) bucket.tokens = Math.min(this.#rate.burst, bucket.tokens + cost);
  }
}
