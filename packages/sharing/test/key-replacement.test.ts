/**
 * A lost device: the member's client gives the account a new key, and from that block on every copy of the old keys is
 * refused by the ledger, the provider and the authority, whatever it holds.
 */
import { parsePolicy, utf8 } from "@chartseal/crypto";
import { decodeTransaction, encodeTransaction, entries, signAsAccount, signNewKey } from "@chartseal/ledger";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { accountKeys, alteredPosition } from "../src/forensics/altered-transaction.ts";
import type { ChainRows } from "../src/forensics/chain.ts";
import {
  AccountWriter,
  accessLog,
  askTransform,
  currentBody,
  deposit,
  type Granted,
  hadKey,
  type Identity,
  identityOf,
  isPresentKey,
  newIdentitySeeds,
  readCommittee,
  readEntry,
  replaceKey,
  replacingSeeds,
  request,
  requestKey,
  requireRecord,
  retrieve,
} from "../src/index.ts";
import { checkReceipt, collectReceipt, decodeReceipt, encodeReceipt } from "../src/portable/receipt.ts";
import { sealReceipt, signReveal } from "../src/provider/reveal.ts";
import { failure, type Member, movedTo, readOut, source, World } from "./world.ts";

const policy = "physician@cedars";
let world: World;
let ana: Member;
let author: Member;
let reader: Member;

beforeAll(async () => {
  world = await World.create({ n: 3, t: 2 });
  await world.hospital("cedars");
  ana = await world.member();
  author = await world.member(policy);
  reader = await world.member(policy);
  await world.rule(ana, "cedars", policy);
});
afterAll(() => world.close());

const byAuthor = () => world.byAuthor(author, ana, { namespace: "cedars", policy });

/** The phone as it was when it was lost, and the same member with new keys, which collected everything anew. */
async function replaced(member: Member): Promise<{ readonly phone: Member; readonly now: Member }> {
  const phone = { ...member, signingKeys: new Map(member.signingKeys) };
  const seeds = { seed: member.seed, hpkeSeed: member.hpkeSecret, account: member.account };
  const next = await identityOf(replacingSeeds(member.account, seeds));
  await replaceKey(world, { member, next });
  await world.provider.follow();
  expect(world.stores.keys.idsOf(member.account)).toEqual([]);
  const now = movedTo(world, member, { ...next, earlierHpkeSecrets: [member.hpkeSecret] });
  await world.collect(now);
  for (const other of world.members) if (other !== now) await world.refresh(other);
  return { phone, now };
}

