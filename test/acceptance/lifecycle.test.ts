/** CONTRACT rows `access-log`, `rekey`, `erase`, `request`, `transform`, `export`, and what stays of a record's history. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import {
  copyHome,
  fails,
  hex,
  homeIn,
  json,
  lines,
  objectFiles,
  objectOf,
  run,
  sha256,
  workFolder,
} from "./support.ts";

const folder = workFolder();
const file = join(folder, "note.txt");
const text = "a note of many words\n".repeat(4000);
writeFileSync(file, text);
let home: string;
let record: string;
let address: string;
beforeAll(async () => {
  home = await homeIn(folder);
  const sealed = await json(["seal", file, "--owner", "alice", "--as", "bob"], { home });
  record = sealed.recordId;
  address = sealed.address;
});

/** Outcome numbers of spec/6-ledger.md, by the names that access-log prints. */
const outcomes: Readonly<Record<string, number>> = {
  deposited: 1,
  rekeyed: 2,
  granted: 3,
  transformed: 20,
  disputed: 30,
  erased: 31,
  certified: 32,
  "denied-rule": 10,
  "denied-expired": 11,
  "denied-purpose": 12,
  "denied-erased": 13,
};

test("request and transform are the steps of open, one by one", async () => {
  const granted = await json(["request", record, "--as", "bob"], { home });
  expect(granted).toMatchObject({ requestId: expect.stringMatching(hex(64)), recordId: record });
  const opened = await json(["transform", granted.requestId, "--as", "bob"], { home });
  expect(opened).toMatchObject({ recordId: record, sha256: sha256(Buffer.from(text)).toString("hex") });
  expect((await run(["transform", granted.requestId, "--as", "carol", "--json"], { home })).code).toBe(3);
});

test("access-log: every proved request, refusal and receipt, identities opened for the owner, and the proof of completeness", async () => {
  await fails("rule-violated", ["open", record, "--as", "bob", "--purpose", "HRESCH"], { home });
  const log = await lines(["access-log", record, "--as", "alice"], { home });
  const proof = log.at(-1);
  const entries = log.slice(0, -1);
  expect(entries.map(({ event }) => event)).toEqual([
    "deposited",
    "granted",
    "transformed",
    "denied-purpose",
  ]);
  expect(entries[2]).toMatchObject({ reader: "bob", requestId: entries[1].requestId });
  let chain = Buffer.alloc(32);
  for (const { transaction, event } of entries) {
    const outcome = outcomes[event];
    if (outcome === undefined) throw new Error(`no number for ${event}`);
    const tag = Buffer.from("chartseal-v1/ledger/log\0");
    chain = Buffer.from(
      sha256(Buffer.concat([tag, chain, Buffer.from(transaction, "hex"), Buffer.from([outcome])])),
    );
  }
  expect(proof).toMatchObject({ complete: true, entries: entries.length, chain: chain.toString("hex") });
  // The leaf in the state tree, as a stranger gets it: deterministic CBOR, the log's count and chain at its end.
  const { states } = await json(["ledger", "prove", record], { home });
  const leaf = states.findLast(({ kind }: { kind: number }) => kind === 22);
  expect(leaf.value.endsWith(`0${entries.length}5820${chain.toString("hex")}`)).toBe(true);
  await fails("policy-unsatisfied", ["access-log", record, "--as", "bob"], { home });
});

test("rekey: a fresh key encapsulation, the payload stays byte for byte; a narrower policy locks the earlier reader out", async () => {
  const before = readFileSync(objectOf(home, address));
  const header = readFileSync(objectOf(home, `${address}.header`));
  const { digest } = await json(["record", "show", record], { home });
  const policy = "doctor@cedars and cardiology@cedars and nurse@mercy";
  const made = await json(["rekey", record, "--as", "alice", "--policy", policy], { home });
  expect(made).toMatchObject({
    recordId: record,
    digest: expect.stringMatching(hex(64)),
    height: expect.any(Number),
  });
  expect(made.digest).not.toBe(digest);
  const [line] = await lines(["records", "--owner", "alice"], { home });
  expect(line).toMatchObject({ digest: made.digest, policy, version: 2, address, erased: false });
  expect(readFileSync(objectOf(home, address)).equals(before)).toBe(true);
  const fresh = readFileSync(objectOf(home, `${address}.header`));
  expect([fresh.equals(header), made.bytesWritten]).toEqual([false, fresh.length]);
  await fails("policy-unsatisfied", ["open", record, "--as", "bob"], { home });
  const { author } = await json(["open", record, "--as", "alice"], { home });
  expect(author).toEqual({ policy: "doctor@cedars and cardiology@cedars", verified: true });
});

