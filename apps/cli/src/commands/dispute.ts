/** dispute: what a reader does about a transform that does not open: open, list, show. */
import type { KeptAnswer } from "@chartseal/sharing";
import { readDispute, requireRecord } from "@chartseal/sharing";
import type { Command } from "commander";
import { parseRecordId, requireMember } from "../home/home.ts";
import {
  checkEvidence,
  disputeLine,
  disputeLines,
  disputeText,
  openDispute,
  parseDisputeId,
} from "../operations/disputes.ts";
import { globalsOf } from "../program-globals.ts";
import { reading, writing } from "../run.ts";
import { newestKept, readKept } from "../services/kept-answers.ts";
import { memberOf, type ReadSession } from "../services/session.ts";
import { example } from "./shared.ts";

export function addDisputeCommands(program: Command): void {
  const group = program
    .command("dispute")
    .description("a transform that does not open: the authority's nodes find who is at fault");
  addOpen(group);
  addList(group);
  addShow(group);
}

function addOpen(group: Command): void {
  const command = group
    .command("open <record>")
    .description(
      "show the ledger what the provider signed, and the nodes what came of it; it names the reader",
    )
    .requiredOption("--as <name>", "the member whose open failed")
    .option(
      "--evidence <file>",
      "what open kept when it failed; default: the newest that it kept of this record",
    )
    .action(async (record: string, options: { as: string; evidence?: string }) => {
      const globals = globalsOf(command);
      let kept: KeptAnswer | undefined;
      const check = async (session: ReadSession): Promise<void> => {
        const recordId = parseRecordId(record);
        requireMember(session.home, options.as);
        await requireRecord(session.ledger, recordId);
        kept =
          options.evidence === undefined
            ? newestKept(session.home, options.as, recordId)
            : readKept(options.evidence);
        await checkEvidence(session, { kept, recordId, name: options.as });
      };
      const line = await writing(globals, { members: [options.as], check }, (session) =>
        openDispute(session, { member: memberOf(session, options.as), kept: kept! }),
      );
      globals.output.value(line, disputeText(line));
    });
  example(command, "chartseal dispute open 5f0c… --as bob");
}

function addList(group: Command): void {
  const command = group
    .command("list")
    .description("disputes on the ledger, of one record or of all")
    .option("--record <record>", "about answers for this record")
    .option("--open", "those alone that are not settled")
    .action(async (options: { record?: string; open?: true }) => {
      const globals = globalsOf(command);
      const lines = await reading(globals, async (session) => {
        const recordId = options.record === undefined ? undefined : parseRecordId(options.record);
        if (recordId !== undefined) await requireRecord(session.ledger, recordId);
        const of = recordId === undefined ? {} : { recordId };
        return await disputeLines(session, { ...of, openOnly: options.open === true });
      });
      for (const line of lines) {
        const given = line.verdicts.filter(({ verdict }) => verdict !== null).length;
        const state = line.outcome ?? `open, ${given} of ${line.verdicts.length} verdicts`;
        globals.output.line(line, `${line.disputeId}  ${line.recordId}  ${line.reader}  ${state}`);
      }
      if (lines.length === 0) globals.output.note("No disputes.");
    });
  example(command, "chartseal dispute list --open");
}

function addShow(group: Command): void {
  const command = group
    .command("show <dispute>")
    .description("one dispute: who disputes what, each node's verdict, who is at fault, how to go on")
    .action(async (text: string) => {
      const globals = globalsOf(command);
      const line = await reading(globals, async (session) =>
        disputeLine(session, await readDispute(session, parseDisputeId(text))),
      );
      globals.output.value(line, disputeText(line));
    });
  example(command, "chartseal dispute show 3d41…");
}
