/** Retention, holds and due erasures: who keeps a record, for how long, and what ends it. */
import { sha256, utf8 } from "@chartseal/crypto";
import { beforeAll, expect, test } from "vitest";
import { signAdmission, signStorageReceipt } from "../src/authorisation.ts";
import { holdsOn, keptBy } from "../src/rules/keeping.ts";
import { outcomes } from "../src/rules/records.ts";
import { emptyKey, entries, items, lists, load, logKey } from "../src/state-kinds.ts";
import { encodeTransaction } from "../src/transaction.ts";
import { authored, eraseAfter, hold, keep, lift } from "./refusals/keeping.ts";
import { hospital, owner, policy, service, stranger, type World } from "./world.ts";
import { builtWorld } from "./world-build.ts";

let base: World;
beforeAll(async () => {
  base = await builtWorld();
});

test("a duty to keep ends with its time, or when its hospital ends it, and only then the owner erases", () => {
  const world = base.fork();
  const recordId = authored(world);
  const until = world.timestampMs + 10_000;
  world.do(hospital, keep(recordId, until));
  const erase = () => world.signed(owner, { kind: "erase", recordId });
  expect(world.verdict(erase())).toBe("record-kept");
  expect(keptBy(world.state, recordId, until - 1)).toEqual({ refusal: "record-kept", untilMs: until });
  expect(keptBy(world.state, recordId, until)).toBeUndefined();
  const later = base.fork();
  const other = authored(later);
  later.do(hospital, keep(other, later.timestampMs + 1e9));
  later.do(hospital, keep(other, null));
  expect(later.verdict(later.signed(owner, { kind: "erase", recordId: other }))).toBe("applied");
  world.timestampMs = until;
  expect(world.verdict(erase())).toBe("applied");
});

test("a hold has no end but its lifting; the consortium lifts a hospital's, and not the other way round", () => {
  const world = base.fork();
  const recordId = authored(world);
  const second = sha256(utf8("second"));
  world.do(hospital, hold(recordId));
  world.submit(world.admitted(stranger, hold(recordId, second)));
  world.timestampMs += 1e12;
  expect(holdsOn(world.state, recordId).length).toBe(2);
  expect(world.verdict(world.signed(owner, { kind: "erase", recordId }))).toBe("record-held");
  world.submit(world.admitted(stranger, lift(recordId)));
  world.do(stranger, lift(recordId, second));
  expect(holdsOn(world.state, recordId)).toEqual([]);
  expect(world.verdict(world.signed(owner, { kind: "erase", recordId }))).toBe("applied");
});

test("under a hold the header may be renewed, the payload may not: its author's signature would prove nothing more", () => {
  const world = base.fork();
  const recordId = authored(world);
  world.do(hospital, hold(recordId));
  const record = load(world.state, entries.record, recordId)!;
  const headerHash = sha256(utf8("second header"));
  const { address } = record;
  const rekey = (statement: typeof record.current | null) =>
    world.signed(
      owner,
      { kind: "rekey", recordId, version: 2, headerHash, address, policy, statement },
      {
        storageReceipt: signStorageReceipt(service.seed, {
          ...record.current,
          recordId,
          headerHash,
          address,
        }),
      },
    );
  expect(world.verdict(rekey(record.current))).toBe("record-held");
  expect(world.verdict(rekey(null))).toBe("applied");
});

test("an erasure that its owner gave a time is the provider's to do when it has come, once", () => {
  const world = base.fork();
  const recordId = authored(world);
  const due = () => world.signed(service, { kind: "erase-due", recordId });
  const at = world.timestampMs + 5_000;
  world.do(owner, eraseAfter(recordId, at));
  world.do(owner, eraseAfter(recordId, at));
  expect(items(world.state, lists.toErase, emptyKey)).toEqual([recordId]);
  expect(world.verdict(due())).toBe("erasure-not-due");
  world.timestampMs = at;
  world.submit(due());
  expect(load(world.state, entries.record, recordId)?.erasedHeight).toBe(world.height);
  expect(world.verdict(due())).toBe("record-erased");
  const log = [1, 2, 3].map((index) => load(world.state, entries.log, logKey(recordId, index))?.outcome);
  expect(log).toEqual([outcomes.retained, outcomes.retained, outcomes.erased]);
});

test("the owner takes an erasure back, and what a hold stops goes on when it is lifted", () => {
  const world = base.fork();
  const recordId = authored(world);
  const due = () => world.verdict(world.signed(service, { kind: "erase-due", recordId }));
  world.do(owner, eraseAfter(recordId, world.timestampMs));
  world.do(owner, eraseAfter(recordId, null));
  expect(due()).toBe("erasure-not-due");
  world.do(owner, eraseAfter(recordId, world.timestampMs));
  world.do(hospital, hold(recordId));
  expect(due()).toBe("record-held");
  world.do(hospital, lift(recordId));
  expect(due()).toBe("applied");
});

test("an erasure of the tail that a restore lost is applied again though a hold stands: the bytes are gone", () => {
  const world = base.fork();
  const recordId = authored(world);
  const lost = world.fork();
  const erased = lost.signed(owner, { kind: "erase", recordId });
  expect(lost.verdict(erased)).toBe("applied");
  world.do(hospital, hold(recordId));
  const action = {
    kind: "raise-era",
    lostHeight: world.height + 1,
    lostHash: sha256(utf8("lost")),
    missing: [],
    tombstones: [erased],
  } as const;
  const body = world.body(action);
  world.submit(encodeTransaction(body, { admissions: [signAdmission(service.seed, body)] }));
  expect(load(world.state, entries.record, recordId)?.erasedHeight).toBe(world.height);
});
