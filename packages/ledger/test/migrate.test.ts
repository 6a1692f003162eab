/**
 * Stores of format 1, kept as they were written (test/formats): recognised, refused with a hint, and brought to the
 * present format; kills and damage on the way leave what was there. Format 2, which is read as it is: format-2.test.ts.
 */
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { sha256, toHex } from "@chartseal/crypto";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fuzzRounds } from "../../../test/fuzz-rounds.ts";
import { decodeHeader, encodeHeader, hashHeader, signBlock } from "../src/block.ts";
import {
  migrateEmbedded,
  openEmbeddedReader,
  openSalvage,
  takeHomeLock,
  verifyEmbedded,
} from "../src/embedded/index.ts";
import { createToy, genesis, makeHome, openToy, proposer } from "./embedded-home.ts";
import { accountKey, balanceKind, balanceOf, toyRules, toyTransaction } from "./toy-rules.ts";

const kept = fileURLToPath(new URL("./formats/1/ledger.sqlite", import.meta.url));
const child = fileURLToPath(new URL("./migrate-child.ts", import.meta.url));
/** The chain in the kept store: toy transactions, 26 blocks. */
const headHash = "f7a73047e76cf1e214055dfb9f47bb85d829149e7a5754e04b8e1917a09a98b5";

let directory: string;
let remove: () => void;
beforeEach(() => {
  ({ directory, remove } = makeHome());
  mkdirSync(join(directory, "ledger"));
  copyFileSync(kept, path());
});
afterEach(() => remove());

const path = () => join(directory, "ledger", "ledger.sqlite");
const files = () => readdirSync(join(directory, "ledger")).sort();
const digest = (file: string) => toHex(sha256(readFileSync(file)));
const options = () => ({ directory, rulesOf: toyRules });
const outdated = expect.objectContaining({
  code: "home-outdated",
  data: { format: 1, current: 3 },
  hint: expect.stringContaining("chartseal migrate"),
});

function sql(statement: string, ...parameters: unknown[]): void {
  const database = new Database(path());
  database.prepare(statement).run(...parameters);
  database.close();
}

/** That the home has the old store, byte for byte, or the new one, whole. */
async function oldOrNew(): Promise<"old" | "new"> {
  if (digest(path()) === digest(kept)) {
    expect(() => openEmbeddedReader(options())).toThrow(outdated);
    return "old";
  }
  const report = await verifyEmbedded(options());
  expect(report).toMatchObject({ ok: true, findings: [], blocks: 26, stateCheckedTo: 26 });
  expect(toHex(report.head.hash)).toBe(headHash);
  return "new";
}

