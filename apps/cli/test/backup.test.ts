/** backup, and restore where nothing is lost or nothing may be (CONTRACT, Files). */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromHex } from "@chartseal/crypto";
import { askTransform, request } from "@chartseal/sharing";
import { describe, expect, test } from "vitest";
import { openHome } from "../src/home/home.ts";
import { memberOf, openSession } from "../src/services/session.ts";
import { cases, copyHome, objectsIn, passphrase, run, treeHash } from "./care-home.ts";

const { place, at, cli } = cases();
const none = { CHARTSEAL_PASSPHRASE: undefined };

describe("a backup", () => {
  test("is a home that verifies, made without a passphrase, and says what is in it", async () => {
    const made = await run(["--home", place.home, "backup", "--out", at("backup"), "--json"], none);
    const status = (await cli("status")).json();
    expect(made.json()).toMatchObject({ chainId: status.chainId, height: status.height, headers: true });
    expect(existsSync(join(at("backup"), "run"))).toBe(false);
    const verified = await run(["--home", at("backup"), "verify", "--json"], none);
    expect(verified.json()).toMatchObject({ ok: true, blocks: status.height });
    expect((await run(["--home", at("backup"), "open", place.record, "--as", "bob", "--json"])).code).toBe(0);
  });

  test("for long keeping has no headers", async () => {
    await cli("backup", "--out", at("backup"), "--no-headers");
    expect(objectsIn(place.home).some((name) => name.endsWith(".header"))).toBe(true);
    expect(objectsIn(at("backup")).map((name) => name.endsWith(".header"))).toEqual([false]);
  });

  test("goes to a new or empty folder outside the home, else nowhere", async () => {
    writeFileSync(at("file"), "x");
    for (const out of [join(place.home, "inside"), place.home, at("file"), tmpdir(), at("no/such")]) {
      const refused = await cli("backup", "--out", out);
      expect([out, refused.code, refused.json().error.code]).toEqual([out, 2, "input-invalid"]);
    }
    const homeless = await run(["--home", at("nowhere"), "backup", "--out", at("b"), "--json"]);
    expect(homeless.json().error.code).toBe("home-missing");
  });

  test("waits for a writer and then says that the home is busy", async () => {
    const session = await openSession(openHome(place.home), { passphrase, waitMs: 0 });
    try {
      const refused = await cli("backup", "--out", at("backup"), "--wait", "0");
      expect([refused.code, refused.json().error.code]).toEqual([5, "home-busy"]);
      expect(existsSync(at("backup"))).toBe(false);
    } finally {
      await session.close();
    }
  });
});

describe("a restore", () => {
  test("of the latest state needs no passphrase and keeps the home that was there", async () => {
    await cli("backup", "--out", at("backup"));
    rmSync(join(place.home, "provider", "objects"), { recursive: true });
    const restored = await run(["--home", place.home, "restore", at("backup"), "--json"], none);
    expect(restored.json()).toMatchObject({ home: place.home, era: 0, lost: null, missing: [] });
    expect(existsSync(restored.json().replaced)).toBe(true);
    expect((await cli("open", place.record, "--as", "bob")).code).toBe(0);
    const second = await run(["--home", at("elsewhere"), "restore", at("backup"), "--json"], none);
    expect(second.json()).toMatchObject({ replaced: null, lost: null });
    expect((await run(["--home", at("elsewhere"), "verify", "--json"])).json().ok).toBe(true);
  });

  test("an older copy put back by hand is chain-altered for whoever saw more", async () => {
    const copy = copyHome(join(place.home, "ledger"), at("older-ledger"));
    await cli("rekey", place.record, "--as", "alice");
    rmSync(join(place.home, "ledger"), { recursive: true });
    copyHome(copy, join(place.home, "ledger"));
    const opened = await cli("open", place.record, "--as", "alice");
    expect([opened.code, opened.json().error.code]).toEqual([4, "chain-altered"]);
  });

  test("voids the grants of the era before", async () => {
    let session = await openSession(openHome(place.home), { passphrase, members: ["bob"], waitMs: 0 });
    const granted = await request(session, {
      member: memberOf(session, "bob").keys,
      recordId: fromHex(place.record),
    });
    await session.close();
    await cli("backup", "--out", at("backup"));
    expect((await cli("restore", at("backup"), "--accept-loss")).json()).toMatchObject({ era: 1 });
    session = await openSession(openHome(place.home), { passphrase, members: ["bob"], waitMs: 0 });
    try {
      const member = memberOf(session, "bob").keys;
      await expect(askTransform(session, { member, granted })).rejects.toMatchObject({
        code: "grant-missing",
      });
    } finally {
      await session.close();
    }
    expect((await cli("open", place.record, "--as", "bob")).code).toBe(0);
  });

  test("refuses a damaged backup, another consortium's, itself, and a wrong passphrase, and changes nothing", async () => {
    await cli("backup", "--out", at("backup"));
    const before = treeHash(place.home);
    const damaged = copyHome(at("backup"), at("damaged"));
    const file = join(damaged, "ledger", "ledger.sqlite");
    const bytes = readFileSync(file);
    for (let offset = Math.floor(bytes.length / 2); offset < bytes.length / 2 + 4096; offset++)
      bytes[offset] = 0x55;
    writeFileSync(file, bytes);
    const other = at("other");
    await run(["--home", other, "init", "--name", "other", "--authority-nodes", "1", "--threshold", "1"]);
    const cases: [string[], number, string][] = [
      [[damaged], 4, "chain-altered"],
      [[other], 2, "input-invalid"],
      [[place.home], 2, "input-invalid"],
      [[at("nothing")], 2, "home-missing"],
      [[at("backup"), "--export", at("nothing.jsonl")], 2, "input-invalid"],
    ];
    for (const [argv, exit, code] of cases) {
      const refused = await cli("restore", ...argv);
      expect([argv[0], refused.code, refused.json().error.code]).toEqual([argv[0], exit, code]);
    }
    expect((await cli("restore", at("nothing"))).err).toContain(`there is no backup in ${at("nothing")}`);
    const exported = await run(["--home", other, "ledger", "export"]);
    writeFileSync(at("other.jsonl"), exported.out);
    expect((await cli("restore", at("backup"), "--export", at("other.jsonl"))).json().error.code).toBe(
      "input-invalid",
    );
    const argv = ["--home", place.home, "restore", at("backup"), "--accept-loss", "--json"];
    expect((await run(argv, { CHARTSEAL_PASSPHRASE: "wrong" })).json().error.code).toBe("passphrase-wrong");
    expect((await run(argv, none)).json().error.code).toBe("passphrase-missing");
    expect(treeHash(place.home)).toBe(before);
    expect(readdirSync(place.folder).some((name) => name.includes("restore"))).toBe(false);
  });
});
