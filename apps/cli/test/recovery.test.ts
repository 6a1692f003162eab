/**
 * A lost device, a lost folder, a forgotten passphrase: what commands make of them, and that a kill at any step loses
 * nothing. A command is killed before every rename that it makes, which is after every block that came before.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fromHex, parsePolicy, randomBytes, sha256, toHex } from "@chartseal/crypto";
import { askTransform, request, retrieve, setRule } from "@chartseal/sharing";
import { wordlist } from "@scure/bip39/wordlists/english.js";
import { describe, expect, test } from "vitest";
import { openHome } from "../src/home/home.ts";
import { KeyVault } from "../src/home/key-vault.ts";
import { paperKit, parsePaperKit } from "../src/operations/paper-kit.ts";
import { readStored } from "../src/services/member-keys.ts";
import { memberOf, openSession } from "../src/services/session.ts";
import { cases, copyHome, passphrase, plaintext, run } from "./care-home.ts";

const { place, at, cli } = cases();
const child = fileURLToPath(new URL("./killed-child.ts", import.meta.url));
const members = (): string => join(place.home, "members");

/** Runs a command that is killed before its n-th rename. True where it was killed, false where it came through. */
function killedAt(n: number, ...argv: string[]): boolean {
  const { signal, status, stderr } = spawnSync(
    process.execPath,
    ["--conditions=chartseal-source", child, "--home", place.home, ...argv, "--json"],
    { encoding: "utf8", env: { ...process.env, CHARTSEAL_PASSPHRASE: passphrase, KILL_AT: String(n) } },
  );
  if (signal === "SIGKILL") return true;
  expect([status, stderr.replaceAll(/^chartseal: warning: .*\n/gm, "")]).toEqual([0, ""]);
  return false;
}

/** Each kill in a home as it was before it; the look afterwards is at what the kill left. Returns how many there were. */
async function killEverywhere(command: readonly string[], look: () => Promise<void>): Promise<number> {
  const before = copyHome(place.home, at("before"));
  for (let n = 1; ; n++) {
    const killed = killedAt(n, ...command);
    await look();
    if (!killed) return n - 1;
    rmSync(place.home, { recursive: true });
    copyHome(before, place.home);
  }
}

const opens = async (as: string): Promise<void> => {
  const opened = await cli("open", place.record, "--as", as);
  expect([opened.code, opened.err, opened.code === 0 && opened.json().bytes]).toEqual([
    0,
    "",
    plaintext.length,
  ]);
};

/** The member's kit and two guardians; nothing waits, so that a command can follow the other. */
async function protect(name = "alice"): Promise<string> {
  await run(["--home", place.home, "settings", "set", "--recovery-delay", "0m"]);
  const kit = at("kit");
  writeFileSync(kit, (await run(["--home", place.home, "recovery", "kit", name])).err);
  const guardians = ["alice", "bob", "carol"].filter((one) => one !== name);
  await cli("guardians", "set", name, "--guardian", ...guardians, "--threshold", "2");
  return kit;
}

