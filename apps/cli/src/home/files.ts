/**
 * Small files of a home: read with a size limit, written whole or not at all (temporary name, fsync, rename, fsync of
 * the folder), so that a kill at any instant leaves the old file or the new one.
 */
import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { ChartsealError } from "@chartseal/crypto";

/** Largest small file that is read: 16 MiB. */
export const smallFileBytesMax = 16 * 1024 * 1024;

/** True for a Node error of that code, e.g. ENOENT. */
export function hasSystemCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}

/** One level after the other: Node's recursive mkdir never ends where a folder can hold none, as in /proc. */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (hasSystemCode(error, "EEXIST") && statSync(path).isDirectory()) return;
    if (!hasSystemCode(error, "ENOENT") || existsSync(dirname(path))) throw error;
    makeFolder(dirname(path));
    makeFolder(path);
  }
}

/** The file's bytes, or undefined where there is none. */
export function readSmallFile(path: string): Uint8Array | undefined {
  try {
    if (statSync(path).size > smallFileBytesMax) {
      throw new ChartsealError("chain-altered", `${path} is far larger than it can be`);
    }
    return readFileSync(path);
  } catch (error) {
    if (hasSystemCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

/** Makes what was renamed in a folder durable. */
export function syncFolder(path: string): void {
  const descriptor = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Writes a file durably and atomically; mode 0600, for keys too. */
export function writeSmallFile(path: string, bytes: Uint8Array): void {
  const folder = dirname(path);
  makeFolder(folder);
  const temporary = join(folder, `.${process.pid}-${Math.floor(performance.now() * 1000)}.tmp`);
  const descriptor = openSync(temporary, "wx", 0o600);
  try {
    let offset = 0;
    while (offset < bytes.length) offset += writeSync(descriptor, bytes, offset);
    fsyncSync(descriptor);
  } catch (error) {
    closeSync(descriptor);
    unlinkSync(temporary);
    throw error;
  }
  closeSync(descriptor);
  renameSync(temporary, path);
  syncFolder(folder);
}

/** Removes a file durably; true where there was one. */
export function removeSmallFile(path: string): boolean {
  try {
    unlinkSync(path);
  } catch (error) {
    if (hasSystemCode(error, "ENOENT", "ENOTDIR")) return false;
    throw error;
  }
  syncFolder(dirname(path));
  return true;
}

/** A JSON file of ours, or undefined where there is none. @throws ChartsealError `chain-altered` if it is damaged */
export function readJson(path: string): unknown {
  const bytes = readSmallFile(path);
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new ChartsealError("chain-altered", `${path} is damaged`, { hint: "Restore it from a backup." });
  }
}

export function writeJson(path: string, value: unknown): void {
  writeSmallFile(path, new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`));
}
