/**
 * `bench provider`: records through a real S3 server against the same server driven by a plain client, transforms a
 * second against the pairings that they are made of, erasure coding, and the memory of a record of 8 GiB.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ChartsealError } from "@chartseal/crypto";
import { programOf, type S3Server, startVersitygw } from "@chartseal/lab";
import { freeBytes, makeFile, readThrough, withFolder } from "../file/disk.ts";
import { loadAverage, round } from "../machine.ts";
import { type BenchOptions, Claims, type Outcome, type Row } from "../outcome.ts";
import type { Plot } from "../plot.ts";
import { erasureRow } from "./erasure.ts";
import { s3Row } from "./through-s3.ts";
import { transformRow } from "./transforms.ts";

const MiB = 2 ** 20;
const s3RatioMin = 0.8;
const peakMiBMax = 300;
const codes = [
  { k: 1, n: 2 },
  { k: 2, n: 3 },
  { k: 4, n: 6 },
  { k: 10, n: 14 },
];

export async function benchProvider({ quick, note }: BenchOptions): Promise<Outcome> {
  const program = programOf("versitygw");
  if (program === undefined) {
    throw new ChartsealError(
      "ledger-unreachable",
      "versitygw, the S3 server to measure against, is not here",
      {
        hint: "npm run bench -- provider installs it.",
      },
    );
  }
  const claims = new Claims();
  const transforms: Row[] = [];
  for (const n of quick ? [5] : [5, 10, 20, 50, 100]) {
    note(`provider: transforms, n = ${n}`);
    await withFolder(tmpdir(), async (folder) => {
      transforms.push(await transformRow(folder, n, quick ? 3 : 25));
    });
  }
  note("provider: erasure coding");
  const erasure: Row[] = [];
  for (const code of codes)
    erasure.push(await erasureRow(code, { MB: quick ? 4 : 256, rounds: quick ? 2 : 9 }));
  const server = await startVersitygw(program);
  try {
    const through: Row[] = [];
    for (const size of quick ? [16 * MiB] : [64 * MiB, 256 * MiB, 1024 * MiB]) {
      note(`provider: ${size / MiB} MiB through S3`);
      through.push(await throughS3(server, size, quick));
    }
    checkRatios(through, claims);
    const size = quick ? 32 * MiB : 8192 * MiB;
    note(`provider: memory of ${size / MiB} MiB, two of three`);
    const memory = await withFolder(tmpdir(), async (folder) => memoryRow(server, folder, size));
    claims.check(
      Number(memory["peak MiB"]) <= peakMiBMax,
      `peak memory: ${memory["peak MiB"]} MiB is above ${peakMiBMax}`,
    );
    return {
      tables: [
        { title: "Transforms, whole, on one core", rows: transforms },
        { title: "Through an S3 server", rows: through },
        { title: "Erasure coding, in memory", rows: erasure },
        { title: "One large record, two of three over S3", rows: [memory] },
      ],
      plots: plotsOf(transforms, through, erasure),
      failures: claims.failures,
    };
  } finally {
    await server.stop();
  }
}

async function throughS3(server: S3Server, size: number, quick: boolean): Promise<Row> {
  return await withFolder(tmpdir(), async (folder) => {
    const path = join(folder, "plain");
    makeFile(path, size);
    readThrough(path);
    const rounds = quick ? 1 : size <= 256 * MiB ? 7 : 5;
    return await s3Row(server, { path, size, folder, rounds });
  });
}

function checkRatios(rows: readonly Row[], claims: Claims): void {
  for (const row of rows) {
    for (const column of ["up ratio", "down ratio"]) {
      claims.check(
        Number(row[column]) >= s3RatioMin,
        `through S3, ${row.MiB} MiB: ${column} ${row[column]} is below ${s3RatioMin}`,
      );
    }
  }
}

/** In a process of its own. Twice the size is stored beside what the server has: half as much again, and its parts. */
function memoryRow(server: S3Server, folder: string, size: number): Row {
  const fitting = Math.min(size, Math.floor(freeBytes(folder) / 4 / MiB) * MiB);
  const source = fileURLToPath(new URL("./memory.ts", import.meta.url));
  const isSource = import.meta.url.endsWith(".ts");
  const child = isSource ? ["--conditions=chartseal-source", source] : [source.replace(/\.ts$/, ".js")];
  mkdirSync(join(folder, "record"));
  const { endpoint, region, bucket, accessKeyId, secretAccessKey } = server;
  const own = JSON.stringify({ endpoint, region, bucket, accessKeyId, secretAccessKey });
  const output = execFileSync(process.execPath, [...child, String(fitting), join(folder, "record"), own], {
    encoding: "utf8",
  });
  rmSync(join(folder, "record"), { recursive: true });
  const { peakMiB, inMiBps, outMiBps } = JSON.parse(output) as Record<
    "peakMiB" | "inMiBps" | "outMiBps",
    number
  >;
  return {
    part: "memory",
    MiB: fitting / MiB,
    "peak MiB": round(peakMiB, 0),
    "in MiB/s": round(inMiBps, 0),
    "out MiB/s": round(outMiBps, 0),
    load: loadAverage(),
  };
}

const numbers = (rows: readonly Row[], column: string): number[] => rows.map((row) => Number(row[column]));

function plotsOf(transforms: readonly Row[], through: readonly Row[], erasure: readonly Row[]): Plot[] {
  return [
    {
      title: "Transforms a second and core",
      xLabel: "attributes in the policy",
      yLabel: "transforms a second",
      labels: transforms.map(({ attributes }) => String(attributes)),
      series: [
        { name: "whole", values: numbers(transforms, "a second and core") },
        { name: "three pairings alone", values: numbers(transforms, "floor, a second") },
      ],
    },
    {
      title: "Through S3 against a plain client",
      xLabel: "MiB",
      yLabel: "ratio, higher is better",
      labels: through.map(({ MiB: size }) => String(size)),
      series: [
        { name: "up", values: numbers(through, "up ratio") },
        { name: "down", values: numbers(through, "down ratio") },
      ],
      limit: { value: s3RatioMin, name: `claimed: at least ${s3RatioMin}` },
    },
    {
      title: "Erasure coding",
      xLabel: "shards",
      yLabel: "MB of payload a second",
      labels: erasure.map(({ code }) => String(code)),
      series: [
        { name: "encode", values: numbers(erasure, "encode, MB/s") },
        { name: "rebuild", values: numbers(erasure, "rebuild, MB/s") },
      ],
    },
  ];
}
