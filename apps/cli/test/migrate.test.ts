/**
 * migrate: homes of every past format, kept as an earlier version wrote them (test/formats). Of format 1 they are refused with
 * the way out, brought over, and then open the record that was sealed in them; of format 2 they are read as they are.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { copyHome, run, treeHash } from "./care-home.ts";

/** Made by `init`, two members, a grant of doctor@cedars to bob, and alice's own record, under the tests' passphrase. */
const format1 = fileURLToPath(new URL("./formats/1", import.meta.url));
/** The ledger of that home in format 2. */
const format2 = fileURLToPath(new URL("./formats/2/ledger.sqlite", import.meta.url));
const comet2 = fileURLToPath(
  new URL("../../../packages/ledger/test/formats/2/comet.sqlite", import.meta.url),
);
const record = "8ec8c9f261d6fdbcdb64c8f4221d1c5b9374760c2074e7e4a91f541485cb30b1";
const text = "kept from the first format\n";
const none = { CHARTSEAL_PASSPHRASE: undefined };

let folder: string;
let home: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "chartseal-migrate-"));
  home = copyHome(format1, join(folder, "home"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const ledgerFiles = () => readdirSync(join(home, "ledger")).sort();
const cli = (...argv: string[]) => run(["--home", home, ...argv, "--json"], none);
const open = () => run(["--home", home, "open", record, "--as", "bob"]);

describe("a home of format 1", () => {
  test("is refused by every command that needs its ledger, with what to do, and no byte changes", async () => {
    const before = treeHash(home);
    for (const argv of [
      ["status"],
      ["records"],
      ["verify"],
      ["forensics", "--out", join(folder, "report")],
      ["ledger", "export"],
      ["backup", "--out", join(folder, "backup")],
    ]) {
      const refused = await cli(...argv);
      const { error } = refused.json();
      expect([argv[0], refused.code, error.code, error.format]).toEqual([argv[0], 5, "home-outdated", 1]);
      expect(error.hint).toContain("chartseal migrate");
      expect(refused.err).toMatch(/^chartseal: home-outdated: .*\n$/);
    }
    expect((await open()).err).toMatch(/home-outdated/);
    rmSync(join(home, "run"), { recursive: true });
    expect(treeHash(home)).toBe(before);
    expect(readdirSync(folder).sort()).toEqual(["home"]);
  });

  test("is told by doctor, as nothing broken", async () => {
    const report = await cli("doctor");
    const check = report.json().checks.find(({ name }: { name: string }) => name === "home");
    expect([report.code, check.ok, check.code]).toEqual([5, false, "home-outdated"]);
    expect(check.detail).toContain("chartseal migrate");
  });

  test("comes over without a passphrase; chain, record and writing go on; once is enough", async () => {
    const done = await cli("migrate");
    const kept = join(home, "ledger", "ledger-format-1.sqlite");
    expect(done.json()).toEqual({ migrated: true, from: 1, to: 3, height: expect.any(Number), kept });
    expect(done.code).toBe(0);
    expect(readFileSync(kept).equals(readFileSync(join(format1, "ledger", "ledger.sqlite")))).toBe(true);
    const { height } = done.json();
    expect((await cli("verify")).json()).toMatchObject({
      ok: true,
      blocks: height,
      records: 1,
      findings: [],
    });
    expect((await open()).out).toBe(text);
    const before = treeHash(join(home, "ledger"));
    const again = await cli("migrate");
    expect(again.json()).toMatchObject({ migrated: false, from: 3, to: 3, kept: null });
    const told = await run(["--home", home, "migrate"], none);
    expect(told.out).toMatch(/^Nothing to do: /);
    expect(treeHash(join(home, "ledger"))).toBe(before);
    const sealed = await run(["--home", home, "erase", record, "--as", "alice", "--json"]);
    expect(sealed.json()).toMatchObject({ recordId: record });
  });

  test("whose chain does not hold together is chain-altered and stays as it is", async () => {
    const database = new Database(join(home, "ledger", "ledger.sqlite"));
    database.exec("UPDATE blocks SET hash = zeroblob(32) WHERE height = 5");
    database.close();
    const before = treeHash(join(home, "ledger"));
    const refused = await cli("migrate");
    expect([refused.code, refused.json().error]).toMatchObject([4, { code: "chain-altered", height: 5 }]);
    expect(treeHash(join(home, "ledger"))).toBe(before);
    expect(ledgerFiles()).toEqual(["ledger.sqlite"]);
  });

  test("never counts as nothing when a backup takes its place, nor takes a home's place itself", async () => {
    const current = copyHome(format1, join(folder, "current"));
    await run(["--home", current, "migrate"], none);
    const over = await cli("restore", current);
    expect(over.json().error.code).toBe("home-outdated");
    const from = await run(["--home", current, "restore", home, "--json"], none);
    expect(from.json().error.code).toBe("home-outdated");
    await cli("migrate");
    expect((await run(["--home", current, "restore", home, "--json"], none)).code).toBe(0);
  });

  test("without a home there is nothing to bring over", async () => {
    const missing = await run(["--home", join(folder, "nowhere"), "migrate", "--json"], none);
    expect([missing.code, missing.json().error.code]).toEqual([2, "home-missing"]);
    expect(existsSync(join(folder, "nowhere"))).toBe(false);
    mkdirSync(join(folder, "empty"));
    copyFileSync(join(home, "config.json"), join(folder, "empty", "config.json"));
    const bare = await run(["--home", join(folder, "empty"), "migrate", "--json"], none);
    expect(bare.json().error.code).toBe("chain-altered");
  });
});

describe("a home of format 2", () => {
  beforeEach(() => copyFileSync(format2, join(home, "ledger", "ledger.sqlite")));

  test("is read as it is, and of the present format once something is written", async () => {
    const format = () => {
      const database = new Database(join(home, "ledger", "ledger.sqlite"), { readonly: true });
      const version = database.pragma("user_version", { simple: true });
      database.close();
      return version;
    };
    const before = treeHash(join(home, "ledger"));
    expect((await cli("verify")).json()).toMatchObject({ ok: true, records: 1, findings: [] });
    expect((await cli("doctor")).json().checks.find(({ name }: { name: string }) => name === "home").ok).toBe(
      true,
    );
    expect((await cli("ledger", "export")).code).toBe(0);
    expect([treeHash(join(home, "ledger")), format()]).toEqual([before, 2]);
    expect((await open()).out).toBe(text);
    const erased = await run(["--home", home, "erase", record, "--as", "alice", "--json"]);
    expect([erased.code, format()]).toEqual([0, 3]);
    expect((await cli("verify")).json()).toMatchObject({ ok: true, findings: [] });
  });

  test("has nothing to be brought over", async () => {
    const before = treeHash(join(home, "ledger"));
    expect((await cli("migrate")).json()).toMatchObject({ migrated: false, from: 2, to: 2, kept: null });
    expect((await run(["--home", home, "migrate"], none)).out).toMatch(/^Nothing to do: .*format 2/);
    expect(treeHash(join(home, "ledger"))).toBe(before);
  });

  test("of an institution has nothing to be brought over either, and is looked at all the same", async () => {
    const config = JSON.parse(readFileSync(join(home, "config.json"), "utf8"));
    writeFileSync(join(home, "config.json"), JSON.stringify({ ...config, engine: "comet" }));
    rmSync(join(home, "ledger", "ledger.sqlite"));
    // One that never ran: no damage.
    expect((await cli("migrate")).json().error.code).toBe("ledger-unreachable");
    copyFileSync(comet2, join(home, "ledger", "comet.sqlite"));
    const before = treeHash(join(home, "ledger"));
    const same = { migrated: false, from: 2, to: 2, height: 26, kept: null };
    expect((await cli("migrate")).json()).toEqual(same);
    expect(treeHash(join(home, "ledger"))).toBe(before);
    const file = join(home, "ledger", "comet.sqlite");
    const database = new Database(file, { readonly: true });
    const page = database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'blocks'").pluck().get();
    const size = Number(database.pragma("page_size", { simple: true }));
    database.close();
    writeFileSync(file, readFileSync(file).fill(0, size * (Number(page) - 1), size * Number(page)));
    expect((await cli("migrate")).json().error.code).toBe("chain-altered");
    writeFileSync(file, "no database");
    const refused = await cli("migrate");
    expect([refused.code, refused.json().error.code]).toEqual([4, "chain-altered"]);
  });
});
