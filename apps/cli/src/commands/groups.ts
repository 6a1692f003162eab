/** The groups of commands, in the order in which help shows them. */
import type { Command } from "commander";
import { addAttributeCommands } from "./attributes.ts";
import { addHomeCommands } from "./init.ts";
import { addLedgerCommands } from "./ledger.ts";
import { addMemberCommands } from "./members.ts";
import { addPolicyCommands } from "./policy.ts";
import { addRecordCommands } from "./records.ts";
import { addRetrieveCommands } from "./retrieve.ts";
import { addRuleCommands } from "./rules.ts";
import { addSealCommand } from "./seal.ts";

export const commandGroups: readonly ((program: Command) => void)[] = [
  addHomeCommands,
  addMemberCommands,
  addAttributeCommands,
  addRuleCommands,
  addSealCommand,
  addRetrieveCommands,
  addRecordCommands,
  addPolicyCommands,
  addLedgerCommands,
];
