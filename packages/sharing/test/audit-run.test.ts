/** Audits from the opening on the ledger to the repair: what is found, recorded, alarmed and mended. */
import { auditRoot, ChartsealError, randomBytes, toHex } from "@chartseal/crypto";
import { decodeTransaction, emptyKey, entries, lists } from "@chartseal/ledger";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import {
  AccountWriter,
  type AuditChallenge,
  type AuditJournal,
  type AuditRunOptions,
  auditAndMend,
  countAudited,
  currentBody,
  erase,
  type Identity,
  type JournalRun,
  lastGoodOf,
  readEntry,
  readList,
  runAudit,
} from "../src/index.ts";
import { headerName } from "../src/provider/stores.ts";
import { failure, type Member, World } from "./world.ts";

const policy = "cardiologist@cedars";
let world: World;
let ana: Member;
let whole: Map<string, Uint8Array>;
let records: { readonly recordId: Uint8Array; readonly address: string }[];

beforeAll(async () => {
  world = await World.create();
  await world.hospital("cedars");
  ana = await world.member();
  records = [];
  for (const size of [0, 1000, 700_000]) {
    const { recordId } = await world.byOwner(ana, { policy, text: randomBytes(size) });
    const { address } = (await readEntry(world.ledger, entries.record, recordId))!;
    records.push({ recordId, address });
  }
  whole = new Map([...world.stores.objects.objects].map(([name, bytes]) => [name, Uint8Array.from(bytes)]));
});
afterAll(() => world.close());
beforeEach(() => {
  for (const [name, bytes] of whole) world.stores.objects.objects.set(name, Uint8Array.from(bytes));
});

const ids = () => records.map(({ recordId }) => recordId);
const by = (identity: Identity) => ({
  account: identity.account,
  writer: new AccountWriter(world.surroundings, identity),
});
const options = (more: Partial<AuditRunOptions> = {}): AuditRunOptions => ({
  provider: world.provider,
  records: ids(),
  challenges: 460,
  ...more,
});
const damage = (address: string, at: number) => {
  world.stores.objects.objects.get(address)![at]! ^= 1;
};
const markOf = (recordId: Uint8Array) => readEntry(world.ledger, entries.auditMark, recordId);

async function alerts(): Promise<readonly { readonly alert: string; readonly detail: string }[]> {
  const identifiers = await readList(world.ledger, lists.alerts, emptyKey);
  const actions = await Promise.all(
    identifiers.map(async (identifier) => {
      const found = await world.ledger.transaction(identifier);
      return decodeTransaction(found!.bytes).body.action;
    }),
  );
  return actions.flatMap((action) => (action.kind === "alert" ? [action] : []));
}

test("anybody audits without an account and without a key; nothing is written", async () => {
  const before = (await world.ledger.head()).height;
  const run = await runAudit(world.surroundings, options());
  expect(countAudited(run)).toEqual({ held: 3, failed: 0, unanswered: 0 });
  expect(run.records.map(({ chunks }) => chunks).sort()).toEqual([1, 1, 3]);
  expect((await world.ledger.head()).height).toBe(before);
});

test("a recorded run: the seed is a block that its opening made, the root is over what was found", async () => {
  const run = await runAudit(world.surroundings, options({ recordedBy: by(world.providerIdentity) }));
  const audit = (await readEntry(world.ledger, entries.audit, run.auditId!))!;
  expect(audit.height).toBe(run.seedHeight);
  expect((await world.ledger.block(run.seedHeight))!.hash).toEqual(run.seedHash);
  expect(audit.result).toMatchObject({ records: 3, failures: 0, unanswered: 0, challenges: 460 });
  expect(audit.result?.root).toEqual(auditRoot(run.records));
  expect(await markOf(world.provider.account)).toMatchObject({ auditId: run.auditId });
});

