/**
 * Stores of format 2, kept as they were written (test/formats/2), of both engines; the consortium's began with a snapshot.
 * They are read as they are and no byte of them changes; the next block adds the one table that they lack, and nodes of
 * either format lead to each other.
 */
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sha256, toHex } from "@chartseal/crypto";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Head, headOf } from "../src/block.ts";
import { CometStore } from "../src/comet/comet-store.ts";
import { verifyComet } from "../src/comet/reader.ts";
import { migrateEmbedded, openEmbeddedReader, openSalvage, verifyEmbedded } from "../src/embedded/index.ts";
import { executeBlock } from "../src/machine.ts";
import { readState } from "../src/state-tree.ts";
import { genesis, makeHome, openToy, proposer } from "./embedded-home.ts";
import { innerRecords } from "./inner-rows.ts";
import { accountKey, balanceKind, balanceOf, toyRules, toyTransaction } from "./toy-rules.ts";

const kept = (file: string) => fileURLToPath(new URL(`./formats/2/${file}`, import.meta.url));
const digest = (file: string) => toHex(sha256(readFileSync(file)));
const keptHead = "f7a73047e76cf1e214055dfb9f47bb85d829149e7a5754e04b8e1917a09a98b5";

let directory: string;
let remove: () => void;
beforeEach(() => {
  ({ directory, remove } = makeHome());
  mkdirSync(join(directory, "ledger"));
});
afterEach(() => remove());

function inFile<T>(file: string, work: (database: Database.Database) => T): T {
  const database = new Database(join(directory, "ledger", file));
  try {
    return work(database);
  } finally {
    database.close();
  }
}

const formatIn = (file: string) =>
  inFile(file, (database) => database.pragma("user_version", { simple: true }));

describe("an embedded store of format 2", () => {
  const path = () => join(directory, "ledger", "ledger.sqlite");
  const options = () => ({ directory, rulesOf: toyRules });
  beforeEach(() => copyFileSync(kept("ledger.sqlite"), path()));

  it("is read, proved, checked and salvaged as it is, and no byte changes", async () => {
    const reader = openEmbeddedReader(options());
    expect(balanceOf(await reader.read(balanceKind, accountKey(1)))).toBe(3);
    expect(balanceOf((await reader.prove(balanceKind, accountKey(2), 2)).value ?? undefined)).toBe(7);
    await reader.close();
    const report = await verifyEmbedded(options());
    expect(report).toMatchObject({ ok: true, findings: [], blocks: 26, stateCheckedTo: 26 });
    expect(toHex(report.head.hash)).toBe(keptHead);
    const salvage = openSalvage(directory);
    expect([salvage?.height(), salvage?.block(7)?.unreadable]).toEqual([26, []]);
    salvage?.close();
    expect(digest(path())).toBe(digest(kept("ledger.sqlite")));
    expect(readdirSync(join(directory, "ledger"))).toEqual(["ledger.sqlite"]);
  });

  it("is left as it is by a writer that writes nothing, and by migrate", async () => {
    await (await openToy(directory)).close();
    expect(await migrateEmbedded(options())).toEqual({ from: 2, to: 2, height: 26, kept: null });
    expect(digest(path())).toBe(digest(kept("ledger.sqlite")));
    const other = { ...options(), chainId: sha256(genesis) };
    expect(() => openEmbeddedReader(other)).toThrow(expect.objectContaining({ code: "chain-altered" }));
    await expect(openToy(directory, { chainId: sha256(genesis) })).rejects.toMatchObject({
      code: "chain-altered",
    });
    expect(digest(path())).toBe(digest(kept("ledger.sqlite")));
  });

  it("is followed by whoever reads it, across the block that makes it one of the present format", async () => {
    const reader = openEmbeddedReader({ ...options(), pollMs: 10 });
    expect(balanceOf(await reader.read(balanceKind, accountKey(1)))).toBe(3);
    const ledger = await openToy(directory);
    for (let nonce = 900; nonce < 904; nonce++) await ledger.submit(toyTransaction(nonce, ["give", 1, 1]));
    expect(formatIn("ledger.sqlite")).toBe(3);
    await expect
      .poll(async () => balanceOf(await reader.read(balanceKind, accountKey(1))), { timeout: 5_000 })
      .toBe(7);
    expect(balanceOf((await reader.prove(balanceKind, accountKey(1), 26)).value ?? undefined)).toBe(3);
    await reader.close();
    await ledger.close();
  });

  it("gets the table that it lacks with its next block, and every height before and after stays provable", async () => {
    const ledger = await openToy(directory);
    for (let nonce = 900; nonce < 930; nonce++) {
      await ledger.submit(toyTransaction(nonce, ["give", nonce % 4, 1]));
    }
    expect((await ledger.prove(balanceKind, accountKey(2), 3)).value).toBeNull();
    expect(balanceOf((await ledger.prove(balanceKind, accountKey(2), 2)).value ?? undefined)).toBe(7);
    await ledger.close();
    expect(formatIn("ledger.sqlite")).toBe(3);
    const [before, after] = inFile("ledger.sqlite", (database) => [
      database.prepare("SELECT count(*) FROM nodes WHERE left_id IS NOT NULL").pluck().get() as number,
      innerRecords(database),
    ]);
    // What was there lies where it lay, and new nodes name it there.
    expect(before).toBeGreaterThan(20);
    const places = after.flatMap((record) => record.places);
    expect(places.some((at) => at > 2 ** 40)).toBe(true);
    expect(places.some((at) => at > 0 && at < 2 ** 40)).toBe(true);
    const report = await verifyEmbedded(options());
    expect(report).toMatchObject({ ok: true, findings: [], blocks: 56, stateCheckedTo: 56 });
  });

  it("is what it was where a writer was killed while it added the table", async () => {
    inFile("ledger.sqlite", (database) => {
      database.pragma("journal_mode = TRUNCATE");
      database.pragma("cache_size = 2");
      database.exec("BEGIN IMMEDIATE");
      database.exec("CREATE TABLE inner_nodes (id INTEGER PRIMARY KEY, nodes BLOB NOT NULL)");
      database.pragma("user_version = 3");
      // So that something of it is in the file.
      database.exec("UPDATE nodes SET node = zeroblob(65)");
      cpSync(join(directory, "ledger"), join(directory, "killed"), { recursive: true });
      database.exec("ROLLBACK");
    });
    cpSync(join(directory, "killed"), join(directory, "ledger"), { recursive: true });
    expect(statSync(`${path()}-journal`).size).toBeGreaterThan(0);
    expect(digest(path())).not.toBe(digest(kept("ledger.sqlite")));
    const report = await verifyEmbedded(options());
    expect(report).toMatchObject({ ok: true, blocks: 26 });
    const ledger = await openToy(directory);
    expect((await ledger.submit(toyTransaction(999, ["give", 1, 1]))).height).toBe(27);
    await ledger.close();
    expect(await verifyEmbedded(options())).toMatchObject({ ok: true, blocks: 27 });
  });

  it("with a table of the present format that its version does not name is no store of ours", async () => {
    inFile("ledger.sqlite", (database) =>
      database.exec("CREATE TABLE inner_nodes (id INTEGER PRIMARY KEY, nodes BLOB NOT NULL)"),
    );
    await expect(openToy(directory)).rejects.toMatchObject({ code: "chain-altered" });
    expect(formatIn("ledger.sqlite")).toBe(2);
  });

  it("with a row where no leaf of the present format can lie is found by the check", async () => {
    inFile("ledger.sqlite", (database) =>
      database.exec(`INSERT INTO nodes (id, node) VALUES (${2 ** 40}, x'00')`),
    );
    expect((await verifyEmbedded(options())).ok).toBe(false);
  });

  it("whose nodes name places that it cannot have is altered", async () => {
    inFile("ledger.sqlite", (database) =>
      database.exec("UPDATE nodes SET left_id = 1099511627792 WHERE left_id IS NOT NULL"),
    );
    const reader = openEmbeddedReader(options());
    await expect(reader.read(balanceKind, accountKey(1))).rejects.toMatchObject({ code: "chain-altered" });
    await reader.close();
    expect((await verifyEmbedded(options())).ok).toBe(false);
  });
});

