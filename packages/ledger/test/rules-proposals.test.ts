/** What the consortium decides by proposals: who comes, who goes, what changes; and ballots that must not count. */
import { toHex } from "@chartseal/crypto";
import { beforeAll, describe, expect, test } from "vitest";
import type { Action } from "../src/actions.ts";
import { tally } from "../src/rules/proposals.ts";
import { settingsOf } from "../src/rules/set-settings.ts";
import { hasRole } from "../src/rules/setting.ts";
import { ballotKey } from "../src/rules/validators.ts";
import { emptyKey, entries, items, lists, load, roles } from "../src/state-kinds.ts";
import {
  admittedBy,
  dayMs,
  equivocationOf,
  powers,
  proposal,
  registerNode,
  stakeWorld,
  unsigned,
  validators,
  value,
  voteIn,
} from "./stake-world.ts";
import { doctor, hospital, type Identity, owner, service, stranger, type World, writers } from "./world.ts";
import { builtWorld } from "./world-build.ts";

const [one, two, three, four, five] = validators as unknown as [
  Identity,
  Identity,
  Identity,
  Identity,
  Identity,
];
let base: World;
beforeAll(async () => {
  base = await stakeWorld();
});

const ballot = (proposalId: Uint8Array, inFavour = true) => ({ kind: "vote", proposalId, inFavour }) as const;
const execute = (proposalId: Uint8Array) => ({ kind: "execute", proposalId }) as const;

/** Proposed by the first, voted for by these, executed by the last of them. */
function decide(world: World, action: Action, by: readonly Identity[] = [one, two, three]): Uint8Array {
  const id = world.do(one, proposal(world, action));
  for (const who of by) world.do(who, ballot(id));
  world.do(by.at(-1)!, execute(id));
  return id;
}

describe("a proposal", () => {
  const settings = {
    kind: "set-settings",
    emergencyAttributes: [],
    recoveryRequired: true,
    recoveryDelayMs: 1,
    emergencyLifetimeMs: 2,
  } as const;

  test("is done with more than two thirds of the stake, once, and every ballot stays on the ledger", () => {
    const world = base.fork();
    const id = world.do(one, proposal(world, settings));
    expect(items(world.state, lists.proposals, emptyKey)).toEqual([id]);
    world.do(one, ballot(id));
    world.do(four, ballot(id, false));
    world.do(two, ballot(id));
    expect(tally(world.state, id)).toEqual({ inFavour: 20n, against: 10n, all: 40n });
    expect(world.verdict(world.signed(one, execute(id)))).toBe("proposal-short");
    world.do(three, ballot(id));
    world.do(three, execute(id));
    expect(settingsOf(world.state)).toMatchObject({ recoveryRequired: true, recoveryDelayMs: 1 });
    const cast = [one, two, three, four].map(
      ({ publicKey }) => load(world.state, entries.ballot, ballotKey(id, publicKey))?.inFavour,
    );
    expect(cast).toEqual([true, true, true, false]);
    expect(load(world.state, entries.proposal, id)?.executedHeight).toBe(world.height);
    expect(world.verdict(world.signed(one, execute(id)))).toBe("proposal-closed");
  });

  test("lapses: no ballot and no execution after its time", () => {
    const world = base.fork();
    const id = world.do(one, proposal(world, settings, world.timestampMs + dayMs));
    for (const who of [one, two, three]) world.do(who, ballot(id));
    world.timestampMs += dayMs;
    expect(world.verdict(world.signed(one, execute(id)))).toBe("proposal-closed");
    expect(world.verdict(world.signed(four, ballot(id)))).toBe("proposal-closed");
  });

  // A validator votes, then leaves with its weight, or is punished: its ballot must not outlive its stake.
  test("counts the stake at the end: what a voter lost since counts no more", () => {
    const world = base.fork();
    const id = world.do(one, proposal(world, settings));
    for (const who of [one, two, four]) world.do(who, ballot(id));
    expect(world.verdict(world.signed(one, execute(id)))).toBe("applied");
    world.submit(unsigned(world, equivocationOf(world, four)));
    expect(tally(world.state, id)).toEqual({ inFavour: 20n, against: 0n, all: 30n });
    expect(world.verdict(world.signed(one, execute(id)))).toBe("proposal-short");
  });

  test("that the rule refuses changes nothing, and stays open", () => {
    const world = base.fork();
    const unknown = { kind: "lift-jail", publicKey: four.publicKey } as const;
    const id = world.do(one, proposal(world, unknown));
    for (const who of [one, two, three]) world.do(who, ballot(id));
    expect(world.verdict(world.signed(one, execute(id)))).toBe("jail-stands");
    expect(load(world.state, entries.proposal, id)?.executedHeight).toBeNull();
  });
});

