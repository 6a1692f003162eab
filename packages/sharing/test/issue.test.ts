/** Keys: what nodes answer and what they refuse, one bad node, custody at the provider, and what follows a revocation. */
import {
  decapsulate,
  encode,
  equalBytes,
  fromHex,
  hpkeSeal,
  randomBytes,
  recoverFromTransform,
  toHex,
} from "@chartseal/crypto";
import { decodeTransaction, entries } from "@chartseal/ledger";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type AuthorityNode,
  askNodes,
  checkHeader,
  type Provider,
  readCommittee,
  readEntry,
  renewTransformKey,
  requestKey,
  requireRecord,
  retrieve,
  type SealedAnswer,
} from "../src/index.ts";
import { failure, type Member, World } from "./world.ts";

const policy = "physician@cedars";
let world: World;
let ben: Member;

beforeAll(async () => {
  world = await World.create({ n: 3, t: 2 });
  await world.hospital("cedars");
  ben = await world.member(policy);
});
afterAll(() => world.close());

const selfOf = (member: Member) => `${toHex(member.account)}@self`;
const asked = (member: Member, ...attributes: string[]) =>
  requestKey(world, {
    member,
    attributes: [selfOf(member), ...attributes],
    provider: world.provider.account,
  });
const answersTo = (requestId: Uint8Array, nodes = world.nodes) =>
  askNodes(nodes, 2, (node) => node.answer(requestId));
const renewal = (member: Member, nodes: readonly AuthorityNode[], provider: Provider = world.provider) =>
  renewTransformKey(world, { member, nodes, provider, saved: async () => {} });

describe("a node answers", () => {
  test("nothing that the ledger does not show", async () => {
    await failure("issue-refused", () => world.nodes[0]!.answer(randomBytes(32)));
    await failure("issue-refused", () => world.nodes[0]!.basePartial(randomBytes(20)));
  });

  test("no request from before a revocation, though the ledger took it; else provider and reader kept one in store", async () => {
    const eve = await world.member(policy);
    const { requestId } = await asked(eve, policy);
    const early = await world.nodes[0]!.answer(requestId);
    await world.revoke(eve, policy);
    expect((await failure("issue-refused", () => world.nodes[1]!.answer(requestId))).data).toEqual({
      attribute: policy,
    });
    await failure("issue-refused", () => answersTo(requestId));
    expect(early.node).toBe(1);
  });

  test("no request twice once its key is live", async () => {
    const { requestId } = await asked(ben, policy);
    const answers = await answersTo(requestId);
    await world.provider.takeIssue({ requestId, answers });
    await failure("issue-refused", () => world.nodes[2]!.answer(requestId));
    await failure("issue-refused", () => world.provider.takeIssue({ requestId, answers }));
    await world.renew(ben);
  });

  test("with a fresh r each time, so that two answers to one request differ in all their parts", async () => {
    const { requestId } = await asked(ben, policy);
    const [one, two] = [await answersTo(requestId), await answersTo(requestId)];
    expect(one[0]!.sealed).not.toEqual(two[0]!.sealed);
    await world.provider.takeIssue({ requestId, answers: [one[0]!, two[1]!] });
    await world.renew(ben);
  });
});

describe("one node alone", () => {
  const bad: Record<string, (node: AuthorityNode) => AuthorityNode["answer"]> = {
    "that cannot be reached": () => async () => {
      throw new Error("no route");
    },
    "that refuses": (node) => async () => node.answer(randomBytes(32)),
    "that sends garbage": (node) => async () => ({ node: node.index, sealed: randomBytes(200) }),
    "that seals what it did not sign": (node) => async () => ({
      node: node.index,
      sealed: await hpkeSeal({
        receiver: world.providerIdentity.hpkePublic,
        info: new Uint8Array(0),
        plaintext: encode([randomBytes(10), randomBytes(64)]),
      }),
    }),
    "that answers in another's name": (node) => async (requestId) => ({
      ...(await node.answer(requestId)),
      node: 3,
    }),
    "that answers another request": (node) => async () => {
      const { requestId } = await asked(ben, policy);
      return await node.answer(requestId);
    },
  };
  test.each(Object.keys(bad))("%s keeps nobody from a key", async (how) => {
    const [first, ...rest] = world.nodes;
    const wrong: AuthorityNode = {
      index: first!.index,
      answer: bad[how]!(first!),
      basePartial: (account) => first!.basePartial(account),
    };
    const before = ben.transformKeyId!;
    await renewal(ben, [wrong, ...rest]);
    expect(equalBytes(ben.transformKeyId!, before)).toBe(false);
  });

  test("gives no key with its own help twice, nor do fewer than t", async () => {
    const { requestId } = await asked(ben, policy);
    const one = await world.nodes[0]!.answer(requestId);
    const again = await world.nodes[0]!.answer(requestId);
    for (const answers of [[], [one], [one, again]] as SealedAnswer[][]) {
      const error = await world.provider.takeIssue({ requestId, answers }).catch((caught) => caught);
      expect(["issue-invalid", "input-invalid"]).toContain(error.code);
    }
    await failure("ledger-unreachable", () => renewal(ben, world.nodes.slice(0, 1)));
  });

  test("is named where what it answered does not verify and too few others are left", async () => {
    const garbage = {
      ...world.nodes[0]!,
      index: 1,
      answer: bad["that sends garbage"]!(world.nodes[0]!),
    } as AuthorityNode;
    const error = await failure("issue-invalid", () => renewal(ben, [garbage, world.nodes[1]!]));
    expect(error.data).toMatchObject({ node: 1 });
  });
});

