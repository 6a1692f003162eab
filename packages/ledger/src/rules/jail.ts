/**
 * jail-absent, unjail, lift-jail: a validator that was away for long loses its power and none of its weight. Who missed a
 * block is in CometBFT's commits, each of which its proposer can leave a vote out of: so an absence counts where validators
 * of more than two thirds of the stake attest it, not by what one commit shows.
 */
import { equalBytes } from "@chartseal/crypto";
import { demand } from "../refusals.ts";
import { demandAdmission } from "./admissions.ts";
import type { Rule } from "./setting.ts";
import { stakeParametersOf } from "./stake-parameters.ts";
import { floors, holderOf, knownValidator, saveValidator, updateValidators } from "./validators.ts";

export const jailAbsent: Rule<"jail-absent"> = (setting, { validator, fromHeight, toHeight, missed }) => {
  const { state, block } = setting;
  demandAdmission(setting);
  const value = knownValidator(state, validator);
  demand(value.jailed === "no", "validator-jailed");
  const { absenceBlocks, absencePermille } = stakeParametersOf(state);
  const seen = toHeight - fromHeight + 1;
  const long = fromHeight >= 1 && seen >= absenceBlocks && missed <= seen;
  demand(long && missed * 1000 >= seen * absencePermille, "absence-short");
  saveValidator(state, validator, { ...value, jailed: "absence", jailedMs: block.timestampMs });
  updateValidators(setting, floors.leave);
};

export const unjail: Rule<"unjail"> = (setting, { validator }) => {
  const { state, block } = setting;
  const { account } = holderOf(setting);
  const value = knownValidator(state, validator);
  demand(equalBytes(value.operator, account), "stake-holder");
  const over = value.jailedMs + stakeParametersOf(state).jailMs <= block.timestampMs;
  demand(value.jailed === "absence" && over, "jail-stands");
  saveValidator(state, validator, { ...value, jailed: "no" });
  updateValidators(setting, floors.leave);
};

export const liftJail: Rule<"lift-jail"> = (setting, { publicKey }) => {
  const { state } = setting;
  demandAdmission(setting);
  const value = knownValidator(state, publicKey);
  demand(value.jailed === "absence" || value.jailed === "equivocation", "jail-stands");
  saveValidator(state, publicKey, { ...value, jailed: "no" });
  updateValidators(setting, floors.vote);
};
