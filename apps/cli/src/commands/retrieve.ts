/** open, and its steps one by one for scripts: request, transform. */
import { ChartsealError, ed25519KeyPairFromSeed, fromHex, isFamily, toHex } from "@chartseal/crypto";
import {
  askTransform,
  checkPurpose,
  type Granted,
  type KeepUnopened,
  type Opened,
  open,
  proofOf,
  request,
  requireRecord,
  retrieve,
  retrieveSpecially,
} from "@chartseal/sharing";
import type { Command } from "commander";
import { parseRecordId, requireMember } from "../home/home.ts";
import { authorValue, destinationOf, parseRange } from "../operations/opened.ts";
import { checkDestination, type Destination, deliver } from "../operations/output-file.ts";
import { checkSpecial, grantOf, readerOf, type SpecialOptions } from "../operations/special-reading.ts";
import { counted } from "../output.ts";
import { type Globals, globalsOf } from "../program-globals.ts";
import { progressBar } from "../progress.ts";
import { writing } from "../run.ts";
import { saveKept } from "../services/kept-answers.ts";
import {
  memberOf,
  type ReadSession,
  refreshKeys,
  type Session,
  type SessionMember,
} from "../services/session.ts";
import { specialKeyFor } from "../services/special-keys.ts";
import { example } from "./shared.ts";

interface OpenOptions {
  readonly as: string;
  readonly out?: string;
  readonly purpose?: string;
  readonly range?: string;
  readonly file?: string;
  readonly genesis?: string;
  readonly emergency?: string;
  readonly proxyFor?: string;
}

async function deliverOpened(
  opened: Opened & { readonly recordId: Uint8Array },
  destination: Destination,
  range: { readonly from: number; readonly to: number } | undefined,
): Promise<Record<string, unknown>> {
  const bar = progressBar("Opening", range === undefined ? opened.length : range.to - range.from + 1);
  let passed = 0;
  async function* passing(): AsyncIterable<Uint8Array> {
    for await (const chunk of opened.read(range, { lend: true })) {
      passed += chunk.length;
      bar.update(passed);
      yield chunk;
    }
  }
  try {
    const { bytes, sha256 } = await deliver(passing(), destination);
    const { mediaType, name, validation } = opened.metadata;
    const author = authorValue(opened.author);
    const { relay } = opened.record;
    const disputed = opened.record.disputed
      ? { disputed: true, relay: relay === null ? null : toHex(relay) }
      : {};
    const recordId = toHex(opened.recordId);
    return { recordId, bytes, sha256, mediaType, author, name, validation, ...disputed };
  } catch (error) {
    throw withPlace(error, { recordId: toHex(opened.recordId), copy: opened.record.address });
  } finally {
    bar.stop();
  }
}

/** An integrity failure names record and stored copy besides the chunk (DESIGN, What good looks like). */
function withPlace(error: unknown, place: { readonly recordId: string; readonly copy: string }): unknown {
  if (!isFamily(error, "integrity")) return error;
  const { code, message, data, hint, cause } = error;
  const options = { data: { ...place, ...data }, cause, ...(hint === undefined ? {} : { hint }) };
  return new ChartsealError(code, message, options);
}

async function checkRecord(
  { ledger }: ReadSession,
  recordId: Uint8Array,
  range?: { to: number },
): Promise<void> {
  const record = await requireRecord(ledger, recordId);
  if (range !== undefined && range.to >= record.current.payloadLength) {
    throw new ChartsealError(
      "input-invalid",
      `the record has ${counted(record.current.payloadLength, "byte")}`,
      {
        data: { length: record.current.payloadLength },
      },
    );
  }
}

async function openRecord(globals: Globals, record: string, options: OpenOptions): Promise<void> {
  const destination = destinationOf(globals, options.out);
  const check = async (session: ReadSession): Promise<void> => {
    const range = options.range === undefined ? undefined : parseRange(options.range);
    demandPurpose(options);
    checkSpecial(session, options);
    checkDestination(destination);
    requireMember(session.home, options.as);
    await checkRecord(session, parseRecordId(record), range);
  };
  const value = await writing(globals, { members: [options.as], check }, async (session) => {
    const member = memberOf(session, options.as);
    const recordId = parseRecordId(record);
    const opened = await retrieveAs(session, { member, recordId, options }).catch(async (error: unknown) => {
      const { address } = await requireRecord(session.ledger, recordId);
      throw withPlace(error, { recordId: toHex(recordId), copy: address });
    });
    const range = options.range === undefined ? undefined : parseRange(options.range);
    return await deliverOpened({ ...opened, recordId }, destination, range);
  });
  report(globals, destination, value);
}

