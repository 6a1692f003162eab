/** Who read: what a receipt's box may hold, against a provider that names another, nobody, or a key never had. */
import { randomBytes } from "@chartseal/crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  AccountWriter,
  accessLog,
  type Granted,
  type Identity,
  identityOf,
  newIdentitySeeds,
  type Reveal,
  readCommittee,
  request,
} from "../src/index.ts";
import { openReceipt, sealReceipt, signReveal } from "../src/provider/reveal.ts";
import { failure, type Member, World } from "./world.ts";

const policy = "physician@cedars";
let world: World;
let ana: Member;
let ben: Member;
let cleo: Member;

beforeAll(async () => {
  world = await World.create();
  await world.hospital("cedars");
  ana = await world.member();
  ben = await world.member(policy);
  cleo = await world.member(policy);
  await world.rule(ana, "cedars", policy);
});
afterAll(() => world.close());

const granted = async (member: Member): Promise<Granted> => {
  const { recordId } = await world.byAuthor(cleo, ana, { namespace: "cedars", policy });
  return await request(world, { member, recordId });
};
const placeOf = (grant: Granted) => ({
  chainId: world.ledger.chainId,
  provider: world.provider.account,
  recordDigest: grant.record.digest,
});

function revealed(reader: Identity, grant: Granted, transformKeyId: Uint8Array): Reveal {
  const { oneTime, requestId, recordId } = grant;
  return signReveal({ reader, oneTime, requestId, recordId, transformKeyId, place: placeOf(grant) });
}

/** A receipt as a provider leaves it who seals what it likes. */
async function leave(
  grant: Granted,
  reveal: Reveal,
  change: { owner?: Uint8Array; box?: (box: Uint8Array) => Uint8Array } = {},
): Promise<{ reader?: Uint8Array; fault?: string }> {
  const { audit } = await readCommittee(world.ledger, world.pairing);
  const sealed = await sealReceipt(world.pairing, {
    reveal,
    place: placeOf(grant),
    owner: { account: ana.account, hpkeKey: change.owner ?? ana.hpkePublic },
    auditKey: audit.publicKey,
  });
  const box = (change.box ?? ((same) => same))(sealed.box);
  const { requestId, recordId } = grant;
  await new AccountWriter(world, world.providerIdentity).submit({
    kind: "receipt",
    requestId,
    provider: world.provider.account,
    ...sealed,
    box,
  });
  return (await accessLog(world.ledger, { recordId, owner: ana })).entries.at(-1)!;
}

test("an honest receipt names the reader", async () => {
  const grant = await granted(ben);
  const entry = await leave(grant, revealed(ben, grant, ben.transformKeyId!));
  expect(entry).toMatchObject({ reader: ben.account });
  expect(entry.fault).toBeUndefined();
});

test("nobody is accused by a box that opens to anything but a reader's own signed words", async () => {
  const grant = await granted(ben);
  const right = revealed(ben, grant, ben.transformKeyId!);
  const forged: Reveal = { ...right, account: cleo.account, publicKey: cleo.publicKey };
  const entry = await leave(grant, forged);
  expect(entry).toMatchObject({ fault: "the provider's receipt names no reader" });
  expect(entry.reader).toBeUndefined();
});

test("a reveal for one request does not serve as another's", async () => {
  const first = await granted(ben);
  const second = await granted(ben);
  const other = { ...revealed(ben, first, ben.transformKeyId!), requestId: second.requestId };
  const entry = await leave(second, other);
  expect(entry).toMatchObject({ fault: "the provider's receipt names no reader" });
});

test("a damaged box, and one that is sealed to another than the owner, are the provider's fault", async () => {
  const one = await granted(ben);
  const damaged = await leave(one, revealed(ben, one, ben.transformKeyId!), {
    box: (box) => box.map((byte, at) => (at === 9 ? byte ^ 1 : byte)),
  });
  expect(damaged).toMatchObject({ fault: "the provider's receipt names no reader" });
  const two = await granted(ben);
  const elsewhere = await leave(two, revealed(ben, two, ben.transformKeyId!), { owner: cleo.hpkePublic });
  expect(elsewhere).toMatchObject({ fault: "the receipt is not sealed to this key of the owner" });
});

test("a reader whom the ledger does not know is no reader, though all is signed", async () => {
  const grant = await granted(ben);
  const nobody = await identityOf(newIdentitySeeds());
  const entry = await leave(grant, revealed(nobody, grant, randomBytes(32)));
  expect(entry).toMatchObject({
    fault: "the provider's receipt names somebody whom the ledger does not know",
  });
});

test("another reader than the account that asked is the provider's fault", async () => {
  const grant = await granted(ana);
  const entry = await leave(grant, revealed(ben, grant, ben.transformKeyId!));
  expect(entry).toMatchObject({ fault: "the provider's receipt names another reader than the request" });
});

test("a key that the reader never had is the provider's fault", async () => {
  for (const keyId of [randomBytes(32), cleo.transformKeyId!]) {
    const grant = await granted(ben);
    const entry = await leave(grant, revealed(ben, grant, keyId));
    expect(entry).toMatchObject({ fault: "the provider's receipt names a key that the reader never had" });
  }
});

test("a box has one length, whoever reads, and is bound to its request and provider", async () => {
  const { audit } = await readCommittee(world.ledger, world.pairing);
  const sizes = new Set<number>();
  for (const member of [ben, cleo, ana]) {
    const grant = await granted(member);
    const place = placeOf(grant);
    const owner = { account: ana.account, hpkeKey: ana.hpkePublic };
    const reveal = revealed(member, grant, member.transformKeyId!);
    const receipt = await sealReceipt(world.pairing, { reveal, place, owner, auditKey: audit.publicKey });
    sizes.add(receipt.box.length + 1000 * receipt.ownerEnvelope.length);
    const { requestId, recordId, oneTime } = grant;
    const open = { owner: ana, place, requestId, recordId, oneTimeKey: oneTime.publicKey, receipt };
    await openReceipt(open);
    const others = [
      { ...open, requestId: randomBytes(32) },
      { ...open, place: { ...place, provider: randomBytes(20) } },
      { ...open, place: { ...place, chainId: randomBytes(32) } },
      { ...open, place: { ...place, recordDigest: randomBytes(32) } },
      { ...open, recordId: randomBytes(32) },
      { ...open, oneTimeKey: cleo.publicKey },
      { ...open, owner: cleo },
    ];
    for (const other of others) await failure("signature-invalid", () => openReceipt(other));
  }
  expect(sizes.size).toBe(1);
});

test("the ledger takes one receipt a grant, from the provider that holds the record, while the grant is in force", async () => {
  const grant = await granted(ben);
  const reveal = revealed(ben, grant, ben.transformKeyId!);
  await leave(grant, reveal);
  await failure("grant-missing", () => leave(grant, reveal));
  const late = await granted(ben);
  world.advance(10 * 60_000);
  await failure("grant-missing", () => leave(late, revealed(ben, late, ben.transformKeyId!)));
});
