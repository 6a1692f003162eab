/** Backup, restore and resync of an institution of a consortium, by the command line; its node is a real one. */
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { describeTool } from "../../../test/tools.ts";
import { freePorts, networkPlayer } from "./network-player.ts";
import { runShell } from "./transcript.ts";

const folder = mkdtempSync(join(tmpdir(), "chartseal-restore-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const passphrase = { CHARTSEAL_PASSPHRASE: "test" };
const timeout = 300_000;
const at = (...parts: string[]): string => join(folder, ...parts);
const signedFile = "comet/data/priv_validator_state.json";

/** What the validator of a home signed last: height, round and step, in an order that strings have too. */
function signedAt(home: string): string {
  const { height, round, step } = JSON.parse(readFileSync(at(home, signedFile), "utf8")) as {
    height: string;
    round: number;
    step: number;
  };
  return [height.padStart(19, "0"), String(round).padStart(9, "0"), step].join(" ");
}

function writeSigned(home: string, signed: { height: string; round: number; step: number }): void {
  writeFileSync(at(home, signedFile), JSON.stringify(signed));
}

/** A command that is refused: its exit code and what it says. */
function refused(line: string, home: string, more: Readonly<Record<string, string>> = {}): string {
  const ran = runShell(`chartseal ${line}`, folder, { ...passphrase, ...more, CHARTSEAL_HOME: home });
  return `${ran.exitCode} ${ran.errors}`;
}

describe("an institution that never ran", { timeout }, () => {
  const shell = (line: string, home: string) => {
    const ran = runShell(`chartseal ${line} --json`, folder, { ...passphrase, CHARTSEAL_HOME: home });
    expect(ran.errors).toBe("");
    return JSON.parse(ran.output) as Record<string, unknown>;
  };

  it("comes back from its backup without ledger and node, with what its validator signed last", () => {
    shell("network init --validators 2 --out made", "none");
    writeSigned("made/institution-1", { height: "41", round: 1, step: 2 });
    writeFileSync(at("made/institution-1/comet/data/blockstore.db"), "a database");
    expect(shell("backup --out kept", "made/institution-1")).toMatchObject({ height: 0, out: "kept" });
    const restored = shell("restore kept", "back");
    expect(restored).toMatchObject({ institution: "institution-1", snapshot: false, replaced: null });
    expect(readdirSync(at("back/comet/data"))).toEqual(["priv_validator_state.json"]);
    expect([existsSync(at("back/ledger")), signedAt("back")]).toEqual([false, signedAt("kept")]);
    for (const file of [
      "network.json",
      "comet/config/priv_validator_key.json",
      "comet/config/node_key.json",
    ]) {
      expect(readFileSync(at("back", file))).toEqual(readFileSync(at("kept", file)));
    }
  });

  it.each([
    ["a later height", { height: "100", round: 0, step: 1 }, "home"],
    ["a later round", { height: "41", round: 2, step: 1 }, "home"],
    ["a later step", { height: "41", round: 1, step: 3 }, "home"],
    ["an earlier height of more digits' worth", { height: "9", round: 5, step: 3 }, "backup"],
    ["an earlier step", { height: "41", round: 1, step: 1 }, "backup"],
  ])("keeps the newest of what was signed, where the replaced home says %s", (_, signed, newest) => {
    writeSigned("back", signed);
    const [before, backup] = [signedAt("back"), signedAt("kept")];
    const { replaced } = shell("restore kept", "back") as { replaced: string };
    expect(signedAt("back")).toBe(newest === "home" ? before : backup);
    expect(JSON.parse(readFileSync(join(replaced, signedFile), "utf8"))).toEqual(signed);
  });

  it("is refused where something else is meant, and nothing is changed", () => {
    const before = signedAt("back");
    expect(refused("restore kept --accept-loss", "back")).toMatch(/^2 .*input-invalid: .*nothing is lost/);
    expect(refused("restore made/institution-2", "back")).toMatch(
      /^2 .*input-invalid: .*another institution/,
    );
    expect(refused("network resync", "nowhere")).toMatch(/^2 .*home-missing/);
    expect(signedAt("back")).toBe(before);
    writeFileSync(at("kept", signedFile), "{}");
    expect(refused("restore kept", "other")).toMatch(/^4 .*chain-altered: .*signed last/);
    rmSync(at("kept", signedFile));
    expect(refused("restore kept", "other")).toMatch(/^4 .*chain-altered: .*signed last/);
    expect(existsSync(at("other"))).toBe(false);
    shell("init", "embedded");
    expect(refused("network resync", "embedded")).toMatch(/^2 .*input-invalid: .*nobody else/);
  });
});

describeTool("cometbft", "an institution of a network", (cometbft) => {
  const environment = { ...passphrase, CHARTSEAL_COMETBFT: cometbft };
  const play = networkPlayer(folder, environment);
  const home = (number: number): string => `four/institution-${number}`;
  const down = (number: number) => play(`network down --dir four --only institution-${number}`);
  const up = (number: number) => play(`network up --dir four --only institution-${number}`);
  const objectsOf = (number: number): string[] =>
    readdirSync(at(home(number), "provider/objects"), { recursive: true, encoding: "utf8" });
  /** Until all that run show one head that is not older than what the others had, and none is catching up. */
  const level = async (count: number): Promise<void> => {
    const wanted = Math.max(...statuses().map(({ height }) => height ?? 0));
    await until(`${count} institutions at one head`, () => {
      const running = statuses().filter(({ pid }) => pid !== null);
      const heads = new Set(running.map(({ hash }) => hash));
      const isBehind = running.some((one) => one.catchingUp || (one.height ?? 0) < wanted);
      return running.length === count && heads.size === 1 && !isBehind;
    });
  };
  const statuses = () =>
    (play("network status --dir four") as unknown as { institutions: Status[] }).institutions;

  interface Sealed {
    readonly recordId: string;
    readonly address: string;
  }

  interface Status {
    readonly pid: number | null;
    readonly height: number | null;
    readonly hash: string | null;
    readonly catchingUp: boolean | null;
  }

  it("comes back from a backup after its folder is lost, destroys what was erased since, and votes again", {
    timeout: 1_500_000,
  }, async () => {
    play(`network init --validators 4 --out four --base-port ${freePorts()} --snapshot-blocks 5`);
    try {
      play("network up --dir four");
      const { proposalId } = play("namespace add cedars", 2);
      for (const voter of [1, 4]) play(`consortium vote ${proposalId}`, voter);
      play("namespace add cedars", 2);
      play("member add amy", 2);
      play("attributes grant amy doctor@cedars", 2);
      for (const text of ["kept", "erased"]) writeFileSync(at(`${text}.txt`), `${text} `.repeat(1_000));
      const seal = (file: string) =>
        play(`seal ${file} --owner amy --policy doctor@cedars`, 2) as unknown as Sealed;
      const [kept, erased] = [seal("kept.txt"), seal("erased.txt")];

      // Institution 1's provider keeps the records of all.
      expect(refused("backup --out backup", home(1))).toMatch(/^5 .*home-busy/);
      expect(refused("network resync", home(1))).toMatch(/^5 .*home-busy/);
      down(1);
      play("backup --out backup", 1);
      const backedUp = signedAt("backup");
      up(1);
      await level(4);
      expect(refused("restore backup", home(1))).toMatch(/^5 .*home-busy/);
      play(`erase ${erased.recordId} --as amy`, 2);
      const isErased = () => !objectsOf(1).some((name) => name.includes(erased.address));
      expect(isErased()).toBe(true);
      down(1);
      const lost = signedAt(home(1));
      expect(lost > backedUp).toBe(true);
      renameSync(at(home(1)), at("lost"));

      const restored = play("restore backup", 1);
      expect(restored).toMatchObject({ institution: "institution-1", tombstones: 0, replaced: null });
      expect([signedAt(home(1)), isErased()]).toEqual([backedUp, false]);
      up(1);
      await level(4);
      await until("the erased record is destroyed", isErased);
      expect(objectsOf(1).some((name) => name.includes(kept.address))).toBe(true);
      expect(play("verify", 1)).toMatchObject({ ok: true, findings: [], records: 2 });
      expect(play(`open ${kept.recordId} --as amy`, 2)).toMatchObject({ recordId: kept.recordId });
      expect(signedAt(home(1)) > lost).toBe(true);

      // Three of four are needed, for a block and for a key: it is one of them.
      down(4);
      play("member add ben", 2);
      play("attributes grant ben doctor@cedars", 2);
      expect(readFileSync(at(home(1), "run/server.log"), "utf8")).not.toContain("authority node failed");
      up(4);
      await level(4);

      // The home is still there: what its validator signed last is newer than the backup's, and stays.
      down(1);
      const newest = signedAt(home(1));
      const again = play("restore backup", 1) as unknown as { replaced: string };
      expect(again).toMatchObject({ signedHeight: String(Number(newest.split(" ")[0])) });
      expect([signedAt(home(1)), isErased()]).toEqual([newest, true]);
      expect(existsSync(join(again.replaced, "ledger"))).toBe(true);
      up(1);
      await level(4);

      // A damaged database: moved aside, and the chain comes from the others, first from a snapshot, then all of it.
      down(3);
      writeFileSync(at(home(3), "ledger/comet.sqlite"), "no database any more");
      const signed = signedAt(home(3));
      expect(refused("serve", home(3), environment)).toMatch(/^4 .*chain-altered/);
      expect(play("network resync", 3)).toMatchObject({ name: "institution-3", snapshot: true });
      expect(signedAt(home(3))).toBe(signed);
      up(3);
      await level(4);
      expect(play("verify", 3)).toMatchObject({ ok: true, findings: [], from: expect.any(Number) });
      play("member list", 3);
      down(3);
      const resynced = play("network resync --replay", 3) as unknown as { kept: string };
      expect(resynced).toMatchObject({ snapshot: false });
      expect(existsSync(join(resynced.kept, "ledger/comet.sqlite"))).toBe(true);
      up(3);
      await level(4);
      const whole = play("verify", 3);
      expect([whole.ok, whole.findings, whole.from]).toEqual([true, [], undefined]);
      down(4);
      play("member add cleo", 3);
      const { validators } = play("consortium list", 2) as unknown as { validators: { power: number }[] };
      expect(validators.map(({ power }) => power)).toEqual([10, 10, 10, 10]);
    } finally {
      play("network down --dir four");
    }
  });
});

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let left = 180; left > 0; left--) {
    if (holds()) return;
    await sleep(1_000);
  }
  throw new Error(`it did not come to this in time: ${what}`);
}
