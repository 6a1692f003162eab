/** CONTRACT "Files" and the rows `backup`, `restore`, `gc`, `passphrase change`, `status`, `doctor`. */
import { cpSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { copyHome, fails, homeIn, json, lines, objectFiles, run, workFolder } from "./support.ts";

const folder = workFolder();
const file = join(folder, "note.txt");
writeFileSync(file, "a note");
let home: string;
let record: string;
beforeAll(async () => {
  home = await homeIn(folder);
  record = (await json(["seal", file, "--owner", "alice", "--as", "bob"], { home })).recordId;
});

test("copying DIR while nothing runs is a backup", async () => {
  const copy = join(folder, "copied");
  cpSync(home, copy, { recursive: true });
  expect((await run(["open", record, "--as", "bob"], { home: copy })).text).toBe("a note");
});

test("restoring an older one is chain-altered unless --accept-loss; what was erased since stays erased", async () => {
  const mine = copyHome(home, join(folder, "mine"));
  const backup = join(folder, "backup");
  expect((await json(["backup", "--out", backup], { home: mine, passphrase: null })).out).toBe(backup);
  await fails("input-invalid", ["backup", "--out", backup], { home: mine });
  await json(["erase", record, "--as", "alice"], { home: mine });
  await fails("chain-altered", ["restore", backup], { home: mine });
  await fails("passphrase-missing", ["restore", backup, "--accept-loss"], { home: mine, passphrase: null });
  const restored = await json(["restore", backup, "--accept-loss"], { home: mine });
  expect(restored.lost.height).toBeGreaterThan(0);
  expect(objectFiles(mine)).toEqual([]);
  expect((await lines(["records"], { home: mine }))[0]).toMatchObject({ recordId: record, erased: true });
  expect((await json(["verify"], { home: mine, passphrase: null })).ok).toBe(true);
});

test("passphrase change gives the same keys another passphrase", async () => {
  const mine = copyHome(home, join(folder, "changed"));
  const next = "the next passphrase 8812";
  await fails("passphrase-missing", ["passphrase", "change"], { home: mine });
  const changed = await run(["passphrase", "change", "--json"], {
    home: mine,
    env: { CHARTSEAL_NEW_PASSPHRASE: next },
  });
  expect([changed.code, changed.text.includes(next), changed.stderr]).toEqual([0, false, ""]);
  await fails("passphrase-wrong", ["open", record, "--as", "bob"], { home: mine });
  expect((await run(["open", record, "--as", "bob"], { home: mine, passphrase: next })).text).toBe("a note");
});

test("status, doctor and gc print one value", async () => {
  const status = await json(["status"], { home, passphrase: null });
  expect(status).toMatchObject({ consortium: "metro", members: 4, namespaces: 2, records: 1 });
  const doctor = await run(["doctor", "--json"], { home, passphrase: null });
  expect([doctor.code, JSON.parse(doctor.text).ok]).toEqual([0, true]);
  expect(await json(["gc"], { home })).toMatchObject({ removed: 0 });
  expect(existsSync(join(home, "provider", "objects"))).toBe(true);
});
