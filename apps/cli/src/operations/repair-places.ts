/**
 * provider repair, scrub and rebuild-index: lost and wrong shards made again, random blocks looked at, a lost index made
 * from what lies at the places. A repair is said on the ledger in the record's log.
 */
import { ChartsealError, isFamily, toHex } from "@chartseal/crypto";
import { lists } from "@chartseal/ledger";
import { noPlaces, type RepairedRecord, readList, requireRecord } from "@chartseal/sharing";
import { type Rebuilt, rebuildIndex, type Scrubbed, scrub } from "@chartseal/storage";
import { openHome, parseRecordId } from "../home/home.ts";
import { takeOwnHome } from "../services/home-lock.ts";
import { openObjectStores } from "../services/provider-stores.ts";
import type { OwnSession } from "../services/session.ts";
import { openStoredObjects } from "../services/stored-objects.ts";

export interface RepairLine {
  readonly recordId: string;
  readonly k: number;
  readonly n: number;
  readonly lost: number;
  readonly rebuilt: number;
  readonly regions: readonly string[];
  readonly moved: boolean;
  readonly whole: boolean;
  /** Shards of payload and header that were not as they should be. */
  readonly shards: readonly { readonly place: string | null; readonly why: string }[];
}

export interface RepairReport {
  readonly records: number;
  /** Of records where something was lost or moved. */
  readonly repaired: readonly RepairLine[];
  readonly failed: readonly { readonly recordId: string; readonly code: string; readonly message: string }[];
  readonly ok: boolean;
}

export interface RepairRequest {
  readonly record?: string;
  readonly quick?: boolean;
  readonly leaving?: readonly string[];
}

/** One record, or every record that this provider holds; what cannot be repaired stops nothing else. */
export async function repairRecords(session: OwnSession, request: RepairRequest): Promise<RepairReport> {
  const { provider } = session;
  const ids = request.record === undefined ? await heldRecords(session) : [parseRecordId(request.record)];
  const repaired: RepairLine[] = [];
  const failed: { recordId: string; code: string; message: string }[] = [];
  const { quick = false, leaving = [] } = request;
  for (const recordId of ids) {
    try {
      const done = await provider.repair(recordId, { quick, leaving });
      if (done.lost > 0 || done.moved || !done.whole) repaired.push(lineOf(done));
    } catch (error) {
      const one =
        error instanceof ChartsealError && (isFamily(error, "integrity") || isFamily(error, "unavailable"));
      if (!one) throw error;
      failed.push({ recordId: toHex(recordId), code: error.code, message: sentenceOf(error) });
    }
  }
  const ok = failed.length === 0 && repaired.every(({ whole }) => whole);
  return { records: ids.length, repaired, failed, ok };
}

/** With what the store said, which names the places. */
function sentenceOf(error: ChartsealError): string {
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

function lineOf({ recordId, objects, ...done }: RepairedRecord): RepairLine {
  const { k, n, lost, rebuilt, regions, moved, whole } = done;
  const shards = objects.flatMap((one) => one.lost.map(({ place, why }) => ({ place: place ?? null, why })));
  return { recordId: toHex(recordId), k, n, lost, rebuilt, regions, moved, whole, shards };
}

async function heldRecords({ ledger, provider }: OwnSession): Promise<Uint8Array[]> {
  const held: Uint8Array[] = [];
  for (const recordId of await readList(ledger, lists.records)) {
    const record = await requireRecord(ledger, recordId);
    const ours = toHex(record.provider) === toHex(provider.account);
    if (ours && record.erasedHeight === null) held.push(recordId);
  }
  return held;
}

export interface ScrubReport {
  readonly ok: boolean;
  readonly objects: number;
  readonly blocks: number;
  readonly degraded: readonly string[];
  readonly findings: readonly {
    readonly place: string;
    readonly object: string;
    readonly shard: number;
    readonly state: string;
    readonly blocks: readonly number[];
  }[];
}

/** @throws ChartsealError `input-invalid` where the home has no places */
export async function scrubPlaces(folder: string, fraction: number): Promise<ScrubReport> {
  const { placed } = await openStoredObjects(openHome(folder).paths);
  if (placed === undefined) throw noPlaces();
  return reportOf(await scrub(placed.split, { fraction }));
}

function reportOf({ objects, blocks, degraded, findings }: Scrubbed): ScrubReport {
  const found = findings.map(({ place, name, index, state, badBlocks }) => ({
    place,
    object: name,
    shard: index,
    state,
    blocks: badBlocks,
  }));
  return { ok: found.length === 0 && degraded.length === 0, objects, blocks, degraded, findings: found };
}

/** @throws ChartsealError `input-invalid` where the home has no places; `home-busy` */
export async function rebuildPlacements(folder: string, waitMs: number): Promise<Rebuilt> {
  const { paths } = openHome(folder);
  const lock = await takeOwnHome(folder, waitMs);
  try {
    const { placed } = await openObjectStores(paths);
    if (placed === undefined) throw noPlaces();
    return await rebuildIndex(placed.split);
  } finally {
    lock.release();
  }
}
