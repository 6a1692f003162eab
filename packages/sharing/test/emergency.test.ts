/**
 * Break-glass end to end with real keys (CRYPTO §3.1, Emergency leaf): what works while the owner is out of reach, and
 * every way in which a piece is missing at nodes, ledger or provider. What the ledger alone refuses is in
 * packages/ledger/test/rules-emergency.test.ts.
 */
import { emergencyAttribute, equalBytes, randomBytes, toHex } from "@chartseal/crypto";
import { entries } from "@chartseal/ledger";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  accessLog,
  askTransform,
  checkIssuance,
  endEmergency,
  type GrantName,
  identityOf,
  listEmergencies,
  listKeys,
  newIdentitySeeds,
  obtainSpecialKey,
  proveIssuance,
  readEmergency,
  readEntry,
  recordsToRekey,
  rekeyAfterEmergencies,
  replaceKey,
  request,
  requestKey,
  requireRecord,
  retrieve,
  reviewEmergency,
  specialKeyOf,
} from "../src/index.ts";
import {
  confirmed,
  declared,
  hospitalOf,
  hourMs,
  inForce,
  keyFor,
  listed,
  providerAhead,
  raiseEra,
  reading,
  type Scene,
} from "./scene.ts";
import { failure, type Member, movedTo, readOut, World } from "./world.ts";

let world: World;
let owner: Member;
let first: Member;
let second: Member;
let recordId: Uint8Array;
let other: Uint8Array;
let scene: Scene;

beforeAll(async () => {
  world = await World.create({ n: 3, t: 2 });
  await hospitalOf(world);
  owner = await world.member();
  first = await world.member("doctor@cedars", listed);
  second = await world.member(listed);
  await world.rule(owner, "cedars", "doctor@cedars");
  recordId = (await world.byOwner(owner, { policy: "surgeon@cedars", text: "allergic to penicillin" }))
    .recordId;
  other = (await world.byOwner(owner, { policy: "surgeon@cedars", text: "something else" })).recordId;
  scene = { owner, first, second, records: [recordId] };
});
afterAll(() => world.close());

describe("two clinicians, while the owner is out of reach,", () => {
  test("open the record that they named; every step stands, and the account's own key is as it was", async () => {
    const live = await readEntry(world.ledger, entries.liveKey, first.account);
    // By the normal way the clinician reads nothing: the policy asks for a surgeon.
    await failure("policy-unsatisfied", () => retrieve(world, { member: first, recordId }));
    const grant = await inForce(world, scene);
    const key = await keyFor(world, first, grant);
    const opened = await reading(world, { member: first, grant, key, recordId });
    expect(await readOut(opened)).toBe("allergic to penicillin");
    expect(await readEntry(world.ledger, entries.liveKey, first.account)).toEqual(live);
    expect(world.stores.keys.idsOf(first.account)).toHaveLength(1);
    const log = await accessLog(world.ledger, { recordId, owner });
    const steps = log.entries.slice(-2);
    expect(steps.map(({ event }) => event)).toEqual(["granted", "transformed"]);
    expect(steps[1]).toMatchObject({ purpose: "BTG", reader: first.account });
    expect(steps[1]?.fault).toBeUndefined();
    expect(steps[0]).toMatchObject({
      proof: "emergency",
      purpose: "BTG",
      reader: first.account,
      grantId: grant.grantId,
    });
    await endEmergency(world, { by: owner, emergencyId: grant.grantId });
  });

  test("are seen by the owner from the declaration on, each stage as it is", async () => {
    const grantId = await declared(world, scene);
    const status = async () => (await readEmergency(world, grantId)).status;
    expect((await listEmergencies(world, owner.account)).at(-1)?.id).toEqual(grantId);
    expect(await status()).toBe("declared");
    await confirmed(world, scene, { emergencyId: grantId });
    expect(await status()).toBe("in-force");
    await endEmergency(world, { by: first, emergencyId: grantId });
    expect(await readEmergency(world, grantId)).toMatchObject({
      status: "over",
      reviewsOpen: ["owner", "authority"],
    });
    const review = { emergencyId: grantId, outcome: "justified", note: "thank you" } as const;
    await reviewEmergency(world, { by: owner, ...review });
    await reviewEmergency(world, { by: world.nodeParts[0]!.identity, ...review });
    expect((await readEmergency(world, grantId)).reviewsOpen).toEqual([]);
    const alone = await declared(world, scene);
    await endEmergency(world, { by: first, emergencyId: alone });
    expect(await readEmergency(world, alone)).toMatchObject({ status: "lapsed", reviewsOpen: [] });
  });
});

