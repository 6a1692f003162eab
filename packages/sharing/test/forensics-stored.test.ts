/** Stored objects against the ledger: every alteration of a payload, header, leaf or place is found and named exactly. */
import { equalBytes, randomBytes, sealPayload, sha256, toHex } from "@chartseal/crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MemoryStore } from "../../storage/test/memory.ts";
import { checkPayload } from "../src/forensics/payload-check.ts";
import type { StoredRecord } from "../src/forensics/records.ts";
import { repairStored } from "../src/forensics/repair.ts";
import { type StoredReport, verifyStored } from "../src/forensics/stored.ts";
import type { JournalEntry, Tombstone } from "../src/index.ts";

const chunkBytes = 64;
const sealedChunk = chunkBytes + 16;

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** A provider's stores with records of small chunks, whose headers are random bytes under their right hash. */
class Shelf {
  readonly objects = Object.assign(new MemoryStore(), { foreign: () => strangers() });
  readonly leaves = new MemoryStore();
  readonly pending = new MemoryStore();
  readonly journalLines: JournalEntry[] = [];
  readonly tombstoneList: Tombstone[] = [];
  readonly records: StoredRecord[] = [];
  readonly journal = {
    append: async (entry: JournalEntry) => void this.journalLines.push(entry),
    entries: () => each(this.journalLines),
  };
  readonly tombstones = {
    add: async (one: Tombstone) => void this.tombstoneList.push(one),
    list: async () => this.tombstoneList,
  };

  async add(length: number): Promise<StoredRecord> {
    const address = toHex(randomBytes(16));
    const hashes: Uint8Array[] = [];
    const sealed = sealPayload({
      source: [randomBytes(length)],
      chunkBytes,
      onLeaf: (hash) => void hashes.push(hash.slice()),
    });
    const chunks: Uint8Array[] = [];
    for await (const chunk of sealed.chunks) chunks.push(chunk.slice());
    const { digest } = await sealed.finished;
    const header = randomBytes(200);
    const bytes = Buffer.concat(chunks);
    await this.journal.append({ event: "taken", address, atMs: 1 });
    await this.objects.put(address, once(bytes));
    await this.objects.put(`${address}.header`, once(header));
    await this.leaves.put(address, once(Buffer.concat(hashes)));
    const record: StoredRecord = {
      recordId: toHex(randomBytes(32)),
      owner: toHex(randomBytes(20)),
      policy: "doctor@cedars",
      address,
      version: 1,
      height: 1,
      erased: false,
      headerHash: sha256(header),
      payloadDigest: digest,
      keyCommitment: sealed.keyCommitment,
      payloadLength: length,
      chunkBytes,
      chunks: chunks.length,
      sealedBytes: bytes.length,
    };
    this.records.push(record);
    return record;
  }

  bytes(name: string): Uint8Array {
    return Uint8Array.from(this.objects.objects.get(name) ?? []);
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    await this.objects.put(name, once(bytes));
  }

  async flip(name: string, at: number): Promise<void> {
    const bytes = this.bytes(name);
    bytes[at]! ^= 1;
    await this.write(name, bytes);
  }

  verify(known = true): Promise<StoredReport> {
    return verifyStored({ ...this, records: async () => (known ? this.records : undefined) });
  }

  async repair(): Promise<StoredReport> {
    const { findings } = await this.verify();
    await repairStored({ stores: this, records: this.records, findings, now: () => 2 });
    return await this.verify();
  }
}

async function* strangers(): AsyncGenerator<string> {}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

async function shelf(...lengths: number[]): Promise<{ store: Shelf; records: StoredRecord[] }> {
  const store = new Shelf();
  const records: StoredRecord[] = [];
  for (const length of lengths) records.push(await store.add(length));
  return { store, records };
}

describe("a store that nobody touched", () => {
  test("has no findings, whatever the payloads' lengths", async () => {
    const { store } = await shelf(0, 1, 63, 64, 65, 128, 1000);
    const { findings, objects, orphans } = await store.verify();
    expect(findings).toEqual([]);
    expect(objects).toBe(14);
    expect(orphans).toEqual([]);
  });

  test("counts what was stored and never registered, and calls it no finding", async () => {
    const { store } = await shelf(100);
    const { address } = await store.add(100);
    store.records.pop();
    const { findings, orphans } = await store.verify();
    expect(findings).toEqual([]);
    expect(orphans.toSorted()).toEqual([address, `${address}.header`]);
  });

  test("says nothing of orphans where no record is known at all", async () => {
    const { store } = await shelf(100);
    expect(await store.verify(false)).toMatchObject({ findings: [], orphans: [], objects: 2 });
  });
});