describe("an institution that must sign for itself", () => {
  const registration = (who: Identity) =>
    ({ kind: "register-provider", publicKey: who.publicKey, hpkeKey: who.hpkeKey }) as const;

  test("is approved by the vote and comes by its own transaction, once", () => {
    const world = base.fork();
    expect(world.verdict(world.signed(stranger, registration(stranger)))).toBe("admission-missing");
    decide(world, registration(stranger));
    expect(hasRole(world.state, stranger.account, roles.provider)).toBe(false);
    world.do(stranger, registration(stranger));
    expect(hasRole(world.state, stranger.account, roles.provider)).toBe(true);
    // Voted out, it cannot come back by what was used up.
    decide(world, {
      kind: "remove-institution",
      role: "provider",
      account: stranger.account,
      namespace: null,
    });
    expect(hasRole(world.state, stranger.account, roles.provider)).toBe(false);
    expect(world.verdict(world.signed(stranger, registration(stranger)))).toBe("admission-missing");
  });

  test("is approved as it was proposed: not with another key, not another institution, not for ever", () => {
    const world = base.fork();
    decide(world, registration(stranger));
    const other = { ...registration(stranger), hpkeKey: one.hpkeKey };
    expect(world.verdict(world.signed(stranger, other))).toBe("admission-missing");
    expect(world.verdict(world.signed(owner, registration(owner)))).toBe("admission-missing");
    expect(world.verdict(world.signed(stranger, registration(stranger)))).toBe("applied");
    world.timestampMs += 14 * dayMs;
    expect(world.verdict(world.signed(stranger, registration(stranger)))).toBe("admission-missing");
  });

  test("still comes by admissions, as before there were proposals", () => {
    const world = base.fork();
    registerNode(world, stranger);
    expect(hasRole(world.state, stranger.account, roles.node)).toBe(true);
    decide(world, { kind: "remove-institution", role: "node", account: stranger.account, namespace: null });
    expect(hasRole(world.state, stranger.account, roles.node)).toBe(false);
  });
});

describe("validators", () => {
  const admit = (weight: number, operator = five.account) =>
    ({ kind: "admit-validator", publicKey: five.publicKey, operator, weight }) as const;

  test("come with their weight and vote, leave with it, and may come again", () => {
    const world = base.fork();
    decide(world, admit(10));
    expect(powers(world).slice(0, 5)).toEqual([10, 10, 10, 10, 10]);
    decide(
      world,
      { kind: "remove-validator", publicKey: one.publicKey },
      [two, three, four, five].toReversed(),
    );
    expect(powers(world).slice(0, 5)).toEqual([undefined, 10, 10, 10, 10]);
    expect(value(world, 0)).toMatchObject({ jailed: "left", bonds: [], unbonding: [{ amount: 10 }] });
    const withdraw = { kind: "withdraw-weight", validator: one.publicKey } as const;
    expect(world.verdict(world.signed(one, withdraw))).toBe("stake-waiting");
    world.timestampMs += 21 * dayMs;
    world.do(one, withdraw);
    voteIn(world, { ...admit(5), publicKey: one.publicKey, operator: one.account });
    expect(powers(world).slice(0, 5)).toEqual([5, 10, 10, 10, 10]);
  });

  test("of an operator's choice: another account holds, votes and signs for them", () => {
    const world = base.fork();
    registerNode(world, stranger);
    decide(world, admit(10, stranger.account));
    const id = world.do(stranger, proposal(world, admit(1)));
    world.do(stranger, ballot(id));
    expect(tally(world.state, id).inFavour).toBe(10n);
    expect(world.verdict(world.signed(five, ballot(id)))).toBe("operator-missing");
    expect(
      world.verdict(admittedBy(world, [one, two, three, four], { ...admit(1), operator: owner.account })),
    ).toBe("validator-exists");
  });

  test("a jailed one has no say until the jail is lifted by the others", () => {
    const world = base.fork();
    world.submit(unsigned(world, equivocationOf(world, four)));
    const id = world.do(one, proposal(world, { kind: "lift-jail", publicKey: four.publicKey }));
    expect(world.verdict(world.signed(four, ballot(id)))).toBe("operator-missing");
    for (const who of [one, two, three]) world.do(who, ballot(id));
    world.do(stranger.account === one.account ? two : one, execute(id));
    expect(powers(world).slice(0, 4)).toEqual([10, 10, 10, 9]);
  });
});

describe("a hospital that is voted out", () => {
  let built: World;
  beforeAll(async () => {
    built = await builtWorld();
    const { account } = hospital;
    const action = { kind: "remove-institution", role: "namespace", account, namespace: "cedars" } as const;
    expect(built.verdict(admittedBy(built, [service], { ...action, namespace: "elsewhere" }))).toBe(
      "institution-unknown",
    );
    expect(built.verdict(admittedBy(built, [service], { ...action, account: doctor.account }))).toBe(
      "institution-unknown",
    );
    built.submit(admittedBy(built, [service], action));
    expect(built.verdict(admittedBy(built, [service], action))).toBe("institution-unknown");
  });

  test("vouches, signs and is named in rules no more, and its name stays its own", () => {
    const attributes = ["nurse@cedars"];
    const { account } = doctor;
    const vouch = {
      kind: "vouch",
      namespace: "cedars",
      account,
      attributes,
      mode: "transform",
      digest: null,
    } as const;
    expect(built.verdict(built.signed(hospital, vouch))).toBe("namespace-unknown");
    expect(built.verdict(built.authorDeposit("late", built.keys))).toBe("namespace-unknown");
    const rule = {
      kind: "set-rule",
      namespace: "cedars",
      policy: writers,
      writers,
      purposes: ["TREAT"],
      expiresMs: null,
      perDay: 1,
    } as const;
    expect(built.verdict(built.signed(owner, rule))).toBe("namespace-unknown");
    expect(hasRole(built.state, hospital.account, roles.namespace)).toBe(false);
    expect(items(built.state, lists.namespaces, emptyKey).map(toHex)).toHaveLength(1);
  });

  test("what it vouched for gives no key any more", () => {
    const { action } = built.keyRequest(doctor, { label: "late", attributes: ["physician@cedars"] });
    expect(built.verdict(built.signed(doctor, action))).toBe("vouch-missing");
  });
});
