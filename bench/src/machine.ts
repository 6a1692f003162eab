/** What a result says of the machine: what decides speed, and nothing that names it. */
import { cpus, loadavg, totalmem } from "node:os";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly platform: string;
  readonly node: string;
  readonly openssl: string;
}

export function thisMachine(): Machine {
  const processors = cpus();
  return {
    cpu: (processors[0]?.model ?? "unknown").trim(),
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
    openssl: process.versions.openssl ?? "none",
  };
}

/** Runnable processes over the last minute: above the number of cores, others were in the way. */
export function loadAverage(): number {
  return round(loadavg()[0] ?? 0, 2);
}

export function round(value: number, digits = 3): number {
  return Number(value.toFixed(digits));
}
