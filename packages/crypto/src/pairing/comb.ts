/**
 * Window tables of fixed public bases, kept in the module's memory: the signed comb (Lim, Lee: "More Flexible
 * Exponentiation with Precomputation", CRYPTO '94; signed digits as in Hamburg, "Fast and compact elliptic-curve
 * cryptography", ePrint 2012/309).
 *
 * An odd scalar k < 2^256 has the digits ±1 of Σ s_i 2^i, s_i = 2k'_i − 1 with k' = (k + 2^256 − 1)/2; an even one is
 * taken as −(p − k). Eight teeth stand 32 digits apart, so a tooth's digits are one 32-bit word of k'. A block holds
 * the 128 sign patterns with the last tooth positive; with `blocks` blocks a multiplication takes 32 additions and
 * 32/blocks − 1 doublings, which rows of several tables share. The count of steps does not depend on the scalar, the
 * addresses read do: never for a long-term secret.
 */
import type { Heap } from "./heap.ts";
import { LeastRecentlyUsed } from "./lru.ts";
import { order, type Scalar } from "./pairing.ts";

const teeth = 8;
const patterns = 2 ** (teeth - 1);
const wordBits = 32;
const allOnes = 2n ** 256n - 1n;

/** The group operations on pointers; GT's are its multiplicative ones. All work in place on `at`. */
export interface CombGroup {
  readonly elementBytes: number;
  /** 1, 2, 4 or 8: more blocks, more memory, fewer doublings. */
  readonly blocks: number;
  clear(at: number): void;
  double(result: number, a: number): void;
  add(at: number, entry: number): void;
  subtract(at: number, entry: number): void;
  /** Brings `count` elements at `at` to the form that is cheapest to add. */
  normalize(at: number, count: number): void;
}

export interface CombBounds {
  /** A base's table is built on its n-th use, when the uses so far have cost about as much as building does. */
  readonly buildAtUse: number;
  readonly tablesMax: number;
  /** Bases whose uses are counted. */
  readonly countedMax: number;
}

export interface CombTerm {
  readonly table: number;
  readonly scalar: Scalar;
}

/** k' of the head of this file as eight words, and whether the product is to be negated. */
function recode(scalar: Scalar): { words: Uint32Array; negative: boolean } {
  const negative = (scalar & 1n) === 0n;
  let rest = ((negative ? order - scalar : scalar) + allOnes) >> 1n;
  const words = new Uint32Array(teeth);
  for (let i = 0; i < teeth; i++) {
    words[i] = Number(rest & 0xffff_ffffn);
    rest >>= 32n;
  }
  return { words, negative };
}

/** The tables of one group: at most `tablesMax`, the one used longest ago is freed first. */
export class CombTables {
  readonly #heap: Heap;
  readonly #group: CombGroup;
  readonly #bounds: CombBounds;
  readonly #tables: LeastRecentlyUsed<number>;
  readonly #uses: LeastRecentlyUsed<{ count: number }>;

  constructor(heap: Heap, group: CombGroup, bounds: CombBounds) {
    this.#heap = heap;
    this.#group = group;
    this.#bounds = bounds;
    this.#tables = new LeastRecentlyUsed(bounds.tablesMax, (table) => heap.free(table));
    this.#uses = new LeastRecentlyUsed(bounds.countedMax);
  }

  /** Tables that are built now. */
  get size(): number {
    return this.#tables.size;
  }

  /** The most that may be built at a time. */
  get max(): number {
    return this.#bounds.tablesMax;
  }

  /** Bytes of one table. */
  get tableBytes(): number {
    return this.#group.blocks * patterns * this.#group.elementBytes;
  }

  /**
   * Counts a use of the base that `key` names and gives its table, built now if this is the use to build it at.
   * `load` writes the base, never the identity, to an address. A table found may be freed by the next `find`: a row
   * must not ask for more tables than `tablesMax`.
   */
  find(key: string, load: (at: number) => void): number | undefined {
    const built = this.#tables.get(key);
    if (built !== undefined) return built;
    const uses = this.#uses.get(key);
    const count = (uses?.count ?? 0) + 1;
    if (count < this.#bounds.buildAtUse) {
      if (uses === undefined) this.#uses.add(key, { count });
      else uses.count = count;
      return undefined;
    }
    this.#uses.delete(key);
    const table = this.#heap.allocate(this.tableBytes);
    this.#build(table, load);
    this.#tables.add(key, table);
    return table;
  }

  /** Σ [scalar]base over the terms, to `at`; scalars are not zero. */
  combine(terms: readonly CombTerm[], at: number): void {
    const { blocks, elementBytes } = this.#group;
    const rounds = wordBits / blocks;
    const recoded = terms.map((term) => ({ table: term.table, ...recode(term.scalar) }));
    this.#group.clear(at);
    for (let round = rounds - 1; round >= 0; round--) {
      if (round !== rounds - 1) this.#group.double(at, at);
      for (const { table, words, negative } of recoded) {
        for (let block = 0; block < blocks; block++) {
          const column = block * rounds + round;
          let pattern = 0;
          for (let tooth = 0; tooth < teeth - 1; tooth++) {
            pattern |= (((words[tooth] ?? 0) >>> column) & 1) << tooth;
          }
          const last = ((words[teeth - 1] ?? 0) >>> column) & 1;
          const entry = block * patterns + (last === 1 ? pattern : pattern ^ (patterns - 1));
          const address = table + entry * elementBytes;
          if ((last === 1) !== negative) this.#group.add(at, address);
          else this.#group.subtract(at, address);
        }
      }
    }
  }

  /** Entry `pattern` of block b: 2^(b·rounds) · (2^(7·32)P + Σ_{t<7} ±2^(32t)P), + where bit t of `pattern` is set. */
  #build(table: number, load: (at: number) => void): void {
    const { blocks, elementBytes } = this.#group;
    const rounds = wordBits / blocks;
    const stands = teeth * blocks;
    // Two elements a stand: 2^i·P and its double, i = rounds · (tooth · blocks + block).
    const work = this.#heap.allocate((2 * stands + 1) * elementBytes);
    const running = work + 2 * stands * elementBytes;
    load(running);
    for (let stand = 0; stand < stands; stand++) {
      const place = work + 2 * stand * elementBytes;
      this.#heap.bytes.copyWithin(place, running, running + elementBytes);
      this.#group.double(running, running);
      this.#heap.bytes.copyWithin(place + elementBytes, running, running + elementBytes);
      if (stand + 1 < stands) for (let i = 1; i < rounds; i++) this.#group.double(running, running);
    }
    this.#group.normalize(work, 2 * stands);
    for (let block = 0; block < blocks; block++) {
      const stand = (tooth: number) => work + 2 * (tooth * blocks + block) * elementBytes;
      const first = table + block * patterns * elementBytes;
      this.#heap.bytes.copyWithin(first, stand(teeth - 1), stand(teeth - 1) + elementBytes);
      for (let tooth = 0; tooth < teeth - 1; tooth++) this.#group.subtract(first, stand(tooth));
      for (let tooth = 0, filled = 1; tooth < teeth - 1; tooth++, filled *= 2) {
        for (let i = 0; i < filled; i++) {
          const target = first + (filled + i) * elementBytes;
          this.#heap.bytes.copyWithin(target, first + i * elementBytes, first + (i + 1) * elementBytes);
          this.#group.add(target, stand(tooth) + elementBytes);
        }
      }
    }
    this.#group.normalize(table, blocks * patterns);
    this.#heap.free(work);
  }
}
