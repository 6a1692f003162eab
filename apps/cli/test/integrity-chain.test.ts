/**
 * verify on a ledger that somebody changed with the database's own tools or a hex editor: every alteration is found,
 * located and explained, nothing below the home changes, and nobody meets a stack trace.
 */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { init } from "../src/operations/init.ts";
import type { Verified } from "../src/operations/verify.ts";
import { passphrase, run, treeHash } from "./care-home.ts";

let folder = "";
let sound = "";
/** The same home one transaction earlier. */
let older = "";
const home = () => join(folder, "tampered");
const ledgerPath = (of: string) => join(of, "ledger", "ledger.sqlite");

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "chartseal-integrity-"));
  sound = join(folder, "sound");
  older = join(folder, "older");
  await init(sound, { name: "clinic", nodes: 3, threshold: 2, passphrase, now: Date.now });
  cpSync(sound, older, { recursive: true });
  expect((await run(["--home", sound, "member", "add", "alice", "--json"])).code).toBe(0);
  expect((await run(["--home", sound, "namespace", "add", "cedars", "--json"])).code).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Verifies a copy of the home after a change to it; no byte of it may change by that. */
async function tampered(change: () => void): Promise<Verified> {
  rmSync(home(), { recursive: true, force: true });
  cpSync(sound, home(), { recursive: true });
  change();
  const before = treeHash(home());
  const ran = await run(["--home", home(), "verify", "--json"], { CHARTSEAL_PASSPHRASE: undefined });
  expect(treeHash(home())).toBe(before);
  const value = ran.json() as Verified;
  expect(ran.err).toMatch(value.ok ? /^$/ : /^chartseal: [a-z]+-(altered|missing): \d+ findings?[^\n]*\n$/);
  expect(Object.keys(value)).toEqual([
    "ok",
    "blocks",
    "transactions",
    "records",
    "objects",
    "orphans",
    "findings",
  ]);
  expect(ran.code).toBe(value.ok ? 0 : 4);
  for (const { detail, remedy } of value.findings) {
    expect(detail).not.toBe("");
    expect(remedy).not.toBe("");
  }
  return value;
}

function sql(work: (database: DatabaseSync) => void): () => void {
  return () => {
    const database = new DatabaseSync(ledgerPath(home()));
    work(database);
    database.close();
  };
}

type Column = "header" | "hash" | "transactions" | "seal";

/** Turns one bit of a column of a block. A negative place counts from the end. */
function flip(column: Column, height: number, at: number): () => void {
  return sql((database) => {
    const row = database.prepare(`SELECT ${column} AS bytes FROM blocks WHERE height = ?`).get(height);
    const bytes = Uint8Array.from(row?.bytes as Uint8Array);
    bytes[at < 0 ? bytes.length + at : at]! ^= 1;
    database.prepare(`UPDATE blocks SET ${column} = ? WHERE height = ?`).run(bytes, height);
  });
}

const kinds = ({ findings }: Verified) => findings.map(({ kind }) => kind);

test("a sound home has no findings, whatever the passphrase", async () => {
  const value = await tampered(() => {});
  expect(value).toMatchObject({ ok: true, findings: [], records: 0, orphans: 0 });
  expect(value.blocks).toBeGreaterThan(12);
  expect(value.transactions).toBeGreaterThan(value.blocks);
});

describe("one bit of a block's header", () => {
  const places = {
    version: 3,
    height: 11,
    previousHash: 20,
    merkleRoot: 50,
    stateRoot: 80,
    timestampMs: 115,
    size: 119,
    transactionCount: 123,
    proposer: 130,
  };
  for (const [field, at] of Object.entries(places)) {
    test(`in ${field} is found in that field of that block, and nowhere else`, async () => {
      const { findings } = await tampered(flip("header", 9, at));
      expect(findings).toEqual([expect.objectContaining({ kind: "chain-header", height: 9, field })]);
    });
  }

  test("of the last block is found too, and the objects are checked all the same", async () => {
    let height = 0;
    await tampered(
      sql((database) => {
        height = Number(database.prepare("SELECT max(height) AS height FROM blocks").get()?.height);
      }),
    );
    const value = await tampered(flip("header", height, 50));
    expect(value.findings).toEqual([
      expect.objectContaining({ kind: "chain-header", height, field: "merkleRoot" }),
    ]);
  });
});

