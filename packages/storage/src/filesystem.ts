/**
 * An object store in a folder: each object is one plain file of its bytes and nothing else, at the path of its name.
 *
 * Writing: a temporary file outside the visible folder (`.NAME.tmp` beside it, one file system), write, fsync, rename,
 * fsync of the folders. So an object appears whole or not at all, whatever instant the process or the machine dies.
 * Temporary files that a crash left are removed at open once they are older than the grace time.
 *
 * Symbolic links are never followed: a link is not an object, and a folder that is a link is refused. That holds
 * against links that are there; a local attacker who swaps folders while we work owns the folder anyway.
 */
import { randomUUID } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { type FileSystem, isMissing, nodeFileSystem, openFlags, unreachable } from "./file-system.ts";
import { FilesystemPut } from "./filesystem-put.ts";
import {
  type ByteRange,
  type GetOptions,
  isName,
  type ObjectStat,
  type ObjectStore,
  type PutHandle,
  type PutOptions,
  putThrough,
  resolveRange,
  segmentsOf,
} from "./object-store.ts";
import { StorageError } from "./storage-error.ts";

export interface FilesystemOptions {
  /** Age in ms from which a leftover temporary file is removed at open; default one day. */
  readonly graceMs?: number;
  /** Where unfinished objects lie; must be on the same file system. Default `.NAME.tmp` beside the folder. */
  readonly temporaryFolder?: string;
  /** The time, for the age of leftovers. */
  readonly now?: () => number;
  /** The operating system's doors; tests hand in ones that fail. */
  readonly files?: FileSystem;
}

export interface FilesystemStore extends ObjectStore {
  /** Paths below the folder, relative to it, that are no objects: other names, links, sockets. In no order. */
  foreign(): AsyncIterable<string>;
}

/** Size of the blocks that are read, in bytes. */
const readBlockSize = 1 << 20;
const graceDefaultMs = 24 * 60 * 60 * 1000;

/**
 * Opens the store in `folder`, making the folder if need be, and clears old leftovers of crashes.
 * @throws StorageError `store-unreachable`
 */
export async function openFilesystemStore(
  folder: string,
  options: FilesystemOptions = {},
): Promise<FilesystemStore> {
  const files = options.files ?? nodeFileSystem;
  const root = resolve(folder);
  const temporary = resolve(options.temporaryFolder ?? unfinishedFolder(root));
  try {
    await files.mkdir(root, { recursive: true });
    await files.mkdir(temporary, { recursive: true });
    await files.syncFolder(dirname(root));
    await files.syncFolder(dirname(temporary));
    const [rootStat, temporaryStat] = [await files.lstat(root), await files.lstat(temporary)];
    if (!rootStat.isDirectory() || !temporaryStat.isDirectory() || rootStat.dev !== temporaryStat.dev) {
      throw new StorageError(
        "store-unreachable",
        "the store's folders must be real folders of one file system",
      );
    }
    await clearLeftovers(files, temporary, (options.now ?? Date.now)() - (options.graceMs ?? graceDefaultMs));
    return new Filesystem(files, root, temporary);
  } catch (error) {
    throw unreachable(error);
  }
}

/** Where a store's unfinished objects lie, unless it was told another place. */
function unfinishedFolder(root: string): string {
  return join(dirname(root), `.${basename(root)}.tmp`);
}

/**
 * Removes what was being written into the store of a folder when its process ended and is as old as `graceMs`; nothing where
 * there is none. What a process still writes is younger. @throws StorageError `store-unreachable`
 */
export async function clearUnfinished(
  folder: string,
  {
    graceMs,
    now = Date.now,
    files = nodeFileSystem,
  }: Pick<FilesystemOptions, "now" | "files"> & { readonly graceMs: number },
): Promise<{ readonly removed: number; readonly bytes: number }> {
  try {
    return await clearLeftovers(files, unfinishedFolder(resolve(folder)), now() - graceMs);
  } catch (error) {
    if (isMissing(error)) return { removed: 0, bytes: 0 };
    throw unreachable(error);
  }
}

