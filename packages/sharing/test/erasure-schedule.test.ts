/** When the provider has what to erase: what a round reads, and that nothing that the ledger says escapes it. */
import { toHex } from "@chartseal/crypto";
import type { Ledger } from "@chartseal/ledger";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { AccountWriter, erase, setEraseAfter } from "../src/index.ts";
import { once } from "../src/streams.ts";
import { failure, type Member, World } from "./world.ts";

const dayMs = 86_400_000;
let world: World;
let owner: Member;
let author: Member;
/** Hex of what the ledger was asked for. */
let asked: string[];

beforeAll(async () => {
  world = await World.create();
  await world.hospital("cedars");
  owner = await world.member();
  author = await world.member("doctor@cedars");
  await world.rule(owner, "cedars", "doctor@cedars");
});
beforeEach(() => {
  asked = [];
});

const deposited = async (): Promise<Uint8Array> =>
  (await world.byAuthor(author, owner, { policy: "doctor@cedars", namespace: "cedars" })).recordId;
const after = (recordId: Uint8Array, eraseAfterMs: number | null) =>
  setEraseAfter({ writer: new AccountWriter(world, owner), recordId, eraseAfterMs });
const cedars = () => world.hospitals.get("cedars")!;

/** A round of a provider that has just begun, over what is on its disk. */
async function round(): Promise<string[]> {
  const { ledger } = world;
  const read: Ledger["read"] = (kind, key) => {
    asked.push(toHex(key));
    return ledger.read(kind, key);
  };
  const counting = new Proxy(ledger, {
    get: (of, name) => {
      if (name === "read") return read;
      const value: unknown = Reflect.get(of, name, of);
      return typeof value === "function" ? value.bind(of) : value;
    },
  });
  return (await world.newProvider(world.stores, counting).eraseDue()).map(toHex);
}

const askedAbout = (recordId: Uint8Array): boolean => asked.some((key) => key.includes(toHex(recordId)));

test("a round asks the ledger about what is due, and about nothing that is planned for another day", async () => {
  const planned = [await deposited(), await deposited(), await deposited()];
  for (const [at, recordId] of planned.entries()) await after(recordId, world.clock.nowMs + (at + 2) * dayMs);
  expect(await round()).toEqual([]);
  asked = [];
  expect(await round()).toEqual([]);
  expect(planned.some(askedAbout)).toBe(false);

  world.clock.nowMs += 2 * dayMs + 1000;
  expect(await round()).toEqual([toHex(planned[0]!)]);
  expect(planned.map(askedAbout)).toEqual([true, false, false]);
  // Certified, it is no longer asked about either.
  expect(await round()).toEqual([]);
  asked = [];
  expect(await round()).toEqual([]);
  expect(planned.some(askedAbout)).toBe(false);

  // Without what is noted all of them are looked at: the test would see it.
  await world.stores.pending.remove("erasures.height");
  expect(await round()).toEqual([]);
  expect(planned.map(askedAbout)).toEqual([true, true, true]);
  world.clock.nowMs += 3 * dayMs;
  expect((await round()).toSorted()).toEqual(planned.slice(1).map(toHex).toSorted());
});

test("a time that moves, a duty to keep that is set and shortened, and a hold that is lifted are all followed", async () => {
  const [moved, kept, held, never] = [
    await deposited(),
    await deposited(),
    await deposited(),
    await deposited(),
  ];
  const now = world.clock.nowMs;
  for (const recordId of [moved, held, never]) await after(recordId, now + 9 * dayMs);
  await after(kept, now + dayMs);
  expect(await round()).toEqual([]);
  await after(moved, now + dayMs);
  await after(never, null);
  await cedars().keepUntil(kept, now + 30 * dayMs);
  await cedars().placeHold({ recordId: held, holdId: new Uint8Array(32).fill(1), reason: "case 17" });
  world.clock.nowMs = now + 2 * dayMs;
  expect(await round()).toEqual([toHex(moved)]);
  expect(await round()).toEqual([]);
  asked = [];
  expect(await round()).toEqual([]);
  expect([moved, kept, held, never].some(askedAbout)).toBe(false);

  await cedars().keepUntil(kept, now + dayMs);
  expect(await round()).toEqual([toHex(kept)]);
  world.clock.nowMs = now + 10 * dayMs;
  expect(await round()).toEqual([]);
  await cedars().liftHold({ recordId: held, holdId: new Uint8Array(32).fill(1), reason: "settled" });
  expect(await round()).toEqual([toHex(held)]);
  await after(never, now + 11 * dayMs);
  world.clock.nowMs = now + 12 * dayMs;
  expect(await round()).toEqual([toHex(never)]);
});

test("files that are damaged, or of a chain that was longer, are made again from the ledger", async () => {
  const recordId = await deposited();
  const at = world.clock.nowMs + dayMs;
  await after(recordId, at);
  expect(await round()).toEqual([]);
  const day = `erasures.day-${Math.floor(at / dayMs)}`;
  expect(world.stores.pending.objects.has(day)).toBe(true);
  await world.stores.pending.put(day, once(Uint8Array.of(1, 2, 3)));
  world.clock.nowMs = at + 1000;
  expect(await round()).toEqual([toHex(recordId)]);

  const other = await deposited();
  await after(other, at);
  await world.stores.pending.put("erasures.height", once(Uint8Array.of(0x82, 0x19, 0xff, 0xff, 0x40)));
  expect(await round()).toEqual([toHex(other)]);
  await failure("erased", () => erase(world, { owner, recordId: other }));
});
