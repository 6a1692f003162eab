/**
 * Erasure over places that others run: each signs for itself, once, whatever crashes between. And what an erasure is worth
 * against somebody who took every disk's image before it and has every key that is left: what it promises does not open,
 * what it cannot promise does, so that the test is known to bite.
 */
import {
  ChartsealError,
  decapsulate,
  hasCode,
  randomBytes,
  recoverFromTransform,
  toHex,
  utf8,
} from "@chartseal/crypto";
import { signErasedCopy, verifyErasedCopy } from "@chartseal/ledger";
import { PlacedStore, SplitStore, StorageError } from "@chartseal/storage";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { MemoryStore } from "../../storage/test/memory.ts";
import {
  AccountWriter,
  type Aside,
  type AsideCopy,
  type AsideKind,
  certificateOf,
  checkHeader,
  erase,
  type Identity,
  identityOf,
  newIdentitySeeds,
  readCommittee,
  requireRecord,
  retrieve,
  setEraseAfter,
  splitKeysOf,
} from "../src/index.ts";
import { getWhole, once } from "../src/streams.ts";
import { failure, type Member, World } from "./world.ts";

const policy = "cardiologist@cedars";
let world: World;
let ana: Member;
let doctor: Member;
let holder: Identity;
let disks: MemoryStore[];
let placed: PlacedStore;
let keys: ReturnType<typeof splitKeysOf>;
let index: { entries: MemoryStore; leftovers: MemoryStore };
let asked: number;
let answers: boolean;
let beside: { kind: AsideKind; id: string; bytes: Uint8Array; stuck?: boolean }[];
/** Who signs at the second place, and for which address. */
let signs: (address: string) => { readonly by: Uint8Array; readonly address: string };

beforeAll(async () => {
  world = await World.create();
  await world.hospital("cedars");
  ana = await world.member();
  doctor = await world.member(policy);
  holder = await identityOf(newIdentitySeeds());
  const { publicKey, hpkePublic: hpkeKey } = holder;
  await new AccountWriter(world, holder).submit(
    { kind: "register-provider", publicKey, hpkeKey },
    { admittedBy: [world.validatorSeed] },
  );
});
afterAll(() => world.close());

beforeEach(() => {
  disks = [0, 1, 2].map(() => new MemoryStore());
  keys = splitKeysOf(randomBytes(32));
  asked = 0;
  answers = true;
  signs = (address) => ({ by: holder.seed, address });
  placed = placedOver(disks);
  beside = [];
  const asides = new Map<AsideKind, Aside>([["quarantine", { copies: besides }]]);
  world.provider = world.newProvider({ ...world.stores, objects: placed, placed, asides });
});

/** What lies beside the places, by name. */
async function* besides(): AsyncGenerator<AsideCopy> {
  for (const one of [...beside]) {
    const { kind, id, bytes } = one;
    yield {
      kind,
      id,
      ...(kind === "quarantine" ? { name: id } : {}),
      size: bytes.length,
      read: ({ from, toInclusive } = { from: 0, toInclusive: bytes.length - 1 }) =>
        once(bytes.slice(from, toInclusive + 1)),
      destroy: async () => {
        if (one.stuck === true) throw new Error("the process died here");
        beside = beside.filter((other) => other !== one);
      },
    };
  }
}

/** Three places, of which the second is another institution's: it removes and signs by itself. */
function placedOver(stores: readonly MemoryStore[]): PlacedStore {
  const places = stores.map((store, at) => ({ name: `p${at}`, region: "eu", store }));
  const attest = async (erased: { recordId: Uint8Array; names: readonly string[]; address: string }) => {
    if (!answers) throw new StorageError("store-unreachable", "away");
    asked++;
    for (const name of erased.names) await stores[1]!.remove(name);
    const { recordId } = erased;
    const { by, address } = signs(erased.address);
    return [signErasedCopy(by, { chainId: world.ledger.chainId, recordId, address })];
  };
  places[1] = { ...places[1]!, ...{ attest } };
  index = { entries: new MemoryStore(), leftovers: new MemoryStore() };
  return new PlacedStore(new SplitStore({ places, keys, index }), new MemoryStore());
}

test("a place that another institution runs signs for its own shards, and the ledger takes its signature", async () => {
  const { recordId } = await world.byOwner(ana, { policy });
  const { copies } = await erase(world, { owner: ana, recordId });
  const theirs = copies.filter((copy) => toHex(copy.holder) === toHex(holder.account));
  expect(theirs).toHaveLength(1);
  expect(theirs[0]!.address).toMatch(/\/shard-[1-3]\+header-shard-[1-3]$/);
  const { chainId } = world.ledger;
  const { address } = theirs[0]!;
  // What it signs for the provider does not sign for: of three shards two are the provider's.
  const [, theirShard] = /\/(shard-[1-3])\+/.exec(address)!;
  const shards = copies.flatMap((copy) => /\/(shard-[1-3])of3$/.exec(copy.address)?.[1] ?? []);
  expect([...shards, theirShard].toSorted()).toEqual(["shard-1", "shard-2", "shard-3"]);
  expect(verifyErasedCopy(holder.publicKey, theirs[0]!, { chainId, recordId, address })).toBe(true);
  expect((await certificateOf(world.ledger, recordId)).copies.every(({ valid }) => valid)).toBe(true);
  expect(disks.map(({ objects }) => objects.size)).toEqual([0, 0, 0]);
});

