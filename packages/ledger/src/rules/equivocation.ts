/**
 * equivocation: two votes of one validator for one height, round and type that cannot both be, which it signed. CometBFT
 * tells an application only that there was evidence; the votes themselves stand here, so that a stranger recomputes the
 * punishment from the export. Nobody signs the transaction: it proves itself. It takes weight from whoever stands behind the
 * validator, what is on its way out included, and jails it; where the set would not be safe without it, it takes the weight
 * alone.
 */
import { equalBytes, toHex, verifyUntagged } from "@chartseal/crypto";
import type { ActionOf } from "../actions.ts";
import { voteBytes, voteTypes } from "../light/hashes.ts";
import { type BlockId, cometChainId } from "../light/types.ts";
import { demand } from "../refusals.ts";
import type { EvidenceVote, ValidatorValue } from "../stake-values.ts";
import { append, emptyKey, lists } from "../state-kinds.ts";
import type { Rule, Setting } from "./setting.ts";
import { stakeParametersOf } from "./stake-parameters.ts";
import { floors, knownValidator, saveValidator, updateIfSafe, updateValidators } from "./validators.ts";

export const equivocation: Rule<"equivocation"> = (setting, action) => {
  const { state, block, transaction } = setting;
  const { validator, height } = action;
  const value = knownValidator(state, validator);
  demandTwoVotes(setting, action);
  // One punishment until a vote lifts it: a key that ran twice by mistake may have voted twice for many heights.
  demand(value.jailed !== "equivocation" && height > value.punishedHeight, "equivocation-known");
  const { slashPermille } = stakeParametersOf(state);
  const slashed = { ...slash(value, slashPermille, block.timestampMs), punishedHeight: height };
  saveValidator(state, validator, slashed);
  updateValidators(setting, floors.equivocation);
  append(state, lists.equivocations, emptyKey, transaction.identifier);
  if (value.jailed === "left") return;
  const jailed = { ...slashed, jailed: "equivocation" as const, jailedMs: block.timestampMs };
  const done = updateIfSafe(setting, floors.equivocation, () => saveValidator(state, validator, jailed));
  if (!done) saveValidator(state, validator, slashed);
};

/** @throws Refusal `equivocation-invalid` */
function demandTwoVotes({ block }: Setting, action: ActionOf<"equivocation">): void {
  const { validator, voteType, height, round, first, second } = action;
  const [one, other] = [blockIdOf(first), blockIdOf(second)];
  demand(!sameBlock(one, other), "equivocation-invalid");
  const chainId = cometChainId(toHex(block.chainId));
  const place = { type: voteTypes[voteType], height, round };
  for (const [vote, blockId] of [
    [first, one],
    [second, other],
  ] as const) {
    const bytes = voteBytes(chainId, {
      ...place,
      blockId,
      time: { seconds: vote.seconds, nanos: vote.nanos },
    });
    demand(verifyUntagged(validator, bytes, vote.signature), "equivocation-invalid");
  }
}

function blockIdOf({ blockId }: EvidenceVote): BlockId | null {
  if (blockId === null) return null;
  return { hash: blockId.hash, parts: { total: blockId.total, hash: blockId.partsHash } };
}

function sameBlock(one: BlockId | null, other: BlockId | null): boolean {
  if (one === null || other === null) return one === other;
  const parts = one.parts.total === other.parts.total && equalBytes(one.parts.hash, other.parts.hash);
  return parts && equalBytes(one.hash, other.hash);
}

/** Thousandths of each bond, rounded down, and of what is not out yet; where that is nothing, 1 of the first of them. */
function slash(value: ValidatorValue, permille: number, nowMs: number): ValidatorValue {
  let taken = 0;
  const cut = <T extends { readonly amount: number }>(one: T, loss: number): T => {
    taken += loss;
    return { ...one, amount: one.amount - loss };
  };
  const share = <T extends { readonly amount: number }>(one: T): T =>
    cut(one, Number((BigInt(one.amount) * BigInt(permille)) / 1000n));
  const small = <T extends { readonly amount: number }>(one: T): T => (taken === 0 ? cut(one, 1) : one);
  const within = (part: <T extends { readonly amount: number }>(one: T) => T, from: ValidatorValue) => ({
    ...from,
    bonds: from.bonds.map((one) => part(one)).filter(({ amount }) => amount > 0),
    unbonding: from.unbonding
      .map((one) => (one.releaseMs > nowMs ? part(one) : one))
      .filter(({ amount }) => amount > 0),
  });
  return within(small, within(share, value));
}
