/** verify, forensics and gc as a shell runs them, on a clinic whose stored objects somebody changed. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Verified } from "../src/operations/verify.ts";
import { type Clinic, clinic, copyHome, passphrase, type Ran, run, treeHash } from "./care-home.ts";
import { schemaFaults } from "./json-schema.ts";

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
const schema = JSON.parse(readFileSync(join(root, "spec/vectors/forensics-report.schema.json"), "utf8"));

let place: Clinic;
/** Record ids and addresses: bob's deposit of three chunks, alice's own of one. */
let large = { record: "", address: "" };
let small = { record: "", address: "" };
const home = () => join(place.folder, "tampered");
const object = (name: string) => join(home(), "provider", "objects", name);
const leaves = (name: string) => join(home(), "provider", "leaves", name);

beforeAll(async () => {
  place = await clinic();
  const file = join(place.folder, "note.txt");
  writeFileSync(file, "a short note");
  const sealed = await run(["--home", place.home, "seal", file, "--owner", "alice", "--json"]);
  expect(sealed.code).toBe(0);
  small = { record: sealed.json().recordId, address: sealed.json().address };
  const shown = await run(["--home", place.home, "record", "show", place.record, "--json"]);
  large = { record: place.record, address: shown.json().address };
  const opened = await run(["--home", place.home, "open", place.record, "--as", "bob", "--json"]);
  expect(opened.code).toBe(0);
});
afterAll(() => place.remove());

function fresh(change: () => void = () => {}): void {
  rmSync(home(), { recursive: true, force: true });
  copyHome(place.home, home());
  change();
}

/** verify, with the whole tree hashed before and after. */
async function verify(): Promise<Verified> {
  const before = treeHash(home());
  const ran = await run(["--home", home(), "verify", "--json"], { CHARTSEAL_PASSPHRASE: undefined });
  expect(treeHash(home())).toBe(before);
  const value = ran.json() as Verified;
  expect(ran.code).toBe(value.ok ? 0 : 4);
  return value;
}

const command = (...argv: string[]): Promise<Ran> => run(["--home", home(), ...argv, "--json"]);

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at]! ^= 1;
  writeFileSync(path, bytes);
}

const reportOut = () => join(place.folder, "report");

async function forensics(...more: string[]): Promise<{ ran: Ran; report: ReturnType<typeof JSON.parse> }> {
  rmSync(reportOut(), { recursive: true, force: true });
  const ran = await command("forensics", "--out", reportOut(), ...more);
  const report = JSON.parse(readFileSync(join(reportOut(), "report.json"), "utf8"));
  expect(schemaFaults(schema, report)).toEqual([]);
  return { ran, report };
}

