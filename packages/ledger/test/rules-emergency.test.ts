/**
 * Break-glass on the ledger (CRYPTO §3.1, Emergency leaf): two clinicians behind one text, a key of its own, records
 * named, a time; and every way in which one piece is missing. Each attack here must be refused at each of the places
 * where it could enter: request for the key, issue, request to read, receipt.
 */
import { emergencyAttribute, sha256, toHex, utf8 } from "@chartseal/crypto";
import { beforeAll, expect, test } from "vitest";
import { outcomes } from "../src/rules/records.ts";
import { emptyKey, entries, items, lists, load, save, vouchKey } from "../src/state-kinds.ts";
import { evidenceOf, spoilt } from "./refusals/committee.ts";
import {
  clinicians,
  confirmationOf,
  declarationOf,
  emergencyId,
  emergencyIn,
  hourMs,
  issueSpecial,
  listed,
  ownRecord,
  raiseEra,
  revokeOf,
  settle,
  specialKeyRequest,
  specialRead,
} from "./special.ts";
import { doctor, hospital, nodes, owner, service, stranger, type World } from "./world.ts";
import { builtWorld } from "./world-build.ts";

let base: World;
beforeAll(async () => {
  base = await builtWorld();
});

const mode = "emergency";

/** What the world says of each step that stands on the emergency: key, issue, reading, receipt. */
function verdicts(world: World, recordId: Uint8Array): string[] {
  return [
    world.verdict(world.signed(doctor, specialKeyRequest(world, doctor, { mode }))),
    world.verdict(specialRead(world, doctor, { mode, recordId, label: "verdict" })),
  ];
}

test("two clinicians declare and confirm, the first one gets a key of its own, reads a record, and all of it stands", () => {
  const world = base.fork();
  const recordId = emergencyIn(world);
  const liveBefore = load(world.state, entries.liveKey, doctor.account);
  const keyId = issueSpecial(world, doctor, mode);
  expect(load(world.state, entries.specialKey, emergencyId)).toMatchObject({
    keyId,
    mode,
    account: doctor.account,
    publicKey: doctor.publicKey,
  });
  expect(load(world.state, entries.liveKey, doctor.account)).toEqual(liveBefore);
  expect(load(world.state, entries.key, keyId)?.mode).toBe(mode);
  world.submit(specialRead(world, doctor, { mode, recordId }));
  const requestId = world.oneTime("read").id;
  expect(load(world.state, entries.request, requestId)).toMatchObject({
    outcome: outcomes.granted,
    proof: mode,
    purpose: "BTG",
    account: doctor.account,
  });
  expect(load(world.state, entries.requestGrant, requestId)?.grantId).toEqual(emergencyId);
  const receipt = world.do(service, world.receiptAction(requestId));
  expect(load(world.state, entries.request, requestId)?.receipt).toEqual(receipt);
  for (const key of [emptyKey, owner.account])
    expect(items(world.state, lists.emergencies, key)).toEqual([emergencyId]);
});

test("ETREAT serves as BTG does, and no other purpose, nor either of them without an emergency", () => {
  const world = base.fork();
  const recordId = emergencyIn(world);
  const verdict = (purpose: string | null): string =>
    world.verdict(specialRead(world, doctor, { mode, recordId, label: "p", changes: { purpose } }));
  expect(verdict("ETREAT")).toBe("applied");
  expect(verdict("TREAT")).toBe("purpose-missing");
  expect(verdict(null)).toBe("purpose-missing");
  const action = world.requestAction("own", recordId, { proof: "owner", purpose: "BTG" });
  world.submit(world.namedRequest(owner, "own", action));
  const { outcome } = load(world.state, entries.request, action.requestId)!;
  expect(outcome).toBe(outcomes["denied-purpose"]);
});

test("one clinician alone: a declaration that nobody confirmed gives no key and no reading", () => {
  const world = base.fork();
  clinicians(world);
  const recordId = ownRecord(world, "record");
  world.do(doctor, declarationOf(world, [recordId]));
  expect(verdicts(world, recordId)).toEqual(["emergency-unconfirmed", "emergency-unconfirmed"]);
});

