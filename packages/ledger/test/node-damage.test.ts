/** Rows of nodes of the state tree that are missing, lead elsewhere or lie where none can: the check finds each, whoever reads it. */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { verifyEmbedded } from "../src/embedded/index.ts";
import { createToy, makeHome, openToy } from "./embedded-home.ts";
import { type InnerRecord, innerRecords, leadAstray, leadTo, overwrite, placeOf } from "./inner-rows.ts";
import { toyRules, toyTransaction } from "./toy-rules.ts";

let directory: string;
let remove: () => void;
const path = () => join(directory, "ledger", "ledger.sqlite");
const check = () => verifyEmbedded({ directory, rulesOf: toyRules });
const give = (nonce: number, account: number, amount: number) =>
  toyTransaction(nonce, ["give", account, amount]);

describe("a store of nodes", () => {
  const saved = () => `${path()}.saved`;
  const restore = () => copyFileSync(saved(), path());
  beforeEach(async () => {
    ({ directory, remove } = makeHome());
    const ledger = await createToy(directory);
    for (let i = 0; i < 8; i++) {
      await Promise.all([ledger.submit(give(2 * i, i % 3, 1)), ledger.submit(give(2 * i + 1, i, 2))]);
    }
    await ledger.close();
    copyFileSync(path(), saved());
  });
  afterEach(() => remove());

  it("with any single node missing is found by the check, though nothing may read that node", async () => {
    const database = new Database(path(), { readonly: true });
    const leaves = database.prepare("SELECT id FROM nodes").pluck().all() as number[];
    const inner = innerRecords(database);
    database.close();
    const some = <T>(all: readonly T[]) => all.filter((_, at) => at % Math.ceil(all.length / 12) === 0);
    const damages = [
      ...some(leaves).map((id) => (writable: Database.Database) => {
        writable.prepare("DELETE FROM nodes WHERE id = ?").run(id);
      }),
      ...some(inner).map((record) => (writable: Database.Database) => {
        overwrite(writable, record, new Uint8Array(77));
      }),
    ];
    expect(damages.length).toBeGreaterThan(16);
    for (const damage of damages) {
      const writable = new Database(path());
      damage(writable);
      writable.close();
      const report = await check();
      expect(report.ok).toBe(false);
      restore();
    }
  });

  it("with any single way to a node gone astray is found by the check, also where no block went that way again", async () => {
    const database = new Database(path(), { readonly: true });
    const ways = innerRecords(database).flatMap((record) =>
      ([0, 1] as const).filter((side) => record.places[side] > 0).map((side) => ({ record, side })),
    );
    database.close();
    expect(ways.length).toBeGreaterThan(50);
    for (const { record, side } of ways.filter((_, at) => at % 5 === 0)) {
      const writable = new Database(path());
      leadAstray(writable, record, side);
      writable.close();
      expect([record.row, record.slot, side, (await check()).ok]).toEqual([
        record.row,
        record.slot,
        side,
        false,
      ]);
      restore();
    }
  });

  /** Has a way of the last block lead to a copy of what was there before: nobody went it again. */
  function leadToCopy(copyOf: (child: InnerRecord) => Uint8Array): void {
    const database = new Database(path());
    const records = innerRecords(database);
    const by = new Map(records.map((record) => [placeOf(record), record]));
    const rootBefore = database.prepare("SELECT root FROM blocks WHERE height = 7").pluck().get() as number;
    const ways = records
      .filter((record) => placeOf(record) > rootBefore)
      .flatMap((record) =>
        ([0, 1] as const).map((side) => ({ record, side, child: by.get(record.places[side]) })),
      )
      .filter(({ child }) => child !== undefined && placeOf(child) <= rootBefore && child.places[0] > 0);
    expect(ways.length).toBeGreaterThan(0);
    const { record, side, child } = ways[0]!;
    const insert = database.prepare("INSERT INTO inner_nodes (nodes) VALUES (?)");
    leadTo(database, record, side, 2 ** 40 + 16 * Number(insert.run(copyOf(child!)).lastInsertRowid));
    database.close();
  }

  it("with a way that leads to a copy of its node, from which no way goes on, is found by the check", async () => {
    leadToCopy(({ node }) => Buffer.concat([node, new Uint8Array(12)]));
    const { ok, findings } = await check();
    expect([ok, findings[0]?.detail]).toEqual([false, "a node of the state tree is missing"]);
  });

  it("with a way that leads to a whole copy of its node is sound: one node may lie in several places", async () => {
    leadToCopy(({ node, places: [left, right] }) => {
      const ways = Buffer.alloc(12);
      ways.writeUIntBE(left, 0, 6);
      ways.writeUIntBE(right, 6, 6);
      return Buffer.concat([node, ways]);
    });
    expect(await check()).toMatchObject({ ok: true, findings: [], stateCheckedTo: 8 });
  });

  const outOfPlace = {
    nodes: [-5, 0, 2 ** 40 - 2, 2 ** 40],
    inner_nodes: [-5, 2 ** 44 - 2 ** 36 - 2, 2 ** 44 - 2 ** 36, 2 ** 53],
  } as const;
  it.each(["nodes", "inner_nodes"] as const)(
    "with a row of %s where no place leads is found by the check, and no block is stored behind it",
    async (table) => {
      for (const row of outOfPlace[table]) {
        const database = new Database(path());
        database
          .prepare(`INSERT INTO ${table} VALUES (?, x'00'${table === "nodes" ? ", NULL, NULL" : ""})`)
          .run(BigInt(row));
        database.close();
        expect([row, (await check()).ok]).toEqual([row, false]);
        if (row > 0) {
          const writer = await openToy(directory);
          await expect(writer.submit(give(900, 77, 1))).rejects.toMatchObject({ code: "chain-altered" });
          await writer.close();
        }
        restore();
      }
    },
  );
});
