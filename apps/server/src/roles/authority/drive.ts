/**
 * A node at work for as long as its process runs: it steps while there is something to do, then waits for the next block,
 * or for so long that a silent node may be overdue by now. What fails is tried again: all that counts is on the ledger
 * and in the node's store.
 */
import type { Ledger } from "@chartseal/ledger";
import type { NodeDriver } from "@chartseal/sharing";

export interface DriveOptions {
  readonly driver: Pick<NodeDriver, "step">;
  readonly ledger: Pick<Ledger, "head" | "watch">;
  readonly signal: AbortSignal;
  /** Told of what failed; a node whose ledger cannot be reached says so again and again. */
  readonly failed: (error: unknown) => void;
  /** Longest wait without a block; default 15 s. */
  readonly waitMs?: number;
  /** Pause after a failure; default 2 s. */
  readonly retryMs?: number;
}

/** Resolves when the signal aborts. */
export async function driveNode(options: DriveOptions): Promise<void> {
  const { driver, ledger, signal, failed, waitMs = 15_000, retryMs = 2_000 } = options;
  while (!signal.aborted) {
    try {
      const { height } = await ledger.head();
      if (await driver.step()) continue;
      await nextBlock(ledger, height, AbortSignal.any([signal, AbortSignal.timeout(waitMs)]));
    } catch (error) {
      if (signal.aborted) return;
      failed(error);
      await pause(retryMs, signal);
    }
  }
}

/** Resolves when there is a block above that height, or the signal aborts. */
async function nextBlock(ledger: Pick<Ledger, "watch">, height: number, signal: AbortSignal): Promise<void> {
  for await (const _block of ledger.watch(height + 1, signal)) return;
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener("abort", end);
  });
}
