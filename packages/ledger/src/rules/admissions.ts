/** Votes of validators: a provider, a namespace or a new era needs those of more than 2/3 of the stake (CRYPTO §3.1). */
import { compareBytes, encode, equalBytes, sha256 } from "@chartseal/crypto";
import { actionTable } from "../actions.ts";
import { verifyAdmission } from "../authorisation.ts";
import type { Codec } from "../codec.ts";
import { demand } from "../refusals.ts";
import { emptyKey, entries, load } from "../state-kinds.ts";
import type { Setting } from "./setting.ts";

/**
 * @throws Refusal unless current validators of more than two thirds of the stake sign the identifier, or voted for exactly
 *   this action: in a proposal that is being executed, or in one whose approval this uses up.
 */
export function demandAdmission(setting: Setting): void {
  const { state, transaction } = setting;
  if (setting.voted === true) return;
  if (transaction.authorisation.admissions.length === 0 && useApproval(setting)) return;
  const validators = load(state, entries.validators, emptyKey) ?? [];
  const { admissions } = transaction.authorisation;
  let agreed = 0n;
  for (const [at, admission] of admissions.entries()) {
    const previous = admissions[at - 1];
    const ascending = previous === undefined || compareBytes(previous.validator, admission.validator) < 0;
    const validator = validators.find(({ publicKey }) => equalBytes(publicKey, admission.validator));
    demand(ascending && validator !== undefined, "admission-invalid");
    demand(verifyAdmission(admission, transaction.identifier), "admission-invalid");
    agreed += BigInt(validator.stake);
  }
  const all = validators.reduce((sum, { stake }) => sum + BigInt(stake), 0n);
  demand(3n * agreed > 2n * all, "admission-missing");
}

function useApproval({ state, block, transaction }: Setting): boolean {
  const { action } = transaction.body;
  const [number, fields] = actionTable[action.kind];
  const key = sha256(encode([number, (fields as Codec<unknown>).write(action)]));
  const approval = load(state, entries.approval, key);
  if (approval === undefined) return false;
  state.remove(entries.approval.kind, key);
  return approval.lapsesMs > block.timestampMs;
}
