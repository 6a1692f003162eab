/** GT, the subgroup of order p of Fp12's units, over the raw mcl module; mcl's own decoder and `pow` are not trusted. */
import { assert } from "../errors.ts";
import { randomScalar } from "../random.ts";
import { CombTables, type CombTerm } from "./comb.ts";
import type { Scratch, TargetCalls } from "./heap.ts";
import { order, type Scalar, type TargetGroup } from "./pairing.ts";
import { subtractMod } from "./scalar.ts";
import { checkTargetCoefficients, refuse } from "./strict.ts";

const elementBytes = 576;
const frBytes = 32;

/** 1/κ mod p, where finalExp(x) = x^κ on GT and κ = 3(q^12 − 1)/p mod p. */
export const cofactorInverse: Scalar = 0x124ca24200fafb7ca84521329da419cb2bc46640e7ac4942c0195d492816623bn;

/** An element of GT: a copy of mcl's words. */
export class TargetElement {
  readonly words: Uint32Array;
  key: string | undefined;

  constructor(words: Uint32Array) {
    this.words = words;
  }
}

interface PowerTerm {
  readonly base: TargetElement;
  readonly exponent: Scalar;
  readonly fixed?: boolean;
}

type MclTargetGroup = { [K in keyof TargetGroup]: unknown };

export class TargetField implements MclTargetGroup {
  readonly one: TargetElement;
  readonly cofactorInverse: Scalar = cofactorInverse;
  readonly tables: CombTables;
  readonly #calls: TargetCalls;
  readonly #scratch: Scratch;

  constructor(scratch: Scratch, calls: TargetCalls, bounds: { buildAtUse: number; tablesMax: number }) {
    this.#scratch = scratch;
    this.#calls = calls;
    const group = {
      elementBytes,
      blocks: 4,
      clear: (at: number) => calls.setInt(at, 1),
      double: calls.square,
      add: (at: number, entry: number) => calls.multiply(at, at, entry),
      subtract: (at: number, entry: number) => {
        calls.conjugate(scratch.right, entry);
        calls.multiply(at, at, scratch.right);
      },
      normalize: () => {},
    };
    this.tables = new CombTables(scratch.heap, group, { ...bounds, countedMax: 4 * bounds.tablesMax });
    calls.setInt(scratch.result, 1);
    this.one = this.result();
  }

  multiply(a: TargetElement, b: TargetElement): TargetElement {
    this.#load(a, this.#scratch.left);
    this.#load(b, this.#scratch.right);
    this.#calls.multiply(this.#scratch.result, this.#scratch.left, this.#scratch.right);
    return this.result();
  }

  invert(a: TargetElement): TargetElement {
    this.#load(a, this.#scratch.left);
    this.#calls.conjugate(this.#scratch.result, this.#scratch.left);
    return this.result();
  }

  power(terms: readonly PowerTerm[]): TargetElement {
    const { result, left } = this.#scratch;
    const tables: CombTerm[] = [];
    const general: PowerTerm[] = [];
    const plain: PowerTerm[] = [];
    for (const term of terms) {
      assert(term.exponent >= 0n && term.exponent < order, "an exponent is reduced before it is used");
      if (term.exponent === 1n || term.exponent === order - 1n) plain.push(term);
      else if (term.exponent !== 0n) {
        const mayUseTable = term.fixed === true && tables.length < this.tables.max;
        const table = mayUseTable ? this.#table(term.base) : undefined;
        if (table === undefined) general.push(term);
        else tables.push({ table, scalar: term.exponent });
      }
    }
    this.#general(general);
    if (tables.length > 0) {
      this.tables.combine(tables, left);
      this.#calls.multiply(result, result, left);
    }
    for (const { base, exponent } of plain) {
      this.#load(base, left);
      if (exponent !== 1n) this.#calls.conjugate(left, left);
      this.#calls.multiply(result, result, left);
    }
    return this.result();
  }

