/** Requests made again: what another attempt may mend, and how long it waits. */
import { ChartsealError, hasCode } from "@chartseal/crypto";

/** Failures one after the other, with nothing moved between them, after which a client gives up. */
export const attemptsMax = 6;
/** How long a server's limit is waited out. */
const limitSecondsMax = 60;

/** True for a connection that broke or stalled and for a server that failed; false for what a server has decided. */
export function isCut(error: unknown): boolean {
  if (!(error instanceof ChartsealError) || error.data.server === undefined) return false;
  const { status } = error.data;
  return typeof status !== "number" || status >= 500;
}

/** Waits before attempt `failures` + 1. @throws the error itself where another attempt mends nothing, or they were many */
export async function waitAgain(error: unknown, failures: number, pauseMs: number): Promise<void> {
  const seconds = hasCode(error, "rate-limited") ? error.data.retryAfterSeconds : undefined;
  const isLimit = typeof seconds === "number" && seconds <= limitSecondsMax;
  if (failures >= attemptsMax || !(isLimit || isCut(error))) throw error;
  const ms = isLimit ? 1000 * seconds : pauseMs * 3 ** (failures - 1);
  await new Promise((resolve) => setTimeout(resolve, ms));
}
