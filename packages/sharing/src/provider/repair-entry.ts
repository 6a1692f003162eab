/** What is said on the ledger about a repair: counts and regions, and of no place the name. */
import type { Action } from "@chartseal/ledger";
import type { RepairDone } from "@chartseal/storage";

/** What is said on the ledger about a repair. */
export type RepairEntry = Omit<Extract<Action, { kind: "record-repair" }>, "kind">;

/** Of payload and header the one that had lost more. */
export function worstOf<T extends RepairDone>(objects: readonly T[]): T {
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
