/** New keys for accounts: replaced by the old one, or recovered by guardians or a paper kit against its objection. */
import { sha256, utf8 } from "@chartseal/crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { signAdmission } from "../src/authorisation.ts";
import { keysOf } from "../src/rules/account-keys.ts";
import { entries, items, lists, load, periodLabel, vouchKey } from "../src/state-kinds.ts";
import { encodeTransaction } from "../src/transaction.ts";
import {
  delayMs,
  guardianAccounts,
  guardians,
  paper,
  protect,
  replacement,
  settle,
  start,
  started,
  startedByPaper,
  ways,
  withKey,
} from "./recoveries.ts";
import { both, ruleOf, someHash } from "./refusals/making.ts";
import { doctor, hospital, type Identity, identity, owner, policy, service, type World } from "./world.ts";
import { builtWorld } from "./world-build.ts";

let base: World;
beforeAll(async () => {
  base = await builtWorld();
});

const next = withKey(owner, "next");
const other = withKey(owner, "other");
const accountOf = (world: World, { account }: Identity) => load(world.state, entries.account, account)!;
const periodOf = (world: World, attribute: string): string =>
  periodLabel(load(world.state, entries.period, utf8(attribute))!);
const recoveryOf = (world: World, id: Uint8Array) => load(world.state, entries.recovery, id)!;

/** The doctor's transform key is live. */
function issue(world: World, label: string, who: Identity = doctor, keyId = sha256(utf8(label))): Uint8Array {
  const { action } = world.keyRequest(who, { label, attributes: both });
  world.do(who, action);
  world.do(service, { kind: "key-issued", requestId: action.requestId, keyId, nodes: [1, 2] });
  return keyId;
}

describe("a replaced key", () => {
  test("is the account's from its block on; the account, its office and its numbering stay", () => {
    const world = base.fork();
    const before = accountOf(world, owner);
    world.do(owner, replacement(world, next));
    const { publicKey, hpkeKey } = next;
    expect(accountOf(world, owner)).toEqual({ ...before, publicKey, hpkeKey, sequence: before.sequence + 1 });
    world.do(next, ruleOf());
    expect(world.verdict(world.signed(owner, ruleOf()))).toBe("signature-invalid");
  });

  test("stands in a history of heights, so that what it signed still verifies", () => {
    const world = base.fork();
    const { height } = accountOf(world, owner);
    world.do(owner, replacement(world, next));
    const first = world.height;
    world.do(next, replacement(world, other));
    const second = world.height;
    const { account } = owner;
    const keyAt = (key: Identity) => load(world.state, entries.accountKey, key.publicKey);
    expect(keyAt(owner)).toEqual({ account, fromHeight: height, untilHeight: first });
    expect(keyAt(next)).toEqual({ account, fromHeight: first, untilHeight: second });
    expect(keyAt(other)).toEqual({ account, fromHeight: second, untilHeight: null });
    expect(keysOf(world.state, account)).toEqual([owner, next, other].map((one) => one.publicKey));
  });

  test("retires the live transform key in the same block; a new one is asked for by the new key", () => {
    const world = base.fork();
    const keyId = issue(world, "before");
    const phone = withKey(doctor, "next");
    world.do(doctor, replacement(world, phone));
    expect(load(world.state, entries.liveKey, doctor.account)).toBeUndefined();
    expect(load(world.state, entries.key, keyId)?.retiredHeight).toBe(world.height);
    const later = issue(world, "after", phone);
    expect(load(world.state, entries.liveKey, doctor.account)?.keyId).toEqual(later);
  });

  test("opens the next period of every attribute that is held, and of no other", () => {
    const world = base.fork();
    world.do(doctor, replacement(world, withKey(doctor, "next")));
    for (const attribute of both) expect(periodOf(world, attribute)).toBe("2026q4.1");
    expect(periodOf(world, "nurse@cedars")).toBe("2026q4");
  });

  /**
   * The attack: a thief has the doctor's phone and signs a request by attributes. It is anonymous: nothing in it names
   * the doctor's account or its key, so no check of keys can refuse it. The period does: what the thief signed before is
   * of the period before, and the old keys under the new period's name are not that period's.
   */
  test("leaves a thief with signing keys that prove nothing", () => {
    const world = base.fork();
    world.submit(world.authorDeposit("record", world.keys));
    const recordId = world.oneTime("record").id;
    const early = world.attributeRequest("theft", { recordId, keys: world.keys });
    expect(world.verdict(early)).toBe("applied");
    world.do(doctor, replacement(world, withKey(doctor, "next")));
    expect(world.verdict(early)).toBe("attribute-proof-invalid");
    const renamed = [...world.keys.attributes].map(([name, key]) => [`${name}.1`, key] as const);
    const stolen = { ...world.keys, attributes: new Map(renamed) };
    const relabelled = world.attributeRequest("relabelled", { recordId, keys: stolen });
    expect(world.verdict(relabelled)).toBe("attribute-proof-invalid");
    expect(world.verdict(world.authorDeposit("forged", stolen))).toBe("attribute-proof-invalid");
    const keys = world.signingKeys(doctor, both);
    expect(world.verdict(world.attributeRequest("own", { recordId, keys, policy }))).toBe("applied");
  });
});

