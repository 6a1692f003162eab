/**
 * Who must collude to break what in an emergency (docs/threat-model.md): each line is played here with the keys that the
 * parties hold, on a provider that asks no ledger where the line has one.
 */
import {
  type AttributeKey,
  answerIssue,
  checkAnswer,
  combineAnswers,
  emergencyAttribute,
  type IssueRequest,
  issueDigest,
  proveBlind,
  randomBytes,
  toHex,
  transformKeyPair,
} from "@chartseal/crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  endEmergency,
  type Opened,
  open,
  readCommittee,
  rekey,
  rekeyAfterEmergencies,
  requireRecord,
  type Transformed,
} from "../src/index.ts";
import { rogueTransform } from "./rogue-provider.ts";
import { hospitalOf, inForce, keyFor, listed, reading, type Scene } from "./scene.ts";
import { failure, type Member, readOut, World } from "./world.ts";

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
  first = await world.member(listed);
  second = await world.member(listed);
  recordId = (await world.byOwner(owner, { policy: "surgeon@cedars", text: "named" })).recordId;
  other = (await world.byOwner(owner, { policy: "surgeon@cedars", text: "not named" })).recordId;
  scene = { owner, first, second, records: [recordId] };
});
afterAll(() => world.close());

async function finish(transformed: Transformed, id: Uint8Array, recoveryKey: bigint): Promise<Opened> {
  const granted = { record: await requireRecord(world.ledger, id), recordId: id };
  return await open(world, { member: { ...first, recoveryKey }, granted, transformed });
}

/** A key for the owner's emergency leaf out of these nodes' shares, which ask no ledger. */
async function keyOffTheLedger(count: number): Promise<{ key: AttributeKey; recoveryKey: bigint }> {
  const { pairing, ledger } = world;
  const { reading: committee } = await readCommittee(ledger, pairing);
  const pair = transformKeyPair(pairing, { mode: "emergency" });
  const request: IssueRequest = {
    chainId: ledger.chainId,
    epoch: committee.epoch,
    requestId: randomBytes(32),
    account: first.account,
    blinded: pair.blinded,
    attributes: [emergencyAttribute(toHex(owner.account))],
    provider: world.provider.account,
    mode: "emergency",
    grantId: randomBytes(32),
  };
  const proof = proveBlind(pairing, { pair, digest: issueDigest(pairing, request) });
  const answers = world.nodeParts.slice(0, count).map(({ shares }) => {
    const answer = answerIssue(pairing, { request, proof, key: committee, share: shares.reading });
    return checkAnswer(pairing, { request, key: committee, answer });
  });
  const key = combineAnswers(pairing, { threshold: count, answers });
  return { key, recoveryKey: pair.recoveryKey };
}

test("two clinicians and the provider, with every key that they hold and no node, open nothing", async () => {
  const held = [first, second].map(async ({ account, transformKeyId }) => ({
    key: (await world.stores.keys.get(account, transformKeyId!))!.key,
  }));
  for (const { key } of await Promise.all(held))
    expect(await rogueTransform(world, key, recordId)).toBeUndefined();
  // Pooled into one key: parts of two keys under two randomisers are no key of either.
  const [one, two] = await Promise.all(held);
  const pooled = { ...one!.key, k2: new Map([...two!.key.k2, ...one!.key.k2]) };
  expect(await rogueTransform(world, pooled, recordId)).toBeUndefined();
  const forged = {
    ...pooled,
    k2: new Map([[emergencyAttribute(toHex(owner.account)), [...pooled.k2.values()][0]!]]),
  };
  const transformed = await rogueTransform(world, forged, recordId);
  await failure("transform-invalid", () => finish(transformed!, recordId, first.recoveryKey!));
});

test("t − 1 nodes with both clinicians and the provider open nothing", async () => {
  const { key, recoveryKey } = await keyOffTheLedger(1);
  const transformed = await rogueTransform(world, key, recordId);
  await failure("transform-invalid", () => finish(transformed!, recordId, recoveryKey));
});

test("t nodes and the provider need no clinician, no emergency and no trace: this is what t is chosen against", async () => {
  const before = (await requireRecord(world.ledger, recordId)).logCount;
  const { key, recoveryKey } = await keyOffTheLedger(2);
  const transformed = await rogueTransform(world, key, recordId);
  expect(await readOut(await finish(transformed!, recordId, recoveryKey))).toBe("named");
  expect((await requireRecord(world.ledger, recordId)).logCount).toBe(before);
});

test("a provider that kept an ended emergency's key and its clinician open any record of the owner, rekeyed or not", async () => {
  const grant = await inForce(world, scene);
  const key = await keyFor(world, first, grant);
  const kept = (await world.stores.special.get(grant.grantId, key.keyId))!.key;
  await endEmergency(world, { by: owner, emergencyId: grant.grantId });
  world.advance(1000);
  const { rekeyed } = await rekeyAfterEmergencies(world, owner);
  expect(rekeyed).toHaveLength(2);
  // The leaf is the same in the new header: a rekey does not take it from who holds both halves of its key.
  for (const [id, text] of [
    [recordId, "named"],
    [other, "not named"],
  ] as const) {
    const transformed = await rogueTransform(world, kept, id);
    expect(await readOut(await finish(transformed!, id, key.recoveryKey))).toBe(text);
    // Each half alone opens nothing: the provider has no z, and the clinician no transform key.
    await failure("transform-invalid", () => finish(transformed!, id, first.recoveryKey!));
  }
});

test("a rekey voids what was transformed before it: an earlier T opens no later header", async () => {
  const grant = await inForce(world, scene);
  const key = await keyFor(world, first, grant);
  const kept = (await world.stores.special.get(grant.grantId, key.keyId))!.key;
  const old = await rogueTransform(world, kept, recordId);
  await rekey(world, { owner, recordId });
  const fresh = await rogueTransform(world, kept, recordId);
  const mixed = { ...fresh!, transform: old!.transform };
  await failure("transform-invalid", () => finish(mixed, recordId, key.recoveryKey));
  await endEmergency(world, { by: first, emergencyId: grant.grantId });
});

test("the file key that a clinician has seen opens the payload until rekey --payload, and not the one after it", async () => {
  const grant = await inForce(world, scene);
  const key = await keyFor(world, first, grant);
  const seen = await reading(world, { member: first, grant, key, recordId });
  await endEmergency(world, { by: owner, emergencyId: grant.grantId });
  world.advance(1000);
  await rekeyAfterEmergencies(world, owner);
  // The stream was opened in the emergency; its file key is still the payload's.
  expect(await readOut(seen)).toBe("named");
  await rekey(world, { owner, recordId, payload: true });
  await failure("object-missing", () => readOut(seen));
  const moved = await requireRecord(world.ledger, recordId);
  expect(moved.current.keyCommitment).not.toEqual(seen.record.current.keyCommitment);
});
