/**
 * The tables of a ledger's SQLite file below DIR/ledger, format 3, and what else an engine keeps beside the chain. A
 * rollback journal and not a write-ahead log, so that a reader changes no byte (docs/decisions/embedded-store.md). Rows are written once and never changed.
 *
 * State nodes lie in the order in which they were made, children first, and know the places of their children; a block
 * knows the place of its root (node-rows.ts). Format 2 had inner nodes in `nodes` too, where they stay; the next block adds
 * the one table that it lacked. Format 1 kept nodes under their hashes; `migrate.ts` replays it.
 */
import { ChartsealError } from "@chartseal/crypto";
import type Database from "better-sqlite3";

/** What an engine's store is, and what else it holds beside the chain. */
export interface StoreKind {
  /** Its file in DIR/ledger. */
  readonly file: string;
  /** Tells its file from any other SQLite database. */
  readonly applicationId: number;
  readonly tables: readonly string[];
  /** The table with each block's commit, in a column `seal`. */
  readonly seals: "blocks" | "made";
}

/** "CSLG": the chain alone, an embedded ledger. */
export const plainStore: StoreKind = {
  file: "ledger.sqlite",
  applicationId: 0x43534c47,
  tables: [],
  seals: "blocks",
};

export const formatVersion = 3;
/** The format that is read as it is, and that the next block makes the present one of by adding a table. */
const formatBefore = 2;

/** What has not changed since format 1. */
const unchanged = [
  "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
  "CREATE TABLE transactions (identifier BLOB PRIMARY KEY, height INTEGER NOT NULL, position INTEGER NOT NULL) WITHOUT ROWID",
] as const;

/** The tables of format 2. */
const numbered = [
  ...unchanged,
  "CREATE TABLE blocks (height INTEGER PRIMARY KEY, header BLOB NOT NULL, hash BLOB NOT NULL, transactions BLOB NOT NULL, seal BLOB NOT NULL, root INTEGER)",
  "CREATE TABLE nodes (id INTEGER PRIMARY KEY, node BLOB NOT NULL, left_id INTEGER, right_id INTEGER)",
] as const;

const innerNodes = "CREATE TABLE inner_nodes (id INTEGER PRIMARY KEY, nodes BLOB NOT NULL)";

/** The tables of every format that there was. */
const formats: Readonly<Record<number, readonly string[]>> = {
  1: [
    ...unchanged,
    "CREATE TABLE blocks (height INTEGER PRIMARY KEY, header BLOB NOT NULL, hash BLOB NOT NULL, transactions BLOB NOT NULL, seal BLOB NOT NULL)",
    "CREATE TABLE nodes (hash BLOB PRIMARY KEY, node BLOB NOT NULL) WITHOUT ROWID",
  ],
  [formatBefore]: numbered,
  [formatVersion]: [...numbered, innerNodes],
};

export function createSchema(database: Database.Database, kind: StoreKind = plainStore): void {
  for (const table of [...formats[formatVersion]!, ...kind.tables]) database.exec(table);
  database.pragma(`application_id = ${kind.applicationId}`);
  database.pragma(`user_version = ${formatVersion}`);
}

/** Settings of a connection. None of them changes the file but the journal mode, which only a writer sets. */
export function configure(database: Database.Database, writes: boolean): void {
  database.pragma("trusted_schema = OFF");
  database.pragma("cell_size_check = ON");
  database.pragma("cache_size = -32000");
  if (!writes) return;
  database.pragma("journal_mode = TRUNCATE");
  database.pragma("synchronous = EXTRA");
  database.pragma("cache_spill = OFF");
}

/** True for a database in which nothing was ever made. */
export function isBlank(database: Database.Database): boolean {
  const count = database.prepare("SELECT count(*) FROM sqlite_schema").pluck().get();
  return count === 0 && database.pragma("application_id", { simple: true }) === 0;
}

/**
 * The format of the tables, which are exactly ours: a trigger or a view would run with every statement.
 * @throws ChartsealError `chain-altered`
 */
export function formatOf(database: Database.Database, kind: StoreKind = plainStore): number {
  // Together: a writer may add a table meanwhile.
  const look = database.transaction(() => ({
    found: database.prepare("SELECT sql FROM sqlite_schema").pluck().all(),
    id: database.pragma("application_id", { simple: true }),
    version: Number(database.pragma("user_version", { simple: true })),
  }));
  const { found, id, version } = look();
  const tables = [...(formats[version] ?? []), ...kind.tables];
  const same =
    version in formats && found.length === tables.length && tables.every((table) => found.includes(table));
  if (same && id === kind.applicationId) return version;
  throw new ChartsealError("chain-altered", "the ledger's store is not one that this program made");
}

/** Whether a store of that format is read as it is. */
export function isRead(format: number): boolean {
  return format === formatVersion || format === formatBefore;
}

/** That the tables are of a format that is read as it is. @throws ChartsealError `chain-altered`, `home-outdated` */
export function checkSchema(database: Database.Database, kind: StoreKind = plainStore): void {
  const format = formatOf(database, kind);
  if (isRead(format)) return;
  throw new ChartsealError("home-outdated", "the ledger was written by an earlier version of this program", {
    data: { format, current: formatVersion },
    hint: "Run chartseal migrate once; it keeps the old file beside the new one.",
  });
}

/** In the transaction of a block: makes a store of the format before, whose tables were checked, one of the present format. */
export function extend(database: Database.Database): void {
  if (database.pragma("user_version", { simple: true }) !== formatBefore) return;
  database.exec(innerNodes);
  database.pragma(`user_version = ${formatVersion}`);
}
