/**
 * A home's places, opened: each by its kind, at its first use, so that one which cannot be reached stops nobody. And the
 * provider's objects over them, with what was stored before there were places.
 */
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { splitKeysOf } from "@chartseal/sharing";
import {
  type EarlierStore,
  type ObjectStore,
  openFilesystemStore,
  type Place,
  PlacedStore,
  SplitStore,
  StorageError,
} from "@chartseal/storage";
import type { HomePaths } from "../home/paths.ts";
import { type PlaceEntry, type PlacesFile, placementSecret, readPlacesFile } from "../home/places-file.ts";
import { openHolder } from "./holder-place.ts";
import { readOnlyStore } from "./read-only-store.ts";

export interface OpenPlacesOptions {
  /** Nothing is made, cleared or synced, as for checks. */
  readonly reading?: boolean;
}

/** The home's places; none where it has no places.json. */
export async function openPlaces(
  paths: Pick<HomePaths, "places">,
  options: OpenPlacesOptions = {},
): Promise<readonly Place[]> {
  const file = readPlacesFile(paths);
  return (file?.places ?? []).map((entry) => openPlace(entry, options));
}

export function openPlace(entry: PlaceEntry, options: OpenPlacesOptions = {}): Place {
  const { name, region } = entry;
  const place: Place = { name, region, store: whenUsed(() => openEntry(entry, options)) };
  if (entry.kind !== "chartseal" || options.reading === true) return place;
  return {
    ...place,
    attest: async (erased) => {
      const holder = await openHolder(entry);
      return await holder.attestErased(erased).finally(() => holder.close());
    },
  };
}

async function openEntry(
  entry: PlaceEntry,
  { reading = false }: OpenPlacesOptions,
): Promise<ObjectStore & Partial<Remote>> {
  switch (entry.kind) {
    case "folder":
      return await openFolder(entry, reading);
    case "s3": {
      const { openS3Store } = await import("@chartseal/storage/s3");
      const { s3Region, bucket, endpoint, prefix, accessKeyId, secretAccessKey, ca } = entry;
      const given = Object.entries({ endpoint, prefix, ca }).filter(([, value]) => value !== undefined);
      const access = { bucket, accessKeyId, secretAccessKey, ...Object.fromEntries(given) };
      return remote(openS3Store({ ...access, region: s3Region }), reading);
    }
    case "ftps": {
      const { openFtpsStore } = await import("@chartseal/storage/ftps");
      const { host, port, folder, user, password, ca } = entry;
      const given = Object.entries({ port, ca }).filter(([, value]) => value !== undefined);
      const access = { host, folder, user, password, ...Object.fromEntries(given) };
      return remote(openFtpsStore(access), reading);
    }
    case "chartseal":
      return remote(await openHolder(entry), reading);
  }
}

interface Remote extends ObjectStore {
  close(): void;
  /** Of a store that does not forget by itself what uploads left. */
  clear?(beforeMs: number): Promise<number>;
}

function remote(store: Remote, reading: boolean): ObjectStore & Partial<Remote> {
  if (!reading) return store;
  return {
    ...refusing,
    get: (...args) => store.get(...args),
    stat: (name) => store.stat(name),
    list: (prefix) => store.list(prefix),
    close: () => store.close(),
  };
}

/** A folder that is not there is a disk that is not mounted: it is never made, or its shards would lie elsewhere. */
async function openFolder(
  { name, path }: PlaceEntry & { kind: "folder" },
  reading: boolean,
): Promise<ObjectStore> {
  const isFolder = await lstat(path).then(
    (stat) => stat.isDirectory(),
    () => false,
  );
  if (!isFolder) throw new StorageError("store-unreachable", `${name}: there is no folder ${path}`);
  const objects = join(path, "objects");
  if (!reading) return await openFilesystemStore(objects);
  const { get, stat, list } = await readOnlyStore(objects);
  return { ...refusing, get, stat, list };
}

function refuse(): never {
  throw new StorageError("store-unreachable", "the place was opened for reading alone");
}

const refusing = {
  put: async () => refuse(),
  begin: async () => refuse(),
  remove: async () => refuse(),
};

/** What closes the connections of every place that was opened. */
const closers = new Set<() => void>();

/** Ends idle connections, which would keep the process from ending. A place that is used again is opened again. */
export function closePlaces(): void {
  for (const close of closers) close();
  closers.clear();
}

/** Opened at the first call; a failing opening is tried again with the next. */
function whenUsed(open: () => Promise<ObjectStore & Partial<Remote>>): ObjectStore {
  let opened: Promise<ObjectStore> | undefined;
  const begin = async (): Promise<ObjectStore> => {
    const store = await open();
    if (store.close === undefined) return store;
    closers.add(() => {
      opened = undefined;
      store.close?.();
    });
    return store;
  };
  const store = async (): Promise<ObjectStore> => {
    opened ??= begin();
    try {
      return await opened;
    } catch (error) {
      opened = undefined;
      throw error;
    }
  };
  return {
    put: async (...args) => (await store()).put(...args),
    begin: async (options) => (await store()).begin(options),
    async *get(...args) {
      yield* (await store()).get(...args);
    },
    stat: async (name) => (await store()).stat(name),
    remove: async (name) => (await store()).remove(name),
    async *list(prefix) {
      yield* (await store()).list(prefix);
    },
  };
}

/** Removes what uploads that broke off left at remote places before that time; those out of reach are passed over. */
export async function clearPlaces(paths: Pick<HomePaths, "places">, beforeMs: number): Promise<void> {
  for (const entry of readPlacesFile(paths)?.places ?? []) {
    if (entry.kind === "folder") continue;
    try {
      const store = await openEntry(entry, {});
      await store.clear?.(beforeMs).finally(() => store.close?.());
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
    }
  }
}

/** The provider's objects over its places; undefined where it has none. */
export async function openPlaced(
  paths: Pick<HomePaths, "places" | "placements">,
  earlier: EarlierStore,
  options: OpenPlacesOptions = {},
): Promise<PlacedStore | undefined> {
  const file = readPlacesFile(paths);
  if (file === undefined || file.places.length === 0) return undefined;
  const places = file.places.map((entry) => openPlace(entry, options));
  const { reading = false } = options;
  const open = reading ? readOnlyStore : openFilesystemStore;
  const split = new SplitStore({
    places,
    keys: splitKeysOf(placementSecret(file)),
    index: {
      entries: await open(join(paths.placements, "entries")),
      leftovers: await open(join(paths.placements, "leftovers")),
    },
    ...defaultOf(file),
  });
  return new PlacedStore(split, earlier);
}

/** What the home has settled, while it has places enough for it. */
function defaultOf({ defaultPlacement, places }: PlacesFile) {
  const fits = defaultPlacement !== undefined && defaultPlacement.n <= places.length;
  return fits ? { placement: defaultPlacement } : {};
}
