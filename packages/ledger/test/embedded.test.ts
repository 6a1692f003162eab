/** The embedded engine's store: one writer, readers that change no byte, damage of every kind, killed writers. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { ChartsealError, sha256 } from "@chartseal/crypto";
import Database from "better-sqlite3";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fuzzRounds } from "../../../test/fuzz-rounds.ts";
import { openEmbeddedReader, takeHomeLock, tryHomeLock, verifyEmbedded } from "../src/embedded/index.ts";
import type { Block } from "../src/index.ts";
import { createToy, genesis, makeHome, openToy } from "./embedded-home.ts";
import { accountKey, balanceKind, balanceOf, toyRules, toyTransaction } from "./toy-rules.ts";

const give = (nonce: number, account: number, amount: number) =>
  toyTransaction(nonce, ["give", account, amount]);

let directory: string;
let remove: () => void;
beforeEach(() => {
  ({ directory, remove } = makeHome());
});
afterEach(() => remove());

const path = () => join(directory, "ledger", "ledger.sqlite");
const reader = (pollMs = 20) => openEmbeddedReader({ directory, rulesOf: toyRules, pollMs });
const check = () => verifyEmbedded({ directory, rulesOf: toyRules });

async function filled(blocks = 8): Promise<void> {
  const ledger = await createToy(directory);
  for (let i = 0; i < blocks; i++) {
    await Promise.all([ledger.submit(give(2 * i, i % 3, 1)), ledger.submit(give(2 * i + 1, i, 2))]);
  }
  await ledger.close();
}

/**
 * Every file below DIR with its size, time of change, inode and hash; done by another process, which holds no lock of
 * ours. Not the inode's own time: SQLite under root sets a journal's owner to what it is, which turns no byte.
 */
function fingerprint(): string {
  const script = `cd ${directory} && find . | sort | xargs stat -c '%n %s %Y %i' && find . -type f | sort | xargs sha256sum`;
  const { stdout, status } = spawnSync("sh", ["-c", script], { encoding: "utf8" });
  expect(status).toBe(0);
  return stdout;
}

/** A killed writer's home: its journal is hot, and the file half written. */
function killInsideCommit(): void {
  const aside = `${directory}-aside`;
  const database = new Database(path());
  database.pragma("journal_mode = TRUNCATE");
  database.pragma("cache_size = 2");
  database.exec("BEGIN IMMEDIATE");
  database.exec("UPDATE nodes SET node = zeroblob(65)");
  database.exec("UPDATE inner_nodes SET nodes = zeroblob(1232)");
  const insert = database.prepare("INSERT INTO nodes (node) VALUES (?)");
  for (let i = 0; i < 2_000; i++) insert.run(new Uint8Array(65));
  cpSync(directory, aside, { recursive: true });
  database.exec("ROLLBACK");
  database.close();
  rmSync(directory, { recursive: true });
  renameSync(aside, directory);
  expect(statSync(`${path()}-journal`).size).toBeGreaterThan(0);
}

