/**
 * `bench consortium`: registrations through four real CometBFT nodes, against the same nodes with nothing to do; and how long
 * registrations take as the state grows, up to 10^6 records or the CHARTSEAL_BENCH_RECORDS of a shorter run.
 */
import { tmpdir } from "node:os";
import { ChartsealError } from "@chartseal/crypto";
import { programOf } from "@chartseal/lab";
import { withFolder } from "../file/disk.ts";
import { type BenchOptions, Claims, type Outcome, type Row } from "../outcome.ts";
import type { Plot } from "../plot.ts";
import { type GrowthAmounts, measureGrowth } from "./growth.ts";
import { type Amounts, measureThroughput } from "./throughput.ts";

const ratioMin = 0.7;
const growthMax = 1.3;
const whole: Amounts = { rounds: 7, backlog: 1_000, window: 250, alone: 10, byAuthors: 50, owners: 100 };
const short: Amounts = { rounds: 1, backlog: 50, window: 50, alone: 3, byAuthors: 3, owners: 10 };
const wholeGrowth: GrowthAmounts = { sizes: [1_000, 10_000, 100_000, 1_000_000], block: 250, blocks: 8 };
const shortGrowth: GrowthAmounts = { sizes: [100, 300], block: 50, blocks: 2 };

export async function benchConsortium({ quick, note }: BenchOptions): Promise<Outcome> {
  const program = programOf("cometbft");
  if (program === undefined) {
    throw new ChartsealError(
      "ledger-unreachable",
      "cometbft, the node that orders transactions, is not here",
      {
        hint: "npm run bench -- consortium installs it where there is Go.",
      },
    );
  }
  const claims = new Claims();
  const profiles = process.env.CHARTSEAL_BENCH_PROFILES;
  const amounts = quick ? short : whole;
  const { rows, ratio } = await measureThroughput({ program, amounts, parent: tmpdir(), note, profiles });
  claims.check(
    ratio >= ratioMin,
    `owner-signed registrations: ${ratio} of an application that does nothing is below ${ratioMin}`,
  );
  const recordsMax = Number(process.env.CHARTSEAL_BENCH_RECORDS ?? Number.POSITIVE_INFINITY);
  const upTo = { ...wholeGrowth, sizes: wholeGrowth.sizes.filter((size) => size <= recordsMax) };
  const grown = await withFolder(tmpdir(), (folder) =>
    measureGrowth({ program, folder, note, amounts: quick ? shortGrowth : upTo }),
  );
  for (const { records, "times the first": times } of grown.slice(1)) {
    claims.check(
      Number(times) <= growthMax,
      `registrations on ${records} records take ${times} times those on ${grown[0]?.records}`,
    );
  }
  return {
    tables: [
      { title: "Four nodes and four applications on this machine", rows },
      { title: "One application as its state grows, without a node", rows: grown },
    ],
    plots: [...throughputPlots(rows), growthPlot(grown)],
    failures: claims.failures,
  };
}

function growthPlot(rows: readonly Row[]): Plot {
  const parts = ["all, ms", "check, ms", "propose, ms", "commit, ms"];
  return {
    title: `A block of ${rows[0]?.registrations} registrations as the state grows`,
    xLabel: "records on the ledger",
    yLabel: "ms",
    labels: rows.map(({ records }) => String(records)),
    scale: "log",
    series: parts.map((part) => ({
      name: part.replace(", ms", ""),
      values: rows.map((row) => Number(row[part])),
    })),
  };
}

function throughputPlots(rows: readonly Row[]): Plot[] {
  const labels = ["Chartseal", "nothing", "kvstore"];
  const sides = rows.slice(0, labels.length);
  const of = (column: string) => sides.map((row) => Number(row[column]));
  return [
    {
      title: "Registrations a second",
      xLabel: "application",
      yLabel: "a second",
      labels,
      kind: "bars",
      series: [{ name: "owner-signed, four nodes", values: of("registrations a second") }],
    },
    {
      title: "Time to finality, one at a time",
      xLabel: "application",
      yLabel: "ms",
      labels,
      kind: "bars",
      series: [
        { name: "median", values: of("finality, one at a time: median ms") },
        { name: "p95", values: of("p95 ms") },
      ],
    },
  ];
}
