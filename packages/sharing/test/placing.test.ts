/**
 * Records divided among places: the journeys go as before, any place may be lost, the owner's residency is held, and the
 * record's log says what was made again.
 */
import { parsePolicy, randomBytes, toHex } from "@chartseal/crypto";
import { PlacedStore, SplitStore, StorageError } from "@chartseal/storage";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { MemoryStore } from "../../storage/test/memory.ts";
import {
  AccountWriter,
  accessLog,
  deposit,
  erase,
  type Provider,
  readPlacement,
  readResidency,
  recordsOutside,
  rekey,
  requireRecord,
  retrieve,
  type StorageProvider,
  setResidency,
  splitKeysOf,
} from "../src/index.ts";
import { failure, type Member, readOut, source, World } from "./world.ts";

const policy = "cardiologist@cedars";
let world: World;
let ana: Member;
let doctor: Member;
let disks: MemoryStore[];
let earlier: MemoryStore;
let placed: PlacedStore;
const regions = ["ch", "eu", "us"];

beforeAll(async () => {
  world = await World.create();
  await world.hospital("cedars");
  ana = await world.member();
  doctor = await world.member(policy);
  await world.rule(ana, "cedars", policy);
});
afterAll(() => world.close());

beforeEach(async () => {
  disks = regions.map(() => new MemoryStore());
  earlier = new MemoryStore();
  const split = new SplitStore({
    places: disks.map((store, at) => ({ name: `p${at}`, region: regions[at]!, store })),
    keys: splitKeysOf(randomBytes(32)),
    index: { entries: new MemoryStore(), leftovers: new MemoryStore() },
  });
  placed = new PlacedStore(split, earlier);
  world.provider = world.newProvider({ ...world.stores, objects: placed, placed });
  await setResidency(world, { owner: ana, regions: [] });
});

const logOf = async (recordId: Uint8Array) =>
  (await accessLog(world.ledger, { recordId })).entries.map(({ event }) => event);
const readBy = async (member: Member, recordId: Uint8Array) =>
  await readOut(await retrieve(world, { member, recordId }));

test("deposited over three places, one of them destroyed: opened, repaired, and the log says so", async () => {
  const text = "x".repeat(500_000);
  const { recordId } = await world.byAuthor(doctor, ana, { namespace: "cedars", policy, text });
  expect(await readPlacement(world.ledger, recordId)).toMatchObject({ version: 1, k: 2, n: 3, regions });
  expect(disks.map(({ objects }) => objects.size)).toEqual([2, 2, 2]);
  disks[1]!.objects.clear();
  expect(await readBy(doctor, recordId)).toBe(text);
  const done = await world.provider.repair(recordId);
  expect(done).toMatchObject({ k: 2, n: 3, lost: 1, rebuilt: 1, regions, whole: true, moved: false });
  disks[0]!.objects.clear();
  expect(await readBy(doctor, recordId)).toBe(text);
  expect(await logOf(recordId)).toEqual([
    "deposited",
    "placed",
    "granted",
    "transformed",
    "repaired",
    "granted",
    "transformed",
  ]);
  // Of the repair the ledger knows counts and regions, and of no place the name.
  const { entries } = await accessLog(world.ledger, { recordId });
  const found = await world.ledger.transaction(entries[4]!.transaction);
  const text1 = Buffer.from(found!.bytes).toString("latin1");
  expect(text1).toContain("eu");
  expect(text1).not.toMatch(/p[012]/);
});

test("a repair of what is whole says nothing on the ledger", async () => {
  const { recordId } = await world.byOwner(ana, { policy });
  expect(await world.provider.repair(recordId)).toMatchObject({ lost: 0, rebuilt: 0, whole: true });
  expect(await logOf(recordId)).toEqual(["deposited", "placed"]);
});

