/** A repair whose process dies at any of its writes: what is made again is said in the record's log, once, and nothing else is. */
import { randomBytes } from "@chartseal/crypto";
import { entries, logKey, outcomes } from "@chartseal/ledger";
import { PlacedStore, SplitStore, StorageError } from "@chartseal/storage";
import { afterAll, beforeAll, expect, test } from "vitest";
import { MemoryStore } from "../../storage/test/memory.ts";
import { type ProviderStores, type RepairNote, repairShards, splitKeysOf } from "../src/index.ts";
import type { RepairNotes } from "../src/provider/repair-notes.ts";
import { readEntry, requireRecord } from "../src/state.ts";
import { Crash, Fate, mortal } from "./stores.ts";
import { type Member, World } from "./world.ts";

const keys = splitKeysOf(randomBytes(32));
let world: World;
let ana: Member;
let recordId: Uint8Array;
let disks: MemoryStore[];
let index: { entries: MemoryStore; leftovers: MemoryStore };
/** repairs.json. */
let written = "[]";

/** Two writes an object at its place, the index, the notes: each a moment to die at. */
function notesOf(fate?: Fate): RepairNotes {
  return {
    load: () => {
      fate?.read();
      const revive = (key: string, value: unknown): unknown =>
        key === "recordId" ? Uint8Array.from(value as number[]) : value;
      return JSON.parse(written, revive) as RepairNote[];
    },
    save: (notes) => {
      fate?.writeNow();
      const plain = (key: string, value: unknown): unknown =>
        key === "recordId" ? Object.values(value as Uint8Array) : value;
      written = JSON.stringify(notes, plain);
    },
  };
}

function storesOf(fate?: Fate, away?: number): ProviderStores {
  const live = <T extends object>(one: T): T => (fate === undefined ? one : mortal(one, fate));
  const gone = {
    stat: async () => {
      throw new StorageError("store-unreachable", "away");
    },
  };
  const places = disks.map((disk, at) => ({
    name: `p${at}`,
    region: "eu",
    store: at === away ? Object.assign(Object.create(disk), gone) : live(disk),
  }));
  const at = { entries: live(index.entries), leftovers: live(index.leftovers) };
  const placed = new PlacedStore(new SplitStore({ places, keys, index: at }), new MemoryStore());
  return { ...world.stores, objects: placed, placed, repairs: notesOf(fate) };
}

async function repairsSaid(): Promise<number> {
  const { logCount } = await requireRecord(world.ledger, recordId);
  let said = 0;
  for (let at = 0; at < logCount; at++) {
    const entry = await readEntry(world.ledger, entries.log, logKey(recordId, at));
    if (entry?.outcome === outcomes.repaired) said++;
  }
  return said;
}

const imageOf = (stores: readonly MemoryStore[]): Map<string, Uint8Array>[] =>
  stores.map(({ objects }) => new Map(objects));
function putBack(stores: readonly MemoryStore[], images: readonly Map<string, Uint8Array>[]): void {
  for (const [at, { objects }] of stores.entries()) {
    objects.clear();
    for (const [name, bytes] of images[at]!) objects.set(name, bytes);
  }
}

beforeAll(async () => {
  world = await World.create();
  await world.hospital("cedars");
  ana = await world.member("doctor@cedars");
  disks = [0, 1, 2].map(() => new MemoryStore());
  index = { entries: new MemoryStore(), leftovers: new MemoryStore() };
  world.provider = world.newProvider(storesOf());
  ({ recordId } = await world.byOwner(ana, { policy: "doctor@cedars" }));
});
afterAll(() => world.close());

/** Whether any shard of the record that was away is there again. */
const madeAgain = (place: number): boolean => disks[place]!.objects.size > 0;

/** Runs `repair` until it dies at no write any more; after each death the next process says what it finds. */
async function dyingAtEach(repair: (fate: Fate) => Promise<unknown>): Promise<number> {
  const whole = imageOf([...disks, index.entries, index.leftovers]);
  for (let at = 1; ; at++) {
    putBack([...disks, index.entries, index.leftovers], whole);
    disks[1]!.objects.clear();
    const before = await repairsSaid();
    const fate = new Fate(at);
    await repair(fate).catch((error: unknown) => {
      if (!(error instanceof Crash) && !fate.dead) throw error;
    });
    const made = madeAgain(1);
    await world.newProvider(storesOf()).sayRepairs();
    expect([at, (await repairsSaid()) - before]).toEqual([at, made ? 1 : 0]);
    expect(written).toBe("[]");
    // Said already, it is not said again.
    await world.newProvider(storesOf()).sayRepairs();
    expect((await repairsSaid()) - before).toBe(made ? 1 : 0);
    if (!fate.dead) return at - 1;
  }
}

test("by the provider itself", async () => {
  const deaths = await dyingAtEach(async (fate) => {
    const ledger = mortal(world.ledger, fate);
    await world.newProvider(storesOf(fate), ledger).repair(recordId);
  });
  // Notes of payload and header, a shard and an index entry of each, the result, the ledger, its end.
  expect(deaths).toBeGreaterThanOrEqual(8);
});

test("by forensics, without the provider's key", async () => {
  const finding = { kind: "shard-missing" as const, recordId: Buffer.from(recordId).toString("hex") };
  const deaths = await dyingAtEach(async (fate) => {
    const { placed } = storesOf(fate);
    const findings = [finding] as unknown as Parameters<typeof repairShards>[0]["findings"];
    await repairShards({ ledger: world.ledger, placed: placed!, findings, notes: notesOf(fate) });
  });
  expect(deaths).toBeGreaterThanOrEqual(6);
});

test("what a place has to answer for first waits until it does", async () => {
  disks[1]!.objects.clear();
  const before = await repairsSaid();
  // Both shards are there, and the result is not noted: the process dies at the note after them.
  const plan = notesOf();
  let saves = 0;
  const save: RepairNotes["save"] = (notes) => {
    if (++saves === 3) throw new Crash("the process died here");
    plan.save(notes);
  };
  const stores = { ...storesOf(), repairs: { ...plan, save } };
  await expect(world.newProvider(stores).repair(recordId)).rejects.toThrow("died here");
  expect(madeAgain(1)).toBe(true);
  await world.newProvider(storesOf(undefined, 1)).sayRepairs();
  expect([await repairsSaid(), JSON.parse(written).length]).toEqual([before, 1]);
  await world.newProvider(storesOf()).sayRepairs();
  expect([await repairsSaid(), written]).toEqual([before + 1, "[]"]);
});