test("the same account twice, and the owner as either clinician, are refused", () => {
  const world = base.fork();
  clinicians(world);
  const recordId = ownRecord(world, "record");
  world.do(hospital, {
    kind: "vouch",
    namespace: "cedars",
    account: owner.account,
    attributes: [listed],
    mode: "transform",
    digest: null,
  });
  expect(world.verdict(world.signed(owner, declarationOf(world, [recordId])))).toBe("emergency-clinicians");
  world.do(doctor, declarationOf(world, [recordId]));
  expect(world.verdict(world.signed(doctor, confirmationOf(world)))).toBe("emergency-clinicians");
  expect(world.verdict(world.signed(owner, confirmationOf(world)))).toBe("emergency-clinicians");
  expect(world.verdict(world.signed(stranger, confirmationOf(world)))).toBe("applied");
});

test("an attribute that is not listed, or not held, makes no clinician, first or second", () => {
  const world = base.fork();
  clinicians(world);
  const recordId = ownRecord(world, "record");
  const declare = (attribute: string) =>
    world.verdict(world.signed(doctor, declarationOf(world, [recordId], { attribute })));
  // The doctor does hold this one; the consortium does not list it.
  expect(declare("physician@cedars")).toBe("emergency-attribute");
  expect(world.verdict(world.signed(hospital, declarationOf(world, [recordId])))).toBe("emergency-attribute");
  world.do(doctor, declarationOf(world, [recordId]));
  expect(world.verdict(world.signed(hospital, confirmationOf(world)))).toBe("emergency-attribute");
  const other = confirmationOf(world, { attribute: "physician@cedars" });
  expect(world.verdict(world.signed(stranger, other))).toBe("emergency-attribute");
});

for (const [what, who] of [
  ["first", doctor],
  ["second", stranger],
] as const) {
  test(`the ${what} clinician's attribute revoked in between stops key, reading, issue and receipt`, () => {
    const world = base.fork();
    const recordId = emergencyIn(world);
    issueSpecial(world, doctor, mode);
    const pending = specialKeyRequest(world, doctor, { mode });
    world.do(doctor, pending);
    world.submit(specialRead(world, doctor, { mode, recordId }));
    const receipt = world.receiptAction(world.oneTime("read").id);
    expect(world.verdict(world.signed(service, receipt))).toBe("applied");
    revokeOf(world, who);
    expect(verdicts(world, recordId)).toEqual(["emergency-attribute", "emergency-attribute"]);
    const { requestId } = pending;
    const issued = { kind: "key-issued", requestId, keyId: sha256(utf8("late")), nodes: [1, 2] } as const;
    expect(world.verdict(world.signed(service, issued))).toBe("emergency-attribute");
    expect(world.verdict(world.signed(service, receipt))).toBe("emergency-attribute");
  });
}

test("an attribute taken off the list stops an emergency that stands on it", () => {
  const world = base.fork();
  const recordId = emergencyIn(world);
  settle(world, { emergencyAttributes: [] });
  expect(verdicts(world, recordId)).toEqual(["emergency-attribute", "emergency-attribute"]);
});

test("past its end nothing is given, and nothing had to happen: key, issue, reading, receipt", () => {
  const world = base.fork();
  const recordId = emergencyIn(world);
  issueSpecial(world, doctor, mode);
  const pending = specialKeyRequest(world, doctor, { mode });
  world.do(doctor, pending);
  const { endMs } = load(world.state, entries.emergency, emergencyId)!;
  world.timestampMs = endMs - 1000;
  world.submit(specialRead(world, doctor, { mode, recordId }));
  const receipt = world.receiptAction(world.oneTime("read").id);
  const at = (timestampMs: number): string[] => {
    world.timestampMs = timestampMs;
    const { requestId } = pending;
    const issued = { kind: "key-issued", requestId, keyId: sha256(utf8("late")), nodes: [1, 2] } as const;
    return [
      ...verdicts(world, recordId),
      world.verdict(world.signed(service, issued)),
      world.verdict(world.signed(service, receipt)),
    ];
  };
  expect(at(endMs - 1)).toEqual(["applied", "applied", "applied", "applied"]);
  expect(at(endMs)).toEqual(["emergency-over", "emergency-over", "emergency-over", "emergency-over"]);
});

