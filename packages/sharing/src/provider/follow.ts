/**
 * What the provider does because the ledger says so: ended attributes go from the keys in custody, erased records go
 * from every store, a rekeyed header takes the old one's place and a replaced payload goes. Run after each change and
 * when a home is opened, so that a crash between the ledger's block and the deed is made good (CRYPTO §2.2, §4).
 */
import {
  ChartsealError,
  decodeHeader,
  equalBytes,
  fromHex,
  fromUtf8,
  headerBytesMax,
  namespaceOf,
  toHex,
} from "@chartseal/crypto";
import { decodeTransaction, entries, lists, vouchKey } from "@chartseal/ledger";
import type { ObjectStore } from "@chartseal/storage";
import { replacedAt } from "../account-keys.ts";
import { openDisputed } from "../dispute/opening.ts";
import type { Surroundings } from "../parties.ts";
import { readEntry, readList, requireRecord } from "../state.ts";
import { exists, getWhole, once, storageFailure } from "../streams.ts";
import { destroyAside } from "./aside.ts";
import { actionsOf, addressesOf, erasureAt, revocationAt, type Told } from "./chain.ts";
import { withoutParts } from "./custody-key.ts";
import { firstHeld, followedBefore, isBehind, noteFollowed } from "./followed.ts";
import { signedByHolders } from "./holders.ts";
import { likePayload, recordPlacementSoon } from "./placing.ts";
import { Postponed } from "./postponed.ts";
import type { ProviderAtWork, ProviderSelf } from "./self.ts";
import { followSpecial } from "./special.ts";
import {
  headerName,
  type PendingHeader,
  type ProviderStores,
  parsePendingName,
  pendingName,
  type Tombstone,
} from "./stores.ts";
import { spanTreeName } from "./take.ts";

/** Blocks before the head that a provider looks at when it begins: where a crash left something undone. */
const blocksBehind = 32;

/** What destroying takes: no key of the provider's, so that forensics can finish an erasure too. */
export interface Holdings {
  readonly surroundings: Pick<Surroundings, "ledger" | "now">;
  readonly stores: Omit<ProviderStores, "keys" | "special" | "answered">;
}

/** @throws ChartsealError of the family `unavailable` only after everything else was done; the next call tries it again */
export async function follow(self: ProviderAtWork): Promise<void> {
  await self.inTurn(async () => {
    if (await isBehind(self)) return;
    const postponed = new Postponed();
    // Keys that a dispute asks for go only when they were shown.
    if (await postponed.attempt(() => openDisputed(self))) {
      await postponed.attempt(() => followKeys(self));
      await postponed.attempt(() => followSpecial(self));
    }
    for await (const name of self.stores.pending.list()) {
      const waiting = parsePendingName(name);
      if (waiting !== undefined) await postponed.attempt(() => settlePending(self, waiting));
    }
    await postponed.attempt(() => followBlocks(self));
    postponed.end();
  });
}

/**
 * Keys in custody against the ledger: retired keys go whole, attributes without a vouch go from live ones. What a dispute
 * asks of them is opened first, and looked for after it was seen that they are to go: the ledger takes none later.
 */
export async function followKeys(self: ProviderAtWork): Promise<void> {
  const { stores, surroundings, identity } = self;
  const { ledger } = surroundings;
  for (const account of await stores.keys.accounts()) {
    const live = await readEntry(ledger, entries.liveKey, account);
    if (live === undefined) {
      // Of an account that never had a live key, one may be on its way; a replaced account key retired it for good.
      if ((await replacedAt(ledger, account)) === undefined) continue;
      await openDisputed(self);
      await stores.keys.remove(account);
      continue;
    }
    if (!equalBytes(live.provider, identity.account)) {
      await openDisputed(self);
      await stores.keys.remove(account);
      continue;
    }
    const custody = await stores.keys.get(account, live.keyId);
    if (custody === undefined) continue;
    await stores.keys.settle(account, live.keyId);
    const ended = new Set<string>();
    for (const attribute of custody.key.k2.keys()) {
      const vouch = await readEntry(ledger, entries.vouch, vouchKey(account, attribute));
      if (vouch?.endedHeight === null) continue;
      ended.add(attribute);
      if (vouch === undefined) continue;
      const transaction = await revocationAt(ledger, { account, attribute, height: vouch.endedHeight });
      await bury(self, {
        kind: "revoked",
        account: toHex(account),
        attributes: [attribute],
        transaction: toHex(transaction),
      });
    }
    if (ended.size === 0) continue;
    await openDisputed(self);
    await stores.keys.put(account, withoutParts(surroundings.pairing, custody, ended));
  }
}

/** Writes a tombstone unless it stands. */
async function bury({ stores }: Holdings, tombstone: Tombstone): Promise<void> {
  const text = JSON.stringify(tombstone);
  if ((await stores.tombstones.list()).some((one) => JSON.stringify(one) === text)) return;
  await stores.tombstones.add(tombstone);
}

