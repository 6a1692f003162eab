/** One runner for all benchmarks: the table, `results/NAME.json` and `results/NAME.svg`. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Machine, thisMachine } from "./machine.ts";
import type { BenchOptions, Outcome, Row } from "./outcome.ts";
import { renderPlots } from "./plot.ts";
import { renderTable } from "./table.ts";

interface Bench {
  readonly heading: string;
  /** Charts side by side in the picture. */
  readonly columns: number;
  /** Loaded when it is asked for: no benchmark pays for another's imports. */
  readonly load: () => Promise<(options: BenchOptions) => Promise<Outcome>>;
}

const benches = {
  seed: {
    heading: "The paper's section 5, counted and measured",
    columns: 3,
    load: async () => (await import("./seed/seed.ts")).benchSeed,
  },
  file: {
    heading: "Sealing and opening files",
    columns: 2,
    load: async () => (await import("./file/file.ts")).benchFile,
  },
  cpabe: {
    heading: "Encapsulation under a policy, against the bare group operations",
    columns: 3,
    load: async () => (await import("./schemes/cpabe.ts")).benchCpabe,
  },
  abs: {
    heading: "Attribute-based signatures, against the bare group operations",
    columns: 3,
    load: async () => (await import("./schemes/abs.ts")).benchAbs,
  },
  ledger: {
    heading: "An embedded ledger as it grows",
    columns: 3,
    load: async () => (await import("./ledger/ledger.ts")).benchLedger,
  },
  authority: {
    heading: "A committee: its keys, and an issue",
    columns: 2,
    load: async () => (await import("./authority/authority.ts")).benchAuthority,
  },
  provider: {
    heading: "A provider: real clouds, transforms, erasure coding",
    columns: 3,
    load: async () => (await import("./provider/provider.ts")).benchProvider,
  },
  consortium: {
    heading: "Registrations through four CometBFT nodes",
    columns: 2,
    load: async () => (await import("./consortium/consortium.ts")).benchConsortium,
  },
  cli: {
    heading: "The command line",
    columns: 1,
    load: async () => (await import("./cli/cli.ts")).benchCli,
  },
} as const satisfies Record<string, Bench>;

export type BenchName = keyof typeof benches;

export const benchNames = Object.keys(benches) as readonly BenchName[];

export function isBenchName(name: string): name is BenchName {
  return Object.hasOwn(benches, name);
}

export interface RunOptions {
  readonly quick?: boolean;
  readonly note?: (text: string) => void;
  /** Where results go; default bench/results of this checkout. A quick run writes nothing unless it is given. */
  readonly folder?: string;
}

/** What `results/NAME.json` holds. */
export interface BenchResult {
  readonly name: string;
  readonly machine: Machine;
  /** ISO 8601, the day and minute of the end. */
  readonly date: string;
  readonly command: string;
  readonly rows: readonly Row[];
}

export interface BenchRun {
  readonly result: BenchResult;
  /** The tables as text. */
  readonly text: string;
  /** One sentence for each claim that did not hold; empty is what is hoped for. */
  readonly failures: readonly string[];
}

const resultsFolder = fileURLToPath(new URL("../results/", import.meta.url));

/** What the environment makes smaller, as it is written in front of a command; other variables may name paths. */
function settings(): string {
  const records = process.env.CHARTSEAL_BENCH_RECORDS;
  return records === undefined ? "" : `CHARTSEAL_BENCH_RECORDS=${records} `;
}

/** Runs one benchmark; a quick run shows that it works and proves no number. */
export async function runBench(name: BenchName, options: RunOptions = {}): Promise<BenchRun> {
  const { quick = false, note = () => {} } = options;
  const bench: Bench = benches[name];
  const { tables, plots, failures } = await (await bench.load())({ quick, note });
  const result: BenchResult = {
    name,
    machine: thisMachine(),
    date: `${new Date().toISOString().slice(0, 16)}Z`,
    command: `${settings()}npm run bench -- ${name}${quick ? " --quick" : ""}`,
    rows: tables.flatMap(({ title, rows }) => rows.map((row) => ({ table: title, ...row }))),
  };
  const folder = options.folder ?? (quick ? undefined : resultsFolder);
  if (folder !== undefined) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
    writeFileSync(join(folder, `${name}.svg`), renderPlots(bench.heading, plots, bench.columns));
  }
  return { result, text: tables.map(renderTable).join("\n\n"), failures };
}