test("a declaration is confirmed before its end, in its era, and before anybody took it back", () => {
  const fresh = (): World => {
    const world = base.fork();
    clinicians(world);
    world.do(doctor, declarationOf(world, [ownRecord(world, "record")]));
    return world;
  };
  const late = fresh();
  late.timestampMs = load(late.state, entries.emergency, emergencyId)!.endMs;
  expect(late.verdict(late.signed(stranger, confirmationOf(late)))).toBe("emergency-over");
  const taken = fresh();
  taken.do(doctor, { kind: "end-emergency", emergencyId });
  expect(taken.verdict(taken.signed(stranger, confirmationOf(taken)))).toBe("emergency-over");
  const raised = fresh();
  raiseEra(raised);
  expect(raised.verdict(raised.signed(stranger, confirmationOf(raised)))).toBe("emergency-void");
  const revoked = fresh();
  revokeOf(revoked, doctor);
  expect(revoked.verdict(revoked.signed(stranger, confirmationOf(revoked)))).toBe("emergency-attribute");
  expect(fresh().verdict(fresh().signed(stranger, confirmationOf(fresh())))).toBe("applied");
});

test("its end is after now and no further ahead than the consortium's lifetime", () => {
  const world = base.fork();
  clinicians(world);
  const recordId = ownRecord(world, "record");
  settle(world, { emergencyLifetimeMs: 2 * hourMs });
  const verdict = (aheadMs: number): string =>
    world.verdict(
      world.signed(doctor, declarationOf(world, [recordId], { endMs: world.timestampMs + aheadMs })),
    );
  expect(verdict(0)).toBe("emergency-time");
  expect(verdict(1)).toBe("applied");
  expect(verdict(2 * hourMs)).toBe("applied");
  expect(verdict(2 * hourMs + 1)).toBe("emergency-time");
});

test("a record that is not named is not read, and only the owner's own are named", () => {
  const world = base.fork();
  emergencyIn(world);
  const other = ownRecord(world, "other");
  expect(world.verdict(specialRead(world, doctor, { mode, recordId: other }))).toBe("emergency-record");
  const declare = (records: readonly Uint8Array[], changes: object = {}): string =>
    world.verdict(
      world.signed(doctor, declarationOf(world, records, { emergencyId: sha256(utf8("next")), ...changes })),
    );
  expect(declare([other])).toBe("applied");
  expect(declare([])).toBe("emergency-records");
  expect(declare([other, other])).toBe("emergency-records");
  expect(declare([sha256(utf8("no record"))])).toBe("emergency-records");
  expect(declare([other], { owner: stranger.account })).toBe("emergency-records");
  world.do(owner, { kind: "erase", recordId: other });
  expect(declare([other])).toBe("emergency-records");
});

test("a second clinician who saw another text confirms nothing", () => {
  const world = base.fork();
  clinicians(world);
  const recordId = ownRecord(world, "record");
  // The first one shows the colleague a harmless declaration and sends another under the same id.
  const shown = declarationOf(world, [recordId], { reason: "a scan that was asked for" });
  const harmless = world.fork();
  const seen = harmless.do(doctor, shown);
  world.do(doctor, declarationOf(world, [recordId]));
  const confirm = (declaration?: Uint8Array): string =>
    world.verdict(
      world.signed(stranger, confirmationOf(world, declaration === undefined ? {} : { declaration })),
    );
  expect(confirm(seen)).toBe("emergency-declaration");
  expect(confirm()).toBe("applied");
});

test("the second clinician gets no key, and reads nothing under the first one's", () => {
  const world = base.fork();
  const recordId = emergencyIn(world);
  issueSpecial(world, doctor, mode);
  const asked = specialKeyRequest(world, stranger, { mode });
  expect(world.verdict(world.signed(stranger, asked))).toBe("emergency-reader");
  expect(world.verdict(specialRead(world, stranger, { mode, recordId }))).toBe("emergency-reader");
});

