/** export: a record in the form that a reader opens with the network off (`open --file`). */
import { toHex } from "@chartseal/crypto";
import { checkPurpose, exportRecord, requireRecord } from "@chartseal/sharing";
import type { Command } from "commander";
import { parseRecordId, requireMember } from "../home/home.ts";
import { checkDestination, deliver } from "../operations/output-file.ts";
import { counted } from "../output.ts";
import { globalsOf } from "../program-globals.ts";
import { writing } from "../run.ts";
import { memberOf, type ReadSession, refreshKeys } from "../services/session.ts";
import { example } from "./shared.ts";

export function addPortableCommands(program: Command): void {
  addExport(program);
}

function addExport(program: Command): void {
  const command = program
    .command("export <record>")
    .description("write a record in its portable form, which open --file opens with the network off")
    .requiredOption("--out <file>", "where it goes; the file appears whole or not at all")
    .requiredOption("--as <name>", "the member who exports; the access log names the read")
    .option("--purpose <code>", "HL7 PurposeOfUse; default TREAT")
    .action(async (record: string, options: { out: string; as: string; purpose?: string }) => {
      const globals = globalsOf(command);
      const destination = { file: options.out };
      const check = async ({ home, ledger }: ReadSession): Promise<void> => {
        if (options.purpose !== undefined) checkPurpose(options.purpose);
        checkDestination(destination);
        requireMember(home, options.as);
        await requireRecord(ledger, parseRecordId(record));
      };
      const value = await writing(globals, { members: [options.as], check }, async (session) => {
        const member = memberOf(session, options.as);
        await refreshKeys(session, member);
        const exported = await exportRecord(session, {
          member: member.keys,
          recordId: parseRecordId(record),
          ...(options.purpose === undefined ? {} : { purpose: options.purpose }),
        });
        const { bytes, sha256 } = await deliver(exported.bytes, destination);
        const { digest, version } = exported.record;
        return { recordId: record, out: options.out, bytes, sha256, digest: toHex(digest), version };
      });
      globals.output.value(value, `Record ${record} is in ${options.out}: ${counted(value.bytes, "byte")}.`);
    });
  example(command, "chartseal export 5f0c… --as alice --out record.chartseal");
}