describe("is refused when a piece is missing:", () => {
  test("one clinician alone gets no key", async () => {
    const grantId = await declared(world, scene);
    const grant = { mode: "emergency", grantId } as const;
    const error = await failure("emergency-missing", () => keyFor(world, first, grant));
    expect(error.data.refusalName).toBe("emergency-unconfirmed");
  });

  test("fewer than t nodes answer: no key, whatever the ledger says", async () => {
    const grant = await inForce(world, scene);
    const few = { ...world.surroundings, provider: world.provider, nodes: world.nodes.slice(0, 1) };
    const saved = async (): Promise<void> => {};
    await failure("ledger-unreachable", () => obtainSpecialKey(few, { member: first, grant, saved }));
    expect(world.stores.special.idsOf(grant.grantId)).toEqual([]);
    expect(await readEntry(world.ledger, entries.specialKey, grant.grantId)).toBeUndefined();
    // Two of the three are enough.
    const two = { ...few, nodes: world.nodes.slice(1) };
    await obtainSpecialKey(two, { member: first, grant, saved });
  });

  test("a node does not answer a request of an emergency that has ended since, nor one that has run out by its clock", async () => {
    const grant = await inForce(world, scene);
    let requestId: Uint8Array | undefined;
    const saved = async (secret: { requestId: Uint8Array }): Promise<void> => {
      requestId = secret.requestId;
    };
    const none = { ...world.surroundings, provider: world.provider, nodes: [] };
    await failure("ledger-unreachable", () => obtainSpecialKey(none, { member: first, grant, saved }));
    await world.nodes[0]!.answer(requestId!);
    world.advance(2 * hourMs);
    // No block has come since: block time stands where it was.
    await failure("emergency-missing", () => world.nodes[0]!.answer(requestId!));
    world.advance(-2 * hourMs);
    await endEmergency(world, { by: second, emergencyId: grant.grantId });
    await failure("emergency-missing", () => world.nodes[0]!.answer(requestId!));
  });

  test("the provider keeps no key of an emergency that ended between answers and announcement", async () => {
    const grant = await inForce(world, scene);
    const nodes = world.nodes.map(({ index, answer: _, ...node }, at) => ({
      ...node,
      index,
      basePartial: (account: Uint8Array) => world.nodes[at]!.basePartial(account),
      answer: async (requestId: Uint8Array) => {
        const answered = await world.nodes[at]!.answer(requestId);
        // The last one that is asked: from here the answers are on their way to the provider.
        if (at === 1) await endEmergency(world, { by: owner, emergencyId: grant.grantId });
        return answered;
      },
    }));
    const late = { ...world.surroundings, nodes, provider: world.provider };
    const saved = async (): Promise<void> => {};
    await failure("emergency-missing", () => obtainSpecialKey(late, { member: first, grant, saved }));
    expect(world.stores.special.idsOf(grant.grantId)).toEqual([]);
  });

  test("past the end the provider refuses by its own clock, while the ledger's block time stands still", async () => {
    const grant = await inForce(world, scene);
    const key = await keyFor(world, first, grant);
    const reader = { ...first, transformKeyId: key.keyId, recoveryKey: key.recoveryKey };
    const granted = await request(world, { member: reader, recordId, grant });
    // The grant itself lives for ten minutes: the emergency's end is made to fall inside of them.
    const short = await inForce(world, scene, { aheadMs: 60_000 });
    const shortKey = await keyFor(world, first, short);
    const late = { ...first, transformKeyId: shortKey.keyId, recoveryKey: shortKey.recoveryKey };
    const lateGranted = await request(world, { member: late, recordId, grant: short });
    const ahead = { ...world.surroundings, provider: providerAhead(world, 60_000) };
    const error = await failure("emergency-missing", () =>
      askTransform(ahead, { member: late, granted: lateGranted }),
    );
    expect(error.data.refusalName).toBe("emergency-over");
    await askTransform(ahead, { member: reader, granted });
  });

  test("a record that the emergency does not name is refused, by ledger and provider", async () => {
    const grant = await inForce(world, scene);
    const key = await keyFor(world, first, grant);
    const error = await failure("emergency-missing", () =>
      reading(world, { member: first, grant, key, recordId: other }),
    );
    expect(error.data.refusalName).toBe("emergency-record");
    // A grant of one emergency, used with the key of another that names another record.
    const both = await inForce(world, { ...scene, records: [other] });
    const granted = await request(world, { member: first, recordId: other, grant: both });
    const reader = { ...first, transformKeyId: key.keyId, recoveryKey: key.recoveryKey };
    await failure("revoked", () => askTransform(world, { member: reader, granted }));
  });

  test("the second clinician cannot use the first one's key, lent with its secret", async () => {
    const grant = await inForce(world, scene);
    const key = await keyFor(world, first, grant);
    const error = await failure("emergency-missing", () =>
      reading(world, { member: second, grant, key, recordId }),
    );
    expect(error.data.refusalName).toBe("emergency-reader");
    const granted = await request(world, { member: first, recordId, grant });
    const lent = { ...second, transformKeyId: key.keyId, recoveryKey: key.recoveryKey };
    await failure("signature-invalid", () => askTransform(world, { member: lent, granted }));
  });

  test("the emergency's key serves no normal request, and the account's own key no emergency", async () => {
    const grant = await inForce(world, scene);
    const key = await keyFor(world, first, grant);
    const readable = await world.byAuthor(first, owner, { namespace: "cedars", policy: "doctor@cedars" });
    const special = { ...first, transformKeyId: key.keyId, recoveryKey: key.recoveryKey };
    const normal = await request(world, { member: first, recordId: readable.recordId });
    await failure("revoked", () => askTransform(world, { member: special, granted: normal }));
    await askTransform(world, {
      member: first,
      granted: await request(world, { member: first, recordId: readable.recordId }),
    });
    const granted = await request(world, { member: first, recordId, grant });
    await failure("revoked", () => askTransform(world, { member: first, granted }));
  });

  test("an attribute revoked after the grant stops the transform", async () => {
    const cara = await world.member(listed);
    const grant = await inForce(world, { ...scene, first: cara });
    const key = await keyFor(world, cara, grant);
    const reader = { ...cara, transformKeyId: key.keyId, recoveryKey: key.recoveryKey };
    const granted = await request(world, { member: reader, recordId, grant });
    await world.hospitals.get("cedars")!.revoke(cara.account, [listed]);
    await failure("emergency-missing", () => askTransform(world, { member: reader, granted }));
    // Asked once more, the provider looks what else is over.
    expect(world.stores.special.idsOf(grant.grantId)).toEqual([]);
  });

  test("a clinician whose account key was replaced takes no emergency along: the special key was the old key's", async () => {
    const dora = await world.member(listed);
    const grant = await inForce(world, { ...scene, first: dora });
    const key = await keyFor(world, dora, grant);
    const next = await identityOf({ ...newIdentitySeeds(), account: dora.account });
    await replaceKey(world, { member: dora, next });
    const moved = movedTo(world, dora, next);
    await world.collect(moved);
    await world.provider.follow();
    expect(world.stores.special.idsOf(grant.grantId)).toEqual([]);
    // Whoever found the old device has its keys and the secret of the emergency.
    await failure("signature-invalid", () => reading(world, { member: dora, grant, key, recordId }));
    await failure("revoked", () => reading(world, { member: moved, grant, key, recordId }));
    const fresh = await keyFor(world, moved, grant);
    expect(await readOut(await reading(world, { member: moved, grant, key: fresh, recordId }))).toContain(
      "allergic",
    );
  });

  test("a key file from a restored backup, or another in its place, opens nothing", async () => {
    const grant = await inForce(world, scene);
    const key = await keyFor(world, first, grant);
    const reader = { ...first, transformKeyId: key.keyId, recoveryKey: key.recoveryKey };
    const granted = await request(world, { member: reader, recordId, grant });
    const putBack = world.stores.backup();
    await endEmergency(world, { by: first, emergencyId: grant.grantId });
    expect(world.stores.special.idsOf(grant.grantId)).toEqual([]);
    putBack();
    expect(world.stores.special.idsOf(grant.grantId)).toHaveLength(1);
    await failure("emergency-missing", () => askTransform(world, { member: reader, granted }));
    putBack();
    await world.newProvider().follow();
    expect(world.stores.special.idsOf(grant.grantId)).toEqual([]);
    const next = await inForce(world, scene);
    const nextKey = await keyFor(world, first, next);
    const nextReader = { ...first, transformKeyId: nextKey.keyId, recoveryKey: nextKey.recoveryKey };
    const swapped = (await world.stores.keys.get(first.account, first.transformKeyId!))!;
    await world.stores.special.put(next.grantId, { ...swapped, keyId: nextKey.keyId });
    const nextGranted = await request(world, { member: nextReader, recordId, grant: next });
    await failure("issue-refused", () => askTransform(world, { member: nextReader, granted: nextGranted }));
  });
});

