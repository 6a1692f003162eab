/** retention, hold, certificate: what keeps a record, what erases it by itself, and the paper that says it is gone. */
import { ChartsealError, equalBytes, fromHex, randomBytes, toHex } from "@chartseal/crypto";
import {
  AccountWriter,
  certificateOf,
  certificatePage,
  certificateText,
  liftHold,
  placeHold,
  readKeeping,
  requireRecord,
} from "@chartseal/sharing";
import type { Command } from "commander";
import { parseRecordId } from "../home/home.ts";
import { checkDestination, deliverText } from "../operations/output-file.ts";
import { globalsOf } from "../program-globals.ts";
import { reading, writing } from "../run.ts";
import { loadProvider } from "../services/service-keys.ts";
import { type OwnSession, ownSession, type ReadSession } from "../services/session.ts";
import { example, futureTime } from "./shared.ts";

export function addKeepingCommands(program: Command): void {
  const retention = program
    .command("retention")
    .description("how long a hospital must keep a record that it deposited: set, show");
  addSetRetention(retention);
  addShowRetention(retention);
  const hold = program
    .command("hold")
    .description("what keeps a record until it is lifted, by its hospital or by vote: place, lift");
  addPlaceHold(hold);
  addLiftHold(hold);
  addCertificate(program);
}

const known =
  (record: string) =>
  async ({ ledger }: ReadSession): Promise<void> =>
    void (await requireRecord(ledger, parseRecordId(record)));

/** @throws ChartsealError `input-invalid` for a hospital whose keys are not in this home */
async function hospitalOf(session: OwnSession, namespace: string) {
  const hospital = await session.hospital(namespace);
  if (hospital !== undefined) return hospital;
  throw new ChartsealError("input-invalid", `the keys of ${namespace} are not in this home`, {
    hint: "chartseal namespace list shows the hospitals.",
  });
}

const dutyHint = "Give a time to come; --end ends the duty now.";

function addSetRetention(group: Command): void {
  const command = group
    .command("set <record>")
    .description("until when the hospital under whose rule a record was deposited must keep it")
    .requiredOption("--namespace <ns>", "the hospital")
    .option("--until <time>", "RFC 3339 time, or a date; until then nobody erases it")
    .option("--end", "the duty is over")
    .action(async (record: string, options: { namespace: string; until?: string; end?: boolean }) => {
      const globals = globalsOf(command);
      let keepUntilMs: number | null = null;
      const check = async (session: ReadSession): Promise<void> => {
        if ((options.until === undefined) === (options.end !== true))
          throw new ChartsealError("input-invalid", "say --until TIME or --end");
        if (options.until !== undefined) keepUntilMs = futureTime(options.until, session.now(), dutyHint);
        await known(record)(session);
      };
      const { height } = await writing(globals, { check }, async (session) => {
        const hospital = await hospitalOf(ownSession(session), options.namespace);
        return await hospital.keepUntil(parseRecordId(record), keepUntilMs);
      });
      const until = keepUntilMs === null ? null : new Date(keepUntilMs).toISOString();
      const text = until === null ? "need not be kept any more" : `is kept until ${until}`;
      globals.output.value({ recordId: record, until, height }, `Record ${record} ${text}.`);
    });
  example(command, "chartseal retention set 5f0c… --namespace cedars --until 2036-01-01T00:00:00Z");
}

function addShowRetention(group: Command): void {
  const command = group
    .command("show <record>")
    .description("what keeps a record, and from when on it is to be erased")
    .action(async (record: string) => {
      const globals = globalsOf(command);
      const value = await reading(globals, async (session) => {
        await known(record)(session);
        const { keepUntilMs, eraseAfterMs, holds } = await readKeeping(session.ledger, parseRecordId(record));
        const time = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
        return {
          recordId: record,
          until: time(keepUntilMs),
          eraseAfter: time(eraseAfterMs),
          holds: holds.map(({ holdId, by, height }) => ({ holdId: toHex(holdId), by: toHex(by), height })),
        };
      });
      const lines = [
        value.until === null ? "No duty to keep it." : `Kept until ${value.until}.`,
        ...value.holds.map(({ holdId, by, height }) => `Held by ${by} since block ${height}: hold ${holdId}`),
        value.eraseAfter === null
          ? "Not erased by itself."
          : `Erased after ${value.eraseAfter}, once it is free.`,
      ];
      globals.output.value(value, lines.join("\n"));
    });
  example(command, "chartseal retention show 5f0c…");
}

interface HoldingOptions {
  readonly namespace?: string;
  readonly byVote?: boolean;
  readonly reason: string;
  readonly hold?: string;
}

