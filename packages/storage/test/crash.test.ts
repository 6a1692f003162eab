/** `kill -9` at any instant: every object that was acknowledged is there or a later one is, whole; nothing half-done. */
import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fuzzRounds } from "../../../test/fuzz-rounds.ts";
import { openFilesystemStore } from "../src/index.ts";
import { collect, names } from "./conformance.ts";
import { contentOf } from "./crash-writer.ts";

const writer = fileURLToPath(new URL("crash-writer.ts", import.meta.url));
const rounds = fuzzRounds(8, 1 / 5000);
let base: string;
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), "chartseal-crash-"));
});
afterAll(async () => {
  await rm(base, { recursive: true, force: true });
});

/** Runs the writer, kills it after `afterMs` of work, and gives what it was acknowledged: name → last seed. */
async function writeAndKill(
  folder: string,
  firstSeed: number,
  afterMs: number,
): Promise<Map<string, number>> {
  const child = spawn(
    process.execPath,
    ["--conditions=chartseal-source", writer, folder, String(firstSeed)],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stdout.once("data", () => setTimeout(() => child.kill("SIGKILL"), afterMs));
  await new Promise((done) => child.on("close", done));
  const acknowledged = new Map<string, number>();
  // The last piece is a line cut short, or empty.
  for (const line of output.split("\n").slice(0, -1)) {
    const [name, seed] = line.split(" ");
    if (seed !== undefined) acknowledged.set(name!, Number(seed));
  }
  return acknowledged;
}

describe("a store whose process is killed", () => {
  it("loses nothing acknowledged and shows nothing half-done", async () => {
    const folder = join(base, "objects");
    const all = new Map<string, number>();
    let leftoversSeen = 0;
    for (let round = 0; round < rounds; round++) {
      const acknowledged = await writeAndKill(folder, 1 + round * 100_000, 3 + ((round * 37) % 90));
      for (const [name, seed] of acknowledged) all.set(name, seed);
      const store = await openFilesystemStore(folder);
      leftoversSeen += (await readdir(join(base, ".objects.tmp"))).length;
      for await (const name of store.list()) {
        const bytes = Buffer.from(await collect(store.get(name)));
        const seed = Number(bytes.readBigUInt64BE());
        expect(Buffer.compare(bytes, contentOf(seed)), `${name} is whole`).toBe(0);
        // At most the one put under way at the kill is newer than what was acknowledged.
        expect(seed).toBeGreaterThanOrEqual(all.get(name) ?? 0);
      }
      const present = new Set(await names(store.list()));
      for (const name of all.keys()) expect(present.has(name), `${name} is there`).toBe(true);
    }
    expect(all.size, "the writer got something done").toBeGreaterThan(0);
    // Kills fell inside puts, not only between them; else this test shows nothing.
    expect(leftoversSeen).toBeGreaterThan(0);
    await openFilesystemStore(folder, { graceMs: -1000 });
    expect(await readdir(join(base, ".objects.tmp"))).toEqual([]);
  });
});
