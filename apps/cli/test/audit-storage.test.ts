/** audit storage: objects damaged on disk are found, recorded and alarmed; by hand, by a stranger, and by the server's rota. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fromHex } from "@chartseal/crypto";
import { headerName } from "@chartseal/sharing";
import { describe, expect, test } from "vitest";
import { openHome } from "../src/home/home.ts";
import { startRota } from "../src/operations/audit-rota.ts";
import { serveConfig, startServing } from "../src/operations/serve.ts";
import { openAuditJournal } from "../src/services/audit-journal.ts";
import { type OwnSession, openSession } from "../src/services/session.ts";
import { actionsOf, cases, passphrase, run, treeHash } from "./care-home.ts";

const { place, at, cli } = cases();
const none = { CHARTSEAL_PASSPHRASE: undefined };

const addressOf = async (): Promise<string> => (await cli("record", "show", place.record)).json().address;
const objectPath = (name: string): string => join(place.home, "provider", "objects", name);

/** Changes one byte of the record's payload, in its third chunk, and tells where the object lies. */
async function damage(name?: string): Promise<string> {
  const path = objectPath(name ?? (await addressOf()));
  const bytes = readFileSync(path);
  const where = name === undefined ? 600_000 : 30;
  bytes[where]! ^= 1;
  writeFileSync(path, bytes);
  return path;
}

describe("by hand", () => {
  test("needs no passphrase, passes, and changes nothing but its own journal", async () => {
    const before = treeHash(join(place.home, "provider"));
    const audited = await run(["--home", place.home, "audit", "storage", "--json"], none);
    expect(audited.json()).toMatchObject({
      ok: true,
      records: 1,
      challenges: 460,
      chunks: 3,
      auditId: null,
      failed: [],
      unanswered: [],
    });
    expect(audited.code).toBe(0);
    expect(treeHash(join(place.home, "provider"))).toBe(before);
    const journal = openAuditJournal(openHome(place.home).paths);
    expect(await journal.lastGoodAudit(fromHex(place.record))).toMatchObject({ version: 1, chunks: 3 });
    expect(readdirSync(join(place.home, "audits"))).toHaveLength(1);
  });

  test("finds a changed byte with its chunk, and the journal keeps when the record was good", async () => {
    await cli("audit", "storage");
    const journal = openAuditJournal(openHome(place.home).paths);
    const good = await journal.lastGoodAudit(fromHex(place.record));
    await damage();
    const audited = await cli("audit", "storage", place.record);
    expect([audited.code, audited.json()]).toMatchObject([
      4,
      { ok: false, failed: [{ recordId: place.record, code: "object-altered", chunks: [2] }] },
    ]);
    expect(await journal.lastGoodAudit(fromHex(place.record))).toEqual(good);
    const text = await run(["--home", place.home, "audit", "storage"], none);
    expect(text.out).toContain("1 record failed");
  });

  test("the journal drops a run when later ones found all of its records good, and no other", async () => {
    const journal = openAuditJournal(openHome(place.home).paths);
    const add = async (atMs: number, outcomes: Readonly<Record<string, "held" | "failed">>) => {
      const records = Object.entries(outcomes).map(([recordId, outcome]) => {
        return { recordId, version: 1, outcome, chunks: 1, wrong: [], code: null };
      });
      const hex = { provider: "00".repeat(20), seedHash: "00".repeat(32), nonce: "00".repeat(32) };
      await journal.add({ ...hex, auditId: null, seedHeight: atMs, atMs, challenges: 1, records });
    };
    const [a, b] = ["aa".repeat(32), "bb".repeat(32)] as const;
    await add(1, { [a]: "held", [b]: "held" });
    await add(2, { [a]: "held" });
    for (let atMs = 3; atMs < 20; atMs++) await add(atMs, { [a]: "held", [b]: "failed" });
    // The first alone knows when b was good; the second knows nothing that is not known better.
    expect(readdirSync(join(place.home, "audits"))).toHaveLength(18);
    for (const reader of [journal, openAuditJournal(openHome(place.home).paths)]) {
      expect(await reader.lastGoodAudit(fromHex(b))).toMatchObject({ seedHeight: 1 });
      expect(await reader.lastGoodAudit(fromHex(a))).toMatchObject({ seedHeight: 19 });
    }
  });

  test("leaf hashes that are gone are made again beside the home's bytes", async () => {
    rmSync(join(place.home, "provider", "leaves"), { recursive: true });
    const before = treeHash(join(place.home, "provider"));
    expect((await cli("audit", "storage")).json()).toMatchObject({ ok: true, chunks: 3 });
    expect(treeHash(join(place.home, "provider"))).toBe(before);
  });

  test("a missing object and a damaged header are findings", async () => {
    const path = await damage(headerName(await addressOf()));
    expect((await cli("audit", "storage")).json().failed).toMatchObject([{ code: "header-altered" }]);
    rmSync(path);
    expect((await cli("audit", "storage")).json().failed).toMatchObject([{ code: "object-missing" }]);
  });

  test("recorded: an alert stands on the ledger, records and status show it until it holds again", async () => {
    cpSync(objectPath(await addressOf()), at("good"));
    const path = await damage();
    const audited = await cli("audit", "storage", "--record");
    expect([audited.code, audited.json().auditId]).toEqual([4, expect.stringMatching(/^[0-9a-f]{64}$/)]);
    const alerts = actionsOf((await cli("ledger", "export")).out).filter(({ kind }) => kind === "alert");
    expect(alerts).toMatchObject([{ alert: "object-altered", recordId: fromHex(place.record) }]);
    expect((await cli("status")).json()).toMatchObject({ failedAudits: 1, alerts: 1 });
    expect((await cli("records")).json().failedAudit).toBeGreaterThan(0);
    expect((await run(["--home", place.home, "records"])).out).toContain("failed the audit of block");
    expect((await cli("verify")).code).toBe(4);
    cpSync(at("good"), path);
    expect((await cli("audit", "storage", "--record")).json()).toMatchObject({ ok: true });
    expect((await cli("status")).json()).toMatchObject({ failedAudits: 0, alerts: 1 });
    expect((await cli("verify")).json()).toMatchObject({ ok: true });
  });

  test("an owner records it in the owner's own name", async () => {
    await damage();
    expect((await cli("audit", "storage", "--record", "--as", "alice")).code).toBe(4);
    // carol has no office and no record: what she found is shown to her, and the ledger takes no word of it.
    const carol = await cli("audit", "storage", "--record", "--as", "carol");
    expect([carol.code, carol.json().error.code]).toEqual([2, "input-invalid"]);
  });

  test("refuses what it cannot do, in CONTRACT's order", async () => {
    const refused = async (...argv: string[]): Promise<unknown> => {
      const { code, json } = await cli("audit", "storage", ...argv);
      return [code, json().error.code];
    };
    expect(await refused("--challenges", "0")).toEqual([2, "input-invalid"]);
    expect(await refused("--challenges", "1001")).toEqual([2, "input-invalid"]);
    expect(await refused("--sample", "some")).toEqual([2, "input-invalid"]);
    expect(await refused("00")).toEqual([2, "record-unknown"]);
    expect(await refused("00".repeat(32))).toEqual([2, "record-unknown"]);
    expect(await refused("--as", "alice")).toEqual([2, "input-invalid"]);
    expect(await refused("--record", "--as", "nobody")).toEqual([2, "member-unknown"]);
    expect(await refused("--provider", "ftp://127.0.0.1")).toEqual([2, "input-invalid"]);
    expect(await refused("--provider", "http://127.0.0.1:9")).toEqual([5, "provider-unreachable"]);
    expect(await refused("--genesis", "genesis.cbor")).toEqual([2, "input-invalid"]);
    const missing = await run(["--home", at("nowhere"), "audit", "storage", "--challenges", "0", "--json"]);
    expect(missing.json().error.code).toBe("home-missing");
    await cli("erase", place.record, "--as", "alice");
    expect(await refused(place.record)).toEqual([3, "erased"]);
    expect((await cli("audit", "storage")).json()).toMatchObject({ ok: true, records: 0 });
  });
});

