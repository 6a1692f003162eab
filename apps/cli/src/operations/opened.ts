/** What `open` takes and shows, whether the record comes from the provider or from a file. */
import { ChartsealError, toHex } from "@chartseal/crypto";
import type { Author } from "@chartseal/sharing";
import type { Globals } from "../program-globals.ts";
import type { Destination } from "./output-file.ts";

/** `A-B`, both included. @throws ChartsealError `input-invalid` */
export function parseRange(text: string): { readonly from: number; readonly to: number } {
  const parts = /^(\d{1,15})-(\d{1,15})$/.exec(text);
  const [from, to] = [Number(parts?.[1]), Number(parts?.[2])];
  if (parts !== null && from <= to) return { from, to };
  throw new ChartsealError("input-invalid", `${JSON.stringify(text)} is no range of bytes`, {
    hint: "Write A-B, both included, 0 ≤ A ≤ B < length.",
  });
}

export function destinationOf(globals: Globals, out: string | undefined): Destination {
  if (out !== undefined) return { file: out };
  return globals.output.json ? "nowhere" : "standard-output";
}

/** The author as the `open` row of CONTRACT shows it. */
export function authorValue(author: Author): Record<string, unknown> {
  if (author.kind === "owner") {
    const again = author.reencrypted ? { reencryptedBy: "owner" } : {};
    return { account: toHex(author.account), ...again };
  }
  const again = author.reencrypted ? { reencryptedBy: "owner" } : {};
  return { policy: author.policy, verified: author.verified, ...again };
}
