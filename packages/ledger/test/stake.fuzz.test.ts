/**
 * Random bonds, leaves, votes, jails and equivocations, several to a block: weight is neither made nor lost but by a vote or
 * an equivocation, the set in force is what the bonds say, and no block leaves it unsafe.
 */
import { toHex } from "@chartseal/crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Action } from "../src/actions.ts";
import type { StakedValidator } from "../src/commit.ts";
import { freeWeight } from "../src/rules/stake.ts";
import { bondedTo, validatorKeys, validatorOf, validatorsInForce } from "../src/rules/validators.ts";
import {
  admittedBy,
  dayMs,
  equivocationOf,
  inForce,
  stakeWorld,
  unsigned,
  validators,
} from "./stake-world.ts";
import type { World } from "./world.ts";

const actors = validators.length;
const at = fc.nat(actors - 1);
const much = fc.integer({ min: 1, max: 30 });
type Move =
  | {
      readonly move: "bond" | "delegate" | "unbond" | "assign" | "admit";
      who: number;
      to: number;
      much: number;
    }
  | {
      readonly move: "withdraw" | "equivocate" | "absent" | "unjail" | "remove" | "lift";
      who: number;
      to: number;
    }
  | { readonly move: "block"; days: number };
const move: fc.Arbitrary<Move> = fc.oneof(
  fc.record({
    move: fc.constantFrom("bond", "delegate", "unbond", "assign", "admit"),
    who: at,
    to: at,
    much,
  }),
  fc.record({
    move: fc.constantFrom("withdraw", "equivocate", "absent", "unjail", "remove", "lift"),
    who: at,
    to: at,
  }),
  fc.record({ move: fc.constant("block"), days: fc.nat(30) }),
) as fc.Arbitrary<Move>;

const voted = ["assign", "admit", "absent", "remove", "lift"];

function actionOf(world: World, one: Exclude<Move, { move: "block" }>, count: number): Action {
  const { publicKey: validator, account: operator } = validators[one.to]!;
  const amount = "much" in one ? one.much : 0;
  switch (one.move) {
    case "bond":
    case "delegate":
    case "unbond":
      return { kind: one.move, validator, amount };
    case "assign":
      return { kind: "assign-weight", account: operator, weight: amount };
    case "admit":
      return { kind: "admit-validator", publicKey: validator, operator, weight: amount };
    case "withdraw":
      return { kind: "withdraw-weight", validator };
    case "equivocate":
      return equivocationOf(world, validators[one.to]!, { height: count + 1 });
    case "absent":
      return { kind: "jail-absent", validator, fromHeight: 1, toHeight: 2_000, missed: 2_000 };
    case "unjail":
      return { kind: "unjail", validator };
    case "remove":
      return { kind: "remove-validator", publicKey: validator };
    case "lift":
      return { kind: "lift-jail", publicKey: validator };
  }
}

/** All weight that there is: free, bonded, and on its way out. */
function weightOf(world: World): number {
  const free = validators.reduce((sum, { account }) => sum + freeWeight(world.state, account), 0);
  return validatorKeys(world.state).reduce((sum, key) => {
    const value = validatorOf(world.state, key)!;
    return sum + bondedTo(value) + value.unbonding.reduce((out, { amount }) => out + amount, 0);
  }, free);
}

/** What an equivocation of the validator can take from. */
function riskOf(world: World, who: number): number {
  const value = validatorOf(world.state, validators[who]!.publicKey);
  const waiting = value?.unbonding.filter(({ releaseMs }) => releaseMs > world.timestampMs) ?? [];
  return waiting.reduce((sum, { amount }) => sum + amount, value === undefined ? 0 : bondedTo(value));
}

