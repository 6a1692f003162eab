/** verify, forensics and gc: what is altered, what it means, and what an interrupted deposit left. */
import type { Command } from "commander";
import { homeFolder } from "../home/home.ts";
import { type Verified, verifyHome } from "../operations/verify.ts";
import { exitCodes } from "../output.ts";
import { globalsOf } from "../program-globals.ts";
import { type Progress, progressBar } from "../progress.ts";
import { example } from "./shared.ts";

export function addIntegrityCommands(program: Command): void {
  addVerify(program);
}

/** A finding in one line: kind, place, what. */
function findingText({ kind, detail, remedy }: Verified["findings"][number]): string {
  return `  ${kind}: ${detail}\n    ${remedy}`;
}

function verifiedText(value: Verified): string {
  const { blocks, transactions, records, objects, orphans, findings } = value;
  const seen = `${blocks} blocks, ${transactions} transactions, ${records} records, ${objects} objects`;
  const rest =
    orphans === 0 ? "" : `\n${orphans} objects of interrupted deposits: chartseal gc removes them.`;
  if (findings.length === 0) return `Everything holds together: ${seen}.${rest}`;
  return [`${findings.length} findings in ${seen}:`, ...findings.map(findingText)].join("\n") + rest;
}

function addVerify(program: Command): void {
  const command = program
    .command("verify")
    .description("check the whole chain and every stored object; changes nothing, needs no passphrase")
    .action(async () => {
      const { output, home } = globalsOf(command);
      let bar: Progress | undefined;
      let done = 0;
      try {
        const value = await verifyHome(homeFolder(home), {
          stage: (_name, totalBytes) => {
            bar ??= totalBytes === undefined ? undefined : progressBar("Checking", totalBytes);
          },
          bytes: (count) => {
            done += count;
            bar?.update(done);
          },
        });
        output.value(value, verifiedText(value));
        if (!value.ok) process.exitCode = exitCodes.integrity;
      } finally {
        bar?.stop();
      }
    });
  example(command, "chartseal verify --json");
}