describe("a recovery by guardians", () => {
  test("waits from the k-th approval on, and then the new key ends it itself", () => {
    const world = base.fork();
    protect(world);
    const recoveryId = world.do(guardians[0]!, start(world, next));
    expect(recoveryOf(world, recoveryId)).toMatchObject({ readyMs: null, outcome: "open", paper: false });
    world.timestampMs += 3 * delayMs;
    const approvedMs = world.timestampMs;
    world.do(guardians[1]!, { kind: "approve-recovery", recoveryId });
    expect(recoveryOf(world, recoveryId)).toMatchObject({
      readyMs: approvedMs + delayMs,
      approvals: guardianAccounts,
    });
    const end = () => world.signed(next, { kind: "finish-recovery", recoveryId });
    world.timestampMs = approvedMs + delayMs - 1;
    expect(world.verdict(end())).toBe("recovery-waiting");
    world.timestampMs++;
    const { sequence } = accountOf(world, owner);
    world.submit(end());
    expect(accountOf(world, owner)).toMatchObject({
      publicKey: next.publicKey,
      hpkeKey: next.hpkeKey,
      sequence: sequence + 1,
    });
    expect(recoveryOf(world, recoveryId)).toMatchObject({ outcome: "finished", endedHeight: world.height });
    expect(items(world.state, lists.recoveriesOfAccount, owner.account)).toEqual([recoveryId]);
  });

  test("keeps the waiting time that was announced, whatever the settings become", () => {
    const world = base.fork();
    const recoveryId = started(world, next);
    const { readyMs } = recoveryOf(world, recoveryId);
    settle(world, { recoveryDelayMs: 0 });
    expect(recoveryOf(world, recoveryId).readyMs).toBe(readyMs);
    expect(world.verdict(world.signed(next, { kind: "finish-recovery", recoveryId }))).toBe(
      "recovery-waiting",
    );
  });

  test("takes the waiting time of the consortium's settings", () => {
    const world = base.fork();
    settle(world, { recoveryDelayMs: 60_000 });
    const recoveryId = started(world, next);
    world.timestampMs = recoveryOf(world, recoveryId).readyMs!;
    expect(recoveryOf(world, recoveryId).lapsesMs).toBe(world.timestampMs + 30 * 24 * 3_600_000);
    expect(world.verdict(world.signed(next, { kind: "finish-recovery", recoveryId }))).toBe("applied");
  });

  test("of whom one is enough waits from its start", () => {
    const world = base.fork();
    protect(world, { threshold: 1 });
    const startMs = world.timestampMs;
    const recoveryId = world.do(guardians[1]!, start(world, next));
    expect(recoveryOf(world, recoveryId).readyMs).toBe(startMs + delayMs);
  });

  test("ends with the member's objection; another guardian and the same one, later, may start anew", () => {
    const world = base.fork();
    const recoveryId = started(world, next);
    world.do(owner, { kind: "object-recovery", recoveryId });
    expect(world.verdict(world.signed(guardians[0]!, start(world, next)))).toBe("recovery-again");
    expect(world.verdict(world.signed(guardians[1]!, start(world, next)))).toBe("applied");
    world.timestampMs += delayMs;
    expect(world.verdict(world.signed(guardians[0]!, start(world, next)))).toBe("applied");
    // Nothing is open: who holds the account may name others.
    expect(world.verdict(world.signed(owner, ways({ guardians: [], threshold: 0 })))).toBe("applied");
  });

  test("ends by itself a month after it could have been finished, or never was approved", () => {
    const world = base.fork();
    const recoveryId = started(world, next, { whole: false });
    world.timestampMs += delayMs + 30 * 24 * 3_600_000;
    expect(world.verdict(world.signed(guardians[1]!, { kind: "approve-recovery", recoveryId }))).toBe(
      "recovery-unknown",
    );
    expect(world.verdict(world.signed(owner, ways({ guardians: [], threshold: 0 })))).toBe("applied");
  });
});

