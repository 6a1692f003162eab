/**
 * Shards that are lost or wrong, made again from the good ones without a key of the provider's account: the places' own
 * secrets are enough. What is to be said about it on the ledger is noted, for whoever has that key.
 */
import { fromHex } from "@chartseal/crypto";
import type { Ledger } from "@chartseal/ledger";
import {
  type PlacedStore,
  type PlannedRepair,
  type RepairedObject,
  repairObject,
  StorageError,
} from "@chartseal/storage";
import { repairEntryOf } from "../provider/repair-entry.ts";
import { NotedRepair, type RepairNotes } from "../provider/repair-notes.ts";
import { headerName } from "../provider/stores.ts";
import { readResidency } from "../residency.ts";
import { requireRecord } from "../state.ts";
import type { Finding } from "./finding.ts";
import type { Repaired } from "./repair.ts";

export interface RepairShardsInput {
  readonly ledger: Ledger;
  readonly placed: Pick<PlacedStore, "split">;
  readonly findings: readonly Finding[];
  /** Where it waits to be said on the ledger. */
  readonly notes: RepairNotes;
}

/**
 * One record after the other, where the owner's residency allows it. Records that have too few good shards, or whose
 * places do not answer, stay as they are and are found again. Only on a ledger that was found sound.
 */
export async function repairShards(input: RepairShardsInput): Promise<Repaired[]> {
  const damaged = new Map<string, Finding["kind"]>();
  for (const { kind, recordId } of input.findings) {
    if ((kind !== "shard-missing" && kind !== "shard-altered") || recordId === undefined) continue;
    if (!damaged.has(recordId)) damaged.set(recordId, kind);
  }
  const done: Repaired[] = [];
  for (const recordId of damaged.keys()) done.push(...(await repairOne(input, recordId)));
  return done;
}

async function repairOne(
  { ledger, placed, notes }: RepairShardsInput,
  recordId: string,
): Promise<Repaired[]> {
  const id = fromHex(recordId, 32);
  const { owner, address, erasedHeight } = await requireRecord(ledger, id);
  if (erasedHeight !== null) return [];
  const within = await readResidency(ledger, owner);
  const objects: RepairedObject[] = [];
  await NotedRepair.during({ notes, recordId: id, ledger, split: placed.split }, async (noted) => {
    let failed = false;
    for (const name of [address, headerName(address)]) {
      try {
        const onPlan = (planned: PlannedRepair): void => noted.plan(planned);
        objects.push(await repairObject(placed.split, name, { within, onPlan }));
      } catch (error) {
        // The other of the two may be repaired all the same.
        if (!(error instanceof StorageError)) throw error;
        failed = true;
      }
    }
    if (failed) await noted.lookedAt(placed.split);
    else noted.done(repairEntryOf(id, objects));
  });
  return objects.flatMap((object) => lines(recordId, object, object.name === address ? "payload" : "header"));
}

function lines(recordId: string, { lost, rebuilt }: RepairedObject, part: string): Repaired[] {
  return rebuilt.map(({ index, place }): Repaired => {
    const before = lost.find((one) => one.index === index);
    const kind = before?.why === "wrong" ? "shard-altered" : "shard-missing";
    const was =
      kind === "shard-altered" ? `in place of a wrong one` : `which was ${before?.why ?? "missing"}`;
    const from = before?.place === undefined || before.place === place ? "" : ` instead of ${before.place}`;
    const detail = `made shard ${index} of the ${part} again at ${place}${from} from the others, ${was}`;
    return { kind, recordId, copy: place, detail, recorded: false };
  });
}
