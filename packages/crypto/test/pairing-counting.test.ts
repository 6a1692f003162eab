/** The counting backend: what one operation is, and that wrapping changes no result. */
import { beforeAll, describe, expect, test } from "vitest";
import { countingPairing } from "../src/pairing/counting.ts";
import { loadPairing } from "../src/pairing/mcl.ts";
import { type Group, order, type Pairing } from "../src/pairing/pairing.ts";

const zero = { E1: 0, E1terms: 0, E2: 0, E2terms: 0, ET: 0, ETterms: 0, P: 0, F: 0, H: 0, C: 0 };
let inner: Pairing;
beforeAll(async () => {
  inner = await loadPairing();
});

describe("the counting backend", () => {
  test("counts one multiplication a row that has one, and the terms in it", () => {
    const { pairing, counts } = countingPairing(inner);
    const rowsOf = <P>(group: Group<P>) =>
      [[5n], [5n, 6n], [1n, order - 1n, 0n], [1n, 7n], []].map((row) =>
        row.map((scalar) => ({ point: group.generator, scalar })),
      );
    expect(pairing.g1.linear(rowsOf(pairing.g1)).map((a) => inner.g1.encode(a))).toEqual(
      inner.g1.linear(rowsOf(inner.g1)).map((a) => inner.g1.encode(a)),
    );
    expect(counts()).toEqual({ ...zero, E1: 3, E1terms: 4 });
    pairing.g2.linear(rowsOf(pairing.g2));
    pairing.g2.multiply(pairing.g2.generator, 9n);
    pairing.g2.multiply(pairing.g2.generator, 1n);
    pairing.g2.multiplySplit(pairing.g2.generator, 1n);
    expect(counts()).toEqual({ ...zero, E1: 3, E1terms: 4, E2: 5, E2terms: 7 });
  });

  test("counts Miller loops, final exponentiations, powers, hashes and membership checks", () => {
    const { pairing, counts, reset } = countingPairing(inner);
    const { g1, g2, gt } = pairing;
    const pair = [g1.generator, g2.generator] as const;
    const base = pairing.multiPairing([pair, pair, pair]);
    pairing.multiPairing([]);
    expect(counts()).toEqual({ ...zero, P: 3, F: 1 });
    reset();
    gt.power([
      { base, exponent: 5n },
      { base, exponent: 6n },
      { base, exponent: 1n },
    ]);
    gt.power([{ base, exponent: order - 1n }]);
    gt.powerSplit(base, 5n);
    gt.clearCofactor(gt.encode(base));
    gt.decode(gt.encode(gt.multiply(base, gt.invert(base))));
    g1.hash("t\0", [new Uint8Array(1), new Uint8Array(2)]);
    g2.hash("t\0", [new Uint8Array(1)]);
    expect(counts()).toEqual({ ...zero, ET: 2, ETterms: 4, F: 1, C: 1, H: 3 });
    reset();
    expect(counts()).toEqual(zero);
  });

  test("counts nothing for additions, encodings and comparisons, and passes them through", () => {
    const { pairing, counts } = countingPairing(inner);
    const { g1, gt } = pairing;
    const two = g1.add(g1.generator, g1.generator);
    expect(g1.equal(two, g1.sum([g1.generator, g1.generator, g1.zero]))).toBe(true);
    expect(g1.isZero(g1.add(two, g1.negate(two)))).toBe(true);
    expect(g1.equal(g1.decode(g1.encode(two)), two)).toBe(true);
    expect([gt.isOne(gt.one), gt.equal(gt.one, gt.one), gt.cofactorInverse]).toEqual([
      true,
      true,
      inner.gt.cofactorInverse,
    ]);
    expect(g1.size).toBe(48);
    expect(counts()).toEqual(zero);
  });
});