describe("keys replace", () => {
  /** The attack: a thief has a copy of the folder on another device, knows the passphrase, and is quick. */
  test("refuses the phone at once: its request, its transform, its signature and its rule", async () => {
    const phone = at("phone");
    cpSync(join(members(), "bob"), phone, { recursive: true });
    const home = openHome(place.home);
    const before = await openSession(home, { passphrase, members: ["bob"], waitMs: 0 });
    const recordId = fromHex(place.record, 32);
    const granted = await request(before, { member: memberOf(before, "bob").keys, recordId });
    await before.close();
    const startMs = performance.now();
    expect((await cli("keys", "replace", "bob")).code).toBe(0);
    const session = await openSession(home, { passphrase, waitMs: 0 });
    try {
      const member = await readStored(await KeyVault.open(phone, passphrase), session.pairing);
      const refused = async (act: Promise<unknown>) =>
        ((await act.catch((error) => error)) as { code?: string }).code;
      const policy = parsePolicy("doctor@cedars");
      expect([
        await refused(request(session, { member, recordId })),
        await refused(askTransform(session, { member, granted })),
        await refused(setRule(session, { owner: member, namespace: "cedars", policy })),
      ]).toEqual(["policy-unsatisfied", "revoked", "signature-invalid"]);
      expect(performance.now() - startMs).toBeLessThan(5000);
    } finally {
      await session.close();
    }
    // The phone in the place of the folder: each command says what happened, and changes nothing.
    const now = at("now");
    renameSync(join(members(), "bob"), now);
    cpSync(phone, join(members(), "bob"), { recursive: true });
    for (const command of [
      ["open", place.record, "--as", "bob"],
      ["rule", "set", "--owner", "bob", "--namespace", "cedars", "--policy", "doctor@cedars"],
      ["recovery", "kit", "bob"],
      ["keys", "replace", "bob"],
      ["attributes", "grant", "bob", "nurse@cedars"],
    ]) {
      const said = await cli(...command);
      expect([said.code, said.json().error.code], command.join(" ")).toEqual([3, "revoked"]);
    }
    rmSync(join(members(), "bob"), { recursive: true });
    renameSync(now, join(members(), "bob"));
    await opens("bob");
    expect((await cli("verify")).json()).toMatchObject({ ok: true });
  });

  test("leaves the account, its records and who read them as they were", async () => {
    const { account } = (await cli("member", "show", "alice")).json();
    await cli("open", place.record, "--as", "bob");
    const { publicKey } = (await cli("keys", "replace", "alice")).json();
    await cli("keys", "replace", "bob");
    expect((await cli("member", "show", "alice")).json()).toMatchObject({ account, publicKey });
    await opens("alice");
    await opens("bob");
    const log = (await cli("access-log", place.record, "--as", "alice")).out.trim().split("\n");
    const readers = log.map((line) => JSON.parse(line)).filter(({ event }) => event === "transformed");
    expect(readers.map(({ reader, fault }) => [reader, fault])).toEqual([
      ["bob", undefined],
      ["alice", undefined],
      ["bob", undefined],
    ]);
  });

  test("loses nothing in a kill at any step: the member reads on, and one more command ends it", async () => {
    const phone = at("phone");
    cpSync(join(members(), "bob"), phone, { recursive: true });
    const kills = await killEverywhere(["keys", "replace", "bob"], async () => {
      await opens("bob");
      expect((await cli("keys", "replace", "bob")).code).toBe(0);
      const session = await openSession(openHome(place.home), { passphrase, waitMs: 0 });
      const member = await readStored(await KeyVault.open(phone, passphrase), session.pairing);
      const recordId = fromHex(place.record, 32);
      await expect(retrieve(session, { member, recordId })).rejects.toMatchObject({ family: "refused" });
      await session.close();
    });
    expect(kills).toBeGreaterThanOrEqual(6);
  }, 300_000);

  test("is not done while a recovery is open: a thief must not move away from it", async () => {
    const kit = await protect();
    await cli("recovery", "start", "alice", "--by-paper-kit", kit);
    const said = await cli("keys", "replace", "alice");
    expect([said.code, said.json().error.refusalName]).toEqual([3, "recovery-open"]);
    expect((await cli("open", place.record, "--as", "alice")).code).toBe(0);
  });
});

