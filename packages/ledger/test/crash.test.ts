/**
 * A writer killed with SIGKILL at random instants: nothing that was acknowledged is lost, nothing is half done, the
 * state is what a replay gives. (Death of the process, not of the power: what SQLite's fsyncs are for.)
 */
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { fromHex, toHex } from "@chartseal/crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fuzzRounds } from "../../../test/fuzz-rounds.ts";
import { openEmbeddedReader, verifyEmbedded } from "../src/embedded/index.ts";
import { createToy, makeHome, openToy } from "./embedded-home.ts";
import { accountKey, balanceKind, balanceOf, toyRules, toyTransaction } from "./toy-rules.ts";

const rounds = fuzzRounds(8, 1 / 5000);
const child = fileURLToPath(new URL("./crash-child.ts", import.meta.url));

let directory: string;
let remove: () => void;
beforeEach(() => {
  ({ directory, remove } = makeHome());
});
afterEach(() => remove());

/** The committing process, once its first block is acknowledged. `kill` ends it and gives its whole lines. */
async function committing(start: number): Promise<{ kill(): Promise<string[]> }> {
  const writer = spawn(process.execPath, ["--conditions=chartseal-source", child, directory, String(start)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  const ended = new Promise((resolve) => writer.on("close", resolve));
  const first = new Promise((resolve) => writer.stdout.once("data", resolve));
  writer.stdout.on("data", (data) => {
    output += data;
  });
  await Promise.race([first, ended]);
  return {
    async kill() {
      writer.kill("SIGKILL");
      await ended;
      return output.split("\n").slice(0, -1);
    },
  };
}

describe("a killed writer", () => {
  it(`loses nothing acknowledged and leaves nothing half done, ${rounds} times over`, async () => {
    await (await createToy(directory)).close();
    let acknowledged = 0;
    for (let round = 0; round < rounds; round++) {
      const writer = await committing(1_000_000 * round);
      await sleep(20 + Math.random() * 150);
      const lines = await writer.kill();
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

describe("a reader beside a writer in another process", () => {
  it("sees whole blocks at every look, and is never told that the home is busy", async () => {
    await (await createToy(directory)).close();
    const writer = await committing(0);
    const reader = openEmbeddedReader({ directory, rulesOf: toyRules });
    let [looks, last, known] = [0, 0, 0];
    for (const untilMs = performance.now() + 1_000; performance.now() < untilMs; looks++) {
      const { height } = await reader.head();
      expect(height).toBeGreaterThanOrEqual(last);
      let [total, transactions] = [0, 0];
      for (let account = 0; account < 50; account++) {
        const { value } = await reader.prove(balanceKind, accountKey(account), height);
        total += balanceOf(value ?? undefined);
      }
      for await (const block of reader.blocks(last + 1, height)) transactions += block.transactions.length;
      expect(total - known).toBe(transactions);
      known = total;
      last = height;
    }
    expect(await verifyEmbedded({ directory, rulesOf: toyRules })).toMatchObject({ ok: true, findings: [] });
    expect((await writer.kill()).length).toBeGreaterThanOrEqual(last);
    expect(looks).toBeGreaterThan(1);
    await reader.close();
  });
});