describe("a recovery by the paper kit", () => {
  test("waits from its start; the kit's key comes on the ledger with it, without an office", () => {
    const world = base.fork();
    const startMs = world.timestampMs + 1000;
    const recoveryId = startedByPaper(world, next);
    expect(recoveryOf(world, recoveryId)).toMatchObject({
      paper: true,
      approvals: [],
      readyMs: startMs + delayMs,
    });
    expect(accountOf(world, paper)).toMatchObject({ publicKey: paper.publicKey, roles: 0, sequence: 1 });
    world.timestampMs = startMs + delayMs;
    world.do(next, { kind: "finish-recovery", recoveryId });
    expect(accountOf(world, owner).publicKey).toEqual(next.publicKey);
  });

  test("serves again after an objection and its waiting time", () => {
    const world = base.fork();
    world.do(owner, { kind: "object-recovery", recoveryId: startedByPaper(world, next) });
    expect(world.verdict(world.signed(paper, start(world, next)))).toBe("recovery-again");
    world.timestampMs += delayMs;
    expect(world.verdict(world.signed(paper, start(world, next)))).toBe("applied");
  });

  test("and one by guardians: the first that is finished closes the other", () => {
    const world = base.fork();
    const byPaper = startedByPaper(world, next);
    const byGuardian = world.do(guardians[0]!, start(world, other));
    world.timestampMs += delayMs;
    world.do(next, { kind: "finish-recovery", recoveryId: byPaper });
    expect(recoveryOf(world, byGuardian).outcome).toBe("closed");
    expect(
      world.verdict(world.signed(guardians[1]!, { kind: "approve-recovery", recoveryId: byGuardian })),
    ).toBe("recovery-unknown");
    // Kit and guardians still stand for the next loss.
    expect(world.verdict(world.signed(paper, start(world, other)))).toBe("applied");
  });
});

describe("where the consortium requires recovery", () => {
  test("an owner seals with two ways and not with one; it is off until a vote", () => {
    const world = base.fork();
    expect(world.verdict(world.ownerDeposit("record"))).toBe("applied");
    settle(world, { recoveryRequired: true });
    expect(world.verdict(world.ownerDeposit("record"))).toBe("recovery-missing");
    for (const one of [{ paperKey: null }, { guardians: [], threshold: 0 }]) {
      const only = world.fork();
      protect(only, one);
      expect(only.verdict(only.ownerDeposit("record"))).toBe("recovery-missing");
    }
    protect(world);
    expect(world.verdict(world.ownerDeposit("record"))).toBe("applied");
  });

  test("an author's deposit is anonymous and names nobody to ask", () => {
    const world = base.fork();
    settle(world, { recoveryRequired: true });
    expect(world.verdict(world.authorDeposit("record", world.keys))).toBe("applied");
  });
});

describe("after a restore that lost the chain's tail", () => {
  const raise = (world: World, tombstones: readonly Uint8Array[]): Uint8Array => {
    const action = {
      kind: "raise-era",
      lostHeight: 999,
      lostHash: someHash,
      missing: [],
      tombstones,
    } as const;
    const body = world.body(action);
    return encodeTransaction(body, { admissions: [signAdmission(service.seed, body)] });
  };

  test("a recovery is void: an objection to it may have been lost", () => {
    const world = base.fork();
    const recoveryId = started(world, next);
    world.submit(raise(world, []));
    world.timestampMs += delayMs;
    expect(world.verdict(world.signed(next, { kind: "finish-recovery", recoveryId }))).toBe(
      "recovery-unknown",
    );
  });

  test("a lost replacement is made again, and the lost device stays out", () => {
    const world = base.fork();
    const phone = withKey(doctor, "next");
    const lost = world.signed(doctor, replacement(world, phone));
    world.submit(raise(world, [lost]));
    expect(accountOf(world, doctor).publicKey).toEqual(phone.publicKey);
    expect(world.verdict(raise(world, [lost]))).toBe("applied");
  });

  test("a lost revocation counts that was signed before its account replaced its key", () => {
    const world = base.fork();
    const revocation = {
      kind: "revoke",
      namespace: "cedars",
      account: doctor.account,
      attributes: both,
    } as const;
    const lost = world.signed(hospital, revocation);
    world.do(hospital, replacement(world, withKey(hospital, "next")));
    world.submit(raise(world, [lost]));
    for (const attribute of both) {
      const vouch = load(world.state, entries.vouch, vouchKey(doctor.account, attribute));
      expect(vouch?.endedHeight).toBe(world.height);
    }
    const forged = world.signed({ ...identity("thief"), account: hospital.account }, revocation);
    expect(world.verdict(raise(world, [forged]))).toBe("signature-invalid");
  });
});
