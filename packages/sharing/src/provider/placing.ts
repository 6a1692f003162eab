/**
 * The provider's side of places: payloads taken as they are asked to be divided, headers laid beside them, the owner's
 * residency held, and what lies where said on the ledger: regions, never a place.
 */
import { ChartsealError, equalBytes, hasCode, isFamily, toHex } from "@chartseal/crypto";
import { type Action, liesWithin } from "@chartseal/ledger";
import {
  defaultPlacement,
  type PlacedStore,
  type Placement,
  type PlannedRepair,
  type PutOptions,
  type RepairDone,
  type RepairedObject,
  repairObject,
  type Whereabouts,
} from "@chartseal/storage";
import type { TakeOptions } from "../parties.ts";
import { outside, readPlacement, readResidency } from "../residency.ts";
import { requireRecord } from "../state.ts";
import { storageFailure } from "../streams.ts";
import { NotedRepair } from "./repair-notes.ts";
import type { ProviderAtWork } from "./self.ts";
import { headerName, type ProviderStores } from "./stores.ts";

type Placed = Pick<ProviderStores, "placed">;

/**
 * What is asked for, else the provider's own way within the regions asked for.
 * @throws ChartsealError `input-invalid` where the provider has no places; `rule-violated` where it has none in the regions
 */
export function placementOptions({ placed }: Placed, { placement, regions = [] }: TakeOptions): PutOptions {
  if (placement !== undefined && placed !== undefined) return { placement };
  if (placement === undefined) {
    if (regions.length === 0) return {};
    const { places = [], placement: own } = placed?.split ?? {};
    const allowed = places.filter(({ region }) => regions.includes(region)).length;
    if (own === undefined || allowed === 0) throw outside(regions, []);
    return { placement: { ...(allowed < own.n ? defaultPlacement(allowed) : own), regions } };
  }
  throw new ChartsealError("input-invalid", "this provider has no places to divide a record among", {
    hint: "Its operator adds them with chartseal provider place add.",
  });
}

/** That there are places enough for what is asked. @throws ChartsealError as `placementOptions`, `input-invalid` */
export function demandRoom(stores: Placed, options: TakeOptions): void {
  const { placement } = placementOptions(stores, options);
  if (placement === undefined) return;
  try {
    stores.placed?.split.demandPlaces(placement);
  } catch (error) {
    throw storageFailure(error, "");
  }
}

/** A header lies as its payload does. */
export async function likePayload({ placed }: Placed, address: string): Promise<PutOptions> {
  const where = await placed?.whereabouts(address);
  return where === undefined ? {} : { placement: where.placement };
}

/** @throws ChartsealError `rule-violated` where the payload lies outside of the owner's residency */
export async function demandResidency(
  { surroundings, stores }: ProviderAtWork,
  { owner, address }: { readonly owner: Uint8Array; readonly address: string },
): Promise<void> {
  const residency = await readResidency(surroundings.ledger, owner);
  if (residency.length === 0) return;
  const where = await stores.placed?.whereabouts(address);
  if (where !== undefined && isWithin(where, residency)) return;
  throw outside(residency, where?.regions ?? []);
}

function isWithin({ regions, astray }: Whereabouts, residency: readonly string[]): boolean {
  return !astray && regions.length > 0 && liesWithin(regions, residency);
}

/**
 * Says on the ledger how the record's payload is divided and in which regions it lies, where that is not what the ledger
 * holds. Where it lies outside of the residency nothing is said: it has to be moved first.
 */
export async function recordPlacement(self: ProviderAtWork, recordId: Uint8Array): Promise<void> {
  const { surroundings, identity, stores, writer } = self;
  const { ledger } = surroundings;
  if (stores.placed === undefined) return;
  const record = await requireRecord(ledger, recordId);
  if (record.erasedHeight !== null || !equalBytes(record.provider, identity.account)) return;
  const where = await stores.placed.whereabouts(record.address);
  const residency = await readResidency(ledger, record.owner);
  if (where === undefined || !isWithin(where, residency)) return;
  const { k, n } = where.placement;
  const { version } = record;
  const regions = [...where.regions];
  const before = await readPlacement(ledger, recordId);
  const said =
    before !== undefined &&
    before.version === version &&
    before.k === k &&
    before.n === n &&
    before.regions.join() === regions.join();
  if (said) return;
  await writer.submit({ kind: "record-placement", recordId, version, k, n, regions });
}

/** The same after a deposit that is on the ledger: what cannot be said now is said by `follow`. */
export async function recordPlacementSoon(self: ProviderAtWork, recordId: Uint8Array): Promise<void> {
  try {
    await recordPlacement(self, recordId);
  } catch (error) {
    const later = isFamily(error, "unavailable") || hasCode(error, "transaction-refused");
    if (!later) throw error;
  }
}

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
  const { placed } = stores;
  if (placed === undefined) throw noPlaces();
  const record = await requireRecord(surroundings.ledger, recordId);
  const data = { recordId: toHex(recordId) };
  if (record.erasedHeight !== null) throw new ChartsealError("erased", "the record was erased", { data });
  if (!equalBytes(record.provider, identity.account)) {
    throw new ChartsealError("input-invalid", "another provider holds this record", { data });
  }
  const residency = await readResidency(surroundings.ledger, record.owner);
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

/** What is said on the ledger about a repair. */
export type RepairEntry = Omit<Extract<Action, { kind: "record-repair" }>, "kind">;

function worstOf<T extends RepairDone>(objects: readonly T[]): T {
  return objects.reduce((one, other) => (other.lost.length > one.lost.length ? other : one));
}

/** Of a record's payload and header, or the one of them that could be repaired; undefined where nothing was made again. */
export function repairEntryOf(recordId: Uint8Array, objects: readonly RepairDone[]): RepairEntry | undefined {
  const made = objects.filter((one) => one.rebuilt.length > 0);
  if (made.length === 0) return undefined;
  const { k, n, lost, rebuilt, rebuiltRegions } = worstOf(made);
  const of = (isHeader: boolean): number =>
    made.find(({ name }) => name.endsWith(".header") === isHeader)?.rebuilt.length ?? 0;
  const note = `${of(false)} of the payload's and ${of(true)} of the header's shards made again`;
  const counts = { k, n, lost: lost.length, rebuilt: rebuilt.length };
  return { recordId, ...counts, regions: [...rebuiltRegions], note };
}

export function noPlaces(): ChartsealError {
  return new ChartsealError("input-invalid", "this provider keeps its objects in one folder, not at places", {
    hint: "Add places with chartseal provider place add.",
  });
}
