/**
 * The validators: who they are, what is bonded to them, and which of them are in force. Everything that changes a bond or a
 * jail ends in `updateValidators`, which alone writes the set that proposes, commits and votes, and refuses what would not
 * be safe in one block (docs/decisions/stake.md):
 *
 * - Not more than a third of the power goes, and what comes new is less than a third of the power afterwards: so those who
 *   stay can always commit the block after, and a light client can always follow.
 * - A set of four or more never falls below four by its own members' leave or an absence, nor below three by an
 *   equivocation; only a vote goes further. One always remains.
 */
import { concat, equalBytes, toHex } from "@chartseal/crypto";
import { accountOf } from "../authorisation.ts";
import type { StakedValidator } from "../commit.ts";
import { demand, Refusal } from "../refusals.ts";
import { type ValidatorValue, validatorsMax } from "../stake-values.ts";
import type { StateAccess } from "../state.ts";
import { append, emptyKey, entries, items, listKey, lists, load, save } from "../state-kinds.ts";
import { type Setting, type Signer, signerOf } from "./setting.ts";

type Reading = Pick<StateAccess, "get">;

/** How few validators a kind of change may leave, where there were as many. */
export const floors = { leave: 4, equivocation: 3, vote: 1 } as const;
export type Floor = (typeof floors)[keyof typeof floors];

/** Those in force, whose power is their stake. */
export function validatorsInForce(state: Reading): readonly StakedValidator[] {
  return load(state, entries.validators, emptyKey) ?? [];
}

/**
 * Whether this key may propose: in force, or before the last change. CometBFT follows a change two heights later, so that a
 * validator that is leaving may have proposed the block after.
 */
export function mayPropose(state: Reading, proposer: Uint8Array): boolean {
  const earlier = load(state, entries.validatorsBefore, emptyKey)?.validators ?? [];
  return [...validatorsInForce(state), ...earlier].some(({ publicKey }) => equalBytes(publicKey, proposer));
}

/** Consensus keys of all that ever were. */
export function validatorKeys(state: Reading): readonly Uint8Array[] {
  const known = items(state, lists.validators, emptyKey);
  return known.length > 0 ? known : validatorsInForce(state).map(({ publicKey }) => publicKey);
}

/** A validator; one of the genesis that nothing has touched holds its stake itself. */
export function validatorOf(state: Reading, publicKey: Uint8Array): ValidatorValue | undefined {
  const value = load(state, entries.validator, publicKey);
  if (value !== undefined) return value;
  const original = validatorsInForce(state).find((one) => equalBytes(one.publicKey, publicKey));
  if (original === undefined) return undefined;
  const operator = accountOf(publicKey);
  const bonds = [{ account: operator, amount: original.stake }];
  return { operator, bonds, unbonding: [], jailed: "no", jailedMs: 0, punishedHeight: 0, height: 0 };
}

/** @throws Refusal `validator-unknown` */
export function knownValidator(state: Reading, publicKey: Uint8Array): ValidatorValue {
  const value = validatorOf(state, publicKey);
  demand(value, "validator-unknown", { validator: toHex(publicKey) });
  return value;
}

export function bondedTo({ bonds }: ValidatorValue): number {
  return bonds.reduce((sum, { amount }) => sum + amount, 0);
}

/** The key of a validator's first account: it signs before the ledger has seen it. */
export function keyOfOperator(state: Reading, account: Uint8Array): Uint8Array | undefined {
  return validatorKeys(state).find((key) => equalBytes(accountOf(key), account));
}

/** The signer; the account of a validator's own key is made at its first transaction. */
export function holderOf(setting: Setting): Signer {
  const { state, block } = setting;
  const signer = signerOf(setting);
  if (signer.value !== undefined) return signer;
  const publicKey = keyOfOperator(state, signer.account);
  demand(publicKey, "signer-unknown");
  const value = { publicKey, hpkeKey: null, sequence: 0, roles: 0, height: block.height };
  save(state, entries.account, signer.account, value);
  return signer;
}

/** The validators in force that the signer operates. @throws Refusal `operator-missing` for none */
export function operatedBy(setting: Setting): readonly Uint8Array[] {
  const { state } = setting;
  const { account } = holderOf(setting);
  const own = validatorsInForce(state).filter(({ publicKey }) => {
    const operator = validatorOf(state, publicKey)?.operator;
    return operator !== undefined && equalBytes(operator, account);
  });
  demand(own.length > 0, "operator-missing");
  return own.map(({ publicKey }) => publicKey);
}

/** Writes a validator; from the first time on all of them stand in the list. */
export function saveValidator(state: StateAccess, publicKey: Uint8Array, value: ValidatorValue): void {
  if (load(state, entries.listSize, listKey(lists.validators, emptyKey)) === undefined) {
    for (const { publicKey: one } of validatorsInForce(state)) {
      save(state, entries.validator, one, validatorOf(state, one)!);
      append(state, lists.validators, emptyKey, one);
    }
  }
  if (load(state, entries.validator, publicKey) === undefined) {
    append(state, lists.validators, emptyKey, publicKey);
  }
  save(state, entries.validator, publicKey, value);
}

/** @throws Refusal `stake-unsafe` */
export function updateValidators(setting: Setting, floor: Floor): void {
  const { state, block } = setting;
  const present = validatorsInForce(state);
  const next = validatorKeys(state).flatMap((publicKey): StakedValidator[] => {
    const value = knownValidator(state, publicKey);
    const stake = value.jailed === "no" ? bondedTo(value) : 0;
    return stake > 0 ? [{ publicKey, stake }] : [];
  });
  const earlier = load(state, entries.validatorsBefore, emptyKey);
  const before = earlier?.height === block.height ? earlier.validators : present;
  demand(next.length >= 1 && next.length <= validatorsMax, "stake-unsafe", { reason: "count" });
  demand(next.length >= Math.min(present.length, floor), "stake-unsafe", { reason: "few" });
  demand(!movesTooMuch(before, next), "stake-unsafe", { reason: "power" });
  save(state, entries.validatorsBefore, emptyKey, { height: block.height, validators: before });
  save(state, entries.validators, emptyKey, next);
}

function movesTooMuch(before: readonly StakedValidator[], after: readonly StakedValidator[]): boolean {
  const stakes = (set: readonly StakedValidator[]) =>
    new Map(set.map(({ publicKey, stake }) => [toHex(publicKey), stake]));
  const [was, is] = [stakes(before), stakes(after)];
  let [gone, come, total, totalAfter] = [0n, 0n, 0n, 0n];
  for (const key of new Set([...was.keys(), ...is.keys()])) {
    const [old, now] = [BigInt(was.get(key) ?? 0), BigInt(is.get(key) ?? 0)];
    total += old;
    totalAfter += now;
    if (now < old) gone += old - now;
    else come += now - old;
  }
  return 3n * gone > total || (come > 0n && 3n * come >= totalAfter);
}

/** The same after a change that may also be left out: false where it is not safe, and then the caller takes it back. */
export function updateIfSafe(setting: Setting, floor: Floor, change: () => void): boolean {
  try {
    change();
    updateValidators(setting, floor);
    return true;
  } catch (error) {
    if (error instanceof Refusal && error.refusal === "stake-unsafe") return false;
    throw error;
  }
}

export function ballotKey(proposalId: Uint8Array, publicKey: Uint8Array): Uint8Array {
  return concat(proposalId, publicKey);
}
