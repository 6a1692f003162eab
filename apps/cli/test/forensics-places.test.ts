/**
 * forensics over a home with three places, as a shell runs it: what somebody altered at one place and took away at
 * another is named, made again from the rest, and said in the records' logs.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Clinic, clinic, plaintext, type Ran, run, treeHash } from "./care-home.ts";
import { schemaFaults } from "./json-schema.ts";

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
const schema = JSON.parse(readFileSync(join(root, "spec/vectors/forensics-report.schema.json"), "utf8"));
const names = ["attic", "barn", "cellar"] as const;
type Name = (typeof names)[number];
type Found = { kind: string; copy?: string; part?: string; recordId?: string; blocks?: number[] };

let place: Clinic;
/** Two records of alice's, and which files each has at each place. */
const records: { id: string; files: Record<Name, string[]> }[] = [];
const at = (...path: string[]): string => join(place.folder, ...path);
const cli = (...argv: string[]): Promise<Ran> => run(["--home", place.home, ...argv]);
const keyless = (...argv: string[]): Promise<Ran> =>
  run(["--home", place.home, ...argv], { CHARTSEAL_PASSPHRASE: undefined });
const pendingFile = (): string => join(place.home, "provider", "repairs.json");

function filesAt(name: Name): string[] {
  return readdirSync(at(name), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function flip(path: string, where: number): void {
  const bytes = readFileSync(path);
  bytes[where]! ^= 1;
  writeFileSync(path, bytes);
}

/** The larger of a record's two files at a place is its payload's shard. */
function payloadShard(record: number, name: Name): string {
  const sizeOf = (path: string): number => readFileSync(path).length;
  return records[record]!.files[name].toSorted((a, b) => sizeOf(b) - sizeOf(a))[0]!;
}

const takeAway = (record: number, name: Name): void => {
  for (const path of records[record]!.files[name]) rmSync(path);
};

async function forensics(how: typeof cli, ...more: string[]) {
  const ran = await how("forensics", "--out", at("report"), "--json", ...more);
  const report = JSON.parse(readFileSync(at("report", "report.json"), "utf8"));
  expect(schemaFaults(schema, report)).toEqual([]);
  return { ran, report, page: readFileSync(at("report", "report.html"), "utf8") };
}

async function repairsIn(record: number): Promise<number> {
  const log = (await cli("access-log", records[record]!.id, "--as", "alice", "--json")).out;
  return log
    .trim()
    .split("\n")
    .filter((line) => JSON.parse(line).event === "repaired").length;
}

const told = (findings: Found[]): string[] =>
  findings.map(({ kind, copy, part, recordId }) => {
    const which = records.findIndex(({ id }) => id === recordId);
    return `${kind} ${copy} ${part} ${which}`;
  });

beforeAll(async () => {
  place = await clinic();
  for (const name of names) {
    mkdirSync(at(name));
    const how = ["--kind", "folder", "--region", "eu", "--path", at(name)];
    expect((await cli("provider", "place", "add", name, ...how)).code).toBe(0);
  }
  expect((await cli("provider", "repair", "--json")).json().ok).toBe(true);
  for (const text of [plaintext, "a short note"]) {
    const before = new Set(names.flatMap(filesAt));
    writeFileSync(at("text"), text);
    const sealed = await cli("seal", at("text"), "--owner", "alice", "--split", "2of3", "--json");
    expect(sealed.code).toBe(0);
    const fresh = (name: Name): string[] => filesAt(name).filter((path) => !before.has(path));
    const files = { attic: fresh("attic"), barn: fresh("barn"), cellar: fresh("cellar") };
    records.push({ id: sealed.json().recordId, files });
  }
}, 240_000);
afterAll(() => place.remove());

describe("a shard altered at one place, a record's shards gone from another", () => {
  test("are named by place, shard and blocks, with the last good audit, and no byte changes", async () => {
    expect((await cli("audit", "storage", records[0]!.id, "--json")).json().ok).toBe(true);
    flip(payloadShard(0, "barn"), 1000);
    takeAway(1, "cellar");
    const before = treeHash(place.home);
    const { ran, report, page } = await forensics(keyless);
    expect(treeHash(place.home)).toBe(before);
    expect(ran.code).toBe(4);
    expect(told(report.findings).toSorted()).toEqual([
      "shard-altered barn payload 0",
      "shard-missing cellar header 1",
      "shard-missing cellar payload 1",
    ]);
    const altered = report.findings.find(({ kind }: Found) => kind === "shard-altered");
    expect(altered.blocks).toEqual([0]);
    expect(altered.where).toMatch(/shard \d, at barn, block 0$/);
    const audit = altered.lastGood.find(({ evidence }: { evidence: string }) => /audit/.test(evidence));
    expect(audit).toMatchObject({ certainty: "likely", height: expect.any(Number) });
    expect(report.places).toEqual(names);
    const states = report.divided.flatMap(({ shards }: { shards: { place: string; state: string }[] }) =>
      shards.filter(({ state }) => state !== "good").map(({ place: where, state }) => `${where} ${state}`),
    );
    expect(states.toSorted()).toEqual(["barn altered", "cellar missing", "cellar missing"]);
    expect(page).toMatch(/<h2>The places<\/h2>[\s\S]*attic[\s\S]*barn[\s\S]*cellar/);
    expect(page.match(/>\d: (wrong|missing)</g)).toHaveLength(3);
  });

  test("a wrong passphrase changes nothing", async () => {
    const before = names.map((name) => treeHash(at(name)));
    const wrong = await run(
      ["--home", place.home, "forensics", "--repair", "--out", at("report"), "--json"],
      {
        CHARTSEAL_PASSPHRASE: "not this one",
      },
    );
    expect(wrong.json().error.code).toBe("passphrase-wrong");
    expect(names.map((name) => treeHash(at(name)))).toEqual(before);
  });

  test("are made again with the passphrase at hand, and the records' logs say so at once", async () => {
    const { ran, report, page } = await forensics(cli, "--repair");
    expect(ran.json()).toMatchObject({ ok: true, findings: [] });
    expect(ran.code).toBe(0);
    expect(report.repaired).toHaveLength(3);
    expect(report.repaired.every(({ recorded }: { recorded: boolean }) => recorded)).toBe(true);
    expect(
      told(report.repaired)
        .map((line) => line.split(" ").slice(0, 2).join(" "))
        .toSorted(),
    ).toEqual(["shard-altered barn", "shard-missing cellar", "shard-missing cellar"]);
    expect(page).not.toContain("with the next command");
    expect(existsSync(pendingFile())).toBe(false);
    expect([await repairsIn(0), await repairsIn(1)]).toEqual([1, 1]);
    expect((await forensics(keyless)).ran.json()).toMatchObject({ ok: true, findings: [], repaired: [] });
  });
});

test("a place that was emptied is filled again without a passphrase; the next command says so in the logs", async () => {
  for (const path of filesAt("attic")) rmSync(path);
  const { ran, report, page } = await forensics(keyless, "--repair");
  expect([ran.code, ran.json().findings]).toEqual([0, []]);
  expect(report.repaired).toHaveLength(6);
  expect(report.repaired.every(({ copy }: Found) => copy === "attic")).toBe(true);
  expect(report.repaired.some(({ recorded }: { recorded: boolean }) => recorded)).toBe(false);
  expect(page).toContain("with the next command that has the passphrase");
  expect(existsSync(pendingFile())).toBe(true);
  expect([await repairsIn(0), await repairsIn(1)]).toEqual([2, 2]);
  expect(existsSync(pendingFile())).toBe(false);
  expect([await repairsIn(0), await repairsIn(1)]).toEqual([2, 2]);
  rmSync(at("barn"), { recursive: true });
  const opened = await cli("open", records[0]!.id, "--as", "alice", "--out", at("opened"), "--json");
  expect(opened.code).toBe(0);
  expect(readFileSync(at("opened"), "utf8")).toBe(plaintext);
  mkdirSync(at("barn"));
  expect((await forensics(cli, "--repair")).ran.code).toBe(0);
});

test("a file that somebody laid at a place goes to quarantine", async () => {
  writeFileSync(join(at("barn"), "objects", "notes"), "from nowhere");
  expect(told((await forensics(keyless)).report.findings)).toEqual([
    "foreign-object barn:notes undefined -1",
  ]);
  const { report } = await forensics(keyless, "--repair");
  expect(report.findings).toEqual([]);
  const quarantine = join(place.home, "provider", "quarantine");
  const [time] = readdirSync(quarantine);
  expect(readFileSync(join(quarantine, time!, "barn:notes"), "utf8")).toBe("from nowhere");
  expect(existsSync(join(at("barn"), "objects", "notes"))).toBe(false);
});

test("with two of three shards gone nothing is invented, and nothing is said", async () => {
  const before = await repairsIn(1);
  const kept = new Map(
    (["attic", "barn"] as const).flatMap((name) => {
      const paths = filesAt(name);
      return paths.map((path) => [path, readFileSync(path)] as const);
    }),
  );
  for (const path of kept.keys()) rmSync(path);
  const { ran, report } = await forensics(cli, "--repair");
  expect(ran.code).toBe(4);
  expect(report.repaired).toEqual([]);
  expect(new Set(report.findings.map(({ kind }: Found) => kind))).toContain("shard-missing");
  expect(existsSync(pendingFile())).toBe(false);
  for (const [path, bytes] of kept) writeFileSync(path, bytes);
  expect((await forensics(keyless)).report.ok).toBe(true);
  expect(await repairsIn(1)).toBe(before);
});
