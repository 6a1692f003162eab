/**
 * The provider's side of places: payloads taken as they are asked to be divided, headers laid beside them, the owner's
 * residency held, and what lies where said on the ledger: regions, never a place.
 */
import { ChartsealError, equalBytes, hasCode, isFamily } from "@chartseal/crypto";
import { liesWithin } from "@chartseal/ledger";
import { defaultPlacement, type PutOptions, type Whereabouts } from "@chartseal/storage";
import type { TakeOptions } from "../parties.ts";
import { outside, readPlacement, readResidency } from "../residency.ts";
import { requireRecord } from "../state.ts";
import { storageFailure } from "../streams.ts";
import type { ProviderAtWork } from "./self.ts";
import type { ProviderStores } from "./stores.ts";

type Placed = Pick<ProviderStores, "placed" | "whole">;

/** Undefined of what lies at no place. @throws ChartsealError `provider-unreachable` while a bucket does not answer */
export async function whereaboutsOf(
  { placed, whole }: Placed,
  address: string,
): Promise<Whereabouts | undefined> {
  try {
    return await (placed ?? whole)?.whereabouts(address);
  } catch (error) {
    throw storageFailure(error, address);
  }
}

/**
 * What is asked for, else the provider's own way within the regions asked for.
 * @throws ChartsealError `input-invalid` where the provider has no places; `rule-violated` where it has none in the regions
 */
export function placementOptions(
  { placed, whole }: Placed,
  { placement, regions = [] }: TakeOptions,
): PutOptions {
  if (placement !== undefined && placed !== undefined) return { placement };
  if (placement === undefined) {
    // Whole in the bucket, where there is one in these regions.
    if (regions.length === 0 || (whole !== undefined && regions.includes(whole.place.region))) return {};
    const { places = [], placement: own } = placed?.split ?? {};
    const allowed = places.filter(({ region }) => regions.includes(region)).length;
    if (own === undefined || allowed === 0) throw outside(regions, whole ? [whole.place.region] : []);
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
export async function likePayload(stores: Placed, address: string): Promise<PutOptions> {
  const where = await whereaboutsOf(stores, address);
  return where === undefined || where.whole === true ? {} : { placement: where.placement };
}

/** @throws ChartsealError `rule-violated` where the payload lies outside of the owner's residency */
export async function demandResidency(
  { surroundings, stores }: ProviderAtWork,
  { owner, address }: { readonly owner: Uint8Array; readonly address: string },
): Promise<void> {
  const residency = await readResidency(surroundings.ledger, owner);
  if (residency.length === 0) return;
  const where = await whereaboutsOf(stores, address);
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
  if (stores.placed === undefined && stores.whole === undefined) return;
  const record = await requireRecord(ledger, recordId);
  if (record.erasedHeight !== null || !equalBytes(record.provider, identity.account)) return;
  const where = await whereaboutsOf(stores, record.address);
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

export function noPlaces(): ChartsealError {
  return new ChartsealError("input-invalid", "this provider has no places to divide records among", {
    hint: "Add places with chartseal provider place add.",
  });
}
