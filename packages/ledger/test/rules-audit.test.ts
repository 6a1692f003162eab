/** Audits as the ledger keeps them. */
import { beforeAll, expect, test } from "vitest";
import { entries, items, lists, load } from "../src/state-kinds.ts";
import { held, openedBy, resultOf } from "./refusals/audits.ts";
import { hospital, type Identity, owner, service, type World } from "./world.ts";
import { builtWorld } from "./world-build.ts";

let base: World;
beforeAll(async () => {
  base = await builtWorld();
});

function failing(
  w: World,
  auditor: Identity,
): { readonly recordId: Uint8Array; readonly auditId: Uint8Array } {
  const recordId = held(w);
  const auditId = openedBy(w, auditor);
  w.do(auditor, resultOf(auditId, { failures: 1, failed: [recordId] }));
  return { recordId, auditId };
}

test("an opening is the seed: its block's height and time stand in the state, and the result beside them", () => {
  const world = base.fork();
  const auditId = openedBy(world, hospital);
  const openedHeight = world.height;
  const { result: open, height } = load(world.state, entries.audit, auditId)!;
  expect([open, height]).toEqual([null, openedHeight]);
  world.do(hospital, resultOf(auditId, { unanswered: 1 }));
  const { result, recordedHeight } = load(world.state, entries.audit, auditId)!;
  expect(result).toMatchObject({ challenges: 460, records: 2, unanswered: 1, failures: 0 });
  expect(recordedHeight).toBe(world.height);
  expect(load(world.state, entries.auditMark, service.account)?.auditId).toEqual(auditId);
  expect(items(world.state, lists.auditsOfProvider, service.account)).toEqual([auditId]);
});

test("a record that failed is marked until somebody finds that it holds again", () => {
  const world = base.fork();
  const { recordId, auditId } = failing(world, hospital);
  expect(load(world.state, entries.auditMark, recordId)?.auditId).toEqual(auditId);
  // The owner has no office, and speaks of its own record.
  world.do(owner, resultOf(openedBy(world, owner), { records: 1, mended: [recordId] }));
  expect(load(world.state, entries.auditMark, recordId)).toBeUndefined();
});

test("a provider takes back what it found itself", () => {
  const world = base.fork();
  const { recordId } = failing(world, service);
  world.do(service, resultOf(openedBy(world, service), { mended: [recordId] }));
  expect(load(world.state, entries.auditMark, recordId)).toBeUndefined();
});