describe("a store of format 1", () => {
  it("is refused, for reading and for writing, by what it is and with what to do; no byte changes", async () => {
    const before = digest(path());
    expect(() => openEmbeddedReader(options())).toThrow(outdated);
    expect(() => openSalvage(directory)).toThrow(outdated);
    await expect(openToy(directory)).rejects.toEqual(outdated);
    await expect(verifyEmbedded(options())).rejects.toEqual(outdated);
    await expect(createToy(directory)).rejects.toMatchObject({ code: "home-exists" });
    expect(digest(path())).toBe(before);
  });

  it("becomes one of the present format with the same chain, and stays beside it as it was", async () => {
    const old = new Database(kept, { readonly: true });
    const rows = old.prepare("SELECT height, header, hash, transactions, seal FROM blocks").all();
    old.close();
    const file = join(directory, "ledger", "ledger-format-1.sqlite");
    expect(await migrateEmbedded(options())).toEqual({ from: 1, to: 3, height: 26, kept: file });
    expect(files()).toEqual(["ledger-format-1.sqlite", "ledger.sqlite"]);
    expect(digest(file)).toBe(digest(kept));
    const made = new Database(path(), { readonly: true });
    expect(made.prepare("SELECT height, header, hash, transactions, seal FROM blocks").all()).toEqual(rows);
    made.close();
    expect(await oldOrNew()).toBe("new");
    const ledger = await openToy(directory);
    expect((await ledger.submit(toyTransaction(999, ["give", 1, 1]))).height).toBe(27);
    const before = await ledger.prove(balanceKind, accountKey(2), 2);
    expect([before.header.height, balanceOf(before.value ?? undefined)]).toEqual([2, 7]);
    expect((await ledger.prove(balanceKind, accountKey(2), 3)).value).toBeNull();
    expect(balanceOf(await ledger.read(balanceKind, accountKey(1)))).toBe(4);
    await ledger.close();
    expect(await verifyEmbedded(options())).toMatchObject({ ok: true, blocks: 27 });
  });

  it("is brought over once: a current one is left as it is, to the byte", async () => {
    await migrateEmbedded(options());
    const before = digest(path());
    expect(await migrateEmbedded(options())).toEqual({ from: 3, to: 3, height: 26, kept: null });
    expect([digest(path()), files().length]).toEqual([before, 2]);
  });

  it("is kept under a name that no other file has", async () => {
    const taken = join(directory, "ledger", "ledger-format-1.sqlite");
    writeFileSync(taken, "of an earlier home");
    const { kept: file } = await migrateEmbedded(options());
    expect(file).toBe(join(directory, "ledger", "ledger-format-1.2.sqlite"));
    expect(readFileSync(taken, "utf8")).toBe("of an earlier home");
    expect(digest(file!)).toBe(digest(kept));
  });

  it("loses a killed writer's half commit before it is read", async () => {
    const database = new Database(path());
    database.pragma("cache_size = 2");
    database.exec("BEGIN IMMEDIATE");
    database.exec("UPDATE blocks SET hash = zeroblob(32)");
    const insert = database.prepare("INSERT INTO nodes (hash, node) VALUES (?, ?)");
    for (let i = 0; i < 2_000; i++) insert.run(sha256(Uint8Array.of(i >> 8, i & 255)), new Uint8Array(65));
    const copies = [path(), `${path()}-journal`].map((file) => readFileSync(file));
    database.exec("ROLLBACK");
    database.close();
    writeFileSync(path(), copies[0]!);
    writeFileSync(`${path()}-journal`, copies[1]!);
    expect(copies[1]!.length).toBeGreaterThan(0);
    expect(digest(path())).not.toBe(digest(kept));
    expect(() => openEmbeddedReader(options())).toThrow(outdated);
    await migrateEmbedded(options());
    expect(await oldOrNew()).toBe("new");
  });

  it("waits for the home's lock like every writer", async () => {
    const lock = await takeHomeLock(directory);
    await expect(migrateEmbedded({ ...options(), waitMs: 0 })).rejects.toMatchObject({ code: "home-busy" });
    lock.release();
    await migrateEmbedded({ ...options(), waitMs: 0 });
  });
});

