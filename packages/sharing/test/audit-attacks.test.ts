/**
 * What a provider may try when it is audited and has not kept what it should. Each attack is told, fails against the
 * auditor, and succeeds against a copy of the auditor that is weaker in one point.
 */
import {
  auditedChunkBytes,
  chunkCount,
  concat,
  proofLength,
  randomBytes,
  sha256Tree,
  verifyAuditedChunk,
} from "@chartseal/crypto";
import type { RecordValue } from "@chartseal/ledger";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { auditedPayload, challengedChunks, demandChallenge } from "../src/audit/challenge.ts";
import { auditRecord, type RecordAudit } from "../src/audit/record.ts";
import { type Auditable, type AuditChallenge, rekey, requireRecord } from "../src/index.ts";
import { answerChunks } from "../src/provider/audit.ts";
import { leafSource } from "../src/provider/payload.ts";
import { failure, type Member, World } from "./world.ts";

const policy = "cardiologist@cedars";
const chunkBytes = 256 * 1024;
let world: World;
let ana: Member;
/** A record of nine chunks, and another of the same size. */
let recordId: Uint8Array;
let otherId: Uint8Array;

beforeAll(async () => {
  world = await World.create();
  await world.hospital("cedars");
  ana = await world.member();
  const deposit = async () =>
    (await world.byOwner(ana, { policy, text: randomBytes(9 * chunkBytes) })).recordId;
  recordId = await deposit();
  otherId = await deposit();
});
afterAll(() => world.close());

const record = (id = recordId): Promise<RecordValue> => requireRecord(world.ledger, id);

async function challengeOf(challenges = 3): Promise<AuditChallenge> {
  const { height, hash } = await world.ledger.head();
  const { version } = await record();
  return { recordId, version, seedHeight: height, seedHash: hash, nonce: randomBytes(32), challenges };
}

const splitHashes = (joined: Uint8Array): Uint8Array[] =>
  Array.from({ length: joined.length / 32 }, (_, at) => joined.subarray(32 * at, 32 * at + 32));

async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source) pieces.push(piece.slice());
  return concat(...pieces);
}

/** What the auditor says of a provider that answers so. */
async function verdict(answer: Auditable["audit"], challenges = 3): Promise<string> {
  return (await foundOf(answer, challenges))?.outcome ?? "skipped";
}

async function foundOf(answer: Auditable["audit"], challenges = 3): Promise<RecordAudit | undefined> {
  const { seedHeight, seedHash, nonce } = await challengeOf();
  const place = { seedHeight, seedHash, nonce, challenges };
  return await auditRecord({ ledger: world.ledger, provider: { audit: answer } }, place, recordId);
}

/** Reads an answer as the auditor does and asks `right` of each part: the auditor, but for what `right` forgets. */
async function weakly(
  answer: Uint8Array,
  { indexes, of }: { readonly indexes: readonly number[]; readonly of: RecordValue },
  right: (part: { index: number; proof: Uint8Array; chunk: Uint8Array }) => boolean,
): Promise<boolean> {
  const payload = auditedPayload(of);
  const size = chunkCount(payload.length, payload.chunkBytes);
  let at = 0;
  return indexes.every((index) => {
    const proof = answer.subarray(at, at + 32 * proofLength(index, size));
    const chunk = answer.subarray(at + proof.length, at + proof.length + auditedChunkBytes(payload, index));
    at += proof.length + chunk.length;
    return right({ index, proof, chunk });
  });
}

test("an honest provider passes, and the answer is no more than the chunks and their proofs", async () => {
  expect(await verdict((challenge) => world.provider.audit(challenge))).toBe("held");
  const answer = await collect(world.provider.audit(await challengeOf(1)));
  expect(answer.length).toBeLessThan(chunkBytes + 16 + 4 * 32 + 1);
});

