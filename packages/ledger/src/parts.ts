/**
 * Which parts of an authorisation a transaction carries, no more and no less (CRYPTO §3.1): who signs decides who is
 * named, and a part that nobody asked for would be bytes that nobody signed.
 */
import { demand } from "./refusals.ts";
import type { Authorisation, Transaction } from "./transaction.ts";

type Part = Exclude<keyof Authorisation, "admissions">;

const parts: readonly Part[] = ["account", "oneTime", "attributes", "relay", "storageReceipt"];

const anonymous: readonly Part[] = ["oneTime", "attributes", "relay"];
const named: readonly Part[] = ["account", "oneTime"];
/** By a vote alone: no account signs, and each stands once since an identifier is in a chain once. */
const voted: readonly string[] = [
  "raise-era",
  "set-settings",
  "jail-absent",
  "set-stake-parameters",
  "admit-validator",
  "remove-validator",
  "assign-weight",
  "remove-institution",
  "lift-jail",
];
/** By itself: two votes that a validator signed. */
const proving = "equivocation";
const admitted: readonly string[] = [
  "register-provider",
  "register-namespace",
  "register-node",
  "open-committee-change",
  "place-hold",
  "lift-hold",
  ...voted,
];

/** @throws Refusal `authorisation-parts` with the part */
export function demandParts(transaction: Transaction): void {
  const { authorisation, body } = transaction;
  const needed = partsOf(transaction);
  for (const part of parts) {
    demand((authorisation[part] !== null) === needed.includes(part), "authorisation-parts", { part });
  }
  const mayBeAdmitted = admitted.includes(body.action.kind) || authorisation.admissions.length === 0;
  demand(mayBeAdmitted, "authorisation-parts", { part: "admissions" });
}

function partsOf({ authorisation, body }: Transaction): readonly Part[] {
  const { action } = body;
  if (voted.includes(action.kind) || action.kind === proving) return [];
  // By a vote alone, or by a node.
  if (action.kind === "open-committee-change" && authorisation.account === null) return [];
  if (action.kind === "rekey") return ["account", "storageReceipt"];
  if (action.kind === "request-access") return action.proof === "attributes" ? anonymous : named;
  if (action.kind !== "deposit") return ["account"];
  if (authorisation.account === null) return [...anonymous, "storageReceipt"];
  const beside: readonly Part[] = action.authorPolicy === null ? [] : ["attributes"];
  return [...named, ...beside, "storageReceipt"];
}