describe("a consortium member's store of format 2 that began with a snapshot", () => {
  const rules = {
    ...toyRules(genesis),
    validators: () => [{ publicKey: proposer.publicKey, stake: 10 }],
  };
  const path = () => join(directory, "ledger", "comet.sqlite");
  beforeEach(() => copyFileSync(kept("comet.sqlite"), path()));

  it("is checked from its snapshot's block on as it is, and no byte changes", async () => {
    const report = await verifyComet({ directory, rules });
    expect(report).toMatchObject({ ok: true, findings: [], from: 20, blocks: 6, stateCheckedTo: 25 });
    expect(digest(path())).toBe(digest(kept("comet.sqlite")));
  });

  it("goes on in the present format", async () => {
    const store = CometStore.open(directory, rules);
    expect(formatIn("comet.sqlite")).toBe(2);
    let head: Head = headOf(store.chain.block(26)!);
    for (let height = 27; height <= 40; height++) {
      const transactions = [toyTransaction(1_000 + height, ["give", 1_000 + height, 7])];
      const block = { timestampMs: head.timestampMs, proposer: proposer.publicKey, transactions };
      const executed = executeBlock({
        nodes: store.chain.tree(head.height),
        previous: head,
        rules,
        ...block,
      });
      store.commit(2 * height, executed, []);
      head = { ...executed.header, hash: executed.hash };
      expect(formatIn("comet.sqlite")).toBe(3);
    }
    store.close();
    const again = CometStore.open(directory, rules);
    for (const [height, root] of [
      [20, again.chain.block(20)!.header.stateRoot],
      [40, head.stateRoot],
    ] as const) {
      const balance = (account: number) =>
        balanceOf(readState(again.chain.tree(height), root, balanceKind, accountKey(account)));
      // Of the snapshot, and of what came in the present format.
      expect([balance(60), balance(1_030)]).toEqual([7, height === 40 ? 7 : 0]);
    }
    again.close();
    expect(await verifyComet({ directory, rules })).toMatchObject({ ok: true, findings: [], from: 20 });
  });
});
