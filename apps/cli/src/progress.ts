/** Progress of long work on standard error: a moving bar on a terminal, nothing where output is piped. */
import { Presets, SingleBar } from "cli-progress";
import { isLively } from "./output.ts";

/** Work below this many bytes is done before a bar could be read. */
const showFromBytes = 8 * 1024 * 1024;

export interface Progress {
  update(bytes: number): void;
  stop(): void;
}

export function progressBar(label: string, totalBytes: number | undefined): Progress {
  if (!isLively() || totalBytes === undefined || totalBytes < showFromBytes)
    return { update: () => {}, stop: () => {} };
  const megabytes = (bytes: number): number => Math.floor(bytes / 1_000_000);
  const bar = new SingleBar(
    {
      format: `${label} {bar} {percentage}% | {value}/{total} MB | {eta_formatted}`,
      stream: process.stderr,
      hideCursor: true,
    },
    Presets.shades_classic,
  );
  bar.start(megabytes(totalBytes), 0);
  return { update: (bytes) => bar.update(megabytes(bytes)), stop: () => bar.stop() };
}
