/**
 * What every restore does, of an embedded home and of an institution's: whether a home may take the place, what the home that
 * it replaces still knows, what was erased and goes again, and the swap.
 */
import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ChartsealError, concat, decodeHeader, hasCode, headerBytesMax, toHex } from "@chartseal/crypto";
import { headerName, spanTreeName, type Tombstone } from "@chartseal/sharing";
import { type ObjectStore, StorageError } from "@chartseal/storage";
import { readJson, writeJson } from "../home/files.ts";
import { type Home, homeExists, openHome } from "../home/home.ts";
import { type HomePaths, homePaths } from "../home/paths.ts";
import { openObjectStores, openTombstones } from "../services/provider-stores.ts";
import { openForReading, type ReadSession } from "../services/session.ts";
import type { LostHead } from "./loss.ts";

type ErasedTombstone = Extract<Tombstone, { readonly kind: "erased" }>;

/** Whether a home is replaced. @throws ChartsealError `input-invalid` where something else stands in its place */
export function checkTarget(folder: string, source: Home): boolean {
  if (!existsSync(folder)) return false;
  const paths = homePaths(folder);
  const parts = [paths.config, paths.ledger, paths.members, paths.service];
  if (readdirSync(folder).length === 0) return false;
  if (!parts.some((path) => existsSync(path))) {
    throw new ChartsealError("input-invalid", `${folder} is not empty and is no home`, {
      hint: "Give an empty or new folder with --home.",
    });
  }
  const chainId = homeExists(folder) ? openedChain(folder) : undefined;
  if (chainId !== undefined && chainId !== source.config.chainId) {
    throw new ChartsealError("input-invalid", "the backup is of another consortium than the home", {
      data: { home: chainId, backup: source.config.chainId },
    });
  }
  return true;
}

/** The chain of a home whose files may be damaged: that may be why it is replaced. */
function openedChain(folder: string): string | undefined {
  try {
    return openHome(folder).config.chainId;
  } catch {
    return undefined;
  }
}

export async function openDamaged(folder: string): Promise<ReadSession | undefined> {
  try {
    return await openForReading(folder);
  } catch (error) {
    // An older format is no damage: what it holds must not count as nothing.
    if (hasCode(error, "home-outdated")) throw error;
    if (error instanceof ChartsealError && error.family !== "defect") return undefined;
    throw error;
  }
}

export async function mergeTombstones({ paths }: Home, tombstones: readonly Tombstone[]): Promise<void> {
  const file = openTombstones(paths);
  const held = new Set((await file.list()).map((one) => JSON.stringify(one)));
  for (const tombstone of tombstones) if (!held.has(JSON.stringify(tombstone))) await file.add(tombstone);
}

/** Whatever came back with the backup and was erased goes again; of objects that are another record's nothing does. */
export async function destroyErased({ paths }: Home, tombstones: readonly Tombstone[]): Promise<void> {
  const { objects, leaves, journal } = await openObjectStores(paths);
  for (const tombstone of tombstones) {
    if (tombstone.kind !== "erased" || !(await isOf(objects, tombstone))) continue;
    const { address } = tombstone;
    // Header first: without it the payload opens for those alone who hold its file key already.
    const header = await objects.remove(headerName(address));
    await leaves.remove(address);
    await leaves.remove(spanTreeName(address));
    const payload = await objects.remove(address);
    if (header || payload) await journal.append({ event: "removed", address, atMs: Date.now() });
  }
}

/** Whether an address is the record's by the header there; without a readable one it is nobody else's. */
async function isOf(objects: ObjectStore, { address, recordId }: ErasedTombstone): Promise<boolean> {
  try {
    const name = headerName(address);
    if ((await objects.stat(name)).size > headerBytesMax) return true;
    const chunks: Uint8Array[] = [];
    for await (const chunk of objects.get(name)) chunks.push(Uint8Array.from(chunk));
    return toHex(decodeHeader(concat(...chunks)).context.recordId) === recordId;
  } catch (error) {
    if (error instanceof StorageError && error.code === "store-unreachable") throw error;
    return true;
  }
}

/** A member's memory never goes back where nothing was lost. */
export function keepSeenHeads({ paths }: Home, before: HomePaths): void {
  for (const name of existsSync(before.members) ? readdirSync(before.members) : []) {
    const seen = readJson(join(before.members, name, "head.json")) as LostHead | undefined;
    const folder = join(paths.members, name);
    if (seen === undefined || !existsSync(folder)) continue;
    const own = readJson(join(folder, "head.json")) as LostHead | undefined;
    if (own === undefined || own.height < seen.height) writeJson(join(folder, "head.json"), seen);
  }
}

/** Names of homes that were put aside. */
export const asideName = /\.replaced-[0-9]+$/;

/** Puts the copy in the home's place; says where the home that was there went. */
export function swap(draft: string, folder: string): string | null {
  if (!existsSync(folder)) {
    renameSync(draft, folder);
    return null;
  }
  const isEmpty = readdirSync(folder).length === 0;
  const aside = join(dirname(folder), `${basename(folder)}.replaced-${Date.now()}`);
  renameSync(folder, aside);
  renameSync(draft, folder);
  if (!isEmpty) return aside;
  rmSync(aside, { recursive: true });
  return null;
}
