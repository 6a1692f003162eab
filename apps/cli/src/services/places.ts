/**
 * A home's places, opened: each by its kind, at its first use, so that one which cannot be reached stops nobody. And the
 * provider's objects over them, with what was stored before there were places.
 */
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { splitKeysOf } from "@chartseal/sharing";
import {
  type DirectAccess,
  directPartSizes,
  directPartsMax,
  type EarlierStore,
  type ObjectStore,
  openFilesystemStore,
  type Place,
  PlacedStore,
  SplitStore,
  StorageError,
  type WholePlace,
  WholeStore,
} from "@chartseal/storage";
import type { S3Options, S3Store } from "@chartseal/storage/s3";
import type { HomePaths } from "../home/paths.ts";
import {
  dividingPlaces,
  isWhole,
  type PlaceEntry,
  type PlacesFile,
  placementSecret,
  readPlacesFile,
  type S3Place,
} from "../home/places-file.ts";
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
      return remote(openS3Store(s3Access(entry)), reading);
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

/** A bucket as its store is opened. */
export function s3Access(entry: S3Place): S3Options {
  const { s3Region, bucket, endpoint, prefix, accessKeyId, secretAccessKey, ca } = entry;
  const given = Object.entries({ endpoint, prefix, ca }).filter(([, value]) => value !== undefined);
  return { region: s3Region, bucket, accessKeyId, secretAccessKey, ...Object.fromEntries(given) };
}

interface Remote extends ObjectStore {
  close(): void;
  /** Of a bucket. */
  foreign?(): AsyncIterable<string>;
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
    foreign: () => store.foreign?.() ?? nothing(),
    close: () => store.close(),
  };
}

async function* nothing(): AsyncGenerator<never> {}

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
function whenUsed(
  open: () => Promise<ObjectStore & Partial<Remote>>,
): ObjectStore & { opened(): Promise<ObjectStore> } {
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
    opened: store,
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

/** The provider's objects beyond the home's own folder. */
export interface PlacedObjects {
  /** Divided among places, with all that is not; undefined where there is no place for a shard. */
  readonly placed: PlacedStore | undefined;
  /** The bucket to which records go whole, with what was stored before: the chosen one, or where there is nothing else. */
  readonly whole: WholeStore | undefined;
}

/** The provider's objects over its places and buckets, and a folder of before. */
export async function openPlaced(
  paths: Pick<HomePaths, "places" | "placements">,
  folder: EarlierStore,
  options: OpenPlacesOptions = {},
): Promise<PlacedObjects> {
  const file = readPlacesFile(paths);
  if (file === undefined) return { placed: undefined, whole: undefined };
  // What is asked last is where new objects go: each store moves to itself what those before it have.
  const buckets = file.places.filter(isWhole).sort((a, b) => rankOf(file, a) - rankOf(file, b));
  let earlier: EarlierStore = folder;
  for (const bucket of buckets) earlier = new WholeStore(openWhole(bucket, options), earlier);
  const dividing = dividingPlaces(file);
  const goWhole = file.wholeAt !== undefined || dividing.length === 0;
  const whole = goWhole && earlier instanceof WholeStore ? earlier : undefined;
  if (dividing.length === 0) return { placed: undefined, whole };
  const { reading = false } = options;
  const open = reading ? readOnlyStore : openFilesystemStore;
  const split = new SplitStore({
    places: dividing.map((entry) => openPlace(entry, options)),
    keys: splitKeysOf(placementSecret(file)),
    index: {
      entries: await open(join(paths.placements, "entries")),
      leftovers: await open(join(paths.placements, "leftovers")),
    },
    ...defaultOf(file, dividing.length),
  });
  return { placed: new PlacedStore(split, earlier, whole), whole };
}

const rankOf = ({ wholeAt }: PlacesFile, { name }: PlaceEntry): number => (name === wholeAt ? 1 : 0);

/** A bucket for whole objects, opened at its first use, with the URLs that it gives. */
export function openWhole(entry: PlaceEntry & S3Place, options: OpenPlacesOptions = {}): WholePlace {
  const { name, region } = entry;
  const opened = whenUsed(() => openEntry(entry, options));
  const bucket = async (): Promise<S3Store> => (await opened.opened()) as S3Store;
  const foreign = async function* (): AsyncGenerator<string> {
    yield* (await bucket()).foreign();
  };
  if (options.reading === true) return { name, region, store: { ...opened, foreign } };
  const direct: DirectAccess = {
    partSizes: directPartSizes,
    partsMax: directPartsMax,
    getUrl: async (...given) => await (await bucket()).direct.getUrl(...given),
    openUpload: async (object) => await (await bucket()).direct.openUpload(object),
    partUrl: async (...given) => await (await bucket()).direct.partUrl(...given),
    completeUpload: async (...given) => await (await bucket()).direct.completeUpload(...given),
    abortUpload: async (...given) => await (await bucket()).direct.abortUpload(...given),
  };
  return { name, region, store: { ...opened, foreign, direct } };
}

/** What the home has settled, while it has places enough for it. */
function defaultOf({ defaultPlacement }: PlacesFile, places: number) {
  const fits = defaultPlacement !== undefined && defaultPlacement.n <= places;
  return fits ? { placement: defaultPlacement } : {};
}
