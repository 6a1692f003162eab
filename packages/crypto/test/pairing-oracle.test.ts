/** The backend against the oracle: every operation and every encoding, bit for bit, on random and on edge values. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { toHex, utf8 } from "../src/bytes.ts";
import { openPairing } from "../src/pairing/mcl.ts";
import { type Group, order, type Pairing, type Term } from "../src/pairing/pairing.ts";
import { nobleOracle } from "./noble-oracle.ts";

const tag = "chartseal-v1/test/oracle\0";
const scalar = fc.oneof(
  { weight: 3, arbitrary: fc.bigInt({ min: 0n, max: order - 1n }) },
  { weight: 1, arbitrary: fc.constantFrom(0n, 1n, 2n, 3n, order - 1n, order - 2n, order >> 1n, 1n << 254n) },
);
/** A point by its recipe, so that both backends make it for themselves: hash of n, or the identity. */
const recipe = fc.integer({ min: 0, max: 5 });
const row = fc.array(fc.tuple(recipe, scalar, fc.boolean(), fc.boolean()), { maxLength: 4 });

let mcl: Pairing;
beforeAll(async () => {
  // A table is built on the second use, so that the rows here run with and without.
  const often = { buildAtUse: 2, tablesMax: 4 };
  mcl = (await openPairing({ g1: often, g2: often, gt: often })).pairing;
});

function point<P>(group: Group<P>, seed: number): P {
  return seed === 0 ? group.zero : (group.hash(tag, [Uint8Array.of(seed)])[0] as P);
}

function terms<P>(
  group: Group<P>,
  rows: readonly (readonly [number, bigint, boolean, boolean])[],
): Term<P>[] {
  return rows.map(([seed, scalar, fixed, negative]) => ({
    point: negative ? group.negate(point(group, seed)) : point(group, seed),
    scalar,
    fixed,
  }));
}

describe.each(["g1", "g2"] as const)("the group %s", (name) => {
  const runs = name === "g1" ? 60 : 25;
  /** Runs the same steps on both backends and compares what they encode. */
  function both(steps: <P>(group: Group<P>) => readonly P[]): void {
    const ours =
      name === "g1" ? steps(mcl.g1).map((a) => mcl.g1.encode(a)) : steps(mcl.g2).map((a) => mcl.g2.encode(a));
    const oracle =
      name === "g1"
        ? steps(nobleOracle.g1).map((a) => nobleOracle.g1.encode(a))
        : steps(nobleOracle.g2).map((a) => nobleOracle.g2.encode(a));
    expect(ours.map(toHex)).toEqual(oracle.map(toHex));
  }

  test("has the oracle's generator and identity", () => {
    both((group) => [group.generator, group.zero, group.negate(group.zero), group.multiply(group.zero, 5n)]);
  });

  test("gives the oracle's rows of multiplications, with tables and without", () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 3 }), (rows) => {
        both((group) => group.linear(rows.map((items) => terms(group, items))));
      }),
      { numRuns: runs, endOnFailure: true },
    );
  });

  test("adds, sums, negates and multiplies as the oracle does, equal and opposite points too", () => {
    fc.assert(
      fc.property(recipe, recipe, scalar, (a, b, k) => {
        both((group) => {
          const [left, right] = [point(group, a), point(group, b)];
          return [
            group.add(left, right),
            group.add(left, left),
            group.add(left, group.negate(left)),
            group.sum([left, right, left]),
            group.sum([]),
            group.multiply(left, k),
            group.multiplySplit(left, k),
          ];
        });
      }),
      { numRuns: runs, endOnFailure: true },
    );
  });

  test("hashes tag and message to the oracle's points, cached or not, of any length", () => {
    const lengths = [0, 1, 31, 32, 33, 55, 56, 64, 300, 511, 512, 5000];
    const messages = lengths.map((length) => new Uint8Array(length).fill(length & 0xff));
    both((group) => group.hash(tag, messages));
    both((group) => group.hash(tag, messages));
    both((group) => group.hash("other\0", [utf8("test/oracle")]));
  });

  test("decodes what the oracle encodes, and knows equality and the identity", () => {
    fc.assert(
      fc.property(recipe, recipe, scalar, (a, b, k) => {
        const check = <P, Q>(ours: Group<P>, oracle: Group<Q>) => {
          const made = oracle.multiply(point(oracle, a), k);
          const read = ours.decode(oracle.encode(made));
          expect(ours.isZero(read)).toBe(oracle.isZero(made));
          expect(toHex(oracle.encode(oracle.decode(ours.encode(read))))).toBe(toHex(ours.encode(read)));
          expect(ours.equal(read, point(ours, b))).toBe(oracle.equal(made, point(oracle, b)));
          expect(ours.equal(read, ours.multiply(point(ours, a), k))).toBe(true);
        };
        if (name === "g1") check(mcl.g1, nobleOracle.g1);
        else check(mcl.g2, nobleOracle.g2);
      }),
      { numRuns: Math.ceil(runs / 2), endOnFailure: true },
    );
  });
});

