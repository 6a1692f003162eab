/**
 * What lies of an object at each place, looked at from near: for forensics, erasure and repair (`copies`), and by random
 * samples of everything (`scrub`). Nothing is changed.
 */
import { randomInt } from "node:crypto";
import { layoutOf, lookAt, openShard, type SplitParts } from "./shard-access.ts";
import { BlockTrouble, type Trouble } from "./shard-stream.ts";
import type { IndexEntry, ShardPlace } from "./split-index.ts";

/** One shard at its place. */
export interface ShardCopy {
  readonly place: string;
  /** Of the place; undefined where it is not configured any more. */
  readonly region: string | undefined;
  readonly index: number;
  readonly state: "present" | Trouble;
  /** Bytes that it takes there. */
  readonly size: number;
  /** Blocks that were looked at and are wrong or missing; none looked at where the shard is not there. */
  readonly badBlocks: readonly number[];
}

export interface ObjectCopies {
  readonly name: string;
  readonly generation: string;
  readonly size: number;
  readonly k: number;
  readonly n: number;
  readonly regions: readonly string[];
  /** Blocks of a whole shard. */
  readonly blocks: number;
  /** Those that the index names; fewer than n of a degraded object. */
  readonly shards: readonly ShardCopy[];
}

/** Longest list of bad blocks that is kept of one shard. */
const badBlocksMax = 1000;

export interface LookOptions {
  /** Whether every block is read and checked, and not the shards' presence and size alone. */
  readonly deep?: boolean;
  readonly onBytes?: (bytes: number) => void;
}

/** @throws StorageError `object-missing` where the index has no such object */
export async function copiesOf(
  { parts }: { readonly parts: SplitParts },
  name: string,
  options: LookOptions = {},
): Promise<ObjectCopies> {
  const entry = await parts.index.read(name);
  const layout = layoutOf(entry);
  const all = (): readonly number[] => Array.from({ length: layout.stripes }, (_, block) => block);
  const shards = await Promise.all(
    entry.shards.map((at) => inspectShard(parts, { entry, at }, options.deep === true ? all() : [], options)),
  );
  const { generation, size, k, n, regions } = entry;
  return { name, generation, size, k, n, regions, blocks: layout.stripes, shards };
}

export async function inspectShard(
  parts: SplitParts,
  { entry, at }: { readonly entry: IndexEntry; readonly at: ShardPlace },
  blocks: readonly number[],
  { onBytes }: LookOptions = {},
): Promise<ShardCopy> {
  const { place, index } = at;
  const layout = layoutOf(entry);
  const region = parts.places.get(place)?.region;
  const copy = { place, region, index, size: layout.storedBytes };
  const state = await lookAt(parts, entry, at);
  if (state !== "present") return { ...copy, state, badBlocks: [] };
  const badBlocks: number[] = [];
  let lost: Trouble | undefined;
  // Neighbours are read in one stream, others each by itself.
  let stream = openShard(parts, { entry, at, lastBlock: runEnd(blocks, 0) });
  for (const [order, block] of blocks.entries()) {
    if (order > 0 && blocks[order - 1] !== block - 1) {
      await stream.close();
      stream = openShard(parts, { entry, at, lastBlock: runEnd(blocks, order) });
    }
    try {
      const { length } = await stream.read(block);
      onBytes?.(length);
    } catch (error) {
      const trouble = error instanceof BlockTrouble ? error.trouble : "unreachable";
      if (trouble === "wrong" && badBlocks.length < badBlocksMax) badBlocks.push(block);
      if (trouble === "wrong") continue;
      lost = trouble;
      break;
    }
  }
  await stream.close();
  return { ...copy, state: lost ?? (badBlocks.length > 0 ? "wrong" : "present"), badBlocks };
}

/** The last of the neighbours that follow the block at that place in the list. */
function runEnd(blocks: readonly number[], order: number): number {
  let at = order;
  while (blocks[at + 1] === blocks[at]! + 1) at++;
  return blocks[at] ?? 0;
}

export interface ScrubOptions {
  /** Share of each shard's blocks that is read, above 0 to 1; at least one block of every shard. */
  readonly fraction: number;
  /** Objects whose names begin so. */
  readonly prefix?: string;
  readonly onObject?: (name: string) => void;
}

/** A shard that is not as it should be. */
export interface Scrubbed {
  readonly objects: number;
  readonly blocks: number;
  readonly findings: readonly (ShardCopy & { readonly name: string })[];
  /** Objects with fewer than n shards in the index. */
  readonly degraded: readonly string[];
}

/** Reads random blocks of every shard and checks their seals. */
export async function scrub(
  { parts }: { readonly parts: SplitParts },
  options: ScrubOptions,
): Promise<Scrubbed> {
  const findings: (ShardCopy & { name: string })[] = [];
  const degraded: string[] = [];
  let objects = 0;
  let blocks = 0;
  for await (const name of parts.index.names(options.prefix)) {
    const entry = await parts.index.look(name);
    if (entry === undefined || entry === "damaged") continue;
    objects++;
    options.onObject?.(name);
    if (entry.shards.length < entry.n) degraded.push(name);
    const { stripes } = layoutOf(entry);
    const count = Math.min(stripes, Math.max(1, Math.ceil(stripes * options.fraction)));
    const copies = await Promise.all(
      entry.shards.map((at) => inspectShard(parts, { entry, at }, sample(stripes, count))),
    );
    blocks += count * copies.length;
    for (const copy of copies) if (copy.state !== "present") findings.push({ ...copy, name });
  }
  return { objects, blocks, findings, degraded };
}

/** That many distinct numbers below `total`, ascending (Floyd 1987). */
export function sample(total: number, count: number): number[] {
  const chosen = new Set<number>();
  for (let top = total - count; top < total; top++) {
    const pick = randomInt(top + 1);
    chosen.add(chosen.has(pick) ? top : pick);
  }
  return [...chosen].sort((a, b) => a - b);
}
