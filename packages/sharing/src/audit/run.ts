/**
 * A run of audits over records of one provider: opened on the ledger, so that the challenges derive from a block that did
 * not exist before, recorded there with the root of all outcomes, and an alert for every record that failed. A failed
 * record is repaired where something can, and asked for again under a seed of its own (spec/7-sharing.md, Audits).
 */
import {
  type AuditOutcome,
  auditRoot,
  ChartsealError,
  compareBytes,
  equalBytes,
  hasCode,
  randomBytes,
  toHex,
} from "@chartseal/crypto";
import {
  type ActionKind,
  type AlertKind,
  alertKinds,
  auditNonceHash,
  auditRecordsMax,
  entries,
  type Ledger,
} from "@chartseal/ledger";
import type { Provider, Surroundings } from "../parties.ts";
import { readEntry } from "../state.ts";
import type { AccountWriter } from "../submit.ts";
import type { AuditJournal, JournalRun } from "./journal.ts";
import { type AuditPlace, auditLine, auditRecord, type RecordAudit } from "./record.ts";

/** Who records: an account, and what signs and submits in its name. */
export interface Auditor {
  readonly account: Uint8Array;
  readonly writer: Pick<AccountWriter, "submit">;
}

/** What an auditor says on the ledger; a service signs nothing else for whoever audits in its name. */
export const auditorActions: readonly ActionKind[] = ["open-audit", "record-audit", "alert"];

export interface AuditRunOptions {
  readonly provider: Pick<Provider, "audit" | "account">;
  readonly records: readonly Uint8Array[];
  /** Chunks asked for of each record; 460 find a loss of 1 % with 99 %. */
  readonly challenges: number;
  /** Who records the run on the ledger; absent: nothing is recorded, and the seed is the last block. */
  readonly recordedBy?: Auditor;
  readonly journal?: AuditJournal;
  /** Of a provider that audits itself: what nobody else can look at, header and shards. Throws where it is not whole. */
  readonly checkOwn?: (recordId: Uint8Array) => Promise<void>;
  /** Called after each record; what it waits for slows the run down. */
  readonly onRecord?: (found: RecordAudit) => Promise<void> | void;
  readonly signal?: AbortSignal;
}

export interface AuditRun extends AuditPlace {
  /** Null where the run was not recorded. */
  readonly auditId: Uint8Array | null;
  readonly records: readonly RecordAudit[];
  readonly root: Uint8Array;
}

export const challengesDefault = 460;

/** Runs to its end, or records what it has when the signal says so. @throws ChartsealError `ledger-unreachable`, … */
export async function runAudit(surroundings: Surroundings, options: AuditRunOptions): Promise<AuditRun> {
  const { ledger } = surroundings;
  const { challenges, provider, recordedBy, signal } = options;
  const nonce = randomBytes(32);
  const seed = await seedOf(ledger, options, nonce);
  const place: AuditPlace = { seedHeight: seed.height, seedHash: seed.hash, nonce, challenges };
  const records: RecordAudit[] = [];
  for (const recordId of options.records) {
    if (signal?.aborted === true) break;
    const found = await auditOne({ ledger, provider, place, recordId, options });
    if (found === undefined) continue;
    records.push(found);
    await options.onRecord?.(found);
  }
  records.sort((a, b) => compareBytes(a.recordId, b.recordId));
  const run: AuditRun = { ...place, auditId: seed.auditId, records, root: auditRoot(records) };
  if (recordedBy !== undefined && records.length > 0) await record(ledger, options, run);
  await options.journal?.add(journalRun(run, provider.account, surroundings.now()));
  return run;
}

/** The last block, or one that the opening makes. */
async function seedOf(
  ledger: Ledger,
  { recordedBy, provider }: AuditRunOptions,
  nonce: Uint8Array,
): Promise<{ readonly height: number; readonly hash: Uint8Array; readonly auditId: Uint8Array | null }> {
  if (recordedBy === undefined) return { ...(await ledger.head()), auditId: null };
  const opening = {
    kind: "open-audit",
    provider: provider.account,
    nonceHash: auditNonceHash(nonce),
  } as const;
  const { height, identifier } = await recordedBy.writer.submit(opening);
  const block = await ledger.block(height);
  if (block === undefined) {
    throw new ChartsealError("chain-altered", `block ${height} is missing`, { data: { height } });
  }
  return { height, hash: block.hash, auditId: identifier };
}

async function auditOne(one: {
  readonly ledger: Ledger;
  readonly provider: Pick<Provider, "audit">;
  readonly place: AuditPlace;
  readonly recordId: Uint8Array;
  readonly options: AuditRunOptions;
}): Promise<RecordAudit | undefined> {
  const first = await auditRecord(one, one.place, one.recordId);
  // What may have been the line is asked again at once.
  const found = isSilent(first) ? await auditRecord(one, one.place, one.recordId) : first;
  const { checkOwn } = one.options;
  if (found === undefined || found.outcome !== "held" || checkOwn === undefined) return found;
  try {
    await checkOwn(one.recordId);
    return found;
  } catch (error) {
    if (!(error instanceof ChartsealError) || error.family !== "integrity") throw error;
    return { ...found, outcome: "failed", code: error.code, detail: error.message };
  }
}

