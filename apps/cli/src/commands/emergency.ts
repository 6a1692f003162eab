/** emergency: break-glass by two clinicians: declare, confirm, list, show, end, review. Opening is `open --emergency`. */
import { ChartsealError, fromHex, toHex } from "@chartseal/crypto";
import { type ReviewOutcome, reviewOutcomes } from "@chartseal/ledger";
import {
  confirmEmergency,
  declareEmergency,
  endEmergency,
  readDeclaration,
  readEmergency,
  readSettings,
  requireRecord,
  reviewEmergency,
} from "@chartseal/sharing";
import type { Command } from "commander";
import { requireMember } from "../home/home.ts";
import {
  checkNote,
  clinicianAttribute,
  emergencyLine,
  emergencyLines,
  emergencyText,
  parseGrantId,
  recordsOf,
  timeText,
} from "../operations/emergencies.ts";
import { reviewingNode } from "../operations/reviewing-node.ts";
import { globalsOf } from "../program-globals.ts";
import { reading, writing } from "../run.ts";
import { memberOf, type ReadSession, type Session, type SessionMember } from "../services/session.ts";
import { dropSpecialKey } from "../services/special-keys.ts";
import { durationText, endOf, example, wholeNumberOf } from "./shared.ts";

export function addEmergencyCommands(program: Command): void {
  const group = program
    .command("emergency")
    .description("break-glass: two clinicians, records named, a time, and the owner is told");
  addDeclare(group);
  addConfirm(group);
  addList(group);
  addShow(group);
  addEnd(group);
  addReview(group);
}

interface DeclareOptions {
  readonly owner: string;
  readonly record: string[];
  readonly reason: string;
  readonly as: string;
  readonly until?: string;
  readonly for?: string;
  readonly attribute?: string;
}

function addDeclare(group: Command): void {
  const command = group
    .command("declare")
    .description("the first clinician's: which records of whom, why and until when")
    .requiredOption("--owner <name>", "whose records")
    .requiredOption("--record <id...>", "the records to be opened, and no others")
    .requiredOption("--reason <text>", "why; it stands on the ledger for good, so no health data")
    .requiredOption("--as <name>", "the first clinician, who will read")
    .option("--until <time>", "RFC 3339 time, or a date, at which it ends")
    .option("--for <time>", "how long from now, such as 4h (default 4h, or the consortium's limit)")
    .option("--attribute <attribute>", "the listed attribute that the clinician holds; default: the first")
    .action(async (options: DeclareOptions) => {
      const globals = globalsOf(command);
      const members = [options.as];
      const check = async (session: ReadSession): Promise<void> => {
        await checkDeclared(session, options);
      };
      const value = await writing(globals, { members, check }, async (session) => {
        const { records, endMs } = await checkDeclared(session, options);
        const clinician = memberOf(session, options.as);
        const attribute = await attributeOf(session, clinician, options.attribute);
        const owner = fromHex(requireMember(session.home, options.owner).account, 20);
        const declaration = { owner, records, reason: options.reason, endMs, attribute };
        const made = await declareEmergency(session, { clinician: clinician.keys, declaration });
        return {
          emergencyId: toHex(made.emergencyId),
          declaration: toHex(made.submitted.identifier),
          owner: options.owner,
          records: records.map(toHex),
          attribute,
          until: timeText(endMs),
          height: made.submitted.height,
        };
      });
      const { emergencyId, until } = value;
      globals.output.value(value, `Emergency ${emergencyId} until ${until}; a second clinician confirms it.`);
    });
  example(
    command,
    'chartseal emergency declare --owner alice --record 5f0c… --reason "cannot be asked, case 4711" --for 4h --as dora',
  );
}

/** @throws ChartsealError `input-invalid`, `member-unknown`, `record-unknown` */
async function checkDeclared(
  session: ReadSession,
  options: DeclareOptions,
): Promise<{ readonly records: readonly Uint8Array[]; readonly endMs: number }> {
  checkNote("--reason", options.reason);
  const { emergencyLifetimeMs } = await readSettings(session.ledger);
  const now = session.now();
  const endMs = endOf(options, { now, forMs: Math.min(4 * 3_600_000, emergencyLifetimeMs) });
  if (endMs > now + emergencyLifetimeMs) {
    const limit = durationText(emergencyLifetimeMs);
    throw new ChartsealError("input-invalid", `an emergency ends at most ${limit} from now`, {
      data: { limitMs: emergencyLifetimeMs },
      hint: "The consortium has settled that: chartseal settings show.",
    });
  }
  requireMember(session.home, options.as);
  const { owner, record: records } = options;
  return { records: await recordsOf(session, { owner, records }, requireRecord), endMs };
}

function attributeOf(session: Session, { name, keys }: SessionMember, given?: string): Promise<string> {
  return clinicianAttribute(session, { name, account: keys.account }, given);
}

