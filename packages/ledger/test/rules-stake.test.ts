/** Bonds, delays, slashing, jails and the minima that keep a chain safe; nobody here believes anybody. */
import { toHex } from "@chartseal/crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { freeWeight } from "../src/rules/stake.ts";
import { defaultStakeParameters, stakeParametersOf } from "../src/rules/stake-parameters.ts";
import { emptyKey, items, lists } from "../src/state-kinds.ts";
import {
  admittedBy,
  dayMs,
  equivocationOf,
  powers,
  registerNode,
  stakeWorld,
  unsigned,
  validators,
  value,
  voteIn,
} from "./stake-world.ts";
import { stranger, type World } from "./world.ts";

const [one, two, three, four, five] = validators as [
  (typeof validators)[number],
  (typeof validators)[number],
  (typeof validators)[number],
  (typeof validators)[number],
  (typeof validators)[number],
];
let base: World;
beforeAll(async () => {
  base = await stakeWorld();
});

const amount = (validator: { publicKey: Uint8Array }, much: number) => ({
  validator: validator.publicKey,
  amount: much,
});
/** Gives an account on the ledger weight, by a vote. */
function giveWeight(world: World, who: (typeof validators)[number], weight: number): void {
  if (!validators.includes(who)) registerNode(world, who);
  voteIn(world, { kind: "assign-weight", account: who.account, weight });
}

describe("bonds", () => {
  test("weight that a vote gave becomes power, and power weight again after the delay", () => {
    const world = base.fork();
    giveWeight(world, one, 7);
    world.do(one, { kind: "bond", ...amount(one, 5) });
    expect(powers(world).slice(0, 4)).toEqual([15, 10, 10, 10]);
    expect(freeWeight(world.state, one.account)).toBe(2);
    world.do(one, { kind: "unbond", ...amount(one, 8) });
    expect(powers(world)[0]).toBe(7);
    const withdraw = { kind: "withdraw-weight", validator: one.publicKey } as const;
    world.timestampMs += defaultStakeParameters.unbondingMs - 2_000;
    expect(world.verdict(world.signed(one, withdraw))).toBe("stake-waiting");
    world.timestampMs += 2_000;
    world.do(one, withdraw);
    expect(freeWeight(world.state, one.account)).toBe(10);
    expect(value(world, 0)).toMatchObject({ bonds: [{ amount: 7 }], unbonding: [] });
    expect(world.verdict(world.signed(one, withdraw))).toBe("stake-waiting");
  });

  test("a validator of the genesis signs by its own key before the ledger has its account", () => {
    const world = base.fork();
    expect(world.sequence(two.account)).toBe(0);
    world.do(two, { kind: "unbond", ...amount(two, 1) });
    expect(world.sequence(two.account)).toBe(1);
    expect(powers(world)[1]).toBe(9);
    expect(world.verdict(world.signed(stranger, { kind: "unbond", ...amount(two, 1) }))).toBe(
      "signer-unknown",
    );
  });

  test("others delegate, and get back what is theirs and no more", () => {
    const world = base.fork();
    giveWeight(world, stranger, 6);
    world.do(stranger, { kind: "delegate", ...amount(two, 4) });
    expect(powers(world)[1]).toBe(14);
    expect(world.verdict(world.signed(stranger, { kind: "unbond", ...amount(two, 5) }))).toBe("stake-amount");
    expect(world.verdict(world.signed(two, { kind: "unbond", ...amount(two, 11) }))).toBe("stake-amount");
    world.do(stranger, { kind: "unbond", ...amount(two, 4) });
    expect(value(world, 1).bonds).toEqual([{ account: two.account, amount: 10 }]);
    expect(world.verdict(world.signed(two, { kind: "withdraw-weight", validator: two.publicKey }))).toBe(
      "stake-waiting",
    );
  });
});

