/**
 * The tables of DIR/ledger/ledger.sqlite, format 1. A rollback journal and not a write-ahead log, so that a reader
 * changes no byte (docs/decisions/embedded-store.md). Rows are written once and never changed.
 */
import { ChartsealError } from "@chartseal/crypto";
import type Database from "better-sqlite3";

/** "CSLG": tells this file from any other SQLite database. */
const applicationId = 0x43534c47;
const formatVersion = 1;

const tables = [
  "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
  "CREATE TABLE blocks (height INTEGER PRIMARY KEY, header BLOB NOT NULL, hash BLOB NOT NULL, transactions BLOB NOT NULL, seal BLOB NOT NULL)",
  "CREATE TABLE transactions (identifier BLOB PRIMARY KEY, height INTEGER NOT NULL, position INTEGER NOT NULL) WITHOUT ROWID",
  "CREATE TABLE nodes (hash BLOB PRIMARY KEY, node BLOB NOT NULL) WITHOUT ROWID",
] as const;

export function createSchema(database: Database.Database): void {
  for (const table of tables) database.exec(table);
  database.pragma(`application_id = ${applicationId}`);
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
 * That the tables are exactly ours: a trigger or a view would run with every statement.
 * @throws ChartsealError `chain-altered`
 */
export function checkSchema(database: Database.Database): void {
  const found = database.prepare("SELECT sql FROM sqlite_schema").pluck().all();
  const id = database.pragma("application_id", { simple: true });
  const version = database.pragma("user_version", { simple: true });
  const same = found.length === tables.length && tables.every((table) => found.includes(table));
  if (same && id === applicationId && version === formatVersion) return;
  throw new ChartsealError("chain-altered", "the ledger's store is not one that this program made");
}
