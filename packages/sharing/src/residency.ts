/**
 * Where sealed records about an owner may lie (spec/7-sharing.md, Places): set by the owner, held by the provider when it
 * takes a payload, and by the ledger when the provider says where one lies. What lies outside after a change is listed,
 * for the provider to move.
 */
import { ChartsealError } from "@chartseal/crypto";
import {
  entries,
  type Ledger,
  liesWithin,
  lists,
  type PlacementValue,
  type Submitted,
} from "@chartseal/ledger";
import { isRegion, regionsMax } from "@chartseal/storage";
import type { Identity, Surroundings } from "./parties.ts";
import { type Reader, readEntry, readList } from "./state.ts";
import { AccountWriter } from "./submit.ts";

/** Regions in which records about the owner may lie; none: anywhere. */
export async function readResidency(ledger: Reader, owner: Uint8Array): Promise<readonly string[]> {
  return (await readEntry(ledger, entries.residency, owner))?.regions ?? [];
}

/** Where the provider says that the record's payload lies; undefined where it has said nothing. */
export async function readPlacement(
  ledger: Reader,
  recordId: Uint8Array,
): Promise<PlacementValue | undefined> {
  return await readEntry(ledger, entries.placement, recordId);
}

/** Sorted, each once. @throws ChartsealError `input-invalid` */
export function checkRegions(regions: readonly string[]): readonly string[] {
  const sorted = [...new Set(regions)].sort();
  const bad = sorted.find((region) => !isRegion(region));
  if (bad === undefined && sorted.length <= regionsMax) return sorted;
  const what = bad === undefined ? `more than ${regionsMax} regions` : `not the code of a region: ${bad}`;
  throw new ChartsealError("input-invalid", what, {
    hint: "Lower-case letters, digits and hyphens, up to 16, such as eu, ch, us-east.",
  });
}

/** @throws ChartsealError `input-invalid` */
export async function setResidency(
  surroundings: Surroundings,
  options: { readonly owner: Identity; readonly regions: readonly string[] },
): Promise<Submitted> {
  const regions = [...checkRegions(options.regions)];
  return await new AccountWriter(surroundings, options.owner).submit({ kind: "set-residency", regions });
}

/** A record that may not lie where it does. */
export interface OutsideRecord {
  readonly recordId: Uint8Array;
  /** As the provider said; undefined where it never did. */
  readonly regions: readonly string[] | undefined;
}

/** The owner's records that lie, or may lie, outside of the residency in force. */
export async function recordsOutside(
  ledger: Pick<Ledger, "read">,
  owner: Uint8Array,
): Promise<OutsideRecord[]> {
  const residency = await readResidency(ledger, owner);
  if (residency.length === 0) return [];
  const found: OutsideRecord[] = [];
  for (const recordId of await readList(ledger, lists.recordsOfOwner, owner)) {
    const record = await readEntry(ledger, entries.record, recordId);
    if (record === undefined || record.erasedHeight !== null) continue;
    const placement = await readPlacement(ledger, recordId);
    const regions = placement?.version === record.version ? placement.regions : undefined;
    if (regions === undefined || !liesWithin(regions, residency)) found.push({ recordId, regions });
  }
  return found;
}

/**
 * The regions that a deposit about the owner asks for: those wanted, within the residency.
 * @throws ChartsealError `rule-violated` for a region outside of it
 */
export async function regionsFor(
  ledger: Reader,
  owner: Uint8Array,
  wanted: readonly string[] = [],
): Promise<readonly string[]> {
  const residency = await readResidency(ledger, owner);
  if (liesWithin(wanted, residency)) return wanted.length === 0 ? residency : wanted;
  throw outside(residency, wanted);
}

export function outside(residency: readonly string[], regions: readonly string[]): ChartsealError {
  const where = regions.length === 0 ? "in no region that is known" : `in ${regions.join(", ")}`;
  return new ChartsealError(
    "rule-violated",
    `the owner's records may lie in ${residency.join(", ")} and this one would lie ${where}`,
    {
      data: { residency: [...residency], regions: [...regions] },
      hint: "Choose other regions; the provider needs places there (chartseal provider place list).",
    },
  );
}