/** Asked for on the ledger and answered by nobody yet. */
async function asked(member: Member, grant: GrantName): Promise<Uint8Array> {
  let requestId: Uint8Array | undefined;
  const saved = async (secret: { requestId: Uint8Array }): Promise<void> => {
    requestId = secret.requestId;
  };
  const nobody = { ...world.surroundings, provider: world.provider, nodes: [] };
  await failure("ledger-unreachable", () => obtainSpecialKey(nobody, { member, grant, saved }));
  return requestId!;
}

describe("answers to a request for a special key", () => {
  const answersTo = (requestId: Uint8Array) =>
    Promise.all(world.nodes.slice(0, 2).map((node) => node.answer(requestId)));

  test("make no key of another emergency's request, of the account's own, or of each other's", async () => {
    const [grant, next] = [await inForce(world, scene), await inForce(world, scene)];
    const [requestId, nextId] = [await asked(first, grant), await asked(first, next)];
    const [answers, others] = [await answersTo(requestId), await answersTo(nextId)];
    const { provider } = world;
    await failure("issue-invalid", () => provider.takeIssue({ requestId: nextId, answers }));
    await failure("issue-invalid", () =>
      provider.takeIssue({ requestId, answers: [answers[0]!, others[1]!] }),
    );
    const own = await requestKey(world, {
      member: first,
      attributes: [listed],
      provider: provider.account,
    });
    await failure("issue-invalid", () => provider.takeIssue({ requestId: own.requestId, answers }));
    const ownAnswers = await answersTo(own.requestId);
    await failure("issue-invalid", () => provider.takeIssue({ requestId, answers: ownAnswers }));
    expect(world.stores.special.idsOf(grant.grantId)).toEqual([]);
    expect(world.stores.special.idsOf(next.grantId)).toEqual([]);
  });

  test("are taken once: sent twice they make nothing, one alone makes nothing, and a node answers no more", async () => {
    const grant = await inForce(world, scene);
    const requestId = await asked(first, grant);
    const answers = await answersTo(requestId);
    const few = { requestId, answers: answers.slice(1) };
    await expect(world.provider.takeIssue(few)).rejects.toThrow();
    await expect(
      world.provider.takeIssue({ requestId, answers: [answers[0]!, answers[0]!] }),
    ).rejects.toThrow();
    const { keyId } = await world.provider.takeIssue({ requestId, answers });
    await failure("issue-refused", () => world.provider.takeIssue({ requestId, answers }));
    await failure("issue-refused", () => world.nodes[2]!.answer(requestId));
    expect(world.stores.special.idsOf(grant.grantId)).toEqual([keyId]);
  });
});

