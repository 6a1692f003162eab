/**
 * Makes lost and wrong shards again from the good ones, at their own place or at another one that the placement allows,
 * and moves shards away from where they may not lie. One object at a time, each whole: the index entry is written last,
 * so an interruption leaves what was there, and a second run goes on with the rest.
 */
import { allows, type Place, type Placement } from "../place.ts";
import { StorageError } from "../storage-error.ts";
import { copiesOf, type LookOptions, type ObjectCopies } from "./inspect.ts";
import { withPatience } from "./place-health.ts";
import type { Loss, PlannedRepair, RepairDone } from "./planned-repair.ts";
import { layoutOf, openStripes, removeShards, type SplitParts } from "./shard-access.ts";
import { BlockSeal, pseudonym, sealManifest } from "./shard-seal.ts";
import type { IndexEntry, ShardPlace } from "./split-index.ts";
import type { SplitStore } from "./split-store.ts";

export interface RepairOptions {
  /** Regions in which its shards may lie from now on; else those of its placement. */
  readonly regions?: readonly string[];
  /** Regions that are allowed now, whatever its placement says; where the two have none in common, these. */
  readonly within?: readonly string[];
  /** Places that are to be left, whatever lies there. */
  readonly leaving?: readonly string[];
  /** Without reading every block: only what is missing or of a wrong size is found. */
  readonly quick?: boolean;
  readonly onBytes?: (bytes: number) => void;
  /** Told before the first shard is written, where one is to be. */
  readonly onPlan?: (planned: PlannedRepair) => void;
}

/** What was done for one object. */
export interface RepairedObject extends RepairDone {
  /** Regions in which its shards lie now. */
  readonly regions: readonly string[];
  /** True where all n shards lie where they may. */
  readonly whole: boolean;
}

/** @throws StorageError `object-missing`; `object-damaged`, `store-unreachable` where fewer than k good shards are left */
export async function repairObject(
  store: SplitStore,
  name: string,
  options: RepairOptions = {},
): Promise<RepairedObject> {
  return await store.inTurn(name, async () => {
    const { parts } = store;
    const look: LookOptions = {
      deep: options.quick !== true,
      ...(options.onBytes === undefined ? {} : { onBytes: options.onBytes }),
    };
    const copies = await copiesOf(store, name, look);
    const entry = await parts.index.read(name);
    const regions = options.regions ?? entry.regions;
    const placement = { k: entry.k, n: entry.n, regions: narrowed(regions, options.within) };
    const lost = losses(store, copies, { placement, leaving: options.leaving ?? [] });
    const rebuilt = await store.undisturbed(entry.generation, async () => {
      const targets = await chooseTargets(store, { entry, placement, lost, options });
      const { generation, k, n } = entry;
      const written = targets.map(({ index, place }) => ({ index, place: place.name }));
      if (targets.length > 0) options.onPlan?.({ name, generation, k, n, lost, targets: written });
      const made = targets.length === 0 ? [] : await rebuild(parts, { name, entry, targets });
      await settle(store, { name, entry, regions, rebuilt: made });
      return made;
    });
    return report(store, name, { entry: await parts.index.read(name), lost, rebuilt });
  });
}

function narrowed(regions: readonly string[], within: readonly string[] = []): readonly string[] {
  if (within.length === 0 || regions.length === 0) return within.length === 0 ? regions : within;
  const both = regions.filter((region) => within.includes(region));
  return both.length === 0 ? within : both;
}

function losses(
  { parts }: SplitStore,
  { n, shards }: ObjectCopies,
  { placement, leaving }: { readonly placement: Placement; readonly leaving: readonly string[] },
): Loss[] {
  return Array.from({ length: n }, (_, index): Loss[] => {
    const copy = shards.find((one) => one.index === index);
    if (copy === undefined) return [{ index, place: undefined, why: "never stored" }];
    const { place, state } = copy;
    if (state !== "present") return [{ index, place, why: state }];
    const where = parts.places.get(place);
    if (leaving.includes(place)) return [{ index, place, why: "leaving the place" }];
    if (where === undefined || !allows(placement, where)) return [{ index, place, why: "outside" }];
    return [];
  }).flat();
}

interface Target {
  readonly index: number;
  readonly place: Place;
}

/** Its own place again where that takes it, else one that holds no shard of the object. */
async function chooseTargets(
  store: SplitStore,
  of: {
    readonly entry: IndexEntry;
    readonly placement: Placement;
    readonly lost: readonly Loss[];
    readonly options: RepairOptions;
  },
): Promise<Target[]> {
  const { entry, placement, lost } = of;
  const { leaving = [] } = of.options;
  const { parts } = store;
  const kept = new Set(
    entry.shards.filter(({ index }) => !lost.some((one) => one.index === index)).map(({ place }) => place),
  );
  const allowed = store
    .candidates(placement, entry.generation)
    .filter(({ name }) => !leaving.includes(name) && !kept.has(name));
  const targets: Target[] = [];
  const take = async (index: number, place: Place): Promise<boolean> => {
    if (targets.some((one) => one.place === place) || !(await answers(parts, place))) return false;
    targets.push({ index, place });
    return true;
  };
  const rest: Loss[] = [];
  for (const loss of lost) {
    const own = allowed.find(({ name }) => name === loss.place);
    if (own === undefined || !(await take(loss.index, own))) rest.push(loss);
  }
  for (const { index } of rest) {
    for (const place of allowed) if (await take(index, place)) break;
  }
  return targets.sort((a, b) => a.index - b.index);
}

