/**
 * Repairs that are not on the ledger yet, under way or done: DIR/provider/repairs.json, written under the home's lock.
 * Whoever opens the home with the passphrase next says them there.
 */
import { fromHex, isFamily, toHex } from "@chartseal/crypto";
import type { RepairEntry, RepairNote, RepairNotes, StorageProvider } from "@chartseal/sharing";
import { readJson, removeSmallFile, writeJson } from "../home/files.ts";
import type { HomePaths } from "../home/paths.ts";

type Paths = Pick<HomePaths, "repairs">;
type Line = Omit<RepairEntry, "recordId">;
/** Of before: a line alone, of what was done and not said. */
type Written = { readonly recordId: string } & (
  | (Omit<RepairNote, "recordId" | "entry"> & { readonly entry: Line | null })
  | Line
);

export function openRepairNotes(paths: Paths): RepairNotes {
  return {
    load: () => ((readJson(paths.repairs) ?? []) as readonly Written[]).map(noteOf),
    save: (notes) => {
      if (notes.length > 0) writeJson(paths.repairs, notes.map(writtenOf));
      else removeSmallFile(paths.repairs);
    },
  };
}

function noteOf(written: Written, at: number): RepairNote {
  const recordId = fromHex(written.recordId, 32);
  if ("planned" in written) {
    return { ...written, recordId, entry: written.entry && { ...written.entry, recordId } };
  }
  const entry = { ...written, recordId };
  return { id: `earlier-${at}`, recordId, sinceHeight: Number.MAX_SAFE_INTEGER, planned: [], entry };
}

function writtenOf({ recordId, entry, ...note }: RepairNote): Written {
  return { recordId: toHex(recordId), ...note, entry: entry && withoutRecord(entry) };
}

function withoutRecord({ recordId: _, ...line }: RepairEntry): Line {
  return line;
}

/** Ids of the records of which a repair is not on the ledger yet. */
export function pendingRepairs(paths: Paths): ReadonlySet<string> {
  return new Set(
    openRepairNotes(paths)
      .load()
      .map(({ recordId }) => toHex(recordId)),
  );
}

/** What cannot be said now waits for the next time. */
export async function recordPendingRepairs(provider: StorageProvider): Promise<void> {
  try {
    await provider.sayRepairs();
  } catch (error) {
    if (!isFamily(error, "unavailable") && !isFamily(error, "integrity")) throw error;
  }
}
