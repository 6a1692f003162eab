/** The few doors of the operating system that the filesystem store goes through, so that tests can make them fail. */
import { constants, type Dirent, type Stats } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readdir, rename, unlink } from "node:fs/promises";
import { StorageError } from "./storage-error.ts";

export interface FileSystem {
  open(path: string, flags: number, mode: number): Promise<FileHandle>;
  /** fsync of a file's bytes and size. */
  syncFile(file: FileHandle): Promise<void>;
  /** fsync of a folder's entries. */
  syncFolder(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  mkdir(path: string, options?: { recursive: boolean }): Promise<unknown>;
  readdir(path: string): Promise<Dirent[]>;
  lstat(path: string): Promise<Stats>;
}

// Windows lacks the last two; there a link is seen by lstat alone and nothing blocks.
const noFollow = constants.O_NOFOLLOW ?? 0;
const nonBlocking = constants.O_NONBLOCK ?? 0;
export const openFlags = {
  read: constants.O_RDONLY | noFollow | nonBlocking,
  create: constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | noFollow,
} as const;

export const nodeFileSystem: FileSystem = {
  open,
  syncFile: (file) => file.sync(),
  async syncFolder(path) {
    // Windows cannot open a folder; its file systems journal a rename themselves.
    if (process.platform === "win32") return;
    const folder = await open(path, constants.O_RDONLY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
  rename,
  unlink,
  mkdir,
  readdir: (path) => readdir(path, { withFileTypes: true }),
  lstat,
};

/** True where the system says that there is no such file, or that a link stands where a file should. */
export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP" || code === "ENXIO";
}

/** A system's error as `store-unreachable`; a StorageError as it is. */
export function unreachable(error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? "unknown error";
  return new StorageError("store-unreachable", `the file system answers ${code}`, { cause: error });
}
