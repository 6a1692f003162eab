/** Progress of long work on standard error: a moving bar on a terminal, nothing where output is piped. */
import type { SingleBar } from "cli-progress";
import { onInterruption } from "./interruption.ts";
import { isLively } from "./output.ts";

/** Work below this many bytes is done before a bar could be read. */
const showFromBytes = 8 * 1024 * 1024;

export interface Progress {
  update(bytes: number): void;
  stop(): void;
}

/** The bar's library is loaded for a bar that shows: hardly any command has one, and work does not wait for it. */
export function progressBar(label: string, totalBytes: number | undefined): Progress {
  if (!isLively() || totalBytes === undefined || totalBytes < showFromBytes)
    return { update: () => {}, stop: () => {} };
  const megabytes = (bytes: number): number => Math.floor(bytes / 1_000_000);
  let [bar, reached, isStopped]: [SingleBar | undefined, number, boolean] = [undefined, 0, false];
  let ended = (): void => {};
  const show = async (): Promise<void> => {
    const { Presets, SingleBar } = await import("cli-progress");
    if (isStopped) return;
    bar = new SingleBar(
      {
        format: `${label} {bar} {percentage}% | {value}/{total} MB | {eta_formatted}`,
        stream: process.stderr,
        hideCursor: true,
      },
      Presets.shades_classic,
    );
    bar.start(megabytes(totalBytes), reached);
    // It hides the cursor and ends the wrapping of lines, and gives both back when it stops.
    ended = onInterruption(() => bar?.stop());
  };
  void show();
  return {
    update: (bytes) => {
      reached = megabytes(bytes);
      bar?.update(reached);
    },
    stop: () => {
      isStopped = true;
      bar?.stop();
      ended();
    },
  };
}