describe("one byte of a payload", () => {
  test("that is turned is found in its chunk, and in no other", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 700 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (length, where) => {
          const { store, records } = await shelf(length, 10);
          const { address, recordId, sealedBytes } = records[0]!;
          const at = Math.min(sealedBytes - 1, Math.floor(where * sealedBytes));
          await store.flip(address, at);
          const { findings } = await store.verify();
          const chunk = Math.floor(at / sealedChunk);
          const offset = chunk * sealedChunk;
          expect(findings).toEqual([
            expect.objectContaining({
              kind: "object-altered",
              recordId,
              copy: address,
              chunk,
              chunks: 1,
              offset,
              length: Math.min(sealedChunk, sealedBytes - offset),
            }),
          ]);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("that is cut off or put behind is found at the place where the object goes wrong", async () => {
    const { store, records } = await shelf(200);
    const { address, sealedBytes } = records[0]!;
    const whole = store.bytes(address);
    for (const cut of [0, 1, 79, 80, 81, 160, sealedBytes - 1]) {
      await store.write(address, whole.subarray(0, cut));
      const { findings } = await store.verify();
      const chunk = Math.floor(cut / sealedChunk);
      expect(findings, `cut at ${cut}`).toEqual([
        expect.objectContaining({
          kind: "object-altered",
          chunk,
          chunks: 4 - chunk,
          offset: chunk * sealedChunk,
        }),
      ]);
    }
    await store.write(address, Buffer.concat([whole, Uint8Array.of(0)]));
    const { findings } = await store.verify();
    expect(findings).toEqual([
      expect.objectContaining({ kind: "object-altered", offset: sealedBytes, length: 1 }),
    ]);
    expect((await store.repair()).findings).toEqual([]);
    expect(equalBytes(store.bytes(address), whole)).toBe(true);
  });

  test("ranges of neighbours are one finding, apart they are two", async () => {
    const { store, records } = await shelf(640);
    const { address } = records[0]!;
    for (const chunk of [2, 3, 4, 8]) await store.flip(address, chunk * sealedChunk + 5);
    const { findings } = await store.verify();
    expect(findings.map(({ chunk, chunks }) => [chunk, chunks])).toEqual([
      [2, 3],
      [8, 1],
    ]);
  });
});

describe("leaf hashes", () => {
  test("that are damaged are found, are never believed, and are made again from a good payload alone", async () => {
    const { store, records } = await shelf(640);
    const { address } = records[0]!;
    const good = store.leaves.objects.get(address)!;
    const bad = Uint8Array.from(good);
    bad[40]! ^= 1;
    await store.leaves.put(address, once(bad));
    expect((await store.verify()).findings).toEqual([
      expect.objectContaining({ kind: "leaves-damaged", copy: address }),
    ]);
    await store.flip(address, 300);
    const both = (await store.repair()).findings;
    expect(both.map(({ kind, chunk, offset }) => [kind, chunk, offset])).toEqual([
      ["object-altered", undefined, 0],
      ["leaves-damaged", undefined, undefined],
    ]);
    expect(equalBytes(store.leaves.objects.get(address)!, bad), "the evidence stays").toBe(true);
    await store.flip(address, 300);
    expect((await store.repair()).findings).toEqual([]);
    expect(equalBytes(store.leaves.objects.get(address)!, good)).toBe(true);
  });

  test("that were made to fit an altered payload do not hide it", async () => {
    const { store, records } = await shelf(640);
    const record = records[0]!;
    await store.flip(record.address, 300);
    const fitted = new MemoryStore();
    const hashes: Uint8Array[] = [];
    const bytes = store.bytes(record.address);
    for (let at = 0; at < bytes.length; at += sealedChunk) {
      hashes.push(sha256(Uint8Array.of(0), bytes.subarray(at, at + sealedChunk)));
    }
    await fitted.put(record.address, once(Buffer.concat(hashes)));
    const state = await checkPayload({ objects: store.objects, leaves: fitted }, record);
    expect(state).toMatchObject({ good: false, leaves: "altered", precise: false });
    // A checker that believed the stored hashes would compare each chunk with its own hash and find nothing.
    const trusting = hashes.every((hash, chunk) => {
      const at = chunk * sealedChunk;
      return equalBytes(hash, sha256(Uint8Array.of(0), bytes.subarray(at, at + sealedChunk)));
    });
    expect(trusting).toBe(true);
  });
});

describe("objects in wrong places", () => {
  test("swapped headers are told from altered ones, and are put back", async () => {
    const { store, records } = await shelf(100, 200);
    const [one, other] = records.map(({ address }) => `${address}.header`) as [string, string];
    const [first, second] = [store.bytes(one), store.bytes(other)];
    await store.write(one, second);
    await store.write(other, first);
    const { findings } = await store.verify();
    expect(findings.map(({ kind, copy, goodCopy }) => [kind, copy, goodCopy])).toEqual([
      ["header-altered", one, other],
      ["header-altered", other, one],
    ]);
    expect((await store.repair()).findings).toEqual([]);
    expect(equalBytes(store.bytes(one), first)).toBe(true);
  });

  test("a payload in another's place is named, and where it was moved is found and put back", async () => {
    const { store, records } = await shelf(100, 200);
    const [one, other] = records as [StoredRecord, StoredRecord];
    const mine = store.bytes(one.address);
    await store.write("elsewhere", mine);
    await store.write(one.address, store.bytes(other.address));
    const { findings } = await store.verify();
    expect(findings[0]).toMatchObject({ kind: "foreign-object", copy: "elsewhere" });
    expect(findings[0]?.detail).toContain(one.recordId);
    expect(findings.some(({ detail }) => detail.includes(`payload of record ${other.recordId}`))).toBe(true);
    expect(
      findings
        .filter(({ recordId }) => recordId === one.recordId)
        .every(({ goodCopy, offset }) => goodCopy === "elsewhere" || offset === one.sealedBytes),
    ).toBe(true);
    const left = (await store.repair()).findings;
    expect(left.map(({ kind }) => kind)).toEqual(["foreign-object"]);
    expect(equalBytes(store.bytes(one.address), mine)).toBe(true);
  });

  test("a header that was moved away is found where it lies, and put back", async () => {
    const { store, records } = await shelf(100);
    const name = `${records[0]!.address}.header`;
    const header = store.bytes(name);
    await store.write("elsewhere", header);
    await store.objects.remove(name);
    const { findings } = await store.verify();
    expect(findings).toContainEqual(
      expect.objectContaining({ kind: "object-missing", part: "header", goodCopy: "elsewhere" }),
    );
    await store.repair();
    expect(equalBytes(store.bytes(name), header)).toBe(true);
  });

  test("a copy that is no longer good when the repair comes to it takes no place", async () => {
    const { store, records } = await shelf(100, 100);
    const { address } = records[0]!;
    await store.write("elsewhere", store.bytes(address));
    await store.objects.remove(address);
    const { findings } = await store.verify();
    expect(findings.some(({ goodCopy }) => goodCopy === "elsewhere")).toBe(true);
    await store.flip("elsewhere", 5);
    const done = await repairStored({ stores: store, records, findings, now: () => 2 });
    expect(done).toEqual([]);
    expect(store.objects.objects.has(address)).toBe(false);
    expect(store.objects.unfinished.size).toBe(0);
  });

  test("missing payloads and headers are found", async () => {
    const { store, records } = await shelf(100, 200);
    await store.objects.remove(records[0]!.address);
    await store.objects.remove(`${records[1]!.address}.header`);
    const { findings } = await store.verify();
    expect(findings.map(({ kind, part, copy }) => [kind, part, copy])).toEqual([
      ["object-missing", "payload", records[0]!.address],
      ["object-missing", "header", `${records[1]!.address}.header`],
    ]);
  });

  test("an object that the journal does not know, or knows as removed, is foreign", async () => {
    const { store } = await shelf(100);
    await store.write("notes.txt", randomBytes(10));
    await store.write("deadbeef", randomBytes(10));
    await store.journal.append({ event: "taken", address: "deadbeef", atMs: 1 });
    await store.journal.append({ event: "removed", address: "deadbeef", atMs: 2 });
    const { findings, orphans } = await store.verify();
    expect(findings.map(({ kind, copy }) => [kind, copy])).toEqual([
      ["foreign-object", "deadbeef"],
      ["foreign-object", "notes.txt"],
    ]);
    expect(orphans).toEqual([]);
  });

  test("a registered object that the journal lost is found and entered again", async () => {
    const { store } = await shelf(100);
    store.journalLines.length = 0;
    expect((await store.verify()).findings).toEqual([
      expect.objectContaining({ kind: "journal-incomplete" }),
    ]);
    expect((await store.repair()).findings).toEqual([]);
  });
});

describe("erased records", () => {
  test("whose objects are still there are found; the tombstone alone is enough to know", async () => {
    const { store, records } = await shelf(100, 200);
    const [one, other] = records as [StoredRecord, StoredRecord];
    store.records[0] = { ...one, erased: true };
    store.records.pop();
    const { recordId, address } = other;
    await store.tombstones.add({ kind: "erased", recordId, address, transaction: toHex(randomBytes(32)) });
    const { findings } = await store.verify();
    expect(findings.every(({ kind }) => kind === "erased-object")).toBe(true);
    expect(new Set(findings.map(({ copy }) => copy))).toEqual(
      new Set([one.address, `${one.address}.header`, other.address, `${other.address}.header`]),
    );
  });

  test("without a tombstone are found when the objects are gone", async () => {
    const { store, records } = await shelf(100);
    const { address } = records[0]!;
    store.records[0] = { ...records[0]!, erased: true };
    await store.objects.remove(address);
    await store.objects.remove(`${address}.header`);
    expect((await store.verify()).findings).toEqual([expect.objectContaining({ kind: "tombstone-missing" })]);
  });
});

describe("beside a writer", () => {
  test("a record that was rekeyed or erased while it was looked at is looked at again", async () => {
    const { store, records } = await shelf(100);
    const record = records[0]!;
    const header = randomBytes(200);
    await store.write(`${record.address}.header`, header);
    const rekeyed = { ...record, version: 2, headerHash: sha256(header) };
    const input = { ...store, records: async () => [record] };
    const alone = await verifyStored({ ...input, current: async () => record });
    expect(alone.findings).toHaveLength(1);
    expect((await verifyStored({ ...input, current: async () => rekeyed })).findings).toEqual([]);
    const erased = await verifyStored({ ...input, current: async () => ({ ...record, erased: true }) });
    expect(erased.findings).toEqual([]);
  });
});