describe("verify", () => {
  test("on an untouched clinic counts everything and finds nothing", async () => {
    fresh();
    expect(await verify()).toMatchObject({ ok: true, records: 2, objects: 4, orphans: 0, findings: [] });
  });

  test("names record, copy and chunk of one turned bit", async () => {
    fresh(() => flip(object(large.address), 300_000));
    expect((await verify()).findings).toEqual([
      expect.objectContaining({
        kind: "object-altered",
        recordId: large.record,
        copy: large.address,
        chunk: 1,
        offset: 262_160,
      }),
    ]);
    const told = await run(["--home", home(), "verify"], { CHARTSEAL_PASSPHRASE: undefined });
    const where = `record ${large.record}, payload ${large.address}, chunk 1`;
    expect(told.out).toContain(where);
    expect(told.out).toContain("the home's provider/objects");
    expect(told.err).toMatch(
      new RegExp(`^chartseal: object-altered: 1 finding: object-altered, ${where}.*\n$`),
    );
  });

  test("finds what was cut, lengthened, deleted or swapped", async () => {
    fresh(() => truncateSync(object(large.address), 1000));
    expect((await verify()).findings).toMatchObject([{ kind: "object-altered", chunk: 0, chunks: 3 }]);
    fresh(() => rmSync(object(small.address)));
    expect((await verify()).findings).toMatchObject([{ kind: "object-missing", recordId: small.record }]);
    fresh(() => {
      const [one, other] = [large, small].map(({ address }) => object(`${address}.header`));
      renameSync(one!, object("x"));
      renameSync(other!, one!);
      renameSync(object("x"), other!);
    });
    expect((await verify()).findings).toMatchObject([{ kind: "header-altered" }, { kind: "header-altered" }]);
    fresh(() => copyFileSync(object(small.address), object(large.address)));
    const [first] = (await verify()).findings;
    expect(first).toMatchObject({ kind: "object-altered", recordId: large.record });
    expect(first?.detail).toContain(small.record);
  });

  test("finds a header that was altered and says which part of it", async () => {
    fresh(() => flip(object(`${large.address}.header`), 700));
    expect((await verify()).findings).toMatchObject([
      { kind: "header-altered", recordId: large.record, copy: `${large.address}.header` },
    ]);
  });

  test("finds foreign files, hidden ones and links, and never follows a link", async () => {
    fresh(() => {
      writeFileSync(object("notes.txt"), "x");
      writeFileSync(object(".hidden"), "x");
      mkdirSync(object("deep/er"), { recursive: true });
      writeFileSync(object("deep/er/file"), "x");
      symlinkSync("/etc/passwd", object("link"));
    });
    const { findings } = await verify();
    expect(findings.map(({ kind, copy }) => [kind, copy])).toEqual([
      ["foreign-object", ".hidden"],
      ["foreign-object", "link"],
      ["foreign-object", "deep/er/file"],
      ["foreign-object", "notes.txt"],
    ]);
  });

  test("says that everything is missing where the folder is, and makes no folder", async () => {
    fresh(() => rmSync(join(home(), "provider", "objects"), { recursive: true }));
    const { findings } = await verify();
    expect(findings.map(({ kind }) => kind)).toEqual(Array(4).fill("object-missing"));
    expect(existsSync(join(home(), "provider", "objects"))).toBe(false);
  });

  test("follows records through the blocks where the state cannot be read", async () => {
    fresh();
    const rekeyed = await command("rekey", large.record, "--as", "alice", "--payload");
    expect(rekeyed.code).toBe(0);
    const address = (await command("record", "show", large.record)).json().address;
    expect(address).not.toBe(large.address);
    expect((await verify()).ok).toBe(true);
    flip(object(address), 300_000);
    const database = new DatabaseSync(join(home(), "ledger", "ledger.sqlite"));
    // The row that holds the last state's root.
    const root = "(SELECT (root - (1 << 40)) / 16 FROM blocks ORDER BY height DESC LIMIT 1)";
    database.exec(`DELETE FROM inner_nodes WHERE id = ${root}`);
    database.close();
    const { findings, records } = await verify();
    expect(records).toBe(2);
    expect(findings.map(({ kind }) => kind)).toEqual(["chain-state", "object-altered"]);
    expect(findings[1]).toMatchObject({ recordId: large.record, copy: address, chunk: 1 });
  });

  test("prints sentences without --json, and no more than one error line", async () => {
    fresh(() => rmSync(object(small.address)));
    const ran = await run(["--home", home(), "verify"]);
    expect(ran.code).toBe(4);
    expect(ran.out).toMatch(/object-missing/);
    expect(ran.err).toMatch(/^chartseal: object-missing: 1 finding: [^\n]+\n$/);
  });
});

