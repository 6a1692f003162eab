/**
 * The provider's places: adding, looking at and removing them, under the home's lock. A place is looked at before it is
 * added, and is not removed while shards lie there.
 */
import { ChartsealError } from "@chartseal/crypto";
import { checkRegions, noPlaces } from "@chartseal/sharing";
import { isPlacement, type PlacedStore, type Placement, StorageError, straysAt } from "@chartseal/storage";
import { openHome } from "../home/home.ts";
import type { HomePaths } from "../home/paths.ts";
import {
  dividingPlaces,
  isWhole,
  type PlaceEntry,
  type PlacesFile,
  placesFileOrNew,
  placesMax,
  readPlacesFile,
  type S3Place,
  writePlacesFile,
} from "../home/places-file.ts";
import { accountAt } from "../services/holder-place.ts";
import { takeOwnHome } from "../services/home-lock.ts";
import { openPlace, openWhole } from "../services/places.ts";
import { openObjectStores } from "../services/provider-stores.ts";
import { openStoredObjects } from "../services/stored-objects.ts";
import { nounOf, whereOf } from "./new-place.ts";

/** `KofN`, and the regions that go with it. @throws ChartsealError `input-invalid` */
export function parsePlacement(option: string, text: string, regions: readonly string[] = []): Placement {
  const [, k, n] = /^([0-9]{1,2})of([0-9]{1,2})$/.exec(text) ?? [];
  const placement = { k: Number(k), n: Number(n), regions: checkRegions(regions) };
  if (k !== undefined && isPlacement(placement)) return placement;
  throw new ChartsealError("input-invalid", `${option} takes KofN, not ${JSON.stringify(text)}`, {
    hint: "2of3: three shards at three places, any two of which are enough; at most 16.",
  });
}

export function placementText({ k, n }: { readonly k: number; readonly n: number }): string {
  return `${k}of${n}`;
}

/** Changes the file under the home's lock. */
export async function changing<T>(
  folder: string,
  waitMs: number,
  change: (file: PlacesFile, paths: HomePaths) => Promise<{ file: PlacesFile; value: T }>,
): Promise<T> {
  const { paths } = openHome(folder);
  const lock = await takeOwnHome(folder, waitMs);
  try {
    const { file, value } = await change(placesFileOrNew(paths), paths);
    writePlacesFile(paths, file);
    return value;
  } finally {
    lock.release();
  }
}

/** @throws ChartsealError `input-invalid`, `provider-unreachable` */
export async function addPlace(
  folder: string,
  entry: PlaceEntry,
  { waitMs }: { readonly waitMs: number },
): Promise<PlaceEntry> {
  return await changing(folder, waitMs, async (file) => {
    demandNew(file, entry);
    await probe(entry);
    return { file: { ...file, places: [...file.places, entry] }, value: entry };
  });
}

/** @throws ChartsealError `input-invalid` for a name or a place that the file has already */
export function demandNew({ places }: Pick<PlacesFile, "places">, entry: PlaceEntry): void {
  if (places.some(({ name }) => name === entry.name)) {
    throw new ChartsealError("input-invalid", `there is a place ${entry.name} already`);
  }
  const same = places.find((one) => whereOf(one) === whereOf(entry));
  if (same !== undefined) {
    throw new ChartsealError("input-invalid", `${same.name} is that ${nounOf(entry)} already`, {
      hint: "Two shards at one place are lost with it.",
    });
  }
  if (places.length === placesMax) throw new ChartsealError("input-invalid", "too many places");
}

/** Puts a small object there, reads it and takes it away again. @throws ChartsealError `provider-unreachable` */
export async function probe(entry: PlaceEntry): Promise<void> {
  const { store } = openPlace(entry);
  const bytes = Buffer.from(`chartseal probe ${performance.now()}`);
  const name = "chartseal-probe";
  try {
    await store.put(name, one(bytes));
    const read: Uint8Array[] = [];
    for await (const part of store.get(name)) read.push(part);
    await store.remove(name);
    if (!Buffer.concat(read).equals(bytes)) throw new StorageError("object-damaged", "other bytes came back");
  } catch (error) {
    throw unusable(entry, error);
  }
}

/** A place's own failure as ours; anything else unchanged. */
export function unusable({ name }: PlaceEntry, error: unknown): unknown {
  if (!(error instanceof StorageError)) return error;
  return new ChartsealError("provider-unreachable", `${name} cannot be used: ${error.message}`, {
    data: { place: name },
    cause: error,
  });
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** How many shards the index gives to each place. */
export async function shardsByPlace({ split }: PlacedStore): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for await (const name of split.list()) {
    const entry = await split.parts.index.look(name);
    if (entry === undefined || entry === "damaged") continue;
    for (const { place } of entry.shards) counts.set(place, (counts.get(place) ?? 0) + 1);
  }
  return counts;
}

/** Those of the index, and those that lie there and that it does not know: of an index that was lost. */
export async function shardsAt(placed: PlacedStore, place: string): Promise<number> {
  let count = (await shardsByPlace(placed)).get(place) ?? 0;
  if (count > 0) return count;
  try {
    for await (const { manifest } of straysAt(placed.split.parts, place)) if (manifest !== undefined) count++;
  } catch (error) {
    // Nothing of the index lies there, and what else does cannot be asked.
    if (!(error instanceof StorageError)) throw error;
  }
  return count;
}

