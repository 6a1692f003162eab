/**
 * `bench file`: sealing and opening against the bare work of the same process, from the page cache into nothing and on
 * the real way with write and fsync, and the memory that it takes.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadAverage, round } from "../machine.ts";
import { interleaved } from "../measure.ts";
import { type BenchOptions, Claims, type Outcome, type Row } from "../outcome.ts";
import type { Plot } from "../plot.ts";
import { freeBytes, makeFile, readThrough, withFolder } from "./disk.ts";
import { copyAndHash, encryptAndHash, hashAndDecrypt } from "./floor.ts";
import { openToNothing, PayloadStore, type Sealed, sealFile } from "./paths.ts";

const MiB = 2 ** 20;
const cryptoRatioMin = 0.7;
const pathRatioMin = 0.8;
const peakMiBMax = 200;
/** Flat: the largest file takes at most this many times what the smallest one takes. */
const flatFactorMax = 1.15;

function sizesFor(folder: string, quick: boolean): number[] {
  if (quick) return [8 * MiB];
  const all = [64, 256, 1024, 4096].map((size) => size * MiB);
  return all.filter((size) => size <= 1024 * MiB || freeBytes(folder) >= 4 * size);
}

const roundsFor = (size: number): number => (size <= 256 * MiB ? 7 : size <= 1024 * MiB ? 5 : 3);

/** (a): from the page cache into nothing. */
async function throughNothing(size: number, path: string, sealed: Sealed, stored: string): Promise<Row> {
  const sides = {
    seal: { run: () => sealFile(path) },
    sealFloor: { run: () => encryptAndHash(path) },
    open: { run: () => openToNothing(sealed, stored) },
    openFloor: { run: () => hashAndDecrypt(stored) },
  };
  const samples = await interleaved(sides, { rounds: roundsFor(size) });
  const speed = (side: keyof typeof sides): number => round((size / MiB / samples.median(side)) * 1000, 0);
  return {
    part: "page cache to nothing",
    MiB: size / MiB,
    "seal MiB/s": speed("seal"),
    "its floor MiB/s": speed("sealFloor"),
    "seal ratio": round(samples.ratio("sealFloor", "seal"), 2),
    "open MiB/s": speed("open"),
    "its floor, MiB/s": speed("openFloor"),
    "open ratio": round(samples.ratio("openFloor", "open"), 2),
    load: loadAverage(),
  };
}

/** (b): the real way, with write and fsync. */
async function throughStore(
  size: number,
  at: {
    readonly path: string;
    readonly folder: string;
    readonly store: PayloadStore;
    readonly sealed: Sealed;
  },
): Promise<Row> {
  const { path, folder, store, sealed } = at;
  const copy = join(folder, "copy");
  let made: Sealed | undefined;
  const clear = async (): Promise<void> => {
    rmSync(copy, { force: true });
    if (made !== undefined) await store.remove(made);
    made = undefined;
  };
  const sealing = async (): Promise<void> => {
    made = await store.seal(path);
  };
  const sides = {
    seal: { prepare: clear, run: sealing },
    copy: { prepare: clear, run: () => copyAndHash(path, copy) },
    open: { prepare: clear, run: () => store.open(sealed, copy) },
  };
  const samples = await interleaved(sides, { rounds: roundsFor(size) });
  await clear();
  const speed = (side: keyof typeof sides): number => round((size / MiB / samples.median(side)) * 1000, 0);
  return {
    part: "disk to disk, fsynced",
    MiB: size / MiB,
    "seal MiB/s": speed("seal"),
    "its floor MiB/s": speed("copy"),
    "seal ratio": round(samples.ratio("copy", "seal"), 2),
    "open MiB/s": speed("open"),
    "its floor, MiB/s": speed("copy"),
    "open ratio": round(samples.ratio("copy", "open"), 2),
    load: loadAverage(),
  };
}

/** Peak memory in a process of its own. */
function peakMiB(task: "seal" | "open", ...files: readonly string[]): number {
  const source = fileURLToPath(new URL("./memory.ts", import.meta.url));
  const isSource = import.meta.url.endsWith(".ts");
  const child = isSource ? ["--conditions=chartseal-source", source] : [source.replace(/\.ts$/, ".js")];
  const output = execFileSync(process.execPath, [...child, task, ...files], {
    encoding: "utf8",
  });
  return round((JSON.parse(output) as { peakMiB: number }).peakMiB, 0);
}

