/**
 * Answers of a provider that a member could not open, in members/NAME/disputes/REQUEST.evidence (mode 0600): what a
 * dispute is opened with. They open nothing without the member's keys.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { ChartsealError, equalBytes, hasCode, toHex } from "@chartseal/crypto";
import { decodeKept, encodeKept, type KeptAnswer, keptBytesMax } from "@chartseal/sharing";
import { readSmallFile, writeSmallFile } from "../home/files.ts";
import { type Home, memberFolder } from "../home/home.ts";

const suffix = ".evidence";

const folderOf = (home: Home, name: string): string => join(memberFolder(home, name), "disputes");

/** The file's name, once it is on disk. */
export function saveKept(home: Home, name: string, kept: KeptAnswer): string {
  const file = join(folderOf(home, name), `${toHex(kept.requestId)}${suffix}`);
  writeSmallFile(file, encodeKept(kept));
  return file;
}

/** @throws ChartsealError `input-invalid` for a file that is none */
export function readKept(file: string): KeptAnswer {
  const bytes = bytesOf(file);
  try {
    return decodeKept(bytes);
  } catch (cause) {
    if (!hasCode(cause, "encoding-invalid")) throw cause;
    throw unreadable(file, "is no evidence of a transform that does not open", cause);
  }
}

function bytesOf(file: string): Uint8Array {
  let bytes: Uint8Array | undefined;
  try {
    if (existsSync(file) && statSync(file).size <= keptBytesMax) bytes = readSmallFile(file);
  } catch (cause) {
    throw unreadable(file, "cannot be read", cause);
  }
  if (bytes === undefined) throw unreadable(file, "is missing, or larger than evidence can be", undefined);
  return bytes;
}

function unreadable(file: string, what: string, cause: unknown): ChartsealError {
  return new ChartsealError("input-invalid", `the file ${file} ${what}`, {
    data: { file },
    hint: "chartseal open keeps such a file when the provider's transform does not open a record.",
    cause,
  });
}

/** The newest that the member's client kept of this record. @throws ChartsealError `input-invalid` for none */
export function newestKept(home: Home, name: string, recordId: Uint8Array): KeptAnswer {
  const folder = folderOf(home, name);
  const names = existsSync(folder) ? readdirSync(folder).filter((one) => one.endsWith(suffix)) : [];
  const files = names.map((one) => join(folder, one)).map((file) => ({ file, atMs: statSync(file).mtimeMs }));
  for (const { file } of files.sort((a, b) => b.atMs - a.atMs)) {
    const kept = readKept(file);
    if (equalBytes(kept.recordId, recordId)) return kept;
  }
  throw new ChartsealError("input-invalid", `${name} has kept no answer that did not open for this record`, {
    data: { member: name, recordId: toHex(recordId) },
    hint: "Give one with --evidence FILE.",
  });
}
