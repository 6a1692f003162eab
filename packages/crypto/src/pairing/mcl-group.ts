/**
 * G1 and G2 over the raw mcl module. An element is a copy of mcl's words (144 or 288 bytes) that JavaScript's garbage
 * collector owns; only tables and working memory are in the module's heap.
 */
import { concat, fromHex, utf8 } from "../bytes.ts";
import { assert } from "../errors.ts";
import { randomScalar } from "../random.ts";
import { CombTables, type CombTerm } from "./comb.ts";
import type { CurveCalls, Scratch } from "./heap.ts";
import { LeastRecentlyUsed } from "./lru.ts";
import { type Group, order, type Scalar, type Term } from "./pairing.ts";
import { subtractMod } from "./scalar.ts";
import { checkCompressedPoint, fieldSize, refuse } from "./strict.ts";

/** Hash points that one group keeps, and the longest message (tag included) that is worth a place. */
const hashCacheMax = 1024;
const hashCacheMessageMax = 512;
const frBytes = 32;

/** A point of G1 or G2; the group's own subclass tells the two apart. */
export abstract class CurvePoint {
  words: Uint32Array;
  /** Names the point in the tables of fixed bases; set once its words are affine. */
  key: string | undefined;

  constructor(words: Uint32Array) {
    this.words = words;
  }
}

export interface CurveSettings<P extends CurvePoint> {
  /** How many field elements one coordinate has: 1 for G1, 2 for G2. */
  readonly degree: 1 | 2;
  readonly element: new (words: Uint32Array) => P;
  readonly generatorHex: string;
  readonly calls: CurveCalls;
  readonly buildAtUse: number;
  readonly tablesMax: number;
}

interface SortedRow<P> {
  readonly plus: P[];
  readonly minus: P[];
  readonly tables: CombTerm[];
  readonly general: Term<P>[];
}

export class CurveGroup<P extends CurvePoint> implements Group<P> {
  readonly generator: P;
  readonly zero: P;
  readonly size: number;
  readonly tables: CombTables;
  /** Bytes of a point in mcl's memory: three coordinates. */
  readonly #bytes: number;
  readonly #settings: CurveSettings<P>;
  readonly #calls: CurveCalls;
  readonly #scratch: Scratch;
  readonly #hashes = new LeastRecentlyUsed<P>(hashCacheMax);

