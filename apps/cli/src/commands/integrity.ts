/** verify, forensics and gc: what is altered, what it means, and what an interrupted deposit left. */
import { ChartsealError, type ErrorCode } from "@chartseal/crypto";
import { type Finding, type ForensicsReport, whereOf } from "@chartseal/sharing";
import type { Command } from "commander";
import { homeFolder } from "../home/home.ts";
import { passphraseAtHand, readPassphrase } from "../home/passphrase.ts";
import { runForensics } from "../operations/forensics.ts";
import { collect } from "../operations/gc.ts";
import { type Verified, type VerifyProgress, verifyHome } from "../operations/verify.ts";
import { counted, failureLine } from "../output.ts";
import { globalsOf } from "../program-globals.ts";
import { type Progress, progressBar } from "../progress.ts";
import { passphraseOption } from "../run.ts";
import { example, wholeNumber } from "./shared.ts";

export function addIntegrityCommands(program: Command): void {
  addVerify(program);
  addForensics(program);
  addGc(program);
}

/** A finding: kind, what, where and since when, what repairs it. */
function findingText(finding: Finding, since = ""): string {
  const { kind, detail, remedy } = finding;
  return `  ${kind}: ${detail}\n    ${whereOf(finding)}${since}\n    ${remedy}`;
}

/** The code of exit 4 that a finding comes closest to: kinds say more than codes. */
function codeOf({ kind }: Finding): ErrorCode {
  if (kind === "header-altered") return kind;
  if (kind === "home-file" || kind.startsWith("chain-")) return "chain-altered";
  return kind.endsWith("-missing") || kind === "place-unreachable" ? "object-missing" : "object-altered";
}

/** The one line of a check that found something; its value on standard output stays its own. @returns the exit code */
function findingsLine(findings: readonly Finding[]): number {
  const [first] = findings;
  if (first === undefined) return 0;
  const count = findings.length === 1 ? "1 finding" : `${findings.length} findings, the first`;
  return failureLine(
    new ChartsealError(codeOf(first), `${count}: ${first.kind}, ${whereOf(first)}: ${first.detail}`),
  );
}

function verifiedText(value: Verified): string {
  const { from, blocks, transactions, records, objects, orphans, findings } = value;
  const begun =
    from === undefined
      ? ""
      : `\nChecked from block ${from} on, with which the ledger here began by a snapshot: what lies before is with the others.`;
  const seen = [
    counted(blocks, "block"),
    counted(transactions, "transaction"),
    counted(records, "record"),
    counted(objects, "object"),
  ].join(", ");
  const rest =
    begun +
    (orphans === 0
      ? ""
      : `\n${counted(orphans, "object")} of interrupted deposits: chartseal gc removes what they left.`);
  if (findings.length === 0) return `Everything holds together: ${seen}.${rest}`;
  return (
    [`${counted(findings.length, "finding")} in ${seen}:`, ...findings.map((one) => findingText(one))].join(
      "\n",
    ) + rest
  );
}

/** Runs long reading work with a bar on a terminal. */
async function watched<T>(work: (progress: VerifyProgress) => Promise<T>): Promise<T> {
  let bar: Progress | undefined;
  let done = 0;
  try {
    return await work({
      stage: (totalBytes) => {
        bar?.stop();
        done = 0;
        bar = progressBar("Checking", totalBytes);
      },
      bytes: (count) => {
        done += count;
        bar?.update(done);
      },
    });
  } finally {
    bar?.stop();
  }
}

function addVerify(program: Command): void {
  const command = program
    .command("verify")
    .description("check the whole chain and every stored object; changes nothing, needs no passphrase")
    .action(async () => {
      const { output, home } = globalsOf(command);
      const value = await watched((progress) => verifyHome(homeFolder(home), progress));
      output.value(value, verifiedText(value));
      if (!value.ok) process.exitCode = findingsLine(value.findings);
    });
  example(command, "chartseal verify --json");
}

function addForensics(program: Command): void {
  const command = program
    .command("forensics")
    .description("explain every mismatch: what, where, since when, who had access, what repairs it")
    .option("--out <dir>", "where report.json and report.html go; default: chartseal-forensics here")
    .option("--repair", "put right what can be put right from what is there")
    .action(async (options: { out?: string; repair?: boolean }) => {
      const globals = globalsOf(command);
      const { output, home, waitMs } = globals;
      const { out } = options;
      const repair = options.repair === true;
      const given = passphraseOption(globals);
      const key = passphraseAtHand(given) ? { passphrase: () => readPassphrase(given) } : {};
      const { report, files } = await watched((progress) =>
        runForensics(homeFolder(home), { out, repair, waitMs, now: Date.now, progress, ...key }),
      );
      const { ok, findings, repaired } = report;
      output.value({ ok, findings, repaired, report: files }, forensicsText(report, files.html));
      if (!ok) process.exitCode = findingsLine(findings);
    });
  example(command, "chartseal forensics --out ./report");
}

function forensicsText({ findings, repaired }: ForensicsReport, page: string): string {
  const done = repaired.map(({ detail, copy }) => `  ${detail}${copy === undefined ? "" : ` (${copy})`}`);
  const left = findings.map((finding) => findingText(finding, sinceText(finding)));
  const later = repaired.some(({ recorded }) => recorded === false);
  return [
    ...(done.length === 0 ? [] : [`Repaired:`, ...done]),
    ...(later ? ["The records' logs say so with the next command that has the passphrase."] : []),
    ...(left.length === 0 ? ["Everything holds together."] : [`Findings: ${left.length}`, ...left]),
    `Report: ${page}`,
  ].join("\n");
}

function sinceText({ lastGood }: ForensicsReport["findings"][number]): string {
  return (["proved", "likely"] as const)
    .map((one) => {
      const last = lastGood.findLast(({ certainty }) => certainty === one);
      const how = one === "proved" ? "good on" : "likely still on";
      const block = last?.height === undefined ? "" : ` (block ${last.height})`;
      return last === undefined ? "" : `; ${how} ${new Date(last.timestampMs).toISOString()}${block}`;
    })
    .join("");
}

const graceSecondsDefault = 24 * 60 * 60;

function addGc(program: Command): void {
  const command = program
    .command("gc")
    .description("remove what interrupted deposits and rekeys left")
    .option("--grace <seconds>", "leave what is younger; default one day", wholeNumber, graceSecondsDefault)
    .action(async (options: { grace: number }) => {
      const { output, home, waitMs } = globalsOf(command);
      const graceMs = options.grace * 1000;
      const value = await collect(homeFolder(home), { graceMs, waitMs, now: Date.now });
      const { removed, unfinished, bytes } = value;
      const begun = unfinished === 0 ? "" : ` and ${unfinished} that were never finished`;
      output.value(value, `Removed ${removed} objects${begun}, ${bytes} bytes.`);
    });
  example(command, "chartseal gc --grace 3600");
}