const session = (): Promise<OwnSession> => openSession(openHome(place.home), { passphrase, waitMs: 0 });

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (await holds()) return;
    await sleep(25);
  }
  throw new Error("it did not come to that");
}

describe("under serve", () => {
  test("a stranger with an address and a genesis, and no home, audits and finds", async () => {
    const address = await addressOf();
    const genesis = join(place.home, "genesis.cbor");
    const serving = await startServing(await session(), {
      config: await serveConfig({}),
      version: "0",
      log: { write: () => {} },
      logLevel: "error",
      audits: { everyMs: 0, bytesPerSecond: 1 },
    });
    try {
      const asked = ["audit", "storage", "--provider", serving.address, "--genesis", genesis, "--json"];
      const stranger = () => run(["--home", at("nowhere"), ...asked], none);
      expect((await stranger()).json()).toMatchObject({ ok: true, records: 1, chunks: 3 });
      await damage(address);
      const bytes = readFileSync(objectPath(address));
      bytes[300_000]! ^= 1;
      writeFileSync(objectPath(address), bytes);
      expect([(await stranger()).code, (await stranger()).json().failed]).toMatchObject([
        4,
        [{ recordId: place.record, chunks: [0, 1] }],
      ]);
      // With the home's own ledger, beside its server.
      const beside = await cli("audit", "storage", "--provider", serving.address);
      expect(beside.json().failed).toHaveLength(1);
      // The provider's key is the server's, which signs for it; a member records with its own.
      expect((await cli("audit", "storage", "--record")).json().failed).toHaveLength(1);
      expect((await cli("status")).json()).toMatchObject({ failedAudits: 1, alerts: 1 });
      expect((await cli("audit", "storage", "--record", "--as", "alice")).json().failed).toHaveLength(1);
    } finally {
      await serving.stop();
    }
  });

  test("the rota finds what was damaged, and the alert stands with nobody there", async () => {
    await damage();
    const log: string[] = [];
    const serving = await startServing(await session(), {
      config: await serveConfig({}),
      version: "0",
      log: { write: (line) => void log.push(line) },
      logLevel: "warn",
      audits: { everyMs: 400, bytesPerSecond: 2 ** 30 },
    });
    try {
      await until(async () => (await cli("status")).json().alerts > 0);
    } finally {
      await serving.stop();
    }
    expect((await cli("status")).json()).toMatchObject({ failedAudits: 1 });
    expect((await cli("records")).json().failedAudit).toBeGreaterThan(0);
    expect(log.join("")).toContain("chunk 2");
  });

  test("repair follows, the record is asked for again, and the mark goes", async () => {
    cpSync(objectPath(await addressOf()), at("good"));
    const path = await damage();
    const own = await session();
    const log: string[] = [];
    const journal = openAuditJournal(own.home.paths);
    const repaired: Uint8Array[] = [];
    const repair = async (recordId: Uint8Array): Promise<boolean> => {
      repaired.push(recordId);
      cpSync(at("good"), path);
      return true;
    };
    const tools = { journal, repair, log: { write: (line: string) => void log.push(line) } };
    const rota = startRota(own, { everyMs: 400, bytesPerSecond: 2 ** 30 }, tools);
    try {
      await until(async () => log.some((line) => line.includes("audited after repair")));
    } finally {
      await rota.stop();
      await own.close();
    }
    expect(repaired).toEqual([fromHex(place.record)]);
    expect((await cli("status")).json()).toMatchObject({ failedAudits: 0, alerts: 1 });
    expect((await cli("verify")).json().ok).toBe(true);
  });

  test("one of three places is lost: found while the record can still be read, and made again by the rota", async () => {
    for (const name of ["attic", "barn", "cellar"]) {
      mkdirSync(at(name));
      const place = ["--kind", "folder", "--region", "eu", "--path", at(name)];
      expect((await cli("provider", "place", "add", name, ...place)).code).toBe(0);
    }
    writeFileSync(at("note.txt"), "x".repeat(400_000));
    const policy = ["--policy", "alice@self", "--split", "2of3"];
    const { recordId } = (await cli("seal", at("note.txt"), "--owner", "alice", ...policy)).json();
    expect((await cli("audit", "storage", recordId)).json()).toMatchObject({ ok: true, chunks: 2 });
    for (const name of readdirSync(at("barn"))) rmSync(join(at("barn"), name), { recursive: true });
    const audited = await cli("audit", "storage", recordId);
    expect([audited.code, audited.json().failed]).toMatchObject([4, [{ recordId, code: "object-missing" }]]);
    const log: string[] = [];
    const serving = await startServing(await session(), {
      config: await serveConfig({}),
      version: "0",
      log: { write: (line) => void log.push(line) },
      logLevel: "info",
      audits: { everyMs: 400, bytesPerSecond: 2 ** 30 },
    });
    try {
      await until(async () => log.some((line) => line.includes("audited after repair")));
    } finally {
      await serving.stop();
    }
    expect((await cli("status")).json()).toMatchObject({ failedAudits: 0, alerts: 1 });
    expect((await cli("audit", "storage", recordId)).json().ok).toBe(true);
    rmSync(at("attic"), { recursive: true });
    expect((await cli("open", recordId, "--as", "alice")).json().bytes).toBe(400_000);
  });

  test("a record is not asked for before its time, and the rate bounds how fast", async () => {
    const own = await session();
    const journal = openAuditJournal(own.home.paths);
    const log: string[] = [];
    const tools = { journal, log: { write: (line: string) => void log.push(line) } };
    const slow = startRota(own, { everyMs: 86_400_000, bytesPerSecond: 2 ** 30 }, tools);
    await sleep(200);
    await slow.stop();
    expect(log).toEqual([]);
    // 620 kB at 400 kB a second take a second and a half; told to stop, it does not wait for that.
    const started = performance.now();
    const bounded = startRota(own, { everyMs: 100, bytesPerSecond: 400_000 }, tools);
    await until(async () => performance.now() - started > 600);
    expect(log).toEqual([]);
    await until(async () => log.length > 0);
    expect(performance.now() - started).toBeGreaterThan(1400);
    await bounded.stop();
    await own.close();
  });
});
