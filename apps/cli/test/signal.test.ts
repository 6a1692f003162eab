/** A signal ends a command at once, and nothing of what it was making stays behind: no half of a record in clear text, no half of a backup. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { cases, passphrase } from "./care-home.ts";

const { place, at, cli } = cases();
const program = fileURLToPath(new URL("./command-child.ts", import.meta.url));

function command(...argv: string[]): ChildProcess {
  const args = ["--conditions=chartseal-source", program, "--home", place.home, ...argv];
  const env = { ...process.env, CHARTSEAL_PASSPHRASE: passphrase };
  return spawn(process.execPath, args, { stdio: "ignore", env });
}

/** Sends the signal once something of this name is there, and waits for the end. */
async function struck(child: ChildProcess, draft: RegExp, signal: NodeJS.Signals): Promise<unknown[]> {
  const ended = once(child, "exit");
  while (!readdirSync(place.folder).some((name) => draft.test(name))) {
    if (child.exitCode !== null) throw new Error("the command ended before it made anything");
    await sleep(1);
  }
  child.kill(signal);
  return await ended;
}

test("open --out, by Ctrl-C, a termination, or a terminal that goes away", async () => {
  writeFileSync(at("scan.bin"), new Uint8Array(96 * 1024 * 1024));
  const { recordId } = (await cli("seal", at("scan.bin"), "--owner", "alice")).json();
  const before = readdirSync(place.folder).sort();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    const child = command("open", recordId, "--as", "alice", "--out", at("opened.bin"));
    expect(await struck(child, /^\.opened\.bin\..*\.tmp$/, signal)).toEqual([null, signal]);
    expect(readdirSync(place.folder).sort()).toEqual(before);
  }
  const child = command("backup", "--out", at("copy"));
  expect(await struck(child, /^\.copy\..*\.backup$/, "SIGINT")).toEqual([null, "SIGINT"]);
  expect(readdirSync(place.folder).sort()).toEqual(before);
  expect((await cli("verify")).code).toBe(0);
}, 120_000);
