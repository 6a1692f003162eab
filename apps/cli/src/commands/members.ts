/** namespace and member: the hospitals that vouch, and the people. */
import { ChartsealError, fromHex, toHex } from "@chartseal/crypto";
import { attributesInForce, listNamespaces, readAccount } from "@chartseal/sharing";
import type { Command } from "commander";
import { listMembers, requireMember } from "../home/home.ts";
import { readMemberPassphrase } from "../home/passphrase.ts";
import {
  addMember,
  addNamespace,
  checkNewMember,
  checkNewNamespace,
  extendNamespace,
} from "../operations/members.ts";
import { appointGuardian, type Guardian } from "../operations/minors.ts";
import { makePaperKit, waysWarning } from "../operations/recovery.ts";
import { globalsOf } from "../program-globals.ts";
import { passphraseOption, reading, writing } from "../run.ts";
import type { ReadSession } from "../services/session.ts";
import { endOf, example, wholeNumberOf } from "./shared.ts";

export function addMemberCommands(program: Command): void {
  addNamespaceGroup(program.command("namespace").description("hospitals that vouch for attributes"));
  addMemberGroup(program.command("member").description("people and institutions with an account"));
}

function addNamespaceGroup(group: Command): void {
  const add = group
    .command("add <name>")
    .description("register a hospital that vouches for attributes …@NAME")
    .action(async (name: string) => {
      const globals = globalsOf(add);
      const check = (session: ReadSession): Promise<void> => checkNewNamespace(session, name);
      const made = await writing(globals, { check }, (session) => addNamespace(session, name));
      const { namespace, proposalId } = made;
      const text =
        proposalId === undefined
          ? `Namespace ${namespace} is registered.`
          : `Proposed: ${proposalId}. Once the others have voted for it, run this again.`;
      globals.output.value(proposalId === undefined ? made : { ...made, registered: false }, text);
    });
  example(add, "chartseal namespace add cedars");
  const extend = group
    .command("extend <name>")
    .description("lengthen a hospital's public lists: policies over its attributes may have so many columns")
    .requiredOption("--columns <n>", "how many, up to 256; 64 from the start")
    .action(async (name: string, options: { readonly columns: string }) => {
      const globals = globalsOf(extend);
      const check = (): void => void columnsOf(options.columns);
      const columns = await writing(globals, { check }, (session) =>
        extendNamespace(session, { name, columns: columnsOf(options.columns) }),
      );
      globals.output.value({ namespace: name, columns }, `The lists of ${name} have ${columns} columns.`);
    });
  example(extend, "chartseal namespace extend cedars --columns 128");
  const list = group
    .command("list")
    .description("the registered namespaces")
    .action(async () => {
      const globals = globalsOf(list);
      const names = await reading(globals, ({ ledger }) => listNamespaces(ledger));
      const value = names.map((namespace) => ({ namespace }));
      globals.output.value(value, names.join("\n") || "No namespaces yet.");
    });
  example(list, "chartseal namespace list --json");
}

/** @throws ChartsealError `input-invalid` */
function columnsOf(text: string): number {
  const columns = wholeNumberOf("--columns", text);
  if (columns >= 1 && columns <= 256) return columns;
  throw new ChartsealError("input-invalid", "--columns takes 1 to 256");
}

/** @throws ChartsealError `input-invalid`, `member-unknown` */
function guardianOf(
  session: ReadSession,
  { guardian, until }: { readonly guardian?: string; readonly until?: string },
): Guardian | undefined {
  if (guardian === undefined && until === undefined) return undefined;
  if (guardian === undefined || until === undefined) {
    throw new ChartsealError("input-invalid", "--guardian and --until go together");
  }
  const endMs = endOf({ until }, { now: session.now() });
  return { name: guardian, account: fromHex(requireMember(session.home, guardian).account, 20), endMs };
}

function addMemberGroup(group: Command): void {
  const add = group
    .command("add <name>")
    .description(
      "make a member: account keys, recovery key, a paper kit, printed once; a minor with its guardian",
    )
    .option("--guardian <member>", "of a minor: reads and sets rules for it, with --until")
    .option("--until <date>", "when the guardian's appointment ends by itself, such as 2036-05-17")
    .action(async (name: string, options: { guardian?: string; until?: string }) => {
      const globals = globalsOf(add);
      const check = (session: ReadSession): void => {
        guardianOf(session, options);
        checkNewMember(session, name);
      };
      const { member, kit, appointed } = await writing(
        globals,
        { makesKeys: true, check },
        async (session) => {
          const guardian = guardianOf(session, options);
          const passphrase = await readMemberPassphrase(passphraseOption(globals), name);
          const made = await addMember(session, { name, passphrase });
          const kit = await makePaperKit(session, made.keys);
          const appointed = guardian && (await appointGuardian(session, made.keys, guardian));
          return { member: made.member, kit, appointed };
        },
      );
      globals.output.notice(kit.page);
      const warning = waysWarning(name, kit.ways);
      if (warning !== undefined) globals.output.warn(warning);
      const guarded =
        appointed === undefined ? "" : ` Guardian: ${appointed.guardian} until ${appointed.until}.`;
      globals.output.value(
        { member: name, account: member.account, ...appointed },
        `Member ${name}, account ${member.account}.${guarded}`,
      );
    });
  example(add, "chartseal member add alice");
  const list = group
    .command("list")
    .description("the members of this home")
    .action(async () => {
      const globals = globalsOf(list);
      const members = await reading(globals, async ({ home }) => listMembers(home));
      const value = members.map(({ name, account }) => ({ member: name, account }));
      const text = members.map(({ name, account }) => `${name}  ${account}`).join("\n");
      globals.output.value(value, text || "No members yet.");
    });
  example(list, "chartseal member list");
  const show = group
    .command("show <name>")
    .description("one member: account, keys, attributes in force")
    .action(async (name: string) => {
      const globals = globalsOf(show);
      const value = await reading(globals, async ({ home, ledger }) => {
        const { account, ...file } = requireMember(home, name);
        const attributes = await attributesInForce(ledger, fromHex(account, 20));
        const known = await readAccount(ledger, fromHex(account, 20));
        const publicKey = known === undefined ? file.publicKey : toHex(known.publicKey);
        const hpkeKey = known?.hpkeKey == null ? file.hpkeKey : toHex(known.hpkeKey);
        return { member: name, account, publicKey, hpkeKey, attributes: attributes.sort() };
      });
      const lines = [`${value.member}  ${value.account}`, ...value.attributes.map((one) => `  ${one}`)];
      globals.output.value(value, lines.join("\n"));
    });
  example(show, "chartseal member show alice");
}
