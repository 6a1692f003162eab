/** CONTRACT rows `rule`, `policy` and "Who may": what a rule lets in, to whom it lets out, and what it leaves alone. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { expectFailure, fails, homeIn, json, jsonLines, run, workFolder } from "./support.ts";

const folder = workFolder();
const file = join(folder, "note.txt");
writeFileSync(file, "a note");
let home: string;
beforeAll(async () => {
  home = await homeIn(folder);
});

const cedars = ["rule", "set", "--owner", "alice", "--namespace", "cedars"];
const deposit = (...rest: string[]) => ["seal", file, "--owner", "alice", "--as", "bob", ...rest];

test("rule set prints {owner, namespace, policy, writers, height}; writers are P where all its leaves are of NS, else asked for", async () => {
  const set = await json([...cedars, "--policy", "(doctor@cedars) AND cardiology@cedars"], { home });
  expect(set).toMatchObject({ owner: "alice", namespace: "cedars", height: expect.any(Number) });
  expect(set.policy).toBe("doctor@cedars and cardiology@cedars");
  expect(set.writers).toBe("doctor@cedars and cardiology@cedars");
  await fails("input-invalid", [...cedars, "--policy", "doctor@cedars or nurse@mercy"], { home });
  await fails("input-invalid", [...cedars, "--policy", "doctor@cedars", "--writers", "nurse@mercy"], {
    home,
  });
  const [listed] = await json(["rule", "list", "--owner", "alice"], { home });
  expect(listed).toMatchObject({ owner: "alice", namespace: "cedars", purposes: ["TREAT"], revoked: false });
  expect(await json(["rule", "list"], { home })).toEqual([listed]);
});

test("a rule's namespace must be registered, and self can have none", async () => {
  for (const namespace of ["self", "nope", "NO!"])
    await fails(
      "attribute-unknown",
      ["rule", "set", "--owner", "alice", "--namespace", namespace, "--policy", "a@cedars"],
      { home },
    );
  await fails("attribute-unknown", [...cedars, "--policy", "x@nope", "--writers", "a@cedars"], { home });
});

test("a rule's times, purposes and quota are whole ones", async () => {
  for (const expires of ["2020-01-01T00:00:00Z", "2020-01-01", "2090-02-30T00:00:00Z", "2090-02-30"])
    await fails("input-invalid", [...cedars, "--policy", "a@cedars", "--expires", expires], { home });
  for (const purposes of ["", "TREAT,", "TREAT,ETREAT", "treat", "TRAET"])
    await fails("input-invalid", [...cedars, "--policy", "a@cedars", `--purposes=${purposes}`], { home });
  for (const perDay of ["-1", "1.5"])
    await fails("input-invalid", [...cedars, "--policy", "a@cedars", `--per-day=${perDay}`], { home });
});

test("a deposit other than the rule's writers or wider than its policy is rule-violated; a narrower one is taken", async () => {
  for (const policy of [
    "doctor@cedars",
    "cardiology@cedars and doctor@cedars",
    "doctor@cedars and cardiology@cedars or nurse@mercy",
  ])
    await fails("rule-violated", deposit("--policy", policy), { home });
  await fails("rule-violated", deposit("--author-policy", "doctor@cedars"), { home });
  const narrow = await json(deposit("--policy", "(doctor@cedars and cardiology@cedars) and nurse@mercy"), {
    home,
  });
  expect(narrow.policy).toBe("doctor@cedars and cardiology@cedars and nurse@mercy");
  await fails("policy-unsatisfied", ["open", narrow.recordId, "--as", "bob"], { home });
});

test("a request by attributes is checked against the rule in force now; owner proofs ask no rule", async () => {
  const policy = "doctor@cedars and cardiology@cedars";
  const { recordId } = await json(deposit(), { home });
  await fails("rule-violated", ["open", recordId, "--as", "bob", "--purpose", "HRESCH"], { home });
  await json([...cedars, "--policy", policy, "--purposes", "HRESCH,TREAT"], { home });
  expect((await run(["open", recordId, "--as", "bob", "--purpose", "HRESCH"], { home })).code).toBe(0);
  for (const purpose of ["BTG", "ETREAT"])
    expect((await run(["open", recordId, "--as", "bob", "--purpose", purpose], { home })).code).toBe(3);
  const revoked = await json(["rule", "revoke", "--owner", "alice", "--namespace", "cedars"], { home });
  expect(revoked).toMatchObject({ owner: "alice", namespace: "cedars", height: expect.any(Number) });
  await fails("rule-missing", ["open", recordId, "--as", "bob"], { home });
  await fails("rule-missing", deposit(), { home });
  await fails("rule-missing", ["rule", "revoke", "--owner", "alice", "--namespace", "cedars"], { home });
  expect((await run(["open", recordId, "--as", "alice"], { home })).code).toBe(0);
  const narrower = await json([...cedars, "--policy", `${policy} and surgeon@cedars`, "--writers", policy], {
    home,
  });
  expect(narrower.wider.map((one: { recordId: string }) => one.recordId)).toContain(recordId);
  expect((await run(["open", recordId, "--as", "bob"], { home })).code).toBe(0);
});

test("an expired rule takes and gives nothing more: rule-violated", async () => {
  const policy = "doctor@cedars and cardiology@cedars";
  const expires = new Date(Date.now() + 12_000).toISOString();
  await json([...cedars, "--policy", policy, "--expires", expires], { home });
  const { recordId } = await json(deposit(), { home });
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, Date.parse(expires) - Date.now()) + 1000));
  await fails("rule-violated", ["open", recordId, "--as", "bob"], { home });
  await fails("rule-violated", deposit(), { home });
});

test("a rule has a quota of deposits per day, beyond which an author's deposit is rule-violated", async () => {
  const policy = "doctor@cedars";
  await json([...cedars, "--policy", policy, "--per-day", "0"], { home });
  await fails("rule-violated", deposit(), { home });
});

test("policy check: {policy, attributes, warnings}, canonical, with a code for what cannot be", async () => {
  const checked = await json(["policy", "check", "doctor@cedars OR  1 OF (nurse@mercy)"], {
    home,
  });
  expect(checked).toMatchObject({
    policy: "doctor@cedars or nurse@mercy",
    attributes: ["doctor@cedars", "nurse@mercy"],
  });
  expect(Array.isArray(checked.warnings)).toBe(true);
  expect(
    (await json(["policy", "check", "2 of (a@cedars, a@cedars, b@cedars)"], { home })).warnings.length,
  ).toBeGreaterThan(0);
  const many = (count: number, name: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => name(i)).join(" or ");
  for (const [text, code] of [
    ["", "policy-syntax"],
    ["Doctor@cedars", "policy-syntax"],
    ["döctor@cedars", "policy-syntax"],
    ["3 of (a@cedars, b@cedars)", "policy-syntax"],
    ["a@nope", "attribute-unknown"],
    [many(257, (i) => `a${i}@cedars`), "policy-limit"],
    [many(9, () => "a@cedars"), "policy-limit"],
    [`${"(".repeat(60_000)}a@cedars${")".repeat(60_000)}`, "policy-limit"],
  ] as const)
    await fails(code, ["policy", "check", text], { home });
});

test("policy explain: who can read, what is missing, who can grant it", async () => {
  const of = (text: string, member: string) => json(["policy", "explain", text, "--for", member], { home });
  expect(await of("doctor@cedars and nurse@mercy", "bob")).toMatchObject({
    satisfied: false,
    missing: [["nurse@mercy"]],
  });
  expect(await of("doctor@cedars or nurse@mercy", "carol")).toMatchObject({ satisfied: true });
  expect(await of("dave@self or doctor@cedars", "dave")).toMatchObject({ satisfied: true });
  await fails("member-unknown", ["policy", "explain", "doctor@cedars", "--for", "nobody"], { home });
});

test("attributes: granted standing until revoked; revocation is immediate", async () => {
  const granted = await json(["attributes", "grant", "dave", "nurse@mercy", "doctor@cedars"], { home });
  expect(granted).toMatchObject({
    member: "dave",
    attributes: ["doctor@cedars", "nurse@mercy"],
    height: expect.any(Number),
  });
  const { recordId } = await json(["seal", file, "--owner", "alice", "--policy", "nurse@mercy"], { home });
  expect((await run(["open", recordId, "--as", "dave"], { home })).code).toBe(0);
  await fails("input-invalid", ["attributes", "revoke", "dave", "surgeon@cedars"], { home });
  const revoked = await json(["attributes", "revoke", "dave", "nurse@mercy"], { home });
  expect(revoked).toMatchObject({ member: "dave", revoked: ["nurse@mercy"], height: expect.any(Number) });
  const done = await run(["open", recordId, "--as", "dave", "--json"], { home });
  expect([done.code, JSON.parse(done.text).error.code]).toEqual([3, "revoked"]);
  expect((await json(["attributes", "revoke", "dave"], { home })).revoked).toEqual(["doctor@cedars"]);
  expect((await json(["attributes", "list", "dave"], { home })).attributes).toEqual([]);
  expect(jsonLines((await run(["records", "--owner", "dave", "--json"], { home })).text)).toEqual([]);
});

test("names: members [a-z0-9][a-z0-9-]{0,62}, namespaces [a-z0-9][a-z0-9-]{0,31}; self is reserved", async () => {
  for (const name of ["A", "é", "", "../x", "a".repeat(64), "alice\n"])
    await fails("input-invalid", ["member", "add", name], { home });
  for (const name of ["self", "a".repeat(33), "a.b"])
    await fails("input-invalid", ["namespace", "add", name], { home });
  const hyphen = expectFailure(await run(["member", "add", "--json", "--", "-a"], { home }), "input-invalid");
  expect(hyphen.message).toContain("-a");
  for (const name of ["A", "", "../alice", "a".repeat(64)])
    await fails("member-unknown", ["member", "show", name], { home });
  for (const attribute of ["doctor", "Doctor@cedars", "a@b@c", "x@self"])
    await fails("input-invalid", ["attributes", "grant", "bob", attribute], { home });
  for (const record of ["", "A".repeat(64), "0".repeat(63), "x".repeat(100_000)])
    await fails("record-unknown", ["record", "show", record], { home });
});
