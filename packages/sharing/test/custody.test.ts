/**
 * Keys that the ledger does not show as issued (CRYPTO §2.2). The attack in prose: t nodes of the committee collude with
 * a reader, and make a key for attributes that no hospital ever vouched for, off the ledger; the reader knows its z. The
 * key opens what it says. All that is missing is a provider that uses it, so every way into custody is tried: the
 * issue itself, answers smuggled under a request of the ledger, a file in the vault's folder, a restored backup.
 */
import {
  type AttributeKey,
  answerInfo,
  answerIssue,
  answerParts,
  type CheckedAnswer,
  checkAnswer,
  combineAnswers,
  decapsulate,
  encode,
  encodeAnswer,
  encodeAttributeKey,
  hpkeSeal,
  type IssueRequest,
  issueDigest,
  parsePolicy,
  proveBlind,
  randomBytes,
  recoverFromTransform,
  type Scalar,
  sealedPolicy,
  sha256,
  signTagged,
  sortAttributes,
  toHex,
  transformKeyPair,
} from "@chartseal/crypto";
import { entries } from "@chartseal/ledger";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  checkHeader,
  readCommittee,
  readEntry,
  requireRecord,
  retrieve,
  type SealedAnswer,
} from "../src/index.ts";
import { isKeyOfItsId, transformKeyId, withoutParts } from "../src/provider/custody-key.ts";
import { failure, type Member, readOut, World } from "./world.ts";

const wanted = "physician@cedars";
let world: World;
let ana: Member;
let eve: Member;

beforeAll(async () => {
  world = await World.create({ n: 3, t: 2 });
  await world.hospital("cedars");
  ana = await world.member(wanted, "nurse@cedars");
  eve = await world.member("porter@cedars");
});
afterAll(() => world.close());

interface OffLedger {
  readonly request: IssueRequest;
  readonly recoveryKey: Scalar;
  readonly answers: readonly SealedAnswer[];
  readonly key: AttributeKey;
}

/** What two colluding nodes make of their shares alone: answers as the real ones are, signed and sealed, and the key. */
async function madeOffLedger(requestId = randomBytes(32), attributes = [wanted]): Promise<OffLedger> {
  const { pairing, ledger } = world;
  const { reading } = await readCommittee(ledger, pairing);
  const pair = transformKeyPair(pairing);
  const request: IssueRequest = {
    chainId: ledger.chainId,
    epoch: reading.epoch,
    requestId,
    account: eve.account,
    blinded: pair.blinded,
    attributes: sortAttributes(attributes),
    provider: world.provider.account,
    mode: "transform",
  };
  const digest = issueDigest(pairing, request);
  const proof = proveBlind(pairing, { pair, digest });
  const checked: CheckedAnswer[] = [];
  const answers: SealedAnswer[] = [];
  for (const { identity, shares } of world.nodeParts.slice(0, 2)) {
    const answer = answerIssue(pairing, { request, proof, key: reading, share: shares.reading });
    checked.push(checkAnswer(pairing, { request, key: reading, answer }));
    const bytes = encodeAnswer(pairing, answer);
    const signature = signTagged(
      identity.seed,
      "authority/answer",
      ...answerParts(digest, identity.index, bytes),
    );
    const receiver = world.providerIdentity.hpkePublic;
    const info = answerInfo(digest, identity.index);
    const sealed = await hpkeSeal({ receiver, info, plaintext: encode([bytes, signature]) });
    answers.push({ node: identity.index, sealed });
  }
  const key = combineAnswers(pairing, { threshold: reading.threshold, answers: checked });
  return { request, recoveryKey: pair.recoveryKey, answers, key };
}

/** What a provider would send who uses any key that lies there, and whether eve opens it. */
async function opensWith(key: AttributeKey, recoveryKey: Scalar, recordId: Uint8Array): Promise<boolean> {
  const record = await requireRecord(world.ledger, recordId);
  const { reading } = await readCommittee(world.ledger, world.pairing);
  const bytes = world.stores.objects.objects.get(`${record.address}.header`)!;
  const registered = { ...record, recordId, statement: record.current };
  const header = checkHeader(world.pairing, { bytes, registered, mpk: reading.publicKey });
  const policy = sealedPolicy(parsePolicy(record.policy), toHex(record.owner));
  const shared = decapsulate(world.pairing, { ...header, key, policy, attributes: [wanted] });
  const transform = world.pairing.gt.encode(shared);
  recoverFromTransform(world.pairing, { ...header, transform, recoveryKey });
  return true;
}

const secret = () => world.byOwner(ana, { policy: `${wanted} or porter@cedars` });

