/** set-stake-parameters: how stake and proposals behave, all of it at once, by a vote of more than 2/3 of the stake. */
import { demand } from "../refusals.ts";
import type { StakeParameters } from "../stake-values.ts";
import type { StateAccess } from "../state.ts";
import { emptyKey, entries, load, save } from "../state-kinds.ts";
import { demandAdmission } from "./admissions.ts";
import type { Rule } from "./setting.ts";

const dayMs = 24 * 60 * 60_000;
const yearMs = 366 * dayMs;

/** Of a consortium that has not changed any. An equivocation takes 5 %; docs/decisions/stake.md says why. */
export const defaultStakeParameters: StakeParameters = {
  unbondingMs: 21 * dayMs,
  slashPermille: 50,
  jailMs: 60 * 60_000,
  absenceBlocks: 1_000,
  absencePermille: 500,
  proposalMs: 14 * dayMs,
};

export function stakeParametersOf(state: Pick<StateAccess, "get">): StakeParameters {
  return load(state, entries.stakeParameters, emptyKey) ?? defaultStakeParameters;
}

export const setStakeParameters: Rule<"set-stake-parameters"> = (setting, action) => {
  demandAdmission(setting);
  const { kind: _, ...parameters } = action;
  const { unbondingMs, slashPermille, jailMs, absenceBlocks, absencePermille, proposalMs } = parameters;
  // A light client trusts a set for less than this: a day is the least that leaves it time to hear of a change.
  const bounds: Readonly<Record<keyof StakeParameters, boolean>> = {
    unbondingMs: unbondingMs >= dayMs && unbondingMs <= yearMs,
    slashPermille: slashPermille >= 1 && slashPermille <= 1_000,
    jailMs: jailMs <= yearMs,
    absenceBlocks: absenceBlocks >= 10 && absenceBlocks <= 10_000_000,
    absencePermille: absencePermille >= 1 && absencePermille <= 1_000,
    proposalMs: proposalMs >= 60_000 && proposalMs <= yearMs,
  };
  for (const [field, holds] of Object.entries(bounds)) demand(holds, "stake-parameters-invalid", { field });
  save(setting.state, entries.stakeParameters, emptyKey, parameters);
};