test("a placement asked for is kept by the header, by a rekey, and by a new payload", async () => {
  const { recordId } = await world.byOwner(ana, { policy, placement: { k: 1, n: 2, regions: ["ch", "us"] } });
  expect(disks.map(({ objects }) => objects.size)).toEqual([2, 0, 2]);
  await rekey(world, { owner: ana, recordId });
  expect(disks.map(({ objects }) => objects.size)).toEqual([2, 0, 2]);
  expect(await readPlacement(world.ledger, recordId)).toMatchObject({
    version: 2,
    k: 1,
    n: 2,
    regions: ["ch", "us"],
  });
  await rekey(world, { owner: ana, recordId, payload: true });
  expect(await readPlacement(world.ledger, recordId)).toMatchObject({ version: 3, k: 1, n: 2 });
  expect(await readBy(ana, recordId)).toBe("a record");
  expect(disks.reduce((sum, { objects }) => sum + objects.size, 0)).toBe(4);
});

test("what is erased is gone from every place", async () => {
  const { recordId } = await world.byOwner(ana, { policy });
  await erase(world, { owner: ana, recordId });
  expect(disks.map(({ objects }) => objects.size)).toEqual([0, 0, 0]);
  expect((await failure("erased", () => world.provider.repair(recordId))).message).toMatch(/erased/);
});

test("where the owner's records may lie is kept without anybody asking for it", async () => {
  await setResidency(world, { owner: ana, regions: ["us", "ch"] });
  expect(await readResidency(world.ledger, ana.account)).toEqual(["ch", "us"]);
  const { recordId } = await world.byAuthor(doctor, ana, { namespace: "cedars", policy });
  expect(await readPlacement(world.ledger, recordId)).toMatchObject({ k: 1, n: 2, regions: ["ch", "us"] });
  expect(disks[1]!.objects.size).toBe(0);
});

test("regions outside are refused before a byte is sealed, and where there are no places too", async () => {
  await setResidency(world, { owner: ana, regions: ["eu"] });
  const placement = { k: 1, n: 1, regions: ["us"] };
  const refused = await failure("rule-violated", () => world.byOwner(ana, { policy, placement }));
  expect(refused.data).toMatchObject({ residency: ["eu"], regions: ["us"] });
  await setResidency(world, { owner: ana, regions: ["jp"] });
  await failure("rule-violated", () => world.byOwner(ana, { policy }));
  world.provider = world.newProvider();
  await failure("rule-violated", () => world.byOwner(ana, { policy }));
  expect(disks.map(({ objects }) => objects.size)).toEqual([0, 0, 0]);
});

/**
 * Attack: an author's client that does not care where the owner's records may lie asks for places elsewhere. The provider
 * looks for itself before it signs for the header, and without its receipt the ledger takes no deposit. On a copy of the
 * provider that does not look, the deposit goes through.
 */
