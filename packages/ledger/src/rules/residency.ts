/**
 * set-residency, record-placement, record-repair: where sealed records about an owner may lie, where the provider says
 * that they do, and what it had to make again. The ledger holds regions alone, never a place or the name of a shard: it
 * cannot see a disk, so a placement is the provider's signed word, for which it answers.
 */
import { equalBytes } from "@chartseal/crypto";
import { shardsMax } from "../actions.ts";
import { demand } from "../refusals.ts";
import type { StateAccess } from "../state.ts";
import { entries, load, type RecordValue, roles, save } from "../state-kinds.ts";
import { knownRecord, saveLogged } from "./records.ts";
import { type Rule, type Setting, signerOf, signerWith } from "./setting.ts";

/** Regions in which records about the owner may lie; none: anywhere. */
export function residencyOf(state: Pick<StateAccess, "get">, owner: Uint8Array): readonly string[] {
  return load(state, entries.residency, owner)?.regions ?? [];
}

/** True where every one of these regions is allowed by that residency. */
export function liesWithin(regions: readonly string[], residency: readonly string[]): boolean {
  return residency.length === 0 || regions.every((region) => residency.includes(region));
}

const ascends = (regions: readonly string[]): boolean =>
  regions.every((region, at) => at === 0 || regions[at - 1]! < region);

export const setResidency: Rule<"set-residency"> = (setting, { regions }) => {
  const { state, block } = setting;
  const { account } = signerWith(setting, roles.member);
  demand(ascends(regions), "residency-invalid");
  save(state, entries.residency, account, { regions, height: block.height });
};

export const recordPlacement: Rule<"record-placement"> = (setting, action) => {
  const { state, block } = setting;
  const { recordId, version, k, n, regions } = action;
  const record = heldRecord(setting, recordId);
  demand(version === record.version, "record-version");
  demandDivided(setting, record, action);
  const before = load(state, entries.placement, recordId);
  const known =
    before !== undefined &&
    before.version === version &&
    before.k === k &&
    before.n === n &&
    before.regions.join() === regions.join();
  demand(!known, "placement-known");
  save(state, entries.placement, recordId, { version, k, n, regions, height: block.height });
  saveLogged(setting, recordId, record, "placed");
};

export const recordRepair: Rule<"record-repair"> = (setting, action) => {
  const { recordId, n, lost, rebuilt } = action;
  const record = heldRecord(setting, recordId);
  demandDivided(setting, record, action);
  demand(lost > 0 && lost <= n && rebuilt <= lost, "repair-invalid");
  saveLogged(setting, recordId, record, "repaired");
};

/** A record that is not erased and that the signer holds. */
function heldRecord(setting: Setting, recordId: Uint8Array): RecordValue {
  const record = knownRecord(setting.state, recordId);
  demand(equalBytes(record.provider, signerOf(setting).account), "role-missing");
  demand(record.erasedHeight === null, "record-erased");
  return record;
}

function demandDivided(
  { state }: Setting,
  { owner }: RecordValue,
  { k, n, regions }: { readonly k: number; readonly n: number; readonly regions: readonly string[] },
): void {
  demand(k >= 1 && k <= n && n <= shardsMax, "placement-invalid");
  demand(regions.length > 0 && ascends(regions), "placement-invalid");
  demand(liesWithin(regions, residencyOf(state, owner)), "placement-outside");
}
