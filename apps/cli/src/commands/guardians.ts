/** guardians: who may give a member's account a new key together. */
import type { Command } from "commander";
import { listMembers, type MemberFile, requireMember } from "../home/home.ts";
import {
  checkGuardians,
  setGuardians,
  type WaysOf,
  waysOfMember,
  waysWarning,
} from "../operations/recovery.ts";
import { globalsOf } from "../program-globals.ts";
import { reading, writing } from "../run.ts";
import { memberOf, type ReadSession } from "../services/session.ts";
import { example, wholeNumberOf } from "./shared.ts";

function waysText({ member, guardians, threshold, paperKit }: WaysOf): string {
  const people = guardians.length === 0 ? "no guardians" : `${threshold} of ${guardians.join(", ")}`;
  return `${member}: ${people}; ${paperKit ? "a paper kit" : "no paper kit"}`;
}

export function addGuardianCommands(program: Command): void {
  const group = program
    .command("guardians")
    .description("who may recover a member's account together: set, list");
  addSet(group);
  addList(group);
}

function addSet(group: Command): void {
  const set = group
    .command("set <member>")
    .description("name guardians in the place of earlier ones: members, or an institution's member")
    .requiredOption("--guardian <name...>", "a guardian; several names, or the option several times")
    .requiredOption("--threshold <k>", "how many of them it takes")
    .action(async (name: string, options: { guardian: string[]; threshold: string }) => {
      const globals = globalsOf(set);
      const threshold = wholeNumberOf("--threshold", options.threshold);
      let guardians: readonly MemberFile[] = [];
      const check = ({ home }: ReadSession): void => {
        guardians = checkGuardians(home, name, { guardians: options.guardian, threshold });
      };
      const value = await writing(globals, { members: [name], check }, (session) =>
        setGuardians(session, memberOf(session, name), { guardians, threshold }),
      );
      const warning = waysWarning(name, value.ways);
      if (warning !== undefined) globals.output.warn(warning);
      globals.output.value(value, `${waysText(value)}.`);
    });
  example(set, "chartseal guardians set alice --guardian bob carol --threshold 2");
}

function addList(group: Command): void {
  const list = group
    .command("list [member]")
    .description("guardians and paper kits, of one member or of all")
    .action(async (name: string | undefined) => {
      const globals = globalsOf(list);
      const value = await reading(globals, async (session) => {
        const { home } = session;
        const members = name === undefined ? listMembers(home) : [requireMember(home, name)];
        const rows: WaysOf[] = [];
        for (const member of members) rows.push(await waysOfMember(session, member));
        return rows;
      });
      const shown = name === undefined ? value : value[0];
      globals.output.value(shown, value.map(waysText).join("\n") || "No members yet.");
    });
  example(list, "chartseal guardians list alice");
}