test("a client that ignores the residency gets no receipt", async () => {
  const careless = (provider: StorageProvider): Provider =>
    new Proxy(provider, {
      get: (target, name) => {
        if (name === "takePayload") {
          const elsewhere = { placement: { k: 1, n: 1, regions: ["us"] } };
          return (bytes: AsyncIterable<Uint8Array>) => target.takePayload(bytes, elsewhere);
        }
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  const attack = (provider: StorageProvider) =>
    deposit(
      { ...world.surroundings, provider: careless(provider) },
      {
        by: doctor,
        owner: ana.account,
        namespace: "cedars",
        policy: parsePolicy(policy),
        authorPolicy: parsePolicy(policy),
        source: source(new Uint8Array(100)),
        metadata: async () => ({ name: "x", mediaType: "text/plain", validation: "not-checked" }),
      },
    );
  await setResidency(world, { owner: ana, regions: ["eu"] });
  const refused = await failure("rule-violated", () => attack(world.provider));
  expect(refused.data).toMatchObject({ residency: ["eu"], regions: ["us"] });
  const blind = new Proxy(placed, {
    get: (target, name) =>
      name === "whereabouts"
        ? async (address: string) => ({ ...(await target.whereabouts(address)), regions: ["eu"] })
        : (Reflect.get(target, name).bind?.(target) ?? Reflect.get(target, name)),
  });
  const { recordId } = await attack(world.newProvider({ ...world.stores, objects: placed, placed: blind }));
  expect(disks[2]!.objects.size).toBeGreaterThan(0);
  await erase(world, { owner: ana, recordId });
});

test("after a change of residency the records that must move are listed, and a repair moves them", async () => {
  const placement = { k: 2, n: 3 };
  const { recordId } = await world.byOwner(ana, { policy, text: "moving", placement });
  await setResidency(world, { owner: ana, regions: ["eu", "us"] });
  const must = (await recordsOutside(world.ledger, ana.account)).filter(
    (one) => toHex(one.recordId) === toHex(recordId),
  );
  expect(must).toEqual([{ recordId, regions }]);
  // Two places are left for three shards: what lies outside stays until there is a third.
  expect(await world.provider.repair(recordId)).toMatchObject({ lost: 1, rebuilt: 0, whole: false });
  const { split } = placed;
  const more = new SplitStore({
    places: [...split.places, { name: "p3", region: "us", store: new MemoryStore() }],
    keys: split.parts.keys,
    index: {
      entries: await copied(split),
      leftovers: new MemoryStore(),
    },
  });
  placed = new PlacedStore(more, earlier);
  world.provider = world.newProvider({ ...world.stores, objects: placed, placed });
  expect(await world.provider.repair(recordId)).toMatchObject({ lost: 1, rebuilt: 1, whole: true });
  expect(disks[0]!.objects.size).toBe(0);
  const left = await recordsOutside(world.ledger, ana.account);
  expect(left.some((one) => toHex(one.recordId) === toHex(recordId))).toBe(false);
  expect(await logOf(recordId)).toEqual(["deposited", "placed", "repaired", "placed"]);
  expect(await readBy(ana, recordId)).toBe("moving");
});

async function copied(split: SplitStore): Promise<MemoryStore> {
  const copy = new MemoryStore();
  for await (const name of split.list()) {
    const entry = await split.parts.index.read(name);
    await copy.put(name, source(Buffer.from(JSON.stringify({ version: 1, ...entry }))));
  }
  return copy;
}

/** The erasure comes while the payload is on its way from the earlier store to the places: it must not come back. */
test("a record that is erased while it is being moved is gone when both have ended", async () => {
  world.provider = world.newProvider({ ...world.stores, objects: earlier });
  const { recordId } = await world.byOwner(ana, { policy, text: "z".repeat(2_000_000) });
  const { address } = await requireRecord(world.ledger, recordId);
  world.provider = world.newProvider({ ...world.stores, objects: placed, placed });
  // The shards are written, and committed only after the erasure has looked for what there is.
  const put = placed.split.put.bind(placed.split);
  placed.split.put = async (name, bytes, options) => {
    if (name !== address) return await put(name, bytes, options);
    const held: Uint8Array[] = [];
    for await (const part of bytes) held.push(part);
    await erase(world, { owner: ana, recordId });
    return await put(name, source(...held), options);
  };
  await world.provider.repair(recordId).catch(() => {});
  expect(disks.map(({ objects }) => objects.size)).toEqual([0, 0, 0]);
  expect(earlier.objects.size).toBe(0);
});

test("what was stored before there were places is read where it lies, and divided by a repair", async () => {
  world.provider = world.newProvider({ ...world.stores, objects: earlier });
  const { recordId } = await world.byOwner(ana, { policy, text: "from before" });
  expect(earlier.objects.size).toBe(2);
  world.provider = world.newProvider({ ...world.stores, objects: placed, placed });
  expect(await readBy(ana, recordId)).toBe("from before");
  expect(await world.provider.repair(recordId)).toMatchObject({ moved: true, lost: 0, whole: true });
  expect(earlier.objects.size).toBe(0);
  expect(disks.map(({ objects }) => objects.size)).toEqual([2, 2, 2]);
  expect(await readBy(ana, recordId)).toBe("from before");
  expect(await readPlacement(world.ledger, recordId)).toMatchObject({ k: 2, n: 3 });
  const { address } = await requireRecord(world.ledger, recordId);
  expect([...(await names())]).toEqual([address, `${address}.header`]);
});

async function names(): Promise<string[]> {
  const all: string[] = [];
  for await (const name of placed.list()) all.push(name);
  return all;
}

test("an erasure waits for a place that is away, and takes from all others at once what they have", async () => {
  const { recordId } = await world.byOwner(ana, { policy });
  const { remove } = disks[1]!;
  disks[1]!.remove = async () => {
    throw new StorageError("store-unreachable", "away");
  };
  await failure("provider-unreachable", () => erase(world, { owner: ana, recordId }));
  expect(disks.map(({ objects }) => objects.size)).toEqual([0, 2, 0]);
  await failure("erased", () => retrieve(world, { member: ana, recordId }));
  await failure("provider-unreachable", () => erase(world, { owner: ana, recordId }));
  disks[1]!.remove = remove;
  const { copies } = await erase(world, { owner: ana, recordId });
  const { address } = copies[0]!;
  const shards = [1, 2, 3].map((shard) => `${address}/shard-${shard}of3`);
  expect(copies.map((copy) => copy.address)).toEqual([address, ...shards]);
  expect(disks.map(({ objects }) => objects.size)).toEqual([0, 0, 0]);
});

/** Erased on the ledger alone, as while the provider was down. */
async function eraseOnLedger(recordId: Uint8Array): Promise<void> {
  await new AccountWriter(world.surroundings, ana).submit({ kind: "erase", recordId });
}

test("a place that is away keeps the provider from no erasure elsewhere, and its own is tried again", async () => {
  const at = async (region: string) =>
    (await world.byOwner(ana, { policy, placement: { k: 1, n: 1, regions: [region] } })).recordId;
  const [away, elsewhere] = [await at("eu"), await at("us")];
  await world.provider.follow();
  expect(disks.map(({ objects }) => objects.size)).toEqual([0, 2, 2]);
  await eraseOnLedger(away);
  await eraseOnLedger(elsewhere);
  const { remove } = disks[1]!;
  disks[1]!.remove = async () => {
    throw new StorageError("store-unreachable", "away");
  };
  await failure("provider-unreachable", () => world.provider.follow());
  expect(disks.map(({ objects }) => objects.size)).toEqual([0, 2, 0]);
  // It is not forgotten with the block that asked for it.
  const third = await at("us");
  await eraseOnLedger(third);
  await failure("provider-unreachable", () => world.provider.follow());
  expect(disks.map(({ objects }) => objects.size)).toEqual([0, 2, 0]);
  disks[1]!.remove = remove;
  await world.provider.follow();
  expect(disks.map(({ objects }) => objects.size)).toEqual([0, 0, 0]);
});

test("nor does it keep one that begins from any: what another run left is swept elsewhere", async () => {
  const at = async (region: string) =>
    (await world.byOwner(ana, { policy, placement: { k: 1, n: 1, regions: [region] } })).recordId;
  const records = [await at("eu"), await at("us")];
  for (const recordId of records) await eraseOnLedger(recordId);
  const { remove } = disks[1]!;
  disks[1]!.remove = async () => {
    throw new StorageError("store-unreachable", "away");
  };
  const begun = world.newProvider({ ...world.stores, objects: placed, placed });
  await failure("provider-unreachable", () => begun.follow());
  expect(disks.map(({ objects }) => objects.size)).toEqual([0, 2, 0]);
  disks[1]!.remove = remove;
  await begun.follow();
  expect(disks.map(({ objects }) => objects.size)).toEqual([0, 0, 0]);
});