describe("the provider's custody", () => {
  test("a key whose attribute was revoked on its way is neither live nor kept", async () => {
    const eve = await world.member(policy);
    const live = eve.transformKeyId!;
    const { requestId } = await asked(eve, policy);
    const answers = await answersTo(requestId);
    await world.hospitals.get("cedars")!.revoke(eve.account, [policy]);
    await failure("policy-unsatisfied", () => world.provider.takeIssue({ requestId, answers }));
    expect([...world.stores.keys.keys.values()].filter(({ keyId }) => equalBytes(keyId, live))).toHaveLength(
      1,
    );
    expect(world.stores.keys.of(eve.account)).toHaveLength(1);
    for (const other of world.members) if (other !== eve) await world.refresh(other);
  });

  test("answers to another request, or for another provider's custody, make no key", async () => {
    const one = await asked(ben, policy);
    const two = await asked(ben, policy);
    const answers = await answersTo(one.requestId);
    await failure("issue-invalid", () => world.provider.takeIssue({ requestId: two.requestId, answers }));
    const mixed = [answers[0]!, (await answersTo(two.requestId))[1]!];
    await failure("issue-invalid", () =>
      world.provider.takeIssue({ requestId: one.requestId, answers: mixed }),
    );
  });

  test("two issues and a look at the ledger at once leave the one live key that the ledger names", async () => {
    const one = await asked(ben, policy);
    const two = await asked(ben, policy);
    const take = async ({ requestId }: { requestId: Uint8Array }) =>
      world.provider.takeIssue({ requestId, answers: await answersTo(requestId) });
    await Promise.all([take(one), world.provider.follow(), take(two), world.provider.follow()]);
    const live = (await readEntry(world.ledger, entries.liveKey, ben.account))!;
    expect(await world.stores.keys.get(ben.account, live.keyId)).toBeDefined();
    expect(world.stores.keys.of(ben.account)).toHaveLength(1);
    await world.renew(ben);
    const { recordId } = await world.byOwner(ben, { policy });
    await retrieve(world, { member: ben, recordId });
  });

  test("which key is live the ledger says: a provider that only says so is not believed", async () => {
    const lying = {
      ...({} as Provider),
      account: world.provider.account,
      takeIssue: async () => ({ keyId: randomBytes(32) }),
    };
    const before = ben.recoveryKey;
    await failure("issue-invalid", () => renewal(ben, world.nodes, lying));
    expect(ben.recoveryKey).toBe(before);
  });

  test("opens nothing alone: a key in custody with z = 1 is no full key", async () => {
    const { recordId, address } = await world.byOwner(ben, { policy });
    const record = await requireRecord(world.ledger, recordId);
    const { reading } = await readCommittee(world.ledger, world.pairing);
    const bytes = world.stores.objects.objects.get(`${address}.header`)!;
    const registered = { ...record, recordId, statement: record.current };
    const checked = checkHeader(world.pairing, { bytes, registered, mpk: reading.publicKey });
    const { key } = (await world.stores.keys.get(ben.account, ben.transformKeyId!))!;
    const transform = world.pairing.gt.encode(decapsulate(world.pairing, { key, ...checked }));
    const recover = (recoveryKey: bigint) => () =>
      Promise.resolve().then(() =>
        recoverFromTransform(world.pairing, { transform, recoveryKey, ...checked }),
      );
    await failure("transform-invalid", recover(1n));
    await recover(ben.recoveryKey!)();
  });
});

describe("after a revocation", () => {
  test("the key in custody has lost its part, the tombstone holds the whole transaction, the rest still opens", async () => {
    const eve = await world.member(policy, "nurse@cedars");
    await world.revoke(eve, policy);
    const parts = world.stores.keys.of(eve.account).flatMap(({ k2 }) => [...k2.keys()]);
    expect(parts).not.toContain(policy);
    expect(parts).toContain("nurse@cedars");
    const buried = world.stores.tombstones.lines.filter(
      (one) => one.kind === "revoked" && one.account === toHex(eve.account),
    );
    expect(buried).toHaveLength(1);
    const { body } = decodeTransaction(fromHex(buried[0]!.transaction));
    expect(body.action).toMatchObject({ kind: "revoke", attributes: [policy] });
    const { recordId } = await world.byOwner(ben, { policy: "nurse@cedars or physician@cedars" });
    await retrieve(world, { member: eve, recordId });
    // Issuing again, without the hospital, gives what still stands.
    await world.renew(eve);
    await retrieve(world, { member: eve, recordId });
  });

  test("of an attribute that no key held yet there is a tombstone too", async () => {
    const eve = await world.member();
    const cedars = world.hospitals.get("cedars")!;
    await cedars.vouch(eve.account, [policy]);
    await cedars.revoke(eve.account, []);
    await world.provider.follow();
    const account = toHex(eve.account);
    expect(world.stores.tombstones.lines).toContainEqual(
      expect.objectContaining({ kind: "revoked", account, attributes: [policy] }),
    );
    for (const other of world.members) await world.refresh(other);
  });
});
