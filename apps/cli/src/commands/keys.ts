/** keys: a member's keys: all that were ever issued, a new one, all anew for a lost device, a full one. */
import { fromHex, parseAttribute, toHex } from "@chartseal/crypto";
import { listKeys } from "@chartseal/sharing";
import type { Command } from "commander";
import { requireMember } from "../home/home.ts";
import { issueFull } from "../operations/full-key.ts";
import { keyLine, keyValue } from "../operations/issuance.ts";
import { replaceMemberKeys } from "../operations/keys.ts";
import { renewKey } from "../operations/members.ts";
import { globalsOf } from "../program-globals.ts";
import { reading, writing } from "../run.ts";
import { memberOf, type ReadSession } from "../services/session.ts";
import { example } from "./shared.ts";

export function addKeyCommands(program: Command): void {
  const group = program.command("keys").description("a member's keys: list, renew, replace, full");
  addList(group);
  addRenew(group);
  addReplace(group);
  addFull(group);
}

function addList(group: Command): void {
  const command = group
    .command("list <member>")
    .description("every key ever issued in the member's name, by the ledger")
    .action(async (name: string) => {
      const globals = globalsOf(command);
      const keys = await reading(globals, async ({ home, ledger }) =>
        listKeys(ledger, fromHex(requireMember(home, name).account, 20)),
      );
      for (const key of keys) globals.output.line(keyValue(key), keyLine(key));
      if (keys.length === 0) globals.output.note("No keys yet.");
    });
  example(command, "chartseal keys list bob");
}

function addRenew(group: Command): void {
  const command = group
    .command("renew <member>")
    .description("a new transform key for the member's attributes in force; the earlier one is retired")
    .action(async (name: string) => {
      const globals = globalsOf(command);
      const check = ({ home }: ReadSession): void => void requireMember(home, name);
      const renewed = await writing(globals, { members: [name], check }, (session) =>
        renewKey(session, memberOf(session, name)),
      );
      globals.output.value(renewed, `${name} has a new key for ${renewed.attributes.join(", ")}.`);
    });
  example(command, "chartseal keys renew bob");
}

function addReplace(group: Command): void {
  const command = group
    .command("replace <member>")
    .description("a device was lost: new keys of every kind; copies of the old ones are refused at once")
    .action(async (name: string) => {
      const globals = globalsOf(command);
      const check = ({ home }: ReadSession): void => void requireMember(home, name);
      const { fullKey, ...value } = await writing(globals, { members: [name], check }, (session) =>
        replaceMemberKeys(session, memberOf(session, name)),
      );
      if (fullKey) {
        globals.output.warn(
          `the full key of ${name} on the lost device still reads: chartseal rekey of what it opens`,
        );
      }
      globals.output.value(
        value,
        `${name} has new keys since block ${value.height}; the old ones are refused.`,
      );
    });
  example(command, "chartseal keys replace bob");
}

function addFull(group: Command): void {
  const command = group
    .command("full <member> [attributes...]")
    .description(
      "an audited full key, sealed to the member: for ACCOUNT@self and its attributes (all by default)",
    )
    .action(async (name: string, attributes: string[]) => {
      const globals = globalsOf(command);
      const check = ({ home }: ReadSession): void => {
        for (const attribute of attributes) parseAttribute(attribute);
        requireMember(home, name);
      };
      const issued = await writing(globals, { members: [name], check }, (session) =>
        issueFull(session, memberOf(session, name), attributes),
      );
      globals.output.warn(
        `a full key of ${name} reads without the provider; revoking it means chartseal rekey of what it opens`,
      );
      globals.output.value(
        { ...issued, keyId: toHex(issued.keyId) },
        `${name} has a full key for ${issued.attributes.join(", ")}.`,
      );
    });
  example(command, "chartseal keys full alice");
}