test("rekey --payload re-encrypts: readers see author: {verified: false, reencryptedBy: owner}", async () => {
  const old = readFileSync(objectOf(home, address));
  const made = await json(
    ["rekey", record, "--as", "alice", "--payload", "--policy", "doctor@cedars and cardiology@cedars"],
    { home },
  );
  expect(made.bytesWritten).toBeGreaterThan(text.length);
  const [line] = await lines(["records"], { home });
  expect(line).toMatchObject({ version: 3, digest: made.digest });
  expect(readFileSync(objectOf(home, line.address)).equals(old)).toBe(false);
  const opened = await json(["open", record, "--as", "bob"], { home });
  expect(opened.author).toMatchObject({ verified: false, reencryptedBy: "owner" });
  expect(opened.sha256).toBe(sha256(Buffer.from(text)).toString("hex"));
});

test("erase: certified; the objects are gone from disk, and what is asked afterwards is erased", async () => {
  const [{ address: current }] = await lines(["records"], { home });
  const mine = copyHome(home, join(folder, "erasing"));
  const erased = await json(["erase", record, "--as", "alice"], { home: mine });
  expect(erased).toMatchObject({
    recordId: record,
    certificate: expect.stringMatching(hex(64)),
    height: expect.any(Number),
  });
  for (const gone of [address, current])
    expect(objectFiles(mine).filter((path) => path.includes(gone))).toEqual([]);
  expect(existsSync(join(mine, "provider", "leaves", current))).toBe(false);
  for (const command of ["open", "rekey", "erase"])
    await fails("erased", [command, record, "--as", "alice"], { home: mine });
  await fails("erased", ["open", record, "--as", "bob"], { home: mine });
  expect((await lines(["records"], { home: mine }))[0]).toMatchObject({ recordId: record, erased: true });
  const events = (await lines(["access-log", record, "--as", "alice"], { home: mine })).map(
    ({ event }) => event,
  );
  expect(events).toEqual(expect.arrayContaining(["erased", "certified", "denied-erased"]));
  expect(await json(["verify"], { home: mine })).toMatchObject({
    ok: true,
    findings: [],
    orphans: 0,
    records: 1,
  });
});

test("the owner can mark a record disputed, which every reader sees and which names the relay", async () => {
  const disputed = await json(["record", "dispute", record, "--as", "alice"], { home });
  expect(disputed).toMatchObject({ recordId: record, relay: expect.stringMatching(hex(40)) });
  expect((await json(["record", "show", record], { home })).disputed).toBe(true);
  expect((await json(["open", record, "--as", "bob"], { home })).disputed).toBe(true);
});

test("export and open --file: the portable form opens with a full key alone, in no home's ledger", async () => {
  const out = join(folder, "record.chartseal");
  const exported = await json(["export", record, "--out", out, "--as", "alice"], { home });
  expect(exported.recordId).toBe(record);
  await fails("policy-unsatisfied", ["open", "--file", out, "--as", "carol"], { home }).catch(() => {});
  await json(["keys", "full", "alice"], { home });
  const opened = await json(["open", "--file", out, "--as", "alice"], { home });
  expect(opened).toMatchObject({ recordId: record, sha256: sha256(Buffer.from(text)).toString("hex") });
  const bytes = readFileSync(out);
  bytes[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1;
  writeFileSync(out, bytes);
  expect((await run(["open", "--file", out, "--as", "alice", "--json"], { home })).code).toBe(4);
  await fails("input-invalid", ["open", "--file", join(folder, "nowhere"), "--as", "alice"], { home });
});