  constructor(scratch: Scratch, settings: CurveSettings<P>) {
    const { calls, degree } = settings;
    this.#scratch = scratch;
    this.#settings = settings;
    this.#calls = calls;
    this.size = fieldSize * degree;
    this.#bytes = 3 * this.size;
    this.zero = new settings.element(new Uint32Array(this.#bytes / 4));
    const group = {
      elementBytes: this.#bytes,
      blocks: 2,
      clear: (at: number) => this.#clear(at),
      double: calls.double,
      add: (at: number, entry: number) => calls.add(at, at, entry),
      subtract: (at: number, entry: number) => calls.subtract(at, at, entry),
      normalize: (at: number, count: number) => calls.normalizeVector(at, at, count),
    };
    const { buildAtUse, tablesMax } = settings;
    this.tables = new CombTables(scratch.heap, group, { buildAtUse, tablesMax, countedMax: 4 * tablesMax });
    this.generator = this.decode(fromHex(settings.generatorHex));
  }

  linear(rows: readonly (readonly Term<P>[])[]): P[] {
    return rows.map((row) => this.#row(row));
  }

  multiply(point: P, scalar: Scalar): P {
    return this.#row([{ point, scalar }]);
  }

  multiplySplit(point: P, secret: Scalar): P {
    assert(secret >= 0n && secret < order, "a scalar is reduced before it is used");
    const part = randomScalar();
    const terms = [part, subtractMod(secret, part)].map((scalar) => ({ point, scalar }));
    this.#general(terms);
    return this.#result();
  }

  add(a: P, b: P): P {
    return this.#binary(this.#calls.add, a, b);
  }

  sum(points: readonly P[]): P {
    this.#clear(this.#scratch.result);
    for (const point of points) this.#accumulate(this.#calls.add, point);
    return this.#result();
  }

  negate(a: P): P {
    this.#load(a, this.#scratch.left);
    this.#calls.negate(this.#scratch.result, this.#scratch.left);
    return this.#result();
  }

  equal(a: P, b: P): boolean {
    this.#load(a, this.#scratch.left);
    this.#load(b, this.#scratch.right);
    return this.#calls.equal(this.#scratch.left, this.#scratch.right) === 1;
  }

  isZero(a: P): boolean {
    this.#load(a, this.#scratch.left);
    return this.#calls.isZero(this.#scratch.left) === 1;
  }

  hash(tag: string, messages: readonly Uint8Array[]): P[] {
    assert(tag.length > 1 && tag.indexOf("\0") === tag.length - 1, "a tag ends in its only NUL");
    const tagBytes = utf8(tag);
    return messages.map((message) => this.#hashOne(concat(tagBytes, message)));
  }

  encode(a: P): Uint8Array {
    this.#load(a, this.#scratch.left);
    const written = this.#calls.serialize(this.#scratch.right, this.size, this.#scratch.left);
    assert(written === this.size, "the pairing module did not encode a point");
    return this.#scratch.heap.bytes.slice(this.#scratch.right, this.#scratch.right + this.size);
  }

  decode(bytes: Uint8Array, options: { identity?: "reject" } = {}): P {
    if (checkCompressedPoint(bytes, this.size) === "identity") {
      if (options.identity === "reject") refuse("the identity is not allowed here");
      return this.zero;
    }
    this.#scratch.heap.bytes.set(bytes, this.#scratch.left);
    const read = this.#calls.deserialize(this.#scratch.result, this.#scratch.left, this.size);
    if (read !== this.size) refuse("the point is not on the curve or not in the subgroup of prime order");
    return this.#result();
  }

  /** Writes a point's words to the module's memory: for the pairing. */
  store(a: P, at: number): void {
    this.#load(a, at);
  }

  get elementBytes(): number {
    return this.#bytes;
  }

  #load(a: P, at: number): void {
    assert(a instanceof this.#settings.element, "a point of another group or backend");
    this.#scratch.store(a.words, at);
  }

  #result(): P {
    return new this.#settings.element(this.#scratch.take(this.#scratch.result, this.#bytes));
  }

  #clear(at: number): void {
    this.#scratch.heap.words.fill(0, at >> 2, (at + this.#bytes) >> 2);
  }

  #binary(call: CurveCalls["add"], a: P, b: P): P {
    this.#load(a, this.#scratch.left);
    this.#load(b, this.#scratch.right);
    call(this.#scratch.result, this.#scratch.left, this.#scratch.right);
    return this.#result();
  }

  #accumulate(call: CurveCalls["add"], point: P): void {
    this.#load(point, this.#scratch.right);
    call(this.#scratch.result, this.#scratch.result, this.#scratch.right);
  }

  #hashOne(message: Uint8Array): P {
    const cached = message.length <= hashCacheMessageMax;
    const name = cached ? String.fromCharCode(...message) : "";
    const found = cached ? this.#hashes.get(name) : undefined;
    if (found !== undefined) return found;
    const { result } = this.#scratch;
    const buffer = this.#scratch.arena(message.length);
    this.#scratch.heap.bytes.set(message, buffer);
    const failed = this.#calls.hash(result, buffer, message.length);
    assert(failed === 0, "the pairing module did not hash");
    this.#calls.normalizeVector(result, result, 1);
    const point = this.#result();
    if (cached) this.#hashes.add(name, point);
    return point;
  }

  /** One result: additions for coefficients 1 and p − 1, tables where there are any, one multi-multiplication else. */
  #row(terms: readonly Term<P>[]): P {
    const row = this.#sort(terms);
    const { result, left } = this.#scratch;
    if (row.general.length > 0) this.#general(row.general);
    else this.#clear(result);
    if (row.tables.length > 0) {
      this.tables.combine(row.tables, left);
      this.#calls.add(result, result, left);
    }
    for (const point of row.plus) this.#accumulate(this.#calls.add, point);
    for (const point of row.minus) this.#accumulate(this.#calls.subtract, point);
    return this.#result();
  }

  #sort(terms: readonly Term<P>[]): SortedRow<P> {
    const row: SortedRow<P> = { plus: [], minus: [], tables: [], general: [] };
    for (const term of terms) {
      const { point, scalar } = term;
      assert(point instanceof this.#settings.element, "a point of another group or backend");
      assert(scalar >= 0n && scalar < order, "a scalar is reduced before it is used");
      if (scalar === 1n) row.plus.push(point);
      else if (scalar === order - 1n) row.minus.push(point);
      else if (scalar !== 0n) this.#place(row, term);
    }
    return row;
  }

  #place(row: SortedRow<P>, term: Term<P>): void {
    const mayUseTable = term.fixed === true && row.tables.length < this.#settings.tablesMax;
    const table = mayUseTable ? this.#table(term.point) : undefined;
    if (table === undefined) row.general.push(term);
    else row.tables.push({ table, scalar: term.scalar });
  }

  #table(point: P): number | undefined {
    // The identity has many words and so no key of its own, and no product of it is worth a table.
    if (this.isZero(point)) return undefined;
    if (point.key === undefined) {
      const { right } = this.#scratch;
      this.#load(point, right);
      this.#calls.normalizeVector(right, right, 1);
      point.words = this.#scratch.take(right, this.#bytes);
      point.key = String.fromCharCode(...new Uint16Array(point.words.buffer));
    }
    return this.tables.find(point.key, (at) => this.#load(point, at));
  }

  /** Σ [scalar]point by mcl, to the result slot. */
  #general(terms: readonly Term<P>[]): void {
    const [only] = terms;
    const { result, left, right } = this.#scratch;
    if (only !== undefined && terms.length === 1) {
      this.#load(only.point, left);
      this.#scratch.storeScalar(only.scalar, right);
      this.#calls.multiply(result, left, right);
      return;
    }
    const points = this.#scratch.arena(terms.length * (this.#bytes + frBytes));
    const scalars = points + terms.length * this.#bytes;
    for (const [i, term] of terms.entries()) {
      this.#load(term.point, points + i * this.#bytes);
      this.#scratch.storeScalar(term.scalar, scalars + i * frBytes);
    }
    this.#calls.multiplyVector(result, points, scalars, terms.length);
  }
}