function addConfirm(group: Command): void {
  const command = group
    .command("confirm <emergency>")
    .description("the second clinician's: stands behind the whole text of the declaration, which is shown")
    .requiredOption("--as <name>", "the second clinician")
    .option("--attribute <attribute>", "the listed attribute that the clinician holds; default: the first")
    .option("--declaration <id>", "confirm this declaration and no other (emergency show prints it)")
    .action(async (text: string, options: { as: string; attribute?: string; declaration?: string }) => {
      const globals = globalsOf(command);
      const emergencyId = parseLater(text);
      const check = async (session: ReadSession): Promise<void> => {
        const id = emergencyId();
        if (options.declaration !== undefined) parseGrantId(options.declaration);
        requireMember(session.home, options.as);
        await readEmergency(session, id);
      };
      const value = await writing(globals, { members: [options.as], check }, async (session) => {
        const id = emergencyId();
        const { identifier, action } = await readDeclaration(session.ledger, id);
        // The text is that of the bytes whose identifier is signed, not what the state says of them.
        const declared = { ...(await readEmergency(session, id)), ...action, declaration: identifier };
        globals.output.note(emergencyText(emergencyLine(session.home, declared)));
        const member = memberOf(session, options.as);
        const attribute = await attributeOf(session, member, options.attribute);
        const declaration = options.declaration === undefined ? identifier : fromHex(options.declaration, 32);
        const confirmed = { clinician: member.keys, emergencyId: id, declaration, attribute };
        const { height } = await confirmEmergency(session, confirmed);
        const { status } = await readEmergency(session, id);
        return { emergencyId: text, declaration: toHex(declaration), attribute, status, height };
      });
      globals.output.value(value, `Emergency ${text} is ${value.status}.`);
    });
  example(command, "chartseal emergency confirm 91ab… --as erin");
}

/** Options are looked at after the home (CONTRACT, Order of checks). */
function parseLater(text: string): () => Uint8Array {
  return () => parseGrantId(text);
}

function addList(group: Command): void {
  const command = group
    .command("list")
    .description("emergencies on the ledger, of one owner or of all")
    .option("--owner <name>", "over whose records")
    .action(async (options: { owner?: string }) => {
      const globals = globalsOf(command);
      const lines = await reading(globals, (session) => emergencyLines(session, options.owner));
      for (const line of lines) {
        const { emergencyId, status, owner, until, reviewsOpen } = line;
        const review = reviewsOpen.length === 0 ? "" : `, to review: ${reviewsOpen.join(", ")}`;
        globals.output.line(line, `${emergencyId}  ${status}  ${owner}, until ${until}${review}`);
      }
      if (lines.length === 0) globals.output.note("No emergencies.");
    });
  example(command, "chartseal emergency list --owner alice");
}

function addShow(group: Command): void {
  const command = group
    .command("show <emergency>")
    .description("one emergency: owner, clinicians, records, reason, end, reviews")
    .action(async (text: string) => {
      const globals = globalsOf(command);
      const line = await reading(globals, async (session) =>
        emergencyLine(session.home, await readEmergency(session, parseGrantId(text))),
      );
      globals.output.value(line, emergencyText(line));
    });
  example(command, "chartseal emergency show 91ab…");
}

function addEnd(group: Command): void {
  const command = group
    .command("end <emergency>")
    .description("end it before its time: the owner or either clinician")
    .requiredOption("--as <name>", "the owner or a clinician")
    .action(async (text: string, options: { as: string }) => {
      const globals = globalsOf(command);
      const check = async (session: ReadSession): Promise<void> => {
        const id = parseGrantId(text);
        requireMember(session.home, options.as);
        await readEmergency(session, id);
      };
      const value = await writing(globals, { members: [options.as], check }, async (session) => {
        const emergencyId = parseGrantId(text);
        const member = memberOf(session, options.as);
        const { height } = await endEmergency(session, { by: member.keys, emergencyId });
        dropSpecialKey(member, { mode: "emergency", grantId: emergencyId });
        return { emergencyId: text, ended: true, height };
      });
      globals.output.value(value, `Emergency ${text} has ended.`);
    });
  example(command, "chartseal emergency end 91ab… --as alice");
}

interface ReviewOptions {
  readonly as?: string;
  readonly node?: string;
  readonly outcome: string;
  readonly note: string;
}

function addReview(group: Command): void {
  const command = group
    .command("review <emergency>")
    .description("judge an emergency that is over: the owner, or an authority node")
    .option("--as <name>", "the owner")
    .option("--node <n>", "an authority node whose keys are here")
    .requiredOption("--outcome <outcome>", `one of ${reviewOutcomes.join(", ")}`)
    .requiredOption("--note <text>", "what was found")
    .action(async (text: string, options: ReviewOptions) => {
      const globals = globalsOf(command);
      const members = options.as === undefined ? [] : [options.as];
      const check = async (session: ReadSession): Promise<void> => {
        checkReview(options);
        const id = parseGrantId(text);
        if (options.as !== undefined) requireMember(session.home, options.as);
        await readEmergency(session, id);
      };
      const value = await writing(globals, { members, check }, async (session, vaults) => {
        const { outcome, node } = checkReview(options);
        const by =
          node === undefined
            ? memberOf(session, options.as ?? "").keys
            : await reviewingNode(session, { node, vault: vaults.service });
        const review = { by, emergencyId: parseGrantId(text), outcome, note: options.note };
        const { height } = await reviewEmergency(session, review);
        const reviewer = node === undefined ? "owner" : "authority";
        return { emergencyId: text, reviewer, outcome, height };
      });
      globals.output.value(value, `Emergency ${text}: ${value.outcome} for the ${value.reviewer}.`);
    });
  example(
    command,
    'chartseal emergency review 91ab… --as alice --outcome justified --note "they saved my life"',
  );
}

/** @throws ChartsealError `input-invalid` */
function checkReview({ as, node, outcome, note }: ReviewOptions): {
  readonly outcome: ReviewOutcome;
  readonly node?: number;
} {
  const known = reviewOutcomes.find((one) => one === outcome);
  if (known === undefined) {
    throw new ChartsealError("input-invalid", `--outcome takes one of ${reviewOutcomes.join(", ")}`);
  }
  checkNote("--note", note);
  if ((as === undefined) === (node === undefined)) {
    throw new ChartsealError("input-invalid", "give --as or --node, one of the two");
  }
  return node === undefined ? { outcome: known } : { outcome: known, node: wholeNumberOf("--node", node) };
}
