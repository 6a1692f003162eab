/**
 * What is about to be done to an object's shards, said before the first of them is written, and what became of it: a
 * process that dies in between leaves it to the next one to look.
 */
import { StorageError } from "../storage-error.ts";
import { inspectShard } from "./inspect.ts";
import { layoutOf } from "./shard-access.ts";
import type { IndexEntry, ShardPlace } from "./split-index.ts";
import type { SplitStore } from "./split-store.ts";

/** A shard that was missing, wrong, out of reach, or not allowed where it lay. */
export interface Loss {
  readonly index: number;
  /** Undefined of a shard that no place took. */
  readonly place: string | undefined;
  readonly why: string;
}

export interface PlannedRepair {
  readonly name: string;
  readonly generation: string;
  readonly k: number;
  readonly n: number;
  readonly lost: readonly Loss[];
  /** Where which of them are to be written. */
  readonly targets: readonly ShardPlace[];
}

/** What a repair did, by itself or by looking afterwards. */
export type RepairDone = Pick<PlannedRepair, "name" | "k" | "n" | "lost"> & {
  readonly rebuilt: readonly ShardPlace[];
  /** Regions of the places that were written to. */
  readonly rebuiltRegions: readonly string[];
};

/**
 * Which of the planned shards count by now: those that the index names where they were to be, whole.
 * @throws StorageError `store-unreachable` while a place does not say
 */
export async function outcomeOf(store: SplitStore, planned: PlannedRepair): Promise<RepairDone> {
  const { parts } = store;
  const { name, generation, k, n, lost, targets } = planned;
  const entry = await parts.index.look(name);
  const rebuilt: ShardPlace[] = [];
  if (entry !== undefined && entry !== "damaged" && entry.generation === generation) {
    for (const target of targets) if (await isThere(store, { entry, target, lost })) rebuilt.push(target);
  }
  const regions = rebuilt.flatMap(({ place }) => parts.places.get(place)?.region ?? []);
  return { name, k, n, lost, rebuilt, rebuiltRegions: [...new Set(regions)].sort() };
}

async function isThere(
  { parts }: SplitStore,
  of: { readonly entry: IndexEntry; readonly target: ShardPlace; readonly lost: readonly Loss[] },
): Promise<boolean> {
  const { entry, target, lost } = of;
  const named = entry.shards.some(({ index, place }) => index === target.index && place === target.place);
  if (!named) return false;
  const before = lost.find(({ index }) => index === target.index);
  // Only a repair names another place.
  if (before?.place !== target.place) return true;
  const blocks = Array.from({ length: layoutOf(entry).stripes }, (_, block) => block);
  const { state } = await inspectShard(parts, { entry, at: target }, blocks);
  if (state === "unreachable")
    throw new StorageError(
      "store-unreachable",
      `${target.place} does not say whether a shard was made again`,
    );
  return state === "present";
}