test("the key is for the owner's emergency attribute and for no other", () => {
  const world = base.fork();
  emergencyIn(world);
  const verdict = (attributes: readonly string[]): string =>
    world.verdict(world.signed(doctor, specialKeyRequest(world, doctor, { mode, changes: { attributes } })));
  expect(verdict([emergencyAttribute(toHex(stranger.account))])).toBe("attributes-invalid");
  expect(verdict([`${toHex(owner.account)}@self`])).toBe("attributes-invalid");
  expect(verdict(["cardiologist@cedars"])).toBe("attributes-invalid");
  // Nor by the normal way: no namespace vouches for it.
  const { action } = world.keyRequest(doctor, {
    label: "leaf",
    attributes: [emergencyAttribute(toHex(owner.account))],
  });
  expect(world.verdict(world.signed(doctor, action))).toBe("vouch-missing");
  expect(
    load(world.state, entries.vouch, vouchKey(doctor.account, emergencyAttribute(toHex(owner.account)))),
  ).toBeUndefined();
});

test("a receipt takes a key that was issued, and that the account's present key asked for", () => {
  const world = base.fork();
  const recordId = emergencyIn(world);
  world.submit(specialRead(world, doctor, { mode, recordId }));
  const receipt = world.receiptAction(world.oneTime("read").id);
  expect(world.verdict(world.signed(service, receipt))).toBe("special-key-missing");
  issueSpecial(world, doctor, mode);
  expect(world.verdict(world.signed(service, receipt))).toBe("applied");
  // As after the account's key was replaced: the special key was another one's.
  const key = load(world.state, entries.specialKey, emergencyId)!;
  save(world.state, entries.specialKey, emergencyId, { ...key, publicKey: stranger.publicKey });
  expect(world.verdict(world.signed(service, receipt))).toBe("special-key-missing");
});

test("ended by the owner or either clinician, by nobody else, and then it is over for all steps", () => {
  const parties = [owner, doctor, stranger];
  for (const who of parties) {
    const world = base.fork();
    const recordId = emergencyIn(world);
    expect(world.verdict(world.signed(hospital, { kind: "end-emergency", emergencyId }))).toBe(
      "role-missing",
    );
    world.do(who, { kind: "end-emergency", emergencyId });
    expect(verdicts(world, recordId)).toEqual(["emergency-over", "emergency-over"]);
    expect(world.verdict(world.signed(who, { kind: "end-emergency", emergencyId }))).toBe("emergency-over");
  }
});

test("a raised era voids it, and no transaction of the new era brings it back", () => {
  const world = base.fork();
  const recordId = emergencyIn(world);
  issueSpecial(world, doctor, mode);
  raiseEra(world);
  expect(verdicts(world, recordId)).toEqual(["emergency-void", "emergency-void"]);
  const again = sha256(utf8("again"));
  world.do(doctor, declarationOf(world, [recordId], { emergencyId: again }));
  expect(world.verdict(world.signed(stranger, confirmationOf(world)))).toBe("emergency-void");
});

test("the review: once by the owner, once by a node, after the end, of what two clinicians stood behind", () => {
  const world = base.fork();
  emergencyIn(world);
  const review = { kind: "review-emergency", emergencyId, outcome: "justified", note: "seen" } as const;
  const verdict = (who: typeof owner): string => world.verdict(world.signed(who, review));
  expect(verdict(owner)).toBe("review-invalid");
  world.do(doctor, { kind: "end-emergency", emergencyId });
  for (const who of [doctor, stranger, hospital, service]) expect(verdict(who)).toBe("role-missing");
  world.do(owner, review);
  expect(verdict(owner)).toBe("review-invalid");
  world.do(nodes[0]!, { ...review, outcome: "unclear" });
  expect(verdict(nodes[1]!)).toBe("review-invalid");
  expect(load(world.state, entries.emergency, emergencyId)).toMatchObject({
    ownerReview: { outcome: "justified", account: owner.account },
    nodeReview: { outcome: "unclear", account: nodes[0]!.account },
  });
});

