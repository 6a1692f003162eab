/** A map that forgets what was used longest ago once it holds more than its bound, and says what it forgot. */

export class LeastRecentlyUsed<V> {
  readonly #entries = new Map<string, V>();
  readonly #max: number;
  readonly #dropped: (value: V) => void;

  constructor(max: number, dropped: (value: V) => void = () => {}) {
    this.#max = max;
    this.#dropped = dropped;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The value, which becomes the one used last. */
  get(key: string): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  /** Adds a key that is not there. */
  add(key: string, value: V): void {
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#max) return;
    for (const [oldest, old] of this.#entries) {
      this.#entries.delete(oldest);
      this.#dropped(old);
      return;
    }
  }

  delete(key: string): void {
    const value = this.#entries.get(key);
    if (value === undefined) return;
    this.#entries.delete(key);
    this.#dropped(value);
  }
}