/** Whether no answer came that should have: one that may not be given yet is none of these. */
function isSilent(found: RecordAudit | undefined): boolean {
  return found?.outcome === "unanswered" && found.code !== "rate-limited";
}

/**
 * The result, then an alert for each record that failed and is named; and for each that had no answer while others had:
 * who breaks off whenever a lost chunk is asked for is not to look like a bad line.
 */
async function record(ledger: Ledger, { recordedBy, challenges }: AuditRunOptions, run: AuditRun) {
  const { auditId, nonce, records, root } = run;
  if (recordedBy === undefined || auditId === null) return;
  const those = (outcome: AuditOutcome): RecordAudit[] => records.filter((one) => one.outcome === outcome);
  const failures = those("failed");
  const failed = failures.slice(0, auditRecordsMax);
  const mended: Uint8Array[] = [];
  for (const { recordId } of those("held")) {
    if (mended.length === auditRecordsMax) break;
    if (await mayTakeBack(ledger, { recordId, auditId, auditor: recordedBy.account })) mended.push(recordId);
  }
  await recordedBy.writer.submit({
    kind: "record-audit",
    auditId,
    nonce,
    challenges,
    records: records.length,
    root,
    unanswered: those("unanswered").length,
    failures: failures.length,
    failed: failed.map(({ recordId }) => recordId),
    mended,
  });
  for (const one of failed) await raiseAlert(recordedBy, one);
  const silent = records.filter(isSilent);
  if (silent.length === records.length) return;
  for (const one of silent.slice(0, auditRecordsMax - failed.length)) {
    // Who has no office and no record may say that nobody answered, and raises no alert for others.
    await raiseAlert(recordedBy, one).catch((error: unknown) => {
      if (!hasCode(error, "transaction-refused")) throw error;
    });
  }
}

async function raiseAlert({ writer }: Auditor, one: RecordAudit): Promise<void> {
  const alert = alertKinds.find((kind): kind is AlertKind => kind === one.code) ?? "other";
  await writer.submit({
    kind: "alert",
    alert,
    recordId: one.recordId,
    detail: auditLine(one).slice(0, 1024),
  });
}

/** Whether the record is marked as failed by an audit that this auditor may take back. */
async function mayTakeBack(
  ledger: Ledger,
  about: { readonly recordId: Uint8Array; readonly auditId: Uint8Array; readonly auditor: Uint8Array },
): Promise<boolean> {
  const mark = await readEntry(ledger, entries.auditMark, about.recordId);
  const [earlier, present] = await Promise.all([
    mark === undefined ? undefined : readEntry(ledger, entries.audit, mark.auditId),
    readEntry(ledger, entries.audit, about.auditId),
  ]);
  if (earlier === undefined || present === undefined) return false;
  const ownWord = equalBytes(present.provider, about.auditor);
  return !ownWord || equalBytes(earlier.auditor, about.auditor);
}

/** A run as its auditor's journal keeps it. */
export function journalRun(run: AuditRun, provider: Uint8Array, atMs: number): JournalRun {
  const { auditId, seedHeight, seedHash, nonce, challenges, records } = run;
  return {
    auditId: auditId === null ? null : toHex(auditId),
    provider: toHex(provider),
    seedHeight,
    seedHash: toHex(seedHash),
    nonce: toHex(nonce),
    atMs,
    challenges,
    records: records.map(({ recordId, version, outcome, chunks, wrong, code }) => {
      return { recordId: toHex(recordId), version, outcome, chunks, wrong, code };
    }),
  };
}

/** How many records of a run came out how. */
export function countAudited({ records }: Pick<AuditRun, "records">): Record<AuditOutcome, number> {
  const count = (outcome: AuditOutcome): number => records.filter((one) => one.outcome === outcome).length;
  return { held: count("held"), failed: count("failed"), unanswered: count("unanswered") };
}

export interface Mending {
  /** Puts a record's objects right where they can be; false where nothing could be done. */
  readonly repair: (recordId: Uint8Array) => Promise<boolean>;
}

/**
 * A run, the repair of what failed in it, and a run over what was repaired. The second says on the ledger that it holds
 * again, or fails once more.
 */
export async function auditAndMend(
  surroundings: Surroundings,
  options: AuditRunOptions & Partial<Mending>,
): Promise<{ readonly run: AuditRun; readonly again: AuditRun | undefined }> {
  const run = await runAudit(surroundings, options);
  const { repair, signal } = options;
  const repaired: Uint8Array[] = [];
  for (const { recordId, outcome } of run.records) {
    if (outcome !== "failed" || repair === undefined || signal?.aborted === true) continue;
    if (await repair(recordId)) repaired.push(recordId);
  }
  if (repaired.length === 0) return { run, again: undefined };
  return { run, again: await runAudit(surroundings, { ...options, records: repaired }) };
}
