/**
 * Proxies on the ledger: a guardian or carer acts for the owner, under a key of its own for the owner's leaf, until a
 * time at which nothing has to happen; and what a proxy cannot do.
 */
import { selfAttribute, sha256, toHex, utf8 } from "@chartseal/crypto";
import { beforeAll, expect, test } from "vitest";
import { signOneTime } from "../src/authorisation.ts";
import { outcomes } from "../src/rules/records.ts";
import { entries, items, lists, load, ruleKey } from "../src/state-kinds.ts";
import { ruleOf } from "./refusals/making.ts";
import {
  appointment,
  issueSpecial,
  ownRecord,
  proxyId,
  proxyIn,
  raiseEra,
  selfVouch,
  specialKeyRequest,
  specialRead,
} from "./special.ts";
import { doctor, hospital, owner, service, stranger, type World } from "./world.ts";
import { builtWorld } from "./world-build.ts";

let base: World;
beforeAll(async () => {
  base = await builtWorld();
});

const mode = "proxy";
/** The carer. */
const carer = stranger;
const rule = (() => {
  const { kind: _, ...fields } = ruleOf() as Extract<ReturnType<typeof ruleOf>, { kind: "set-rule" }>;
  return { kind: "set-rule-as-proxy", proxyId, ...fields } as const;
})();

/** What the world says of each step that stands on the appointment: key, reading, a rule, the end of a rule. */
function verdicts(world: World, recordId: Uint8Array): string[] {
  return [
    world.verdict(world.signed(carer, specialKeyRequest(world, carer, { mode }))),
    world.verdict(specialRead(world, carer, { mode, recordId, label: "verdict" })),
    world.verdict(world.signed(carer, rule)),
    world.verdict(world.signed(carer, { kind: "revoke-rule-as-proxy", proxyId, namespace: "cedars" })),
  ];
}
const allOf = (verdict: string): string[] => [verdict, verdict, verdict, verdict];

test("a carer gets a key of its own for the owner's leaf, reads as the owner would, and sets the owner's rule", () => {
  const world = base.fork();
  const recordId = proxyIn(world);
  const keyId = issueSpecial(world, carer, mode);
  expect(load(world.state, entries.specialKey, proxyId)).toMatchObject({
    keyId,
    mode,
    account: carer.account,
  });
  expect(load(world.state, entries.liveKey, carer.account)).toBeUndefined();
  world.submit(specialRead(world, carer, { mode, recordId }));
  const requestId = world.oneTime("read").id;
  expect(load(world.state, entries.request, requestId)).toMatchObject({
    outcome: outcomes.granted,
    proof: mode,
    account: carer.account,
  });
  world.do(service, world.receiptAction(requestId));
  world.do(carer, { ...rule, perDay: 7 });
  expect(load(world.state, entries.rule, ruleKey(owner.account, "cedars"))?.perDay).toBe(7);
  expect(load(world.state, entries.rule, ruleKey(carer.account, "cedars"))).toBeUndefined();
  world.do(carer, { kind: "revoke-rule-as-proxy", proxyId, namespace: "cedars" });
  expect(load(world.state, entries.rule, ruleKey(owner.account, "cedars"))?.revokedHeight).not.toBeNull();
  expect(items(world.state, lists.proxiesOfOwner, owner.account)).toEqual([proxyId]);
  expect(items(world.state, lists.proxiesOfAccount, carer.account)).toEqual([proxyId]);
});

test("until its end by block time, and no longer: key, issue, reading, receipt, rules, without any transaction", () => {
  const world = base.fork();
  const recordId = proxyIn(world);
  issueSpecial(world, carer, mode);
  const pending = specialKeyRequest(world, carer, { mode });
  world.do(carer, pending);
  const { endMs } = load(world.state, entries.proxy, proxyId)!;
  world.timestampMs = endMs - 1000;
  world.submit(specialRead(world, carer, { mode, recordId }));
  const receipt = world.receiptAction(world.oneTime("read").id);
  const late = (): string[] => {
    const { requestId } = pending;
    const issued = { kind: "key-issued", requestId, keyId: sha256(utf8("late")), nodes: [1, 2] } as const;
    return [world.verdict(world.signed(service, issued)), world.verdict(world.signed(service, receipt))];
  };
  world.timestampMs = endMs - 1;
  expect([...verdicts(world, recordId), ...late()]).toEqual([...allOf("applied"), "applied", "applied"]);
  world.timestampMs = endMs;
  expect(verdicts(world, recordId)).toEqual(allOf("proxy-over"));
  expect(late()).toEqual(["proxy-over", "proxy-over"]);
});

test("ended early by the owner or by the proxy, and by nobody else", () => {
  for (const who of [owner, carer]) {
    const world = base.fork();
    const recordId = proxyIn(world);
    expect(world.verdict(world.signed(doctor, { kind: "end-proxy", proxyId }))).toBe("role-missing");
    world.do(who, { kind: "end-proxy", proxyId });
    expect(verdicts(world, recordId)).toEqual(allOf("proxy-over"));
    expect(world.verdict(world.signed(who, { kind: "end-proxy", proxyId }))).toBe("proxy-over");
  }
});

