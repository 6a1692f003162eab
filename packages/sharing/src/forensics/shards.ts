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

/** Most block numbers that a finding names. */
const blocksNamedMax = 20;

export async function verifyShards({ placed, records }: ShardsInput): Promise<Finding[]> {
  const byAddress = new Map(records.map(({ address, recordId }) => [address, recordId]));
  const findings: Finding[] = [];
  const silent = new Map<string, number>();
  for await (const name of placed.split.list()) {
    let copies: ObjectCopies;
    try {
      copies = await copiesOf(placed.split, name, { deep: true });
    } catch (error) {
      // Removed meanwhile; an index that is damaged there is said where the object is read.
      if (error instanceof StorageError) continue;
      throw error;
    }
    const recordId = byAddress.get(name.replace(/\.header$/, ""));
    const of = { copy: name, ...(recordId === undefined ? {} : { recordId }), part: partOf(name) };
    for (let index = 0; index < copies.n; index++) {
      const shard = copies.shards.find((one) => one.index === index);
      if (shard?.state === "unreachable") silent.set(shard.place, (silent.get(shard.place) ?? 0) + 1);
      else if (shard?.state !== "present") findings.push(findingOf(of, { index, shard, copies }));
    }
  }
  for (const [place, shards] of [...silent].sort()) {
    const detail = `${place} cannot be reached: its ${shards} shards were not looked at`;
    findings.push({ kind: "place-unreachable", place, detail, remedy: remedies.place });
  }
  return findings;
}

function partOf(name: string): "header" | "payload" {
  return name.endsWith(".header") ? "header" : "payload";
}

function findingOf(
  of: Pick<Finding, "copy" | "recordId" | "part">,
  found: { readonly index: number; readonly shard: ShardCopy | undefined; readonly copies: ObjectCopies },
): Finding {
  const { index, shard, copies } = found;
  const whole = `any ${copies.k} of ${copies.n} shards are needed`;
  const remedy = remedies.shard;
  if (shard === undefined) {
    const detail = `shard ${index} was never stored: a place was away (${whole})`;
    return { kind: "shard-missing", ...of, shard: index, detail, remedy };
  }
  const { place, state, badBlocks } = shard;
  if (state === "missing") {
    const detail = `shard ${index} is missing at ${place} (${whole})`;
    return { kind: "shard-missing", ...of, place, shard: index, detail, remedy };
  }
  const blocks = badBlocks.slice(0, blocksNamedMax);
  const more = badBlocks.length > blocks.length ? " and others" : "";
  const which =
    blocks.length === 0 ? "has another size than it should" : `has wrong blocks: ${blocks.join(", ")}${more}`;
  const detail = `shard ${index} at ${place} ${which} (${whole})`;
  return {
    kind: "shard-altered",
    ...of,
    place,
    shard: index,
    ...(blocks.length === 0 ? {} : { blocks }),
    detail,
    remedy,
  };
}
