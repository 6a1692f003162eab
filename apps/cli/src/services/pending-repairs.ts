/**
 * Repairs that were made without the provider's key and are not on the ledger yet: DIR/provider/repairs.json. `forensics
 * --repair` adds to it under the home's lock; whoever opens the home with the passphrase next says them on the ledger.
 */
import { fromHex, isFamily, toHex } from "@chartseal/crypto";
import type { RepairEntry, StorageProvider } from "@chartseal/sharing";
import { readJson, removeSmallFile, writeJson } from "../home/files.ts";
import type { HomePaths } from "../home/paths.ts";

type Paths = Pick<HomePaths, "repairs">;
type Waiting = Omit<RepairEntry, "recordId"> & { readonly recordId: string };

function read(paths: Paths): readonly Waiting[] {
  return (readJson(paths.repairs) ?? []) as readonly Waiting[];
}

function write(paths: Paths, waiting: readonly Waiting[]): void {
  if (waiting.length > 0) writeJson(paths.repairs, waiting);
  else removeSmallFile(paths.repairs);
}

/** Durable when it returns. */
export function addPendingRepair(paths: Paths, entry: RepairEntry): void {
  write(paths, [...read(paths), { ...entry, recordId: toHex(entry.recordId) }]);
}

/** Ids of the records of which a repair is not on the ledger yet. */
export function pendingRepairs(paths: Paths): ReadonlySet<string> {
  return new Set(read(paths).map(({ recordId }) => recordId));
}

/** One after the other, each struck out when the ledger has it. What cannot be said now waits for the next time. */
export async function recordPendingRepairs(paths: Paths, provider: StorageProvider): Promise<void> {
  try {
    const waiting = [...read(paths)];
    for (let first = waiting.shift(); first !== undefined; first = waiting.shift()) {
      await provider.recordRepair({ ...first, recordId: fromHex(first.recordId, 32) });
      write(paths, waiting);
    }
  } catch (error) {
    if (!isFamily(error, "unavailable") && !isFamily(error, "integrity")) throw error;
  }
}
