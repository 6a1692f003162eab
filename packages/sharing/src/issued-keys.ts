/**
 * Every key that was ever asked for in an account's name, or for its records by others in emergencies and as proxies, by the
 * ledger's own lists (CRYPTO §2.3; spec/7-sharing.md, Issuance). One walk over the state serves the member's list, the maker of a proof and its checker: they differ in
 * where they are given the entries from, and so ask for the very same ones.
 */
import { ChartsealError, equalBytes, fromHex, isSelf, toHex } from "@chartseal/crypto";
import {
  type Entry,
  type EntryValue,
  entries,
  fromBytes,
  fullVouchKey,
  type KeyRequestValue,
  type Ledger,
  type List,
  listItemKey,
  listKey,
  lists,
  vouchKey,
} from "@chartseal/ledger";

/** Gives an entry of the state: at the head of the walk, or after the block of that height. */
export type Ask = <V>(entry: Entry<V>, key: Uint8Array, height?: number) => Promise<V | undefined>;

/** A vouch (of a special key: the emergency or appointment) that a request rested on, as it stood after the request's own block. */
export interface VouchBehind {
  readonly attribute: string;
  /** Where it was given; null where the state shows none. */
  readonly height: number | null;
}

export interface KeyOfAccount {
  /** In whose name: the account's own, or of whom it is the owner in an emergency or an appointment. */
  readonly account: Uint8Array;
  readonly requestId: Uint8Array;
  /** `transform`, `full`, `emergency` or `proxy`. */
  readonly mode: string;
  /** Of an emergency's or a proxy's key. */
  readonly grantId: Uint8Array | null;
  readonly attributes: readonly string[];
  /** Who keeps the key; of a full key the account itself. */
  readonly provider: Uint8Array;
  readonly epoch: number;
  readonly requestedHeight: number;
  /** Null: nobody announced it. Nodes may have answered all the same. */
  readonly keyId: Uint8Array | null;
  /** Whose answers were combined. */
  readonly nodes: readonly number[];
  readonly issuedHeight: number | null;
  readonly retiredHeight: number | null;
  /** The account's one live transform key. */
  readonly live: boolean;
  readonly vouches: readonly VouchBehind[];
}

/**
 * The account's own, oldest first; then those that others were given for emergencies and appointments of which it is the
 * owner. @throws what `ask` throws for an entry that it cannot give
 */
export async function keysOfAccount(ask: Ask, account: Uint8Array): Promise<KeyOfAccount[]> {
  const live = await ask(entries.liveKey, account);
  const keys: KeyOfAccount[] = [];
  for (const { requestId, request } of await requestsOf(ask, account)) {
    keys.push(await keyOf(ask, { account, requestId, request, liveId: live?.keyId }));
  }
  for (const [reader, grants] of await readersOf(ask, account)) {
    for (const { requestId, request } of await requestsOf(ask, fromHex(reader, 20))) {
      if (!("grantId" in request) || !grants.has(toHex(request.grantId))) continue;
      keys.push(await keyOf(ask, { account: fromHex(reader, 20), requestId, request, liveId: undefined }));
    }
  }
  return keys;
}

interface Requested {
  readonly requestId: Uint8Array;
  readonly request: KeyRequestValue | SpecialRequest;
}

/** Every request in an account's name. */
async function requestsOf(ask: Ask, account: Uint8Array): Promise<Requested[]> {
  const requests: Requested[] = [];
  for (const requestId of await itemsOf(ask, lists.keyRequestsOfAccount, account)) {
    const request = await requestOf(ask, requestId);
    if (request === undefined) throw hole();
    requests.push({ requestId, request });
  }
  return requests;
}

async function itemsOf(ask: Ask, list: List, key: Uint8Array): Promise<Uint8Array[]> {
  const size = (await ask(entries.listSize, listKey(list, key))) ?? 0;
  const items: Uint8Array[] = [];
  for (let at = 0; at < size; at++) {
    const item = await ask(entries.listItem, listItemKey(list, key, at));
    if (item === undefined) throw hole();
    items.push(item);
  }
  return items;
}

