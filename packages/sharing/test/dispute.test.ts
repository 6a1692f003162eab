/**
 * A T that does not open: who is at fault is found by the nodes from what both sides show them, and by nobody's word.
 * Real nodes over a real ledger; providers, sealers and readers that cheat in one thing each.
 */
import {
  type AttributeKey,
  decapsulate,
  decodeEncapsulation,
  decodeHeader,
  encodeContext,
  hpkeKeyPair,
  parsePolicy,
  proveRecovery,
  randomBytes,
  recoverFromTransform,
  sealedPolicy,
  sha256,
  toHex,
} from "@chartseal/crypto";
import { decodeTransaction, disputeAnswerMs, entries } from "@chartseal/ledger";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openAsJudge, sealToJudges } from "../src/dispute/box.ts";
import { encodeEvidence, proofContext } from "../src/dispute/evidence.ts";
import { judge } from "../src/dispute/judge.ts";
import { decodeOpening, encodeOpening } from "../src/dispute/opening.ts";
import {
  AccountWriter,
  askTransform,
  type Dispute,
  disputeTransform,
  type FailedAnswer,
  failedAnswer,
  open,
  readCommittee,
  readDispute,
  readDisputes,
  request,
  retrieve,
} from "../src/index.ts";
import { transformKeyId } from "../src/provider/custody-key.ts";
import { readEntry } from "../src/state.ts";
import { crookedDeposit } from "./crooked-sealer.ts";
import { nodesJudge as allJudge, answeredTo, settledIn, signedAs } from "./disputing.ts";
import { failure, type Member, readOut, World } from "./world.ts";

const policy = "doctor@cedars";
let world: World;
let ana: Member;
let ben: Member;
let recordId: Uint8Array;

beforeAll(async () => {
  world = await World.create({ n: 3, t: 2 });
  await world.hospital("cedars");
  ana = await world.member();
  ben = await world.member("doctor@cedars");
  await world.rule(ana, "cedars", policy);
  ({ recordId } = await world.byOwner(ana, { policy, text: "in dispute" }));
});
afterAll(() => world.close());
beforeEach(async () => {
  const live = await readEntry(world.ledger, entries.liveKey, ben.account);
  if (live === undefined) await world.renew(ben);
});

const answered = (record = recordId) => answeredTo(world, ben, record);
const signed = (failed: FailedAnswer, transform: Uint8Array) => signedAs(world, failed, transform);
const nodesJudge = (...numbers: readonly number[]) => allJudge(world, ...numbers);
const settled = (dispute: Dispute) => settledIn(world, dispute);

const opened = (failed: FailedAnswer) => disputeTransform(world, { member: ben, failed });

/** In the provider's name, a key of the cheat's choice is shown to the judges. */
async function openAs(
  dispute: Dispute,
  key: AttributeKey,
  dropped = new Map<string, Uint8Array>(),
): Promise<void> {
  const plaintext = encodeOpening(world.pairing, { keyId: dispute.keyId, key, dropped });
  const sealed = await sealToJudges(world, dispute, { side: "provider", plaintext });
  const writer = new AccountWriter(world.surroundings, world.providerIdentity);
  await writer.submit({ kind: "open-transform-key", disputeId: dispute.disputeId, ...sealed });
}

/** What the provider shows node 1. */
async function shownToFirst(dispute: Dispute) {
  await world.provider.follow();
  const { opening } = await readDispute(world, dispute.disputeId);
  const sealed = decodeTransaction((await world.ledger.transaction(opening!))!.bytes).body.action as never;
  const { identity } = world.nodeParts[0]!;
  const asked = { side: "provider", sealed, judge: identity.account } as const;
  const shown = await openAsJudge(world, dispute, { ...asked, secrets: [identity.hpkeSecret] });
  return { asked, ...decodeOpening(world.pairing, shown!) };
}

const custodyKey = async () => (await world.stores.keys.get(ben.account, ben.transformKeyId!))!.key;

