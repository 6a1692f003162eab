/** CONTRACT rows `seal` and `open`: fields and their forms, sizes, ranges, standard input, recognised types, who may read. */
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { hasSharedData, sharedPath } from "../shared-data.ts";
import { fails, hex, homeIn, json, lines, objectOf, run, sha256, workFolder } from "./support.ts";

const folder = workFolder();
let home: string;
beforeAll(async () => {
  home = await homeIn(folder);
});

function fileOf(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

const sealOwn = (file: string, ...rest: string[]) =>
  json(["seal", file, "--owner", "alice", ...rest], { home });

test("seal prints {recordId, address, digest, policy, height, transaction, bytes, sealedBytes, mediaType, validation}; open {recordId, bytes, sha256, mediaType, author: {policy, verified}}", async () => {
  const bytes = randomBytes(262_144 + 7);
  const file = fileOf("scan.bin", bytes);
  const sealed = await json(["seal", file, "--owner", "alice", "--as", "bob"], { home });
  expect(sealed).toMatchObject({
    recordId: expect.stringMatching(hex(64)),
    address: expect.stringMatching(/^[0-9a-f]+$/),
    digest: expect.stringMatching(hex(64)),
    policy: "doctor@cedars and cardiology@cedars",
    height: expect.any(Number),
    transaction: expect.stringMatching(hex(64)),
    bytes: bytes.length,
    sealedBytes: expect.any(Number),
    mediaType: "application/octet-stream",
    validation: "not-checked",
  });
  const payload = objectOf(home, sealed.address);
  const header = objectOf(home, `${sealed.address}.header`);
  // Two chunks, each with its 16-byte tag.
  expect(statSync(payload).size).toBe(bytes.length + 32);
  expect(statSync(payload).size + statSync(header).size).toBe(sealed.sealedBytes);
  expect(readFileSync(payload).includes(bytes.subarray(0, 32))).toBe(false);
  const [line] = (await lines(["records", "--owner", "alice"], { home })).filter(
    ({ recordId }) => recordId === sealed.recordId,
  );
  const { recordId, address, digest, policy, height } = sealed;
  expect(line).toMatchObject({
    recordId,
    address,
    digest,
    policy,
    height,
    owner: "alice",
    version: 1,
    erased: false,
  });
  expect(line.ownerAccount).toBe((await json(["member", "show", "alice"], { home })).account);
  expect(await json(["record", "show", recordId], { home })).toMatchObject(line);
  const opened = await json(["open", recordId, "--as", "bob"], { home });
  expect(opened).toMatchObject({
    recordId,
    bytes: bytes.length,
    sha256: sha256(bytes).toString("hex"),
    mediaType: "application/octet-stream",
    author: { policy: "doctor@cedars and cardiology@cedars", verified: true },
  });
  await fails("policy-unsatisfied", ["open", recordId, "--as", "carol"], { home });
  const out = join(folder, "scan.out");
  const done = await run(["open", recordId, "--as", "alice", "--out", out], { home });
  expect([done.code, done.text]).toEqual([0, ""]);
  expect(readFileSync(out).equals(bytes)).toBe(true);
});

test("--range A-B: bytes A to B, both included, 0 ≤ A ≤ B < length, else input-invalid", async () => {
  const bytes = randomBytes(1_048_577);
  const { recordId } = await sealOwn(fileOf("range.bin", bytes));
  for (const [from, to] of [
    [0, 0],
    [262_143, 262_144],
    [0, 1_048_576],
  ] as const) {
    const done = await run(["open", recordId, "--as", "alice", "--range", `${from}-${to}`], { home });
    expect(done.code, done.stderr).toBe(0);
    expect(done.stdout.equals(bytes.subarray(from, to + 1)), `${from}-${to}`).toBe(true);
  }
  for (const range of ["0-1048577", "5-4", "-1", "0x0-0x1", ""])
    await fails("input-invalid", ["open", recordId, "--as", "alice", `--range=${range}`], { home });
});

test("any bytes are taken: an empty file, and standard input for -", async () => {
  const empty = await sealOwn(fileOf("empty", ""));
  expect(empty.bytes).toBe(0);
  const opened = await run(["open", empty.recordId, "--as", "alice"], { home });
  expect([opened.code, opened.stdout.length]).toEqual([0, 0]);
  await fails("input-invalid", ["open", empty.recordId, "--as", "alice", "--range", "0-0"], { home });
  const piped = await run(["seal", "-", "--owner", "alice", "--json"], { home, input: "piped in" });
  const { recordId, bytes } = JSON.parse(piped.text);
  expect(bytes).toBe(8);
  expect((await run(["open", recordId, "--as", "alice"], { home })).text).toBe("piped in");
});

test("an owner's own record names its author by account; a person named in the policy reads it, nobody else", async () => {
  const { account } = await json(["member", "show", "dave"], { home });
  const sealed = await sealOwn(fileOf("for-dave", "for dave"), "--policy", "dave@self");
  expect(sealed.policy).toBe(`${account}@self`);
  const opened = await json(["open", sealed.recordId, "--as", "dave"], { home });
  expect(opened.author).toEqual({ account: (await json(["member", "show", "alice"], { home })).account });
  await fails("policy-unsatisfied", ["open", sealed.recordId, "--as", "bob"], { home });
  const beside = await sealOwn(fileOf("for-two", "for two"), "--policy", `nurse@mercy or ${account}@self`);
  for (const reader of ["dave", "carol"])
    expect((await run(["open", beside.recordId, "--as", reader], { home })).text).toBe("for two");
});

test("--author-policy adds an attribute-based signature beside the owner's and never replaces it", async () => {
  const file = fileOf("both", "both");
  await fails("policy-unsatisfied", ["seal", file, "--owner", "alice", "--author-policy", "doctor@cedars"], {
    home,
  });
  const own = await json(["seal", file, "--owner", "bob", "--author-policy", "doctor@cedars"], { home });
  const { author } = await json(["open", own.recordId, "--as", "bob"], { home });
  expect(author).toMatchObject({ policy: "doctor@cedars", verified: true });
  await fails("rule-missing", ["seal", file, "--owner", "dave", "--as", "bob"], { home });
});

test("a failed open leaves no file behind, and an output that cannot be is input-invalid", async () => {
  const { recordId } = await sealOwn(fileOf("mine", "mine"));
  const out = join(folder, "outputs.txt");
  await fails("policy-unsatisfied", ["open", recordId, "--as", "dave", "--out", out], { home });
  for (const place of [join(folder, "nowhere", "x"), folder, join(out, "x")])
    await fails("input-invalid", ["open", recordId, "--as", "alice", "--out", place], { home });
  expect(existsSync(out)).toBe(false);
  expect(readdirSync(folder).filter((name) => name.includes("outputs"))).toEqual([]);
  const both = await json(["open", recordId, "--as", "alice", "--out", out], { home });
  expect(sha256(readFileSync(out)).toString("hex")).toBe(both.sha256);
});

test("FHIR, DICOM, C-CDA, HL7 v2 and PDF are recognised and the result of validation is signed metadata", async ({
  skip,
}) => {
  if (!hasSharedData) return skip("the shared data folder is not beside this clone");
  for (const [file, mediaType, validation] of [
    [sharedPath("fhir", "hospitalInformation1559319163815.json"), "application/fhir+json", "valid"],
    [sharedPath("dicom", "CT_small.dcm"), "application/dicom", "valid"],
    [sharedPath("ccda", "CCD-1.xml"), /^(application|text)\/(hl7-)?(cda\+)?xml$/, "valid"],
    [sharedPath("hl7v2", "ADT-A01-01.hl7"), /hl7/, /valid|not-checked/],
    [sharedPath("ccda", "McBee_L1_20151116_Embedded.pdf"), "application/pdf", "valid"],
  ] as const) {
    const sealed = await sealOwn(file);
    expect(sealed.mediaType, file).toMatch(mediaType);
    expect(sealed.validation, file).toMatch(validation);
    expect(sealed.bytes).toBe(statSync(file).size);
  }
});

test("validation never refuses by itself; --require-valid turns invalid into input-invalid and nothing is stored", async () => {
  const bad = fileOf(
    "bad.json",
    JSON.stringify({ resourceType: "Patient", gender: 7, birthDate: "yesterday" }),
  );
  const sealed = await sealOwn(bad);
  expect(sealed).toMatchObject({ mediaType: "application/fhir+json", validation: "invalid" });
  expect((await json(["open", sealed.recordId, "--as", "alice"], { home })).validation).toBe("invalid");
  const before = readdirSync(join(home, "provider", "objects"), { recursive: true }).length;
  await fails("input-invalid", ["seal", bad, "--owner", "alice", "--require-valid"], { home });
  expect(readdirSync(join(home, "provider", "objects"), { recursive: true }).length).toBe(before);
  const typed = await sealOwn(bad, "--media-type", "text/plain", "--require-valid");
  expect(typed.mediaType).toBe("text/plain");
  expect((await json(["open", typed.recordId, "--as", "alice"], { home })).mediaType).toBe("text/plain");
});
