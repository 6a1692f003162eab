/** attributes: what the hospitals vouch for, granted and taken away. */
import { fromHex, namespaceOf, selfNamespace } from "@chartseal/crypto";
import { attributesInForce } from "@chartseal/sharing";
import type { Command } from "commander";
import { listMembers, requireMember } from "../home/home.ts";
import {
  checkAttributes,
  grantAttributes,
  type Revoking,
  revocable,
  revokeAttributes,
} from "../operations/members.ts";
import { globalsOf } from "../program-globals.ts";
import { reading, writing } from "../run.ts";
import { memberOf, type ReadSession } from "../services/session.ts";
import { example } from "./shared.ts";

export function addAttributeCommands(program: Command): void {
  const group = program.command("attributes").description("attributes of members: grant, list, revoke");
  const grant = group
    .command("grant <member> <attributes...>")
    .description("the hospitals vouch, the committee issues one new key for the full set")
    .action(async (name: string, attributes: string[]) => {
      const globals = globalsOf(grant);
      const check = async (session: ReadSession): Promise<void> => {
        await checkAttributes(session, attributes);
        requireMember(session.home, name);
      };
      const granted = await writing(globals, { members: [name], check }, (session) =>
        grantAttributes(session, memberOf(session, name), attributes),
      );
      globals.output.value(granted, `${name} holds ${granted.attributes.join(", ")}.`);
    });
  example(grant, "chartseal attributes grant bob doctor@cedars cardiology@cedars");
  addList(group);
  const revoke = group
    .command("revoke <member> [attributes...]")
    .description("take attributes away, all where none is named; opens the next period of each")
    .action(async (name: string, attributes: string[]) => {
      const globals = globalsOf(revoke);
      const revoking = ({ home }: ReadSession): Revoking => {
        const account = fromHex(requireMember(home, name).account, 20);
        return { name, account, attributes };
      };
      const check = async (session: ReadSession): Promise<void> => {
        await checkAttributes(session, attributes);
        await revocable(session, revoking(session));
      };
      const revoked = await writing(globals, { check }, (session) =>
        revokeAttributes(session, revoking(session)),
      );
      globals.output.value(revoked, `${name} no longer holds ${revoked.revoked.join(", ")}.`);
    });
  example(revoke, "chartseal attributes revoke bob cardiology@cedars");
}

function addList(group: Command): void {
  const list = group
    .command("list [member]")
    .description("attributes in force, of one member or of all")
    .action(async (name: string | undefined) => {
      const globals = globalsOf(list);
      const value = await reading(globals, async ({ home, ledger }) => {
        const members = name === undefined ? listMembers(home) : [requireMember(home, name)];
        const rows: { member: string; attributes: string[] }[] = [];
        for (const { name: member, account } of members) {
          const attributes = await attributesInForce(ledger, fromHex(account, 20));
          rows.push({
            member,
            attributes: attributes.filter((one) => namespaceOf(one) !== selfNamespace).sort(),
          });
        }
        return rows;
      });
      const text = value
        .map(({ member, attributes }) => `${member}: ${attributes.join(", ") || "none"}`)
        .join("\n");
      globals.output.value(name === undefined ? value : value[0], text || "No members yet.");
    });
  example(list, "chartseal attributes list bob --json");
}
