/**
 * A writer killed with SIGKILL at random instants: nothing that was acknowledged is lost, nothing is half done, the
 * state is what a replay gives. (Death of the process, not of the power: what SQLite's fsyncs are for.)
 */
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { fromHex, toHex } from "@chartseal/crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openEmbeddedReader, verifyEmbedded } from "../src/embedded/index.ts";
import { createToy, makeHome, openToy } from "./embedded-home.ts";
import { accountKey, balanceKind, balanceOf, toyRules, toyTransaction } from "./toy-rules.ts";

const rounds = Number(process.env.CHARTSEAL_FUZZ ?? 8);
const child = fileURLToPath(new URL("crash-child.ts", import.meta.url));

let directory: string;
let remove: () => void;
beforeEach(() => {
  ({ directory, remove } = makeHome());
});
afterEach(() => remove());

/** Runs the committing process for a while after its first block and kills it; its whole lines. */
async function killedRun(start: number, runMs: number): Promise<string[]> {
  const process_ = spawn(
    process.execPath,
    ["--conditions=chartseal-source", child, directory, String(start)],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  let output = "";
  const ended = new Promise((resolve) => process_.on("close", resolve));
  const first = new Promise((resolve) => process_.stdout.once("data", resolve));
  process_.stdout.on("data", (data) => {
    output += data;
  });
  await Promise.race([first, ended]);
  await sleep(runMs);
  process_.kill("SIGKILL");
  await ended;
  return output.split("\n").slice(0, -1);
}

describe("a killed writer", () => {
  it(`loses nothing acknowledged and leaves nothing half done, ${rounds} times over`, async () => {
    await (await createToy(directory)).close();
    let acknowledged = 0;
    for (let round = 0; round < rounds; round++) {
      const lines = await killedRun(1_000_000 * round, 20 + Math.random() * 150);
      expect(lines.length).toBeGreaterThan(0);
      const report = await verifyEmbedded({ directory, rulesOf: toyRules });
      expect(report.findings).toEqual([]);
      expect(report.transactions).toBeGreaterThanOrEqual(acknowledged + lines.length);
      const reader = openEmbeddedReader({ directory, rulesOf: toyRules });
      for (const line of lines) {
        const [height, hash, identifier] = line.split(" ") as [string, string, string];
        expect((await reader.transaction(fromHex(identifier)))?.height).toBe(Number(height));
        expect(toHex((await reader.block(Number(height)))!.hash)).toBe(hash);
      }
      let total = 0;
      for (let account = 0; account < 50; account++) {
        total += balanceOf(await reader.read(balanceKind, accountKey(account)));
      }
      expect(total).toBe(report.transactions);
      await reader.close();
      acknowledged = report.transactions;
    }
    const ledger = await openToy(directory);
    await ledger.submit(toyTransaction(999, ["take", 1, 0]));
    await ledger.close();
  });
});