describe("an equivocation", () => {
  test("takes 5 % of every bond behind the validator, what is on its way out too, and jails it", async () => {
    const world = await stakeWorld([100, 100, 100, 100, 100]);
    giveWeight(world, stranger, 40);
    world.do(stranger, { kind: "delegate", ...amount(three, 40) });
    world.do(three, { kind: "unbond", ...amount(three, 20) });
    world.submit(unsigned(world, equivocationOf(world, three)));
    expect(powers(world).slice(0, 5)).toEqual([100, 100, undefined, 100, 100]);
    expect(value(world, 2)).toMatchObject({
      jailed: "equivocation",
      bonds: [{ amount: 76 }, { amount: 38 }],
      unbonding: [{ amount: 19 }],
      punishedHeight: 9,
    });
    expect(items(world.state, lists.equivocations, emptyKey)).toHaveLength(1);
    // Whose time was over is out of reach.
    const late = await stakeWorld([100, 100, 100, 100, 100]);
    late.do(one, { kind: "unbond", ...amount(one, 40) });
    late.timestampMs += defaultStakeParameters.unbondingMs;
    late.submit(unsigned(late, equivocationOf(late, one)));
    expect(value(late, 0)).toMatchObject({ bonds: [{ amount: 57 }], unbonding: [{ amount: 40 }] });
  });

  test("takes something from a small bond too, prevotes and votes for no block count, and one of four goes", () => {
    const world = base.fork();
    const prevotes = { voteType: "prevote", blocks: ["a", null], round: 3 } as const;
    world.submit(unsigned(world, equivocationOf(world, four, prevotes)));
    expect(value(world, 3)).toMatchObject({ jailed: "equivocation", bonds: [{ amount: 9 }] });
    expect(powers(world).slice(0, 4)).toEqual([10, 10, 10, undefined]);
    // Of three none may go: the next one loses weight and stays.
    world.submit(unsigned(world, equivocationOf(world, one)));
    expect(value(world, 0)).toMatchObject({ jailed: "no", bonds: [{ amount: 9 }] });
    expect(powers(world).slice(0, 4)).toEqual([9, 10, 10, undefined]);
  });

  test("counts once: not the same votes again, nor others of an earlier height, nor while it is jailed", () => {
    const world = base.fork();
    world.submit(unsigned(world, equivocationOf(world, four)));
    const again = (options: object) => world.verdict(unsigned(world, equivocationOf(world, four, options)));
    expect(again({})).toBe("equivocation-known");
    expect(again({ height: 99, round: 5 })).toBe("equivocation-known");
    voteIn(world, { kind: "lift-jail", publicKey: four.publicKey });
    expect(powers(world)[3]).toBe(9);
    expect(again({ height: 8 })).toBe("equivocation-known");
    expect(again({ height: 10 })).toBe("applied");
  });

  test.each([
    ["the same block twice", { blocks: ["a", "a"] }],
    ["no block twice", { blocks: [null, null] }],
    ["votes that another signed", { signer: two }],
    ["votes of another chain", { chainId: "cs-other" }],
  ] as const)("is none: %s", (_, options) => {
    const evidence = equivocationOf(base, one, options);
    expect(base.verdict(unsigned(base, evidence))).toBe("equivocation-invalid");
  });

  test("is none: votes for two heights, rounds or types, put together", () => {
    const right = equivocationOf(base, one);
    for (const options of [{ height: 10 }, { round: 1 }, { voteType: "prevote" }] as const) {
      const { second } = equivocationOf(base, one, options);
      expect(base.verdict(unsigned(base, { ...right, second }))).toBe("equivocation-invalid");
    }
    expect(base.verdict(unsigned(base, right))).toBe("applied");
    expect(base.verdict(base.signed(one, right))).toBe("authorisation-parts");
  });
});

describe("an absence", () => {
  const absence = {
    kind: "jail-absent",
    validator: five.publicKey,
    fromHeight: 1,
    toHeight: 1_000,
    missed: 500,
  } as const;

  test("jails without loss where two thirds attest it, and ends by the operator after its time", async () => {
    const world = await stakeWorld([10, 10, 10, 10, 10]);
    const judged = (by: typeof validators, changes = {}) =>
      world.verdict(admittedBy(world, by, { ...absence, ...changes }));
    expect(judged([one, two, three])).toBe("admission-missing");
    expect(judged([one, two, three, four], { missed: 499 })).toBe("absence-short");
    expect(judged([one, two, three, four], { toHeight: 999 })).toBe("absence-short");
    expect(judged([one, two, three, four], { missed: 1_001 })).toBe("absence-short");
    world.submit(admittedBy(world, [one, two, three, four], absence));
    expect(powers(world)[4]).toBeUndefined();
    expect(value(world, 4)).toMatchObject({ jailed: "absence", bonds: [{ amount: 10 }] });
    const unjail = { kind: "unjail", validator: five.publicKey } as const;
    expect(world.verdict(world.signed(five, unjail))).toBe("jail-stands");
    world.timestampMs += defaultStakeParameters.jailMs;
    expect(world.verdict(world.signed(one, unjail))).toBe("stake-holder");
    world.do(five, unjail);
    expect(powers(world)[4]).toBe(10);
  });

  test("never takes a set of four below four", () => {
    const judged = base.verdict(
      admittedBy(base, [one, two, three], { ...absence, validator: four.publicKey }),
    );
    expect(judged).toBe("stake-unsafe");
  });

  test("an operator does not end a jail for an equivocation", () => {
    const world = base.fork();
    world.submit(unsigned(world, equivocationOf(world, four)));
    world.timestampMs += 400 * dayMs;
    expect(world.verdict(world.signed(four, { kind: "unjail", validator: four.publicKey }))).toBe(
      "jail-stands",
    );
  });
});