function checkBlock(before: readonly StakedValidator[], after: readonly StakedValidator[]): void {
  const stakeIn = (set: readonly StakedValidator[], key: string) =>
    set.find(({ publicKey }) => toHex(publicKey) === key)?.stake ?? 0;
  const keys = [...new Set([...before, ...after].map(({ publicKey }) => toHex(publicKey)))];
  const total = (set: readonly StakedValidator[]) => set.reduce((sum, { stake }) => sum + stake, 0);
  const kept = keys.reduce((sum, key) => sum + Math.min(stakeIn(before, key), stakeIn(after, key)), 0);
  // Two thirds of what was there stays, and what was there holds more than two thirds of what is, where any came.
  expect(3 * kept).toBeGreaterThanOrEqual(2 * total(before));
  if (total(after) > kept) expect(3 * kept).toBeGreaterThan(2 * total(after));
}

function play(world: World, moves: readonly Move[], counts: Record<string, number>): void {
  let start = validatorsInForce(world.state);
  let height = world.height + 1;
  for (const [count, one] of moves.entries()) {
    if (one.move === "block") {
      checkBlock(start, validatorsInForce(world.state));
      [start, height] = [validatorsInForce(world.state), world.height + 1];
      world.timestampMs += one.days * dayMs;
      continue;
    }
    const action = actionOf(world, one, count);
    const by =
      one.move === "unbond" || one.move === "withdraw" ? one.who : one.move === "delegate" ? one.who : one.to;
    const transaction = voted.includes(one.move)
      ? admittedBy(world, inForce(world), action)
      : one.move === "equivocate"
        ? unsigned(world, action)
        : world.signed(validators[by]!, action);
    if (world.verdict(transaction, { height }) !== "applied") continue;
    const [before, members] = [weightOf(world), validatorsInForce(world.state).length];
    const freeBefore = freeWeight(world.state, validators[one.to]!.account);
    const atRisk = riskOf(world, one.to);
    world.submit(transaction, { height });
    counts[one.move] = (counts[one.move] ?? 0) + 1;
    checkMove(world, one, { before, freeBefore, members, atRisk });
  }
  checkBlock(start, validatorsInForce(world.state));
}

function checkMove(
  world: World,
  one: Exclude<Move, { move: "block" }>,
  {
    before,
    freeBefore,
    members,
    atRisk,
  }: Readonly<Record<"before" | "freeBefore" | "members" | "atRisk", number>>,
): void {
  const after = weightOf(world);
  if (one.move === "assign") expect(after).toBe(before - freeBefore + one.much);
  else if (one.move === "admit") expect(after).toBe(before + one.much);
  else if (one.move === "equivocate" && atRisk > 0) expect(after).toBeLessThan(before);
  else expect(after).toBe(before);
  const set = validatorsInForce(world.state);
  const floor = ["remove", "lift", "admit"].includes(one.move) ? 1 : one.move === "equivocate" ? 3 : 4;
  expect(set.length).toBeGreaterThanOrEqual(Math.min(members, floor));
  const bonded = validatorKeys(world.state).flatMap((publicKey) => {
    const value = validatorOf(world.state, publicKey)!;
    const stake = value.jailed === "no" ? bondedTo(value) : 0;
    return stake > 0 ? [{ publicKey, stake }] : [];
  });
  expect(set).toEqual(bonded);
}

test("random sequences keep the weight, the set and its safety", async () => {
  const counts: Record<string, number> = {};
  const base = await stakeWorld([30, 20, 20, 10, 10]);
  const plenty = fc.array(move, { minLength: 40, maxLength: 120 });
  fc.assert(
    fc.property(plenty, (moves) => play(base.fork(), moves, counts)),
    { numRuns: 30, seed: 5 },
  );
  // A test of refusals alone would hold for ever.
  for (const one of [
    "bond",
    "delegate",
    "unbond",
    "withdraw",
    "assign",
    "admit",
    "remove",
    "equivocate",
    "lift",
  ]) {
    expect(counts[one] ?? 0, one).toBeGreaterThan(1);
  }
}, 120_000);
