/**
 * A payload of 10^5 chunks with 1 % of them gone, through the provider's and the auditor's own code: 460 challenges find
 * it almost always. What "almost" is, packages/crypto/test/file-audit.test.ts measures over many more trials.
 */
import { auditedChunks, encodeDescriptor, fromHex, sha256, u32, utf8 } from "@chartseal/crypto";
import type { RecordValue } from "@chartseal/ledger";
import { type ByteRange, type ObjectStore, StorageError } from "@chartseal/storage";
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
const trials = 8;
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
  // Each finds it with 99.03 %; that three of eight miss comes once in 20,000 times.
  expect(found).toBeGreaterThanOrEqual(6);
});

test("1 % of the chunks zeroed in one piece: found", async () => {
  const found = await foundOf((bytes, trial) => {
    const start = (trial * 15_485_863) % (size - lost);
    bytes.fill(0, stored * start, stored * (start + lost));
  });
  expect(found).toBeGreaterThanOrEqual(6);
});

/** What comes of an audit of these chunks, with this store in the payload's place. */
async function outcomeOf(indexes: readonly number[], objects: Pick<ObjectStore, "get"> = stores.objects) {
  const answer = answerChunks({ objects, leaves: stores.leaves }, record, indexes);
  return await checkedAnswer(answer, auditedPayload(record), indexes);
}

test("a damaged leaf hash of a long payload is found by its span and made again from the payload", async () => {
  stores.objects.objects.set(record.address, whole);
  const leaves = stores.leaves.objects.get(record.address)!;
  const good = Uint8Array.from(leaves);
  leaves[32 * 5000 + 1]! ^= 1;
  expect(await outcomeOf([4999, 5001])).toMatchObject({ outcome: "held" });
  expect(Uint8Array.from(stores.leaves.objects.get(record.address)!)).toEqual(good);
  // From a payload that is wrong itself nothing is made, and the audit says that it failed.
  stores.leaves.objects.get(record.address)![32 * 5000 + 1]! ^= 1;
  const wrong = whole.slice();
  wrong[3]! ^= 1;
  stores.objects.objects.set(record.address, wrong);
  expect(await outcomeOf([4999])).toMatchObject({ outcome: "failed", code: "object-altered" });
  stores.leaves.objects.set(record.address, good);
});

test("a chunk that cannot be read is named and the others are looked at; a store out of reach is no answer", async () => {
  stores.objects.objects.set(record.address, whole);
  const failing = (code: "object-missing" | "store-unreachable") => ({
    get: (name: string, range?: ByteRange) => {
      if (range?.from === stored * 70) throw new StorageError(code, "there is nothing to read");
      return stores.objects.get(name, range);
    },
  });
  expect(await outcomeOf([69, 70, 71], failing("object-missing"))).toMatchObject({
    outcome: "failed",
    wrong: [70],
  });
  expect(await outcomeOf([69, 70, 71], failing("store-unreachable"))).toMatchObject({
    outcome: "unanswered",
    code: "provider-unreachable",
  });
});