describe("recovery", () => {
  test("of a lost folder by the paper kit: the member reads on, the old folder is kept aside and refused", async () => {
    const kit = await protect();
    const { account } = (await cli("member", "show", "alice")).json();
    const lost = at("lost");
    cpSync(join(members(), "alice"), lost, { recursive: true });
    rmSync(join(members(), "alice"), { recursive: true });
    expect((await cli("recovery", "start", "alice", "--by-paper-kit", kit)).json().error.code).toBe(
      "member-unknown",
    );
    const started = await cli("recovery", "start", "alice", "--by-paper-kit", kit, "--account", account);
    expect(started.json()).toMatchObject({ member: "alice", by: "paper-kit", status: "ready" });
    expect((await cli("status")).json()).toMatchObject({ members: 2, recoveries: 1 });
    expect((await cli("recovery", "finish", "alice")).json()).toMatchObject({
      member: "alice",
      account,
      aside: null,
    });
    await opens("alice");
    expect((await cli("guardians", "list", "alice")).json()).toMatchObject({
      ways: 2,
      guardians: ["bob", "carol"],
    });
    // The lost folder turns up in the place of the new one.
    rmSync(join(members(), "alice"), { recursive: true });
    cpSync(lost, join(members(), "alice"), { recursive: true });
    expect((await cli("open", place.record, "--as", "alice")).json().error.code).toBe("revoked");
  });

  test("of a forgotten passphrase by two guardians; the member is told at its next command", async () => {
    await protect();
    const own = "her own, and forgotten";
    const changed = await run(["--home", place.home, "passphrase", "change", "--member", "alice", "--json"], {
      CHARTSEAL_NEW_PASSPHRASE: own,
    });
    expect(changed.code).toBe(0);
    expect((await cli("open", place.record, "--as", "alice")).json().error.code).toBe("passphrase-wrong");
    const { recoveryId } = (await cli("recovery", "start", "alice", "--guardian", "bob")).json();
    expect((await cli("recovery", "finish", "alice")).json().error).toMatchObject({
      code: "transaction-refused",
      approvalsNeeded: 1,
    });
    const approved = (await cli("recovery", "approve", "alice", "--guardian", "carol")).json();
    expect(approved).toMatchObject({ recoveryId, status: "ready", approvals: ["bob", "carol"] });
    expect((await cli("recovery", "finish", "alice")).code).toBe(0);
    const aside = readdirSync(members()).filter((name) => name.startsWith(".alice.replaced-"));
    expect(aside).toHaveLength(1);
    expect(existsSync(join(members(), aside[0]!, "keys.sealed"))).toBe(true);
    await opens("alice");
    expect((await cli("recovery", "list", "alice")).json()).toMatchObject([
      { recoveryId, status: "finished" },
    ]);
  });

  test("is announced with its time to whoever has the keys, who ends it", async () => {
    const kit = await protect();
    await run(["--home", place.home, "settings", "set", "--recovery-delay", "7d"]);
    const { readyAt, recoveryId } = (await cli("recovery", "start", "alice", "--by-paper-kit", kit)).json();
    expect(Date.parse(readyAt) - Date.now()).toBeGreaterThan(6 * 24 * 3_600_000);
    const told = await cli("open", place.record, "--as", "alice");
    expect(told.code).toBe(0);
    expect(told.err).toBe(
      `chartseal: warning: a recovery is open: alice  ${recoveryId.slice(0, 16)}  by its paper kit: can be finished from ${readyAt}; if it is not yours: chartseal recovery object alice\n`,
    );
    const early = await cli("recovery", "finish", "alice");
    expect([early.code, early.json().error.readyAt]).toEqual([3, readyAt]);
    expect((await cli("recovery", "object", "alice")).json()).toEqual({
      member: "alice",
      objected: [recoveryId],
    });
    expect((await cli("recovery", "finish", "alice")).json().error.code).toBe("input-invalid");
    await opens("alice");
    expect((await cli("status")).json()).toMatchObject({ recoveries: 0 });
  });

  test("loses nothing in a kill at any step of its start", async () => {
    const kit = await protect();
    const command = ["recovery", "start", "alice", "--by-paper-kit", kit];
    const kills = await killEverywhere(command, async () => {
      expect((await cli("open", place.record, "--as", "alice")).code).toBe(0);
      expect((await cli(...command)).json()).toMatchObject({ status: "ready" });
      expect((await cli("recovery", "list", "alice")).json()).toHaveLength(1);
    });
    expect(kills).toBeGreaterThanOrEqual(3);
  }, 300_000);

  test("loses nothing in a kill at any step of its end", async () => {
    const kit = await protect("bob");
    await cli("recovery", "start", "bob", "--by-paper-kit", kit);
    const kills = await killEverywhere(["recovery", "finish", "bob"], async () => {
      // What is left to do is done by the command again or, where the folders have changed places, by any other.
      const again = await cli("recovery", "finish", "bob");
      if (again.code !== 0) expect(again.json().error.code).toBe("input-invalid");
      await opens("bob");
      const { status } = (await cli("recovery", "list", "bob")).json()[0];
      expect(status).toBe("finished");
    });
    expect(kills).toBeGreaterThanOrEqual(5);
  }, 300_000);
});

