/**
 * A small generator of repeatable numbers for sample records: mulberry32 by Tommy Ettinger (public domain), 32 bits of
 * state. It makes inventions look varied and is fit for nothing else, least of all for secrets.
 */
export class SampleRandom {
  #state: number;

  /** Any text gives its own sequence (FNV-1a of its UTF-16 units). */
  constructor(seed: string) {
    let hash = 0x811c9dc5;
    for (let i = 0; i < seed.length; i++) hash = Math.imul(hash ^ seed.charCodeAt(i), 0x01000193);
    this.#state = hash >>> 0;
  }

  /** 0 ≤ number < 1. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer from `min` to `max`, both included. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.fraction() * (max - min + 1));
  }

  /** A number from `min` to `max` with `digits` decimals. */
  decimal(min: number, max: number, digits: number): number {
    return Number((min + this.fraction() * (max - min)).toFixed(digits));
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.integer(0, choices.length - 1)]!;
  }

  /** `count` digits of hexadecimal. */
  hex(count: number): string {
    return Array.from({ length: count }, () => this.integer(0, 15).toString(16)).join("");
  }

  /** A UUID of version 4's form. */
  uuid(): string {
    return `${this.hex(8)}-${this.hex(4)}-4${this.hex(3)}-${this.pick(["8", "9", "a", "b"])}${this.hex(3)}-${this.hex(12)}`;
  }

  /** A DICOM UID under 2.25 (PS3.5 annex B.2): a UUID as a decimal number. */
  uid(): string {
    return `2.25.${BigInt(`0x${this.uuid().replaceAll("-", "")}`)}`;
  }
}