async function clearLeftovers(
  files: FileSystem,
  temporary: string,
  beforeMs: number,
): Promise<{ readonly removed: number; readonly bytes: number }> {
  let [removed, bytes] = [0, 0];
  for (const entry of await files.readdir(temporary)) {
    const path = join(temporary, entry.name);
    try {
      const stat = await files.lstat(path);
      if (!stat.isFile() || stat.mtimeMs > beforeMs) continue;
      await files.unlink(path);
      removed++;
      bytes += stat.size;
    } catch (error) {
      // Another process may have finished its object, or cleared it, between the two calls.
      if (!isMissing(error)) throw error;
    }
  }
  return { removed, bytes };
}

class Filesystem implements FilesystemStore {
  readonly #files: FileSystem;
  readonly #root: string;
  readonly #temporary: string;
  /** Folders whose entry in their parent is known to be on disk. */
  readonly #durableFolders = new Set<string>();

  constructor(files: FileSystem, root: string, temporary: string) {
    this.#files = files;
    this.#root = root;
    this.#temporary = temporary;
  }

  async put(name: string, source: AsyncIterable<Uint8Array>, options: PutOptions = {}): Promise<ObjectStat> {
    return await putThrough({ name, source }, () => this.begin(options));
  }

  async begin(options: PutOptions = {}): Promise<PutHandle> {
    const path = join(this.#temporary, randomUUID());
    try {
      const file = await this.#files.open(path, openFlags.create, 0o600);
      const place = (name: string) => this.#place(path, name);
      return new FilesystemPut(this.#files, file, path, options.sizeMax ?? Number.MAX_SAFE_INTEGER, place);
    } catch (error) {
      throw unreachable(error);
    }
  }

  async *get(
    name: string,
    range?: ByteRange,
    { lend = false }: GetOptions = {},
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const file = await this.#open(name);
    try {
      const { from, length } = resolveRange(range, (await file.stat()).size);
      yield* readBlocks(file, { from, length, lend });
    } catch (error) {
      throw unreachable(error);
    } finally {
      await file.close();
    }
  }

  async stat(name: string): Promise<ObjectStat> {
    const file = await this.#open(name);
    try {
      return { size: (await file.stat()).size };
    } catch (error) {
      throw unreachable(error);
    } finally {
      await file.close();
    }
  }

  async remove(name: string): Promise<boolean> {
    const segments = segmentsOf(name);
    const path = join(this.#root, ...segments);
    try {
      await this.#checkFolders(segments);
      const stat = await this.#files.lstat(path);
      if (stat.isDirectory()) return false;
      await this.#files.unlink(path);
      await this.#files.syncFolder(dirname(path));
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw unreachable(error);
    }
  }

  async *list(prefix = ""): AsyncGenerator<string, void, undefined> {
    for await (const entry of this.#walk("", prefix)) if (entry.isObject) yield entry.name;
  }

  async *foreign(): AsyncGenerator<string, void, undefined> {
    for await (const entry of this.#walk("", "")) if (!entry.isObject) yield entry.name;
  }

  /** Files below `folder` ("" or ending in "/"), in byte order of their names; folders outside `prefix` are not read. */
  async *#walk(folder: string, prefix: string): AsyncGenerator<{ name: string; isObject: boolean }> {
    const entries = [];
    try {
      for (const entry of await this.#files.readdir(join(this.#root, folder))) {
        entries.push({
          name: folder + entry.name + (entry.isDirectory() ? "/" : ""),
          isFile: entry.isFile(),
        });
      }
    } catch (error) {
      // A folder below may have gone since its parent was read; the store's own may not.
      if (folder === "" || !isMissing(error)) throw unreachable(error);
    }
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const { name, isFile } of entries) {
      if (name.endsWith("/")) {
        if (name.startsWith(prefix) || prefix.startsWith(name)) yield* this.#walk(name, prefix);
      } else if (name.startsWith(prefix)) yield { name, isObject: isFile && isName(name) };
    }
  }

  /** The object's file, opened for reading; the caller closes it. */
  async #open(name: string): Promise<FileHandle> {
    const segments = segmentsOf(name);
    let file: FileHandle | undefined;
    try {
      await this.#checkFolders(segments);
      file = await this.#files.open(join(this.#root, ...segments), openFlags.read, 0);
      if ((await file.stat()).isFile()) return file;
    } catch (error) {
      await file?.close();
      if (!isMissing(error)) throw unreachable(error);
      file = undefined;
    }
    await file?.close();
    throw new StorageError("object-missing", `no object ${name}`);
  }

  /** Refuses a name whose folders are not real folders. A missing one shows as the system's own error. */
  async #checkFolders(segments: readonly string[]): Promise<void> {
    let folder = this.#root;
    for (const segment of segments.slice(0, -1)) {
      folder = join(folder, segment);
      const stat = await this.#files.lstat(folder);
      if (stat.isSymbolicLink())
        throw new StorageError("store-unreachable", "a folder of the store is a link");
    }
  }

  /** Renames a finished, synced temporary file to its name, and makes the name durable. */
  async #place(temporaryPath: string, name: string): Promise<void> {
    const segments = segmentsOf(name);
    const path = join(this.#root, ...segments);
    try {
      const move = async () => {
        await this.#makeFolders(segments);
        await this.#files.rename(temporaryPath, path);
      };
      try {
        await move();
      } catch (error) {
        if (!isMissing(error)) throw error;
        // A folder that we knew was taken away by another hand: make it once more.
        this.#durableFolders.clear();
        await move();
      }
      await this.#files.syncFolder(dirname(path));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "EISDIR" || code === "ENOTDIR" || code === "EEXIST" || code === "ENOTEMPTY") {
        throw new StorageError("name-invalid", `${name} stands in the way of another object's name`);
      }
      throw unreachable(error);
    }
  }

