/**
 * provider place whole: the bucket to which records go whole from now on. It is looked at before anything is changed: that
 * it takes objects, that what lies there is this home's, and that what is removed from it is gone.
 */
import { ChartsealError } from "@chartseal/crypto";
import type { HomePaths } from "../home/paths.ts";
import { isWhole, type PlaceEntry, type S3Place } from "../home/places-file.ts";
import { s3Access } from "../services/places.ts";
import { openJournal, openObjectStores } from "../services/provider-stores.ts";
import { changing, probe, shardsAt, unknownPlace, unusable } from "./places.ts";

export interface WholeChosen {
  readonly place: string;
  readonly region: string;
}

/** @throws ChartsealError `input-invalid`, `provider-unreachable` */
export async function chooseWholePlace(
  folder: string,
  name: string,
  { waitMs }: { readonly waitMs: number },
): Promise<WholeChosen> {
  return await changing(folder, waitMs, async (file, paths) => {
    const entry = file.places.find((place) => place.name === name);
    if (entry === undefined) throw unknownPlace(name);
    if (entry.kind !== "s3") {
      throw new ChartsealError("input-invalid", `${name} is no bucket`, {
        hint: "Records are kept whole in a place of kind s3: chartseal provider place add.",
      });
    }
    await probe(entry);
    await demandUsable(paths, entry);
    const marked: PlaceEntry = { ...entry, whole: true };
    const places = file.places.map((place) => (place === entry ? marked : place));
    return { file: { ...file, places, wholeAt: name }, value: { place: name, region: entry.region } };
  });
}

/** @throws ChartsealError `input-invalid` where shards lie there, or objects of nobody here, or what is removed stays */
async function demandUsable(paths: HomePaths, entry: PlaceEntry & S3Place): Promise<void> {
  const { name } = entry;
  if (!isWhole(entry)) {
    const { placed } = await openObjectStores(paths);
    const shards = placed === undefined ? 0 : await shardsAt(placed, name);
    if (shards > 0) {
      throw new ChartsealError("input-invalid", `${shards} shards lie at ${name}`, {
        data: { place: name, shards },
        hint: "Add the bucket once more under another name, with a --prefix of its own.",
      });
    }
  }
  const { openS3Store } = await import("@chartseal/storage/s3");
  const store = openS3Store(s3Access(entry));
  try {
    const known = new Set<string>();
    for await (const { address } of openJournal(paths).entries()) known.add(address);
    for await (const object of store.list()) {
      if (!known.has(object.replace(/\.header$/, ""))) throw strange(entry, object);
    }
    for await (const key of store.foreign()) throw strange(entry, key);
    if (await store.keepsVersions()) {
      throw new ChartsealError("input-invalid", `${name} keeps versions of what is removed from it`, {
        data: { place: name },
        hint: "An erased record would still be there: take a bucket without versioning.",
      });
    }
  } catch (error) {
    throw unusable(entry, error);
  } finally {
    store.close();
  }
}

function strange({ name, bucket, prefix }: PlaceEntry & S3Place, key: string): ChartsealError {
  return new ChartsealError("input-invalid", `${name} holds objects that are not this home's`, {
    data: { place: name, bucket, prefix: prefix ?? "", key },
    hint: "Take an empty bucket, or add this one once more with a --prefix of its own.",
  });
}
