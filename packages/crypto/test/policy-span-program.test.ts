// The matrix of a policy and the rows that open it (CRYPTO §1), against matrices worked by hand, the published vectors,
// and an independent truth table with Gaussian elimination modulo p.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { order } from "../src/pairing/pairing.ts";
import { parsePolicy } from "../src/policy/policy.ts";
import { type SpanProgram, select, spanProgram } from "../src/policy/span-program.ts";
import { attributePool, plainPolicy, plainText, plainTruth } from "./policy-fixtures.ts";

interface PolicyVector {
  readonly written: string;
  readonly canonical: string;
  readonly columns: number;
  readonly rows: readonly {
    readonly attribute: string;
    readonly entries: readonly (readonly [number, string])[];
  }[];
  readonly selections: readonly {
    readonly attributes: readonly string[];
    readonly rows: readonly number[] | null;
    readonly coefficients?: readonly string[];
  }[];
}

const vectors = JSON.parse(
  readFileSync(new URL("../../../spec/vectors/policy.json", import.meta.url), "utf8"),
) as { readonly policies: readonly PolicyVector[] };

const reduce = (x: bigint): bigint => ((x % order) + order) % order;
const hex = (x: bigint): string => x.toString(16).padStart(64, "0");

function dense(program: SpanProgram): bigint[][] {
  return program.rows.map(({ entries }) => {
    const row = Array.from({ length: program.columns }, () => 0n);
    for (const [column, value] of entries) row[column] = value;
    return row;
  });
}

function power(base: bigint, exponent: bigint): bigint {
  let [result, square] = [1n, reduce(base)];
  for (let e = exponent; e > 0n; e >>= 1n) {
    if (e & 1n) result = reduce(result * square);
    square = reduce(square * square);
  }
  return result;
}

/** Is (1,0,…,0) in the span of the rows? Gaussian elimination mod p; inversion by Fermat. */
function spansTarget(rows: readonly (readonly bigint[])[], columns: number): boolean {
  const basis: { pivot: number; row: bigint[] }[] = [];
  const eliminate = (vector: bigint[]): bigint[] => {
    for (const { pivot, row } of basis) {
      const factor = vector[pivot] ?? 0n;
      if (factor !== 0n)
        for (let j = 0; j < columns; j++) vector[j] = reduce((vector[j] ?? 0n) - factor * (row[j] ?? 0n));
    }
    return vector;
  };
  for (const source of rows) {
    const row = eliminate([...source]);
    const pivot = row.findIndex((value) => value !== 0n);
    if (pivot < 0) continue;
    const scale = power(row[pivot] ?? 0n, order - 2n);
    basis.push({ pivot, row: row.map((value) => reduce(value * scale)) });
  }
  const target = Array.from({ length: columns }, (_, j) => (j === 0 ? 1n : 0n));
  return eliminate(target).every((value) => value === 0n);
}

function subset(mask: number): Set<string> {
  return new Set(attributePool.filter((_, i) => (mask >> i) & 1));
}

describe("matrices worked by hand", () => {
  const m1 = order - 1n;
  test.each<[string, bigint[][]]>([
    ["a@x", [[1n]]],
    ["a@x or b@x", [[1n], [1n]]],
    [
      "a@x and b@x and c@x",
      [
        [1n, 1n, 0n],
        [0n, m1, 1n],
        [0n, 0n, m1],
      ],
    ],
    [
      "2 of (a@x, b@x, c@x)",
      [
        [1n, 1n],
        [1n, 2n],
        [1n, 3n],
      ],
    ],
    [
      "3 of (a@x, b@x, c@x, d@x)",
      [
        [1n, 1n, 1n],
        [1n, 2n, 4n],
        [1n, 3n, 9n],
        [1n, 4n, 16n],
      ],
    ],
    [
      "a@x and (b@x or c@x and d@x)",
      [
        [1n, 1n, 0n],
        [0n, m1, 0n],
        [0n, m1, 1n],
        [0n, 0n, m1],
      ],
    ],
    [
      "(a@x and b@x or c@x) and d@x",
      [
        [1n, 1n, 1n],
        [0n, 0n, m1],
        [1n, 1n, 0n],
        [0n, m1, 0n],
      ],
    ],
    [
      "2 of (a@x and b@x, c@x, d@x)",
      [
        [1n, 1n, 1n],
        [0n, 0n, m1],
        [1n, 2n, 0n],
        [1n, 3n, 0n],
      ],
    ],
    [
      "2 of (a@x, b@x, 2 of (c@x, d@x, e@x)) and f@x",
      [
        [1n, 1n, 1n, 0n],
        [1n, 1n, 2n, 0n],
        [1n, 1n, 3n, 1n],
        [1n, 1n, 3n, 2n],
        [1n, 1n, 3n, 3n],
        [0n, m1, 0n, 0n],
      ],
    ],
  ])("%s", (text, matrix) => {
    const program = spanProgram(parsePolicy(text));
    expect(dense(program)).toEqual(matrix);
    for (const { entries } of program.rows)
      expect(entries.every(([, value]) => value > 0n && value < order)).toBe(true);
  });

  test("powers are exact far beyond JavaScript's numbers", () => {
    const leaves = Array.from({ length: 33 }, (_, i) => `a${i}@x`);
    const last = spanProgram(parsePolicy(`31 of (${leaves.join(", ")})`))
      .rows.at(-1)
      ?.entries.at(-1);
    expect(last).toEqual([30, reduce(33n ** 30n)]);
    const wide = Array.from({ length: 256 }, (_, i) => `a${i}@x`);
    expect(
      spanProgram(parsePolicy(`4 of (${wide.join(", ")})`))
        .rows.at(-1)
        ?.entries.at(-1),
    ).toEqual([3, 256n ** 3n]);
    const deep = Array.from({ length: 6 }, (_, i) => `b${i}@x`);
    expect(
      spanProgram(parsePolicy(`5 of (${deep.join(", ")})`))
        .rows.at(-1)
        ?.entries.at(-1),
    ).toEqual([4, 1296n]);
  });
});

