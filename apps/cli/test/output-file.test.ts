/** Where `--out` leads: links, pipes and devices stay what they are, and what cannot be written is found before anything is read. */
import { spawnSync } from "node:child_process";
import {
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cases, plaintext } from "./care-home.ts";

const { place, at, cli } = cases();
const open = (out: string) => cli("open", place.record, "--as", "bob", "--out", out);
const entries = async () => (await cli("access-log", place.record, "--as", "alice")).out.split("\n").length;

test("a link stays one, and what it leads to has the bytes", async () => {
  writeFileSync(at("real"), "before");
  symlinkSync("real", at("link"));
  expect((await open(at("link"))).code).toBe(0);
  expect(readlinkSync(at("link"))).toBe("real");
  expect(readFileSync(at("real"), "utf8")).toBe(plaintext);
});

test("a pipe takes the bytes as they come and stays a pipe", async () => {
  expect(spawnSync("mkfifo", [at("pipe")]).status).toBe(0);
  const [read, ran] = await Promise.all([readFile(at("pipe"), "utf8"), open(at("pipe"))]);
  expect(ran.code).toBe(0);
  expect(read).toBe(plaintext);
  expect(lstatSync(at("pipe")).isFIFO()).toBe(true);
});

test("a device is written to and never replaced; a full one is said to be full", async () => {
  // By links of the test's own: whatever goes wrong here, the system keeps its devices.
  for (const name of ["null", "full"]) symlinkSync(`/dev/${name}`, at(name));
  expect((await open(at("null"))).code).toBe(0);
  expect((await open(at("full"))).json()).toMatchObject({ error: { code: "provider-unreachable" } });
  for (const argv of [
    ["ledger", "prove", place.record, "--out", at("null")],
    ["audit", "issuance", "bob", "--out", at("null")],
    ["export", place.record, "--as", "bob", "--out", at("null")],
  ])
    expect((await cli(...argv)).code).toBe(0);
  for (const name of ["null", "full"]) expect(statSync(at(name)).isCharacterDevice()).toBe(true);
});

test("what cannot be written is refused before the read is asked for, and nothing is left there", async () => {
  const before = await entries();
  symlinkSync("nowhere", at("dangling"));
  const left = readdirSync(place.folder).sort();
  const wrong = ["", "/proc/x", at("no/such/folder"), place.folder, at("dangling"), at("x".repeat(300))];
  for (const out of wrong) {
    const ran = await open(out);
    expect([out, ran.code, ran.json().error.code]).toEqual([out, 2, "input-invalid"]);
  }
  expect(readdirSync(place.folder).sort()).toEqual(left);
  expect(await entries()).toBe(before);
});

test("unfinished objects of a process that ended are gc's after the grace time, and no part of a backup", async () => {
  const folder = join(place.home, "provider", ".objects.tmp");
  writeFileSync(join(folder, "half"), "half an object");
  expect((await cli("backup", "--out", at("backup"))).code).toBe(0);
  expect(readdirSync(join(at("backup"), "provider", ".objects.tmp"))).toEqual([]);
  expect((await cli("gc")).json()).toMatchObject({ unfinished: 0 });
  expect((await cli("gc", "--grace", "0")).json()).toMatchObject({ removed: 0, unfinished: 1, bytes: 14 });
  expect(readdirSync(folder)).toEqual([]);
});
