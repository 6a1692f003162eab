/** Restores that lose a part of the chain: nothing that was revoked or erased comes back, and no loss passes unseen. */
import { appendFileSync, cpSync, existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromHex } from "@chartseal/crypto";
import { decodeTransaction } from "@chartseal/ledger";
import { describe, expect, test } from "vitest";
import { actionsOf, cases, objectsIn, policyText, run, treeHash } from "./care-home.ts";

const { place, at, cli } = cases();

/** A backup, then bob's revocation and the record's erasure. */
async function backedUpThenChanged(): Promise<string> {
  const backup = at("backup");
  expect((await cli("backup", "--out", backup)).code).toBe(0);
  expect((await cli("attributes", "revoke", "bob", "cardiology@cedars")).code).toBe(0);
  expect((await cli("erase", place.record, "--as", "alice")).code).toBe(0);
  return backup;
}

describe("a restore of an older state", () => {
  test("of an older state is chain-altered and changes nothing", async () => {
    const backup = await backedUpThenChanged();
    const before = treeHash(place.home);
    const refused = await cli("restore", backup);
    expect([refused.code, refused.json().error.code]).toEqual([4, "chain-altered"]);
    expect(refused.json().error.height).toBe((await cli("status")).json().height);
    expect(treeHash(place.home)).toBe(before);
    expect(readdirSync(place.folder).sort()).toEqual(["backup", "home"]);
  });

  test("that accepts the loss raises the era, revokes and erases again, and members follow", async () => {
    const backup = await backedUpThenChanged();
    const lost = (await cli("status")).json();
    const { height } = (await run(["--home", backup, "status", "--json"])).json();
    const restored = await run(["--home", place.home, "restore", backup, "--accept-loss"]);
    expect(restored.out).toContain("era 1.\n");
    expect(restored.out).toContain(`Lost: blocks ${height + 1} to ${lost.height} of the chain before.\n`);
    expect((await cli("status")).json()).toMatchObject({ era: 1, erased: 1, records: 0 });
    expect((await cli("attributes", "list", "bob")).json().attributes).toEqual(["doctor@cedars"]);
    expect(objectsIn(place.home)).toEqual([]);
    expect((await cli("verify")).json()).toMatchObject({ ok: true });
    expect((await cli("open", place.record, "--as", "alice")).json().error.code).toBe("erased");
    const [raised] = actionsOf((await cli("ledger", "export")).out).filter(
      ({ kind }) => kind === "raise-era",
    );
    expect(raised).toMatchObject({ lostHeight: lost.height, lostHash: fromHex(lost.hash) });
    expect(
      (raised as unknown as { tombstones: Uint8Array[] }).tombstones.map(
        (one) => decodeTransaction(one).body.action.kind,
      ),
    ).toEqual(expect.arrayContaining(["revoke", "erase"]));
    // What is known by now is no loss any more: a backup of this state restores without a word.
    await cli("backup", "--out", at("second"));
    expect((await cli("restore", at("second"))).json()).toMatchObject({ era: 1, lost: null });
  });

  /** The attack: a thief of bob's phone has an older backup restored, in which the phone's keys are still bob's. */
  test.each(["with the lost ledger", "from tombstones alone"])(
    "lets no replaced device in again, %s; the member's own folder serves on",
    async (how) => {
      await cli("backup", "--out", at("backup"));
      await cli("keys", "replace", "bob");
      // What the new key revokes comes after the transaction that gave it.
      await cli("attributes", "grant", "carol", "doctor@cedars");
      await cli("keys", "replace", "bob");
      if (how === "from tombstones alone") rmSync(join(place.home, "ledger"), { recursive: true });
      const { replaced } = (await cli("restore", at("backup"), "--accept-loss")).json();
      const refused = await cli("open", place.record, "--as", "bob");
      expect([refused.code, refused.json().error.code]).toEqual([3, "revoked"]);
      rmSync(join(place.home, "members", "bob"), { recursive: true });
      cpSync(join(replaced, "members", "bob"), join(place.home, "members", "bob"), { recursive: true });
      rmSync(join(place.home, "members", "bob", "head.json"));
      const opened = await cli("open", place.record, "--as", "bob");
      expect([opened.code, opened.err]).toEqual([0, ""]);
      expect((await cli("verify")).json()).toMatchObject({ ok: true });
    },
    60_000,
  );

  test("names what is missing: records, accounts, namespaces", async () => {
    await cli("backup", "--out", at("backup"));
    await cli("namespace", "add", "mercy");
    writeFileSync(at("note.txt"), "a note");
    const sealed = (
      await cli("seal", at("note.txt"), "--owner", "alice", "--as", "bob", "--policy", policyText)
    ).json();
    const { missing } = (await cli("restore", at("backup"), "--accept-loss")).json();
    expect(missing).toEqual(expect.arrayContaining([`record ${sealed.recordId}`, "namespace mercy"]));
    const [raised] = actionsOf((await cli("ledger", "export")).out).filter(
      ({ kind }) => kind === "raise-era",
    );
    expect(raised).toMatchObject({ missing });
  });

  test("onto another machine learns of revocations and erasures from a ledger export", async () => {
    const backup = await backedUpThenChanged();
    writeFileSync(at("chain.jsonl"), (await cli("ledger", "export")).out);
    const away = ["--home", at("away"), "restore", backup, "--export", at("chain.jsonl"), "--json"];
    expect((await run(away)).json().error.code).toBe("chain-altered");
    expect(existsSync(at("away"))).toBe(false);
    expect((await run([...away, "--accept-loss"])).json()).toMatchObject({ era: 1 });
    expect(objectsIn(at("away"))).toEqual([]);
    const listed = await run(["--home", at("away"), "attributes", "list", "bob", "--json"]);
    expect(listed.json().attributes).toEqual(["doctor@cedars"]);
  });

  test("without the newer ledger still has the tombstones of the replaced home, and its members' memory", async () => {
    const backup = await backedUpThenChanged();
    writeFileSync(join(place.home, "ledger", "ledger.sqlite"), "destroyed");
    const refused = await cli("restore", backup);
    expect([refused.code, refused.json().error.code]).toEqual([4, "chain-altered"]);
    const restored = (await cli("restore", backup, "--accept-loss")).json();
    expect(restored.missing.join("; ")).toContain("blocks that nobody kept");
    expect(objectsIn(place.home)).toEqual([]);
    expect((await cli("status")).json()).toMatchObject({ era: 1, erased: 1 });
    expect((await cli("attributes", "list", "bob")).json().attributes).toEqual(["doctor@cedars"]);
  });

  test("a re-grant that the backup holds is not undone by an older tombstone", async () => {
    await cli("attributes", "revoke", "bob", "cardiology@cedars");
    await cli("attributes", "grant", "bob", "cardiology@cedars");
    await cli("backup", "--out", at("backup"));
    await cli("namespace", "add", "mercy");
    await cli("restore", at("backup"), "--accept-loss");
    expect((await cli("attributes", "list", "bob")).json().attributes).toContain("cardiology@cedars");
    expect((await cli("open", place.record, "--as", "bob")).code).toBe(0);
  });

  test("a damaged line among the tombstones stops nothing and loses nothing", async () => {
    const backup = await backedUpThenChanged();
    const file = join(place.home, "provider", "tombstones", "tombstones.jsonl");
    appendFileSync(
      file,
      '{"kind":"revoked","account":"00","attributes":["x@y"],"transaction":"zz"}\n{"kind":"era',
    );
    expect((await cli("restore", backup, "--accept-loss")).json()).toMatchObject({ era: 1 });
    expect(objectsIn(place.home)).toEqual([]);
  });
});
