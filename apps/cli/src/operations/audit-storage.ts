/**
 * audit storage: random chunks of stored records, asked of their provider and checked against the ledger. Without a key,
 * or recorded on the ledger by a member or by the home's own provider.
 */
import { ChartsealError, isFamily, randomBytes, sha256, toHex } from "@chartseal/crypto";
import { auditChallengesMax, emptyKey, lists, type RecordValue } from "@chartseal/ledger";
import {
  type AuditJournal,
  type AuditRun,
  type AuditRunOptions,
  auditedBytes,
  journalRun,
  type RecordAudit,
  readList,
  requireRecord,
  runAudit,
  type Surroundings,
} from "@chartseal/sharing";
import { parseRecordId } from "../home/home.ts";
import type { AuditedProvider } from "../services/audited-provider.ts";

export interface StorageAuditOptions {
  /** Record ids as given; none: all that the provider holds. */
  readonly records: readonly string[];
  readonly challenges: number;
  /** So many of them, at random. */
  readonly sample?: number;
}

export interface StorageAuditSurroundings extends Surroundings {
  readonly audited: AuditedProvider;
  readonly journal?: AuditJournal;
  readonly recordedBy?: AuditRunOptions["recordedBy"];
  /** What is going to be read, and what was. */
  readonly progress?: { stage(totalBytes: number): void; bytes(count: number): void };
  readonly warn: (text: string) => void;
}

/** What `audit storage` prints of a record that did not hold. */
interface NotHeld {
  readonly recordId: string;
  readonly version: number;
  readonly code: string | null;
  readonly chunks: readonly number[];
  readonly detail: string;
}

export interface StorageAudited {
  readonly ok: boolean;
  readonly provider: string;
  /** Records that were asked for. */
  readonly records: number;
  /** Chunks asked for of each, or all where it has fewer. */
  readonly challenges: number;
  /** Chunks asked for altogether. */
  readonly chunks: number;
  /** The block that the challenges derive from. */
  readonly seed: { readonly height: number; readonly hash: string };
  /** On the ledger; null where nothing was recorded. */
  readonly auditId: string | null;
  readonly failed: readonly NotHeld[];
  readonly unanswered: readonly NotHeld[];
}

/** @throws ChartsealError `input-invalid` */
export function checkChallenges(challenges: number): void {
  if (challenges >= 1 && challenges <= auditChallengesMax) return;
  throw new ChartsealError("input-invalid", `--challenges takes 1 to ${auditChallengesMax} chunks a record`);
}

/** @throws ChartsealError `record-unknown`, `erased` */
export async function checkRecords(
  { ledger }: Pick<Surroundings, "ledger">,
  given: readonly string[],
): Promise<void> {
  for (const text of given) {
    const { erasedHeight } = await requireRecord(ledger, parseRecordId(text));
    if (erasedHeight !== null)
      throw new ChartsealError("erased", "the record was erased", { data: { recordId: text } });
  }
}

export async function auditStorage(
  surroundings: StorageAuditSurroundings,
  options: StorageAuditOptions,
): Promise<StorageAudited> {
  const { audited, recordedBy, progress } = surroundings;
  const { challenges } = options;
  const chosen = await chooseRecords(surroundings, options);
  const sizes = new Map(chosen.map(([id, record]) => [toHex(id), auditedBytes(record, challenges)]));
  progress?.stage([...sizes.values()].reduce((sum, size) => sum + size, 0));
  const run = await runAudit(surroundings, {
    provider: audited.provider,
    records: chosen.map(([recordId]) => recordId),
    challenges,
    ...(recordedBy === undefined ? {} : { recordedBy }),
    ...(audited.checkOwn === undefined ? {} : { checkOwn: audited.checkOwn }),
    onRecord: ({ recordId }) => progress?.bytes(sizes.get(toHex(recordId)) ?? 0),
  });
  await keep(surroundings, run);
  return summary(run, toHex(audited.provider.account));
}

/** The provider's records that are not erased: those named, or all; of them a sample, or all. */
async function chooseRecords(
  { ledger, audited }: StorageAuditSurroundings,
  { records: given, sample }: StorageAuditOptions,
): Promise<readonly (readonly [Uint8Array, RecordValue])[]> {
  const { account } = audited.provider;
  const ids = given.length > 0 ? given.map(parseRecordId) : await readList(ledger, lists.records, emptyKey);
  const held: (readonly [Uint8Array, RecordValue])[] = [];
  for (const recordId of ids) {
    const record = await requireRecord(ledger, recordId);
    const own = toHex(record.provider) === toHex(account);
    if (!own && given.length > 0) {
      throw new ChartsealError("input-invalid", "another provider holds this record", {
        data: { recordId: toHex(recordId), provider: toHex(record.provider) },
        hint: "Name its address with --provider.",
      });
    }
    if (own && record.erasedHeight === null) held.push([recordId, record]);
  }
  if (sample === undefined || sample >= held.length) return held;
  const salt = randomBytes(32);
  const rank = new Map(held.map(([recordId]) => [recordId, toHex(sha256(salt, recordId))]));
  return held.toSorted(([a], [b]) => (rank.get(a)! < rank.get(b)! ? -1 : 1)).slice(0, sample);
}

/** The journal is the auditor's own memory: where it cannot be written the audit stands all the same. */
async function keep({ journal, audited, warn, now }: StorageAuditSurroundings, run: AuditRun): Promise<void> {
  try {
    await journal?.add(journalRun(run, audited.provider.account, now()));
  } catch (error) {
    if (error instanceof ChartsealError && isFamily(error, "integrity")) throw error;
    warn(`what was found is not kept in the home: ${error instanceof Error ? error.message : "unexpected"}`);
  }
}

function summary(run: AuditRun, provider: string): StorageAudited {
  const { records, challenges, seedHeight, seedHash, auditId } = run;
  const failed = records.filter(({ outcome }) => outcome === "failed").map(notHeld);
  const unanswered = records.filter(({ outcome }) => outcome === "unanswered").map(notHeld);
  return {
    ok: failed.length + unanswered.length === 0,
    provider,
    records: records.length,
    challenges,
    chunks: records.reduce((sum, { chunks }) => sum + chunks, 0),
    seed: { height: seedHeight, hash: toHex(seedHash) },
    auditId: auditId === null ? null : toHex(auditId),
    failed,
    unanswered,
  };
}

function notHeld({ recordId, version, code, wrong, detail }: RecordAudit): NotHeld {
  return { recordId: toHex(recordId), version, code, chunks: wrong, detail };
}