describe("a migration that is killed", () => {
  it.each([
    ["block", "old"],
    ["built", "old"],
    ["kept", "old"],
    ["replaced", "new"],
  ] as const)("at the stage %s leaves the %s store, and the next one finishes", async (stage, left) => {
    const { signal } = spawnSync(
      process.execPath,
      ["--conditions=chartseal-source", child, directory, stage],
      { stdio: ["ignore", "ignore", "inherit"] },
    );
    expect(signal).toBe("SIGKILL");
    expect(await oldOrNew()).toBe(left);
    expect((await migrateEmbedded(options())).from).toBe(left === "old" ? 1 : 3);
    expect(files()).toEqual(["ledger-format-1.sqlite", "ledger.sqlite"]);
    expect(digest(join(directory, "ledger", "ledger-format-1.sqlite"))).toBe(digest(kept));
    expect(await oldOrNew()).toBe("new");
  });

  const rounds = fuzzRounds(6, 1 / 5000);
  it(`at any instant leaves the old store or the new one, ${rounds} times over`, async () => {
    for (let round = 0; round < rounds; round++) {
      const work = spawn(process.execPath, ["--conditions=chartseal-source", child, directory], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const ended = new Promise((resolve) => work.on("close", resolve));
      await Promise.race([new Promise((resolve) => work.stdout.once("data", resolve)), ended]);
      await sleep(Math.random() * 80);
      work.kill("SIGKILL");
      await ended;
      if ((await oldOrNew()) === "new") copyFileSync(kept, path());
    }
    await migrateEmbedded(options());
    expect(await oldOrNew()).toBe("new");
  });
});

describe("a damaged store of format 1", () => {
  /** A header of the kept chain that says something else, hashed and signed by its proposer as if it were right. */
  function forged(height: number, change: (header: ReturnType<typeof decodeHeader>) => object): void {
    const database = new Database(path());
    const row = database.prepare("SELECT header FROM blocks WHERE height = ?").get(height) as {
      header: Buffer;
    };
    const header = decodeHeader(new Uint8Array(row.header));
    const bytes = encodeHeader({ ...header, ...change(header) });
    const hash = hashHeader(decodeHeader(bytes));
    const signature = signBlock(toyRules(genesis).chainId, height, hash, proposer.seed);
    const seal = database.prepare("SELECT seal FROM blocks WHERE height = ?").pluck().get(height) as Buffer;
    signature.forEach((byte, at) => {
      seal[seal.length - 64 + at] = byte;
    });
    database
      .prepare("UPDATE blocks SET header = ?, hash = ?, seal = ? WHERE height = ?")
      .run(bytes, hash, seal, height);
    database.close();
  }

  const damages: readonly (readonly [string, () => void, object])[] = [
    [
      "a block's transactions",
      () => sql("UPDATE blocks SET transactions = x'8141ff' WHERE height = 7"),
      { height: 7 },
    ],
    ["a block's hash", () => sql("UPDATE blocks SET hash = zeroblob(32) WHERE height = 9"), { height: 9 }],
    [
      "a commit",
      () => sql("UPDATE blocks SET seal = x'80' WHERE height = 26"),
      { height: 26, field: "commit" },
    ],
    ["a missing block", () => sql("DELETE FROM blocks WHERE height = 12"), { height: 12 }],
    ["the genesis", () => sql("UPDATE meta SET value = zeroblob(9) WHERE name = 'genesis'"), {}],
    ["a trigger", () => sql("CREATE TRIGGER t AFTER INSERT ON blocks BEGIN DELETE FROM blocks; END"), {}],
    [
      "a state root that the transactions do not give, signed",
      () => forged(26, () => ({ stateRoot: sha256(new Uint8Array(1)) })),
      { height: 26, field: "stateRoot" },
    ],
    [
      "a link to another block, signed",
      () => forged(26, () => ({ previousHash: sha256(new Uint8Array(1)) })),
      { height: 26, field: "previousHash" },
    ],
  ];

  it.each(damages)("with %s is chain-altered, and stays as it is", async (_, damage, data) => {
    damage();
    const before = digest(path());
    await expect(migrateEmbedded(options())).rejects.toMatchObject({ code: "chain-altered", data });
    expect(digest(path())).toBe(before);
    expect(files()).toEqual(["ledger.sqlite"]);
  });

  it("that is of another chain, or none, is refused", async () => {
    const other = { ...options(), chainId: sha256(genesis) };
    await expect(migrateEmbedded(other)).rejects.toMatchObject({ code: "chain-altered" });
    writeFileSync(path(), "no database");
    await expect(migrateEmbedded(options())).rejects.toMatchObject({ code: "chain-altered" });
    const nowhere = { ...options(), directory: join(directory, "nowhere") };
    await expect(migrateEmbedded(nowhere)).rejects.toMatchObject({ code: "home-missing" });
    expect(existsSync(join(directory, "nowhere"))).toBe(false);
  });

  it("with nodes that were lost comes over whole: they are made again from the blocks", async () => {
    sql("DELETE FROM nodes");
    await migrateEmbedded(options());
    const report = await verifyEmbedded(options());
    expect([report.ok, toHex(report.head.hash)]).toEqual([true, headHash]);
  });
});