describe("a provider at fault", () => {
  test("that answers with a flipped bit, a random element, or another record's T", async () => {
    const other = await world.byOwner(ana, { policy, text: "another" });
    const lies: ((failed: FailedAnswer) => Promise<Uint8Array>)[] = [
      async ({ answer }) => answer.transform.map((byte, at) => (at === 300 ? byte ^ 1 : byte)),
      async () => world.pairing.gt.encode(world.pairing.gt.one),
      async () => (await answered(other.recordId)).answer.transform,
    ];
    for (const lie of lies) {
      if ((await readEntry(world.ledger, entries.liveKey, ben.account)) === undefined) await world.renew(ben);
      const failed = await answered();
      const dispute = await opened(await signed(failed, await lie(failed)));
      expect(await settled(dispute)).toBe("provider");
      expect(await readEntry(world.ledger, entries.liveKey, ben.account)).toBeUndefined();
    }
  });

  test("that opens another key than the one it answered with", async () => {
    const failed = await answered();
    const dispute = await opened(failed);
    const key = await custodyKey();
    await openAs(dispute, {
      ...key,
      k1: world.pairing.g1.sum([key.k1, key.k1]),
    });
    expect(await settled(dispute)).toBe("provider");
  });

  /** Right in every part that was used, and yet not what the ledger shows as issued. */
  test("that opens a key whose hidden parts make another id", async () => {
    const dispute = await opened(await answered());
    const key = await custodyKey();
    const used = new Map([...key.k2].filter(([attribute]) => attribute === "doctor@cedars"));
    const hidden = new Map([[`${toHex(ben.account)}@self`, randomBytes(32)]]);
    await openAs(dispute, { ...key, k2: used }, hidden);
    expect(await settled(dispute)).toBe("provider");
  });

  /**
   * The provider announces the id of a key that is none, answers with it and opens it faithfully: the T is the key's own,
   * the reader's proof holds, and the header does not open. Were the key not looked at, the sealer would be convicted.
   */
  test("that registers a key which the committee never issued, and uses it faithfully", async () => {
    const { pairing, ledger } = world;
    const spoil: ((key: AttributeKey) => AttributeKey)[] = [
      (key) => ({ ...key, k1: pairing.g1.sum([key.k1, pairing.g1.generator]) }),
      (key) => ({ ...key, k2: new Map([...key.k2].map(([u, part]) => [u, pairing.g1.sum([part, part])])) }),
    ];
    for (const change of spoil) {
      if ((await readEntry(ledger, entries.liveKey, ben.account)) === undefined) await world.renew(ben);
      const right = await answered();
      const key = change(await custodyKey());
      const keyId = transformKeyId(pairing, key);
      // The ledger takes whatever id the provider names: here the entry is as if it had named this one.
      const value = (await readEntry(ledger, entries.key, ben.transformKeyId!))!;
      const header = decodeHeader(right.answer.header);
      const sealedUnder = sealedPolicy(parsePolicy(policy), toHex(ana.account));
      const encapsulation = decodeEncapsulation(pairing, header.encapsulation, sealedUnder);
      const made = decapsulate(pairing, {
        key,
        policy: sealedUnder,
        encapsulation,
        attributes: ["doctor@cedars"],
      });
      const transform = pairing.gt.encode(made);
      const mpk = (await readCommittee(ledger, pairing)).reading.publicKey;
      const blinded = (await readEntry(ledger, entries.keyRequest, value.requestId))!.blinded;
      const { digest } = (await readEntry(ledger, entries.record, recordId))!;
      const dispute = {
        ...{ disputeId: randomBytes(32), requestId: right.requestId, recordId, recordDigest: digest, keyId },
        ...{ reader: ben.account, provider: world.provider.account, rows: right.answer.statement.rows },
        ...{ answerHash: sha256(transform), nodes: [], threshold: 2, height: 1, timestampMs: 1 },
        ...{ opening: null, evidence: null, verdicts: [], outcome: null, endedHeight: null },
      };
      const context = proofContext(ledger.chainId, dispute);
      const about = { blinded: pairing.g1.decode(blinded), transform: made, mpk, context };
      const recovered = proveRecovery(pairing, about, ben.recoveryKey!);
      const evidence = { header: right.answer.header, recovered };
      const one = {
        dispute,
        chainId: ledger.chainId,
        mpk,
        blinded,
        opened: { key, dropped: new Map() },
        evidence,
      };
      expect(judge(pairing, one)).toBe("provider");
    }
  });

  test("that opens nothing, when its day is over", async () => {
    const failed = await answered();
    const dispute = await opened(failed);
    await nodesJudge(1, 2, 3);
    expect((await readDispute(world, dispute.disputeId)).verdicts).toEqual([]);
    world.advance(disputeAnswerMs + 60_000);
    // Block time moves with a block.
    await world.byOwner(ana, { policy, text: "a block" });
    await nodesJudge(1, 2, 3);
    expect((await readDispute(world, dispute.disputeId)).outcome).toBe("provider");
  });

  test("that shows the judges bytes which are no key", async () => {
    const dispute = await opened(await answered());
    const sealed = await sealToJudges(world, dispute, { side: "provider", plaintext: randomBytes(300) });
    const writer = new AccountWriter(world.surroundings, world.providerIdentity);
    await writer.submit({ kind: "open-transform-key", disputeId: dispute.disputeId, ...sealed });
    expect(await settled(dispute)).toBe("provider");
  });
});

