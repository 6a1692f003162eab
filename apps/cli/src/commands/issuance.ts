/**
 * audit: the proof that the list of keys in a member's name is whole, made with a ledger and checked without one; audit
 * storage has a file of its own.
 */
import { isFamily } from "@chartseal/crypto";
import { issuanceProofJson } from "@chartseal/sharing";
import type { Command } from "commander";
import { homeExists, homeFolder } from "../home/home.ts";
import {
  auditIssuance,
  checkIssuanceFile,
  type IssuanceReport,
  issuanceReport,
  keyLine,
  parseHead,
} from "../operations/issuance.ts";
import { doesNotHold, readGenesisFile } from "../operations/ledger.ts";
import { checkDestination, deliverText } from "../operations/output-file.ts";
import { failureBody, failureLine } from "../output.ts";
import { type Globals, globalsOf } from "../program-globals.ts";
import { reading } from "../run.ts";
import { openForReading, type ReadSession } from "../services/session.ts";
import { addStorageAudit } from "./audit-storage.ts";
import { example } from "./shared.ts";

export function addIssuanceCommands(program: Command): void {
  const group = program
    .command("audit")
    .description("what was issued, and what is stored: issuance, check, storage");
  addIssuance(group);
  addCheck(group);
  addStorageAudit(group);
}

function addIssuance(group: Command): void {
  const command = group
    .command("issuance <member>")
    .description("every key ever issued in the member's name, with the proof that the list is whole")
    .option("--out <file>", "write the proof here, for audit check")
    .option("--since <heights...>", "blocks that a checker may hold; the member's own last head always")
    .action(async (name: string, { out, since = [] }: { out?: string; since?: string[] }) => {
      const globals = globalsOf(command);
      const made = await reading(globals, async (session) => {
        if (out !== undefined) checkDestination({ file: out });
        return await auditIssuance(session, name, since);
      });
      if (out !== undefined) {
        await deliverText(out, `${JSON.stringify(issuanceProofJson(made.proof))}\n`);
      }
      show(globals, { ...made.report, ...(out === undefined ? {} : { out }) });
    });
  example(command, "chartseal audit issuance bob --out issuance.json");
}

function addCheck(group: Command): void {
  const command = group
    .command("check <file>")
    .description("check an issuance proof offline, against the genesis and a head that you hold")
    .option("--genesis <file>", "the genesis to trust; default the home's, else the proof's own")
    .option("--head <height:hash>", "the last block that you verified; default the member's in this home")
    .option("--account <hex>", "whose proof it must be")
    .action(async (file: string, options: { genesis?: string; head?: string; account?: string }) => {
      const globals = globalsOf(command);
      const given = {
        ...(options.genesis === undefined ? {} : { genesis: readGenesisFile(options.genesis) }),
        ...(options.head === undefined ? {} : { head: parseHead(options.head) }),
        ...(options.account === undefined ? {} : { account: options.account }),
      };
      const beside = await openBeside(globals);
      try {
        show(globals, await checkIssuanceFile(file, { ...given, ...(beside && { home: beside.home }) }));
      } finally {
        await beside?.close();
      }
    });
  example(command, "chartseal audit check issuance.json --genesis genesis.cbor --head 41:9c0e…");
}

/** The home at hand; a damaged one does not stop an offline check. */
async function openBeside(globals: Globals): Promise<ReadSession | undefined> {
  const folder = homeFolder(globals.home);
  if (!homeExists(folder)) return undefined;
  try {
    return await openForReading(folder);
  } catch (error) {
    if (!isFamily(error, "integrity") && !isFamily(error, "unavailable")) throw error;
    globals.output.warn(`the home at hand is not used: ${error.message}`);
    return undefined;
  }
}

function show(globals: Globals, report: IssuanceReport & { readonly out?: string }): void {
  const keys = (report.keys ?? []).map(keyLine);
  const text = report.ok
    ? [...keys, `All ${keys.length} keys in the name of ${report.account}, after block ${report.height}.`]
    : ["The proof does not hold:", ...report.findings.map(({ detail }) => `  ${detail}`)];
  const failure = doesNotHold("proof", report);
  const error = failure === undefined ? {} : { error: failureBody(failure) };
  globals.output.value({ ...issuanceReport(report), ...error }, text.join("\n"));
  if (report.genesis === "proof") {
    globals.output.warn("no genesis was given: the proof was checked against the one that it names itself");
  }
  if (report.head === null) globals.output.warn("no head was given: the proof may be of an older state");
  if (failure !== undefined) process.exitCode = failureLine(failure);
}
