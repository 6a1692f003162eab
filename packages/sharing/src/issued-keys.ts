/**
 * Every key that was ever asked for in an account's name, by the ledger's own list (CRYPTO §2.3; spec/7-sharing.md,
 * Issuance). One walk over the state serves the member's list, the maker of a proof and its checker: they differ in
 * where they are given the entries from, and so ask for the very same ones.
 */
import { ChartsealError, equalBytes, isSelf } from "@chartseal/crypto";
import {
  type Entry,
  type EntryValue,
  entries,
  fromBytes,
  fullVouchKey,
  type KeyRequestValue,
  type Ledger,
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
  readonly requestId: Uint8Array;
  /** `transform`, `full`, or one of the special modes. */
  readonly mode: string;
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

/** Oldest first. @throws what `ask` throws for an entry that it cannot give */
export async function keysOfAccount(ask: Ask, account: Uint8Array): Promise<KeyOfAccount[]> {
  const list = lists.keyRequestsOfAccount;
  const size = (await ask(entries.listSize, listKey(list, account))) ?? 0;
  const live = await ask(entries.liveKey, account);
  const keys: KeyOfAccount[] = [];
  for (let at = 0; at < size; at++) {
    const requestId = await ask(entries.listItem, listItemKey(list, account, at));
    const request = requestId === undefined ? undefined : await requestOf(ask, requestId);
    if (requestId === undefined || request === undefined) {
      throw new ChartsealError("chain-altered", "the list of an account's keys has a hole");
    }
    const { attributes, provider, mode, epoch, height, keyId } = request;
    const key = keyId === null ? undefined : await ask(entries.key, keyId);
    keys.push({
      requestId,
      mode,
      attributes,
      provider,
      epoch,
      requestedHeight: height,
      keyId,
      nodes: key?.nodes ?? [],
      issuedHeight: key?.height ?? null,
      retiredHeight: key?.retiredHeight ?? null,
      live: live !== undefined && keyId !== null && equalBytes(live.keyId, keyId),
      vouches:
        "grantId" in request ? await grantBehind(ask, request) : await vouchesBehind(ask, account, request),
    });
  }
  return keys;
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
