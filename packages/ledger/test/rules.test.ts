/** The positive path through every kind of transaction, with real cryptography. */
import { fromUtf8, parsePolicy, sha256, toHex, utf8 } from "@chartseal/crypto";
import { beforeAll, expect, test } from "vitest";
import { attributeClaim, verifyAttributeBatch } from "../src/attribute-batch.ts";
import { accountOf, signErasedCopy, signStorageReceipt } from "../src/authorisation.ts";
import { logStart, nextLogHash, outcomes } from "../src/rules/records.ts";
import { entries, items, lists, load, logKey, periodLabel, vouchKey } from "../src/state-kinds.ts";
import { doctor, hospital, owner, policy, service, type World } from "./world.ts";
import { builtWorld } from "./world-build.ts";

let base: World;
beforeAll(async () => {
  base = await builtWorld();
});

const both = ["cardiologist@cedars", "physician@cedars"];

test("the committee's keys are what the machine computed, and stay", () => {
  expect(load(base.state, entries.keygen, utf8("reading"))?.done).toBe(true);
  expect(items(base.state, lists.members, new Uint8Array(0)).map(toHex)).toContain(toHex(owner.account));
  expect(items(base.state, lists.attributesOfNamespace, utf8("cedars")).map(fromUtf8)).toContain(
    "nurse@cedars",
  );
});

test("a record goes in by an author and is read by a doctor, and every step stands in its log", () => {
  const world = base.fork();
  const keys = world.signingKeys(doctor, both);
  const recordId = world.oneTime("record").id;
  const deposit = world.submit(world.authorDeposit("record", keys));
  const requestId = world.oneTime("request").id;
  const request = world.submit(world.attributeRequest("request", { recordId, keys }));
  expect(load(world.state, entries.request, requestId)?.outcome).toBe(outcomes.granted);
  const receipt = world.do(service, world.receiptAction(requestId));
  const record = load(world.state, entries.record, recordId)!;
  expect(record.relay).toEqual(service.account);
  expect(record.logCount).toBe(3);
  let chain = logStart;
  const log = [deposit, request, receipt].map((identifier, at) => {
    const entry = load(world.state, entries.log, logKey(recordId, at))!;
    expect(entry.identifier).toEqual(identifier);
    chain = nextLogHash(chain, entry.identifier, entry.outcome);
    return entry.outcome;
  });
  expect(log).toEqual([outcomes.deposited, outcomes.granted, outcomes.transformed]);
  expect(record.logHash).toEqual(chain);
  expect(load(world.state, entries.request, requestId)?.receipt).toEqual(receipt);
});

test("a batch verified beforehand is taken at its word only for the very claim that was verified", () => {
  const world = base.fork();
  const keys = world.signingKeys(doctor, both);
  const bytes = world.authorDeposit("record", keys);
  const claim = attributeClaim(world.state, world.context(), bytes)!;
  expect(parsePolicy(claim.signed.policy.text).attributes).toEqual(both);
  const stranger = world.authorDeposit("other", keys, { policy: `${policy} and nurse@cedars` });
  expect(verifyAttributeBatch(world.state, world.context(), [bytes, stranger]).size).toBe(2);
  expect(world.verdict(bytes, { verifiedAttributes: new Set([claim.key]) })).toBe("applied");
  // A period that moved in between makes another claim, which is verified on its own and fails.
  const { account } = doctor;
  world.do(hospital, { kind: "revoke", namespace: "cedars", account, attributes: ["physician@cedars"] });
  expect(world.verdict(bytes, { verifiedAttributes: new Set([claim.key]) })).toBe("attribute-proof-invalid");
});

test("an owner deposits without a rule, with an author's signature beside it or without", () => {
  const world = base.fork();
  world.submit(world.ownerDeposit("plain"));
  const recordId = world.oneTime("plain").id;
  expect(load(world.state, entries.record, recordId)?.relay).toBeNull();
  expect(items(world.state, lists.recordsOfOwner, owner.account)).toEqual([recordId]);
  const label = "owner reads";
  const action = world.requestAction(label, recordId, { proof: "owner", purpose: null });
  world.submit(world.namedRequest(owner, label, action));
  expect(load(world.state, entries.request, action.requestId)?.outcome).toBe(outcomes.granted);
});

