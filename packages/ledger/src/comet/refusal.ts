/** Which errors say that a transaction does not apply, and nothing of the node. */
import { ChartsealError } from "@chartseal/crypto";

export function isRefusal(error: unknown): boolean {
  if (!(error instanceof ChartsealError)) return false;
  return error.code === "transaction-refused" || error.code === "input-invalid";
}

/** What a refusal is to whoever asks the node himself. */
export function refusalText({ code, message, data }: ChartsealError): string {
  return JSON.stringify({ code, message, data });
}