/** An owner's deposit with the replacement of its key right behind it, in one block. */
async function depositAndReplace(
  owner: Member,
  next: Identity,
): Promise<{ recordId: Uint8Array; height: number }> {
  const { chainId } = world.ledger;
  const { account, publicKey, seed, hpkePublic: hpkeKey } = next;
  const proof = signNewKey(seed, { chainId, account, hpkeKey });
  const body = await currentBody(world, { kind: "replace-key", publicKey, hpkeKey, proof });
  let second: Promise<unknown> = Promise.resolve();
  const submit = (transaction: Uint8Array) => {
    const sequence = decodeTransaction(transaction).authorisation.account!.sequence + 1;
    const signed = signAsAccount({ seed: owner.seed, account, sequence, body });
    const first = world.ledger.submit(transaction);
    second = world.ledger.submit(encodeTransaction(body, { account: signed }));
    return first;
  };
  const ledger = new Proxy(world.ledger, {
    get(target, name) {
      if (name === "submit") return submit;
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const { recordId, submitted } = await deposit(
    { ...world.surroundings, ledger, provider: world.provider },
    {
      by: owner,
      owner: owner.account,
      policy: parsePolicy(policy),
      source: source(utf8("x")),
      metadata: async () => ({ name: "x", mediaType: "text/plain", validation: "not-checked" }),
    },
  );
  await second;
  return { recordId, height: submitted.height };
}

describe("the phone", () => {
  let phone: Member;
  let now: Member;
  let early: readonly Granted[];
  let pending: Awaited<ReturnType<typeof requestKey>>;
  let recordId: Uint8Array;
  let own: Uint8Array;

  beforeAll(async () => {
    ({ recordId } = await byAuthor());
    ({ recordId: own } = await world.byOwner(reader, { policy }));
    // What a quick thief does before the loss is noticed: asks for a grant, and for a key with a z of its own.
    early = [
      await request(world, { member: reader, recordId }),
      await request(world, { member: reader, recordId }),
    ];
    const attributes = [policy];
    pending = await requestKey(world, { member: reader, attributes, provider: world.provider.account });
    ({ phone, now } = await replaced(reader));
    reader = now;
  });

  test("asks for nothing in the account's name: the ledger knows another key", async () => {
    const member = phone;
    expect(await isPresentKey(world.ledger, phone)).toBe(false);
    await failure("signature-invalid", () => request(world, { member, recordId: own }));
    await failure("signature-invalid", () => world.rule(phone, "cedars", policy));
    await failure("signature-invalid", () => world.renew(phone));
    await failure("signature-invalid", () => world.byOwner(phone, { policy }));
  });

  test("proves nothing by attributes: their next periods began with the new key", async () => {
    await failure("policy-unsatisfied", () => request(world, { member: phone, recordId }));
    await failure("policy-unsatisfied", () => world.byAuthor(phone, ana, { namespace: "cedars", policy }));
  });

  test("uses no grant of before: the provider transforms for the present key and a live transform key", async () => {
    await failure("revoked", () => askTransform(world, { member: phone, granted: early[0]! }));
    const lender = { ...phone, transformKeyId: now.transformKeyId };
    await failure("revoked", () => askTransform(world, { member: lender, granted: early[1]! }));
  });

  /**
   * The attack: the thief asked for a key under a z of its own before the replacement, and has it answered afterwards.
   * The answer would become the account's live key, finished by the thief's z.
   */
  test("has no key issued that it asked for in time", async () => {
    for (const node of world.nodes) await failure("issue-refused", () => node.answer(pending.requestId));
  });

  test("collects no signing keys: they are sealed to the mail key that the ledger holds", async () => {
    const thief = { ...phone, signingKeys: new Map() };
    await failure("issue-invalid", () => world.refresh(thief));
  });
});

describe("the member with its new keys", () => {
  test("reads and writes as before: the account, its attributes and its records are the same", async () => {
    const { recordId } = await world.byAuthor(reader, ana, { namespace: "cedars", policy });
    expect(await readOut(await retrieve(world, { member: reader, recordId }))).toBe("a record");
    const own = await world.byOwner(reader, { policy });
    const { now } = await replaced(reader);
    reader = now;
    expect(await readOut(await retrieve(world, { member: reader, recordId: own.recordId }))).toBe("a record");
    expect(await readOut(await retrieve(world, { member: reader, recordId }))).toBe("a record");
  });

  test("opens who read before: receipts sealed to its earlier mail key, of readers whose key was replaced since", async () => {
    const { recordId } = await byAuthor();
    await retrieve(world, { member: reader, recordId });
    reader = (await replaced(reader)).now;
    ana = (await replaced(ana)).now;
    await retrieve(world, { member: reader, recordId });
    const log = await accessLog(world.ledger, { recordId, owner: ana });
    const reads = log.entries.filter(({ event }) => event === "transformed");
    expect(reads.map(({ fault, reader: who }) => [fault, who])).toEqual([
      [undefined, reader.account],
      [undefined, reader.account],
    ]);
    const without = { ...ana, earlierHpkeSecrets: [] };
    const [first] = (await accessLog(world.ledger, { recordId, owner: without })).entries.filter(
      ({ event }) => event === "transformed",
    );
    expect(first?.fault).toBe("the receipt is not sealed to this key of the owner");
  });

  /** The attack: a provider works with the thief of a replaced key, and names that key in a receipt of afterwards. */
  test("is not accused by a receipt under a key that was no longer its own", async () => {
    const { recordId } = await byAuthor();
    const { phone, now } = await replaced(reader);
    reader = now;
    const granted = await request(world, { member: reader, recordId });
    const { chainId } = world.ledger;
    const { account: provider } = world.provider;
    const place = { chainId, provider, recordDigest: granted.record.digest };
    const { oneTime, requestId } = granted;
    const transformKeyId = phone.transformKeyId!;
    const reveal = signReveal({ reader: phone, oneTime, requestId, recordId, transformKeyId, place });
    const { audit } = await readCommittee(world.ledger, world.pairing);
    const owner = { account: ana.account, hpkeKey: ana.hpkePublic };
    const sealed = await sealReceipt(world.pairing, { reveal, place, owner, auditKey: audit.publicKey });
    const writer = new AccountWriter(world, world.providerIdentity);
    await writer.submit({ kind: "receipt", requestId, provider, ...sealed });
    const last = (await accessLog(world.ledger, { recordId, owner: ana })).entries.at(-1);
    expect(last).toMatchObject({
      fault: "the provider's receipt names somebody whom the ledger does not know",
    });
    expect(last?.reader).toBeUndefined();
  });

  test("proves to strangers what it deposited under the earlier key, in the block of the replacement too", async () => {
    const { recordId } = await world.byOwner(ana, { policy });
    ana = (await replaced(ana)).now;
    const check = async (id: Uint8Array) => {
      const record = await requireRecord(world.ledger, id);
      const receipt = decodeReceipt(encodeReceipt(await collectReceipt(world.ledger, id, record)));
      return checkReceipt(world.pairing, receipt, world.ledger.genesis).author;
    };
    expect(await check(recordId)).toEqual({ kind: "owner", account: ana.account, reencrypted: false });
    // Both under way at once: one block holds the deposit and, after it, the new key.
    const next = await identityOf(replacingSeeds(ana.account));
    const same = await depositAndReplace(ana, next);
    ana = movedTo(world, ana, next);
    await world.collect(ana);
    expect((await readEntry(world.ledger, entries.accountKey, next.publicKey))?.fromHeight).toBe(same.height);
    expect(await check(same.recordId)).toMatchObject({ kind: "owner" });
  });

  test("has its keys of every height in the ledger's history", async () => {
    const first = await identityOf(newIdentitySeeds());
    const { account } = ana;
    const value = await readEntry(world.ledger, entries.accountKey, ana.publicKey);
    const height = value!.fromHeight;
    const had = (publicKey: Uint8Array, at: number) =>
      hadKey(world.ledger, { account, publicKey, height: at });
    expect(await had(ana.publicKey, height)).toBe(true);
    expect(await had(ana.publicKey, height - 1)).toBe(false);
    expect(await had(first.publicKey, height)).toBe(false);
  });

  test("is told apart from an alteration by forensics, whichever key signed", async () => {
    const transactions: Uint8Array[] = [];
    const submit = async (member: Member) => {
      const { height } = await new AccountWriter(world, member).submit({
        kind: "revoke-rule",
        namespace: "cedars",
      });
      transactions.push((await world.ledger.block(height))!.transactions[0]!);
    };
    const owner = await world.member();
    await world.rule(owner, "cedars", policy);
    await submit(owner);
    const { now } = await replaced(owner);
    await world.rule(now, "cedars", policy);
    await submit(now);
    const { height: head } = await world.ledger.head();
    const blocks = await Promise.all(Array.from({ length: head }, (_, at) => world.ledger.block(at + 1)));
    const rows = {
      height: () => head,
      block: (height: number) => blocks[height - 1],
    } as unknown as ChainRows;
    const keys = () => accountKeys(world.ledger.genesis, rows);
    const [before, after] = transactions as [Uint8Array, Uint8Array];
    const altered = (bytes: Uint8Array) => {
      const { bodyBytes, authorisation } = decodeTransaction(bytes);
      const account = authorisation.account!;
      const signature = account.signature.map((byte, at) => (at === 9 ? byte ^ 1 : byte));
      return encodeTransaction(bodyBytes, { ...authorisation, account: { ...account, signature } });
    };
    const indexed = [after, before].map((bytes) => decodeTransaction(bytes).identifier);
    expect(alteredPosition([after, altered(before)], indexed, keys)).toBe(1);
    expect(alteredPosition([after, before], indexed, keys)).toBeUndefined();
  });
});
