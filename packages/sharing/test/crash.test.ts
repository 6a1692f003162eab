/**
 * The process dies at every write of every journey, before it and after it, and another begins on what is there: what
 * the ledger holds opens, what it does not hold is gone or harmless, and the journey can be made again.
 */
import { equalBytes, parsePolicy, utf8 } from "@chartseal/crypto";
import { entries, lists } from "@chartseal/ledger";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  accessLog,
  deposit,
  erase,
  obtainSpecialKey,
  type Provider,
  readEntry,
  readList,
  rekey,
  renewTransformKey,
  requireRecord,
  retrieve,
  retrieveSpecially,
  type SpecialSecret,
  type Surroundings,
  setSettings,
  specialKeyOf,
} from "../src/index.ts";
import { headerName } from "../src/provider/stores.ts";
import { inForce } from "./scene.ts";
import { Fate, mortal, mortalStores } from "./stores.ts";
import { failure, type Member, readOut, source, World } from "./world.ts";

const policy = "physician@cedars";
let world: World;
let ana: Member;
let ben: Member;

beforeAll(async () => {
  world = await World.create();
  await world.hospital("cedars");
  ana = await world.member();
  ben = await world.member(policy);
  await world.rule(ana, "cedars", policy, { perDay: 1000 });
});
afterAll(() => world.close());

type Process = Surroundings & { readonly provider: Provider };

/**
 * Lets the act die before its first write, before its second, and so on, until it comes through; each time the world is
 * then looked at by a new process. Returns how many writes there were.
 */
async function dieEverywhere(steps: {
  before: () => Promise<Uint8Array>;
  act: (process: Process, subject: Uint8Array) => Promise<unknown>;
  after: (subject: Uint8Array, came: boolean) => Promise<void>;
}): Promise<number> {
  for (let at = 1; ; at++) {
    // The relay's quota is by the minute.
    world.advance(60_000);
    const subject = await steps.before();
    const fate = new Fate(at);
    const ledger = mortal(world.ledger, fate);
    const provider = world.newProvider(mortalStores(world.stores, fate), ledger);
    try {
      await steps.act({ ...world.surroundings, ledger, provider }, subject);
    } catch (error) {
      if (!fate.dead) throw error;
    }
    world.provider = world.newProvider();
    await world.provider.follow();
    await steps.after(subject, !fate.dead);
    if (!fate.dead) return at - 1;
  }
}

const objects = () => world.stores.objects.objects;
const reads = async (recordId: Uint8Array) => readOut(await retrieve(world, { member: ben, recordId }));

test("a deposit is registered and opens, or is an orphan that the journal knows", async () => {
  const known = async () => (await readList(world.ledger, lists.recordsOfOwner, ana.account)).length;
  let count = 0;
  const deaths = await dieEverywhere({
    before: async () => {
      count = await known();
      return new Uint8Array(0);
    },
    act: (process) =>
      deposit(process, {
        by: ben,
        owner: ana.account,
        namespace: "cedars",
        policy: parsePolicy(policy),
        authorPolicy: parsePolicy(policy),
        source: source(utf8("one"), utf8("two")),
        metadata: async () => ({ name: "x", mediaType: "text/plain", validation: "not-checked" }),
      }),
    after: async (_, came) => {
      const records = await readList(world.ledger, lists.recordsOfOwner, ana.account);
      if (came) expect(records.length).toBe(count + 1);
      const live = new Set<string>();
      for (const recordId of records) live.add((await requireRecord(world.ledger, recordId)).address);
      if (records.length > count) expect(await reads(records.at(-1)!)).toBe("onetwo");
      const taken = new Set(world.stores.journal.lines.map(({ address }) => address));
      for (const name of objects().keys()) expect(taken).toContain(name.replace(".header", ""));
      for (const address of live) expect(objects().has(headerName(address))).toBe(true);
    },
  });
  expect(deaths).toBeGreaterThanOrEqual(5);
});

test("a rekey is done or not, and the record opens for its readers at once either way", async () => {
  const { recordId } = await world.byAuthor(ben, ana, { namespace: "cedars", policy });
  let version = 1;
  const deaths = await dieEverywhere({
    before: async () => recordId,
    act: (process) => rekey(process, { owner: ana, recordId }),
    after: async (_, came) => {
      const record = await requireRecord(world.ledger, recordId);
      if (came) expect(record.version).toBe(version + 1);
      // A header whose rekey never came waits in case it does, until another one comes.
      if (record.version > version) expect(world.stores.pending.objects.size).toBe(0);
      version = record.version;
      expect(await reads(recordId)).toBe("a record");
    },
  });
  expect(deaths).toBeGreaterThanOrEqual(5);
  expect(version).toBeGreaterThanOrEqual(2);
});