describe("one writer", () => {
  it("makes a ledger once, and only where there is none", async () => {
    await filled(1);
    await expect(createToy(directory)).rejects.toMatchObject({ code: "home-exists" });
    await expect(openToy(join(directory, "nowhere"))).rejects.toMatchObject({ code: "home-missing" });
    expect(existsSync(join(directory, "nowhere"))).toBe(false);
    expect(() => openEmbeddedReader({ directory: join(directory, "nowhere"), rulesOf: toyRules })).toThrow(
      expect.objectContaining({ code: "home-missing" }),
    );
  });

  it("keeps a second one out, in this process and in another, and lets it in afterwards", async () => {
    const ledger = await createToy(directory);
    await expect(openToy(directory)).rejects.toMatchObject({ code: "home-busy" });
    const script = `
      const Database = require("better-sqlite3");
      try { new Database(process.argv[1], { timeout: 0 }).exec("BEGIN EXCLUSIVE"); console.log("free"); }
      catch (error) { console.log(error.code); }`;
    const other = () => {
      const arguments_ = ["-e", script, join(directory, "run", "lock.sqlite")];
      return spawnSync(process.execPath, arguments_, { encoding: "utf8", cwd: process.cwd() }).stdout.trim();
    };
    expect(other()).toBe("SQLITE_BUSY");
    const waiting = openToy(directory, { waitMs: 5_000 });
    await ledger.close();
    const second = await waiting;
    await second.close();
    expect(other()).toBe("free");
  });

  it("works under a lock that its caller keeps", async () => {
    const lock = await takeHomeLock(directory);
    const ledger = await createToy(directory, { lock });
    await ledger.submit(give(1, 1, 1));
    await ledger.close();
    expect(tryHomeLock(directory)).toBeUndefined();
    lock.release();
    tryHomeLock(directory)!.release();
  });

  it("lets the home go again when opening fails", async () => {
    await filled(1);
    await expect(openToy(directory, { chainId: new Uint8Array(32) })).rejects.toMatchObject({
      code: "chain-altered",
    });
    await (await openToy(directory)).close();
  });

  it("shares a block among transactions that come together, and splits what is too large for one", async () => {
    const ledger = await createToy(directory);
    await Promise.all(Array.from({ length: 200 }, (_, i) => ledger.submit(give(i, i, 1))));
    expect((await ledger.head()).height).toBe(1);
    const large = (nonce: number) => toyTransaction(nonce, ["name", 1, new Uint8Array(200_000)]);
    const fits = (nonce: number) => give(nonce, 1, 1);
    await Promise.allSettled(
      Array.from({ length: 30 }, (_, i) => ledger.submit(i % 10 === 9 ? fits(500 + i) : large(i))),
    );
    expect((await ledger.head()).height).toBe(3);
    await ledger.close();
  });

  it("goes on after a commit that failed, knowing whether its block is there", async () => {
    for (const failing of ["before-transaction", "inside-transaction", "after-commit"] as const) {
      const home = makeHome();
      let armed = false;
      const stage = (at: string) => {
        if (armed && at === failing) throw new ChartsealError("ledger-unreachable", "the disk is gone");
      };
      const ledger = await createToy(home.directory, { stage });
      await ledger.submit(give(1, 1, 1));
      armed = true;
      const lost = [give(2, 1, 1), toyTransaction(3, ["take", 1, 1_000])].map((one) => ledger.submit(one));
      for (const result of await Promise.allSettled(lost)) {
        expect(result).toMatchObject({
          reason: { code: "ledger-unreachable", data: { outcome: "unknown" } },
        });
      }
      armed = false;
      const there = failing === "after-commit";
      expect((await ledger.head()).height).toBe(there ? 2 : 1);
      expect((await ledger.transaction(sha256(give(2, 1, 1)))) !== undefined).toBe(there);
      const again = ledger.submit(give(2, 1, 1));
      if (there) await expect(again).rejects.toMatchObject({ data: { name: "seen" } });
      else expect((await again).height).toBe(2);
      await ledger.submit(give(4, 1, 1));
      await ledger.close();
      expect(await verifyEmbedded({ directory: home.directory, rulesOf: toyRules })).toMatchObject({
        ok: true,
        blocks: 3,
      });
      home.remove();
    }
  });

  it("waits for nobody to answer a read while transactions wait", async () => {
    const ledger = await createToy(directory);
    const submitted = ledger.submit(give(1, 1, 1));
    expect((await ledger.head()).height).toBe(0);
    await submitted;
    await ledger.close();
  });
});