/**
 * A header that waited: into its place if the ledger took it, away if the ledger took another or can take none. While
 * its rekey may still come into a block it stays: the provider has signed that it holds it.
 */
export async function settlePending(self: ProviderSelf, waiting: PendingHeader): Promise<void> {
  const { surroundings, stores } = self;
  const { recordId, version, headerHash } = waiting;
  const name = pendingName(waiting);
  if (!(await exists(stores.pending, name))) return;
  const record = await readEntry(surroundings.ledger, entries.record, recordId);
  const mayCome = record !== undefined && record.erasedHeight === null && record.version < version;
  if (mayCome) return;
  const taken =
    record !== undefined && record.erasedHeight === null && equalBytes(record.headerHash, headerHash);
  if (taken) {
    const header = await getWhole(stores.pending, name, headerBytesMax);
    const beside = await likePayload(stores, record.address);
    await stores.objects.put(headerName(record.address), once(header), beside);
  }
  await stores.pending.remove(name);
}

/** Erasures, replaced payloads and revocations of the blocks since the last time, and what was left undone then. */
async function followBlocks(self: ProviderAtWork): Promise<void> {
  const { ledger } = self.surroundings;
  const { height: head } = await ledger.head();
  const postponed = new Postponed();
  const attempt = async (name: string, deed: () => Promise<unknown>): Promise<void> => {
    if (await postponed.attempt(deed)) self.undone.delete(name);
    else self.undone.set(name, deed);
  };
  for (const [name, deed] of [...self.undone]) await attempt(name, deed);
  const begins = self.followedHeight === undefined;
  const from = 1 + (self.followedHeight ?? (await beginning(self, head)));
  for (let height = await firstHeld(ledger, from); height <= head; height++) {
    for (const [at, told] of (await actionsOf(ledger, height)).entries()) {
      await attempt(`${height}.${at}`, () => followAction(self, told, height));
    }
  }
  if (begins) await attempt("sweep", () => sweepErased(self));
  self.followedHeight = head;
  // What was left undone is known to this process alone: the next one looks at those blocks again.
  if (self.followsOthers && self.undone.size === 0 && from <= head) await noteFollowed(self, head);
  postponed.end();
}

/** The block after which a provider begins to look: a crash may have left something undone in the last ones. */
async function beginning(self: ProviderAtWork, head: number): Promise<number> {
  const recent = Math.max(0, head - blocksBehind);
  if (!self.followsOthers) return recent;
  return Math.min((await followedBefore(self)) ?? recent, recent);
}

async function followAction(self: ProviderAtWork, { action, bytes }: Told, height: number): Promise<void> {
  if (action.kind === "erase" || action.kind === "erase-due") {
    const { recordId } = action;
    await destroyRecord(self, recordId, (addresses) => signedByHolders(self, { recordId, addresses }));
  }
  if (action.kind === "rekey") await dropReplaced(self, action.recordId);
  if (action.kind === "deposit" || action.kind === "rekey") await recordPlacementSoon(self, action.recordId);
  if (action.kind === "revoke") await buryRevocation(self, { ...action, bytes, height });
  if (action.kind === "replace-key") await buryKey(self, bytes);
}

/** Of attributes that no key held yet too: a backup from between vouch and revocation would bring them back. */
async function buryRevocation(
  self: ProviderSelf,
  revoked: {
    readonly account: Uint8Array;
    readonly namespace: string;
    readonly attributes: readonly string[];
    readonly bytes: Uint8Array;
    readonly height: number;
  },
): Promise<void> {
  const { account, namespace, bytes, height } = revoked;
  const { ledger } = self.surroundings;
  const ever = revoked.attributes.length > 0 ? revoked.attributes : await attributesEver(self, account);
  for (const attribute of ever) {
    const vouch = await readEntry(ledger, entries.vouch, vouchKey(account, attribute));
    if (namespaceOf(attribute) !== namespace || vouch?.endedHeight !== height) continue;
    await bury(self, {
      kind: "revoked",
      account: toHex(account),
      attributes: [attribute],
      transaction: toHex(bytes),
    });
  }
}

/** Of a lost device: a ledger restored from before it was replaced would let it in again. */
async function buryKey(self: ProviderSelf, bytes: Uint8Array): Promise<void> {
  const account = decodeTransaction(bytes).authorisation.account?.account;
  if (account === undefined) return;
  await bury(self, { kind: "replaced", account: toHex(account), transaction: toHex(bytes) });
}

async function attributesEver({ surroundings }: ProviderSelf, account: Uint8Array): Promise<string[]> {
  return (await readList(surroundings.ledger, lists.vouchesOfAccount, account)).map(fromUtf8);
}

/**
 * Destroys an erased record's header, leaf hashes and payload, at every address that it ever had, and before them the
 * copies that lie beside the store, which are known by them; the tombstone before all of it. Does no more where all of it
 * is done. `first` is what comes before an object goes, as holders' signatures do.
 * @returns the addresses. @throws ChartsealError `input-invalid` for a record that the ledger does not show as erased
 */