describe("a key that t nodes made off the ledger", () => {
  test("opens what it says: nothing but the provider's refusal stands before it", async () => {
    const { key, recoveryKey } = await madeOffLedger();
    const { recordId } = await world.byOwner(ana, { policy: wanted });
    expect(await opensWith(key, recoveryKey, recordId)).toBe(true);
  });

  test("is not taken as an issue: the ledger shows no such request", async () => {
    const { request, answers } = await madeOffLedger();
    await failure("issue-refused", () => world.provider.takeIssue({ ...request, answers }));
  });

  test("is not taken under a request that the ledger does show: the answers are to another one", async () => {
    const live = (await readEntry(world.ledger, entries.liveKey, eve.account))!;
    const { answers } = await madeOffLedger(live.requestId);
    const left = await world.stores.keys.accounts();
    await failure("issue-invalid", () => world.provider.takeIssue({ requestId: live.requestId, answers }));
    expect(await world.stores.keys.accounts()).toEqual(left);
  });

  test("put into the vault's folder under the live key's id, it is not used: the id is of other parts", async () => {
    const { recordId } = await secret();
    const { key, recoveryKey } = await madeOffLedger(randomBytes(32), [wanted, "porter@cedars"]);
    const putBack = world.stores.backup();
    const custody = { keyId: eve.transformKeyId!, key, dropped: new Map<string, Uint8Array>() };
    await world.stores.keys.put(eve.account, custody);
    const reader = { ...eve, recoveryKey };
    await failure("issue-refused", () => retrieve(world, { member: reader, recordId }));
    // A provider that uses what lies there gives what opens the record.
    expect(await opensWith(key, recoveryKey, recordId)).toBe(true);
    putBack();
    expect(await readOut(await retrieve(world, { member: eve, recordId }))).toBe("a record");
  });

  test("put there as what a revocation left of the live key, it is not used either", async () => {
    const { recordId } = await secret();
    const { key, recoveryKey } = await madeOffLedger();
    const putBack = world.stores.backup();
    const live = (await world.stores.keys.get(eve.account, eve.transformKeyId!))!;
    const { dropped } = withoutParts(world.pairing, live, new Set(live.key.k2.keys()));
    await world.stores.keys.put(eve.account, { keyId: live.keyId, key, dropped });
    await failure("issue-refused", () => retrieve(world, { member: { ...eve, recoveryKey }, recordId }));
    // Its parts among those of the live key, too.
    const mixed = { ...live.key, k2: new Map([...live.key.k2, ...key.k2]) };
    await world.stores.keys.put(eve.account, { ...live, key: mixed });
    await failure("issue-refused", () => retrieve(world, { member: eve, recordId }));
    putBack();
  });

  test("restored from a backup under its own id, it is not used: the ledger's live key is another", async () => {
    const { recordId } = await secret();
    const { key, recoveryKey } = await madeOffLedger();
    const keyId = transformKeyId(world.pairing, key);
    const putBack = world.stores.backup();
    await world.stores.keys.put(eve.account, { keyId, key, dropped: new Map() });
    const reader = { ...eve, recoveryKey, transformKeyId: keyId };
    await failure("revoked", () => retrieve(world, { member: reader, recordId }));
    await world.provider.follow();
    expect(await world.stores.keys.get(eve.account, keyId)).toBeUndefined();
    putBack();
  });
});

describe("the id of a transform key", () => {
  test("stays the same when revocations take parts away, and fits no other rest", async () => {
    const member = await world.member(wanted, "nurse@cedars");
    const whole = (await world.stores.keys.get(member.account, member.transformKeyId!))!;
    await world.revoke(member, "nurse@cedars");
    const rest = (await world.stores.keys.get(member.account, member.transformKeyId!))!;
    expect([...rest.key.k2.keys()]).not.toContain("nurse@cedars");
    expect([...rest.dropped.keys()]).toEqual(["nurse@cedars"]);
    for (const one of [whole, rest]) expect(isKeyOfItsId(world.pairing, one)).toBe(true);
    expect(isKeyOfItsId(world.pairing, { ...rest, dropped: new Map() })).toBe(false);
    const renamed = new Map([["surgeon@cedars", rest.dropped.get("nurse@cedars")!]]);
    expect(isKeyOfItsId(world.pairing, { ...rest, dropped: renamed })).toBe(false);
    const { recordId } = await world.byOwner(ana, { policy: wanted });
    expect(await readOut(await retrieve(world, { member, recordId }))).toBe("a record");
  });

  test("of before parts had hashes is known while the key is whole, and no longer", async () => {
    const { key } = (await world.stores.keys.get(ana.account, ana.transformKeyId!))!;
    const keyId = sha256(encode(encodeAttributeKey(world.pairing, key)));
    const old = { keyId, key, dropped: new Map<string, Uint8Array>() };
    expect(isKeyOfItsId(world.pairing, old)).toBe(true);
    expect(isKeyOfItsId(world.pairing, withoutParts(world.pairing, old, new Set([wanted])))).toBe(false);
  });
});
