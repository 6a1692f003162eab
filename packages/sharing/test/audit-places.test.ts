/** Audits of records that are divided among places: what the outside sees, what only the provider sees, and the repair. */
import { randomBytes } from "@chartseal/crypto";
import { decodeTransaction, emptyKey, entries, lists } from "@chartseal/ledger";
import { PlacedStore, SplitStore } from "@chartseal/storage";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { MemoryStore } from "../../storage/test/memory.ts";
import {
  type AuditRunOptions,
  auditAndMend,
  countAudited,
  readEntry,
  readList,
  runAudit,
  splitKeysOf,
} from "../src/index.ts";
import { type Member, World } from "./world.ts";

let world: World;
let ana: Member;
let disks: MemoryStore[];
let recordId: Uint8Array;

beforeAll(async () => {
  world = await World.create();
  await world.hospital("cedars");
  ana = await world.member();
});
afterAll(() => world.close());

beforeEach(async () => {
  disks = ["ch", "eu", "us"].map(() => new MemoryStore());
  const split = new SplitStore({
    places: disks.map((store, at) => ({ name: `disk${at}`, region: "eu", store })),
    keys: splitKeysOf(randomBytes(32)),
    index: { entries: new MemoryStore(), leftovers: new MemoryStore() },
  });
  const placed = new PlacedStore(split, new MemoryStore());
  world.provider = world.newProvider({ ...world.stores, objects: placed, placed });
  ({ recordId } = await world.byOwner(ana, { policy: "cardiologist@cedars", text: randomBytes(600_000) }));
});

const outside = (): AuditRunOptions => ({ provider: world.provider, records: [recordId], challenges: 460 });
const own = (): AuditRunOptions => ({
  ...outside(),
  recordedBy: world.provider.auditor,
  checkOwn: (id) => world.provider.checkOwn(id),
});

test("one place destroyed: the record still answers, its provider sees the loss, repairs it and asks again", async () => {
  disks[1]!.objects.clear();
  expect(countAudited(await runAudit(world.surroundings, outside())).held).toBe(1);
  const repair = async (id: Uint8Array) => (await world.provider.repair(id)).rebuilt > 0;
  const { run, again } = await auditAndMend(world.surroundings, { ...own(), repair });
  expect(run.records).toMatchObject([{ outcome: "failed", code: "object-missing" }]);
  expect(again?.records).toMatchObject([{ outcome: "held" }]);
  expect(await readEntry(world.ledger, entries.auditMark, recordId)).toBeUndefined();
  expect(disks[1]!.objects.size).toBeGreaterThan(0);
  // The alert says that shards were lost and not where.
  const alerts = await readList(world.ledger, lists.alerts, emptyKey);
  const found = await world.ledger.transaction(alerts.at(-1)!);
  const { action } = decodeTransaction(found!.bytes).body;
  expect(action).toMatchObject({ kind: "alert", alert: "object-missing", recordId });
  expect(JSON.stringify(action)).not.toContain("disk");
});

test("a shard that rotted everywhere is seen by its provider", async () => {
  for (const [name, bytes] of disks[2]!.objects) {
    const rotten = Uint8Array.from(bytes);
    rotten.subarray(0, rotten.length - 4096).fill(0x55);
    disks[2]!.objects.set(name, rotten);
  }
  expect((await runAudit(world.surroundings, own())).records).toMatchObject([
    { outcome: "failed", code: "object-altered" },
  ]);
});

test("more places destroyed than may be: the outside sees it too", async () => {
  disks[0]!.objects.clear();
  disks[1]!.objects.clear();
  const { records } = await runAudit(world.surroundings, outside());
  expect(records.map(({ outcome }) => outcome)).not.toContain("held");
});
