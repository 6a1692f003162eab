/**
 * The provider's stores of a home for checks that change no byte below DIR: what is missing is empty, nothing is made,
 * cleared or synced. FilesystemStore does the reading, through doors that only open for reading.
 */
import { constants, existsSync, lstatSync } from "node:fs";
import { lstat, open, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ChartsealError } from "@chartseal/crypto";
import type { StoredObjects } from "@chartseal/sharing";
import {
  type FilesystemOptions,
  type FilesystemStore,
  openFilesystemStore,
  StorageError,
} from "@chartseal/storage";
import type { HomePaths } from "../home/paths.ts";
import { openJournal, openTombstones } from "./provider-stores.ts";

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

const emptyStore: StoredObjects["objects"] = {
  get: () => ({ [Symbol.asyncIterator]: () => ({ next: async () => missing() }) }),
  stat: async () => missing(),
  list: nothing,
  foreign: nothing,
};

/** A folder of objects, or an empty store where there is no folder. */
async function readOnlyStore(folder: string): Promise<FilesystemStore | typeof emptyStore> {
  if (!existsSync(folder) || !lstatSync(folder).isDirectory()) return emptyStore;
  // Its own folder stands for the temporary one, of which nothing is old enough to be cleared.
  const unused = { temporaryFolder: folder, graceMs: Number.POSITIVE_INFINITY };
  return await openFilesystemStore(folder, { files: readingDoors, ...unused });
}

/** Stores, journal and tombstones of a home, for reading. @throws StorageError `store-unreachable` */
export async function openStoredObjects(paths: HomePaths): Promise<StoredObjects> {
  return {
    objects: await readOnlyStore(paths.objects),
    leaves: await readOnlyStore(paths.leaves),
    pending: await readOnlyStore(join(dirname(paths.objects), "pending")),
    journal: openJournal(paths),
    tombstones: openTombstones(paths),
  };
}