test("a changed byte is found, named with its chunk, marked and alarmed; repair follows and takes it back", async () => {
  const { recordId, address } = records[2]!;
  damage(address, 300_000);
  const before = (await alerts()).length;
  const repair = async (id: Uint8Array): Promise<boolean> => {
    expect(id).toEqual(recordId);
    expect(await markOf(recordId)).toBeDefined();
    world.stores.objects.objects.set(address, Uint8Array.from(whole.get(address)!));
    return true;
  };
  const recordedBy = by(world.providerIdentity);
  const { run, again } = await auditAndMend(world.surroundings, options({ recordedBy, ...{ repair } }));
  const found = run.records.find(({ outcome }) => outcome === "failed")!;
  expect(found).toMatchObject({ recordId, wrong: [1], code: "object-altered", chunks: 3 });
  const [alert] = (await alerts()).slice(before);
  expect(alert).toMatchObject({ kind: "alert", alert: "object-altered", recordId });
  expect(alert?.detail).toContain("chunk 1");
  expect(again?.records.map(({ outcome }) => outcome)).toEqual(["held"]);
  expect(again?.seedHeight).toBeGreaterThan(run.seedHeight);
  expect(await markOf(recordId)).toBeUndefined();
  expect((await alerts()).length).toBe(before + 1);
});

test("a missing object, one that lost its end, and one with bytes too many", async () => {
  const [empty, small, large] = records.map(({ address }) => address) as [string, string, string];
  const { objects } = world.stores.objects;
  objects.delete(empty);
  objects.set(small, objects.get(small)!.slice(0, -1));
  objects.set(large, new Uint8Array([...objects.get(large)!, 0]));
  const { records: found } = await runAudit(world.surroundings, options());
  const code = (at: number) =>
    found.find(({ recordId }) => toHex(recordId) === toHex(records[at]!.recordId))?.code;
  expect([code(0), code(1), code(2)]).toEqual(["object-missing", "object-altered", "object-altered"]);
});

test("leaf hashes that are gone or wrong are made again from a payload that is right", async () => {
  const { address } = records[2]!;
  world.stores.leaves.objects.get(address)![5]! ^= 1;
  expect(countAudited(await runAudit(world.surroundings, options())).held).toBe(3);
  world.stores.leaves.objects.delete(address);
  expect(countAudited(await runAudit(world.surroundings, options())).held).toBe(3);
});

test("a header is audited by its provider alone: the outside never gets it", async () => {
  const { address } = records[1]!;
  damage(headerName(address), 20);
  const checkOwn = (recordId: Uint8Array) => world.provider.checkOwn(recordId);
  const { records: own } = await runAudit(world.surroundings, options({ checkOwn }));
  expect(own.filter(({ outcome }) => outcome === "failed")).toMatchObject([{ code: "header-altered" }]);
  expect(countAudited(await runAudit(world.surroundings, options())).failed).toBe(0);
});

test("a provider that does not answer is recorded as such, and raises no alert of a loss", async () => {
  const before = (await alerts()).length;
  const audit = async function* (): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(10);
    throw new ChartsealError("provider-unreachable", "the line is cut");
  };
  const provider = { account: world.provider.account, audit };
  const recordedBy = by(world.providerIdentity);
  const run = await runAudit(world.surroundings, options({ provider, recordedBy }));
  expect(countAudited(run)).toEqual({ held: 0, failed: 0, unanswered: 3 });
  expect((await readEntry(world.ledger, entries.audit, run.auditId!))?.result).toMatchObject({
    unanswered: 3,
  });
  expect((await alerts()).length).toBe(before);
});

test("a provider that breaks off whenever a lost chunk is asked for is alarmed about, while it answers for others", async () => {
  const before = (await alerts()).length;
  const { recordId } = records[2]!;
  let asked = 0;
  const audit = async function* (challenge: AuditChallenge) {
    if (toHex(challenge.recordId) !== toHex(recordId)) return yield* world.provider.audit(challenge);
    asked++;
    throw new ChartsealError("provider-unreachable", "the server broke off its answer");
  };
  const provider = { account: world.provider.account, audit };
  const recordedBy = by(world.providerIdentity);
  const run = await runAudit(world.surroundings, options({ provider, recordedBy }));
  expect([countAudited(run), asked]).toEqual([{ held: 2, failed: 0, unanswered: 1 }, 2]);
  expect((await alerts()).slice(before)).toMatchObject([{ alert: "other", recordId }]);
  // Who has no office and no record of its own says so too, and raises no alert.
  const carol = await world.member();
  await runAudit(world.surroundings, options({ provider, recordedBy: by(carol) }));
  expect((await alerts()).length).toBe(before + 1);
  // No proof of a loss: the record is not marked.
  expect(await markOf(recordId)).toBeUndefined();
});

