/** `bench abs`: attribute-based signatures under a policy of n attributes, against the bare group operations. */
import {
  loadPairing,
  openPairing,
  type Pairing,
  type Signature,
  type SpanProgram,
  type Statement,
  sha256,
  sign,
  spanProgram,
  utf8,
  verify,
  verifyBatch,
} from "@chartseal/crypto";
import { loadAverage, round } from "../machine.ts";
import { interleaved } from "../measure.ts";
import { type BenchOptions, Claims, type Outcome, type Row } from "../outcome.ts";
import type { Plot } from "../plot.ts";
import { sizes as allSizes, signingWorld } from "../worlds.ts";
import { multiplications, type Needs, noTables, sum } from "./primitives.ts";
import { type StepToMeasure, stepPlots, stepRows } from "./steps.ts";

const period = "2026q4";
const batchSize = 100;
/** A batch must take less than this part of the time of one by one. */
const batchPartMax = 1 / 3;

function columnTerms({ rows, columns }: SpanProgram): number[] {
  return Array.from(
    { length: columns },
    (_, column) => rows.filter((row) => row.entries.some(([at]) => at === column)).length,
  );
}

/** X_ij = A_j + [u]B_j for every entry: what a policy costs when it is met for the first time. */
function rowBaseNeeds({ rows }: SpanProgram): Needs {
  return { E2x1: rows.reduce((total, { entries }) => total + entries.length, 0) };
}

/** C + [μ]g, Y, W; a double multiplication a row; a column of P each over its entries. */
function signNeeds(program: SpanProgram): Needs {
  return sum({ E1x1: 3, E1x2: program.rows.length }, multiplications("E2", columnTerms(program)));
}

/** ℓ + 3 pairs; C + [μ]g; the weights on h_1, on all columns of P together, and on each row's bases. */
function verifyNeeds(program: SpanProgram): Needs {
  const weighted = [1, program.columns, ...program.rows.map(({ entries }) => entries.length)];
  return sum({ [`P${program.rows.length + 3}`]: 1, E1x1: 1 }, multiplications("E2", weighted));
}

function stepsOf(n: number, cold: Pairing, warm: Pairing): StepToMeasure[] {
  const { keys, committeeKey, statement } = signingWorld(warm, n, [period]);
  const stated = statement(period);
  const signature = sign(warm, stated, keys);
  const program = spanProgram(stated.policy);
  const signing = (pairing: Pairing) => () => sign(pairing, stated, keys);
  const verifying = (pairing: Pairing) => () => verify(pairing, committeeKey, { ...stated, signature });
  // The row bases that a backend knows are kept for the object that was asked: a new one knows none.
  const unknowing = (work: (pairing: Pairing) => () => unknown) => {
    let run: () => unknown = () => {};
    const prepare = (): void => {
      run = work({ ...cold });
    };
    return { prepare, run: () => run() };
  };
  return [
    { step: "sign", cold: { run: signing(cold) }, warm: { run: signing(warm) }, floor: signNeeds(program) },
    {
      step: "sign, policy never met",
      cold: unknowing(signing),
      warm: { run: signing(warm) },
      floor: sum(signNeeds(program), rowBaseNeeds(program)),
    },
    {
      step: "verify",
      cold: { run: verifying(cold) },
      warm: { run: verifying(warm) },
      floor: verifyNeeds(program),
    },
    {
      step: "verify, policy never met",
      cold: unknowing(verifying),
      warm: { run: verifying(warm) },
      floor: sum(verifyNeeds(program), rowBaseNeeds(program)),
    },
  ];
}

/** A hundred signatures of one policy, in a batch and one by one. */
async function batchRows(
  pairing: Pairing,
  sizes: readonly number[],
  rounds: number,
  claims: Claims,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const n of sizes) {
    const { keys, committeeKey, statement } = signingWorld(pairing, n, [period]);
    const batch = Array.from({ length: batchSize }, (_, at): Statement & { signature: Signature } => {
      const stated = { ...statement(period), message: sha256(utf8(`message ${at}`)) };
      return { ...stated, signature: sign(pairing, stated, keys) };
    });
    const sides = {
      batch: { run: () => verifyBatch(pairing, committeeKey, batch) },
      single: { run: () => batch.map((signed) => verify(pairing, committeeKey, signed)) },
    };
    const samples = await interleaved(sides, { rounds });
    const part = round(samples.ratio("batch", "single"), 3);
    claims.check(part < batchPartMax, `a batch of ${batchSize}, n = ${n}, takes ${part} of one by one`);
    const batchMs = round(samples.median("batch"), 1);
    rows.push({
      n,
      signatures: batchSize,
      "batch, ms": batchMs,
      "one by one, ms": round(samples.median("single"), 1),
      part,
      load: loadAverage(),
    });
  }
  return rows;
}

function batchPlot(rows: readonly Row[]): Plot {
  return {
    title: `${batchSize} signatures verified`,
    xLabel: "n attributes",
    yLabel: "ms",
    labels: rows.map(({ n }) => String(n)),
    kind: "bars",
    series: ["batch", "one by one"].map((name) => ({
      name,
      values: rows.map((row) => Number(row[`${name}, ms`])),
    })),
  };
}

export async function benchAbs({ quick, note }: BenchOptions): Promise<Outcome> {
  const { pairing: coldPairing } = await openPairing(noTables);
  const warmPairing = await loadPairing();
  const sizes = quick ? allSizes.slice(0, 1) : allSizes;
  const claims = new Claims();
  const rows: Row[] = [];
  for (const n of sizes) {
    note(`abs: n = ${n}`);
    const steps = stepsOf(n, coldPairing, warmPairing);
    rows.push(...(await stepRows(n, steps, { coldPairing, rounds: quick ? 3 : 11, claims })));
  }
  note("abs: batches");
  const batches = await batchRows(warmPairing, quick ? [5] : [5, 10, 20], quick ? 1 : 5, claims);
  return {
    tables: [
      { title: "Signatures under n attributes", rows },
      { title: `A batch of ${batchSize} against one by one`, rows: batches },
    ],
    plots: [...stepPlots(rows, sizes), batchPlot(batches)],
    failures: claims.failures,
  };
}