describe("one bit beside the header", () => {
  test("in the stored hash, the commit's signature or its key is told from an altered header", async () => {
    expect((await tampered(flip("hash", 9, 4))).findings).toEqual([
      expect.objectContaining({ kind: "chain-header", height: 9, field: "hash" }),
    ]);
    for (const at of [8, -3]) {
      expect((await tampered(flip("seal", 9, at))).findings).toEqual([
        expect.objectContaining({ kind: "chain-commit", height: 9 }),
      ]);
    }
  });

  test("in a transaction is found in that transaction: in its body by the index, outside it by its signature", async () => {
    let height = 0;
    let transactions: Uint8Array = new Uint8Array(0);
    await tampered(
      sql((database) => {
        const row = database
          .prepare("SELECT height, transactions FROM blocks ORDER BY length(header), height LIMIT 1 OFFSET 2")
          .get();
        height = Number(row?.height);
        transactions = row?.transactions as Uint8Array;
      }),
    );
    // 0x83: an array of three transactions, which the rounds of the three key generations share.
    expect(transactions[0]).toBe(0x83);
    const first = await tampered(flip("transactions", height, 60));
    expect(first.findings).toEqual([
      expect.objectContaining({ kind: "chain-transaction", height, transaction: 0 }),
    ]);
    const last = await tampered(flip("transactions", height, -30));
    expect(last.findings).toEqual([
      expect.objectContaining({ kind: "chain-transaction", height, transaction: 2 }),
    ]);
  });

  test("that leaves no transactions to read is found in that block", async () => {
    const { findings } = await tampered(flip("transactions", 9, 0));
    expect(findings).toContainEqual(
      expect.objectContaining({ kind: "chain-transaction", height: 9, field: "transactions" }),
    );
  });
});

describe("rows", () => {
  test("a state node that was changed is found at a block that made it", async () => {
    const value = await tampered(
      sql((database) => {
        const row = database.prepare("SELECT id, nodes FROM inner_nodes LIMIT 1 OFFSET 8").get();
        const bytes = Uint8Array.from(row?.nodes as Uint8Array);
        bytes[64]! ^= 1;
        database.prepare("UPDATE inner_nodes SET nodes = ? WHERE id = ?").run(bytes, row?.id as number);
      }),
    );
    expect(kinds(value)).toContain("chain-state");
    expect(value.findings[0]?.height ?? 0).toBeGreaterThanOrEqual(0);
  });

  test("a block that was deleted is missing, an index entry that was deleted is named", async () => {
    const gone = await tampered(sql((database) => database.exec("DELETE FROM blocks WHERE height = 7")));
    expect(gone.findings).toContainEqual(expect.objectContaining({ kind: "chain-missing", height: 7 }));
    const unlisted = await tampered(
      sql((database) => database.exec("DELETE FROM transactions WHERE height = 9 AND position = 0")),
    );
    expect(unlisted.findings).toContainEqual(
      expect.objectContaining({ kind: "chain-store", height: 9, transaction: 0 }),
    );
  });

  test("a table more is not this program's store", async () => {
    expect(kinds(await tampered(sql((database) => database.exec("CREATE TABLE more (x)"))))).toEqual([
      "chain-store",
    ]);
  });
});

describe("an older chain", () => {
  test("is sound in itself, and a member who saw more shows it", async () => {
    const cut = await tampered(
      sql((database) => {
        const last = Number(database.prepare("SELECT max(height) AS height FROM blocks").get()?.height);
        database.exec(`DELETE FROM blocks WHERE height >= ${last - 2}`);
        database.exec(`DELETE FROM transactions WHERE height >= ${last - 2}`);
        writeFileSync(
          join(home(), "members", "alice", "head.json"),
          JSON.stringify({ height: last, hash: "ab".repeat(32) }),
        );
      }),
    );
    expect(cut.findings).toEqual([expect.objectContaining({ kind: "chain-rollback", member: "alice" })]);
  });

  test("a whole ledger put in the place of the newer one is found the same way", async () => {
    const value = await tampered(() => {
      const head = join(home(), "members", "alice", "head.json");
      if (!existsSync(head)) writeFileSync(head, JSON.stringify({ height: 999, hash: "cd".repeat(32) }));
      cpSync(ledgerPath(older), ledgerPath(home()));
    });
    expect(kinds(value)).toEqual(["chain-rollback"]);
  });

  test("another history that a member never saw is a fork", async () => {
    const value = await tampered(() => {
      writeFileSync(
        join(home(), "members", "alice", "head.json"),
        JSON.stringify({ height: 5, hash: "ef".repeat(32) }),
      );
    });
    expect(value.findings).toEqual([
      expect.objectContaining({ kind: "chain-fork", height: 5, member: "alice" }),
    ]);
  });

  test("a head that cannot be read is said to be so", async () => {
    const value = await tampered(() => writeFileSync(join(home(), "members", "alice", "head.json"), "{}"));
    expect(value.findings).toEqual([expect.objectContaining({ kind: "home-file", member: "alice" })]);
  });
});