// The attack: an institution that says it erased, in words that the ledger refuses, so that no certificate is ever taken:
// signed by a key that is no provider's, or over a shard of something else. It is as if it had not answered: nothing of it
// is kept, and the erasure goes on once it signs.
test("an institution that signs what the ledger would refuse spoils no certificate", async () => {
  const { recordId } = await world.byOwner(ana, { policy });
  const wrong = [
    (address: string) => ({ by: randomBytes(32), address }),
    (address: string) => ({ by: ana.seed, address }),
    () => ({ by: holder.seed, address: "another/shard-1" }),
  ];
  for (const each of wrong) {
    signs = each;
    await failure("provider-unreachable", () => erase(world, { owner: ana, recordId }));
  }
  signs = (address) => ({ by: holder.seed, address });
  await erase(world, { owner: ana, recordId });
  expect((await certificateOf(world.ledger, recordId)).copies.every(({ valid }) => valid)).toBe(true);
});

test("no certificate without it: an institution that is away is asked again, one that signed is not", async () => {
  const { recordId } = await world.byOwner(ana, { policy });
  answers = false;
  await failure("provider-unreachable", () => erase(world, { owner: ana, recordId }));
  await failure("input-invalid", () => certificateOf(world.ledger, recordId));
  answers = true;
  const { remove } = disks[2]!;
  disks[2]!.remove = async () => {
    throw new StorageError("store-unreachable", "away");
  };
  await failure("provider-unreachable", () => erase(world, { owner: ana, recordId }));
  expect(asked).toBe(1);
  disks[2]!.remove = remove;
  const { copies } = await erase(world, { owner: ana, recordId });
  expect(asked).toBe(1);
  expect(copies.some((copy) => toHex(copy.holder) === toHex(holder.account))).toBe(true);
});

// The attack: an erasure that leaves a copy where nobody looks. A payload that forensics moved away, under whatever name it
// had; a shard of one; its header; an upload that broke off halfway, before the same payload came whole.
test("copies in quarantine and in uploads under way go with the record, whatever they are called, and are named", async () => {
  const { recordId } = await world.byOwner(ana, { policy });
  const other = await world.byOwner(ana, { policy, text: "of another record" });
  const record = await requireRecord(world.ledger, recordId);
  const payload = await getWhole(placed, record.address, 1 << 20);
  const header = await getWhole(placed, `${record.address}.header`, 1 << 20);
  const [shard] = [...disks[0]!.objects];
  const theirs = await getWhole(placed, (await requireRecord(world.ledger, other.recordId)).address, 1 << 20);
  const kept = [
    { kind: "quarantine" as const, id: "another record's", bytes: theirs },
    { kind: "upload" as const, id: "another's", bytes: theirs.slice(0, 20) },
    { kind: "upload" as const, id: "begun", bytes: payload.slice(0, 8) },
    { kind: "quarantine" as const, id: "notes.txt", bytes: utf8("nothing of the kind") },
  ];
  beside = [
    ...kept,
    { kind: "quarantine", id: "copy", bytes: payload },
    { kind: "quarantine", id: "cut-copy.bak", bytes: payload.slice(0, 18) },
    { kind: "quarantine", id: "moved", bytes: header },
    {
      kind: "quarantine",
      id: shard![0],
      bytes: utf8("damaged, and too short to be known by anything but its name"),
    },
    { kind: "quarantine", id: "a-shard", bytes: shard![1] },
    { kind: "upload", id: "half", bytes: payload.slice(0, payload.length - 2), stuck: true },
    { kind: "upload", id: "whole", bytes: payload },
  ];
  // It dies halfway: what went already is named all the same, and nothing twice.
  await expect(erase(world, { owner: ana, recordId })).rejects.toThrow("died here");
  for (const one of beside) delete one.stuck;
  const { copies } = await erase(world, { owner: ana, recordId });
  expect(beside).toEqual(kept);
  const of = (kind: string): string[] =>
    copies.flatMap((copy) => (copy.address.includes(`/${kind}-`) ? [copy.address] : [])).toSorted();
  expect(of("quarantine")).toEqual([1, 2, 3, 4, 5].map((at) => `${record.address}/quarantine-${at}`));
  expect(of("upload")).toEqual([1, 2].map((at) => `${record.address}/upload-${at}`));
  expect((await certificateOf(world.ledger, recordId)).copies.every(({ valid }) => valid)).toBe(true);
});

