/**
 * gc: removes what interrupted work left: objects stored and never registered, headers of a rekey that never came, what
 * is left of erased records, answers whose grants have lapsed; each after a grace time (CONTRACT). It works under the
 * home's lock, and never on a ledger that may have lost blocks: there a registered object looks like an orphan.
 */
import { existsSync, lstatSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { ChartsealError, fromHex } from "@chartseal/crypto";
import { entries } from "@chartseal/ledger";
import {
  destroyRecord,
  type ProviderStores,
  parsePendingName,
  readEntry,
  recordsOfState,
  removeObjects,
  type StoredRecord,
  storageFailure,
} from "@chartseal/sharing";
import { clearUnfinished, sweep } from "@chartseal/storage";
import { removeSmallFile } from "../home/files.ts";
import { type Home, openHome } from "../home/home.ts";
import type { HomePaths } from "../home/paths.ts";
import { takeOwnHome } from "../services/home-lock.ts";
import { clearPlaces } from "../services/places.ts";
import { openObjectStores } from "../services/provider-stores.ts";
import { openForReading, type ReadSession } from "../services/session.ts";
import { demandWitnessed } from "./verify.ts";

export interface Collected {
  /** Objects removed and their bytes. */
  readonly removed: number;
  readonly bytes: number;
  /** Waiting headers and answered requests cleared. */
  readonly pending: number;
  readonly answered: number;
  /** Objects that were being written when their process ended; their bytes count above. */
  readonly unfinished: number;
  /** Shards at the provider's places that no object names; where it has places. */
  readonly shards?: number;
}

export interface CollectOptions {
  /** Nothing younger is touched. */
  readonly graceMs: number;
  readonly waitMs: number;
  readonly now: () => number;
}

type Stores = Omit<ProviderStores, "keys" | "special" | "answered">;

/** @throws ChartsealError `home-missing`, `home-busy`, `chain-altered` where members or tombstones know a longer chain */
export async function collect(folder: string, options: CollectOptions): Promise<Collected> {
  const home = openHome(folder);
  const lock = await takeOwnHome(folder, options.waitMs);
  try {
    const session = await openForReading(folder);
    try {
      await demandWitnessed(home.paths);
      // Before the stores are opened, which clear those of more than a day by themselves.
      const { removed: unfinished, bytes } = await collectUnfinished(home.paths, options);
      const stores = await openObjectStores(home.paths);
      const found = await collectObjects(session, stores, options);
      const objects = { ...found, bytes: found.bytes + bytes, unfinished };
      const pending = await collectPending(session, stores, options);
      const answered = collectAnswered(home, options);
      const { placed } = stores;
      const { graceMs, now } = options;
      await clearPlaces(home.paths, now() - graceMs);
      if (placed === undefined) return { ...objects, pending, answered };
      const records = await recordsOfState(session.ledger);
      const live = new Set(records.filter(({ erased }) => !erased).map(({ address }) => address));
      // Where the index is lost, registered objects look like leftovers: rebuild-index finds them again.
      const keep = (name: string): boolean => live.has(baseOf(name));
      const { removed: shards } = await sweep(placed.split, { graceMs, now, keep });
      return { ...objects, pending, answered, shards };
    } catch (error) {
      throw storageFailure(error, "");
    } finally {
      await session.close();
    }
  } finally {
    lock.release();
  }
}

function baseOf(name: string): string {
  return name.endsWith(".header") ? name.slice(0, -".header".length) : name;
}

async function collectUnfinished(
  { objects, leaves }: HomePaths,
  options: CollectOptions,
): Promise<{ removed: number; bytes: number }> {
  const total = { removed: 0, bytes: 0 };
  for (const folder of [objects, leaves, join(dirname(objects), "pending")]) {
    const { removed, bytes } = await clearUnfinished(folder, options);
    total.removed += removed;
    total.bytes += bytes;
  }
  return total;
}

async function collectObjects(
  session: ReadSession,
  stores: Stores,
  { graceMs, now }: CollectOptions,
): Promise<{ removed: number; bytes: number }> {
  const records = await recordsOfState(session.ledger);
  const live = new Set(records.filter(({ erased }) => !erased).map(({ address }) => address));
  const erased = new Map(records.filter((one) => one.erased).map((one) => [one.address, one]));
  const journal = new Map<string, { event: string; atMs: number }>();
  for await (const entry of stores.journal.entries()) journal.set(entry.address, entry);
  let removed = 0;
  let bytes = 0;
  const surroundings = { ledger: session.ledger, now };
  const gone = new Map<string, StoredRecord | undefined>();
  for await (const name of stores.objects.list()) {
    const address = baseOf(name);
    if (live.has(address)) continue;
    const record = erased.get(address);
    const entry = journal.get(address);
    // What the journal does not know is nobody's leftover: verify reports it and forensics moves it away.
    const orphan = entry?.event === "taken" && entry.atMs <= now() - graceMs;
    if (record === undefined && !orphan) continue;
    gone.set(address, record);
    removed++;
    bytes += (await stores.objects.stat(name)).size;
  }
  for (const [address, record] of gone) {
    if (record === undefined) await removeObjects({ surroundings, stores }, address);
    else await destroyRecord({ surroundings, stores }, fromHex(record.recordId, 32));
  }
  return { removed, bytes };
}

/** Headers that wait for a rekey that the ledger has not taken in all the grace time, or can no longer take. */
async function collectPending(
  { ledger, home }: ReadSession,
  stores: Stores,
  { graceMs, now }: CollectOptions,
): Promise<number> {
  const folder = join(dirname(home.paths.objects), "pending");
  let cleared = 0;
  for await (const name of stores.pending.list()) {
    const waiting = parsePendingName(name);
    // What erasures note here is theirs.
    if (waiting === undefined) continue;
    const record = await readEntry(ledger, entries.record, waiting.recordId);
    // Of the version that stands: it is the only copy until it is put into its place.
    const stands = record !== undefined && record.version === waiting.version && record.erasedHeight === null;
    if (stands || modifiedMs(join(folder, name)) > now() - graceMs) continue;
    if (await stores.pending.remove(name)) cleared++;
  }
  return cleared;
}

/** An answered request is asked about again only until its grant lapses. */
function collectAnswered({ paths }: Home, { graceMs, now }: CollectOptions): number {
  const folder = join(paths.service, "answered");
  if (!existsSync(folder)) return 0;
  const before = now() - Math.max(graceMs, grantLifetimeMs);
  const old = readdirSync(folder).filter(
    (name) => name.endsWith(".sealed") && modifiedMs(join(folder, name)) < before,
  );
  return old.filter((name) => removeSmallFile(join(folder, name))).length;
}

/** Twice what a grant lives, so that no clock's drift matters. */
const grantLifetimeMs = 20 * 60_000;

function modifiedMs(path: string): number {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new ChartsealError("provider-unreachable", `${path} went away while gc ran`);
  return stat.mtimeMs;
}