  powerSplit(base: TargetElement, secret: Scalar): TargetElement {
    assert(secret >= 0n && secret < order, "an exponent is reduced before it is used");
    const part = randomScalar();
    this.#general([part, subtractMod(secret, part)].map((exponent) => ({ base, exponent })));
    return this.result();
  }

  equal(a: TargetElement, b: TargetElement): boolean {
    this.#load(a, this.#scratch.left);
    this.#load(b, this.#scratch.right);
    return this.#calls.equal(this.#scratch.left, this.#scratch.right) === 1;
  }

  isOne(a: TargetElement): boolean {
    this.#load(a, this.#scratch.left);
    return this.#calls.isOne(this.#scratch.left) === 1;
  }

  encode(a: TargetElement): Uint8Array {
    this.#load(a, this.#scratch.left);
    const written = this.#calls.serialize(this.#scratch.right, elementBytes, this.#scratch.left);
    assert(written === elementBytes, "the pairing module did not encode an element of GT");
    return this.#scratch.heap.bytes.slice(this.#scratch.right, this.#scratch.right + elementBytes);
  }

  decode(bytes: Uint8Array): TargetElement {
    const element = this.#read(bytes);
    if (!this.#hasGroupOrder(element)) refuse("not in the subgroup of prime order");
    return element;
  }

  clearCofactor(bytes: Uint8Array): TargetElement {
    const element = this.#read(bytes);
    this.#load(element, this.#scratch.left);
    this.#calls.finalExponentiation(this.#scratch.result, this.#scratch.left);
    return this.result();
  }

  /** What the result slot holds. */
  result(): TargetElement {
    return new TargetElement(this.#scratch.take(this.#scratch.result, elementBytes));
  }

  #load(a: TargetElement, at: number): void {
    assert(a instanceof TargetElement, "an element of another group or backend");
    this.#scratch.store(a.words, at);
  }

  /** A non-zero element of Fp12, which need not be in GT: for the two callers that see to that. */
  #read(bytes: Uint8Array): TargetElement {
    checkTargetCoefficients(bytes);
    this.#scratch.heap.bytes.set(bytes, this.#scratch.left);
    const read = this.#calls.deserialize(this.#scratch.result, this.#scratch.left, elementBytes);
    assert(read === elementBytes, "the pairing module did not read checked coefficients");
    return this.result();
  }

  /**
   * x^p = 1 by square-and-multiply with `mul`: mcl's `pow` uses the Frobenius map as if x were in the subgroup already,
   * and would be asked the very thing that it assumes. p is public, so the branches tell nothing.
   */
  #hasGroupOrder(element: TargetElement): boolean {
    const { result, left } = this.#scratch;
    this.#load(element, left);
    this.#load(element, result);
    for (let bit = order.toString(2).length - 2; bit >= 0; bit--) {
      this.#calls.multiply(result, result, result);
      if (((order >> BigInt(bit)) & 1n) === 1n) this.#calls.multiply(result, result, left);
    }
    return this.#calls.isOne(result) === 1;
  }

  #table(base: TargetElement): number | undefined {
    base.key ??= String.fromCharCode(...new Uint16Array(base.words.buffer));
    return this.tables.find(base.key, (at) => this.#load(base, at));
  }

  /** Π base^exponent by mcl, to the result slot; one if there is no term. */
  #general(terms: readonly PowerTerm[]): void {
    const { result, left, right } = this.#scratch;
    const [only] = terms;
    if (only === undefined) {
      this.#calls.setInt(result, 1);
      return;
    }
    if (terms.length === 1) {
      this.#load(only.base, left);
      this.#scratch.storeScalar(only.exponent, right);
      this.#calls.power(result, left, right);
      return;
    }
    const bases = this.#scratch.arena(terms.length * (elementBytes + frBytes));
    const exponents = bases + terms.length * elementBytes;
    for (const [i, term] of terms.entries()) {
      this.#load(term.base, bases + i * elementBytes);
      this.#scratch.storeScalar(term.exponent, exponents + i * frBytes);
    }
    this.#calls.powerVector(result, bases, exponents, terms.length);
  }
}
