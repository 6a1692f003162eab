/**
 * Opening an engine's file in DIR/ledger, for its one writer or for a reader that changes no byte below DIR.
 *
 * A writer killed inside a commit leaves a journal that must be rolled back, which a reader may not do there: it works
 * on a private copy outside DIR then, made under the writers' lock, and goes back to the file once a writer has
 * repaired it.
 */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ChartsealError } from "@chartseal/crypto";
import Database from "better-sqlite3";
import { tryHomeLock } from "./lock.ts";
import { checkSchema, configure, isBlank, plainStore, type StoreKind } from "./schema.ts";
import { hasSqliteCode } from "./sqlite-errors.ts";
import { run } from "./store.ts";

/** How long a statement waits for the moment in which another process writes a commit to the disk. */
const statementWaitMs = 10_000;

export interface Connection {
  readonly database: Database.Database;
  /** True where it is a private copy. */
  readonly isCopy: boolean;
  close(): void;
}

export function ledgerFile(directory: string, { file }: StoreKind = plainStore): string {
  return join(directory, "ledger", file);
}

/**
 * The writer's connection. With `create`, the file must hold nothing yet.
 * @throws ChartsealError `home-exists`, `home-missing` (no such DIR), `chain-altered`, `home-outdated`
 */
export function openForWriting(directory: string, create: boolean): Connection {
  const path = ledgerFile(directory);
  if (create) run(() => mkdirSync(join(directory, "ledger"), { recursive: true, mode: 0o700 }));
  const database = run(() => new Database(path, { fileMustExist: !create, timeout: statementWaitMs }));
  return run(() => {
    try {
      if (create && !isBlank(database))
        throw new ChartsealError("home-exists", "there is a ledger in this home already");
      if (!create) checkSchema(database);
      configure(database, true);
    } catch (error) {
      database.close();
      throw error;
    }
    return { database, isCopy: false, close: () => database.close() };
  });
}

/** A reader's connection. @throws ChartsealError `home-missing`, `chain-altered`, `home-busy`, `home-outdated` */
export function openForReading(directory: string, kind: StoreKind = plainStore): Connection {
  requireFile(directory, kind);
  for (let attempts = 0; attempts < 100; attempts++) {
    const connection = openInPlace(directory, kind) ?? openCopy(directory, kind);
    if (connection !== undefined) return connection;
    pause(50);
  }
  throw new ChartsealError("home-busy", "the ledger's store is being repaired by another process");
}

/** The file itself, or undefined where a journal must be rolled back first. */
export function openInPlace(directory: string, kind: StoreKind = plainStore): Connection | undefined {
  return run(() => {
    const options = { readonly: true, fileMustExist: true, timeout: statementWaitMs };
    const database = new Database(ledgerFile(directory, kind), options);
    try {
      configure(database, false);
      checkSchema(database, kind);
    } catch (error) {
      database.close();
      if (needsRollback(error)) return undefined;
      throw error;
    }
    return { database, isCopy: false, close: () => database.close() };
  });
}

/** True for what a read-only connection says when a killed writer's journal is in its way. */
export function needsRollback(error: unknown): boolean {
  const cause = error instanceof ChartsealError ? error.cause : error;
  return hasSqliteCode(cause, "SQLITE_READONLY_ROLLBACK", "SQLITE_READONLY_RECOVERY");
}

/** A repaired copy, or undefined while a writer holds the home, who repairs the file itself. */
function openCopy(directory: string, kind: StoreKind): Connection | undefined {
  const lock = existsSync(join(directory, "run", "lock.sqlite")) ? tryHomeLock(directory) : noLock;
  if (lock === undefined) return undefined;
  return run(() => {
    const folder = mkdtempSync(join(tmpdir(), "chartseal-read-"));
    const original = ledgerFile(directory, kind);
    const remove = () => rmSync(folder, { recursive: true, force: true });
    try {
      copyFileSync(original, join(folder, kind.file));
      if (existsSync(`${original}-journal`))
        copyFileSync(`${original}-journal`, join(folder, `${kind.file}-journal`));
      lock.release();
      const database = new Database(join(folder, kind.file), { fileMustExist: true });
      checkSchema(database, kind);
      configure(database, false);
      const close = () => {
        database.close();
        remove();
      };
      return { database, isCopy: true, close };
    } catch (error) {
      lock.release();
      remove();
      throw error;
    }
  });
}

const noLock = { release() {} };

/** That DIR has a ledger's file. @throws ChartsealError `home-missing` (no DIR), `chain-altered` (no file) */
export function requireFile(directory: string, kind: StoreKind = plainStore): void {
  if (!existsSync(directory)) throw new ChartsealError("home-missing", "there is no such home");
  const stats = statSync(ledgerFile(directory, kind), { throwIfNoEntry: false });
  if (stats?.isFile() !== true) throw new ChartsealError("chain-altered", "the ledger's store is missing");
}

function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