describe("the keys of an account and of its emergencies", () => {
  test("all stand in the account's list, which is proved whole, with what each rested on", async () => {
    const grant = await inForce(world, scene);
    await keyFor(world, first, grant);
    const keys = await listKeys(world.ledger, first.account);
    const special = keys.filter(({ mode }) => mode === "emergency");
    expect(special.at(-1)).toMatchObject({
      keyId: expect.any(Uint8Array),
      live: false,
      attributes: [emergencyAttribute(toHex(owner.account))],
      vouches: [{ height: expect.any(Number) }],
    });
    expect(keys.filter(({ live }) => live)).toHaveLength(1);
    const proof = await proveIssuance(world.ledger, first.account);
    const { faults, keys: proved } = await checkIssuance(proof, { genesis: world.ledger.genesis });
    expect(faults).toEqual([]);
    expect(proved).toEqual(keys);
  });

  test("are deleted apart: a renewed account key leaves the emergency's, the emergency's end leaves the account's", async () => {
    const grant = await inForce(world, scene);
    const key = await keyFor(world, first, grant);
    await world.renew(first);
    await world.provider.follow();
    expect(world.stores.special.idsOf(grant.grantId)).toEqual([key.keyId]);
    expect(await readOut(await reading(world, { member: first, grant, key, recordId }))).toContain(
      "allergic",
    );
    await endEmergency(world, { by: owner, emergencyId: grant.grantId });
    expect(world.stores.special.idsOf(grant.grantId)).toEqual([]);
    expect(world.stores.keys.idsOf(first.account)).toEqual([first.transformKeyId]);
  });

  test("a key asked for again replaces the one before, and the first secret finishes nothing any more", async () => {
    const grant = await inForce(world, scene);
    const lost = await keyFor(world, first, grant);
    const key = await keyFor(world, first, grant);
    expect(world.stores.special.idsOf(grant.grantId)).toEqual([key.keyId]);
    await failure("revoked", () => reading(world, { member: first, grant, key: lost, recordId }));
    expect(await specialKeyOf(world, grant, lost)).toBeUndefined();
    expect((await specialKeyOf(world, grant, key))?.keyId).toEqual(key.keyId);
  });

  test("one that a crash left beside the present one goes with the next following, and the present one stays", async () => {
    const grant = await inForce(world, scene);
    const key = await keyFor(world, first, grant);
    const present = (await world.stores.special.get(grant.grantId, key.keyId))!;
    await world.stores.special.put(grant.grantId, { ...present, keyId: randomBytes(32) });
    await world.provider.dropEnded();
    expect(world.stores.special.idsOf(grant.grantId)).toEqual([key.keyId]);
  });

  test("the emergency's goes when time alone has ended it, with no block to say so", async () => {
    const grant = await inForce(world, scene, { aheadMs: 60_000 });
    await keyFor(world, first, grant);
    await world.provider.dropEnded();
    expect(world.stores.special.idsOf(grant.grantId)).toHaveLength(1);
    await providerAhead(world, 60_000).dropEnded();
    expect(world.stores.special.idsOf(grant.grantId)).toEqual([]);
  });
});