test("a proxy appoints nobody for the owner: what it appoints is its own proxy", () => {
  const world = base.fork();
  const recordId = proxyIn(world);
  const other = sha256(utf8("another proxy"));
  world.do(doctor, selfVouch(doctor));
  world.do(carer, appointment(world, { proxyId: other, proxy: doctor.account }));
  expect(load(world.state, entries.proxy, other)?.owner).toEqual(carer.account);
  const changes = { emergencyId: other };
  expect(world.verdict(specialRead(world, doctor, { mode, recordId, changes }))).toBe("proxy-right");
  // Nor does the owner's appointment serve the one whom the carer would like to send.
  expect(world.verdict(specialRead(world, doctor, { mode, recordId }))).toBe("proxy-missing");
  const asked = specialKeyRequest(world, doctor, { mode });
  expect(world.verdict(world.signed(doctor, asked))).toBe("proxy-missing");
  // And the key of that appointment is for the carer's leaf, not for the owner's.
  const wrong = specialKeyRequest(world, doctor, { mode, changes: { grantId: other } });
  expect(world.verdict(world.signed(doctor, wrong))).toBe("attributes-invalid");
  const own = specialKeyRequest(world, doctor, {
    mode,
    changes: { grantId: other, attributes: [selfAttribute(toHex(carer.account))] },
  });
  expect(world.verdict(world.signed(doctor, own))).toBe("applied");
});

test("it serves the owner's records and no other's, even where the other's policy names the owner", () => {
  const world = base.fork();
  proxyIn(world);
  const policy = `nurse@cedars or ${toHex(owner.account)}@self`;
  const key = world.oneTime("other");
  const action = world.depositAction(key.id, {
    owner: doctor.account,
    namespace: null,
    authorPolicy: null,
    purposes: ["TREAT"],
    policy,
  });
  const body = world.body(action);
  world.submit(
    world.signed(doctor, action, {
      body,
      oneTime: signOneTime(key.seed, body),
      storageReceipt: world.stored(action),
    }),
  );
  expect(world.verdict(specialRead(world, carer, { mode, recordId: key.id }))).toBe("proxy-right");
  const person = world.requestAction("person", key.id, { proof: "person" });
  expect(world.verdict(world.namedRequest(owner, "person", person))).toBe("applied");
  expect(world.verdict(world.namedRequest(carer, "person", person))).toBe("person-unproved");
});

test("with the right to read alone it sets no rule, with the right to rules alone it reads nothing", () => {
  const reads = base.fork();
  const recordId = proxyIn(reads, { may: ["read"] });
  expect(verdicts(reads, recordId)).toEqual(["applied", "applied", "proxy-right", "proxy-right"]);
  const rules = base.fork();
  const other = proxyIn(rules, { may: ["rules"] });
  expect(verdicts(rules, other)).toEqual(["proxy-right", "proxy-right", "applied", "applied"]);
});

test("a carer whose account is given up is no proxy", () => {
  const world = base.fork();
  const recordId = proxyIn(world);
  expect(verdicts(world, recordId)).toEqual(allOf("applied"));
  const attributes = [selfAttribute(toHex(carer.account))];
  world.do(carer, { kind: "revoke", namespace: "self", account: carer.account, attributes });
  expect(verdicts(world, recordId)).toEqual(allOf("proxy-missing"));
});

test("a raised era voids it: an end that was lost with the tail does not come to life again", () => {
  const world = base.fork();
  const recordId = proxyIn(world);
  raiseEra(world);
  expect(verdicts(world, recordId)).toEqual(allOf("proxy-missing"));
  expect(world.verdict(world.signed(owner, { kind: "end-proxy", proxyId }))).toBe("proxy-over");
  const again = appointment(world, { proxyId: sha256(utf8("again")) });
  expect(world.verdict(world.signed(owner, again))).toBe("applied");
});

test("an appointment is of another member, with a right, each once, until a time to come, under an id of its own", () => {
  const world = base.fork();
  const verdict = (changes: object): string =>
    world.verdict(world.signed(owner, appointment(world, changes)));
  expect(verdict({})).toBe("applied");
  expect(verdict({ proxy: owner.account })).toBe("proxy-invalid");
  expect(verdict({ proxy: service.account })).toBe("account-unknown");
  expect(verdict({ may: [] })).toBe("proxy-invalid");
  expect(verdict({ may: ["read", "read"] })).toBe("proxy-invalid");
  expect(verdict({ endMs: world.timestampMs })).toBe("proxy-invalid");
  world.do(owner, appointment(world));
  expect(verdict({})).toBe("emergency-exists");
});

test("nobody but the proxy sets a rule under its appointment", () => {
  const world = base.fork();
  proxyIn(world);
  for (const who of [doctor, owner]) expect(world.verdict(world.signed(who, rule))).toBe("proxy-missing");
  expect(world.verdict(world.signed(carer, rule))).toBe("applied");
});

test("an emergency purpose is not a proxy's, and its proof without an appointment is none", () => {
  const world = base.fork();
  const recordId = proxyIn(world);
  world.submit(specialRead(world, carer, { mode, recordId, label: "btg", changes: { purpose: "BTG" } }));
  const { outcome } = load(world.state, entries.request, world.oneTime("btg").id)!;
  expect(outcome).toBe(outcomes["denied-purpose"]);
  const none = specialRead(world, carer, { mode, recordId, changes: { emergencyId: null } });
  expect(world.verdict(none)).toBe("emergency-missing");
  const { id } = world.oneTime("unknown");
  expect(world.verdict(specialRead(world, carer, { mode, recordId, changes: { emergencyId: id } }))).toBe(
    "proxy-missing",
  );
  const other = ownRecord(world, "other");
  expect(world.verdict(specialRead(world, hospital, { mode, recordId: other }))).toBe("proxy-missing");
});