describe("what keeps a chain safe", () => {
  test("a member that leaves a set of four stays in it with something", () => {
    expect(base.verdict(base.signed(one, { kind: "unbond", ...amount(one, 10) }))).toBe("stake-unsafe");
    expect(base.verdict(base.signed(one, { kind: "unbond", ...amount(one, 9) }))).toBe("applied");
  });

  // Three of five leave in one block: what the block before committed could then be committed by nobody.
  test("not more than a third of the power goes in one block, however many transactions it takes", async () => {
    const world = await stakeWorld([30, 30, 30, 30, 30, 30]);
    const height = world.height + 1;
    // As if all were of one block: the height stays.
    const inOneBlock = (who: (typeof validators)[number], much: number) => {
      const transaction = world.signed(who, { kind: "unbond", ...amount(who, much) });
      const verdict = world.verdict(transaction, { height });
      if (verdict === "applied") world.submit(transaction, { height });
      return verdict;
    };
    expect(inOneBlock(one, 30)).toBe("applied");
    expect(inOneBlock(two, 29)).toBe("applied");
    expect(inOneBlock(three, 2)).toBe("stake-unsafe");
    expect(inOneBlock(three, 1)).toBe("applied");
    expect(world.verdict(world.signed(three, { kind: "unbond", ...amount(three, 2) }))).toBe("applied");
  });

  test("what comes new in one block cannot stop the chain: less than a third of the power after it", () => {
    const world = base.fork();
    const admit = (weight: number) =>
      world.verdict(
        admittedBy(world, [one, two, three], {
          kind: "admit-validator",
          publicKey: five.publicKey,
          operator: five.account,
          weight,
        }),
      );
    expect(admit(20)).toBe("stake-unsafe");
    expect(admit(19)).toBe("applied");
  });

  test("a home with one validator of stake 1 keeps it: nothing can be added to it or taken away", async () => {
    const world = await stakeWorld([1]);
    expect(world.verdict(world.signed(one, { kind: "unbond", ...amount(one, 1) }))).toBe("stake-unsafe");
    expect(world.verdict(unsigned(world, equivocationOf(world, one)))).toBe("stake-unsafe");
    giveWeight(world, stranger, 5);
    expect(world.verdict(world.signed(stranger, { kind: "delegate", ...amount(one, 1) }))).toBe(
      "stake-unsafe",
    );
    const admit = {
      kind: "admit-validator",
      publicKey: two.publicKey,
      operator: two.account,
      weight: 1,
    } as const;
    expect(world.verdict(admittedBy(world, [one], admit))).toBe("stake-unsafe");
  });
});

test("parameters change by a vote, all at once, within bounds", () => {
  const world = base.fork();
  expect(stakeParametersOf(world.state)).toEqual(defaultStakeParameters);
  const set = (changes: object) =>
    ({ kind: "set-stake-parameters", ...defaultStakeParameters, ...changes }) as const;
  expect(world.verdict(admittedBy(world, [one, two], set({})))).toBe("admission-missing");
  for (const wrong of [
    { unbondingMs: 1 },
    { slashPermille: 1_001 },
    { slashPermille: 0 },
    { proposalMs: 1 },
  ]) {
    expect(world.verdict(admittedBy(world, [one, two, three], set(wrong)))).toBe("stake-parameters-invalid");
  }
  voteIn(world, set({ slashPermille: 500 }));
  world.submit(unsigned(world, equivocationOf(world, four)));
  expect(value(world, 3).bonds).toEqual([{ account: four.account, amount: 5 }]);
});

test("every validator stands in the list, from the first change on", () => {
  const world = base.fork();
  world.do(one, { kind: "unbond", ...amount(one, 1) });
  const listed = items(world.state, lists.validators, emptyKey).map(toHex);
  expect(listed).toEqual(validators.slice(0, 4).map(({ publicKey }) => toHex(publicKey)));
});
