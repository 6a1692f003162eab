/**
 * Every shard of every divided object, block by block, at its place: a record may be whole while fewer of its places may
 * vanish than were asked for, and nobody would know. Reads only.
 */
import {
  copiesOf,
  type ObjectCopies,
  type PlacedStore,
  type ShardCopy,
  StorageError,
} from "@chartseal/storage";
import { type Finding, remedies } from "./finding.ts";
import type { StoredRecord } from "./records.ts";

export interface ShardsInput {
  readonly placed: Pick<PlacedStore, "split">;
  readonly records: readonly StoredRecord[];
}

/** One shard as it was found; `place` is null of one that no place took. */
export interface ShardSeen {
  readonly shard: number;
  readonly place: string | null;
  readonly state: "good" | "missing" | "altered" | "unreachable";
  /** The first wrong blocks. */
  readonly blocks: readonly number[];
}

/** A divided object, shard by shard. */
export interface DividedObject {
  readonly object: string;
  readonly part: "header" | "payload";
  /** Null of an object that no record names. */
  readonly recordId: string | null;
  readonly k: number;
  readonly n: number;
  /** Blocks of a whole shard. */
  readonly blocks: number;
  readonly shards: readonly ShardSeen[];
}

export interface ShardsReport {
  readonly findings: readonly Finding[];
  readonly divided: readonly DividedObject[];
}

/** Most block numbers that a finding names. */
const blocksNamedMax = 20;

export async function verifyShards({ placed, records }: ShardsInput): Promise<ShardsReport> {
  const byAddress = new Map(records.map(({ address, recordId }) => [address, recordId]));
  const divided: DividedObject[] = [];
  for await (const name of placed.split.list()) {
    let copies: ObjectCopies;
    try {
      copies = await copiesOf(placed.split, name, { deep: true });
    } catch (error) {
      // Removed meanwhile; an index that is damaged there is said where the object is read.
      if (error instanceof StorageError) continue;
      throw error;
    }
    const recordId = byAddress.get(name.replace(/\.header$/, "")) ?? null;
    const { k, n, blocks } = copies;
    const shards = Array.from({ length: n }, (_, index) => seen(copies.shards, index));
    divided.push({ object: name, part: partOf(name), recordId, k, n, blocks, shards });
  }
  return { findings: [...divided.flatMap(findingsOf), ...silentPlaces(divided)], divided };
}

function partOf(name: string): "header" | "payload" {
  return name.endsWith(".header") ? "header" : "payload";
}

const states = { present: "good", missing: "missing", wrong: "altered", unreachable: "unreachable" } as const;

function seen(copies: readonly ShardCopy[], shard: number): ShardSeen {
  const copy = copies.find(({ index }) => index === shard);
  if (copy === undefined) return { shard, place: null, state: "missing", blocks: [] };
  const { place, state, badBlocks } = copy;
  return { shard, place, state: states[state], blocks: badBlocks.slice(0, blocksNamedMax + 1) };
}

function findingsOf(divided: DividedObject): Finding[] {
  return divided.shards.flatMap((shard) =>
    shard.state === "missing" || shard.state === "altered" ? [findingOf(divided, shard)] : [],
  );
}

function findingOf(
  { object, recordId, part, k, n }: DividedObject,
  { shard, place, state, blocks: wrong }: ShardSeen,
): Finding {
  const whole = `any ${k} of ${n} shards are needed`;
  const of = {
    ...(recordId === null ? {} : { recordId }),
    ...(place === null ? {} : { copy: place, place }),
    part,
    object,
    shard,
  };
  const remedy = remedies.shard;
  if (place === null) {
    const detail = `shard ${shard} of the ${part} was never stored: a place was away (${whole})`;
    return { kind: "shard-missing", ...of, detail, remedy };
  }
  if (state === "missing") {
    const detail = `shard ${shard} of the ${part} is missing at ${place} (${whole})`;
    return { kind: "shard-missing", ...of, detail, remedy };
  }
  const blocks = wrong.slice(0, blocksNamedMax);
  const more = wrong.length > blocks.length ? " and others" : "";
  const which =
    blocks.length === 0 ? "has another size than it should" : `has wrong blocks: ${blocks.join(", ")}${more}`;
  const detail = `shard ${shard} of the ${part} at ${place} ${which} (${whole})`;
  return { kind: "shard-altered", ...of, ...(blocks.length === 0 ? {} : { blocks }), detail, remedy };
}

/** One finding for each place that does not answer, however many shards it has. */
function silentPlaces(divided: readonly DividedObject[]): Finding[] {
  const silent = new Map<string, number>();
  for (const { shards } of divided) {
    for (const { place, state } of shards) {
      if (state === "unreachable" && place !== null) silent.set(place, (silent.get(place) ?? 0) + 1);
    }
  }
  return [...silent].sort().map(([place, shards]) => {
    const detail = `${place} cannot be reached: its ${shards} shards were not looked at`;
    return { kind: "place-unreachable", copy: place, place, detail, remedy: remedies.place };
  });
}