describe("where recovery is required", () => {
  test("nobody seals with fewer than two ways, and the refusal says what to do", async () => {
    const file = at("note.txt");
    writeFileSync(file, "a note");
    await run(["--home", place.home, "settings", "set", "--recovery-required", "on"]);
    const refused = await cli("seal", file, "--owner", "alice");
    expect([refused.code, refused.json().error]).toMatchObject([
      3,
      { code: "recovery-missing", ways: 0, hint: expect.stringContaining("chartseal guardians set") },
    ]);
    const byAuthor = await cli("seal", file, "--owner", "alice", "--as", "bob");
    expect(byAuthor.json().error).toMatchObject({ code: "recovery-missing", member: "bob" });
    expect(byAuthor.err).toContain("bob needs two ways of recovery");
    await protect();
    expect((await cli("seal", file, "--owner", "alice")).code).toBe(0);
    expect((await cli("seal", file, "--owner", "alice", "--as", "bob")).json().error.code).toBe(
      "recovery-missing",
    );
  });
});

/** Whether the last 8 bits of 24 words are not what the first 256 hash to. */
function isNoKit(words: readonly string[]): boolean {
  const bits = words.map((word) => wordlist.indexOf(word).toString(2).padStart(11, "0")).join("");
  const bytes = Uint8Array.from(bits.match(/.{8}/g)!, (byte) => Number.parseInt(byte, 2));
  return sha256(bytes.subarray(0, 32))[0] !== bytes[32];
}

function refusalOf(words: readonly string[]): string {
  try {
    parsePaperKit(words.join(" "));
  } catch (error) {
    return `${(error as Error).message} ${(error as { hint?: string }).hint}`;
  }
  return "";
}

describe("a paper kit", () => {
  const seed = randomBytes(32);
  const page = paperKit("alice", toHex(randomBytes(20)), seed);
  const words = [...page.matchAll(/\d+ ([a-z]+)/g)].map(([, word]) => word!).slice(-24);

  test("is read as it was printed, among other lines, and as its words alone", () => {
    expect(parsePaperKit(page)).toEqual(seed);
    expect(parsePaperKit(`chartseal: warning: something\n${page}\nmore`)).toEqual(seed);
    expect(parsePaperKit(words.join(" "))).toEqual(seed);
    expect(parsePaperKit(`${words.join("\n").toUpperCase()}\n`)).toEqual(seed);
  });

  test("with a word misread, missing or swapped is refused, and no word of it is shown", () => {
    // The checksum has 8 bits: one of 256 kits with another word or another order is a kit too, and none of those is meant.
    const changed = wordlist.map((word) => [word, ...words.slice(1)]).find(isNoKit)!;
    const swapped = words.slice(1).map((word, at) => words.with(0, word).with(at + 1, words[0]!));
    const refused = [words.slice(1), changed, swapped.find(isNoKit)!, ["zzz", ...words.slice(1)], []].map(
      refusalOf,
    );
    expect(refused[0]).toMatch(/^these are not the 24 words of a paper kit/);
    // Some words of the sentence are words of kits too: it is the same whatever was given.
    expect(new Set(refused).size).toBe(1);
  });

  test("holds no key of the account: its seed opens nothing there", () => {
    const sealed = readFileSync(join(members(), "alice", "keys.sealed"));
    expect(sealed.includes(Buffer.from(seed))).toBe(false);
  });
});