describe("forensics", () => {
  test("explains what, where, since when and who, in a report by its schema and a page of its own", async () => {
    fresh(() => {
      flip(object(large.address), 300_000);
      flip(leaves(small.address), 3);
      writeFileSync(object("notes.txt"), "x");
    });
    const before = treeHash(home());
    const { ran, report } = await forensics();
    expect(treeHash(home())).toBe(before);
    expect(ran.code).toBe(4);
    expect(ran.json()).toMatchObject({ ok: false });
    const altered = report.findings.find((one: { kind: string }) => one.kind === "object-altered");
    expect(altered).toMatchObject({ what: "chunk range", recordId: large.record, chunk: 1 });
    expect(altered.lastGood.map(({ certainty }: { certainty: string }) => certainty)).toEqual([
      "proved",
      "likely",
    ]);
    expect(altered.holders.map(({ party }: { party: string }) => party)).toEqual([
      "provider",
      "depositor or relay",
      "reader",
    ]);
    expect(altered.modifiedMs).toBeGreaterThan(0);
    const page = readFileSync(join(reportOut(), "report.html"), "utf8");
    expect(page).toContain("3 findings");
    expect(page).toContain("<svg");
    expect(page).not.toMatch(/<script|https?:|url\(|src=|@import/);
  });

  test("escapes what an attacker wrote into names", async () => {
    fresh(() => writeFileSync(object("<img onerror=x>"), "x"));
    const { report } = await forensics();
    expect(report.findings[0].copy).toBe("<img onerror=x>");
    const page = readFileSync(join(reportOut(), "report.html"), "utf8");
    expect(page).toContain("&lt;img onerror=x&gt;");
    expect(page).not.toContain("<img");
  });

  test("repairs what can be repaired, keeps foreign objects in quarantine, and says what it did", async () => {
    fresh(() => {
      rmSync(leaves(large.address));
      writeFileSync(
        object(small.address),
        Buffer.concat([readFileSync(object(small.address)), Buffer.from("!")]),
      );
      writeFileSync(object("notes.txt"), "x");
      renameSync(object(`${large.address}.header`), object("moved"));
      rmSync(join(home(), "provider", "journal", "journal.jsonl"));
      writeFileSync(join(home(), "genesis.cbor"), "nothing");
    });
    const { ran, report } = await forensics("--repair");
    expect(ran.json().findings).toEqual([]);
    expect(ran.code).toBe(0);
    const kinds = report.repaired.map(({ kind }: { kind: string }) => kind);
    expect(kinds.toSorted()).toEqual([
      "chain-genesis",
      "foreign-object",
      "foreign-object",
      "journal-incomplete",
      "journal-incomplete",
      "leaves-damaged",
      "object-altered",
      "object-missing",
    ]);
    expect((await verify()).ok).toBe(true);
    const [time] = readdirSync(join(home(), "provider", "quarantine"));
    expect(readdirSync(join(home(), "provider", "quarantine", time!)).toSorted()).toEqual([
      "moved",
      "notes.txt",
    ]);
    const opened = await command("open", large.record, "--as", "bob");
    expect(opened.code).toBe(0);
  });

  test("leaves alone what it cannot prove right, and says so", async () => {
    fresh(() => flip(object(large.address), 300_000));
    const bytes = readFileSync(object(large.address));
    const { ran, report } = await forensics("--repair");
    expect(ran.code).toBe(4);
    expect(report.repaired).toEqual([]);
    expect(readFileSync(object(large.address)).equals(bytes)).toBe(true);
  });

  test("refuses a report inside the home, and one where no folder can be", async () => {
    fresh();
    const before = treeHash(home());
    const inside = await command("forensics", "--out", join(home(), "report"));
    expect([inside.code, inside.json().error.code]).toEqual([2, "input-invalid"]);
    expect(treeHash(home())).toBe(before);
    writeFileSync(join(place.folder, "a-file"), "");
    const blocked = await command("forensics", "--out", join(place.folder, "a-file", "report"));
    expect([blocked.code, blocked.json().error.code]).toEqual([2, "input-invalid"]);
  });

  test("finishes an erasure whose objects are still there", async () => {
    fresh();
    const saved = readFileSync(object(small.address));
    expect((await command("erase", small.record, "--as", "alice")).code).toBe(0);
    expect((await verify()).ok).toBe(true);
    writeFileSync(object(small.address), saved);
    expect((await verify()).findings).toMatchObject([{ kind: "erased-object", recordId: small.record }]);
    const { report } = await forensics("--repair");
    expect(report.repaired).toMatchObject([{ kind: "erased-object" }]);
    expect(existsSync(object(small.address))).toBe(false);
    rmSync(join(home(), "provider", "tombstones"), { recursive: true });
    expect((await verify()).findings).toMatchObject([{ kind: "tombstone-missing" }]);
    await forensics("--repair");
    expect((await verify()).ok).toBe(true);
  });
});

describe("gc", () => {
  const journalFile = () => join(home(), "provider", "journal", "journal.jsonl");
  const orphan = "ab".repeat(16);

  function withOrphan(atMs: number): void {
    fresh(() => {
      writeFileSync(object(orphan), "left behind");
      writeFileSync(leaves(orphan), "x".repeat(32));
      const line = JSON.stringify({ event: "taken", address: orphan, atMs });
      writeFileSync(journalFile(), `${readFileSync(journalFile(), "utf8")}${line}\n`);
    });
  }

  test("removes what was stored and never registered, after its grace time and not before", async () => {
    withOrphan(Date.now());
    expect(await verify()).toMatchObject({ ok: true, orphans: 1 });
    expect((await command("gc")).json()).toMatchObject({ removed: 0, bytes: 0 });
    expect((await command("gc", "--grace", "0")).json()).toMatchObject({ removed: 1, bytes: 11 });
    expect(existsSync(leaves(orphan))).toBe(false);
    expect(await verify()).toMatchObject({ ok: true, orphans: 0, objects: 4 });
    withOrphan(Date.now() - 25 * 60 * 60 * 1000);
    expect((await command("gc")).json()).toMatchObject({ removed: 1 });
  });

  test("touches neither registered nor foreign objects", async () => {
    fresh(() => writeFileSync(object("notes.txt"), "x"));
    expect((await command("gc", "--grace", "0")).json()).toMatchObject({ removed: 0 });
    expect(existsSync(object("notes.txt"))).toBe(true);
    expect((await command("open", large.record, "--as", "bob")).code).toBe(0);
  });

  test("refuses on a ledger that lost blocks, where registered objects look like orphans", async () => {
    fresh(() => {
      const head = JSON.stringify({ height: 9_999, hash: "ab".repeat(32) });
      writeFileSync(join(home(), "members", "bob", "head.json"), head);
    });
    const ran = await command("gc", "--grace", "0");
    expect([ran.code, ran.json().error.code]).toEqual([4, "chain-altered"]);
  });

  test("refuses a grace time that is no number", async () => {
    fresh();
    const ran = await run(["--home", home(), "gc", "--grace", "soon", "--json"], {
      CHARTSEAL_PASSPHRASE: passphrase,
    });
    expect(ran.code).toBe(2);
  });
});
