/** audit storage: whether a provider still has what it took, by random chunks; anyone may, with no key. */
import { ChartsealError } from "@chartseal/crypto";
import { AccountWriter, type Auditor, challengesDefault } from "@chartseal/sharing";
import type { Command } from "commander";
import {
  auditStorage,
  checkChallenges,
  checkRecords,
  type StorageAudited,
  type StorageAuditOptions,
} from "../operations/audit-storage.ts";
import { readGenesisFile } from "../operations/ledger.ts";
import { counted, exitCodes } from "../output.ts";
import { type Globals, globalsOf } from "../program-globals.ts";
import { type Progress, progressBar } from "../progress.ts";
import { reading, writing } from "../run.ts";
import { openAuditJournal } from "../services/audit-journal.ts";
import { type AuditedProvider, ledgerAt, ownProvider, providerAt } from "../services/audited-provider.ts";
import { memberOf, type ReadSession, type Session } from "../services/session.ts";
import { example, wholeNumberOf } from "./shared.ts";

interface Given {
  readonly challenges: string;
  readonly sample?: string;
  readonly provider?: string;
  readonly genesis?: string;
  readonly record?: boolean;
  readonly as?: string;
}

export function addStorageAudit(group: Command): void {
  const command = group
    .command("storage [records...]")
    .description("ask a provider for random chunks of stored records and check them; all records by default")
    .option("--challenges <n>", "chunks of each record, 1 to 1000", String(challengesDefault))
    .option("--sample <n>", "only so many of the records, at random")
    .option("--provider <url>", "a provider at its address; default: the home's own, read from its disk")
    .option("--genesis <file>", "with --provider: no home is needed, the ledger is read there and proved")
    .option("--record", "record the result on the ledger, with an alert for each record that failed")
    .option("--as <name>", "with --record: the member who records it; default: the home's provider")
    .action(async (records: string[], given: Given) => {
      const globals = globalsOf(command);
      const watched = progressOf();
      try {
        show(globals, await runGiven(globals, { records, given, progress: watched }));
      } finally {
        watched.stop();
      }
    });
  example(command, "chartseal audit storage --sample 100 --record");
}

interface Asked {
  readonly records: readonly string[];
  readonly given: Given;
  readonly progress: ReturnType<typeof progressOf>;
}

async function runGiven(globals: Globals, asked: Asked): Promise<StorageAudited> {
  const { given } = asked;
  if (given.genesis !== undefined) return await withoutHome(globals, asked);
  if (given.as !== undefined && given.record !== true)
    throw new ChartsealError("input-invalid", "--as goes with --record: who only asks needs no account");
  if (given.record === true) return await recorded(globals, asked);
  return await reading(globals, async (session) => {
    const options = optionsOf(asked);
    await checkRecords(session, options.records);
    return await audited(globals, session, asked, await providerOf(session, given));
  });
}

/** @throws ChartsealError `input-invalid` */
function optionsOf({ records, given }: Asked): StorageAuditOptions {
  const challenges = wholeNumberOf("--challenges", given.challenges);
  checkChallenges(challenges);
  if (given.sample === undefined) return { records, challenges };
  return { records, challenges, sample: wholeNumberOf("--sample", given.sample) };
}

function providerOf(session: ReadSession, { provider }: Given): Promise<AuditedProvider> {
  return provider === undefined ? ownProvider(session) : providerAt(provider, session);
}

async function audited(
  globals: Globals,
  session: ReadSession,
  asked: Asked,
  provider: AuditedProvider,
  recordedBy?: Auditor,
): Promise<StorageAudited> {
  try {
    const { pairing, ledger, now, home } = session;
    const own = { pairing, ledger, now, audited: provider, journal: openAuditJournal(home.paths) };
    const by = recordedBy === undefined ? {} : { recordedBy };
    const warn = (text: string): void => globals.output.warn(text);
    return await auditStorage({ ...own, ...by, progress: asked.progress, warn }, optionsOf(asked));
  } finally {
    await provider.close();
  }
}

/** The result goes on the ledger: by a member, or by the provider of the home. */
function recorded(globals: Globals, asked: Asked): Promise<StorageAudited> {
  const { as } = asked.given;
  const check = async (session: ReadSession): Promise<void> => {
    await checkRecords(session, optionsOf(asked).records);
  };
  return writing(globals, { members: as === undefined ? [] : [as], check }, async (session) => {
    const by = as === undefined ? session.auditor : memberAuditor(session, as);
    return await audited(globals, session, asked, await providerOf(session, asked.given), by);
  });
}

function memberAuditor(session: Session, name: string): Auditor {
  const { keys } = memberOf(session, name);
  return { account: keys.account, writer: new AccountWriter(session, keys) };
}

/** A stranger: an address, a genesis, and nothing else. */
async function withoutHome(globals: Globals, asked: Asked): Promise<StorageAudited> {
  const { provider: url, genesis, record } = asked.given;
  if (url === undefined || record === true)
    throw new ChartsealError("input-invalid", "--genesis goes with --provider and without --record");
  const options = optionsOf(asked);
  const { close, ...surroundings } = await ledgerAt(url, readGenesisFile(genesis!));
  try {
    await checkRecords(surroundings, options.records);
    const provider = await providerAt(url, surroundings);
    const warn = (text: string): void => globals.output.warn(text);
    try {
      return await auditStorage(
        { ...surroundings, audited: provider, progress: asked.progress, warn },
        options,
      );
    } finally {
      await provider.close();
    }
  } finally {
    await close();
  }
}

function progressOf(): { stage(totalBytes: number): void; bytes(count: number): void; stop(): void } {
  let bar: Progress | undefined;
  let done = 0;
  return {
    stage: (totalBytes) => {
      bar = progressBar("Auditing", totalBytes);
    },
    bytes: (count) => {
      done += count;
      bar?.update(done);
    },
    stop: () => bar?.stop(),
  };
}

function show({ output }: Globals, value: StorageAudited): void {
  const { records, chunks, failed, unanswered, auditId } = value;
  const lines = [...failed.map(lineOf("failed")), ...unanswered.map(lineOf("no answer"))];
  const whole = `${counted(chunks, "chunk")} of ${counted(records, "record")} asked for`;
  const end = value.ok
    ? `${whole}: all there and right.`
    : `${whole}: ${counted(failed.length, "record")} failed, ${unanswered.length} had no answer.`;
  const where = auditId === null ? [] : [`Recorded as audit ${auditId}.`];
  output.value(value, [...lines, end, ...where].join("\n"));
  if (failed.length > 0) process.exitCode = exitCodes.integrity;
  else if (unanswered.length > 0) process.exitCode = exitCodes.unavailable;
}

function lineOf(what: string): (one: StorageAudited["failed"][number]) => string {
  return ({ recordId, detail, chunks }) => {
    const where = chunks.length === 0 ? "" : ` (chunk ${chunks.join(", ")})`;
    return `${recordId}  ${what}: ${detail}${where}`;
  };
}