test("a key asked for again takes the place of the one before, and the emergency has one", () => {
  const world = base.fork();
  emergencyIn(world);
  const first = issueSpecial(world, doctor, mode);
  const second = issueSpecial(world, doctor, mode);
  expect(load(world.state, entries.specialKey, emergencyId)?.keyId).toEqual(second);
  expect(load(world.state, entries.key, first)?.retiredHeight).not.toBeNull();
});

test("a request for the key is of this epoch, to a registered provider, proves its secret, and has an id of its own", () => {
  const world = base.fork();
  emergencyIn(world);
  const asked = specialKeyRequest(world, doctor, { mode });
  const verdict = (changes: object): string => world.verdict(world.signed(doctor, { ...asked, ...changes }));
  expect(verdict({})).toBe("applied");
  expect(verdict({ epoch: 2 })).toBe("epoch-wrong");
  expect(verdict({ provider: hospital.account })).toBe("provider-unknown");
  // Another registered provider, which holds nothing of what is named, is no place for the key.
  const { publicKey, hpkeKey } = stranger;
  const elsewhere = world.fork();
  elsewhere.submit(elsewhere.admitted(stranger, { kind: "register-provider", publicKey, hpkeKey }));
  const changes = { provider: stranger.account };
  const bystander = specialKeyRequest(elsewhere, doctor, { mode, changes });
  expect(elsewhere.verdict(elsewhere.signed(doctor, bystander))).toBe("provider-unknown");
  // d names the emergency: a proof made for another one, or for another provider, is none.
  const other = specialKeyRequest(world, doctor, { mode, changes: { requestId: sha256(utf8("other")) } });
  expect(verdict({ proof: other.proof })).toBe("key-proof-invalid");
  expect(verdict({ blinded: other.blinded })).toBe("key-proof-invalid");
  world.do(doctor, asked);
  expect(world.verdict(world.signed(doctor, asked))).toBe("request-exists");
  const normal = world.keyRequest(doctor, { label: "normal", attributes: ["physician@cedars"] });
  world.do(doctor, normal.action);
  expect(verdict({ requestId: normal.action.requestId })).toBe("request-exists");
});

test("declared for a member, under an id of its own; what is not there cannot be ended or reviewed", () => {
  const world = base.fork();
  const recordId = emergencyIn(world);
  const verdict = (changes: object): string =>
    world.verdict(world.signed(doctor, declarationOf(world, [recordId], changes)));
  expect(verdict({})).toBe("emergency-exists");
  const fresh = sha256(utf8("fresh"));
  expect(verdict({ emergencyId: fresh })).toBe("applied");
  expect(verdict({ emergencyId: fresh, owner: service.account })).toBe("account-unknown");
  const none = { emergencyId: fresh };
  expect(world.verdict(world.signed(owner, { kind: "end-emergency", ...none }))).toBe("emergency-missing");
  const review = { kind: "review-emergency", outcome: "unclear", note: "x", ...none } as const;
  expect(world.verdict(world.signed(owner, review))).toBe("emergency-missing");
});

test("a node that answers the request for an emergency's key wrongly is named, and for a right answer it is not", () => {
  const world = base.fork();
  emergencyIn(world);
  const { pairing, chainId } = world;
  const action = specialKeyRequest(world, doctor, { mode });
  world.do(doctor, action);
  const { requestId, epoch, attributes, provider, grantId } = action;
  const blinded = pairing.g1.decode(action.blinded);
  const { account } = doctor;
  const request = {
    chainId,
    epoch,
    requestId,
    account,
    blinded,
    attributes,
    provider,
    mode,
    grantId,
  } as const;
  const verdict = (change: (answer: Uint8Array) => Uint8Array): string =>
    world.verdict(world.signed(service, evidenceOf(world, { request, proof: action.proof, change })));
  expect(verdict((answer) => answer)).toBe("fault-unfounded");
  expect(verdict(spoilt)).toBe("applied");
});