test("where the payload itself is lost, a whole copy is known by the digest on the ledger", async () => {
  const { recordId } = await world.byOwner(ana, { policy });
  const { address } = await requireRecord(world.ledger, recordId);
  beside = [{ kind: "upload", id: "whole", bytes: await getWhole(placed, address, 1 << 20) }];
  await placed.remove(address);
  const { copies } = await erase(world, { owner: ana, recordId });
  expect(beside).toEqual([]);
  expect(copies.map((copy) => copy.address)).toContain(`${address}/upload-1`);
});

test("every image from before with every key that is left: nothing without provider and reader together, and all with both", async () => {
  const { recordId } = await world.byOwner(ana, { policy });
  const record = await requireRecord(world.ledger, recordId);
  // Of the places and of what lay beside them.
  const images = disks.map(imageOf);
  const quarantine = await getWhole(placed, `${record.address}.header`, 1 << 20);
  beside = [{ kind: "quarantine", id: "moved", bytes: quarantine }];
  const before = { entries: imageOf(index.entries), leftovers: new MemoryStore() };
  await erase(world, { owner: ana, recordId });
  await failure("erased", () => retrieve(world, { member: doctor, recordId }));
  for (const disk of disks) expect(disk.objects.size).toBe(0);
  expect(beside).toEqual([]);
  for (const [name] of world.stores.leaves.objects) expect(name.startsWith(record.address)).toBe(false);

  // The images, with the placement secret that the provider still has, give the header back.
  const places = images.map((store, at) => ({ name: `p${at}`, region: "eu", store }));
  const taken = new SplitStore({ places, keys, index: before });
  const { reading } = await readCommittee(world.ledger, world.pairing);
  const registered = { ...record, recordId, statement: record.current };
  const bytes = await getWhole(taken, `${record.address}.header`, 1 << 20);
  // The image of the quarantine holds the same header, and opens no further.
  expect(bytes).toEqual(quarantine);
  const header = checkHeader(world.pairing, { bytes, registered, mpk: reading.publicKey });
  const { encapsulation, context } = header;
  const custody = (await world.stores.keys.get(doctor.account, doctor.transformKeyId!))!;
  const transform = world.pairing.gt.encode(
    decapsulate(world.pairing, { key: custody.key, policy: header.policy, encapsulation }),
  );
  const opens = (recoveryKey: bigint, given = transform): boolean => {
    try {
      const from = { transform: given, recoveryKey, policy: header.policy, context, encapsulation };
      recoverFromTransform(world.pairing, from);
      return true;
    } catch (error) {
      if (error instanceof ChartsealError && hasCode(error, "transform-invalid")) return false;
      throw error;
    }
  };
  // The provider and every disk, without the reader: 1 stands for no secret at all, and another reader's for a guess.
  expect(opens(1n)).toBe(false);
  expect(opens(ana.recoveryKey!)).toBe(false);
  // The reader and every disk, without the provider: the reader has no transform key, and z alone works on nothing.
  const generator = world.pairing.gt.encode(reading.publicKey);
  expect(opens(doctor.recoveryKey!, generator)).toBe(false);
  // Both together, as the certificate says.
  expect(opens(doctor.recoveryKey!)).toBe(true);
  const limits = (await certificateOf(world.ledger, recordId)).limits.join(" ");
  expect(limits).toContain("the provider and a reader together");

  // Images that leave headers out, as long-lived backups must: nothing is left that m could be had from.
  before.entries.objects.delete(`${record.address}.header`);
  await expect(getWhole(taken, `${record.address}.header`, 1 << 20)).rejects.toMatchObject({
    code: "object-missing",
  });
});

test("an erasure that was due while an institution was away is certified by a later round, without its owner", async () => {
  const { recordId } = await world.byOwner(ana, { policy });
  const eraseAfterMs = world.clock.nowMs + 1000;
  await setEraseAfter({ writer: new AccountWriter(world, ana), recordId, eraseAfterMs });
  world.clock.nowMs = eraseAfterMs + 1000;
  answers = false;
  await failure("provider-unreachable", () => world.provider.eraseDue());
  await failure("input-invalid", () => certificateOf(world.ledger, recordId));
  answers = true;
  expect(await world.provider.eraseDue()).toEqual([]);
  expect((await certificateOf(world.ledger, recordId)).copies.every(({ valid }) => valid)).toBe(true);
  expect(disks.map(({ objects }) => objects.size)).toEqual([0, 0, 0]);
});

function imageOf(store: MemoryStore): MemoryStore {
  const image = new MemoryStore();
  for (const [name, bytes] of store.objects) image.objects.set(name, Uint8Array.from(bytes));
  return image;
}