test("a rekey of the payload leaves the ledger's payload and header, and none of the one that it replaced", async () => {
  const deposited = await world.byAuthor(ben, ana, { namespace: "cedars", policy });
  const { recordId } = deposited;
  let { address } = deposited;
  let moved = 0;
  await dieEverywhere({
    before: async () => recordId,
    act: (process) => rekey(process, { owner: ana, recordId, payload: true }),
    after: async () => {
      const record = await requireRecord(world.ledger, recordId);
      expect(await reads(recordId)).toBe("a record");
      if (record.address === address) return;
      expect([...objects().keys()].filter((name) => name.startsWith(address))).toEqual([]);
      expect(world.stores.leaves.objects.has(address)).toBe(false);
      address = record.address;
      moved++;
    },
  });
  expect(moved).toBeGreaterThanOrEqual(2);
});

test("an erasure that the ledger holds is done in every store when the provider begins, and certified at the next try", async () => {
  const deaths = await dieEverywhere({
    before: async () => {
      const { recordId } = await world.byAuthor(ben, ana, { namespace: "cedars", policy });
      return recordId;
    },
    act: (process, recordId) => erase(process, { owner: ana, recordId }),
    after: async (recordId) => {
      const record = await requireRecord(world.ledger, recordId);
      if (record.erasedHeight === null) {
        expect(await reads(recordId)).toBe("a record");
        return;
      }
      expect([...objects().keys()].filter((name) => name.startsWith(record.address))).toEqual([]);
      expect(world.stores.leaves.objects.has(record.address)).toBe(false);
      const certified = async () =>
        (await accessLog(world.ledger, { recordId })).entries.filter(({ event }) => event === "certified")
          .length;
      if ((await certified()) === 0) await erase(world, { owner: ana, recordId });
      expect(await certified()).toBe(1);
      await failure("erased", () => erase(world, { owner: ana, recordId }));
    },
  });
  expect(deaths).toBeGreaterThanOrEqual(6);
});

test("an issue leaves a live key whose z the member has, old or new", async () => {
  const { recordId } = await world.byAuthor(ben, ana, { namespace: "cedars", policy });
  const deaths = await dieEverywhere({
    before: async () => recordId,
    act: (process) =>
      renewTransformKey(process, {
        member: { ...ben },
        nodes: world.nodes,
        provider: process.provider,
        saved: async (pending) => {
          ben.pending = pending;
        },
      }),
    after: async () => {
      // As a client does when it begins: the ledger says which of two z counts.
      const live = (await readEntry(world.ledger, entries.liveKey, ben.account))!;
      if (ben.pending !== undefined && equalBytes(live.requestId, ben.pending.requestId)) {
        ben.recoveryKey = ben.pending.recoveryKey;
        ben.transformKeyId = live.keyId;
      }
      expect(world.stores.keys.of(ben.account)).toHaveLength(1);
      expect(await reads(recordId)).toBe("a record");
    },
  });
  expect(deaths).toBeGreaterThanOrEqual(3);
});

test("a transform that died leaves a grant that its reader can still use, and binds no other", async () => {
  const { recordId } = await world.byAuthor(ben, ana, { namespace: "cedars", policy });
  await dieEverywhere({
    before: async () => recordId,
    act: (process) => retrieve(process, { member: ben, recordId }),
    after: async () => {
      expect(await reads(recordId)).toBe("a record");
    },
  });
});

test("an emergency's key is the ledger's or none, and its clinician opens with the secret at hand or with a new one", async () => {
  await setSettings(world, {
    changes: { emergencyAttributes: [policy] },
    admittedBy: [world.validatorSeed],
  });
  const second = await world.member(policy);
  const { recordId } = await world.byOwner(ana, { policy: "surgeon@cedars" });
  let kept: SpecialSecret | undefined;
  const saved = async (secret: SpecialSecret): Promise<void> => {
    kept = secret;
  };
  const deaths = await dieEverywhere({
    before: async () => {
      const scene = { owner: ana, first: ben, second, records: [recordId] };
      return (await inForce(world, scene, { attribute: policy })).grantId;
    },
    act: (process, grantId) =>
      obtainSpecialKey(
        { ...process, nodes: world.nodes },
        { member: ben, grant: { mode: "emergency", grantId }, saved },
      ),
    after: async (grantId, came) => {
      const grant = { mode: "emergency", grantId } as const;
      const lying = world.stores.special.idsOf(grantId);
      const live = await readEntry(world.ledger, entries.specialKey, grantId);
      if (live !== undefined) expect(lying).toEqual([live.keyId]);
      const held = kept === undefined ? undefined : await specialKeyOf(world, grant, kept);
      expect(held !== undefined).toBe(live !== undefined);
      if (came) expect(held).toBeDefined();
      const key = held ?? (await obtainSpecialKey(world, { member: ben, grant, saved }));
      expect(await readOut(await retrieveSpecially(world, { member: ben, grant, key, recordId }))).toBe(
        "a record",
      );
      expect(world.stores.special.idsOf(grantId)).toEqual([key.keyId]);
      expect(await reads(await normal())).toBe("a record");
    },
  });
  expect(deaths).toBeGreaterThanOrEqual(3);
});

/** A record that the account's own key opens, whatever becomes of its special keys. */
async function normal(): Promise<Uint8Array> {
  return (await world.byAuthor(ben, ana, { namespace: "cedars", policy })).recordId;
}