describe("published vectors", () => {
  test.each(vectors.policies.map((vector) => [vector.written, vector] as const))("%s", (_, vector) => {
    const policy = parsePolicy(vector.written);
    const program = spanProgram(policy);
    expect(policy.text).toBe(vector.canonical);
    expect(program.columns).toBe(vector.columns);
    const rows = program.rows.map(({ attribute, entries }) => ({
      attribute,
      entries: entries.map(([column, value]) => [column, hex(value)]),
    }));
    expect(rows).toEqual(vector.rows);
    for (const { attributes, rows: wanted, coefficients } of vector.selections) {
      const selection = select(policy, new Set(attributes));
      expect(selection?.rows ?? null).toEqual(wanted);
      expect(selection?.coefficients.map(hex)).toEqual(coefficients);
    }
  });
});

describe("against a truth table", () => {
  test("a set satisfies the policy exactly if the target lies in the span of its rows, for 500 random policies", () => {
    fc.assert(
      fc.property(plainPolicy(), fc.array(fc.nat(63), { minLength: 6, maxLength: 6 }), (plain, masks) => {
        const policy = parsePolicy(plainText(plain));
        const program = spanProgram(policy);
        const matrix = dense(program);
        expect(program.rows.map(({ attribute }) => attribute)).toEqual(policy.attributes);
        for (const mask of masks) {
          const held = subset(mask);
          const truth = plainTruth(plain, held);
          const rows = matrix.filter((_, i) => held.has(policy.attributes[i] ?? ""));
          expect(spansTarget(rows, program.columns)).toBe(truth);
          expect(select(policy, held) !== undefined).toBe(truth);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("the selected rows add up to the target, are held, are all needed and no smaller set does", () => {
    fc.assert(
      fc.property(plainPolicy(), fc.nat(63), (plain, mask) => {
        const policy = parsePolicy(plainText(plain));
        const program = spanProgram(policy);
        const matrix = dense(program);
        const held = subset(mask);
        const selection = select(policy, held);
        if (selection === undefined) return;
        const { rows, coefficients } = selection;
        expect([...new Set(rows)].sort((a, b) => a - b)).toEqual(rows);
        for (const row of rows) expect(held.has(policy.attributes[row] ?? "")).toBe(true);
        for (let j = 0; j < program.columns; j++) {
          const sum = rows.reduce(
            (total, row, i) => total + (coefficients[i] ?? 0n) * (matrix[row]?.[j] ?? 0n),
            0n,
          );
          expect(reduce(sum)).toBe(j === 0 ? 1n : 0n);
        }
        expect(coefficients).not.toContain(0n);
        if (!policy.text.includes(" of (")) expect(coefficients.every((value) => value === 1n)).toBe(true);
        const open = policy.attributes.flatMap((attribute, i) => (held.has(attribute) ? [i] : []));
        if (open.length > 9) return;
        for (let choice = 0; choice < 2 ** open.length; choice++) {
          const chosen = open.filter((_, i) => (choice >> i) & 1);
          if (chosen.length >= rows.length) continue;
          expect(
            spansTarget(
              chosen.map((row) => matrix[row] ?? []),
              program.columns,
            ),
          ).toBe(false);
        }
      }),
      { numRuns: 150 },
    );
  });

  test("of equal sets the earliest in the text is taken, and of a threshold the cheapest children", () => {
    expect(select(parsePolicy("a@x or a@x"), new Set(["a@x"]))?.rows).toEqual([0]);
    const policy = parsePolicy("2 of (a@x and b@x, c@x, d@x and e@x and f@x, a@x)");
    expect(select(policy, new Set(["a@x", "b@x", "c@x", "d@x", "e@x", "f@x"]))?.rows).toEqual([2, 6]);
    expect(select(policy, new Set(["b@x", "c@x"]))).toBeUndefined();
  });
});