  async #makeFolders(segments: readonly string[]): Promise<void> {
    let folder = this.#root;
    for (const segment of segments.slice(0, -1)) {
      const parent = folder;
      folder = join(folder, segment);
      if (this.#durableFolders.has(folder)) continue;
      try {
        await this.#files.mkdir(folder);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      // Also where it existed: another put may have made it and not yet synced it.
      await this.#files.syncFolder(parent);
      this.#durableFolders.add(folder);
    }
    await this.#checkFolders(segments);
  }
}

/**
 * `length` bytes from `from`, the next block being read while the caller works on the last. Lent blocks lie in two
 * buffers in turn: the pages of fresh memory cost more than the reading.
 */
async function* readBlocks(
  file: FileHandle,
  { from, length, lend }: { readonly from: number; readonly length: number; readonly lend: boolean },
): AsyncGenerator<Uint8Array> {
  const end = from + length;
  const lent: Buffer[] = [];
  let turn = 0;
  const memory = (size: number): Buffer => {
    if (!lend) return Buffer.allocUnsafe(size);
    const at = turn++ % 2;
    lent[at] ??= Buffer.allocUnsafeSlow(Math.min(readBlockSize, length));
    return lent[at];
  };
  const read = async (position: number) => {
    const size = Math.min(readBlockSize, end - position);
    const { bytesRead, buffer } = await file.read(memory(size), 0, size, position);
    if (bytesRead === 0) throw new StorageError("store-unreachable", "the object shrank while it was read");
    return new Uint8Array(buffer.buffer, buffer.byteOffset, bytesRead);
  };
  let position = from;
  let pending = position < end ? read(position) : undefined;
  try {
    while (pending !== undefined) {
      const block = await pending;
      position += block.length;
      pending = position < end ? read(position) : undefined;
      yield block;
    }
  } finally {
    // The file is closed next: no read may be under way, and its failure concerns nobody any more.
    await pending?.catch(() => {});
  }
}