/** @throws ChartsealError `input-invalid` */
function demandOneSide({ namespace, byVote, reason }: HoldingOptions): void {
  if ((namespace === undefined) === (byVote !== true))
    throw new ChartsealError("input-invalid", "say --namespace NS or --by-vote");
  if (reason.length === 0 || reason.length > 256)
    throw new ChartsealError("input-invalid", "--reason takes 1 to 256 characters");
}

function addPlaceHold(group: Command): void {
  const command = group
    .command("place <record>")
    .description(
      "nobody erases or re-encrypts the record until the hold is lifted; the reason is on the ledger in clear",
    )
    .requiredOption("--reason <text>", "for all to read: nothing of the record's content belongs here")
    .option("--namespace <ns>", "by the hospital under whose rule it was deposited")
    .option("--by-vote", "by the consortium's validators")
    .action(async (record: string, options: HoldingOptions) => {
      const globals = globalsOf(command);
      const check = async (session: ReadSession): Promise<void> => {
        demandOneSide(options);
        await known(record)(session);
      };
      const value = await writing(globals, { check }, async (session) => {
        const own = ownSession(session);
        const hold = { recordId: parseRecordId(record), holdId: randomBytes(32), reason: options.reason };
        const { height } =
          options.namespace === undefined
            ? await placeHold({ ...(await votersOf(own)), ...hold })
            : await (await hospitalOf(own, options.namespace)).placeHold(hold);
        return { recordId: record, holdId: toHex(hold.holdId), height };
      });
      globals.output.value(value, `Record ${record} is held: hold ${value.holdId}.`);
    });
  example(command, 'chartseal hold place 5f0c… --namespace cedars --reason "case 17/2026"');
}

/** The provider's account speaks for the validators, who vote. */
async function votersOf(session: OwnSession) {
  const writer = new AccountWriter(session, await loadProvider(session.vault));
  return { writer, admittedBy: session.validators };
}

function addLiftHold(group: Command): void {
  const command = group
    .command("lift <record>")
    .description("end a hold: by whoever placed it, or by vote")
    .requiredOption("--hold <id>", "which; chartseal retention show names them")
    .requiredOption("--reason <text>", "for all to read")
    .option("--namespace <ns>", "by the hospital that placed it")
    .option("--by-vote", "by the consortium's validators")
    .action(async (record: string, options: HoldingOptions) => {
      const globals = globalsOf(command);
      let holdId = new Uint8Array(0);
      const check = async (session: ReadSession): Promise<void> => {
        demandOneSide(options);
        if (!/^[0-9a-f]{64}$/.test(options.hold ?? ""))
          throw new ChartsealError("input-invalid", "--hold takes 64 hexadecimal digits");
        holdId = Uint8Array.from(fromHex(options.hold!, 32));
        await known(record)(session);
        const { holds } = await readKeeping(session.ledger, parseRecordId(record));
        if (!holds.some((one) => equalBytes(one.holdId, holdId)))
          throw new ChartsealError("input-invalid", "no such hold stands on this record");
      };
      const value = await writing(globals, { check }, async (session) => {
        const own = ownSession(session);
        const hold = { recordId: parseRecordId(record), holdId, reason: options.reason };
        const { height } =
          options.namespace === undefined
            ? await liftHold({ ...(await votersOf(own)), ...hold })
            : await (await hospitalOf(own, options.namespace)).liftHold(hold);
        return { recordId: record, holdId: toHex(holdId), height };
      });
      globals.output.value(value, `Hold ${value.holdId} on record ${record} is lifted.`);
    });
  example(command, 'chartseal hold lift 5f0c… --hold 9a41… --namespace cedars --reason "settled"');
}

function addCertificate(program: Command): void {
  const group = program
    .command("certificate")
    .description("what an erasure proves, and what it cannot: show");
  const command = group
    .command("show <record>")
    .description(
      "the certificate of a record's erasure: each copy, who signed for it, whether the signature holds",
    )
    .option("--html <file>", "as a page to print")
    .action(async (record: string, options: { html?: string }) => {
      const globals = globalsOf(command);
      const value = await reading(globals, async (session) => {
        if (options.html !== undefined) checkDestination({ file: options.html });
        await known(record)(session);
        return await certificateOf(session.ledger, parseRecordId(record));
      });
      if (options.html !== undefined) await deliverText(options.html, certificatePage(value));
      globals.output.value(value, certificateText(value));
    });
  example(command, "chartseal certificate show 5f0c… --html certificate.html");
}
