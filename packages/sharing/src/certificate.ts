/**
 * The certificate of an erasure as people read it: the record, when and by whom it was erased, each copy with its holder
 * and whether its signature holds, and what no certificate can promise.
 */
import { ChartsealError, toHex } from "@chartseal/crypto";
import {
  decodeTransaction,
  entries,
  type Ledger,
  logKey,
  outcomes,
  verifyErasedCopy,
} from "@chartseal/ledger";
import { readAccount, readEntry, requireRecord } from "./state.ts";

export interface Certificate {
  readonly recordId: string;
  readonly chainId: string;
  readonly erased: {
    readonly height: number;
    readonly time: string;
    readonly transaction: string;
    readonly by: string;
  };
  readonly certified: { readonly height: number; readonly time: string; readonly transaction: string };
  readonly copies: readonly { readonly copy: string; readonly holder: string; readonly valid: boolean }[];
  /** What stays possible, for all to know. */
  readonly limits: readonly string[];
}

const limits = [
  "What was read stays read: a reader's own copy of the content is out of reach.",
  "A copy of the header from before opens with a full key of a reader, or with the provider and a reader together.",
  "Each holder signs for its own places. That a disk forgets what was deleted, and that a holder's own backups are gone, is its word.",
] as const;

/** @throws ChartsealError `input-invalid` for a record that is not erased or not certified yet, `record-unknown` */
export async function certificateOf(ledger: Ledger, recordId: Uint8Array): Promise<Certificate> {
  const record = await requireRecord(ledger, recordId);
  if (record.erasedHeight === null) throw new ChartsealError("input-invalid", "the record is not erased");
  const found = new Map<number, Uint8Array>();
  for (let index = 0; index < record.logCount; index++) {
    const entry = await readEntry(ledger, entries.log, logKey(recordId, index));
    if (entry !== undefined) found.set(entry.outcome, entry.identifier);
  }
  const erased = await entryOf(ledger, found.get(outcomes.erased));
  const certified = await entryOf(ledger, found.get(outcomes.certified));
  if (erased === undefined || certified === undefined) {
    throw new ChartsealError("input-invalid", "the erasure is not certified yet", {
      hint: "chartseal erase goes on where it stopped, once every place answers.",
    });
  }
  const { chainId } = ledger;
  const copies = [];
  const { action } = certified.transaction.body;
  for (const copy of action.kind === "erase-certificate" ? action.copies : []) {
    const key = (await readAccount(ledger, copy.holder))?.publicKey;
    const valid =
      key !== undefined && verifyErasedCopy(key, copy, { chainId, recordId, address: copy.address });
    copies.push({ copy: copy.address, holder: toHex(copy.holder), valid });
  }
  const by = erased.transaction.authorisation.account?.account;
  const { transaction: _, ...first } = erased;
  const { transaction: __, ...second } = certified;
  return {
    recordId: toHex(recordId),
    chainId: toHex(chainId),
    erased: {
      ...first,
      transaction: toHex(erased.transaction.identifier),
      by: by === undefined ? "" : toHex(by),
    },
    certified: { ...second, transaction: toHex(certified.transaction.identifier) },
    copies,
    limits,
  };
}

async function entryOf(ledger: Ledger, identifier: Uint8Array | undefined) {
  const found = identifier === undefined ? undefined : await ledger.transaction(identifier);
  if (found === undefined) return undefined;
  const transaction = decodeTransaction(found.bytes);
  const { height } = found;
  return { height, time: new Date(found.header.timestampMs).toISOString(), transaction };
}

export function certificateText({ recordId, erased, certified, copies }: Certificate): string {
  const rows = copies.map(
    ({ copy, holder, valid }) => `  ${valid ? "ok" : "BAD"}  ${copy}  signed by ${holder}`,
  );
  return [
    `Record ${recordId}`,
    `erased    ${erased.time} in block ${erased.height}, by ${erased.by}`,
    `certified ${certified.time} in block ${certified.height}: ${copies.length} copies`,
    ...rows,
    ...limits.map((limit) => `- ${limit}`),
  ].join("\n");
}
