/**
 * What no ledger can show (docs/threat-model.md): a provider that colludes with a reader it has a key for transforms
 * without a receipt. The log stays complete in what the ledger took, and says that a grant was not used, or nothing at
 * all. Without the reader, the provider has a transform that nothing finishes; without the provider, the reader has none.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { accessLog, open, request, requireRecord, type Transformed } from "../src/index.ts";
import { rogueTransform } from "./rogue-provider.ts";
import { failure, type Member, readOut, World } from "./world.ts";

let world: World;
let owner: Member;
let reader: Member;

beforeAll(async () => {
  world = await World.create();
  await world.hospital("cedars");
  owner = await world.member();
  reader = await world.member("doctor@cedars");
});
afterAll(() => world.close());

async function withoutReceipt(recordId: Uint8Array): Promise<Transformed> {
  const { key } = (await world.stores.keys.get(reader.account, reader.transformKeyId!))!;
  return (await rogueTransform(world, key, recordId))!;
}

test("a provider and a reader hide a read: the grant shows as not used, the log's proof holds", async () => {
  const { recordId } = await world.byOwner(owner, { policy: "doctor@cedars", text: "read in secret" });
  const granted = await request(world, { member: reader, recordId });
  const transformed = await withoutReceipt(recordId);
  expect(await readOut(await open(world, { member: reader, granted, transformed }))).toBe("read in secret");
  const log = await accessLog(world.ledger, { recordId, owner });
  expect(log.entries.map(({ event }) => event)).toEqual(["deposited", "granted"]);
  expect(log.unused).toHaveLength(1);
});

test("they need not even ask: then the log holds the deposit alone", async () => {
  const { recordId } = await world.byOwner(owner, { policy: "doctor@cedars", text: "never asked for" });
  const granted = { record: await requireRecord(world.ledger, recordId), recordId };
  const transformed = await withoutReceipt(recordId);
  expect(await readOut(await open(world, { member: reader, granted, transformed }))).toBe("never asked for");
  const log = await accessLog(world.ledger, { recordId, owner });
  expect(log.entries.map(({ event }) => event)).toEqual(["deposited"]);
});

test("the provider alone has a transform that another's secret does not finish", async () => {
  const { recordId } = await world.byOwner(owner, { policy: "doctor@cedars", text: "for one of them" });
  const granted = { record: await requireRecord(world.ledger, recordId), recordId };
  const transformed = await withoutReceipt(recordId);
  const guess = { ...reader, recoveryKey: reader.recoveryKey! + 1n };
  await failure("transform-invalid", () => open(world, { member: guess, granted, transformed }));
});
