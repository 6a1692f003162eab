/** `bench seed`: the section 5 of the paper that Chartseal grew from, counted and measured. */
import { loadPairing } from "@chartseal/crypto";
import { loadAverage } from "../machine.ts";
import { type BenchOptions, Claims, type Outcome, type Row } from "../outcome.ts";
import type { Plot } from "../plot.ts";
import { sizes as allSizes } from "../worlds.ts";
import { cipherRows } from "./ciphers.ts";
import { countRows } from "./counts.ts";
import { figurePlots, figureRows } from "./figure.ts";

function countPlot(rows: readonly Row[], sizes: readonly number[]): Plot {
  const of = (step: string, columns: readonly string[]) =>
    rows
      .filter((row) => row.step === step)
      .map((row) => columns.reduce((sum, column) => sum + Number(row[column]), 0));
  return {
    title: "operations counted",
    xLabel: "n attributes",
    yLabel: "operations",
    labels: sizes.map(String),
    scale: "log",
    series: [
      { name: "encapsulate: E (its proof's one apart)", values: of("encapsulate", ["E1", "E2"]) },
      { name: "full decapsulation: Miller loops", values: of("decapsulate, full key", ["Miller loops"]) },
      {
        name: "reader after outsourcing: E_T + E2 + F",
        values: of("recover from T (reader)", ["E_T", "E2", "F"]),
        dashed: true,
      },
    ],
  };
}

function cipherPlot(rows: readonly Row[]): Plot {
  return {
    title: "table 2: conventional ciphers",
    xLabel: "64 KiB, or a 32-byte key for RSA and ECC",
    yLabel: "µs",
    labels: rows.map((row) => String(row.algorithm).split(/[ ]|-CBC/)[0] ?? ""),
    scale: "log",
    kind: "bars",
    series: [
      { name: "encrypt", values: rows.map((row) => Number(row["encrypt µs"])) },
      { name: "decrypt", values: rows.map((row) => Number(row["decrypt µs"])) },
    ],
  };
}

export async function benchSeed({ quick, note }: BenchOptions): Promise<Outcome> {
  const pairing = await loadPairing();
  const sizes = quick ? allSizes.slice(0, 2) : allSizes;
  const rounds = quick ? 2 : 11;
  const claims = new Claims();
  note("seed: counts");
  const counts = countRows(pairing, sizes, claims);
  const figure = await figureRows(pairing, sizes, { rounds, note });
  note("seed: table 2");
  const ciphers = await cipherRows({ rounds });
  const load = loadAverage();
  return {
    tables: [
      {
        title:
          "Operation counts (E1, E2, E_T exponentiations; F final exponentiation; H hashes; C membership checks)",
        rows: counts,
      },
      { title: "Figure 2: time of each step", rows: figure.map((row) => ({ ...row, load })) },
      { title: "Table 2: conventional ciphers", rows: ciphers.map((row) => ({ ...row, load })) },
    ],
    plots: [countPlot(counts, sizes), ...figurePlots(figure, sizes), cipherPlot(ciphers)],
    failures: claims.failures,
  };
}