export interface ListedPlace {
  readonly name: string;
  readonly kind: string;
  readonly region: string;
  readonly shards: number;
  /** Of a bucket where records lie whole: whether new ones go there. */
  readonly whole?: "new" | "kept";
  /** Of another institution's provider: whom that one has to name among its peers. */
  readonly account?: string;
}

/** Places as configured, without their credentials. */
export async function listPlaces(folder: string): Promise<readonly ListedPlace[]> {
  const { paths } = openHome(folder);
  const file = readPlacesFile(paths);
  if (file === undefined) return [];
  const { placed } = await openStoredObjects(paths);
  const counts = placed === undefined ? new Map<string, number>() : await shardsByPlace(placed);
  return file.places.map((entry) => ({
    name: entry.name,
    kind: entry.kind,
    region: entry.region,
    shards: counts.get(entry.name) ?? 0,
    ...(isWhole(entry) ? { whole: entry.name === file.wholeAt ? "new" : "kept" } : {}),
    ...(entry.kind === "chartseal" ? { account: accountAt(entry) } : {}),
  }));
}

export interface CheckedPlace {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** Puts, reads and removes a small object at every place. */
export async function checkPlaces(folder: string): Promise<readonly CheckedPlace[]> {
  const file = readPlacesFile(openHome(folder).paths);
  const checked = (file?.places ?? []).map(async (entry): Promise<CheckedPlace> => {
    try {
      await probe(entry);
      return { name: entry.name, ok: true, detail: "takes, gives and removes" };
    } catch (error) {
      if (!(error instanceof ChartsealError)) throw error;
      return { name: entry.name, ok: false, detail: error.message };
    }
  });
  return await Promise.all(checked);
}

/** @throws ChartsealError `input-invalid` for a place that there is not, or that still has shards */
export async function removePlace(
  folder: string,
  name: string,
  { waitMs, lost = false }: { readonly waitMs: number; readonly lost?: boolean },
): Promise<{ readonly place: string }> {
  return await changing(folder, waitMs, async (file, paths) => {
    const places = file.places.filter((entry) => entry.name !== name);
    if (places.length === file.places.length) throw unknownPlace(name);
    const entry = file.places.find((place) => place.name === name)!;
    const { wholeAt, ...rest } = file;
    const left = { ...rest, places, ...(wholeAt === undefined || wholeAt === name ? {} : { wholeAt }) };
    if (isWhole(entry)) {
      if (!lost) await demandEmpty(entry);
      return { file: left, value: { place: name } };
    }
    const { placed } = await openObjectStores(paths);
    const shards = placed === undefined || lost ? 0 : await shardsAt(placed, name);
    if (shards > 0) {
      throw new ChartsealError("input-invalid", `${shards} shards lie at ${name}`, {
        data: { place: name, shards },
        hint: `chartseal provider repair --leave ${name} moves them to other places first, gc removes what nobody needs; --lost gives up what lies there.`,
      });
    }
    return { file: left, value: { place: name } };
  });
}

/** @throws ChartsealError `input-invalid` where objects lie whole in the bucket; `provider-unreachable` */
async function demandEmpty(entry: PlaceEntry & S3Place): Promise<void> {
  const { name } = entry;
  const objects = await objectsIn(entry);
  if (objects === 0) return;
  throw new ChartsealError("input-invalid", `${objects} objects lie at ${name}`, {
    data: { place: name, objects },
    hint: "Choose where records go from now on (chartseal provider place default, or whole with another bucket), then chartseal provider repair moves them; --lost gives up what lies there.",
  });
}

/** How many objects lie whole in a bucket. @throws ChartsealError `provider-unreachable` */
async function objectsIn(entry: PlaceEntry & S3Place): Promise<number> {
  let count = 0;
  try {
    for await (const _name of openWhole(entry, { reading: true }).store.list()) count++;
  } catch (error) {
    throw unusable(entry, error);
  }
  return count;
}

export function unknownPlace(name: string): ChartsealError {
  return new ChartsealError("input-invalid", `there is no place ${name}`, {
    hint: "chartseal provider place list shows them.",
  });
}

/** How records are divided from now on that say nothing. @throws ChartsealError `input-invalid` */
export async function setDefaultPlacement(
  folder: string,
  placement: Placement,
  { waitMs }: { readonly waitMs: number },
): Promise<Placement> {
  return await changing(folder, waitMs, async (file) => {
    demandPlaces(file, placement);
    const { wholeAt: _divided, ...rest } = file;
    return { file: { ...rest, defaultPlacement: placement }, value: placement };
  });
}

/** @throws ChartsealError `input-invalid` where the home has too few places for it */
export function demandPlaces(file: PlacesFile | undefined, { n, regions = [] }: Placement): void {
  if (file === undefined || file.places.length === 0) throw noPlaces();
  const allowed = dividingPlaces(file).filter(
    ({ region }) => regions.length === 0 || regions.includes(region),
  );
  if (allowed.length >= n) return;
  const where = regions.length === 0 ? "" : ` in ${regions.join(", ")}`;
  throw new ChartsealError(
    "input-invalid",
    `${n} shards need ${n} places, and there are ${allowed.length}${where}`,
    { hint: "chartseal provider place list shows them, provider place add adds one." },
  );
}