describe("a reader", () => {
  it("changes no byte below the home: reading, proving, checking, and failing", async () => {
    await filled();
    const before = fingerprint();
    const ledger = reader();
    expect((await ledger.head()).height).toBe(8);
    await ledger.prove(balanceKind, accountKey(1), 3);
    for await (const block of ledger.blocks(1)) await ledger.transaction(sha256(block.transactions[0]!));
    await expect(ledger.submit(give(99, 1, 1))).rejects.toMatchObject({ code: "ledger-unreachable" });
    await ledger.close();
    expect(await check()).toMatchObject({ ok: true, blocks: 8, transactions: 16 });
    expect(fingerprint()).toBe(before);
  });

  it("sees what a live writer made durable, whole blocks only, and is not held up by it", async () => {
    const writer = await createToy(directory);
    const ledger = reader();
    expect((await ledger.head()).height).toBe(0);
    for (let i = 1; i <= 10; i++) {
      await writer.submit(give(i, 1, 1));
      const head = await ledger.head();
      expect(head).toEqual(await writer.head());
      expect(balanceOf(await ledger.read(balanceKind, accountKey(1)))).toBe(i);
    }
    expect(await check()).toMatchObject({ ok: true, blocks: 10 });
    await ledger.close();
    await writer.submit(give(11, 1, 1));
    await writer.close();
  });

  it("watches a writer's new blocks", async () => {
    const writer = await createToy(directory);
    const ledger = reader(5);
    const seen: Block[] = [];
    const watching = (async () => {
      for await (const block of ledger.watch(1)) if (seen.push(block) === 3) break;
    })();
    for (let i = 1; i <= 3; i++) await writer.submit(give(i, 1, 1));
    await watching;
    expect(seen.map(({ header }) => header.height)).toEqual([1, 2, 3]);
    await ledger.close();
    await writer.close();
  });

  it("reads past a killed writer's half commit without repairing it, and a writer repairs it", async () => {
    await filled();
    const live = reader();
    await live.head();
    killInsideCommit();
    const before = fingerprint();
    expect(await check()).toMatchObject({ ok: true, blocks: 8 });
    const ledger = reader();
    expect((await ledger.head()).height).toBe(8);
    expect((await live.head()).height).toBe(8);
    expect(fingerprint()).toBe(before);
    const writer = await openToy(directory);
    await writer.submit(give(500, 1, 1));
    expect((await ledger.head()).height).toBe(9);
    expect((await live.head()).height).toBe(9);
    for (const open of [ledger, live, writer]) await open.close();
    expect(await check()).toMatchObject({ ok: true, blocks: 9 });
  });
});

/** What a damaged home gives: right answers, or `chain-altered`; the check must then find something. */
async function probe(expected: readonly Block[]): Promise<"whole" | "found"> {
  let altered = false;
  try {
    const ledger = reader();
    try {
      const { height } = await ledger.head();
      for (let i = 1; i <= height; i++) {
        try {
          expect(await ledger.block(i)).toEqual(expected[i - 1]);
          await ledger.prove(balanceKind, accountKey(i), i);
          for (const transaction of expected[i - 1]!.transactions)
            await ledger.transaction(sha256(transaction));
        } catch (error) {
          altered = requireAltered(error);
        }
      }
    } finally {
      await ledger.close();
    }
  } catch (error) {
    altered = requireAltered(error);
  }
  const report = await check();
  if (altered) expect(report.ok).toBe(false);
  return report.ok && report.blocks === expected.length ? "whole" : "found";
}

function requireAltered(error: unknown): true {
  if (!(error instanceof ChartsealError)) throw error;
  expect(error.code).toBe("chain-altered");
  return true;
}