describe("afterwards", () => {
  test("the owner's next use rekeys all of the owner's records once, and an emergency without a key none", async () => {
    world.advance(hourMs);
    await rekeyAfterEmergencies(world, owner);
    const grant = await inForce(world, scene, { aheadMs: 60_000 });
    expect(await recordsToRekey(world, owner.account)).toEqual([]);
    await keyFor(world, first, grant);
    expect(await recordsToRekey(world, owner.account)).toEqual([]);
    world.advance(60_000);
    const old = await recordsToRekey(world, owner.account);
    expect(old.map((one) => toHex(one.recordId))).toEqual(
      expect.arrayContaining([toHex(recordId), toHex(other)]),
    );
    const before = await requireRecord(world.ledger, recordId);
    const { rekeyed, failed } = await rekeyAfterEmergencies(world, owner);
    expect(failed).toEqual([]);
    expect(rekeyed).toHaveLength(old.length);
    const after = await requireRecord(world.ledger, recordId);
    expect(after.version).toBe(before.version + 1);
    expect(equalBytes(after.headerHash, before.headerHash)).toBe(false);
    expect(await recordsToRekey(world, owner.account)).toEqual([]);
    expect(await readOut(await retrieve(world, { member: owner, recordId }))).toBe("allergic to penicillin");
    const unused = await inForce(world, scene, { aheadMs: 60_000 });
    const alone = await declared(world, scene, { aheadMs: 60_000 });
    world.advance(60_000);
    expect(await readEmergency(world, unused.grantId)).toMatchObject({ status: "over", keyIssued: false });
    expect((await readEmergency(world, alone)).status).toBe("lapsed");
    expect(await recordsToRekey(world, owner.account)).toEqual([]);
  });

  test("a grant of before the rekey is void: its version is gone", async () => {
    const grant = await inForce(world, scene);
    const key = await keyFor(world, first, grant);
    const reader = { ...first, transformKeyId: key.keyId, recoveryKey: key.recoveryKey };
    const granted = await request(world, { member: reader, recordId, grant });
    await endEmergency(world, { by: owner, emergencyId: grant.grantId });
    world.advance(1000);
    await rekeyAfterEmergencies(world, owner);
    // Done once, though the time that the emergency was declared for is not over.
    expect(await recordsToRekey(world, owner.account)).toEqual([]);
    await failure("grant-missing", () => askTransform(world, { member: reader, granted }));
  });

  test("a raised era voids it, at the provider too, and its records are rekeyed", async () => {
    const grant = await inForce(world, scene);
    const key = await keyFor(world, first, grant);
    world.advance(1000);
    await raiseEra(world);
    expect((await readEmergency(world, grant.grantId)).status).toBe("void");
    const error = await failure("emergency-missing", () =>
      reading(world, { member: first, grant, key, recordId }),
    );
    expect(error.data.refusalName).toBe("emergency-void");
    await world.provider.follow();
    expect(world.stores.special.idsOf(grant.grantId)).toEqual([]);
    world.advance(1000);
    const { rekeyed } = await rekeyAfterEmergencies(world, owner);
    expect(rekeyed.length).toBeGreaterThan(0);
    expect(await recordsToRekey(world, owner.account)).toEqual([]);
  });
});
