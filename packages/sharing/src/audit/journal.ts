/**
 * What an auditor remembers of its audits: what was good and at which height, so that a loss found later has a time from
 * which on it may have happened. Kept by the auditor, handed in; nothing in it is a secret.
 */
import type { AuditOutcome } from "@chartseal/crypto";

/** What one run found of one record. */
export interface JournalRecord {
  /** 32 bytes, hex. */
  readonly recordId: string;
  readonly version: number;
  readonly outcome: AuditOutcome;
  /** Chunks asked for. */
  readonly chunks: number;
  /** The first chunks that were wrong. */
  readonly wrong: readonly number[];
  /** Of a record that did not hold: its error code. */
  readonly code: string | null;
}

/** One run over records of one provider. Byte strings in hex. */
export interface JournalRun {
  /** Identifier of its opening on the ledger; null for a run that was not recorded there. */
  readonly auditId: string | null;
  readonly provider: string;
  readonly seedHeight: number;
  readonly seedHash: string;
  readonly nonce: string;
  readonly atMs: number;
  readonly challenges: number;
  readonly records: readonly JournalRecord[];
}

/** The last audit at which every chunk of a record that was asked for was there and right. */
export interface GoodAudit {
  readonly version: number;
  /** The seed's height: what was asked for was there when that block was. */
  readonly seedHeight: number;
  readonly atMs: number;
  readonly chunks: number;
  readonly auditId: string | null;
}

export interface AuditJournal {
  /** Durable when it resolves. */
  add(run: JournalRun): Promise<void>;
  lastGoodAudit(recordId: Uint8Array): Promise<GoodAudit | undefined>;
  /** Record id, hex → when an audit of it last had an answer, a good one or not. */
  lastAudited(): Promise<ReadonlyMap<string, number>>;
}

/** The last run that found this record held, of runs in any order. */
export function lastGoodOf(runs: Iterable<JournalRun>, recordId: string): GoodAudit | undefined {
  let last: GoodAudit | undefined;
  for (const { auditId, seedHeight, atMs, records } of runs) {
    if (last !== undefined && last.atMs >= atMs) continue;
    const found = records.find((one) => one.recordId === recordId && one.outcome === "held");
    if (found !== undefined)
      last = { version: found.version, seedHeight, atMs, chunks: found.chunks, auditId };
  }
  return last;
}
