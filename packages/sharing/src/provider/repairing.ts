/**
 * A record's shards made again by its provider, moved where they may lie, and said on the ledger, noted from before the
 * first of them is written (repair-notes.ts).
 */
import { ChartsealError, equalBytes, toHex } from "@chartseal/crypto";
import { liesWithin, type RecordValue } from "@chartseal/ledger";
import {
  type PlacedStore,
  type Placement,
  type PlannedRepair,
  type RepairedObject,
  repairObject,
} from "@chartseal/storage";
import { readResidency } from "../residency.ts";
import { requireRecord } from "../state.ts";
import { storageFailure } from "../streams.ts";
import { noPlaces, recordPlacement, whereaboutsOf } from "./placing.ts";
import { repairEntryOf, worstOf } from "./repair-entry.ts";
import { NotedRepair } from "./repair-notes.ts";
import type { ProviderAtWork } from "./self.ts";
import { headerName } from "./stores.ts";

export interface RepairRecordOptions {
  /** What is missing or of a wrong size only, without reading every block. */
  readonly quick?: boolean;
  /** Places that are to be left. */
  readonly leaving?: readonly string[];
  /** How a record is divided that was stored before there were places. */
  readonly placement?: Placement;
  readonly onBytes?: (bytes: number) => void;
}

/** What was done for one record: of payload and header the one that had lost more counts. */
export interface RepairedRecord {
  readonly recordId: Uint8Array;
  readonly k: number;
  readonly n: number;
  readonly lost: number;
  readonly rebuilt: number;
  readonly regions: readonly string[];
  /** True where it was stored before there were places, and is divided now. */
  readonly moved: boolean;
  /** True where every shard lies where it may. */
  readonly whole: boolean;
  /** Payload and header, shard by shard; for the operator, never for the ledger. */
  readonly objects: readonly RepairedObject[];
}

/**
 * Makes a record's lost shards again and moves those that lie outside of the owner's residency; says so on the ledger.
 * @throws ChartsealError `erased`, `object-altered`, `object-missing`, `provider-unreachable`, `input-invalid`
 */
export async function repairRecord(
  self: ProviderAtWork,
  recordId: Uint8Array,
  options: RepairRecordOptions = {},
): Promise<RepairedRecord> {
  const { surroundings, identity, stores, writer } = self;
  const { placed, whole: bucket } = stores;
  if (placed === undefined && bucket === undefined) throw noPlaces();
  const record = await requireRecord(surroundings.ledger, recordId);
  const data = { recordId: toHex(recordId) };
  if (record.erasedHeight !== null) throw new ChartsealError("erased", "the record was erased", { data });
  if (!equalBytes(record.provider, identity.account)) {
    throw new ChartsealError("input-invalid", "another provider holds this record", { data });
  }
  const residency = await readResidency(surroundings.ledger, record.owner);
  const where = await whereaboutsOf(stores, record.address);
  const staysWhole = bucket !== undefined && liesWithin([bucket.place.region], residency);
  const divided = where !== undefined && where.whole !== true;
  if (placed === undefined || (staysWhole && !divided)) {
    return await settleWhole(self, { recordId, record, staysWhole });
  }
  const { ledger } = surroundings;
  const on = { notes: stores.repairs, recordId, ledger, split: placed.split };
  const { objects, moved } = await NotedRepair.during(on, async (noted) => {
    const done = await repairObjects(placed, { address: record.address, residency, options, noted });
    const entry = repairEntryOf(recordId, done.objects);
    noted.done(entry);
    if (entry !== undefined) {
      await writer.submit({ kind: "record-repair", ...entry });
      noted.done(undefined);
    }
    return done;
  });
  const { k, n, lost, rebuilt } = worstOf(objects);
  await recordPlacement(self, recordId);
  const regions = objects[0]!.regions;
  const whole = objects.every((one) => one.whole);
  return { recordId, k, n, lost: lost.length, rebuilt: rebuilt.length, regions, moved, whole, objects };
}

/** Payload and header. */
async function repairObjects(
  placed: PlacedStore,
  of: {
    readonly address: string;
    readonly residency: readonly string[];
    readonly options: RepairRecordOptions;
    readonly noted: NotedRepair;
  },
): Promise<{ readonly objects: readonly RepairedObject[]; readonly moved: boolean }> {
  const { address, residency, options, noted } = of;
  const objects: RepairedObject[] = [];
  let moved = false;
  const onPlan = (planned: PlannedRepair): void => noted.plan(planned);
  for (const name of [address, headerName(address)]) {
    try {
      const wanted = options.placement ?? placed.split.placement;
      const regions = residency.length === 0 ? (wanted.regions ?? []) : residency;
      if (await placed.move(name, { ...wanted, regions })) moved = true;
      objects.push(await repairObject(placed.split, name, { ...options, within: residency, onPlan }));
    } catch (error) {
      await noted.lookedAt(placed.split);
      throw storageFailure(error, name);
    }
  }
  return { objects, moved };
}

/** Brings a record that is not divided to the bucket where records lie whole, and looks that it is all there. */
async function settleWhole(
  self: ProviderAtWork,
  of: {
    readonly recordId: Uint8Array;
    readonly record: RecordValue;
    /** False where its owner lets it lie in other regions only: no place there is known. */
    readonly staysWhole: boolean;
  },
): Promise<RepairedRecord> {
  const { recordId, record, staysWhole } = of;
  const { objects, whole } = self.stores;
  let moved = false;
  for (const name of [record.address, headerName(record.address)]) {
    try {
      if (staysWhole && (await whole?.move(name)) === true) moved = true;
      await objects.stat(name);
    } catch (error) {
      throw storageFailure(error, name);
    }
  }
  await recordPlacement(self, recordId);
  const regions = (await whereaboutsOf(self.stores, record.address))?.regions ?? [];
  return { recordId, k: 1, n: 1, lost: 0, rebuilt: 0, regions, moved, whole: staysWhole, objects: [] };
}