describe("the database as a file", () => {
  test("missing, empty, text, or cut short is a finding and no failure", async () => {
    const path = () => ledgerPath(home());
    const damages: (() => void)[] = [
      () => rmSync(path()),
      () => truncateSync(path(), 0),
      () => writeFileSync(path(), "hello, world\n".repeat(1000)),
      () => truncateSync(path(), 20_000),
      () => truncateSync(path(), 4096),
    ];
    for (const damage of damages) {
      const value = await tampered(damage);
      expect(value.ok).toBe(false);
      expect(kinds(value).every((kind) => kind.startsWith("chain-"))).toBe(true);
    }
  });

  test("with bytes turned anywhere gives findings or changes nothing that counts", async () => {
    const { length } = readFileSync(ledgerPath(sound));
    let found = 0;
    for (let round = 0; round < 6; round++) {
      const at = Math.floor(((round + 0.5) / 6) * length);
      const value = await tampered(() => {
        const bytes = readFileSync(ledgerPath(home()));
        for (let offset = 0; offset < 16; offset++) bytes[at + offset]! ^= 0xff;
        writeFileSync(ledgerPath(home()), bytes);
      });
      if (!value.ok) found++;
    }
    // Free space in pages is nobody's data.
    expect(found).toBeGreaterThan(2);
  });
});

describe("the files beside the ledger", () => {
  const rewrite = (name: string, change: (text: string) => string) => () => {
    const path = join(home(), name);
    writeFileSync(path, change(readFileSync(path, "latin1")), "latin1");
  };
  const cases: Record<string, [() => void, RegExp]> = {
    "config.json with another chain id": [
      rewrite("config.json", (text) => {
        // Whatever the id begins with, it begins with something else afterwards.
        return text.replace(/(?<="chainId": ")./, (digit) => (digit === "0" ? "1" : "0"));
      }),
      /config\.json/,
    ],
    "config.json that is no JSON": [rewrite("config.json", () => "{"), /config\.json/],
    "config.json that is gone": [() => rmSync(join(home(), "config.json")), /config\.json/],
    "genesis.cbor with one bit turned": [
      rewrite(
        "genesis.cbor",
        (text) => text.slice(0, 30) + String.fromCharCode(text.charCodeAt(30) ^ 1) + text.slice(31),
      ),
      /genesis\.cbor/,
    ],
    "genesis.cbor that is gone": [() => rmSync(join(home(), "genesis.cbor")), /genesis\.cbor/],
    "the genesis in the ledger": [
      sql((database) => database.exec("UPDATE meta SET value = zeroblob(9) WHERE name = 'genesis'")),
      /ledger/,
    ],
  };
  for (const [name, [damage, detail]] of Object.entries(cases)) {
    test(`${name}: the one that differs is named, the chain is checked by the others`, async () => {
      const value = await tampered(damage);
      expect(value.findings).toEqual([expect.objectContaining({ kind: "chain-genesis" })]);
      expect(value.findings[0]?.detail).toMatch(detail);
      expect(value.blocks).toBeGreaterThan(12);
    });
  }

  test("a folder that holds no home is home-missing", async () => {
    const ran = await run(["--home", join(folder, "nothing"), "verify", "--json"]);
    expect(ran.code).toBe(2);
    expect(ran.json()).toMatchObject({ error: { code: "home-missing" } });
  });
});