describe("a damaged store", () => {
  let blocks: Block[];
  let saved: string;
  beforeEach(async () => {
    await filled();
    const ledger = reader();
    blocks = [];
    for await (const block of ledger.blocks(1)) blocks.push(block);
    await ledger.close();
    saved = `${path()}.saved`;
    copyFileSync(path(), saved);
  });
  const restore = () => copyFileSync(saved, path());

  it("that is missing, empty, cut short, or no database at all is chain-altered", async () => {
    const size = statSync(path()).size;
    const damages = [
      () => rmSync(path()),
      () => truncateSync(path(), 0),
      () => truncateSync(path(), 100),
      () => truncateSync(path(), 4096),
      () => truncateSync(path(), size - 4096),
      () => truncateSync(path(), Math.floor(size / 2) + 17),
      () => writeFileSync(path(), "hello"),
      () => writeFileSync(path(), new Uint8Array(size)),
      () => writeFileSync(path(), createHash("sha256").update("noise").digest()),
      () => {
        rmSync(path());
        mkdirSync(path());
      },
    ];
    for (const damage of damages) {
      damage();
      expect(await probe(blocks)).toBe("found");
      await expect(openToy(directory)).rejects.toMatchObject({ code: "chain-altered" });
      rmSync(path(), { recursive: true, force: true });
      restore();
    }
    expect(await probe(blocks)).toBe("whole");
  });

  it("with bytes turned anywhere gives right answers or chain-altered, and never passes the check by lying", async () => {
    const size = statSync(path()).size;
    let found = 0;
    const turn = fc.tuple(fc.nat(size - 1), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(turn, { minLength: 1, maxLength: 3 }), async (turns) => {
        restore();
        const descriptor = openSync(path(), "r+");
        const bytes = readFileSync(saved);
        for (const [at, mask] of turns) writeSync(descriptor, Uint8Array.of(bytes[at]! ^ mask), 0, 1, at);
        closeSync(descriptor);
        if ((await probe(blocks)) === "found") found++;
      }),
      { numRuns: fuzzRounds(25, 1 / 1000) },
    );
    expect(found).toBeGreaterThan(0);
  });

  it("with rows taken out or changed is found out, row by row", async () => {
    // Of a row's first node: the places of its children the other way round, and none.
    const swapped =
      "CAST(substr(nodes, 1, 65) || substr(nodes, 72, 6) || substr(nodes, 66, 6) || substr(nodes, 78) AS BLOB)";
    const pathless = "CAST(substr(nodes, 1, 65) || zeroblob(12) || substr(nodes, 78) AS BLOB)";
    const damages = [
      "DELETE FROM meta WHERE name = 'genesis'",
      "UPDATE meta SET value = zeroblob(32) WHERE name = 'genesis-root'",
      "DELETE FROM blocks WHERE height = 4",
      "UPDATE blocks SET height = 40 WHERE height = 8",
      "UPDATE blocks SET transactions = x'80' WHERE height = 4",
      "UPDATE blocks SET transactions = 'text' WHERE height = 4",
      "UPDATE blocks SET seal = x'80' WHERE height = 4",
      "UPDATE blocks SET hash = zeroblob(32) WHERE height = 8",
      "UPDATE blocks SET header = zeroblob(156) WHERE height = 4",
      "UPDATE blocks SET height = 1e300 WHERE height = 8",
      "DELETE FROM transactions WHERE height = 4",
      "UPDATE transactions SET position = 1 - position WHERE height = 4",
      "UPDATE transactions SET height = 9223372036854775807 WHERE height = 4",
      "INSERT INTO transactions VALUES (zeroblob(32), 1, 0)",
      "UPDATE blocks SET root = NULL WHERE height = 4",
      "UPDATE blocks SET root = root - 1 WHERE height = 8",
      "UPDATE blocks SET root = 1e300 WHERE height = 8",
      "UPDATE blocks SET root = 'text' WHERE height = 8",
      "DELETE FROM meta WHERE name = 'genesis-node'",
      "UPDATE nodes SET node = zeroblob(65)",
      "DELETE FROM nodes",
      "DROP TABLE nodes",
      "UPDATE inner_nodes SET nodes = zeroblob(length(nodes))",
      "UPDATE inner_nodes SET nodes = 'text'",
      "UPDATE inner_nodes SET nodes = substr(nodes, 1, length(nodes) - 1)",
      `UPDATE inner_nodes SET nodes = ${swapped}`,
      `UPDATE inner_nodes SET nodes = ${pathless}`,
      "UPDATE inner_nodes SET id = id + 100000",
      "DELETE FROM inner_nodes",
      "DROP TABLE inner_nodes",
      "CREATE TRIGGER t AFTER INSERT ON blocks BEGIN DELETE FROM blocks; END",
      "PRAGMA user_version = 1",
      "PRAGMA user_version = 2",
      "PRAGMA user_version = 4",
    ];
    for (const sql of damages) {
      const database = new Database(path());
      try {
        database.exec(sql);
      } catch (error) {
        expect([sql, String(error)]).toEqual([sql, expect.stringContaining("datatype mismatch")]);
        database.close();
        continue;
      }
      database.close();
      expect([sql, await probe(blocks)]).toEqual([sql, "found"]);
      restore();
    }
  });

  it("does not let a writer go on over damage beneath what it writes", async () => {
    const ledger = await openToy(directory);
    const database = new Database(path());
    database.exec("DELETE FROM nodes");
    database.close();
    const other = reader();
    await expect(other.read(balanceKind, accountKey(1))).rejects.toMatchObject({ code: "chain-altered" });
    await other.close();
    await ledger.close();
    const writer = await openToy(directory);
    await expect(writer.submit(give(900, 1, 1))).rejects.toMatchObject({ code: "chain-altered" });
    await writer.close();
  });

  it("holds the genesis that its chain began with, and no other", async () => {
    const other = { directory, rulesOf: () => toyRules(genesis), chainId: sha256(genesis) };
    expect(() => openEmbeddedReader(other)).toThrow(expect.objectContaining({ code: "chain-altered" }));
    expect(readdirSync(join(directory, "ledger")).sort()).toContain("ledger.sqlite");
  });
});