/** By the member's own proof, in an emergency, or as a proxy. */
async function retrieveAs(
  session: Session,
  asked: { readonly member: SessionMember; readonly recordId: Uint8Array; readonly options: OpenOptions },
): Promise<Opened> {
  const { member, recordId, options } = asked;
  const purpose = options.purpose === undefined ? {} : { purpose: options.purpose };
  const grant = await grantOf(session, member, options);
  return await keepingEvidence(session, member.name, async (unopened) => {
    if (grant === undefined) {
      await refreshKeys(session, member);
      return await retrieve(session, { member: member.keys, recordId, ...purpose, unopened });
    }
    const key = await specialKeyFor(session, member, grant);
    const special = { member: member.keys, grant, key, recordId, ...purpose, unopened };
    return await retrieveSpecially(session, special);
  });
}

/** Keeps what a dispute is opened with where the provider's transform does not open the record, and says how. */
async function keepingEvidence<T>(
  { home }: Session,
  name: string,
  work: (unopened: KeepUnopened) => Promise<T>,
): Promise<T> {
  let file: string | undefined;
  let record = "";
  try {
    return await work(async (kept) => {
      file = saveKept(home, name, kept);
      record = toHex(kept.recordId);
    });
  } catch (error) {
    if (file === undefined || !(error instanceof ChartsealError)) throw error;
    const { code, message, data, cause } = error;
    const way = `chartseal dispute open ${record} --as ${name} --evidence ${file}`;
    const hint = `Its nodes can find who is at fault: ${way} (it tells everybody that ${name} asked).`;
    throw new ChartsealError(code, message, { data: { ...data, evidence: file }, hint, cause });
  }
}

function report(globals: Globals, destination: Destination, value: Record<string, unknown>): void {
  const { output } = globals;
  if (value.disputed === true) {
    const { relay } = value;
    const brought = typeof relay === "string" ? `; relay ${relay} brought it` : "";
    output.warn(`the owner disputes this record${brought}`);
  }
  if (output.json) output.value(value, "");
  else if (destination !== "standard-output") {
    output.note(
      `${counted(Number(value.bytes), "byte")} of ${String(value.mediaType)}, SHA-256 ${String(value.sha256)}`,
    );
  }
}

/** Before a key for an emergency is asked for. @throws ChartsealError `input-invalid` */
function demandPurpose({ purpose, emergency }: Pick<OpenOptions, "purpose" | "emergency">): void {
  if (purpose !== undefined) checkPurpose(purpose, emergency !== undefined);
}

export function addRetrieveCommands(program: Command): void {
  const command = program
    .command("open [record]")
    .description("prove the policy, let the provider transform, open; bytes go to --out or standard output")
    .requiredOption("--as <name>", "the member who reads")
    .option("--out <file>", "where the bytes go; the file appears whole or not at all")
    .option("--purpose <code>", "HL7 PurposeOfUse; default TREAT")
    .option("--range <a-b>", "bytes A to B only, both included")
    .option("--emergency <id>", "in this emergency, as its first clinician; purpose BTG unless ETREAT")
    .option("--proxy-for <owner>", "as the owner's proxy")
    .option("--file <file>", "open a portable record without ledger or provider")
    .option("--genesis <file>", "the genesis that a portable record is checked against")
    .action(async (record: string | undefined, options: OpenOptions) => {
      const globals = globalsOf(command);
      if ((record === undefined) === (options.file === undefined)) {
        throw new ChartsealError("input-invalid", "give a record or --file, one of the two");
      }
      if (record !== undefined) return await openRecord(globals, record, options);
      const { openFile } = await import("../operations/portable.ts");
      await openFile(globals, { ...options, file: options.file ?? "" });
    });
  example(command, "chartseal open 5f0c… --as bob --out ecg.json");
  addSteps(program);
}

