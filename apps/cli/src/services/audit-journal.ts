/**
 * What this home's audits found, one file a run: DIR/audits/TIME-HEIGHT-NONCE.json, written whole or not at all and never
 * changed. Forensics reads from it since when a loss may be; the server reads what is due.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { toHex } from "@chartseal/crypto";
import { type AuditJournal, type GoodAudit, type JournalRun, lastGoodOf } from "@chartseal/sharing";
import { readJson, writeJson } from "../home/files.ts";
import type { HomePaths } from "../home/paths.ts";

const fileName = /^[0-9]{15}-[0-9]{1,16}-[0-9a-f]{16}\.json$/;

/** Reading it changes nothing; a file that is no run of ours counts for nothing. */
export function openAuditJournal(paths: Pick<HomePaths, "audits">): AuditJournal {
  const folder = paths.audits;
  /** Files are never changed, so what was read once stays. */
  const known = new Map<string, JournalRun | undefined>();
  const runs = (): JournalRun[] => {
    const names = existsSync(folder) ? readdirSync(folder).filter((name) => fileName.test(name)) : [];
    for (const name of names) if (!known.has(name)) known.set(name, readRun(join(folder, name)));
    return names.sort().flatMap((name) => known.get(name) ?? []);
  };
  return {
    add: async (run) => {
      const { atMs, seedHeight, nonce } = run;
      writeJson(
        join(folder, `${String(atMs).padStart(15, "0")}-${seedHeight}-${nonce.slice(0, 16)}.json`),
        run,
      );
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