describe("refused:", () => {
  test("a provider that threw the payload away and kept 32 bytes of each chunk", async () => {
    const leavesOnly = async function* (challenge: AuditChallenge) {
      const of = await record();
      const source = await leafSource(world.stores, of);
      const leaves = "list" in source ? splitHashes(source.list) : [];
      for (const index of challengedChunks(challenge, of)) {
        yield concat(...sha256Tree.inclusionProof(leaves, index), leaves[index]!);
      }
    };
    expect(await verdict(leavesOnly)).toBe("failed");
    // An auditor that takes a chunk's hash for the chunk: hashing what it was sent is the whole difference.
    const challenge = await challengeOf();
    const answer = await collect(leavesOnly(challenge));
    const of = await record();
    let at = 0;
    const accepted = challengedChunks(challenge, of).every((index) => {
      const length = 32 * proofLength(index, 9);
      const proof = splitHashes(answer.subarray(at, at + length));
      const leafHash = answer.subarray(at + length, at + length + 32);
      at += length + 32;
      const root = of.current.payloadDigest;
      return sha256Tree.verifyInclusion({ leafHash, index, size: 9, proof, root });
    });
    expect(accepted).toBe(true);
  });

  test("a provider that kept the first three chunks and answers with those, whatever was asked", async () => {
    const kept = [0, 1, 2];
    const ownChoice = async function* () {
      yield* answerChunks(world.stores, await record(), kept);
    };
    const asked = (challenge: AuditChallenge, of: RecordValue) => challengedChunks(challenge, of);
    let challenge = await challengeOf();
    const of = await record();
    while (asked(challenge, of).join() === kept.join()) challenge = await challengeOf();
    const place = { ...challenge, challenges: 3 };
    const found = await auditRecord(
      { ledger: world.ledger, provider: { audit: ownChoice } },
      place,
      recordId,
    );
    expect(found?.outcome).toBe("failed");
    // An auditor that is content with a chunk of the record at any place.
    const payload = auditedPayload(of);
    const anywhere = (part: { proof: Uint8Array; chunk: Uint8Array }) =>
      Array.from({ length: 9 }, (_, index) => index).some((index) =>
        verifyAuditedChunk(payload, { index, proof: part.proof, chunk: part.chunk }),
      );
    expect(await weakly(await collect(ownChoice()), { indexes: kept, of }, anywhere)).toBe(true);
  });

  test("a provider that lost the record and answers with another one of the same size", async () => {
    const other = async function* (challenge: AuditChallenge) {
      yield* answerChunks(world.stores, await record(otherId), challengedChunks(challenge, await record()));
    };
    expect(await verdict(other)).toBe("failed");
    // An auditor that takes the digest from the provider instead of the ledger.
    const challenge = await challengeOf();
    const indexes = challengedChunks(challenge, await record());
    const said = auditedPayload(await record(otherId));
    const place = { indexes, of: await record() };
    expect(
      await weakly(await collect(other(challenge)), place, (part) => verifyAuditedChunk(said, part)),
    ).toBe(true);
  });

  test("a provider that draws the chunks under a nonce of its own, until they are ones that it kept", async () => {
    const of = await record();
    // It kept all but chunk 4, and looks for a nonce that does not ask for it.
    const redrawn = (challenge: AuditChallenge): AuditChallenge => {
      for (;;) {
        const own = { ...challenge, nonce: randomBytes(32) };
        if (!challengedChunks(own, of).includes(4)) return own;
      }
    };
    const own = async function* (challenge: AuditChallenge) {
      yield* answerChunks(world.stores, of, challengedChunks(redrawn(challenge), of));
    };
    let challenge = await challengeOf(4);
    while (!challengedChunks(challenge, of).includes(4)) challenge = await challengeOf(4);
    const auditor = { ledger: world.ledger, provider: { audit: own } };
    expect((await auditRecord(auditor, challenge, recordId))?.outcome).toBe("failed");
    // An auditor that lets the provider say under which nonce it drew.
    const said = redrawn(challenge);
    const answer = await collect(answerChunks(world.stores, of, challengedChunks(said, of)));
    const payload = auditedPayload(of);
    const place = { indexes: challengedChunks(said, of), of };
    expect(await weakly(answer, place, (part) => verifyAuditedChunk(payload, part))).toBe(true);
  });

  test("a provider that stops when it comes to what it lost, and one that sends more than was asked", async () => {
    const fewer = async function* (challenge: AuditChallenge) {
      const of = await record();
      yield* answerChunks(world.stores, of, challengedChunks(challenge, of).slice(0, 2));
    };
    expect(await foundOf(fewer)).toMatchObject({ outcome: "failed", detail: "the answer ends too early" });
    const more = async function* (challenge: AuditChallenge) {
      yield* world.provider.audit(challenge);
      yield Uint8Array.of(0);
    };
    expect(await verdict(more)).toBe("failed");
    // An auditor that checks what came and does not count it.
    const of = await record();
    const challenge = await challengeOf();
    const indexes = challengedChunks(challenge, of).slice(0, 2);
    const payload = auditedPayload(of);
    const answer = await collect(fewer(challenge));
    expect(await weakly(answer, { indexes, of }, (part) => verifyAuditedChunk(payload, part))).toBe(true);
  });

  test("a provider that prepared an answer, threw the rest away, and knows the challenge", async () => {
    // The challenge of an auditor that names the same chunks every time: no block, no nonce.
    const of = await record();
    const fixedSeed = { seedHash: new Uint8Array(32), nonce: new Uint8Array(32) };
    const known: AuditChallenge = { ...(await challengeOf()), ...fixedSeed };
    const prepared = await collect(answerChunks(world.stores, of, challengedChunks(known, of)));
    const replaying = async function* () {
      yield prepared;
    };
    expect(await verdict(replaying, 8)).toBe("failed");
    const payload = auditedPayload(of);
    const weak = { indexes: challengedChunks(known, of), of };
    expect(await weakly(prepared, weak, (part) => verifyAuditedChunk(payload, part))).toBe(true);
  });

  test("to an honest provider: a seed from before the record, one that no block has, and another version", async () => {
    const challenge = await challengeOf();
    const { height } = await record();
    const before = (await world.ledger.block(height - 1))!;
    const old = { ...challenge, seedHeight: height - 1, seedHash: before.hash };
    await failure("input-invalid", () => demandChallenge(world.ledger, old));
    const invented = { ...challenge, seedHash: randomBytes(32) };
    await failure("input-invalid", () => demandChallenge(world.ledger, invented));
    const later = { ...challenge, version: challenge.version + 1 };
    await failure("input-invalid", () => demandChallenge(world.ledger, later));
    const greedy = { ...challenge, challenges: 1001 };
    await failure("input-invalid", () => demandChallenge(world.ledger, greedy));
    // And an auditor does not ask under one: the record counts as younger than its seed.
    const { nonce, challenges } = challenge;
    const place = { seedHeight: height - 1, seedHash: before.hash, nonce, challenges };
    const { ledger, provider } = world;
    expect(await auditRecord({ ledger, provider }, place, recordId)).toBeUndefined();
  });
});