export async function destroyRecord(
  self: Holdings,
  recordId: Uint8Array,
  first: (addresses: readonly string[]) => Promise<unknown> = async () => {},
): Promise<readonly string[]> {
  const { surroundings, stores } = self;
  const { ledger } = surroundings;
  const record = await requireRecord(ledger, recordId);
  if (record.erasedHeight === null) {
    throw new ChartsealError("input-invalid", "the ledger does not show this record as erased");
  }
  const transaction = toHex(await erasureAt(ledger, recordId, record.erasedHeight));
  const addresses = await addressesOf(ledger, recordId, record);
  const own: string[] = [];
  for (const address of addresses) {
    await bury(self, { kind: "erased", recordId: toHex(recordId), address, transaction });
  }
  const postponed = new Postponed();
  for (const address of addresses) {
    await postponed.attempt(async () => {
      if (await isOf(self, address, recordId)) own.push(address);
    });
  }
  await destroyAside(stores, { recordId, record, addresses: own });
  await first(addresses);
  for (const address of own) await postponed.attempt(() => removeObjects(self, address));
  for await (const name of stores.pending.list(toHex(recordId))) {
    // What holders signed for the certificate stays.
    if (parsePendingName(name) !== undefined) await stores.pending.remove(name);
  }
  postponed.end();
  return addresses;
}

async function removeIfOf(self: Holdings, address: string, recordId: Uint8Array): Promise<void> {
  if (await isOf(self, address, recordId)) await removeObjects(self, address);
}

/** Whether an address is that record's by the header there; an address without a readable one is nobody else's. */
async function isOf({ stores }: Holdings, address: string, recordId: Uint8Array): Promise<boolean> {
  const name = headerName(address);
  if (!(await exists(stores.objects, name))) return true;
  try {
    return equalBytes(
      decodeHeader(await getWhole(stores.objects, name, headerBytesMax)).context.recordId,
      recordId,
    );
  } catch (error) {
    if (error instanceof ChartsealError && error.family === "unavailable") throw error;
    return true;
  }
}

/** Erased objects that came back, as from a restored copy, and those that a crash left; holders sign before them too. */
async function sweepErased(self: ProviderSelf): Promise<void> {
  const postponed = new Postponed();
  for (const tombstone of await self.stores.tombstones.list()) {
    if (tombstone.kind !== "erased") continue;
    const { address } = tombstone;
    const recordId = fromHex(tombstone.recordId, 32);
    await postponed.attempt(async () => {
      if (!(await isOf(self, address, recordId))) return;
      await signedByHolders(self, { recordId, addresses: [address] });
      await removeObjects(self, address);
    });
  }
  postponed.end();
}

/** Payloads of a record that a `rekey --payload` replaced: who still has the old file key must not find them here. */
export async function dropReplaced(self: ProviderSelf, recordId: Uint8Array): Promise<void> {
  const { ledger } = self.surroundings;
  const record = await requireRecord(ledger, recordId);
  if (record.erasedHeight !== null) return;
  const postponed = new Postponed();
  for (const address of await addressesOf(ledger, recordId, record)) {
    if (address !== record.address) await postponed.attempt(() => removeIfOf(self, address, recordId));
  }
  postponed.end();
}

/** What an erasure or a new payload overtook while the record was being repaired. */
export async function dropOvertaken(self: ProviderSelf, recordId: Uint8Array): Promise<void> {
  const { ledger } = self.surroundings;
  const record = await readEntry(ledger, entries.record, recordId);
  if (record === undefined) return;
  if (record.erasedHeight === null) await dropReplaced(self, recordId);
  else await destroyRecord(self, recordId);
}

/** Whether something of an address waits to be removed where a place was away. */
async function isLeft({ placed }: Holdings["stores"], address: string): Promise<boolean> {
  if (placed === undefined) return false;
  for await (const { name } of placed.split.parts.index.leftovers()) {
    if (name === address || name === headerName(address)) return true;
  }
  return false;
}

/**
 * Header first: a payload without its header opens for those alone who already hold its file key. The payload last: while
 * it is there, something is left to do.
 */
export async function removeObjects({ surroundings, stores }: Holdings, address: string): Promise<void> {
  const there =
    (await exists(stores.objects, headerName(address))) || (await exists(stores.objects, address));
  if (!there && !(await isLeft(stores, address))) return;
  // A place that is away keeps none of the rest from going; what it holds is asked for again.
  const failures: unknown[] = [];
  const remove = async (store: ObjectStore, name: string): Promise<void> => {
    await store.remove(name).catch((error: unknown) => failures.push(error));
  };
  await remove(stores.objects, headerName(address));
  await remove(stores.leaves, address);
  await remove(stores.leaves, spanTreeName(address));
  await remove(stores.objects, address);
  if (failures.length > 0) throw storageFailure(failures[0], address);
  await stores.journal.append({ event: "removed", address, atMs: surroundings.now() });
}