/** request: the first step alone; what it prints is what transform takes. */
function addSteps(program: Command): void {
  const command = program
    .command("request <record>")
    .description("prove the policy on the ledger and print the grant (a step of open)")
    .requiredOption("--as <name>", "the member who asks")
    .option("--purpose <code>", "HL7 PurposeOfUse; default TREAT")
    .option("--emergency <id>", "in this emergency, as its first clinician; purpose BTG unless ETREAT")
    .option("--proxy-for <owner>", "as the owner's proxy")
    .action(async (record: string, options: SpecialOptions & { as: string; purpose?: string }) => {
      const globals = globalsOf(command);
      const check = async (session: ReadSession): Promise<void> => {
        demandPurpose(options);
        checkSpecial(session, options);
        requireMember(session.home, options.as);
        await checkRecord(session, parseRecordId(record));
      };
      const value = await writing(globals, { members: [options.as], check }, async (session) => {
        const member = memberOf(session, options.as);
        const grant = await grantOf(session, member, options);
        if (grant === undefined) await refreshKeys(session, member);
        const granted = await request(session, {
          member: member.keys,
          recordId: parseRecordId(record),
          ...(options.purpose === undefined ? {} : { purpose: options.purpose }),
          ...(grant === undefined ? {} : { grant }),
        });
        await saveGrant(session, member.name, granted);
        const { requestId, proof } = granted;
        return {
          requestId: toHex(requestId),
          recordId: record,
          proof,
          height: (await session.ledger.head()).height,
        };
      });
      globals.output.value(value, `Request ${value.requestId} is granted; it lapses in 10 minutes.`);
    });
  example(command, "chartseal request 5f0c… --as bob --json");
  addTransform(program);
}

function grantFile(requestId: string): string {
  return `grants/${requestId}.sealed`;
}

/** The grant's one-time key, sealed in the member's vault until `transform` uses it. */
async function saveGrant(session: Session, name: string, granted: Granted): Promise<void> {
  const { requestId, recordId, oneTime } = granted;
  await memberOf(session, name).vault.save(grantFile(toHex(requestId)), [recordId, oneTime.seed]);
}

/** @throws ChartsealError `grant-missing` for a request that this member did not make here */
async function loadGrant(session: Session, name: string, requestId: string): Promise<Granted> {
  const saved = await memberOf(session, name).vault.load(grantFile(requestId));
  const [recordId, seed] = Array.isArray(saved) ? saved : [];
  if (!(recordId instanceof Uint8Array) || !(seed instanceof Uint8Array)) {
    throw new ChartsealError("grant-missing", `${name} has made no request of this id`, {
      data: { requestId },
    });
  }
  const record = await requireRecord(session.ledger, recordId);
  const proof = proofOf(record, memberOf(session, name).keys.account);
  const oneTime = ed25519KeyPairFromSeed(seed);
  return { requestId: fromHex(requestId, 32), recordId, proof, record, oneTime };
}

/** transform: uses a grant that `request` made: the provider transforms, the reader opens. */
function addTransform(program: Command): void {
  const command = program
    .command("transform <request>")
    .description("use a grant: the provider transforms, the reader opens (the other steps of open)")
    .requiredOption("--as <name>", "the member who asked")
    .option("--out <file>", "where the bytes go; the file appears whole or not at all")
    .action(async (requestId: string, options: { as: string; out?: string }) => {
      const globals = globalsOf(command);
      const destination = destinationOf(globals, options.out);
      const check = ({ home }: ReadSession): void => {
        checkDestination(destination);
        requireMember(home, options.as);
        if (!/^[0-9a-f]{64}$/.test(requestId)) {
          throw new ChartsealError("input-invalid", "a request id is 64 lower-case hex digits");
        }
      };
      const value = await writing(globals, { members: [options.as], check }, async (session) => {
        const member = memberOf(session, options.as);
        const granted = await loadGrant(session, options.as, requestId);
        const reader = await readerOf(session, member, granted.requestId);
        const transformed = await askTransform(session, { member: reader, granted });
        const opened = await keepingEvidence(session, options.as, (unopened) =>
          open(session, { member: reader, granted, transformed, unopened }),
        );
        const { recordId } = granted;
        return { requestId, ...(await deliverOpened({ ...opened, recordId }, destination, undefined)) };
      });
      report(globals, destination, value);
    });
  example(command, "chartseal transform 77ab… --as bob --out ecg.json");
}