async function answers({ patienceMs }: SplitParts, { name, store }: Place): Promise<boolean> {
  try {
    const handle = await withPatience(store.begin(), { ms: patienceMs, place: name });
    await withPatience(handle.abort(), { ms: patienceMs, place: name });
    return true;
  } catch {
    return false;
  }
}

/** Writes those shards from what any k others give. Wrong blocks among them are passed over by the reader. */
async function rebuild(
  parts: SplitParts,
  of: { readonly name: string; readonly entry: IndexEntry; readonly targets: readonly Target[] },
): Promise<ShardPlace[]> {
  const { name, entry, targets } = of;
  const { keys, reedSolomon } = parts;
  const { generation, k } = entry;
  const layout = layoutOf(entry);
  const { reader, streams } = openStripes(parts, { name, entry, lastBlock: layout.stripes - 1 });
  const lanes = await Promise.all(
    targets.map(async ({ index, place }) => {
      const seal = new BlockSeal(keys, { generation, index });
      const finalName = pseudonym(keys, { generation, index });
      return { index, place, seal, handle: await place.store.begin({ finalName, abreast: targets.length }) };
    }),
  );
  try {
    const wanted = Array.from({ length: k }, (_, index) => index);
    for (let stripe = 0; stripe < layout.stripes; stripe++) {
      const blocks = await reader.read(stripe, wanted);
      const data = wanted.map((index) => blocks.get(index)!);
      const parity = targets.some(({ index }) => index >= k) ? reedSolomon.parity(entry, data) : [];
      await Promise.all(
        lanes.map(async ({ index, seal, handle }) => {
          const block = index < k ? data[index]! : parity[index - k]!;
          for (const part of seal.seal(stripe, block)) await handle.write(part);
        }),
      );
    }
    for (const { index, handle } of lanes) {
      await handle.write(sealManifest(keys, { ...entry, name, index }));
      await handle.commit(pseudonym(keys, { generation, index }));
    }
  } finally {
    await Promise.all(streams.map((stream) => stream.close()));
    for (const { handle } of lanes) await handle.abort();
  }
  return targets.map(({ index, place }) => ({ index, place: place.name }));
}

/** The entry as it is now; then what lies where it no longer belongs goes. */
async function settle(
  store: SplitStore,
  of: {
    readonly name: string;
    readonly entry: IndexEntry;
    readonly regions: readonly string[];
    readonly rebuilt: readonly ShardPlace[];
  },
): Promise<void> {
  const { name, entry, regions, rebuilt } = of;
  const { index } = store.parts;
  const moved = new Map(rebuilt.map((shard) => [shard.index, shard.place]));
  const shards = Array.from({ length: entry.n }, (_, at): ShardPlace[] => {
    const place = moved.get(at) ?? entry.shards.find((one) => one.index === at)?.place;
    return place === undefined ? [] : [{ index: at, place }];
  }).flat();
  const same = regions.join() === entry.regions.join() && rebuilt.length === 0;
  if (!same) await index.write(name, { ...entry, regions, shards });
  const left = entry.shards.filter(({ index: at, place }) => moved.has(at) && moved.get(at) !== place);
  const remaining = await removeShards(store.parts, entry.generation, left);
  // They wait for `sweep`, which spares what the entry names.
  if (remaining.length > 0) await index.note({ name, generation: entry.generation, shards: remaining });
}

function report(
  { parts }: SplitStore,
  name: string,
  of: { readonly entry: IndexEntry; readonly lost: readonly Loss[]; readonly rebuilt: readonly ShardPlace[] },
): RepairedObject {
  const { entry, lost, rebuilt } = of;
  const regionsOf = (shards: readonly ShardPlace[]): string[] =>
    [...new Set(shards.flatMap(({ place }) => parts.places.get(place)?.region ?? []))].sort();
  return {
    name,
    k: entry.k,
    n: entry.n,
    lost,
    rebuilt,
    rebuiltRegions: regionsOf(rebuilt),
    regions: regionsOf(entry.shards),
    whole: lost.length === rebuilt.length && entry.shards.length === entry.n,
  };
}

/** Every object, one after the other; those that cannot be repaired are named and the rest goes on. */
export async function repairAll(
  store: SplitStore,
  options: RepairOptions & {
    readonly regionsOf?: (name: string) => Promise<readonly string[] | undefined>;
    readonly onObject?: (done: RepairedObject) => void | Promise<void>;
  } = {},
): Promise<{ readonly objects: number; readonly failed: readonly { name: string; why: string }[] }> {
  const names: string[] = [];
  for await (const name of store.list()) names.push(name);
  const failed: { name: string; why: string }[] = [];
  for (const name of names) {
    try {
      const regions = await options.regionsOf?.(name);
      const done = await repairObject(store, name, {
        ...options,
        ...(regions === undefined ? {} : { regions }),
      });
      await options.onObject?.(done);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      if (error.code !== "object-missing" || (await store.parts.index.find(name)) !== undefined)
        failed.push({ name, why: error.message });
    }
  }
  return { objects: names.length, failed };
}
