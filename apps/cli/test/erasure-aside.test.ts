/** An erasure takes what lies beside the store of a real home: files that forensics moved away, uploads of a killed server. */
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Staging } from "@chartseal/server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openHome } from "../src/home/home.ts";
import { payloadUploads } from "../src/services/asides.ts";
import { type Clinic, clinic, run } from "./care-home.ts";

let place: Clinic;
let address: string;
let other: string;
const object = (name: string) => join(place.home, "provider", "objects", name);

beforeAll(async () => {
  place = await clinic();
  const shown = await run(["--home", place.home, "record", "show", place.record, "--json"]);
  address = shown.json().address;
  const file = join(place.folder, "note.txt");
  writeFileSync(file, "a short note of another record");
  const sealed = await run(["--home", place.home, "seal", file, "--owner", "bob", "--json"]);
  other = sealed.json().address;
});
afterAll(() => place.remove());

async function staged(bytes: Uint8Array): Promise<void> {
  const folder = payloadUploads(openHome(place.home).paths);
  const staging = new Staging({ folder, now: Date.now, graceMs: 1e9, uploadsMax: 9, bytesMax: 1e9 });
  const { id } = await staging.create({ options: "{}" });
  const source = (async function* () {
    yield bytes;
  })();
  await staging.append(id, source, { offset: 0, complete: false, sizeMax: 1e9 });
}

const below = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((one) => one.isFile())
        .map((one) => join(one.parentPath, one.name).slice(folder.length + 1))
        .toSorted()
    : [];

test("what forensics moved away and what uploads left goes with the record, and the certificate names it", async () => {
  copyFileSync(object(address), object("a-copy"));
  copyFileSync(object(`${address}.header`), object("header.bak"));
  copyFileSync(object(other), object("another"));
  const repaired = await run([
    "--home",
    place.home,
    "forensics",
    "--repair",
    "--out",
    join(place.folder, "report"),
    "--json",
  ]);
  expect(repaired.code).toBe(0);
  const quarantine = join(place.home, "provider", "quarantine");
  expect(below(quarantine).map((path) => path.split("/")[1])).toEqual(["a-copy", "another", "header.bak"]);
  const payload = readFileSync(object(address));
  await staged(payload.subarray(0, 300_000));
  await staged(readFileSync(object(other)).subarray(0, 30));
  const uploads = join(place.home, "provider", "uploads");
  expect(below(uploads)).toHaveLength(6);

  const erased = await run(["--home", place.home, "erase", place.record, "--as", "alice", "--json"]);
  expect(erased.code).toBe(0);
  expect(below(quarantine).map((path) => path.split("/")[1])).toEqual(["another"]);
  expect(below(uploads)).toHaveLength(3);
  expect(below(join(place.home, "provider")).some((path) => path.includes(address))).toBe(false);
  const shown = await run(["--home", place.home, "certificate", "show", place.record, "--json"]);
  const copies = shown.json().copies as { copy: string; valid: boolean }[];
  expect(copies.every(({ valid }) => valid)).toBe(true);
  expect(copies.map(({ copy }) => copy)).toEqual([
    address,
    ...["quarantine-1", "quarantine-2", "upload-1"].map((copy) => `${address}/${copy}`),
  ]);
  expect(dirname(below(quarantine)[0]!)).toMatch(/^\d+$/);
});
