/**
 * A folder of objects for checks that change no byte: what is missing is empty, nothing is made, cleared or synced.
 * FilesystemStore does the reading, through doors that only open for reading.
 */
import { constants, existsSync, lstatSync } from "node:fs";
import { lstat, open, readdir } from "node:fs/promises";
import { ChartsealError } from "@chartseal/crypto";
import {
  type FilesystemOptions,
  type FilesystemStore,
  openFilesystemStore,
  StorageError,
} from "@chartseal/storage";

export type ReadOnlyStore = Pick<FilesystemStore, "get" | "stat" | "list" | "foreign">;
type Doors = NonNullable<FilesystemOptions["files"]>;

function refused(): never {
  throw new ChartsealError("defect", "a check tried to write");
}

const readingDoors: Doors = {
  open: async (path, flags, mode) => {
    const writes = constants.O_WRONLY | constants.O_RDWR | constants.O_CREAT;
    return (flags & writes) === 0 ? await open(path, flags, mode) : refused();
  },
  syncFile: async () => {},
  syncFolder: async () => {},
  rename: async () => refused(),
  unlink: async () => refused(),
  // The folder is there: it was looked at before.
  mkdir: async () => undefined,
  readdir: (path) => readdir(path, { withFileTypes: true }),
  lstat,
};

async function* nothing(): AsyncGenerator<never> {}

function missing(): never {
  throw new StorageError("object-missing", "the store's folder is missing");
}

const emptyStore: ReadOnlyStore = {
  get: () => ({ [Symbol.asyncIterator]: () => ({ next: async () => missing() }) }),
  stat: async () => missing(),
  list: nothing,
  foreign: nothing,
};

/** A folder of objects, or an empty store where there is no folder. */
export async function readOnlyStore(folder: string): Promise<ReadOnlyStore> {
  if (!existsSync(folder) || !lstatSync(folder).isDirectory()) return emptyStore;
  // Its own folder stands for the temporary one, of which nothing is old enough to be cleared.
  const unused = { temporaryFolder: folder, graceMs: Number.POSITIVE_INFINITY };
  const store = await openFilesystemStore(folder, { files: readingDoors, ...unused });
  return {
    get: (...args) => store.get(...args),
    stat: (name) => store.stat(name),
    list: (prefix) => store.list(prefix),
    foreign: () => store.foreign(),
  };
}
