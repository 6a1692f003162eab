/** Votes of validators: a provider, a namespace or a new era needs those of more than 2/3 of the stake (CRYPTO §3.1). */
import { compareBytes, equalBytes } from "@chartseal/crypto";
import { verifyAdmission } from "../authorisation.ts";
import { demand } from "../refusals.ts";
import { emptyKey, entries, load } from "../state-kinds.ts";
import type { Setting } from "./setting.ts";

/** @throws Refusal unless current validators of more than two thirds of the stake sign the identifier. */
export function demandAdmission({ state, transaction }: Setting): void {
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