function memoryOf(size: number, path: string, folder: string): Row {
  const store = join(folder, "memory");
  mkdirSync(store);
  const state = join(folder, "state.json");
  const seal = peakMiB("seal", path, store, state);
  const open = peakMiB("open", join(folder, "opened"), store, state);
  rmSync(store, { recursive: true });
  rmSync(join(folder, "opened"));
  return { part: "peak memory", MiB: size / MiB, "seal MiB": seal, "open MiB": open };
}

async function measureSize(size: number, parent: string): Promise<readonly Row[]> {
  return withFolder(parent, async (folder) => {
    const path = join(folder, "plain");
    makeFile(path, size);
    const store = await PayloadStore.open(folder);
    const sealed = await store.seal(path);
    readThrough(path);
    readThrough(store.pathOf(sealed));
    const first = await throughNothing(size, path, sealed, store.pathOf(sealed));
    const second = await throughStore(size, { path, folder, store, sealed });
    return [first, second, memoryOf(size, path, folder)];
  });
}

function checkRows(rows: readonly Row[], claims: Claims): void {
  for (const row of rows) {
    if (row.part === "peak memory") continue;
    const least = row.part === "page cache to nothing" ? cryptoRatioMin : pathRatioMin;
    for (const column of ["seal ratio", "open ratio"]) {
      claims.check(
        Number(row[column]) >= least,
        `${row.part}, ${row.MiB} MiB: ${column} ${row[column]} is below ${least}`,
      );
    }
  }
  const peaks = rows.filter(({ part }) => part === "peak memory");
  for (const column of ["seal MiB", "open MiB"]) {
    const values = peaks.map((row) => Number(row[column]));
    const [smallest, largest] = [values[0] ?? 0, values.at(-1) ?? 0];
    claims.check(
      Math.max(...values) <= peakMiBMax,
      `peak memory, ${column}: ${Math.max(...values)} is above ${peakMiBMax}`,
    );
    claims.check(
      largest <= flatFactorMax * smallest,
      `peak memory is not flat: ${column} ${values.join(", ")}`,
    );
  }
}

function plotsOf(rows: readonly Row[]): Plot[] {
  const parts = ["page cache to nothing", "disk to disk, fsynced"];
  const of = (part: string, column: string): (number | null)[] =>
    rows.filter((row) => row.part === part).map((row) => Number(row[column]));
  const labels = rows.filter((row) => row.part === parts[0]).map((row) => String(row.MiB));
  const ratios = parts.map((part, at): Plot => {
    const value = at === 0 ? cryptoRatioMin : pathRatioMin;
    const floor = at === 0 ? "AES-256-GCM + SHA-256" : "copy + SHA-256 + fsync";
    return {
      title: `Speed against ${floor}`,
      xLabel: `MiB, ${part}`,
      yLabel: "ratio, higher is better",
      labels,
      series: [
        { name: "seal", values: of(part, "seal ratio") },
        { name: "open", values: of(part, "open ratio") },
      ],
      limit: { value, name: `claimed: at least ${value}` },
    };
  });
  const speed: Plot = {
    title: "Speed",
    xLabel: "MiB",
    yLabel: "MiB/s",
    labels,
    series: parts.flatMap((part) => [
      { name: `seal, ${part}`, values: of(part, "seal MiB/s") },
      { name: `open, ${part}`, values: of(part, "open MiB/s") },
    ]),
  };
  const memory: Plot = {
    title: "Peak memory, key derivation included",
    xLabel: "MiB of payload",
    yLabel: "MiB",
    labels,
    series: [
      { name: "seal", values: of("peak memory", "seal MiB") },
      { name: "open", values: of("peak memory", "open MiB") },
    ],
    limit: { value: peakMiBMax, name: `claimed: at most ${peakMiBMax} MiB` },
  };
  return [...ratios, speed, memory];
}

/** Needs some free space: four times the largest size, below the folder for temporary files. */
export async function benchFile({ quick, note }: BenchOptions): Promise<Outcome> {
  const parent = tmpdir();
  const claims = new Claims();
  const rows: Row[] = [];
  for (const size of sizesFor(parent, quick)) {
    note(`file: ${size / MiB} MiB`);
    rows.push(...(await measureSize(size, parent)));
  }
  checkRows(rows, claims);
  const tables = ["page cache to nothing", "disk to disk, fsynced", "peak memory"].map((part) => ({
    title: part,
    rows: rows.filter((row) => row.part === part),
  }));
  return { tables, plots: plotsOf(rows), failures: claims.failures };
}
