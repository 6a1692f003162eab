/** Audits over HTTP: an auditor with no key and no account on the other side of a socket, and what it may take. */
import { randomBytes, toHex } from "@chartseal/crypto";
import {
  type AuditChallenge,
  countAudited,
  enrol,
  identityOf,
  newIdentitySeeds,
  requireRecord,
  runAudit,
} from "@chartseal/sharing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { failure, type Member } from "../../../packages/sharing/test/world.ts";
import { ServedWorld, signerOf } from "./served-world.ts";

const policy = "cardiologist@cedars";
let served: ServedWorld;
let ana: Member;
let large: Uint8Array;

beforeAll(async () => {
  served = await ServedWorld.create({ provider: { auditChunksPerDay: 10 } });
  await served.world.hospital("cedars");
  ana = await served.world.member();
  large = await sealed(5 * 256 * 1024 + 1);
});
afterAll(() => served.close());

async function sealed(size: number): Promise<Uint8Array> {
  return (await served.world.byOwner(ana, { policy, text: randomBytes(size) })).recordId;
}

const audit = async (recordId: Uint8Array, challenges = 460) => {
  const { ledger, provider, now, pairing } = served.client();
  return await runAudit({ ledger, now, pairing }, { provider, records: [recordId], challenges });
};

async function challengeOf(recordId: Uint8Array, challenges: number): Promise<AuditChallenge> {
  const { height, hash } = await served.world.ledger.head();
  return { recordId, version: 1, seedHeight: height, seedHash: hash, nonce: randomBytes(32), challenges };
}

async function asked(challenge: AuditChallenge, signer?: Parameters<ServedWorld["connection"]>[0]) {
  const { recordId, seedHash, nonce, ...numbers } = challenge;
  const json = { recordId: toHex(recordId), seedHash: toHex(seedHash), nonce: toHex(nonce), ...numbers };
  let bytes = 0;
  for await (const piece of served.connection(signer).bytes({ target: "/v1/provider/audits", json }))
    bytes += piece.length;
  return bytes;
}

it("an honest provider passes, and a changed byte is found", async () => {
  const recordId = await sealed(300_000);
  expect(countAudited(await audit(recordId))).toEqual({ held: 1, failed: 0, unanswered: 0 });
  const { address } = await requireRecord(served.world.ledger, recordId);
  served.world.stores.objects.objects.get(address)![262_144 + 20]! ^= 1;
  expect((await audit(recordId)).records).toMatchObject([{ outcome: "failed", wrong: [1] }]);
});

it("an object that is gone, or has another size, is a failure and no silence", async () => {
  const recordId = await sealed(1000);
  const { address } = await requireRecord(served.world.ledger, recordId);
  const { objects } = served.world.stores.objects;
  const bytes = objects.get(address)!;
  objects.set(address, bytes.subarray(1));
  expect((await audit(recordId)).records).toMatchObject([{ outcome: "failed", code: "object-altered" }]);
  objects.delete(address);
  expect((await audit(recordId)).records).toMatchObject([{ outcome: "failed", code: "object-missing" }]);
});

it("an answer is the chunks and their proofs, and nothing of the header", async () => {
  const bytes = await asked(await challengeOf(large, 1));
  expect(bytes).toBeLessThanOrEqual(256 * 1024 + 16 + 3 * 32);
});

it("strangers together get so many chunks of a record in a day, and another record has its own", async () => {
  // One went out above.
  expect(await asked(await challengeOf(large, 6))).toBeGreaterThan(5 * 256 * 1024);
  const error = await failure("rate-limited", async () => await asked(await challengeOf(large, 6)));
  expect(error.data.retryAfterSeconds).toBeGreaterThan(3600);
  // A provider that is not asked again says nothing about the record.
  expect(countAudited(await audit(large))).toEqual({ held: 0, failed: 0, unanswered: 1 });
  expect(countAudited(await audit(await sealed(10))).held).toBe(1);
});

it("an account that signs has an allowance of its own", async () => {
  const who = await identityOf(newIdentitySeeds());
  await enrol(served.world, {
    ...who,
    recoveryKey: null,
    transformKeyId: null,
    baseKey: null,
    signingKeys: new Map(),
  });
  expect(await asked(await challengeOf(large, 6), signerOf(who))).toBeGreaterThan(5 * 256 * 1024);
});

it("after a day strangers may ask again", async () => {
  served.world.advance(86_400_000);
  expect(await asked(await challengeOf(large, 6))).toBeGreaterThan(5 * 256 * 1024);
});

it("refuses what is no challenge", async () => {
  const challenge = await challengeOf(large, 1);
  const refused = async (changes: Partial<AuditChallenge>) =>
    await failure("input-invalid", async () => await asked({ ...challenge, ...changes }));
  await refused({ seedHash: randomBytes(32) });
  await refused({ version: 2 });
  await refused({ challenges: 1001 });
  await refused({ nonce: randomBytes(31) });
  const nobody = { ...challenge, recordId: randomBytes(32) };
  await failure("record-unknown", async () => await asked(nobody));
});