describe("the pairing and GT", () => {
  const pairs = fc.array(fc.tuple(recipe, recipe, scalar), { maxLength: 3 });
  function product(on: Pairing, list: readonly (readonly [number, number, bigint])[]) {
    return on.multiPairing(
      list.map(([a, b, k]) => [on.g1.multiply(point(on.g1, a), k), point(on.g2, b)] as const),
    );
  }
  function sameBytes(steps: (on: Pairing) => readonly ReturnType<Pairing["multiPairing"]>[]): void {
    const [ours, oracle] = [mcl, nobleOracle].map((on) => steps(on).map((a) => toHex(on.gt.encode(a))));
    expect(ours).toEqual(oracle);
  }

  test("products of pairings agree, the empty one and identities included", () => {
    fc.assert(
      fc.property(pairs, (list) => {
        sameBytes((on) => [product(on, list)]);
      }),
      { numRuns: 25, endOnFailure: true },
    );
  });

  test("multiplying, inverting and raising agree, with tables and without", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(recipe, scalar, fc.boolean()), { maxLength: 3 }), scalar, (list, k) => {
        sameBytes((on) => {
          const bases = list.map(([seed]) => on.multiPairing([[point(on.g1, seed), on.g2.generator]]));
          const first = bases[0] ?? on.gt.one;
          const powers = list.map(([, exponent, fixed], i) => ({
            base: bases[i] ?? on.gt.one,
            exponent,
            fixed,
          }));
          return [
            on.gt.power(powers),
            on.gt.multiply(first, on.gt.power(powers)),
            on.gt.invert(first),
            on.gt.powerSplit(first, k),
          ];
        });
      }),
      { numRuns: 15, endOnFailure: true },
    );
  });

  test("the pairing is bilinear and does not vanish", () => {
    const { g1, g2, gt } = mcl;
    const base = mcl.multiPairing([[g1.generator, g2.generator]]);
    expect(gt.isOne(base)).toBe(false);
    fc.assert(
      fc.property(scalar, scalar, (a, b) => {
        const left = mcl.multiPairing([[g1.multiply(g1.generator, a), g2.multiply(g2.generator, b)]]);
        expect(gt.equal(left, gt.power([{ base, exponent: (a * b) % order }]))).toBe(true);
        const cancelled = mcl.multiPairing([
          [g1.multiply(g1.generator, a), g2.generator],
          [g1.negate(g1.generator), g2.multiply(g2.generator, a)],
        ]);
        expect(gt.isOne(cancelled)).toBe(true);
      }),
      { numRuns: 20, endOnFailure: true },
    );
  });

  test("decoding and cofactor clearing agree, inside the subgroup and outside", () => {
    const element = mcl.multiPairing([[mcl.g1.generator, mcl.g2.generator]]);
    const inside = mcl.gt.encode(element);
    expect(toHex(nobleOracle.gt.encode(nobleOracle.gt.decode(inside)))).toBe(toHex(inside));
    const outside = Uint8Array.from(inside, (byte, i) => (i % 48 === 47 ? byte ^ 1 : byte));
    sameBytes((on) => [on.gt.decode(inside), on.gt.clearCofactor(inside), on.gt.clearCofactor(outside)]);
  });

  test("the inverse of the cofactor exponent is what q and p give, and undoes clearing", () => {
    const { gt } = mcl;
    const element = mcl.multiPairing([[mcl.g1.generator, mcl.g2.generator]]);
    expect(gt.cofactorInverse).toBe(nobleOracle.gt.cofactorInverse);
    const cleared = gt.clearCofactor(gt.encode(element));
    expect(gt.equal(cleared, element)).toBe(false);
    expect(gt.equal(gt.power([{ base: cleared, exponent: gt.cofactorInverse }]), element)).toBe(true);
  });
});
