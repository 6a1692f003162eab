/**
 * backup: a home copied whole while nobody writes to it (CONTRACT, Files). The copy is a home itself: `verify` and every
 * other command take it by --home. Keys in it stay sealed under their passphrases, so that none is needed here.
 */
import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { copyFile } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { ChartsealError, toHex } from "@chartseal/crypto";
import { type Home, isOfConsortium, openHome } from "../home/home.ts";
import { onInterruption } from "../interruption.ts";
import { takeOwnHome } from "../services/home-lock.ts";
import { openForReading } from "../services/session.ts";

export interface Copied {
  readonly files: number;
  readonly bytes: number;
}

export interface BackedUp extends Copied {
  readonly out: string;
  readonly chainId: string;
  /** The head of the ledger in the copy. */
  readonly height: number;
  readonly hash: string;
  /** False where the records' headers were left out. */
  readonly headers: boolean;
}

/** Of a home, the lock and a server's address are no part. */
const leftOut: readonly string[] = ["run"];

/** Objects that are not finished, which only their own process knows. */
const unfinished = /^\..+\.tmp$/;

/** Copies a home's folder durably; `takes` sees each file's path below it. A signal is heard from file to file. */
export async function copyHome(
  from: string,
  to: string,
  takes: (path: string) => boolean = () => true,
): Promise<Copied> {
  const total = { files: 0, bytes: 0 };
  const walk = async (below: string): Promise<void> => {
    mkdirSync(join(to, below), { recursive: true, mode: 0o700 });
    for (const name of readdirSync(join(from, below))) {
      const path = join(below, name);
      if (leftOut.includes(path) || !takes(path)) continue;
      const stats = statSync(join(from, path));
      if (stats.isDirectory()) await walk(path);
      else if (stats.isFile() && !unfinished.test(basename(below))) {
        await copyFile(join(from, path), join(to, path), constants.COPYFILE_FICLONE);
        syncPath(join(to, path));
        total.files++;
        total.bytes += stats.size;
      }
    }
    syncPath(join(to, below));
  };
  await walk("");
  return total;
}

function syncPath(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * A folder for a half-made copy, beside where it will stand; `work` moves it there when it is whole. Nothing of it stays behind
 * when that fails or a signal ends it.
 */
export async function withDraft<T>(
  folder: string,
  what: string,
  work: (draft: string) => Promise<T>,
): Promise<T> {
  const draft = join(dirname(folder), `.${basename(folder)}.${process.pid}.${what}`);
  const remove = (): void => rmSync(draft, { recursive: true, force: true });
  const ended = onInterruption(remove);
  try {
    remove();
    return await work(draft);
  } catch (error) {
    remove();
    throw error;
  } finally {
    ended();
  }
}

/** Where a backup may go: a new or empty folder outside the home. @throws ChartsealError `input-invalid` */
export function checkBackupFolder(home: Home, out: string): string {
  const folder = resolve(out);
  const refuse = (reason: string): ChartsealError =>
    new ChartsealError("input-invalid", `a backup cannot go to ${out}: ${reason}`, { data: { out } });
  if (`${folder}${sep}`.startsWith(`${resolve(home.paths.root)}${sep}`))
    throw refuse("it is inside the home");
  if (!existsSync(dirname(folder))) throw refuse("the folder above it does not exist");
  if (!existsSync(folder)) return folder;
  if (!statSync(folder).isDirectory()) throw refuse("it is a file");
  if (readdirSync(folder).length > 0) throw refuse("it is not empty");
  return folder;
}

async function headOf(folder: string): Promise<{ readonly height: number; readonly hash: Uint8Array }> {
  const home = openHome(folder);
  // An institution that never ran has no ledger yet.
  if (isOfConsortium(home) && !existsSync(home.paths.ledger)) return { height: 0, hash: new Uint8Array(32) };
  const copy = await openForReading(folder);
  try {
    return await copy.ledger.head();
  } finally {
    await copy.close();
  }
}

/** @throws ChartsealError `input-invalid`, `home-busy`; a failure leaves nothing behind */
export async function backup(
  home: Home,
  options: { readonly out: string; readonly headers: boolean; readonly waitMs: number },
): Promise<BackedUp> {
  const folder = checkBackupFolder(home, options.out);
  const lock = await takeOwnHome(home.paths.root, options.waitMs);
  const isHeader = (path: string): boolean =>
    path.startsWith(join("provider", "objects")) && path.endsWith(".header");
  try {
    return await withDraft(folder, "backup", async (draft) => {
      const takes = (path: string) => options.headers || !isHeader(path);
      const copied = await copyHome(home.paths.root, draft, takes);
      const { height, hash } = await headOf(draft);
      if (existsSync(folder)) rmdirSync(folder);
      renameSync(draft, folder);
      syncPath(dirname(folder));
      const { chainId } = home.config;
      return { out: options.out, chainId, height, hash: toHex(hash), ...copied, headers: options.headers };
    });
  } finally {
    lock.release();
  }
}