/** A registered header, proved like any other, of which the readers' own row does not fit the policy's text. */
test("a sealer at fault is told from a provider and from a reader, and the record is marked", async () => {
  const own = toHex(ana.account);
  const rows = `nobody@self or ${own}@self or emergency.${own}@self`;
  const spoiled = await crookedDeposit(world, { author: ben, owner: ana, policy, rows });
  const granted = await request(world, { member: ben, recordId: spoiled });
  const transformed = await askTransform(world, { member: ben, granted });
  await failure("transform-invalid", () => open(world, { member: ben, granted, transformed }));
  const dispute = await opened(failedAnswer(granted, ben, transformed));
  expect(await settled(dispute)).toBe("sealer");
  const mark = await readEntry(world.ledger, entries.spoiledHeader, spoiled);
  expect(mark?.disputeId).toEqual(dispute.disputeId);
  // The provider that answers wrongly under such a header is convicted all the same.
  await world.renew(ben);
  const again = await answered(spoiled);
  const { transform } = (await answered()).answer;
  expect(await settled(await opened(await signed(again, transform)))).toBe("provider");
});

describe("a reader at fault", () => {
  test("that disputes a T which opens", async () => {
    expect(await settled(await opened(await answered()))).toBe("reader");
  });

  test("that proves with a z which is not its own", async () => {
    const failed = await answered();
    expect(await settled(await opened({ ...failed, recoveryKey: failed.recoveryKey + 1n }))).toBe("reader");
  });

  test("that shows the header of another record", async () => {
    const other = await world.byOwner(ana, { policy, text: "another" });
    const { header } = (await answered(other.recordId)).answer;
    const failed = await answered();
    expect(await settled(await opened({ ...failed, answer: { ...failed.answer, header } }))).toBe("reader");
  });

  test("that shows nothing where there was something to prove", async () => {
    const failed = await answered();
    const writer = new AccountWriter(world.surroundings, ben);
    const { rows, signature } = failed.answer.statement;
    const { requestId, transformKeyId: keyId, answer } = failed;
    const answerHash = sha256(answer.transform);
    const asked = { kind: "dispute-transform", requestId, keyId, rows, answerHash, signature } as const;
    const { identifier } = await writer.submit(asked);
    const dispute = await readDispute(world, identifier);
    const plaintext = encodeEvidence(world.pairing, { header: answer.header, recovered: null });
    const sealed = await sealToJudges(world, dispute, { side: "reader", plaintext });
    await writer.submit({ kind: "dispute-evidence", disputeId: identifier, ...sealed });
    expect(await settled(dispute)).toBe("reader");
  });
});

