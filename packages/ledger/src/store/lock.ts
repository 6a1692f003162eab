/**
 * One writer for a home: an exclusive transaction on DIR/run/lock.sqlite, held for as long as the process writes. The
 * lock is the operating system's (SQLite's, on the file), so a killed process leaves none. The file stays empty.
 *
 * POSIX drops a process's locks on a file when it closes any descriptor of that file: nothing in the process that holds
 * the lock may open lock.sqlite by itself. A table of the locks of this process refuses a second one all the same.
 */
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ChartsealError } from "@chartseal/crypto";
import Database from "better-sqlite3";
import { hasSqliteCode, storeError } from "./sqlite-errors.ts";

export const defaultWaitMs = 30_000;
const stepMs = 25;
const held = new Set<string>();

export interface HomeLock {
  readonly directory: string;
  release(): void;
}

/** Takes the lock if it is free now, else undefined. @throws ChartsealError `ledger-unreachable` where it cannot try */
export function tryHomeLock(directory: string): HomeLock | undefined {
  const home = resolve(directory);
  if (held.has(home)) return undefined;
  let database: Database.Database | undefined;
  try {
    mkdirSync(join(home, "run"), { recursive: true, mode: 0o700 });
    database = new Database(join(home, "run", "lock.sqlite"), { timeout: 0 });
    database.pragma("journal_mode = MEMORY");
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    if (hasSqliteCode(error, "SQLITE_BUSY")) return undefined;
    throw storeError(error);
  }
  held.add(home);
  return lockOf(home, database);
}

function lockOf(home: string, database: Database.Database): HomeLock {
  return {
    directory: home,
    release() {
      if (!database.open) return;
      database.close();
      held.delete(home);
    },
  };
}

/** Takes the lock, waiting for at most `waitMs` (default 30 s). @throws ChartsealError `home-busy` */
export async function takeHomeLock(directory: string, waitMs: number = defaultWaitMs): Promise<HomeLock> {
  for (let waitedMs = 0; ; waitedMs += stepMs) {
    const lock = tryHomeLock(directory);
    if (lock !== undefined) return lock;
    if (waitedMs >= waitMs) throw new ChartsealError("home-busy", "another process is writing to this home");
    await sleep(Math.min(stepMs, Math.max(1, waitMs - waitedMs)));
  }
}
