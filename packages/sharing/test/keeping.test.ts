/** What keeps a record and what erases it by itself, through the provider that has to do it. */
import { ChartsealError, parsePolicy, toHex, utf8 } from "@chartseal/crypto";
import { beforeAll, expect, test } from "vitest";
import {
  AccountWriter,
  certificateOf,
  certificatePage,
  erase,
  readKeeping,
  rekey,
  requireRecord,
  setEraseAfter,
} from "../src/index.ts";
import { failure, type Member, World } from "./world.ts";

let world: World;
let owner: Member;
let author: Member;
const holdId = new Uint8Array(32).fill(7);

beforeAll(async () => {
  world = await World.create();
  await world.hospital("cedars");
  owner = await world.member();
  author = await world.member("doctor@cedars");
  await world.rule(owner, "cedars", "doctor@cedars");
});

const deposited = async (): Promise<Uint8Array> =>
  (await world.byAuthor(author, owner, { policy: "doctor@cedars", namespace: "cedars" })).recordId;
const writerOf = (): AccountWriter => new AccountWriter(world, owner);
const cedars = () => world.hospitals.get("cedars")!;

test("a kept record says until when, and is erased by its owner when the time is over", async () => {
  const recordId = await deposited();
  const until = world.clock.nowMs + 60_000;
  await cedars().keepUntil(recordId, until);
  const refused = await failure("record-held", () => erase(world, { owner, recordId }));
  expect(refused.data.until).toBe(new Date(until).toISOString());
  world.clock.nowMs = until + 1000;
  await erase(world, { owner, recordId });
});

test("a held record can get a new header and no new payload", async () => {
  const recordId = await deposited();
  await cedars().placeHold({ recordId, holdId, reason: "case 17" });
  expect((await readKeeping(world.ledger, recordId)).holds.length).toBe(1);
  await failure("record-held", () => erase(world, { owner, recordId }));
  const policy = parsePolicy("doctor@cedars");
  await failure("record-held", () => rekey(world, { owner, recordId, policy, payload: true }));
  await rekey(world, { owner, recordId, policy });
  await cedars().liftHold({ recordId, holdId, reason: "settled" });
  await erase(world, { owner, recordId });
});

test("what its owner gave a time goes at that time, certified by the provider, and nothing goes before it is free", async () => {
  const recordId = await deposited();
  const at = world.clock.nowMs + 60_000;
  await setEraseAfter({ writer: writerOf(), recordId, eraseAfterMs: at });
  expect(await world.provider.eraseDue()).toEqual([]);
  world.clock.nowMs = at + 1000;
  await cedars().placeHold({ recordId, holdId, reason: "case 17" });
  expect(await world.provider.eraseDue()).toEqual([]);
  await cedars().liftHold({ recordId, holdId, reason: "settled" });
  const { address } = (await certificatelessRecord(recordId))!;
  expect((await world.provider.eraseDue()).map(toHex)).toEqual([toHex(recordId)]);
  expect(await world.provider.eraseDue()).toEqual([]);
  const names: string[] = [];
  for await (const name of world.stores.objects.list(address)) names.push(name);
  expect(names).toEqual([]);
  const certificate = await certificateOf(world.ledger, recordId);
  expect(certificate.copies).toEqual([{ copy: address, holder: toHex(world.provider.account), valid: true }]);
  expect(certificate.erased.by).toBe(toHex(world.provider.account));
  const page = certificatePage(certificate);
  expect(page).toContain(toHex(recordId));
  expect(page).not.toContain("<script");
  expect(new TextDecoder().decode(utf8(page))).toContain("What this does not promise");
});

test("one that cannot be erased now keeps no other from its end, and comes with the next call", async () => {
  const records = [await deposited(), await deposited()];
  const at = world.clock.nowMs + 60_000;
  for (const recordId of records) await setEraseAfter({ writer: writerOf(), recordId, eraseAfterMs: at });
  world.clock.nowMs = at + 1000;
  let isFirst = true;
  const faulty = new Proxy(world.ledger, {
    get: (target, name) => {
      if (name === "submit" && isFirst) {
        return async () => {
          isFirst = false;
          throw new ChartsealError("ledger-unreachable", "away");
        };
      }
      return Reflect.get(target, name).bind?.(target) ?? Reflect.get(target, name);
    },
  });
  const provider = world.newProvider(world.stores, faulty);
  await failure("ledger-unreachable", () => provider.eraseDue());
  const ends = records.map(async (recordId) => (await requireRecord(world.ledger, recordId)).erasedHeight);
  expect((await Promise.all(ends)).filter((height) => height === null)).toHaveLength(1);
  expect((await provider.eraseDue()).length).toBe(1);
  for (const recordId of records) expect((await certificateOf(world.ledger, recordId)).copies.length).toBe(1);
});

async function certificatelessRecord(recordId: Uint8Array) {
  await expect(certificateOf(world.ledger, recordId)).rejects.toMatchObject({ code: "input-invalid" });
  const { requireRecord } = await import("../src/state.ts");
  return await requireRecord(world.ledger, recordId);
}