test("a provider whose dispute is settled while it answers goes on with its other duties", async () => {
  const dispute = await opened(await answered());
  const submit = world.ledger.submit.bind(world.ledger);
  let isFirst = true;
  const slow = new Proxy(world.ledger, {
    get: (target, name) => {
      if (name !== "submit") return Reflect.get(target, name).bind?.(target) ?? Reflect.get(target, name);
      return async (transaction: Uint8Array) => {
        if (isFirst) expect(await settled(dispute)).toBe("reader");
        isFirst = false;
        return await submit(transaction);
      };
    },
  });
  await world.newProvider(world.stores, slow).follow();
  expect(isFirst).toBe(false);
});

describe("the judges", () => {
  test("fewer than t settle nothing; the next one does", async () => {
    const failed = await answered();
    const dispute = await opened(
      await signed(
        failed,
        (await answered()).answer.transform.map((byte) => byte ^ 1),
      ),
    );
    await world.provider.follow();
    await nodesJudge(3);
    const waiting = await readDispute(world, dispute.disputeId);
    expect([waiting.outcome, waiting.verdicts.length]).toEqual([null, 1]);
    await nodesJudge(1);
    expect((await readDispute(world, dispute.disputeId)).outcome).toBe("provider");
  });

  test("one that lies is named by its own verdict, and the others prevail", async () => {
    const dispute = await opened(await answered());
    await world.provider.follow();
    const { opening, evidence } = await readDispute(world, dispute.disputeId);
    const liar = world.nodeParts[1]!.identity;
    const lie = {
      kind: "dispute-verdict",
      disputeId: dispute.disputeId,
      verdict: "provider",
      opening,
      evidence,
    } as const;
    await new AccountWriter(world.surroundings, liar).submit(lie);
    await nodesJudge(1, 3);
    const { outcome, verdicts } = await readDispute(world, dispute.disputeId);
    expect(outcome).toBe("reader");
    expect(verdicts.filter(({ verdict }) => verdict !== outcome).map(({ node }) => toHex(node))).toEqual([
      toHex(liar.account),
    ]);
  });

  test("see the parts that were used and no other, and nobody else sees them", async () => {
    const dispute = await opened(await answered());
    const { asked, key, dropped } = await shownToFirst(dispute);
    expect([...key.k2.keys()]).toEqual(["doctor@cedars"]);
    expect([...dropped.keys()]).toEqual([`${toHex(ben.account)}@self`]);
    const { identity } = world.nodeParts[0]!;
    const stranger = (await hpkeKeyPair()).privateKey;
    expect(await openAsJudge(world, dispute, { ...asked, secrets: [stranger] })).toBeUndefined();
    expect(
      await openAsJudge(world, dispute, { ...asked, side: "reader", secrets: [identity.hpkeSecret] }),
    ).toBeUndefined();
    expect(await settled(dispute)).toBe("reader");
  });
});

/** What the threat model says of a judge: it keeps what it was shown, and no ledger takes that back. */
test("a node that judged opens, with that reader's z, what those attributes open, after the verdict too", async () => {
  const { pairing } = world;
  const other = await world.byOwner(ana, { policy, text: "never disputed" });
  const { header } = (await answered(other.recordId)).answer;
  const dispute = await opened(await answered());
  const { key } = await shownToFirst(dispute);
  expect(await settled(dispute)).toBe("reader");
  const under = sealedPolicy(parsePolicy(policy), toHex(ana.account));
  const { context, encapsulation: bytes } = decodeHeader(header);
  const encapsulation = decodeEncapsulation(pairing, bytes, under);
  const transform = pairing.gt.encode(decapsulate(pairing, { key, policy: under, encapsulation }));
  const sealed = { policy: under, context: encodeContext(context), encapsulation };
  const finish = (recoveryKey: bigint) =>
    recoverFromTransform(pairing, { ...sealed, transform, recoveryKey });
  expect(finish(ben.recoveryKey!).message).toHaveLength(32);
  await failure("transform-invalid", () => finish(ben.recoveryKey! + 1n));
});

test("after a verdict the next use asks for a new key, and reads", async () => {
  await settled(await opened(await answered()));
  await failure("revoked", () => retrieve(world, { member: ben, recordId }));
  await world.renew(ben);
  expect(await readOut(await retrieve(world, { member: ben, recordId }))).toBe("in dispute");
  expect((await readDisputes(world)).every(({ outcome }) => outcome !== null)).toBe(true);
});
