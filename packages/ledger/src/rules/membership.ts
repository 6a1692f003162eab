/**
 * admit-validator, remove-validator, assign-weight, remove-institution: who belongs to the consortium and with which weight,
 * by a vote of more than 2/3 of the stake. What an institution did while it belonged stays; from here on it does no more.
 */
import { equalBytes, fromUtf8, utf8 } from "@chartseal/crypto";
import type { ActionOf } from "../actions.ts";
import { accountOf } from "../authorisation.ts";
import { demand } from "../refusals.ts";
import { bondsMax, weightMax } from "../stake-values.ts";
import { emptyKey, entries, items, lists, load, roles, save } from "../state-kinds.ts";
import { demandAdmission } from "./admissions.ts";
import { isRemoved } from "./namespaces.ts";
import type { Rule, Setting } from "./setting.ts";
import { saveWeight, withBond } from "./stake.ts";
import { stakeParametersOf } from "./stake-parameters.ts";
import {
  floors,
  keyOfOperator,
  knownValidator,
  saveValidator,
  updateValidators,
  validatorOf,
} from "./validators.ts";

export const admitValidator: Rule<"admit-validator"> = (setting, { publicKey, operator, weight }) => {
  const { state, block } = setting;
  demandAdmission(setting);
  const before = validatorOf(state, publicKey);
  demand(before === undefined || before.jailed === "left", "validator-exists");
  const own = equalBytes(operator, accountOf(publicKey));
  demand(own || load(state, entries.account, operator) !== undefined, "account-unknown");
  demand(weight > 0 && weight <= weightMax, "stake-amount");
  const fresh = { bonds: [], unbonding: [], jailedMs: 0, punishedHeight: 0, height: block.height };
  const value = { ...(before ?? fresh), operator, jailed: "no" as const };
  saveValidator(state, publicKey, { ...value, bonds: withBond(value, operator, weight) });
  updateValidators(setting, floors.vote);
};

export const removeValidator: Rule<"remove-validator"> = (setting, { publicKey }) => {
  const { state, block } = setting;
  demandAdmission(setting);
  const value = knownValidator(state, publicKey);
  demand(value.jailed !== "left", "validator-unknown");
  demand(value.bonds.length + value.unbonding.length <= bondsMax, "stake-full");
  const releaseMs = block.timestampMs + stakeParametersOf(state).unbondingMs;
  const unbonding = [...value.unbonding, ...value.bonds.map((one) => ({ ...one, releaseMs }))];
  const left = { jailed: "left" as const, jailedMs: block.timestampMs };
  saveValidator(state, publicKey, { ...value, ...left, bonds: [], unbonding });
  updateValidators(setting, floors.vote);
};

export const assignWeight: Rule<"assign-weight"> = (setting, { account, weight }) => {
  const { state } = setting;
  demandAdmission(setting);
  const known = load(state, entries.account, account) ?? keyOfOperator(state, account);
  demand(known !== undefined, "account-unknown");
  demand(weight <= weightMax, "stake-amount");
  saveWeight(state, account, weight);
};

export const removeInstitution: Rule<"remove-institution"> = (setting, action) => {
  demandAdmission(setting);
  const { state } = setting;
  const { role, account, namespace } = action;
  const value = load(state, entries.account, account);
  const bit = roles[role];
  demand(value !== undefined && (value.roles & bit) !== 0, "institution-unknown");
  demand((role === "namespace") === (namespace !== null), "institution-unknown");
  if (namespace !== null) endNamespace(setting, action, namespace);
  // Another hospital of the same account goes on.
  const keeps = role === "namespace" && hasNamespace(setting, account);
  save(state, entries.account, account, { ...value, roles: keeps ? value.roles : value.roles & ~bit });
};

function endNamespace(
  { state, block }: Setting,
  { account }: ActionOf<"remove-institution">,
  name: string,
): void {
  const registered = load(state, entries.namespace, utf8(name));
  const own = registered !== undefined && equalBytes(registered.account, account);
  demand(own && !isRemoved(state, name), "institution-unknown");
  save(state, entries.removedNamespace, utf8(name), { height: block.height });
}

function hasNamespace({ state }: Setting, account: Uint8Array): boolean {
  return items(state, lists.namespaces, emptyKey).some((name) => {
    const value = load(state, entries.namespace, name);
    return value !== undefined && equalBytes(value.account, account) && !isRemoved(state, fromUtf8(name));
  });
}
