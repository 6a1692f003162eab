/** erase: certified erasure, now, at a time, or as soon as nothing keeps the record. */
import { ChartsealError, hasCode, toHex } from "@chartseal/crypto";
import { AccountWriter, demandErasable, erase, setEraseAfter } from "@chartseal/sharing";
import type { Command } from "commander";
import { parseRecordId } from "../home/home.ts";
import { demandOwner, requireOwned } from "../operations/owners.ts";
import { globalsOf } from "../program-globals.ts";
import { writing } from "../run.ts";
import { memberOf, type ReadSession, type Session } from "../services/session.ts";
import { example, parseTime } from "./shared.ts";

interface EraseOptions {
  readonly as: string;
  readonly whenFree?: boolean;
  readonly after?: string;
  readonly never?: boolean;
}

type Done =
  | { readonly recordId: string; readonly certificate: string; readonly height: number }
  | { readonly recordId: string; readonly after: string | null; readonly height: number };

const limits =
  "What stays possible: a copy of the header together with a full key, or with the provider and a reader; what was read stays read.";

export function addEraseCommand(program: Command): void {
  const command = program
    .command("erase <record>")
    .description("certified erasure: the ledger first, then every copy, then the certificate")
    .requiredOption("--as <owner>", "the record's owner")
    .option("--when-free", "now, or as soon as no hold and no duty keeps it, without your coming back")
    .option("--after <time>", "RFC 3339 time, or a date: at that time, or as soon as it is free then")
    .option("--never", "takes --after and --when-free back")
    .action(async (record: string, options: EraseOptions) => {
      const globals = globalsOf(command);
      let afterMs: number | null = null;
      const check = async (session: ReadSession): Promise<void> => {
        afterMs = timeOf(options);
        await requireOwned(session, record, options.as);
      };
      const value = await writing(globals, { members: [options.as], check }, async (session) => {
        await demandOwner(session, record, options.as);
        if (options.after !== undefined || options.never === true)
          return await later(session, options.as, { record, afterMs });
        if (options.whenFree === true && !(await isFree(session, record)))
          return await later(session, options.as, { record, afterMs: session.now() });
        return await now(session, options.as, record);
      });
      globals.output.value(value, textOf(value));
      if ("certificate" in value) globals.output.note(limits);
    });
  example(command, "chartseal erase 5f0c… --as alice");
}

/** @throws ChartsealError `input-invalid` */
function timeOf({ whenFree, after, never }: EraseOptions): number | null {
  if ([whenFree, after, never].filter((one) => one !== undefined).length > 1)
    throw new ChartsealError("input-invalid", "--when-free, --after and --never exclude each other");
  return after === undefined ? null : parseTime(after);
}

async function now(session: Session, owner: string, record: string): Promise<Done> {
  const { keys } = memberOf(session, owner);
  const made = await erase(session, { owner: keys, recordId: parseRecordId(record) });
  return { recordId: record, certificate: toHex(made.certificate), height: made.submitted.height };
}

async function isFree(session: Session, record: string): Promise<boolean> {
  try {
    await demandErasable(session, parseRecordId(record));
    return true;
  } catch (error) {
    if (hasCode(error, "record-held")) return false;
    throw error;
  }
}

async function later(
  session: Session,
  owner: string,
  { record, afterMs }: { readonly record: string; readonly afterMs: number | null },
): Promise<Done> {
  const writer = new AccountWriter(session, memberOf(session, owner).keys);
  const recordId = parseRecordId(record);
  const { height } = await setEraseAfter({ writer, recordId, eraseAfterMs: afterMs });
  return { recordId: record, after: afterMs === null ? null : new Date(afterMs).toISOString(), height };
}

function textOf(value: Done): string {
  if ("certificate" in value) return `Record ${value.recordId} is erased; certificate ${value.certificate}.`;
  return value.after === null
    ? `Record ${value.recordId} is not erased by itself any more.`
    : `Record ${value.recordId} is erased after ${value.after}, once nothing keeps it.`;
}