test("after the payload was replaced, answers from the one before are refused", async () => {
  const text = randomBytes(9 * chunkBytes);
  const made = await world.byOwner(ana, { policy, text });
  const before = await record(made.recordId);
  const old = world.stores.objects.objects.get(before.address)!.slice();
  const leaves = world.stores.leaves.objects.get(before.address)!.slice();
  await rekey(world, { owner: ana, recordId: made.recordId, payload: true });
  const after = await record(made.recordId);
  expect(after.address).not.toBe(before.address);
  const kept = { objects: world.stores.objects, leaves: world.stores.leaves };
  kept.objects.objects.set(before.address, old);
  kept.leaves.objects.set(before.address, leaves);
  const stale = async function* (challenge: AuditChallenge) {
    yield* answerChunks(kept, before, challengedChunks(challenge, after));
  };
  const { height, hash } = await world.ledger.head();
  const place = { seedHeight: height, seedHash: hash, nonce: randomBytes(32), challenges: 3 };
  const auditor = { ledger: world.ledger, provider: { audit: stale } };
  expect((await auditRecord(auditor, place, made.recordId))?.outcome).toBe("failed");
  // An auditor that reads the author's statement, which is about the first payload for good.
  const challenge = { ...place, recordId: made.recordId, version: after.version };
  const answer = await collect(stale(challenge));
  const stated = auditedPayload({ current: after.statement });
  const weak = { indexes: challengedChunks(challenge, after), of: after };
  expect(await weakly(answer, weak, (part) => verifyAuditedChunk(stated, part))).toBe(true);
});
