/**
 * The erasure code against one written by hand from its definition, byte by byte: the same parity, and every k of n
 * blocks give the data back.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ReedSolomon } from "../src/split/reed-solomon.ts";

const code = ReedSolomon.load();

/** Product in GF(2^8) modulo 0x11d, a bit at a time. */
function times(a: number, b: number): number {
  let product = 0;
  let x = a;
  for (let y = b; y > 0; y >>= 1) {
    if ((y & 1) === 1) product ^= x;
    x = (x << 1) ^ ((x & 0x80) === 0 ? 0 : 0x11d);
  }
  return product;
}

const inverse = (a: number): number => {
  for (let b = 1; b < 256; b++) if (times(a, b) === 1) return b;
  throw new RangeError("0 has no inverse");
};

type Matrix = number[][];

function multiply(a: Matrix, b: Matrix): Matrix {
  return a.map((row) => b[0]!.map((_, at) => row.reduce((sum, one, i) => sum ^ times(one, b[i]![at]!), 0)));
}

/** Gauss and Jordan. */
function inverted(matrix: Matrix): Matrix {
  const size = matrix.length;
  const rows = matrix.map((row, at) => [...row, ...row.map((_, i) => (i === at ? 1 : 0))]);
  for (let at = 0; at < size; at++) {
    const pivot = rows.findIndex((row, i) => i >= at && row[at] !== 0);
    [rows[at], rows[pivot]] = [rows[pivot]!, rows[at]!];
    const scale = inverse(rows[at]![at]!);
    rows[at] = rows[at]!.map((one) => times(one, scale));
    for (let i = 0; i < size; i++) {
      const factor = rows[i]![at]!;
      if (i !== at) rows[i] = rows[i]!.map((one, j) => one ^ times(factor, rows[at]![j]!));
    }
  }
  return rows.map((row) => row.slice(size));
}

/** Rows 1, i, i², … made systematic. */
function matrixOf(k: number, n: number): Matrix {
  const power = (base: number, exponent: number): number =>
    exponent === 0 ? 1 : times(base, power(base, exponent - 1));
  const rows = Array.from({ length: n }, (_, i) => Array.from({ length: k }, (_, j) => power(i, j)));
  return multiply(rows, inverted(rows.slice(0, k)));
}

function* subsets(n: number, k: number, from = 0): Generator<number[]> {
  if (k === 0) yield [];
  for (let first = from; k > 0 && first <= n - k; first++) {
    for (const rest of subsets(n, k - 1, first + 1)) yield [first, ...rest];
  }
}

const blocksOf = (k: number, size: number) =>
  fc.array(fc.uint8Array({ minLength: size, maxLength: size }), { minLength: k, maxLength: k });

describe("the erasure code", () => {
  it("gives the parity of its definition, for every k and n up to 16", () => {
    const shapes = fc
      .integer({ min: 1, max: 16 })
      .chain((n) => fc.tuple(fc.integer({ min: 1, max: n }), fc.constant(n)));
    const inputs = fc
      .tuple(shapes, fc.integer({ min: 1, max: 40 }))
      .chain(([[k, n], size]) => fc.tuple(fc.constant({ k, n }), blocksOf(k, size)));
    fc.assert(
      fc.property(inputs, ([{ k, n }, data]) => {
        const matrix = matrixOf(k, n).slice(k);
        const parity = code.parity({ k, n }, data);
        const expected = matrix.map((row) =>
          Uint8Array.from(data[0]!, (_, at) =>
            row.reduce((sum, factor, i) => sum ^ times(factor, data[i]![at]!), 0),
          ),
        );
        expect(parity.map((block) => [...block])).toEqual(expected.map((block) => [...block]));
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    [1, 1],
    [1, 3],
    [2, 3],
    [2, 4],
    [3, 5],
    [4, 6],
    [5, 8],
    [3, 8],
  ])("%i of %i: every subset gives the data back", (k, n) => {
    const data = Array.from({ length: k }, (_, i) =>
      Uint8Array.from({ length: 50 }, (_, j) => i * 37 + j * 11),
    );
    const all = [...data, ...code.parity({ k, n }, data)];
    for (const chosen of subsets(n, k)) {
      const blocks = new Map(chosen.map((index) => [index, all[index]!]));
      expect(code.data({ k, n }, blocks), chosen.join()).toEqual(data);
    }
  });

  it("any 10 of 16 give large blocks back, again and again, in memory that stays as it is", () => {
    const [k, n] = [10, 16];
    const data = Array.from({ length: k }, (_, i) => new Uint8Array(65_536).fill(i + 1));
    const all = [...data, ...code.parity({ k, n }, data)];
    const before = process.memoryUsage().external;
    for (let round = 0; round < 60; round++) {
      const lost = Array.from({ length: n - k }, (_, i) => (round * 5 + i * 7) % n);
      const blocks = new Map(
        all.map((block, index) => [index, block] as const).filter(([i]) => !lost.includes(i)),
      );
      expect(code.data({ k, n }, blocks)).toEqual(data);
    }
    expect(process.memoryUsage().external - before).toBeLessThan(64 << 20);
  });

  it("takes blocks of one length only, and enough of them", () => {
    const one = new Uint8Array(4);
    expect(() => code.parity({ k: 2, n: 3 }, [one])).toThrow(/blocks of one length/);
    expect(() => code.parity({ k: 2, n: 3 }, [one, new Uint8Array(5)])).toThrow(/blocks of one length/);
    expect(() => code.data({ k: 2, n: 3 }, new Map([[2, one]]))).toThrow(/blocks of one length/);
  });
});
