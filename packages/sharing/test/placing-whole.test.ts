/**
 * Records that lie whole in a bucket, beside places or without: which way a deposit goes, the owner's residency, what was
 * stored before is brought by a repair, and an erasure that overtakes it.
 */
import { randomBytes } from "node:crypto";
import { toHex } from "@chartseal/crypto";
import { type DirectAccess, PlacedStore, SplitStore, StorageError, WholeStore } from "@chartseal/storage";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { MemoryStore } from "../../storage/test/memory.ts";
import {
  erase,
  readPlacement,
  recordsOutside,
  requireRecord,
  retrieve,
  setResidency,
  splitKeysOf,
} from "../src/index.ts";
import { failure, type Member, readOut, source, World } from "./world.ts";

let world: World;
let ana: Member;
let policy: string;
let folder: MemoryStore;
let bucket: MemoryStore & { direct?: DirectAccess };
let disk: MemoryStore;
let whole: WholeStore;

beforeAll(async () => {
  world = await World.create();
  ana = await world.member();
  policy = `${toHex(ana.account)}@self`;
});
afterAll(() => world.close());

beforeEach(async () => {
  [folder, disk] = [new MemoryStore(), new MemoryStore()];
  const direct = { partSizes: [], partsMax: 1, openUpload: async () => "id" } as unknown as DirectAccess;
  bucket = Object.assign(new MemoryStore(), { direct });
  whole = new WholeStore({ name: "cloud", region: "eu", store: bucket }, folder);
  world.provider = world.newProvider({ ...world.stores, objects: whole, whole });
  await setResidency(world, { owner: ana, regions: [] });
});

/** A place for shards in ch beside the bucket in eu. */
function besideDisk(): void {
  const split = new SplitStore({
    places: [{ name: "disk", region: "ch", store: disk }],
    keys: splitKeysOf(randomBytes(32)),
    index: { entries: new MemoryStore(), leftovers: new MemoryStore() },
  });
  const placed = new PlacedStore(split, whole, whole);
  world.provider = world.newProvider({ ...world.stores, objects: placed, placed, whole });
}

const sizes = () => [folder, bucket, disk].map(({ objects }) => objects.size);
const deposited = async (text: string, options: object = {}) =>
  (await world.byOwner(ana, { policy, text, ...options })).recordId;
const read = async (recordId: Uint8Array) => await readOut(await retrieve(world, { member: ana, recordId }));

test("a deposit lies whole in the bucket, and the ledger says in which region", async () => {
  const recordId = await deposited("whole");
  expect(sizes()).toEqual([0, 2, 0]);
  expect(await readPlacement(world.ledger, recordId)).toMatchObject({ k: 1, n: 1, regions: ["eu"] });
  expect(await read(recordId)).toBe("whole");
  await failure("input-invalid", () => deposited("divided", { placement: { k: 1, n: 1 } }));
  await erase(world, { owner: ana, recordId });
  expect(sizes()).toEqual([0, 0, 0]);
});

test("the owner's residency is held; where a place allows it, the record is divided there", async () => {
  await setResidency(world, { owner: ana, regions: ["ch"] });
  await failure("rule-violated", () => deposited("refused"));
  expect(() => world.provider.direct!.takes({ regions: ["ch"] })).toThrow(
    /may lie in ch and this one would lie in eu/,
  );
  besideDisk();
  const recordId = await deposited("at home");
  expect(sizes()).toEqual([0, 0, 2]);
  expect(world.provider.direct!.takes({ regions: ["ch"] })).toBe(false);
  expect(world.provider.direct!.takes({ regions: ["eu"] })).toBe(true);
  expect(world.provider.direct!.takes({})).toBe(true);
  expect(world.provider.direct!.takes({ placement: { k: 1, n: 1 } })).toBe(false);
  expect(await read(recordId)).toBe("at home");
  await erase(world, { owner: ana, recordId });
});

test("after a change of residency the record is listed, and a repair moves it to a place that is allowed", async () => {
  const recordId = await deposited("moving");
  await setResidency(world, { owner: ana, regions: ["ch"] });
  const outside = (await recordsOutside(world.ledger, ana.account)).map((one) => toHex(one.recordId));
  expect(outside).toContain(toHex(recordId));
  expect(await world.provider.repair(recordId)).toMatchObject({
    moved: false,
    whole: false,
    regions: ["eu"],
  });
  besideDisk();
  expect(await world.provider.repair(recordId)).toMatchObject({ moved: true, whole: true, regions: ["ch"] });
  expect(sizes()).toEqual([0, 0, 2]);
  expect(await read(recordId)).toBe("moving");
  await setResidency(world, { owner: ana, regions: [] });
  expect(await world.provider.repair(recordId)).toMatchObject({ moved: false, whole: true });
  await erase(world, { owner: ana, recordId });
});

test("what lay in the folder is brought by a repair, and one that is missing is said", async () => {
  world.provider = world.newProvider({ ...world.stores, objects: folder });
  const recordId = await deposited("before");
  world.provider = world.newProvider({ ...world.stores, objects: whole, whole });
  expect(await read(recordId)).toBe("before");
  expect(sizes()).toEqual([2, 0, 0]);
  expect(await world.provider.repair(recordId)).toMatchObject({ moved: true, whole: true, regions: ["eu"] });
  expect(sizes()).toEqual([0, 2, 0]);
  expect(await readPlacement(world.ledger, recordId)).toMatchObject({ k: 1, n: 1, regions: ["eu"] });
  const { address } = await requireRecord(world.ledger, recordId);
  bucket.objects.delete(`${address}.header`);
  await failure("object-missing", () => world.provider.repair(recordId));
});

test("a record that is erased while it is brought to the bucket is gone when both have ended", async () => {
  world.provider = world.newProvider({ ...world.stores, objects: folder });
  const recordId = await deposited("z".repeat(500_000));
  const { address } = await requireRecord(world.ledger, recordId);
  world.provider = world.newProvider({ ...world.stores, objects: whole, whole });
  const put = bucket.put.bind(bucket);
  bucket.put = async (name, bytes, options) => {
    if (name !== address) return await put(name, bytes, options);
    const held: Uint8Array[] = [];
    for await (const part of bytes) held.push(part);
    await erase(world, { owner: ana, recordId });
    return await put(name, source(...held), options);
  };
  await world.provider.repair(recordId).catch(() => {});
  expect(sizes()).toEqual([0, 0, 0]);
});

test("a bucket that is away is provider-unreachable, whatever is asked, and takes nothing", async () => {
  const recordId = await deposited("away");
  const away = () => {
    throw new StorageError("store-unreachable", "no answer");
  };
  const before = { ...bucket };
  Object.assign(bucket, { put: away, begin: async () => away(), stat: async () => away(), get: away });
  for (const act of [
    () => deposited("more"),
    () => read(recordId),
    () => world.provider.repair(recordId),
    () => world.provider.check(),
  ]) {
    await failure("provider-unreachable", act);
  }
  Object.assign(bucket, before);
  expect(bucket.objects.size).toBeGreaterThan(0);
});
