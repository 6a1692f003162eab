/**
 * Counts the operations of any backend, so that what a page says of cost is measured and not derived.
 *
 * An exponentiation is one result with at least one coefficient other than 0, 1 and p − 1, however many terms it has
 * (a row of `linear`, a product of `power`, a split one): the papers' "E" for a double multiplication too. The terms
 * stand beside it. Additions, encodings and comparisons are not counted.
 */
import {
  type G1,
  type G2,
  type Group,
  order,
  type Pairing,
  type Scalar,
  type TargetGroup,
} from "./pairing.ts";

export interface OperationCounts {
  /** Multiplications in G1, one a row, and the terms in them. */
  readonly E1: number;
  readonly E1terms: number;
  readonly E2: number;
  readonly E2terms: number;
  /** Exponentiations in GT, one a product. */
  readonly ET: number;
  readonly ETterms: number;
  /** Miller loops: one a pair. */
  readonly P: number;
  /** Final exponentiations, those of `clearCofactor` included. */
  readonly F: number;
  /** Hashes to G1 or G2 that were asked for, cached ones too. */
  readonly H: number;
  /** Membership checks of GT: `decode`, not `clearCofactor`. */
  readonly C: number;
}

type Tally = { -readonly [K in keyof OperationCounts]: number };

const none: OperationCounts = {
  E1: 0,
  E1terms: 0,
  E2: 0,
  E2terms: 0,
  ET: 0,
  ETterms: 0,
  P: 0,
  F: 0,
  H: 0,
  C: 0,
};

function isTrivial(scalar: Scalar): boolean {
  return scalar === 0n || scalar === 1n || scalar === order - 1n;
}

/** A pairing that behaves as `inner` and tells what was asked of it since it was made or last reset. */
export function countingPairing(inner: Pairing): {
  pairing: Pairing;
  counts: () => OperationCounts;
  reset: () => void;
} {
  const tally: Tally = { ...none };
  const pairing: Pairing = {
    name: `${inner.name}, counted`,
    g1: countGroup(inner.g1, tally, "E1"),
    g2: countGroup(inner.g2, tally, "E2"),
    gt: countTarget(inner.gt, tally),
    multiPairing(pairs) {
      tally.P += pairs.length;
      tally.F += pairs.length > 0 ? 1 : 0;
      return inner.multiPairing(pairs);
    },
  };
  return { pairing, counts: () => ({ ...tally }), reset: () => void Object.assign(tally, none) };
}

function countScalars(tally: Tally, kind: "E1" | "E2" | "ET", scalars: readonly Scalar[]): void {
  const terms = scalars.filter((scalar) => !isTrivial(scalar)).length;
  tally[`${kind}terms`] += terms;
  if (terms > 0) tally[kind] += 1;
}

function countGroup<P extends G1 | G2>(inner: Group<P>, tally: Tally, kind: "E1" | "E2"): Group<P> {
  return {
    generator: inner.generator,
    zero: inner.zero,
    size: inner.size,
    linear(rows) {
      for (const row of rows) {
        countScalars(
          tally,
          kind,
          row.map((term) => term.scalar),
        );
      }
      return inner.linear(rows);
    },
    multiply(point, scalar) {
      countScalars(tally, kind, [scalar]);
      return inner.multiply(point, scalar);
    },
    multiplySplit(point, secret) {
      tally[kind] += 1;
      tally[`${kind}terms`] += 2;
      return inner.multiplySplit(point, secret);
    },
    add: (a, b) => inner.add(a, b),
    sum: (points) => inner.sum(points),
    negate: (a) => inner.negate(a),
    equal: (a, b) => inner.equal(a, b),
    isZero: (a) => inner.isZero(a),
    hash(tag, messages) {
      tally.H += messages.length;
      return inner.hash(tag, messages);
    },
    encode: (a) => inner.encode(a),
    decode: (bytes, options) => inner.decode(bytes, options),
  };
}

function countTarget(inner: TargetGroup, tally: Tally): TargetGroup {
  return {
    one: inner.one,
    cofactorInverse: inner.cofactorInverse,
    multiply: (a, b) => inner.multiply(a, b),
    invert: (a) => inner.invert(a),
    power(terms) {
      countScalars(
        tally,
        "ET",
        terms.map((term) => term.exponent),
      );
      return inner.power(terms);
    },
    powerSplit(base, secret) {
      tally.ET += 1;
      tally.ETterms += 2;
      return inner.powerSplit(base, secret);
    },
    equal: (a, b) => inner.equal(a, b),
    isOne: (a) => inner.isOne(a),
    encode: (a) => inner.encode(a),
    decode(bytes) {
      tally.C += 1;
      return inner.decode(bytes);
    },
    clearCofactor(bytes) {
      tally.F += 1;
      return inner.clearCofactor(bytes);
    },
  };
}
