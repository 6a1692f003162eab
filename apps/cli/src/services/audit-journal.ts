/**
 * What this home's audits found, one file a run: DIR/audits/TIME-HEIGHT-NONCE.json, written whole or not at all and never
 * changed. Forensics reads from it since when a loss may be; the server reads what is due. A run goes when each of its
 * records was found good by a later one, and sixteen later ones are there.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { toHex } from "@chartseal/crypto";
import { type AuditJournal, type GoodAudit, type JournalRun, lastGoodOf } from "@chartseal/sharing";
import { readJson, removeSmallFile, writeJson } from "../home/files.ts";
import type { HomePaths } from "../home/paths.ts";

/** The last runs, which stay whatever came after them. */
const keptMin = 16;
const fileName = /^[0-9]{15}-[0-9]{1,16}-[0-9a-f]{16}\.json$/;

/** Reading it changes nothing; a file that is no run of ours counts for nothing. */
export function openAuditJournal(paths: Pick<HomePaths, "audits">): AuditJournal {
  const folder = paths.audits;
  /** Files are never changed, so what was read once stays. */
  const known = new Map<string, JournalRun | undefined>();
  /** By name, oldest first. */
  const files = (): (readonly [string, JournalRun])[] => {
    const names = existsSync(folder) ? readdirSync(folder).filter((name) => fileName.test(name)) : [];
    for (const name of names) if (!known.has(name)) known.set(name, readRun(join(folder, name)));
    return names.sort().flatMap((name) => {
      const run = known.get(name);
      return run === undefined ? [] : [[name, run] as const];
    });
  };
  const runs = (): JournalRun[] => files().map(([, run]) => run);
  const dropOutlived = (): void => {
    const good = new Set<string>();
    for (const [at, [name, { records }]] of files().reverse().entries()) {
      if (at >= keptMin && records.every(({ recordId }) => good.has(recordId))) {
        removeSmallFile(join(folder, name));
        known.delete(name);
      }
      for (const { recordId, outcome } of records) if (outcome === "held") good.add(recordId);
    }
  };
  return {
    add: async (run) => {
      const { atMs, seedHeight, nonce } = run;
      writeJson(
        join(folder, `${String(atMs).padStart(15, "0")}-${seedHeight}-${nonce.slice(0, 16)}.json`),
        run,
      );
      dropOutlived();
    },
    lastGoodAudit: async (recordId): Promise<GoodAudit | undefined> => lastGoodOf(runs(), toHex(recordId)),
    lastAudited: async () => {
      const last = new Map<string, number>();
      for (const { atMs, records } of runs()) {
        for (const { recordId, outcome } of records) if (outcome !== "unanswered") last.set(recordId, atMs);
      }
      return last;
    },
  };
}

function readRun(path: string): JournalRun | undefined {
  try {
    const run = readJson(path) as JournalRun | undefined;
    const whole =
      typeof run?.atMs === "number" && typeof run.seedHeight === "number" && Array.isArray(run.records);
    return whole ? run : undefined;
  } catch {
    return undefined;
  }
}
