/**
 * A payload of 10^5 chunks with 1 % of them gone, through the provider's and the auditor's own code: 460 challenges find
 * it almost always. What "almost" is, packages/crypto/test/file-audit.test.ts measures over many more trials.
 */
import { auditedChunks, encodeDescriptor, fromHex, sha256, u32, utf8 } from "@chartseal/crypto";
import type { RecordValue } from "@chartseal/ledger";
import { beforeAll, expect, test } from "vitest";
import { auditedPayload } from "../src/audit/challenge.ts";
import { checkedAnswer } from "../src/audit/record.ts";
import { answerChunks } from "../src/provider/audit.ts";
import { takePayload } from "../src/provider/take.ts";
import { MemoryStores } from "./stores.ts";

const size = 100_000;
const lost = size / 100;
const chunkBytes = 64;
const stored = chunkBytes + 16;
const trials = 12;
const stores = new MemoryStores();
let record: Pick<RecordValue, "address" | "current">;
let whole: Uint8Array;

beforeAll(async () => {
  const bytes = new Uint8Array(stored * size);
  for (let at = 0; at < bytes.length; at += 32) bytes.set(sha256(u32(at)), at);
  whole = bytes;
  const self = { surroundings: { now: () => 0 }, stores } as unknown as Parameters<typeof takePayload>[0];
  const source = async function* () {
    for (let at = 0; at < bytes.length; at += 1 << 20) yield bytes.subarray(at, at + (1 << 20));
  };
  const { address, digest } = await takePayload(self, source(), { chunkBytes });
  const descriptor = encodeDescriptor({ suite: "A256GCM", payloadId: new Uint8Array(32), chunkBytes });
  const length = chunkBytes * size;
  record = {
    address,
    current: { descriptor, payloadLength: length, payloadDigest: digest } as RecordValue["current"],
  };
});

/** One audit of the damaged payload, under a seed of its own. */
async function finds(trial: number): Promise<boolean> {
  const seed = {
    blockHash: sha256(utf8(`block ${trial}`)),
    recordId: fromHex("00".repeat(32)),
    payloadDigest: record.current.payloadDigest,
    nonce: sha256(utf8(`nonce ${trial}`)),
  };
  const indexes = auditedChunks(seed, { size, count: 460 });
  const answer = answerChunks(stores, record, indexes);
  return (await checkedAnswer(answer, auditedPayload(record), indexes)).outcome === "failed";
}

async function foundOf(damage: (bytes: Uint8Array, trial: number) => void): Promise<number> {
  let found = 0;
  for (let trial = 0; trial < trials; trial++) {
    const bytes = whole.slice();
    damage(bytes, trial);
    stores.objects.objects.set(record.address, bytes);
    if (await finds(trial)) found++;
  }
  return found;
}

test("a whole payload passes", async () => {
  stores.objects.objects.set(record.address, whole);
  expect(await finds(0)).toBe(false);
});

test("1 % of the chunks overwritten here and there: found", async () => {
  const found = await foundOf((bytes, trial) => {
    for (let at = 0; at < lost; at++) bytes[stored * ((trial * 31 + at * 7919) % size) + 3]! ^= 0xff;
  });
  // Each finds it with 99.03 %; that three of twelve miss comes once in 6,000 times.
  expect(found).toBeGreaterThanOrEqual(10);
});

test("1 % of the chunks zeroed in one piece: found", async () => {
  const found = await foundOf((bytes, trial) => {
    const start = (trial * 15_485_863) % (size - lost);
    bytes.fill(0, stored * start, stored * (start + lost));
  });
  expect(found).toBeGreaterThanOrEqual(10);
});
