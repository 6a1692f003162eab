/**
 * Makes a store of the present format of an older one. Of format 1 the blocks are checked and replayed into a new file
 * beside it, which takes its place by one rename. Killed at any instant, the home has the old store or the new one, whole.
 * The old file stays under a name of its own. Format 2 is read as it is: there is nothing to do.
 */
import {
  closeSync,
  copyFileSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import { ChartsealError, equalBytes } from "@chartseal/crypto";
import Database from "better-sqlite3";
import { type Block, checkBlock, type Head, headOf } from "../block.ts";
import { type ExecutedBlock, executeBlock, genesisHead, type Rules } from "../machine.ts";
import { ledgerFile, requireFile } from "../store/connection.ts";
import { type HomeLock, takeHomeLock } from "../store/lock.ts";
import { configure, createSchema, formatOf, formatVersion, isRead } from "../store/schema.ts";
import { run, Store } from "../store/store.ts";
import { type EmbeddedOptions, rulesFrom } from "./open.ts";

/** Instants at which a test can end a migration as a kill would. */
export type MigrateStage = "block" | "built" | "kept" | "replaced";

export interface MigrateOptions extends EmbeddedOptions {
  /** How long to wait for a writer: default 30 s. */
  readonly waitMs?: number;
  readonly progress?: (height: number, last: number) => void;
  readonly stage?: (stage: MigrateStage) => void;
}

export interface Migrated {
  /** The format that was found, and the one that is there now; equal where there was nothing to do. */
  readonly from: number;
  readonly to: number;
  readonly height: number;
  /** Where the old file is now, or null where there was nothing to do. */
  readonly kept: string | null;
}

/** Between two looks at the event loop. */
const blocksAtOnce = 32;

/**
 * Brings the ledger of a home to the present format; does nothing where it is read as it is.
 * @throws ChartsealError `home-missing`, `home-busy`, `ledger-unreachable`; `chain-altered`, the home as it was, where
 * its chain does not hold together
 */
export async function migrateEmbedded(options: MigrateOptions): Promise<Migrated> {
  const { directory } = options;
  requireFile(directory);
  const lock: HomeLock = await takeHomeLock(directory, options.waitMs);
  const path = ledgerFile(directory);
  const draft = `${path}.migrating`;
  try {
    const old = openOld(path);
    try {
      const from = run(() => formatOf(old));
      const store = new Store(old);
      const height = store.height();
      if (isRead(from)) return { from, to: from, height, kept: null };
      remove(draft);
      await rebuild(store, options, draft);
      old.close();
      const kept = run(() => replace(path, { draft, from, stage: options.stage ?? (() => {}) }));
      return { from, to: formatVersion, height, kept };
    } finally {
      old.close();
    }
  } catch (error) {
    remove(draft);
    throw error;
  } finally {
    lock.release();
  }
}

/** For writing, so that the half commit of a killed writer is taken back before anything is read. */
function openOld(path: string): Database.Database {
  return run(() => {
    const database = new Database(path, { fileMustExist: true, timeout: 10_000 });
    configure(database, false);
    return database;
  });
}

/** Durable when it returns. Until then nobody reads the draft, so no step of it has to be. */
async function rebuild(old: Store, options: MigrateOptions, draft: string): Promise<void> {
  const rules = rulesFrom(old, options);
  const genesis = genesisHead(rules);
  if (!equalBytes(old.genesis().stateRoot, genesis.head.stateRoot)) {
    throw new ChartsealError("chain-altered", "the stored genesis is not what the chain began with");
  }
  const database = run(() => new Database(draft));
  try {
    run(() => {
      configure(database, false);
      for (const setting of ["journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE"])
        database.pragma(setting);
    });
    const store = new Store(database);
    store.create(rules.genesis, genesis.update, () => createSchema(database));
    const last = old.height();
    let head: Head = genesis.head;
    for (let height = 1; height <= last; height++) {
      head = copyBlock(old, store, { rules, previous: head, height });
      options.stage?.("block");
      if (height % blocksAtOnce !== 0) continue;
      options.progress?.(height, last);
      await breathe();
    }
  } finally {
    database.close();
  }
  run(() => sync(draft));
}

function copyBlock(
  old: Store,
  store: Store,
  at: { readonly rules: Rules; readonly previous: Head; readonly height: number },
): Head {
  const { rules, previous, height } = at;
  const block = old.block(height);
  if (block === undefined) {
    throw new ChartsealError("chain-altered", `block ${height} is missing`, { data: { height } });
  }
  checkBlock(block, rules.chainId, previous);
  const executed = replayed(store, block, at);
  if (!equalBytes(executed.hash, block.hash)) {
    const data = { height, field: "stateRoot" };
    const message = `block ${height}: the state root is not what the transactions give`;
    throw new ChartsealError("chain-altered", message, { data });
  }
  store.append(executed, block.commit, () => {});
  return headOf(block);
}

/** A stored transaction that is refused is damage, whatever the rules call it. */
function replayed(
  store: Store,
  { header, transactions }: Block,
  { rules, previous }: { readonly rules: Rules; readonly previous: Head },
): ExecutedBlock {
  const { timestampMs, proposer } = header;
  try {
    const nodes = store.tree(previous.height);
    return executeBlock({ nodes, previous, rules, timestampMs, proposer, transactions });
  } catch (error) {
    if (!(error instanceof ChartsealError) || error.code === "chain-altered") throw error;
    if (error.family === "defect" || error.family === "unavailable") throw error;
    const data = { height: header.height, field: "transactions", transaction: error.data.transaction };
    const message = `block ${header.height}: a transaction does not apply: ${error.message}`;
    throw new ChartsealError("chain-altered", message, { data, cause: error });
  }
}

/** Puts the draft in the old file's place, which keeps a second name; says which. */
function replace(
  path: string,
  { draft, from, stage }: { draft: string; from: number; stage: (stage: MigrateStage) => void },
): string {
  stage("built");
  // The new file would take a journal under this name for its own.
  const journal = `${path}-journal`;
  if ((look(journal)?.size ?? 0) > 0) {
    throw new ChartsealError("ledger-unreachable", "another program is writing to the ledger's store");
  }
  rmSync(journal, { force: true });
  const kept = keep(path, from);
  sync(dirname(path));
  stage("kept");
  renameSync(draft, path);
  sync(dirname(path));
  stage("replaced");
  return kept;
}

/** Gives the old file a second name, one that no other file has. */
function keep(path: string, format: number): string {
  for (let number = 1; ; number++) {
    const suffix = number === 1 ? "" : `.${number}`;
    const kept = join(dirname(path), `${basename(path, ".sqlite")}-format-${format}${suffix}.sqlite`);
    const there = look(kept);
    // A migration that was killed in this place has named it already.
    if (there !== undefined && there.ino === look(path)?.ino) return kept;
    if (there !== undefined) continue;
    try {
      linkSync(path, kept);
    } catch {
      // No second names on this filesystem: a copy, under its name only once it is whole.
      copyFileSync(path, `${kept}.partial`);
      sync(`${kept}.partial`);
      renameSync(`${kept}.partial`, kept);
    }
    return kept;
  }
}

function look(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

function remove(draft: string): void {
  for (const path of [draft, `${draft}-journal`]) rmSync(path, { force: true });
}

function sync(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
