/** The provider's stores of a home for checks that change no byte below DIR. */
import { dirname, join } from "node:path";
import type { StoredObjects } from "@chartseal/sharing";
import type { PlacedStore, WholeStore } from "@chartseal/storage";
import type { HomePaths } from "../home/paths.ts";
import { openPlaced } from "./places.ts";
import { openJournal, openTombstones } from "./provider-stores.ts";
import { readOnlyStore } from "./read-only-store.ts";

export interface OpenedObjects extends StoredObjects {
  /** The same objects, where they are divided among places. */
  readonly placed: PlacedStore | undefined;
  /** The same, with the bucket to which records go whole. */
  readonly whole: WholeStore | undefined;
}

/** Stores, journal and tombstones of a home, for reading. @throws StorageError `store-unreachable` */
export async function openStoredObjects(paths: HomePaths): Promise<OpenedObjects> {
  const earlier = await readOnlyStore(paths.objects);
  const { placed, whole } = await openPlaced(paths, earlier, { reading: true });
  return {
    objects: placed ?? whole ?? earlier,
    placed,
    whole,
    leaves: await readOnlyStore(paths.leaves),
    pending: await readOnlyStore(join(dirname(paths.objects), "pending")),
    journal: openJournal(paths),
    tombstones: openTombstones(paths),
  };
}
