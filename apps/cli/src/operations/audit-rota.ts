/**
 * The server's rota: every stored record is audited at least once in a period, by the provider itself, headers included,
 * at a bounded rate of bytes. What fails is an alert on the ledger; then it is repaired where something can, and asked for
 * again (spec/7-sharing.md, Audits).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ChartsealError, equalBytes, isFamily, toHex } from "@chartseal/crypto";
import { emptyKey, lists, type RecordValue } from "@chartseal/ledger";
import {
  type AuditJournal,
  type AuditRun,
  auditAndMend,
  auditedBytes,
  auditLine,
  challengesDefault,
  countAudited,
  type Mending,
  readList,
  requireRecord,
} from "@chartseal/sharing";
import type { OwnSession } from "../services/session.ts";

export interface RotaOptions {
  /** No record waits longer for its next audit; 0: none is made. */
  readonly everyMs: number;
  readonly bytesPerSecond: number;
}

export const rotaDefaults: RotaOptions = { everyMs: 7 * 86_400_000, bytesPerSecond: 4 * 1024 * 1024 };

/** When one is due, those that are nearly so come along: few runs, each two transactions. */
const comesAlong = 0.75;
/** A run ends long before the day in which it must be recorded. */
const runMsMax = 6 * 3_600_000;
const recordsPerRunMax = 10_000;
const firstLookMsMax = 60_000;
const lookMsMax = 3_600_000;
const lookMsMin = 50;

export interface RotaTools extends Partial<Mending> {
  readonly journal: AuditJournal;
  readonly log: { write(line: string): void };
}

type RotaSession = Pick<OwnSession, "pairing" | "ledger" | "now" | "provider">;

/** Runs until it is stopped; what fails is logged and tried again. */
export function startRota(
  session: RotaSession,
  options: RotaOptions,
  tools: RotaTools,
): { stop(): Promise<void> } {
  if (options.everyMs === 0) return { stop: async () => {} };
  const stopping = new AbortController();
  const { signal } = stopping;
  const lookMs = Math.min(lookMsMax, Math.max(lookMsMin, options.everyMs / 8));
  const going = (async () => {
    for (let waitMs = Math.min(firstLookMsMax, lookMs); await pause(waitMs, signal); waitMs = lookMs) {
      try {
        await round(session, options, { ...tools, signal });
      } catch (error) {
        tell(tools, isFamily(error, "unavailable") ? 40 : 50, "a round of audits failed", {
          code: error instanceof ChartsealError ? error.code : "defect",
        });
      }
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await going;
    },
  };
}

/** One look: audits what is due, if anything. */
export async function round(
  session: RotaSession,
  options: RotaOptions,
  tools: RotaTools & { readonly signal: AbortSignal },
): Promise<void> {
  const { provider, now } = session;
  const { journal, signal } = tools;
  const repair = tools.repair ?? ((recordId: Uint8Array) => repairOwn(provider, recordId, tools));
  const due = await recordsDue(session, options, journal);
  if (due.length === 0) return;
  const bytesOf = new Map(due.map(([id, record]) => [toHex(id), auditedBytes(record, challengesDefault)]));
  const startedMs = now();
  let bytes = 0;
  const { run, again } = await auditAndMend(session, {
    provider,
    records: due.map(([recordId]) => recordId),
    challenges: challengesDefault,
    recordedBy: provider.auditor,
    checkOwn: (recordId) => provider.checkOwn(recordId),
    journal,
    signal,
    repair,
    onRecord: async ({ recordId }) => {
      bytes += bytesOf.get(toHex(recordId)) ?? 0;
      await pause((1000 * bytes) / options.bytesPerSecond - (now() - startedMs), signal);
    },
  });
  report(tools, run, "audited");
  if (again !== undefined) report(tools, again, "audited after repair");
}

/** What its places can make again. False where the objects lie in one folder, or too few shards are left. */
async function repairOwn(
  provider: RotaSession["provider"],
  recordId: Uint8Array,
  tools: RotaTools,
): Promise<boolean> {
  try {
    const { rebuilt, moved } = await provider.repair(recordId, { quick: false });
    return rebuilt > 0 || moved;
  } catch (error) {
    if (!(error instanceof ChartsealError) || error.code === "defect") throw error;
    const { code, message } = error;
    if (code !== "input-invalid") tell(tools, 50, message, { code, recordId: toHex(recordId) });
    return false;
  }
}

/** Records of this provider whose last audit, or deposit, is so long ago; the oldest first. None: nothing is due. */
export async function recordsDue(
  { ledger, provider, now }: RotaSession,
  { everyMs, bytesPerSecond }: RotaOptions,
  journal: AuditJournal,
): Promise<readonly (readonly [Uint8Array, RecordValue])[]> {
  const last = await journal.lastAudited();
  const waiting: { readonly id: Uint8Array; readonly record: RecordValue; readonly sinceMs: number }[] = [];
  for (const id of await readList(ledger, lists.records, emptyKey)) {
    const record = await requireRecord(ledger, id);
    if (record.erasedHeight !== null || !equalBytes(record.provider, provider.account)) continue;
    const sinceMs = last.get(toHex(id)) ?? (await ledger.block(record.height))?.header.timestampMs ?? 0;
    if (now() - sinceMs >= comesAlong * everyMs) waiting.push({ id, record, sinceMs });
  }
  if (!waiting.some(({ sinceMs }) => now() - sinceMs >= everyMs)) return [];
  let bytesLeft = (bytesPerSecond * runMsMax) / 1000;
  return waiting
    .sort((a, b) => a.sinceMs - b.sinceMs)
    .slice(0, recordsPerRunMax)
    .filter(({ record }, at) => {
      bytesLeft -= auditedBytes(record, challengesDefault);
      return at === 0 || bytesLeft >= 0;
    })
    .map(({ id, record }) => [id, record]);
}

function report({ log }: RotaTools, run: AuditRun, msg: string): void {
  const { held, failed, unanswered } = countAudited(run);
  const level = failed + unanswered === 0 ? 30 : 50;
  const audit = run.auditId === null ? {} : { audit: toHex(run.auditId) };
  tell({ log }, level, msg, { held, failed, unanswered, ...audit });
  for (const one of run.records) {
    if (one.outcome === "held") continue;
    const recordId = toHex(one.recordId);
    tell({ log }, 50, auditLine(one), { code: one.code, recordId });
  }
}

function tell({ log }: Pick<RotaTools, "log">, level: number, msg: string, more: object): void {
  log.write(`${JSON.stringify({ level, time: Date.now(), msg, ...more })}\n`);
}

/** False where it was told to stop meanwhile. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  if (milliseconds <= 0) return true;
  try {
    await sleep(milliseconds, undefined, { signal });
    return true;
  } catch {
    return false;
  }
}
