/**
 * The bare operations of a backend, timed in the same rounds as the steps that are made of them, and the floor of a step:
 * how often it must do each, times what each took. Nothing else is in a floor: no scalars, policies, hashes of bytes.
 */
import {
  type G1,
  type G2,
  type GT,
  type Pairing,
  randomScalar,
  type TableBounds,
  utf8,
} from "@chartseal/crypto";
import type { Samples, Side } from "../measure.ts";

/** A backend that never builds a table: what every first use of a base costs. */
export const noTables: TableBounds = {
  g1: { buildAtUse: Number.POSITIVE_INFINITY, tablesMax: 1 },
  g2: { buildAtUse: Number.POSITIVE_INFINITY, tablesMax: 1 },
  gt: { buildAtUse: Number.POSITIVE_INFINITY, tablesMax: 1 },
};

/** `E1x2` is one result of two terms; `P3` a product of three pairings with its final exponentiation. */
export type Primitive =
  | "G1 add"
  | "G1 encode"
  | "G2 encode"
  | "G1 decode"
  | "G2 decode"
  | "GT decode"
  | "hash to G1"
  | "ETx1"
  | "ETx2"
  | "F"
  | `E1x${number}`
  | `E2x${number}`
  | `P${number}`;

/** How often a step must do each. */
export type Needs = Readonly<Partial<Record<Primitive, number>>>;

/** An operation is repeated until a sample is about this long, so that the clock's grain does not count. */
const sampleMs = 4;

let hashed = 0;

function operation(pairing: Pairing, name: Primitive): () => unknown {
  const { g1, g2, gt } = pairing;
  const point = (): G1 => g1.multiply(g1.generator, randomScalar({ nonZero: true }));
  const point2 = (): G2 => g2.multiply(g2.generator, randomScalar({ nonZero: true }));
  const count = Number(/\d+$/.exec(name.replace(/^(?:E[12T])x?|^P/, ""))?.[0] ?? 1);
  const many = Array.from({ length: count }, () => ({
    point: point(),
    scalar: randomScalar({ nonZero: true }),
  }));
  const many2 = many.map(({ scalar }) => ({ point: point2(), scalar }));
  if (name === "G1 add") return () => g1.add(many[0]!.point, g1.generator);
  if (name === "G1 encode") return () => g1.encode(many[0]!.point);
  if (name === "G2 encode") return () => g2.encode(many2[0]!.point);
  if (name === "G1 decode") {
    const bytes = g1.encode(many[0]!.point);
    return () => g1.decode(bytes);
  }
  if (name === "G2 decode") {
    const bytes = g2.encode(many2[0]!.point);
    return () => g2.decode(bytes);
  }
  if (name === "hash to G1")
    return () => g1.hash("chartseal-v1/bench\0", [utf8(`never hashed before ${hashed++}`)]);
  if (name.startsWith("E1")) return () => g1.linear([many]);
  if (name.startsWith("E2")) return () => g2.linear([many2]);
  if (name.startsWith("P")) {
    const pairs = many.map(({ point }, at): [G1, G2] => [point, many2[at]!.point]);
    return () => pairing.multiPairing(pairs);
  }
  const element = (): GT => pairing.multiPairing([[point(), g2.generator]]);
  const bases = Array.from({ length: name === "ETx2" ? 2 : 1 }, () => ({
    base: element(),
    exponent: randomScalar(),
  }));
  if (name === "GT decode") {
    const bytes = gt.encode(element());
    return () => gt.decode(bytes);
  }
  if (name === "F") {
    const bytes = gt.encode(element());
    return () => gt.clearCofactor(bytes);
  }
  return () => gt.power(bases);
}

/** Sides for `interleaved`, one a primitive, each giving the ms of one operation. */
export function primitiveSides(pairing: Pairing, names: Iterable<Primitive>): Record<string, Side> {
  return Object.fromEntries(
    [...new Set(names)].map((name) => {
      const once = operation(pairing, name);
      const start = performance.now();
      for (let i = 0; i < 3; i++) once();
      const repeats = Math.max(1, Math.round(sampleMs / ((performance.now() - start) / 3)));
      const run = (): number => {
        const from = performance.now();
        for (let i = 0; i < repeats; i++) once();
        return (performance.now() - from) / repeats;
      };
      return [name, { run }];
    }),
  );
}

/** The floor of a step in each round, ms. */
export function floorTimes(samples: Samples<string>, needs: Needs): number[] {
  const parts = Object.entries(needs).map(([name, count = 0]) => ({ times: samples.times(name), count }));
  const rounds = parts[0]?.times.length ?? 0;
  return Array.from({ length: rounds }, (_, round) =>
    parts.reduce((sum, { times, count }) => sum + count * (times[round] ?? Number.NaN), 0),
  );
}

/** One need for each multi-multiplication of so many terms. */
export function multiplications(group: "E1" | "E2", terms: readonly number[]): Needs {
  const needs: Partial<Record<Primitive, number>> = {};
  for (const count of terms.filter((one) => one > 0)) {
    const name: Primitive = `${group}x${count}`;
    needs[name] = (needs[name] ?? 0) + 1;
  }
  return needs;
}

export function sum(...all: readonly Needs[]): Needs {
  const total: Partial<Record<Primitive, number>> = {};
  for (const needs of all) {
    for (const [name, count] of Object.entries(needs) as [Primitive, number][]) {
      total[name] = (total[name] ?? 0) + count;
    }
  }
  return total;
}
