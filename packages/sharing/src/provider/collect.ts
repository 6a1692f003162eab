/**
 * What interrupted deposits left: payloads that were taken and never registered, removed after a grace time while the
 * provider is at work. Whether one is registered its own header says, since it names its record: no list is walked. A
 * deposit that is on its way has a storage receipt, and its age counts from that (take.ts).
 */
import { ChartsealError, decodeHeader, headerBytesMax, isFamily } from "@chartseal/crypto";
import { entries } from "@chartseal/ledger";
import { readEntry } from "../state.ts";
import { exists, getWhole } from "../streams.ts";
import { addressesOf } from "./chain.ts";
import { removeObjects } from "./follow.ts";
import type { ProviderAtWork } from "./self.ts";
import { headerName } from "./stores.ts";

/** Least age: twice what a transaction may wait for its block, so that no receipt is broken. */
export const orphanGraceMsMin = 2 * 3_600_000;

/** @returns addresses that were removed. @throws ChartsealError `input-invalid` for a grace time that is too short */
export async function collectOrphans(
  self: ProviderAtWork,
  { graceMs }: { readonly graceMs: number },
): Promise<readonly string[]> {
  if (graceMs < orphanGraceMsMin) {
    throw new ChartsealError("input-invalid", "a deposit on its way is no leftover: two hours at least");
  }
  const beforeMs = self.surroundings.now() - graceMs;
  const removed: string[] = [];
  for (const address of await candidates(self, beforeMs)) {
    // In turn with headers that are being stored: none comes between the judgement and the deed.
    const gone = await self.inTurn(async () => {
      if (!(await isOrphan(self, address))) return false;
      await removeObjects(self, address);
      return true;
    });
    if (gone) removed.push(address);
  }
  self.collectedMs = beforeMs;
  return removed;
}

/** Taken since the last time, and old enough by now. One that was judged before is registered, or gone. */
async function candidates(self: ProviderAtWork, beforeMs: number): Promise<readonly string[]> {
  const taken = new Set<string>();
  for await (const { event, address, atMs } of self.stores.journal.entries()) {
    const isDue = event === "taken" && atMs <= beforeMs && atMs > self.collectedMs;
    if (isDue) taken.add(address);
    // Taken again is younger than it was: a receipt was given.
    else taken.delete(address);
  }
  return [...taken];
}

async function isOrphan({ stores, surroundings }: ProviderAtWork, address: string): Promise<boolean> {
  const { ledger } = surroundings;
  const name = headerName(address);
  if (!(await exists(stores.objects, name))) return true;
  let recordId: Uint8Array;
  try {
    recordId = decodeHeader(await getWhole(stores.objects, name, headerBytesMax)).context.recordId;
  } catch (error) {
    if (isFamily(error, "unavailable")) throw error;
    // Damaged: verify reports it, and forensics looks at it.
    return false;
  }
  const record = await readEntry(ledger, entries.record, recordId);
  if (record === undefined) return true;
  // What a record had once is its own affair: erasure, a replaced payload.
  const addresses = await addressesOf(ledger, recordId, record);
  return !addresses.includes(address);
}
