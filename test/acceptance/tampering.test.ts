/** CONTRACT exit code 4: whatever is changed below DIR is found by who reads it, named, and leaves no output file. */
import { copyFileSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { copyHome, exitOf, fails, homeIn, json, objectOf, run, treeOf, workFolder } from "./support.ts";

const folder = workFolder();
const file = join(folder, "note.bin");
writeFileSync(file, Buffer.alloc(600_000, 7));
let original: string;
let first: { recordId: string; address: string };
let second: { recordId: string; address: string };
let earlier: string;
beforeAll(async () => {
  original = await homeIn(folder, "original");
  first = await json(["seal", file, "--owner", "alice", "--as", "bob"], { home: original });
  earlier = copyHome(original, join(folder, "earlier"));
  second = await json(["seal", file, "--owner", "alice", "--as", "bob"], { home: original });
});

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = (bytes[index] ?? 0) ^ 0x10;
  writeFileSync(path, bytes);
}

/** A fresh copy of the home, damaged; `open` must say the code and leave nothing. */
async function damaged(code: string, damage: (home: string) => void, reader = "bob"): Promise<void> {
  const home = copyHome(original, join(folder, "home"));
  damage(home);
  const out = join(folder, "out");
  rmSync(out, { force: true });
  await fails(code, ["open", first.recordId, "--as", reader, "--out", out], { home });
  expect(existsSync(out)).toBe(false);
}

const payload = (home: string) => objectOf(home, first.address);
const header = (home: string) => objectOf(home, `${first.address}.header`);

test("a flipped bit in the payload is object-altered, in the first chunk and in the last", async () => {
  await damaged("object-altered", (home) => flip(payload(home), 0));
  await damaged("object-altered", (home) => flip(payload(home), -1), "alice");
});

test("a payload cut short or made longer is object-altered, a missing one object-missing", async () => {
  await damaged("object-altered", (home) => truncateSync(payload(home), 300_000));
  await damaged("object-altered", (home) => writeFileSync(payload(home), "more", { flag: "a" }));
  await damaged("object-missing", (home) => rmSync(payload(home)));
});

test("a changed header is header-altered, another record's too; a missing one object-missing", async () => {
  await damaged("header-altered", (home) => flip(header(home), 200));
  await damaged("header-altered", (home) => truncateSync(header(home), 100));
  await damaged("header-altered", (home) =>
    copyFileSync(objectOf(home, `${second.address}.header`), header(home)),
  );
  await damaged("object-missing", (home) => rmSync(header(home)));
});

test("two objects swapped are object-altered", async () => {
  await damaged("object-altered", (home) => copyFileSync(objectOf(home, second.address), payload(home)));
});

test("verify prints its own value, with every finding, and exits with 4", async () => {
  const home = copyHome(original, join(folder, "home"));
  flip(payload(home), 300_000);
  truncateSync(objectOf(home, second.address), 300_000);
  rmSync(header(home));
  writeFileSync(join(home, "provider", "objects", "0".repeat(32)), "never taken");
  const verified = await run(["verify", "--json"], { home, passphrase: null });
  const { ok, findings } = JSON.parse(verified.text);
  expect([verified.code, ok]).toEqual([4, false]);
  expect(verified.stderr).toMatch(/^chartseal: [a-z]+-(altered|missing): \S.*\n$/);
  const kinds = findings.map(({ kind }: { kind: string }) => kind);
  for (const [record, kind] of [
    [first, "object-altered"],
    [second, "object-altered"],
    [first, "object-missing"],
  ] as const)
    expect(findings).toContainEqual(expect.objectContaining({ recordId: record.recordId, kind }));
  expect(kinds.length).toBeGreaterThanOrEqual(4);
});

test("leaf hashes are rebuilt from the object, missing or damaged", async () => {
  const home = copyHome(original, join(folder, "home"));
  const leaves = join(home, "provider", "leaves", first.address);
  const right = readFileSync(leaves);
  for (const damage of [() => rmSync(leaves), () => flip(leaves, 0)]) {
    damage();
    await json(["open", first.recordId, "--as", "bob"], { home });
    expect(readFileSync(leaves).equals(right)).toBe(true);
  }
  rmSync(leaves);
  flip(payload(home), 0);
  await fails("object-altered", ["open", first.recordId, "--as", "bob"], { home });
  expect(existsSync(leaves)).toBe(false);
});

test("a damaged store is chain-altered, whatever the database says", async () => {
  const store = (home: string) => join(home, "ledger", "ledger.sqlite");
  await damaged("chain-altered", (home) => writeFileSync(store(home), "not a database"));
  await damaged("chain-altered", (home) => truncateSync(store(home), 8192));
  await damaged("chain-altered", (home) => rmSync(store(home)));
  const home = copyHome(original, join(folder, "home"));
  const bytes = readFileSync(store(home));
  for (let at = 4096 + 100; at < bytes.length; at += 4096) bytes[at + 1500] = (bytes[at + 1500] ?? 0) ^ 0xff;
  writeFileSync(store(home), bytes);
  expect((await run(["verify", "--json"], { home })).code).toBe(4);
  for (const args of [["records"], ["ledger", "export"], ["status"]]) {
    const done = await run([...args, "--json"], { home });
    expect([0, exitOf["chain-altered"]], args.join(" ")).toContain(done.code);
  }
});

test("an older copy of the ledger is chain-altered for any member who saw a later head", async () => {
  const home = copyHome(original, join(folder, "home"));
  rmSync(join(home, "ledger"), { recursive: true });
  copyHome(join(earlier, "ledger"), join(home, "ledger"));
  await fails("chain-altered", ["open", first.recordId, "--as", "bob"], { home });
  expect((await run(["verify", "--json"], { home })).code).toBe(4);
});

test("forensics explains every mismatch: {ok, findings: [{kind, …, detail, remedy}]}, report.json and report.html; without --repair it changes nothing", async () => {
  const home = copyHome(original, join(folder, "home"));
  flip(payload(home), 300_000);
  const before = treeOf(home);
  const out = join(folder, "report");
  const done = await run(["forensics", "--out", out, "--json"], { home, passphrase: null });
  expect(done.code).toBe(4);
  const { ok, findings } = JSON.parse(done.text);
  expect(ok).toBe(false);
  expect(findings[0]).toMatchObject({
    kind: expect.any(String),
    recordId: first.recordId,
    chunk: 1,
    detail: expect.any(String),
    remedy: expect.any(String),
  });
  expect(treeOf(home)).toEqual(before);
  expect(JSON.parse(readFileSync(join(out, "report.json"), "utf8")).ok).toBe(false);
  expect(readFileSync(join(out, "report.html"), "utf8")).toMatch(/<html/i);
});
