/**
 * A guardian or carer end to end with real keys: reads and sets rules for the owner until a time, under a key of its own,
 * and what it cannot do. What the ledger alone refuses is in packages/ledger/test/rules-proxy.test.ts.
 */
import { parsePolicy, selfAttribute, toHex } from "@chartseal/crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  AccountWriter,
  accessLog,
  appointmentFor,
  appointProxy,
  askTransform,
  endProxy,
  listAppointments,
  listProxies,
  readProxy,
  readRule,
  request,
  retrieve,
  revokeRuleAsProxy,
  setRuleAsProxy,
} from "../src/index.ts";
import { carerFor, hourMs, keyFor, providerAhead, raiseEra, reading } from "./scene.ts";
import { failure, type Member, readOut, World } from "./world.ts";

let world: World;
let owner: Member;
let carer: Member;
let recordId: Uint8Array;

beforeAll(async () => {
  world = await World.create({ n: 3, t: 2 });
  await world.hospital("cedars");
  owner = await world.member();
  carer = await world.member();
  recordId = (await world.byOwner(owner, { policy: "surgeon@cedars", text: "vaccinated" })).recordId;
});
afterAll(() => world.close());

test("a carer reads what the owner can, and is named in the log; the owner's and the carer's own keys are as they were", async () => {
  await failure("policy-unsatisfied", () => retrieve(world, { member: carer, recordId }));
  const grant = await carerFor(world, { owner, carer });
  const key = await keyFor(world, carer, grant);
  const opened = await reading(world, { member: carer, grant, key, recordId });
  expect(await readOut(opened)).toBe("vaccinated");
  const { entries } = await accessLog(world.ledger, { recordId, owner });
  expect(entries.at(-2)).toMatchObject({ event: "granted", proof: "proxy", reader: carer.account });
  expect(entries.at(-1)).toMatchObject({ event: "transformed", reader: carer.account });
  expect(entries.at(-1)?.fault).toBeUndefined();
  expect(world.stores.keys.idsOf(carer.account)).toEqual([carer.transformKeyId]);
  expect(world.stores.keys.idsOf(owner.account)).toEqual([owner.transformKeyId]);
  expect(await readOut(await retrieve(world, { member: owner, recordId }))).toBe("vaccinated");
  await endProxy(world, { by: owner, proxyId: grant.grantId });
  expect(world.stores.special.idsOf(grant.grantId)).toEqual([]);
});

test("sets and ends the owner's rule, as long as it is in force", async () => {
  const grant = await carerFor(world, { owner, carer });
  const place = { proxy: carer, proxyId: grant.grantId, namespace: "cedars" };
  await setRuleAsProxy(world, { ...place, policy: parsePolicy("doctor@cedars"), perDay: 3 });
  expect(await readRule(world.ledger, owner.account, "cedars")).toMatchObject({
    policy: "doctor@cedars",
    perDay: 3,
    revokedHeight: null,
  });
  await revokeRuleAsProxy(world, place);
  expect((await readRule(world.ledger, owner.account, "cedars"))?.revokedHeight).not.toBeNull();
  await endProxy(world, { by: carer, proxyId: grant.grantId });
  await failure("proxy-missing", () =>
    setRuleAsProxy(world, { ...place, policy: parsePolicy("nurse@cedars") }),
  );
});

test("at the end the provider refuses by its own clock and deletes, and then the ledger, with no transaction between", async () => {
  const grant = await carerFor(world, { owner, carer }, 60_000);
  const key = await keyFor(world, carer, grant);
  const reader = { ...carer, transformKeyId: key.keyId, recoveryKey: key.recoveryKey };
  const granted = await request(world, { member: reader, recordId, grant });
  const again = await request(world, { member: reader, recordId, grant });
  await askTransform(world, { member: reader, granted: again });
  const late = { ...world.surroundings, provider: providerAhead(world, 60_000) };
  const error = await failure("proxy-missing", () => askTransform(late, { member: reader, granted }));
  expect(error.data.refusalName).toBe("proxy-over");
  expect(world.stores.special.idsOf(grant.grantId)).toEqual([]);
  expect((await readProxy(world, grant.grantId)).status).toBe("in-force");
  const { height } = await world.ledger.head();
  world.advance(60_000);
  expect((await readProxy(world, grant.grantId)).status).toBe("ended");
  await failure("proxy-missing", () => reading(world, { member: carer, grant, key, recordId }));
  await failure("proxy-missing", () => keyFor(world, carer, grant));
  expect((await world.ledger.head()).height).toBe(height);
});