function hole(): ChartsealError {
  return new ChartsealError("chain-altered", "the list of an account's keys has a hole");
}

/** Who may have been given a key to this owner's records: reader, hex → emergencies and appointments, hex. */
async function readersOf(ask: Ask, owner: Uint8Array): Promise<Map<string, Set<string>>> {
  const readers = new Map<string, Set<string>>();
  const add = (reader: Uint8Array | undefined, grantId: Uint8Array): void => {
    if (reader === undefined) throw hole();
    if (equalBytes(reader, owner)) return;
    readers.set(toHex(reader), (readers.get(toHex(reader)) ?? new Set()).add(toHex(grantId)));
  };
  for (const id of await itemsOf(ask, lists.emergencies, owner))
    add((await ask(entries.emergency, id))?.first, id);
  for (const id of await itemsOf(ask, lists.proxiesOfOwner, owner))
    add((await ask(entries.proxy, id))?.proxy, id);
  return readers;
}

async function keyOf(
  ask: Ask,
  about: Requested & { readonly account: Uint8Array; readonly liveId: Uint8Array | undefined },
): Promise<KeyOfAccount> {
  const { account, requestId, request, liveId } = about;
  const { attributes, provider, mode, epoch, height, keyId } = request;
  const key = keyId === null ? undefined : await ask(entries.key, keyId);
  return {
    account,
    requestId,
    mode,
    grantId: "grantId" in request ? request.grantId : null,
    attributes,
    provider,
    epoch,
    requestedHeight: height,
    keyId,
    nodes: key?.nodes ?? [],
    issuedHeight: key?.height ?? null,
    retiredHeight: key?.retiredHeight ?? null,
    live: liveId !== undefined && keyId !== null && equalBytes(liveId, keyId),
    vouches:
      "grantId" in request ? await grantBehind(ask, request) : await vouchesBehind(ask, account, request),
  };
}

type SpecialRequest = EntryValue<typeof entries.specialRequest>;

/** The account's own request, or the one for the key of an emergency or a proxy. */
async function requestOf(
  ask: Ask,
  requestId: Uint8Array,
): Promise<KeyRequestValue | SpecialRequest | undefined> {
  return (await ask(entries.keyRequest, requestId)) ?? (await ask(entries.specialRequest, requestId));
}

/** The emergency or the appointment that the request rested on, in the place of a vouch. */
async function grantBehind(ask: Ask, request: SpecialRequest): Promise<VouchBehind[]> {
  const { mode, grantId, attributes, height } = request;
  const confirmed =
    mode === "emergency"
      ? (await ask(entries.emergency, grantId, height))?.second
      : await ask(entries.proxy, grantId, height);
  return attributes.map((attribute) => ({ attribute, height: confirmed?.height ?? null }));
}

/**
 * The vouches of the request's attributes after its own block. The account's own ACCOUNT@self in mode full rests on the
 * account's signature alone.
 */
async function vouchesBehind(
  ask: Ask,
  account: Uint8Array,
  { attributes, mode, digest, height }: KeyRequestValue,
): Promise<VouchBehind[]> {
  const behind: VouchBehind[] = [];
  for (const attribute of attributes) {
    if (mode === "full") {
      if (isSelf(attribute)) continue;
      const full = await ask(entries.fullVouch, fullVouchKey(account, digest, attribute), height);
      behind.push({ attribute, height: full?.height ?? null });
      continue;
    }
    const vouch = await ask(entries.vouch, vouchKey(account, attribute), height);
    const stood = vouch !== undefined && (vouch.endedHeight === null || vouch.endedHeight === height);
    behind.push({ attribute, height: stood ? vouch.height : null });
  }
  return behind;
}

/** The walk over a ledger at hand. */
export async function listKeys(ledger: Ledger, account: Uint8Array): Promise<KeyOfAccount[]> {
  const { height: head } = await ledger.head();
  return await keysOfAccount(async ({ kind, codec }, key, height = head) => {
    const { value } = await ledger.prove(kind, key, height);
    return value === null ? undefined : fromBytes(codec, value);
  }, account);
}
