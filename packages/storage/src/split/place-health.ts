/**
 * How the places of one store behave: who answered lately and how fast. A guess that orders who is asked first; never
 * a reason not to ask at all.
 */
import { StorageError } from "../storage-error.ts";

/** How long a place that failed, or was slow, is asked last, in ms. */
const memoryMs = 15_000;
/** A place this many times slower than the fastest of the others is slow. */
const slowFactor = 5;
/** Nobody is slow below this, in ms a block. */
const slowMsMin = 25;

interface Observed {
  latencyMs: number;
  atMs: number;
  failedAtMs: number;
}

export class PlaceHealth {
  readonly #places = new Map<string, Observed>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  #of(place: string): Observed {
    let observed = this.#places.get(place);
    if (observed === undefined) {
      observed = { latencyMs: 0, atMs: Number.NEGATIVE_INFINITY, failedAtMs: Number.NEGATIVE_INFINITY };
      this.#places.set(place, observed);
    }
    return observed;
  }

  answered(place: string, latencyMs: number): void {
    const observed = this.#of(place);
    const fresh = this.#now() - observed.atMs < memoryMs;
    observed.latencyMs = fresh ? observed.latencyMs * 0.8 + latencyMs * 0.2 : latencyMs;
    observed.atMs = this.#now();
    observed.failedAtMs = Number.NEGATIVE_INFINITY;
  }

  failed(place: string): void {
    this.#of(place).failedAtMs = this.#now();
  }

  isDown(place: string): boolean {
    return this.#now() - this.#of(place).failedAtMs < memoryMs;
  }

  /** Smaller is better; above `fastest` × `slowFactor` a place is slow. */
  #latencyOf(place: string): number {
    const observed = this.#of(place);
    return this.#now() - observed.atMs < memoryMs ? observed.latencyMs : 0;
  }

  isSlow(place: string, among: readonly string[]): boolean {
    const own = this.#latencyOf(place);
    const known = among.filter((one) => one !== place).map((one) => this.#latencyOf(one));
    return own > slowMsMin && known.length > 0 && own > slowFactor * Math.min(...known);
  }

  /** 0 well, 1 slow, 2 down. */
  rank(place: string, among: readonly string[]): number {
    if (this.isDown(place)) return 2;
    return this.isSlow(place, among) ? 1 : 0;
  }
}

/** The promise, or `store-unreachable` after that time; what comes later is nobody's. */
export async function withPatience<T>(
  promise: Promise<T>,
  { ms, place }: { readonly ms: number; readonly place: string },
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StorageError("store-unreachable", `${place} does not answer`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
    promise.catch(() => {});
  }
}
