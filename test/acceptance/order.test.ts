/** CONTRACT "Order of checks": usage, home, options, member, record, passphrase, authorisation; two errors at once. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { fails, homeIn, json, treeOf, workFolder } from "./support.ts";

const folder = workFolder();
const file = join(folder, "note.txt");
writeFileSync(file, "a note");
const nobody = "nobody";
const noRecord = "0".repeat(64);
let home: string;
let record: string;
beforeAll(async () => {
  home = await homeIn(folder);
  record = (await json(["seal", file, "--owner", "alice", "--as", "bob"], { home })).recordId;
});

const none = () => ({ home, passphrase: null });
const wrong = () => ({ home, passphrase: "another one" });
const rule = (...rest: string[]) => ["rule", "set", "--owner", "alice", "--namespace", "cedars", ...rest];

test("usage comes before home, home before options", async () => {
  const missing = { home: join(folder, "missing"), passphrase: null };
  await fails("input-invalid", ["open", "zz"], missing);
  await fails("input-invalid", ["open", "zz", "--as", "bob", "--bogus"], missing);
  for (const args of [
    ["open", "zz", "--as", "bob", "--range", "3-1"],
    ["policy", "check", ""],
    ["member", "add", "BAD"],
    ["namespace", "add", "BAD"],
    rule("--policy", "((", "--per-day", "x"),
    ["seal", "/nowhere", "--owner", "NO"],
    ["verify"],
  ])
    await fails("home-missing", args, missing);
});

test("options come before member", async () => {
  await fails("input-invalid", ["open", record, "--as", nobody, "--range", "3-1"], none());
  await fails("policy-syntax", ["seal", file, "--owner", nobody, "--policy", "x"], none());
  await fails("input-invalid", ["seal", "/nowhere", "--owner", nobody], none());
  await fails("policy-syntax", ["rekey", noRecord, "--as", nobody, "--policy", "x"], none());
  await fails("policy-syntax", ["policy", "explain", "x", "--for", nobody], none());
  await fails("input-invalid", ["attributes", "grant", nobody, "bad"], none());
  await fails("input-invalid", ["attributes", "revoke", nobody, "Bad@cedars"], none());
  await fails(
    "policy-syntax",
    ["rule", "set", "--owner", nobody, "--namespace", "cedars", "--policy", "X@cedars"],
    none(),
  );
});

test("member comes before record", async () => {
  for (const command of ["open", "access-log", "rekey"])
    await fails("member-unknown", [command, "zz", "--as", nobody], none());
});

test("member and record come before passphrase", async () => {
  await fails("member-unknown", ["attributes", "grant", nobody, "doctor@cedars"], none());
  await fails("member-unknown", ["seal", file, "--owner", nobody], none());
  await fails("member-unknown", ["seal", file, "--owner", "alice", "--as", "No Body"], none());
  await fails(
    "member-unknown",
    ["rule", "set", "--owner", nobody, "--namespace", "cedars", "--policy", "x@cedars"],
    wrong(),
  );
  for (const command of ["open", "access-log", "rekey", "erase", "request"])
    await fails("record-unknown", [command, noRecord, "--as", "alice"], none());
  await fails("record-unknown", ["open", record.toUpperCase(), "--as", "alice"], wrong());
});

test("options come before passphrase", async () => {
  const before = treeOf(home);
  await fails("attribute-unknown", ["attributes", "grant", "bob", "doctor@nope"], none());
  await fails("input-invalid", ["member", "add", "alice"], none());
  await fails("input-invalid", ["namespace", "add", "cedars"], none());
  await fails("attribute-unknown", ["rule", "revoke", "--owner", "alice", "--namespace", "nope"], none());
  await fails("attribute-unknown", ["seal", file, "--owner", "alice", "--policy", "x@nope"], none());
  for (const args of [
    rule("--policy", "doctor@cedars and dave@self", "--writers", "doctor@cedars"),
    ["seal", file, "--owner", "alice", "--policy", "nobody@self"],
    ["seal", file, "--owner", "alice", "--policy", "2 of (a@cedars, dave@self, b@cedars)"],
    ["rekey", record, "--as", "alice", "--policy", "emergency.x@self"],
  ])
    await fails("input-invalid", args, none());
  await fails("input-invalid", rule("--policy", "a@cedars", "--writers", "a@cedars or bob@self"), none());
  await fails("input-invalid", rule("--policy", "a@cedars", "--expires", "2020-01-01T00:00:00Z"), none());
  await fails("input-invalid", ["open", record, "--as", "bob", "--range", "0-6"], none());
  await fails("input-invalid", ["seal", file, "--owner", "alice", "--media-type", "bogus"], none());
  await fails(
    "input-invalid",
    ["seal", file, "--owner", "alice", "--author-policy", "a@cedars or bob@self"],
    none(),
  );
  expect(treeOf(home)).toEqual(before);
});

test("passphrase comes before authorisation", async () => {
  for (const [options, code] of [
    [none(), "passphrase-missing"],
    [wrong(), "passphrase-wrong"],
  ] as const) {
    for (const command of code === "passphrase-missing"
      ? ["access-log", "rekey", "erase", "open"]
      : ["access-log"])
      await fails(code, [command, record, "--as", "carol"], options);
    await fails(code, ["rule", "revoke", "--owner", "alice", "--namespace", "mercy"], options);
    await fails(code, ["seal", file, "--owner", "alice", "--as", "dave"], options);
  }
});

test("authorisation is last: who is not the owner, and who lacks attributes, is refused", async () => {
  for (const command of ["access-log", "rekey", "erase"])
    await fails("policy-unsatisfied", [command, record, "--as", "carol"], { home });
  const error = await fails("policy-unsatisfied", ["open", record, "--as", "dave"], { home });
  expect(error).toMatchObject({ missing: [["cardiology@cedars", "doctor@cedars"]], grantedBy: ["cedars"] });
});