test("it reads no other owner's record, though the key's attribute is in that record's policy", async () => {
  const other = await world.member();
  const policy = `surgeon@cedars or ${toHex(owner.account)}@self`;
  const shared = await world.byOwner(other, { policy, text: "the other's" });
  // The owner is a reader of it, as a person. The carer is not: the appointment is for the owner's own records.
  expect(await readOut(await retrieve(world, { member: owner, recordId: shared.recordId }))).toBe(
    "the other's",
  );
  const grant = await carerFor(world, { owner, carer });
  const key = await keyFor(world, carer, grant);
  const error = await failure("proxy-missing", () =>
    reading(world, { member: carer, grant, key, recordId: shared.recordId }),
  );
  expect(error.data.refusalName).toBe("proxy-right");
  // Nor as a person in the owner's place, with the key that the provider holds for the owner's leaf.
  const lent = { ...carer, transformKeyId: key.keyId, recoveryKey: key.recoveryKey };
  await failure("policy-unsatisfied", () => request(world, { member: lent, recordId: shared.recordId }));
});

test("a proxy appoints no other: its own appointment opens nothing of the owner's", async () => {
  const grant = await carerFor(world, { owner, carer });
  const helper = await world.member();
  const { proxyId } = await appointProxy(world, {
    owner: carer,
    proxy: helper.account,
    endMs: world.now() + hourMs,
    may: ["read", "rules"],
  });
  const passedOn = { mode: "proxy", grantId: proxyId } as const;
  const key = await keyFor(world, helper, passedOn);
  await failure("proxy-missing", () => reading(world, { member: helper, grant: passedOn, key, recordId }));
  await failure("proxy-missing", () => keyFor(world, helper, grant));
  // The carer lends its own key and secret: the account that signs is not the one that was appointed.
  const own = await keyFor(world, carer, grant);
  await failure("proxy-missing", () => reading(world, { member: helper, grant, key: own, recordId }));
});

test("a key for reading in the owner's place serves no normal request", async () => {
  const grant = await carerFor(world, { owner, carer });
  const key = await keyFor(world, carer, grant);
  const lent = { ...carer, transformKeyId: key.keyId, recoveryKey: key.recoveryKey };
  const own = await world.byOwner(carer, { policy: `${toHex(carer.account)}@self`, text: "the carer's own" });
  const granted = await request(world, { member: carer, recordId: own.recordId });
  await failure("revoked", () => askTransform(world, { member: lent, granted }));
  expect(await readOut(await retrieve(world, { member: carer, recordId: own.recordId }))).toBe(
    "the carer's own",
  );
});

test("a carer whose account is given up reads nothing more and its key goes; a raised era voids it", async () => {
  const leaving = await world.member();
  const grant = await carerFor(world, { owner, carer: leaving });
  const key = await keyFor(world, leaving, grant);
  const attributes = [selfAttribute(toHex(leaving.account))];
  const { account } = leaving;
  await new AccountWriter(world, leaving).submit({ kind: "revoke", namespace: "self", account, attributes });
  await failure("proxy-missing", () => reading(world, { member: leaving, grant, key, recordId }));
  expect((await readProxy(world, grant.grantId)).status).toBe("void");
  await world.provider.follow();
  expect(world.stores.special.idsOf(grant.grantId)).toEqual([]);
  const staying = await carerFor(world, { owner, carer });
  const kept = await keyFor(world, carer, staying);
  await raiseEra(world);
  await failure("proxy-missing", () =>
    reading(world, { member: carer, grant: staying, key: kept, recordId }),
  );
  await world.provider.follow();
  expect(world.stores.special.idsOf(staying.grantId)).toEqual([]);
});

test("the appointment that serves is one in force, with the right, for that owner; both lists show all", async () => {
  const child = await world.member();
  const guardian = await world.member();
  const asked = { owner: child.account, proxy: guardian.account };
  await failure("proxy-missing", () => appointmentFor(world, { ...asked, right: "read" }));
  const appoint = async (may: readonly ("read" | "rules")[], aheadMs: number) =>
    (
      await appointProxy(world, {
        owner: child,
        proxy: guardian.account,
        endMs: world.now() + aheadMs,
        may,
      })
    ).proxyId;
  const rules = await appoint(["rules"], hourMs);
  await failure("proxy-missing", () => appointmentFor(world, { ...asked, right: "read" }));
  const short = await appoint(["read"], 60_000);
  const long = await appoint(["read"], 2 * hourMs);
  expect((await appointmentFor(world, { ...asked, right: "read" })).id).toEqual(long);
  expect((await appointmentFor(world, { ...asked, right: "rules" })).id).toEqual(rules);
  await endProxy(world, { by: child, proxyId: long });
  expect((await appointmentFor(world, { ...asked, right: "read" })).id).toEqual(short);
  world.advance(60_000);
  await failure("proxy-missing", () => appointmentFor(world, { ...asked, right: "read" }));
  const statuses = (await listProxies(world, child.account)).map(({ status }) => status);
  expect(statuses).toEqual(["in-force", "ended", "ended"]);
  expect(await listAppointments(world, guardian.account)).toHaveLength(3);
  expect(await listAppointments(world, child.account)).toEqual([]);
});
