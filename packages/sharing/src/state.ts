/** Typed reads of the ledger's state at its head, for every journey: one line a value. */
import { ChartsealError, toHex } from "@chartseal/crypto";
import {
  type AccountValue,
  type Entry,
  emptyKey,
  entries,
  fromBytes,
  type Ledger,
  type List,
  listItemKey,
  listKey,
  type RecordValue,
  type RequestValue,
  type RuleValue,
  ruleKey,
  vouchKey,
} from "@chartseal/ledger";

export type Reader = Pick<Ledger, "read">;

/** A value of the state, or undefined. */
export async function readEntry<V>(
  ledger: Reader,
  { kind, codec }: Entry<V>,
  key: Uint8Array,
): Promise<V | undefined> {
  const bytes = await ledger.read(kind, key);
  return bytes === undefined ? undefined : fromBytes(codec, bytes);
}

/** Every item of a list, oldest first. */
export async function readList(
  ledger: Reader,
  list: List,
  key: Uint8Array = emptyKey,
): Promise<Uint8Array[]> {
  return (await readListFrom(ledger, list, { key, from: 0 })) ?? [];
}

/** The items of a list from a place on, oldest first; undefined where the list is shorter than that. */
export async function readListFrom(
  ledger: Reader,
  list: List,
  { key = emptyKey, from }: { readonly key?: Uint8Array; readonly from: number },
): Promise<Uint8Array[] | undefined> {
  const size = (await readEntry(ledger, entries.listSize, listKey(list, key))) ?? 0;
  if (size < from) return undefined;
  const items: Uint8Array[] = [];
  for (let at = from; at < size; at++) {
    const item = await readEntry(ledger, entries.listItem, listItemKey(list, key, at));
    if (item === undefined) throw new ChartsealError("chain-altered", "a list of the state has a hole");
    items.push(item);
  }
  return items;
}

export function readAccount(ledger: Reader, account: Uint8Array): Promise<AccountValue | undefined> {
  return readEntry(ledger, entries.account, account);
}

export function readRule(
  ledger: Reader,
  owner: Uint8Array,
  namespace: string,
): Promise<RuleValue | undefined> {
  return readEntry(ledger, entries.rule, ruleKey(owner, namespace));
}

/** @throws ChartsealError `record-unknown` */
export async function requireRecord(ledger: Reader, recordId: Uint8Array): Promise<RecordValue> {
  const record = await readEntry(ledger, entries.record, recordId);
  if (record !== undefined) return record;
  throw new ChartsealError("record-unknown", "no such record is on the ledger", {
    data: { recordId: toHex(recordId) },
  });
}

export function readRequest(ledger: Reader, requestId: Uint8Array): Promise<RequestValue | undefined> {
  return readEntry(ledger, entries.request, requestId);
}

/** Whether a vouch for the attribute stands. */
export async function isVouched(ledger: Reader, account: Uint8Array, attribute: string): Promise<boolean> {
  const vouch = await readEntry(ledger, entries.vouch, vouchKey(account, attribute));
  return vouch !== undefined && vouch.endedHeight === null;
}
