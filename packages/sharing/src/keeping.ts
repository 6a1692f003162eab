/**
 * What keeps a record, and what erases it by itself (docs/decisions/retention.md): a hospital's duty to keep what it
 * deposited, holds, and the time after which its owner wants it gone. The ledger decides; these are the words to it, and
 * a reason that people understand before anything is asked.
 */
import { ChartsealError, toHex } from "@chartseal/crypto";
import {
  entries,
  type HoldsValue,
  logKey,
  outcomes,
  type RetentionValue,
  type Submitted,
} from "@chartseal/ledger";
import type { Surroundings } from "./parties.ts";
import { type Reader, readEntry } from "./state.ts";
import type { AccountWriter, Admitter } from "./submit.ts";

export interface Keeping {
  /** Block time before which the record must be kept; null: no duty. */
  readonly keepUntilMs: number | null;
  /** Block time from which on its owner wants it erased; null: never by itself. */
  readonly eraseAfterMs: number | null;
  readonly holds: HoldsValue;
}

export async function readKeeping(ledger: Reader, recordId: Uint8Array): Promise<Keeping> {
  const retention: RetentionValue | undefined = await readEntry(ledger, entries.retention, recordId);
  return {
    keepUntilMs: retention?.keepUntilMs ?? null,
    eraseAfterMs: retention?.eraseAfterMs ?? null,
    holds: (await readEntry(ledger, entries.holds, recordId)) ?? [],
  };
}

/**
 * Refuses what the ledger would refuse, and says until when, by whom, and what can be done.
 * @throws ChartsealError `record-held`
 */
export async function demandErasable(
  surroundings: Pick<Surroundings, "now"> & { readonly ledger: Reader },
  recordId: Uint8Array,
): Promise<void> {
  const { keepUntilMs, holds } = await readKeeping(surroundings.ledger, recordId);
  const record = toHex(recordId);
  if (holds.length > 0) {
    const by = holds.map((hold) => toHex(hold.by));
    throw new ChartsealError(
      "record-held",
      "a hold on the record stands: it can neither be erased nor re-encrypted",
      {
        data: { recordId: record, holds: holds.map(({ holdId }) => toHex(holdId)), by },
        hint: "Whoever placed it lifts it, or the consortium by vote. erase --when-free erases it then.",
      },
    );
  }
  if (keepUntilMs === null || surroundings.now() >= keepUntilMs) return;
  const until = new Date(keepUntilMs).toISOString();
  throw new ChartsealError(
    "record-held",
    `the hospital that deposited the record must keep it until ${until}`,
    {
      data: { recordId: record, until },
      hint: "erase --when-free erases it then, without your coming back.",
    },
  );
}

interface OfRecord {
  readonly writer: AccountWriter;
  readonly recordId: Uint8Array;
}

/** By the namespace under whose rule the record was deposited; null ends the duty. */
export function setKeepUntil(
  options: OfRecord & { readonly keepUntilMs: number | null },
): Promise<Submitted> {
  const { writer, recordId, keepUntilMs } = options;
  return writer.submit({ kind: "set-retention", recordId, part: "keep", keepUntilMs, eraseAfterMs: null });
}

/** By the owner; null: never by itself. */
export function setEraseAfter(
  options: OfRecord & { readonly eraseAfterMs: number | null },
): Promise<Submitted> {
  const { writer, recordId, eraseAfterMs } = options;
  return writer.submit({ kind: "set-retention", recordId, part: "erase", keepUntilMs: null, eraseAfterMs });
}

export interface HoldOptions extends OfRecord {
  /** 32 bytes. */
  readonly holdId: Uint8Array;
  /** For all to read: nothing of the record's content belongs here. */
  readonly reason: string;
  /** Needed of anybody but the namespace of the deposit; to lift a hold, of anybody but who placed it. */
  readonly admittedBy?: readonly Admitter[];
}

export function placeHold({
  writer,
  admittedBy = [],
  recordId,
  holdId,
  reason,
}: HoldOptions): Promise<Submitted> {
  return writer.submit({ kind: "place-hold", recordId, holdId, reason }, { admittedBy });
}

export function liftHold({
  writer,
  admittedBy = [],
  recordId,
  holdId,
  reason,
}: HoldOptions): Promise<Submitted> {
  return writer.submit({ kind: "lift-hold", recordId, holdId, reason }, { admittedBy });
}

/** Whether an erased record's certificate stands. The log is read from its end: the certificate is among the last entries. */
export async function isCertified(ledger: Reader, recordId: Uint8Array, logCount: number): Promise<boolean> {
  for (let index = logCount - 1; index >= 0; index--) {
    const entry = await readEntry(ledger, entries.log, logKey(recordId, index));
    if (entry?.outcome === outcomes.certified) return true;
    if (entry?.outcome === outcomes.erased) return false;
  }
  return false;
}
