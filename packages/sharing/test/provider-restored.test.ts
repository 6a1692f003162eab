/**
 * A provider whose stores came back from a copy, or whose ledger is being fetched again: what was erased meanwhile goes, what
 * an older ledger does not know stays, and no block is missed that came while it did not run.
 */
import { ChartsealError, toHex } from "@chartseal/crypto";
import type { Ledger } from "@chartseal/ledger";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AccountWriter, erase, expectHeight, rekey, StorageProvider } from "../src/index.ts";
import { headerName } from "../src/provider/stores.ts";
import { MemoryStores } from "./stores.ts";
import { type Member, World } from "./world.ts";

let world: World;
let ana: Member;
let policy: string;

beforeAll(async () => {
  world = await World.create();
  ana = await world.member();
  policy = `${toHex(ana.account)}@self`;
});
afterAll(() => world.close());
beforeEach(() => world.advance(1_000));

const sealed = () => world.byOwner(ana, { policy });

/** More blocks than a provider looks back at when it begins. */
async function manyBlocks(): Promise<void> {
  const writer = new AccountWriter(world, ana);
  for (let blocks = 0; blocks < 40; blocks++) {
    await writer.submit({ kind: "set-hpke-key", hpkeKey: ana.hpkePublic });
  }
}

/** A copy of everything that the provider keeps, as of another disk. */
function copyOf(stores: MemoryStores): MemoryStores {
  const copy = new MemoryStores();
  for (const name of ["objects", "pending", "leaves"] as const) {
    for (const [at, bytes] of stores[name].objects) copy[name].objects.set(at, bytes);
  }
  for (const name of ["keys", "special"] as const) {
    for (const [at, key] of stores[name].keys) copy[name].keys.set(at, key);
  }
  copy.journal.lines.push(...stores.journal.lines);
  copy.tombstones.lines.push(...stores.tombstones.lines);
  return copy;
}

const there = (stores: MemoryStores, address: string): string[] =>
  [...stores.objects.objects.keys()].filter((name) => name.startsWith(address));

function providerOf(
  stores: MemoryStores,
  ledger: Ledger = world.ledger,
  followsOthers = true,
): StorageProvider {
  const surroundings = { ...world.surroundings, ledger };
  return new StorageProvider({ surroundings, identity: world.providerIdentity, stores, followsOthers });
}

/** The ledger before it had anything, as a node has it that begins to fetch blocks. */
function emptyLedger(): Ledger {
  return new Proxy(world.ledger, {
    get(target, name) {
      if (name === "head") return async () => ({ ...(await target.head()), height: 0 });
      if (name === "read" || name === "block" || name === "transaction") return async () => undefined;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** A ledger that began with a snapshot at this block. */
function snapshotLedger(base: number): Ledger {
  const refuse = () => {
    throw new ChartsealError("input-invalid", "this node does not hold that block", { data: { base } });
  };
  return new Proxy(world.ledger, {
    get(target, name) {
      if (name === "block")
        return async (height: number) => (height < base ? refuse() : await target.block(height));
      if (name === "transaction") {
        return async (identifier: Uint8Array) => {
          const found = await target.transaction(identifier);
          return found !== undefined && found.height < base ? refuse() : found;
        };
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

describe("stores that came back from a copy", () => {
  test("lose what was erased or replaced since, however long ago, and keep the rest", async () => {
    const [kept, erased, replaced, nameless] = [
      await sealed(),
      await sealed(),
      await sealed(),
      await sealed(),
    ];
    const copy = copyOf(world.stores);
    const { height } = await world.ledger.head();
    for (const { recordId } of [erased, nameless]) await erase(world, { owner: ana, recordId });
    await rekey(world, { owner: ana, recordId: replaced.recordId, payload: true });
    await manyBlocks();
    // As a backup that was made without headers has it.
    await copy.objects.remove(headerName(nameless.address));
    const forgetful = copyOf(copy);
    await providerOf(forgetful).follow();
    expect(there(forgetful, erased.address)).not.toEqual([]);

    await expectHeight(copy.pending, height);
    const provider = providerOf(copy);
    expect(await provider.isExpecting()).toBe(true);
    await provider.follow();
    for (const { address } of [erased, nameless, replaced]) expect(there(copy, address)).toEqual([]);
    expect(there(copy, kept.address).sort()).toEqual([kept.address, headerName(kept.address)]);
    expect(copy.tombstones.lines.map((one) => one.kind === "erased" && one.recordId).sort()).toEqual(
      [erased, nameless].map(({ recordId }) => toHex(recordId)).sort(),
    );
    expect(await provider.isExpecting()).toBe(false);
  });

  test("are not judged by a ledger that is older than they are", async () => {
    const { address } = await sealed();
    const copy = copyOf(world.stores);
    copy.special.keys.set(`${"ab".repeat(32)}/${"cd".repeat(32)}`, [...copy.keys.keys.values()][0]!);
    const { height } = await world.ledger.head();
    world.advance(86_400_000);
    const hurried = copyOf(copy);
    expect(await providerOf(hurried, emptyLedger()).collect({ graceMs: 7_200_000 })).toContain(address);
    await providerOf(hurried, emptyLedger()).dropEnded();
    expect(hurried.special.keys.size).toBe(0);

    await expectHeight(copy.pending, height);
    await expectHeight(copy.pending, 1);
    const provider = providerOf(copy, emptyLedger());
    expect(await provider.collect({ graceMs: 7_200_000 })).toEqual([]);
    await provider.dropEnded();
    await provider.follow();
    expect(await provider.eraseDue()).toEqual([]);
    expect([there(copy, address).length, copy.special.keys.size]).toEqual([2, 1]);
    expect(await provider.isExpecting()).toBe(true);
    await providerOf(copy).follow();
    expect([there(copy, address).length, await provider.isExpecting()]).toEqual([2, false]);
  });

  test("lose what was erased before the snapshot that the ledger begins with", async () => {
    const [kept, erased] = [await sealed(), await sealed()];
    const copy = copyOf(world.stores);
    await erase(world, { owner: ana, recordId: erased.recordId });
    await manyBlocks();
    const { height } = await world.ledger.head();
    await expectHeight(copy.pending, height);
    await providerOf(copy, snapshotLedger(height - 10)).follow();
    expect([there(copy, erased.address), there(copy, kept.address).length]).toEqual([[], 2]);
  });
});

describe("a provider to whose ledger others write", () => {
  test("goes on at the block where it stopped", async () => {
    const { recordId, address } = await sealed();
    const other = copyOf(world.stores);
    await providerOf(world.stores).follow();
    await new AccountWriter(world, ana).submit({ kind: "erase", recordId });
    await manyBlocks();
    await providerOf(other).follow();
    expect(there(other, address)).not.toEqual([]);
    await providerOf(world.stores).follow();
    expect(there(world.stores, address)).toEqual([]);
  });

  test("begins near the head where what it noted is damaged, or of another chain", async () => {
    const { recordId, address } = await sealed();
    for (const noted of [new Uint8Array([255]), new TextEncoder().encode("nothing")]) {
      world.stores.pending.objects.set("followed.height", noted);
      await providerOf(world.stores).follow();
    }
    await new AccountWriter(world, ana).submit({ kind: "erase", recordId });
    await providerOf(world.stores).follow();
    expect(there(world.stores, address)).toEqual([]);
  });
});
