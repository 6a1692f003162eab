/**
 * A file anywhere that appears whole or not at all: written beside its place under a temporary name, in blocks that
 * overlap with the caller's work, synced, renamed, and its folder synced. Replaces a file that is there.
 */
import { randomUUID } from "node:crypto";
import { basename, dirname, join, resolve } from "node:path";
import { type FileSystem, nodeFileSystem, openFlags, unreachable } from "./file-system.ts";
import { FilesystemPut } from "./filesystem-put.ts";
import type { ObjectStat } from "./object-store.ts";

export interface WholeFile {
  /** Takes the next bytes, copying them. @throws StorageError `store-unreachable` */
  write(chunk: Uint8Array): Promise<void>;
  /** Makes the file visible; when it resolves it survives a crash. @throws StorageError `store-unreachable` */
  commit(): Promise<ObjectStat>;
  /** Leaves no file behind. Does nothing after `commit`. */
  abort(): Promise<void>;
}

/** Longest part of the file's name that its temporary name keeps: names have 255 bytes. */
const nameLengthMax = 60;

/** A new name beside a file, where its bytes lie until `commit`: for whoever may be ended before, since nothing else removes them. */
export function temporaryBeside(path: string): string {
  const target = resolve(path);
  return join(dirname(target), `.${basename(target).slice(0, nameLengthMax)}.${randomUUID()}.tmp`);
}

/** @throws StorageError `store-unreachable` where no file can be made in that folder */
export async function openWholeFile(
  path: string,
  files: FileSystem = nodeFileSystem,
  temporary: string = temporaryBeside(path),
): Promise<WholeFile> {
  const target = resolve(path);
  const folder = dirname(target);
  const place = async (): Promise<void> => {
    try {
      await files.rename(temporary, target);
      await files.syncFolder(folder);
    } catch (error) {
      throw unreachable(error);
    }
  };
  try {
    const file = await files.open(temporary, openFlags.create, 0o600);
    const put = new FilesystemPut(files, file, temporary, Number.MAX_SAFE_INTEGER, place);
    return {
      write: (chunk) => put.write(chunk),
      commit: () => put.commit(target),
      abort: () => put.abort(),
    };
  } catch (error) {
    throw unreachable(error);
  }
}