test("a person whom the policy names reads by account signature", () => {
  const world = base.fork();
  world.submit(world.ownerDeposit("named", { policy: `nurse@cedars or ${toHex(doctor.account)}@self` }));
  const recordId = world.oneTime("named").id;
  const action = world.requestAction("person", recordId, { proof: "person" });
  world.submit(world.namedRequest(doctor, "person", action));
  expect(load(world.state, entries.request, action.requestId)?.account).toEqual(doctor.account);
});

test("one account has one live transform key: the next one retires it", () => {
  const world = base.fork();
  const issue = (label: string): Uint8Array => {
    const { action } = world.keyRequest(doctor, { label, attributes: both });
    world.do(doctor, action);
    const keyId = sha256(utf8(`key ${label}`));
    world.do(service, { kind: "key-issued", requestId: action.requestId, keyId, nodes: [1, 3] });
    return keyId;
  };
  const first = issue("first");
  expect(load(world.state, entries.liveKey, doctor.account)?.keyId).toEqual(first);
  const second = issue("second");
  expect(load(world.state, entries.liveKey, doctor.account)?.keyId).toEqual(second);
  expect(load(world.state, entries.key, first)?.retiredHeight).not.toBeNull();
  expect(load(world.state, entries.key, second)?.retiredHeight).toBeNull();
});

test("a full key takes a vouch for its one d, and leaves the transform key alone", () => {
  const world = base.fork();
  const { action, digest } = world.keyRequest(doctor, { label: "full", attributes: both, mode: "full" });
  expect(world.verdict(world.signed(doctor, action))).toBe("vouch-missing");
  const { account } = doctor;
  world.do(hospital, { kind: "vouch", namespace: "cedars", account, attributes: both, mode: "full", digest });
  const other = world.keyRequest(doctor, { label: "other", attributes: both, mode: "full" });
  expect(world.verdict(world.signed(doctor, other.action))).toBe("vouch-missing");
  world.do(doctor, action);
  world.do(doctor, { kind: "key-issued", requestId: action.requestId, keyId: sha256(), nodes: [1, 2] });
  expect(load(world.state, entries.liveKey, account)).toBeUndefined();
  const own = world.keyRequest(owner, {
    label: "kit",
    attributes: [`${toHex(owner.account)}@self`],
    mode: "full",
  });
  expect(world.verdict(world.signed(owner, own.action))).toBe("applied");
});

test("what is signed under an attribute that was never opened counts until it is opened", () => {
  const world = base.fork();
  const writers = "cardiologist@cedars or chief@cedars";
  world.do(owner, {
    kind: "set-rule",
    namespace: "cedars",
    policy: writers,
    writers,
    purposes: ["TREAT"],
    expiresMs: null,
    perDay: 50,
  });
  const deposit = (label: string) =>
    world.authorDeposit(label, world.keys, { policy: writers, authorPolicy: writers });
  const [now, late] = [deposit("now"), deposit("late")];
  world.submit(now);
  world.do(hospital, {
    kind: "open-period",
    namespace: "cedars",
    attribute: "chief@cedars",
    label: "2026q4",
  });
  expect(world.verdict(late)).toBe("attribute-proof-invalid");
  expect(world.verdict(deposit("new"))).toBe("applied");
});

test("a revocation ends the vouches, opens the next period in the same block, and removes nothing else", () => {
  const world = base.fork();
  const { account } = doctor;
  const keys = world.signingKeys(doctor, both);
  world.do(hospital, { kind: "revoke", namespace: "cedars", account, attributes: [] });
  for (const attribute of both) {
    expect(load(world.state, entries.vouch, vouchKey(account, attribute))?.endedHeight).toBe(world.height);
    expect(periodLabel(load(world.state, entries.period, utf8(attribute))!)).toBe("2026q4.1");
  }
  expect(periodLabel(load(world.state, entries.period, utf8("nurse@cedars"))!)).toBe("2026q4");
  expect(load(world.state, entries.account, account)?.roles).toBe(1);
  const late = {
    ...keys,
    attributes: new Map([...keys.attributes].map(([name, key]) => [`${name}.1`, key])),
  };
  expect(world.verdict(world.authorDeposit("late", late))).toBe("attribute-proof-invalid");
});

