/**
 * `bench cli`: the wall time of a whole command, start-up and key derivation included, as somebody at a keyboard waits
 * for it; and the peak memory of the command's process.
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { withFolder } from "../file/disk.ts";
import { loadAverage, round } from "../machine.ts";
import { interleaved } from "../measure.ts";
import { type BenchOptions, Claims, type Outcome, type Row } from "../outcome.ts";
import type { Plot } from "../plot.ts";

const recordBytes = 100_000;
const secondsMax = 1;
const binaries = join(
  dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url))))),
  "node_modules",
  ".bin",
);

/** Printed behind everything else when the process ends; CONTRACT's one JSON value stays on standard output. */
const memoryHook = `data:text/javascript,${encodeURIComponent(
  "process.on('exit',()=>process.stderr.write('\\npeak-kib:'+process.resourceUsage().maxRSS+'\\n'))",
)}`;

function environment(): NodeJS.ProcessEnv {
  const path = `${binaries}${delimiter}${process.env.PATH ?? ""}`;
  return { ...process.env, PATH: path, CHARTSEAL_PASSPHRASE: "a passphrase for the benchmark" };
}

/** Runs commands in one home as a user would: a new process each, found on the path. */
class CommandLine {
  readonly #home: string;

  constructor(home: string) {
    this.#home = home;
  }

  run(...args: readonly string[]): Record<string, unknown> {
    const output = execFileSync(join(binaries, "chartseal"), ["--home", this.#home, ...args, "--json"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      env: environment(),
    });
    return JSON.parse(output) as Record<string, unknown>;
  }

  /** Peak memory of one command, MiB. */
  peakOf(...args: readonly string[]): number {
    const script = `${shellWords(["chartseal", "--home", this.#home, ...args, "--json"])} 2>&1 >/dev/null`;
    const said = execFileSync("sh", ["-c", script], {
      encoding: "utf8",
      env: { ...environment(), NODE_OPTIONS: `--import=${memoryHook}` },
    });
    return round(Number(/peak-kib:(\d+)/.exec(said)?.[1]) / 1024, 0);
  }
}

function shellWords(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
}

/** A home with an owner and a reader who may open what the owner seals. */
function prepare(command: CommandLine): void {
  command.run("init", "--name", "benchmark");
  command.run("namespace", "add", "cedars");
  command.run("member", "add", "alice");
  command.run("member", "add", "bob");
  command.run("attributes", "grant", "bob", "doctor@cedars", "cardiology@cedars");
}

async function measure({ quick, note }: BenchOptions, folder: string): Promise<Row[]> {
  const command = new CommandLine(join(folder, "home"));
  note("cli: a home");
  prepare(command);
  const file = join(folder, "record.bin");
  const opened = join(folder, "opened.bin");
  writeFileSync(file, randomBytes(recordBytes));
  const seal = ["seal", file, "--owner", "alice", "--policy", "doctor@cedars and cardiology@cedars"];
  let record = String(command.run(...seal).recordId);
  const open = () => ["open", record, "--as", "bob", "--out", opened];
  const bare = ["-e", ""];
  const sides = {
    seal: {
      run: () => {
        record = String(command.run(...seal).recordId);
      },
    },
    open: { run: () => command.run(...open()) },
    "--version": {
      run: () => execFileSync(join(binaries, "chartseal"), ["--version"], { env: environment() }),
    },
    "node alone": { run: () => execFileSync(process.execPath, bare) },
  };
  note("cli: seal and open");
  const samples = await interleaved(sides, { rounds: quick ? 3 : 15 });
  if (!readFileSync(file).equals(readFileSync(opened))) throw new Error("open did not give what was sealed");
  const peaks = { seal: command.peakOf(...seal), open: command.peakOf(...open()) };
  rmSync(opened);
  return (Object.keys(sides) as (keyof typeof sides)[]).map((name) => ({
    command: name,
    bytes: name === "seal" || name === "open" ? recordBytes : null,
    seconds: round(samples.median(name) / 1000),
    "slowest, s": round(Math.max(...samples.times(name)) / 1000),
    "peak MiB": name === "seal" || name === "open" ? peaks[name] : null,
    load: loadAverage(),
  }));
}

function plotOf(rows: readonly Row[]): Plot {
  return {
    title: `Wall time of one command (${recordBytes / 1000} kB record)`,
    xLabel: "command",
    yLabel: "seconds",
    labels: rows.map((row) => String(row.command)),
    kind: "bars",
    series: [{ name: "median, start-up included", values: rows.map(({ seconds }) => Number(seconds)) }],
    limit: { value: secondsMax, name: `claimed for seal and open: at most ${secondsMax} s` },
  };
}

export async function benchCli(options: BenchOptions): Promise<Outcome> {
  const rows = await withFolder(tmpdir(), (folder) => measure(options, folder));
  const claims = new Claims();
  for (const { command, seconds } of rows) {
    const claimed = command === "seal" || command === "open";
    if (claimed)
      claims.check(Number(seconds) <= secondsMax, `${command} takes ${seconds} s, more than ${secondsMax}`);
  }
  return { tables: [{ title: "Whole commands", rows }], plots: [plotOf(rows)], failures: claims.failures };
}
