/**
 * bond, delegate, unbond, withdraw-weight: weight on its way between an account and a validator. What is unbonded loses its
 * power at once and can still be taken for an equivocation until its time is over; time is the block's.
 */
import { equalBytes } from "@chartseal/crypto";
import { demand } from "../refusals.ts";
import { bondsMax, type ValidatorValue, weightMax } from "../stake-values.ts";
import type { StateAccess } from "../state.ts";
import { entries, load, save } from "../state-kinds.ts";
import type { Rule, Setting } from "./setting.ts";
import { stakeParametersOf } from "./stake-parameters.ts";
import { bondedTo, floors, holderOf, knownValidator, saveValidator, updateValidators } from "./validators.ts";

/** Weight of an account that is bonded to nobody. */
export function freeWeight(state: Pick<StateAccess, "get">, account: Uint8Array): number {
  return load(state, entries.weight, account)?.free ?? 0;
}

export function saveWeight(state: StateAccess, account: Uint8Array, free: number): void {
  save(state, entries.weight, account, { free });
}

export const bond: Rule<"bond"> = (setting, { validator, amount }) => {
  const { account } = holderOf(setting);
  const value = knownValidator(setting.state, validator);
  demand(equalBytes(value.operator, account), "stake-holder");
  addBond(setting, { validator, value, account, amount });
};

export const delegate: Rule<"delegate"> = (setting, { validator, amount }) => {
  const { account } = holderOf(setting);
  const value = knownValidator(setting.state, validator);
  demand(!equalBytes(value.operator, account), "stake-holder");
  addBond(setting, { validator, value, account, amount });
};

interface Bonding {
  readonly validator: Uint8Array;
  readonly value: ValidatorValue;
  readonly account: Uint8Array;
  readonly amount: number;
}

function addBond(setting: Setting, { validator, value, account, amount }: Bonding): void {
  const { state } = setting;
  demand(value.jailed === "no", "validator-jailed");
  const free = freeWeight(state, account);
  demand(amount > 0 && amount <= free, "stake-amount", { free });
  demand(bondedTo(value) + amount <= weightMax, "stake-amount");
  saveWeight(state, account, free - amount);
  saveValidator(state, validator, { ...value, bonds: withBond(value, account, amount) });
  updateValidators(setting, floors.leave);
}

/** The bonds with so much more of an account's. @throws Refusal `stake-full` */
export function withBond(
  { bonds }: ValidatorValue,
  account: Uint8Array,
  amount: number,
): ValidatorValue["bonds"] {
  const held = bonds.some((one) => equalBytes(one.account, account));
  demand(held || bonds.length < bondsMax, "stake-full");
  if (!held) return [...bonds, { account, amount }];
  return bonds.map((one) =>
    equalBytes(one.account, account) ? { account, amount: one.amount + amount } : one,
  );
}

export const unbond: Rule<"unbond"> = (setting, { validator, amount }) => {
  const { state, block } = setting;
  const { account } = holderOf(setting);
  const value = knownValidator(state, validator);
  const held = value.bonds.find((one) => equalBytes(one.account, account))?.amount ?? 0;
  demand(amount > 0 && amount <= held, "stake-amount", { bonded: held });
  demand(value.unbonding.length < bondsMax, "stake-full");
  const bonds = value.bonds.flatMap((one) => {
    if (!equalBytes(one.account, account)) return [one];
    return one.amount === amount ? [] : [{ account, amount: one.amount - amount }];
  });
  const releaseMs = block.timestampMs + stakeParametersOf(state).unbondingMs;
  const unbonding = [...value.unbonding, { account, amount, releaseMs }];
  saveValidator(state, validator, { ...value, bonds, unbonding });
  updateValidators(setting, floors.leave);
};

export const withdrawWeight: Rule<"withdraw-weight"> = (setting, { validator }) => {
  const { state, block } = setting;
  const { account } = holderOf(setting);
  const value = knownValidator(state, validator);
  const isRipe = (one: ValidatorValue["unbonding"][number]): boolean =>
    equalBytes(one.account, account) && one.releaseMs <= block.timestampMs;
  const ripe = value.unbonding.filter(isRipe).reduce((sum, { amount }) => sum + amount, 0);
  demand(ripe > 0, "stake-waiting");
  saveValidator(state, validator, { ...value, unbonding: value.unbonding.filter((one) => !isRipe(one)) });
  saveWeight(state, account, freeWeight(state, account) + ripe);
};
