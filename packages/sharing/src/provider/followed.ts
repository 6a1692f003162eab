/**
 * How far a provider has followed the ledger, beside its headers that wait. Where others write too, blocks come while it does
 * not run: it goes on where it stopped. And after its stores or its ledger came back from a copy: the height that the ledger
 * had when they were in use, below which the provider judges nothing, since to an older ledger what is stored here is foreign.
 */
import { type CborValue, ChartsealError, decode, encode, equalBytes } from "@chartseal/crypto";
import type { Ledger } from "@chartseal/ledger";
import type { ObjectStore } from "@chartseal/storage";
import { exists, getWhole, once } from "../streams.ts";
import type { ProviderSelf } from "./self.ts";

const followedName = "followed.height";
const expectedName = "restored.height";
const noteBytesMax = 256;

/** Says to the provider of these stores that they, or its ledger, came back from a copy. */
export async function expectHeight(pending: ObjectStore, height: number): Promise<void> {
  const before = (await expectedHeight(pending)) ?? 0;
  await pending.put(expectedName, once(encode([Math.max(before, height)])));
}

/** The height that the ledger had before; undefined where nothing came back, or all of that was judged. */
export async function expectedHeight(pending: ObjectStore): Promise<number | undefined> {
  if (!(await exists(pending, expectedName))) return undefined;
  const [height] = await noted(pending, expectedName);
  return typeof height === "number" ? height : 0;
}

/** What came back was judged by a ledger that is not older. */
export async function endExpecting(pending: ObjectStore): Promise<void> {
  await pending.remove(expectedName);
}

/** Whether the ledger is older than what lies here, as while a node fetches it again. */
export async function isBehind({ stores, surroundings }: ProviderSelf): Promise<boolean> {
  const expected = await expectedHeight(stores.pending);
  return expected !== undefined && (await surroundings.ledger.head()).height < expected;
}

/** The last block of this chain that was followed with nothing left undone; undefined where none is noted. */
export async function followedBefore({ stores, surroundings }: ProviderSelf): Promise<number | undefined> {
  const { pending } = stores;
  if (!(await exists(pending, followedName))) return undefined;
  const [height, hash] = await noted(pending, followedName);
  if (typeof height !== "number" || !(hash instanceof Uint8Array)) return undefined;
  const from = await firstHeld(surroundings.ledger, height);
  // Before a snapshot nobody here can tell whether it was this chain; the home's files say so.
  if (from > height) return height;
  const block = await surroundings.ledger.block(height);
  return block !== undefined && equalBytes(block.hash, hash) ? height : undefined;
}

export async function noteFollowed({ stores, surroundings }: ProviderSelf, height: number): Promise<void> {
  const block = height === 0 ? undefined : await surroundings.ledger.block(height);
  if (block !== undefined) await stores.pending.put(followedName, once(encode([height, block.hash])));
}

/** That height, or the first above it that the ledger holds: one that began with a snapshot has no block before it. */
export async function firstHeld(ledger: Ledger, height: number): Promise<number> {
  if (height < 1) return height;
  try {
    await ledger.block(height);
    return height;
  } catch (error) {
    return Math.max(height, baseOf(error));
  }
}

/** The block that a ledger's chain begins with, from its refusal to tell what was before. @throws every other error */
export function baseOf(error: unknown): number {
  if (error instanceof ChartsealError && error.code === "input-invalid") {
    const { base } = error.data ?? {};
    if (typeof base === "number") return base;
  }
  throw error;
}

async function noted(pending: ObjectStore, name: string): Promise<readonly CborValue[]> {
  try {
    const value = decode(await getWhole(pending, name, noteBytesMax), { sizeMax: noteBytesMax });
    return Array.isArray(value) ? (value as readonly CborValue[]) : [];
  } catch (error) {
    if (error instanceof ChartsealError && error.family === "unavailable") throw error;
    // Damaged: as if nothing were noted.
    return [];
  }
}
