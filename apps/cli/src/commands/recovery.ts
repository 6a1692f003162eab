/** recovery: new keys for a member who has lost everything, against whose objection nothing is done. */
import { text } from "node:stream/consumers";
import { ChartsealError } from "@chartseal/crypto";
import { paperSigner } from "@chartseal/sharing";
import type { Command } from "commander";
import { requireMember } from "../home/home.ts";
import { readMemberPassphrase, readPassphrase } from "../home/passphrase.ts";
import { listRecoverable, requireRecoverable } from "../home/recovering.ts";
import { readGiven } from "../operations/ledger.ts";
import { parsePaperKit } from "../operations/paper-kit.ts";
import { checkFinish, finish, recoveryTarget, start, type Target } from "../operations/recover.ts";
import {
  approve,
  makePaperKit,
  object,
  recoveriesOf,
  recoveryLine,
  waysWarning,
} from "../operations/recovery.ts";
import { type Globals, globalsOf } from "../program-globals.ts";
import { passphraseOption, reading, writing } from "../run.ts";
import { memberOf, type ReadSession } from "../services/session.ts";
import { example } from "./shared.ts";

export function addRecoveryCommands(program: Command): void {
  const group = program
    .command("recovery")
    .description("new keys for a member who has lost its own: kit, start, approve, object, finish, list");
  addKit(group);
  addStart(group);
  addApprove(group);
  addObject(group);
  addFinish(group);
  addList(group);
}

const passphraseOf = (globals: Globals, name: string): Promise<string> =>
  readMemberPassphrase(passphraseOption(globals), name);

function addKit(group: Command): void {
  const kit = group
    .command("kit <member>")
    .description("print a new paper kit, once, on standard error; an earlier one serves no more")
    .action(async (name: string) => {
      const globals = globalsOf(kit);
      const check = ({ home }: ReadSession): void => void requireMember(home, name);
      const { page, ...value } = await writing(globals, { members: [name], check }, (session) =>
        makePaperKit(session, memberOf(session, name)),
      );
      globals.output.notice(page);
      const warning = waysWarning(name, value.ways);
      if (warning !== undefined) globals.output.warn(warning);
      globals.output.value({ member: name, ...value }, `${name} has a new paper kit.`);
    });
  example(kit, "chartseal recovery kit alice 2>kit.txt");
}

interface StartOptions {
  readonly byPaperKit?: string;
  readonly guardian?: string;
  readonly account?: string;
}

/** The kit's words come from a file or standard input, never from the command line. @throws ChartsealError `input-invalid` */
async function kitOf(file: string): Promise<Uint8Array> {
  const page =
    file === "-" ? await text(process.stdin) : new TextDecoder().decode(readGiven(file, "a paper kit"));
  return parsePaperKit(page);
}

function addStart(group: Command): void {
  const command = group
    .command("start <member>")
    .description("make new keys in a folder that waits, and propose them for the member's account")
    .option("--by-paper-kit <file>", "the page as it was printed, or its words; - reads standard input")
    .option("--guardian <name>", "a guardian starts it, which is its approval")
    .option("--account <account>", "where the member's folder is lost: 40 hex digits")
    .action(async (name: string, options: StartOptions) => {
      const globals = globalsOf(command);
      const { byPaperKit, guardian, account } = options;
      let target: Target | undefined;
      let kit: Uint8Array | undefined;
      const check = async (session: ReadSession): Promise<void> => {
        if ((byPaperKit === undefined) === (guardian === undefined)) {
          throw new ChartsealError("input-invalid", "give --by-paper-kit or --guardian, one of them");
        }
        if (byPaperKit !== undefined) kit = await kitOf(byPaperKit);
        target = await recoveryTarget(session, name, account);
      };
      const members = guardian === undefined ? [] : [guardian];
      const value = await writing(globals, { members, makesKeys: true, check }, async (session) => {
        if (target === undefined) throw new ChartsealError("defect", "options were not checked");
        const by = kit === undefined ? memberOf(session, guardian!).keys : paperSigner(kit);
        const { waitMs } = globals;
        // A guardian's own passphrase is not for the member's new keys.
        const passphrase = await (guardian === undefined
          ? passphraseOf(globals, name)
          : readPassphrase({ ...passphraseOption(globals), question: `Passphrase of ${name}: ` }));
        return await start(session, { target, by, ...(guardian && { guardian }), passphrase, waitMs });
      });
      globals.output.note(`New key ${value.newKey}: whoever approves it compares it with the member.`);
      globals.output.value(value, recoveryLine(value));
    });
  example(command, "chartseal recovery start alice --by-paper-kit kit.txt");
}

function addApprove(group: Command): void {
  const command = group
    .command("approve <member>")
    .description("another guardian agrees; with the last approval needed the waiting time begins")
    .requiredOption("--guardian <name>", "who approves")
    .option("--recovery <id>", "which one, where several are open")
    .action(async (name: string, options: { guardian: string; recovery?: string }) => {
      const globals = globalsOf(command);
      const check = ({ home }: ReadSession): void => void requireRecoverable(home, name);
      const value = await writing(globals, { members: [options.guardian], check }, (session) =>
        approve(session, {
          member: requireRecoverable(session.home, name),
          guardian: memberOf(session, options.guardian),
          ...(options.recovery === undefined ? {} : { recovery: options.recovery }),
        }),
      );
      globals.output.value(value, recoveryLine(value));
    });
  example(command, "chartseal recovery approve alice --guardian carol");
}

function addObject(group: Command): void {
  const command = group
    .command("object <member>")
    .description("the member ends recoveries that are not its own")
    .option("--recovery <id>", "this one only; default: all that are open")
    .action(async (name: string, options: { recovery?: string }) => {
      const globals = globalsOf(command);
      const check = ({ home }: ReadSession): void => void requireMember(home, name);
      const value = await writing(globals, { members: [name], check }, (session) =>
        object(session, memberOf(session, name), options.recovery),
      );
      globals.output.value(value, `${name} has objected; the keys that were proposed get nothing.`);
    });
  example(command, "chartseal recovery object alice");
}

function addFinish(group: Command): void {
  const command = group
    .command("finish <member>")
    .description("after the waiting time: the new keys take over, the old folder is kept aside")
    .action(async (name: string) => {
      const globals = globalsOf(command);
      const check = (session: ReadSession): void => checkFinish(session, name);
      const value = await writing(globals, { makesKeys: true, check }, async (session) =>
        finish(session, { name, passphrase: await passphraseOf(globals, name), waitMs: globals.waitMs }),
      );
      globals.output.value(value, `${name} has new keys; the old ones are refused.`);
    });
  example(command, "chartseal recovery finish alice");
}

function addList(group: Command): void {
  const command = group
    .command("list [member]")
    .description("every recovery that was ever started, of one member or of all")
    .action(async (name: string | undefined) => {
      const globals = globalsOf(command);
      const value = await reading(globals, async (session) => {
        const { home } = session;
        const members = name === undefined ? listRecoverable(home) : [requireRecoverable(home, name)];
        return await recoveriesOf(session, members);
      });
      globals.output.value(value, value.map(recoveryLine).join("\n") || "No recoveries.");
    });
  example(command, "chartseal recovery list --json");
}
