/**
 * Steps of a scheme against their floors: cold, over a backend without tables and with names that are in no cache, and
 * warm, over the default backend once every fixed base in use has its table.
 */
import type { Pairing } from "@chartseal/crypto";
import { loadAverage, round } from "../machine.ts";
import { interleaved, median, type Side } from "../measure.ts";
import type { Claims, Row } from "../outcome.ts";
import type { Plot } from "../plot.ts";
import { floorTimes, type Needs, type Primitive, primitiveSides } from "./primitives.ts";

export const ratioMax = 1.3;
/** The default backend builds a table at the twelfth use at the latest. */
const warmUps = 13;

export interface StepToMeasure {
  readonly step: string;
  readonly cold: Side;
  readonly warm: Side;
  readonly floor: Needs;
}

/** One row a step: floor, cold, their ratio, warm, and what warm gains over cold. */
export async function stepRows(
  n: number,
  steps: readonly StepToMeasure[],
  {
    coldPairing,
    rounds,
    claims,
  }: { readonly coldPairing: Pairing; readonly rounds: number; readonly claims: Claims },
): Promise<Row[]> {
  const names = steps.flatMap(({ floor }) => Object.keys(floor) as Primitive[]);
  const sides: Record<string, Side> = primitiveSides(coldPairing, names);
  for (const { step, cold, warm } of steps) {
    sides[`${step}, cold`] = cold;
    sides[`${step}, warm`] = warm;
  }
  const samples = await interleaved(sides, { rounds, warmUps });
  const load = loadAverage();
  return steps.map(({ step, floor }) => {
    const cold = samples.times(`${step}, cold`);
    const floors = floorTimes(samples, floor);
    const ratio = round(median(cold.map((time, at) => time / (floors[at] ?? Number.NaN))), 2);
    claims.check(ratio <= ratioMax, `${step}, n = ${n}: ${ratio} times its floor, more than ${ratioMax}`);
    return {
      n,
      step,
      "floor, ms": round(median(floors), 2),
      "cold, ms": round(median(cold), 2),
      ratio,
      "warm, ms": round(samples.median(`${step}, warm`), 2),
      "cold : warm": round(samples.ratio(`${step}, cold`, `${step}, warm`), 2),
      load,
    };
  });
}

export function stepPlots(rows: readonly Row[], sizes: readonly number[]): Plot[] {
  const steps = [...new Set(rows.map(({ step }) => String(step)))];
  const labels = sizes.map(String);
  const of = (step: string, column: string) =>
    rows.filter((row) => row.step === step).map((row) => Number(row[column]));
  const times = steps.map((step): Plot => {
    const series = ["floor", "cold", "warm"].map((name) => ({
      name: name === "floor" ? "floor: the bare operations" : `${name} tables`,
      values: of(step, `${name}, ms`),
      dashed: name === "floor",
    }));
    return { title: step, xLabel: "n attributes", yLabel: "ms", labels, scale: "log", series };
  });
  const ratios: Plot = {
    title: "Cold time as a multiple of its floor",
    xLabel: "n attributes",
    yLabel: "ratio, lower is better",
    labels,
    series: steps.map((step) => ({ name: step, values: of(step, "ratio") })),
    limit: { value: ratioMax, name: `claimed: at most ${ratioMax}` },
  };
  return [ratios, ...times];
}