test("rekey, dispute, erasure and its certificate each stand in the log", () => {
  const world = base.fork();
  const keys = world.signingKeys(doctor, both);
  world.submit(world.authorDeposit("record", keys));
  const recordId = world.oneTime("record").id;
  const before = load(world.state, entries.record, recordId)!;
  const headerHash = sha256(utf8("second header"));
  const action = {
    kind: "rekey",
    recordId,
    version: 2,
    headerHash,
    address: before.address,
    policy: `(${policy}) or nurse@cedars`,
  } as const;
  const canonical = parsePolicy(action.policy).text;
  const receipt = signStorageReceipt(service.seed, {
    ...before.current,
    recordId,
    headerHash,
    address: before.address,
  });
  world.do(owner, { ...action, policy: canonical, statement: null }, { storageReceipt: receipt });
  const after = load(world.state, entries.record, recordId)!;
  expect(after.version).toBe(2);
  expect(after.digest).not.toEqual(before.digest);
  expect(after.statement).toEqual(before.statement);
  world.do(owner, { kind: "mark-disputed", recordId, relay: service.account });
  world.do(owner, { kind: "erase", recordId });
  const { chainId } = world;
  const copies = [signErasedCopy(service.seed, { chainId, recordId, address: before.address })];
  world.do(service, { kind: "erase-certificate", recordId, copies });
  const outcome = (at: number) => load(world.state, entries.log, logKey(recordId, at))?.outcome;
  expect([1, 2, 3, 4].map(outcome)).toEqual([
    outcomes.rekeyed,
    outcomes.disputed,
    outcomes.erased,
    outcomes.certified,
  ]);
  expect(load(world.state, entries.record, recordId)?.disputed).toBe(true);
});

test("a proved request is recorded as a denial where rule, purpose, expiry or erasure stand against it", () => {
  const denied = (
    prepare: (world: World, recordId: Uint8Array) => void,
    purpose = "TREAT",
  ): number | undefined => {
    const world = base.fork();
    const keys = world.signingKeys(doctor, both);
    world.submit(world.authorDeposit("record", keys));
    const recordId = world.oneTime("record").id;
    prepare(world, recordId);
    world.submit(world.attributeRequest("request", { recordId, keys, changes: { purpose } }));
    const requestId = world.oneTime("request").id;
    expect(world.verdict(world.signed(service, world.receiptAction(requestId)))).toBe("grant-missing");
    return load(world.state, entries.request, requestId)?.outcome;
  };
  const revokeRule = (world: World) => world.do(owner, { kind: "revoke-rule", namespace: "cedars" });
  expect(denied(revokeRule)).toBe(outcomes["denied-rule-missing"]);
  const expire = (world: World) => {
    const expiresMs = world.timestampMs + 5000;
    const rule = {
      kind: "set-rule",
      namespace: "cedars",
      policy,
      writers: policy,
      purposes: ["TREAT"],
      perDay: 3,
    } as const;
    world.do(owner, { ...rule, expiresMs });
    world.timestampMs = expiresMs;
  };
  expect(denied(expire)).toBe(outcomes["denied-rule-expired"]);
  expect(denied(() => {}, "HMARKT")).toBe(outcomes["denied-purpose"]);
  expect(denied(() => {}, "BTG")).toBe(outcomes["denied-purpose"]);
  const eraseIt = (world: World, recordId: Uint8Array) => world.do(owner, { kind: "erase", recordId });
  expect(denied(eraseIt)).toBe(outcomes["denied-erased"]);
});

test("alerts are kept in order, and an account is the hash of its key", () => {
  const world = base.fork();
  const identifier = world.do(service, {
    kind: "alert",
    alert: "object-altered",
    recordId: null,
    detail: "chunk 3",
  });
  expect(items(world.state, lists.alerts, new Uint8Array(0))).toEqual([identifier]);
  const digest = sha256(utf8("chartseal-v1/ledger/account\0"), owner.publicKey);
  expect(accountOf(owner.publicKey)).toEqual(digest.slice(0, 20));
});