test("a line that fails once is no silence", async () => {
  let broken = false;
  const audit = async function* (challenge: AuditChallenge) {
    if (!broken) {
      broken = true;
      throw new ChartsealError("provider-unreachable", "once");
    }
    yield* world.provider.audit(challenge);
  };
  const run = await runAudit(
    world.surroundings,
    options({ provider: { account: world.provider.account, audit } }),
  );
  expect(countAudited(run)).toEqual({ held: 3, failed: 0, unanswered: 0 });
});

test("what an owner found, the provider does not take back; the owner does", async () => {
  const { recordId, address } = records[1]!;
  damage(address, 3);
  const own = options({ records: [recordId] });
  await runAudit(world.surroundings, { ...own, recordedBy: by(ana) });
  const mark = await markOf(recordId);
  expect(mark).toBeDefined();
  world.stores.objects.objects.set(address, Uint8Array.from(whole.get(address)!));
  await runAudit(world.surroundings, { ...own, recordedBy: by(world.providerIdentity) });
  expect(await markOf(recordId)).toEqual(mark);
  await runAudit(world.surroundings, { ...own, recordedBy: by(ana) });
  expect(await markOf(recordId)).toBeUndefined();
});

test("a member without office records nothing of another's record", async () => {
  const ben = await world.member();
  const { recordId, address } = records[0]!;
  damage(address, 2);
  const run = () => runAudit(world.surroundings, options({ records: [recordId], recordedBy: by(ben) }));
  expect((await failure("input-invalid", run)).data.refusalName).toBe("audit-records");
});

test("the journal says when a record was last good, not when it was last looked at", async () => {
  const runs: JournalRun[] = [];
  const journal: AuditJournal = {
    add: async (run) => void runs.push(run),
    lastGoodAudit: async (id) => lastGoodOf(runs, toHex(id)),
    lastAudited: async () => new Map(),
  };
  const { recordId, address } = records[2]!;
  await runAudit(world.surroundings, options({ journal }));
  const good = await journal.lastGoodAudit(recordId);
  expect(good).toMatchObject({ seedHeight: (await world.ledger.head()).height, chunks: 3, version: 1 });
  world.advance(60_000);
  damage(address, 9);
  await runAudit(world.surroundings, options({ journal }));
  expect(await journal.lastGoodAudit(recordId)).toEqual(good);
  expect(runs).toHaveLength(2);
});

test("an erased record is passed over, and so is an audit that is told to stop", async () => {
  const { recordId } = await world.byOwner(ana, { policy, text: "gone" });
  await erase(world, { owner: ana, recordId });
  const erased = await runAudit(world.surroundings, options({ records: [recordId] }));
  expect(erased.records).toEqual([]);
  await failure("erased", async () => {
    const { height, hash } = await world.ledger.head();
    const nonce = randomBytes(32);
    const challenge = { recordId, version: 1, seedHeight: height, seedHash: hash, nonce, challenges: 1 };
    for await (const _piece of world.provider.audit(challenge)) expect.unreachable();
  });
  const stopped = await runAudit(world.surroundings, options({ signal: AbortSignal.abort() }));
  expect(stopped.records).toEqual([]);
});

test("a provider signs an audit's words for its operator, and no others", async () => {
  const nonceHash = randomBytes(32);
  const opening = { kind: "open-audit", provider: world.provider.account, nonceHash } as const;
  const { identifier } = await world.provider.submitAudit(await currentBody(world, opening));
  expect(await readEntry(world.ledger, entries.audit, identifier)).toMatchObject({
    auditor: world.provider.account,
  });
  const other = await currentBody(world, { kind: "erase", recordId: ids()[0]! });
  await failure("input-invalid", async () => await world.provider.submitAudit(other));
});
