/**
 * What the database says, in the project's codes: busy is `home-busy`; a disk that is full or a file that may not be
 * touched is `ledger-unreachable`; everything else is damage, whatever the database calls it: `chain-altered`.
 */
import { ChartsealError } from "@chartseal/crypto";
import Database from "better-sqlite3";

const unreachable = [
  "SQLITE_FULL",
  "SQLITE_PERM",
  "SQLITE_READONLY",
  "SQLITE_AUTH",
  "SQLITE_CANTOPEN",
  "SQLITE_IOERR",
];

/** True for an error of the database with that code or an extended form of it. */
export function hasSqliteCode(error: unknown, ...codes: string[]): boolean {
  if (!(error instanceof Database.SqliteError)) return false;
  return codes.some((code) => error.code === code || error.code.startsWith(`${code}_`));
}

/** The error to throw for one that the database or the file system threw; ours pass through. */
export function storeError(error: unknown): unknown {
  if (error instanceof ChartsealError) return error;
  if (hasSqliteCode(error, "SQLITE_BUSY", "SQLITE_LOCKED")) {
    return new ChartsealError("home-busy", "another process is using the ledger's store", { cause: error });
  }
  const shortRead = hasSqliteCode(error, "SQLITE_IOERR_SHORT_READ", "SQLITE_IOERR_CORRUPTFS");
  if ((hasSqliteCode(error, ...unreachable) && !shortRead) || hasSystemCode(error)) {
    return new ChartsealError("ledger-unreachable", "the ledger's store cannot be used", { cause: error });
  }
  if (error instanceof Database.SqliteError || error instanceof RangeError) {
    return new ChartsealError("chain-altered", "the ledger's store is damaged", { cause: error });
  }
  return error;
}

function hasSystemCode(error: unknown): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    typeof error.code === "string" &&
    /^E[A-Z]+$/.test(error.code)
  );
}
