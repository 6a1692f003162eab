/** The groups of commands, in the order in which help shows them. */
import type { Command } from "commander";
import { addAttributeCommands } from "./attributes.ts";
import { addAuthorityCommands } from "./authority.ts";
import { addBenchCommand } from "./bench.ts";
import { addCareCommands } from "./care.ts";
import { addCompletionCommand } from "./completion.ts";
import { addConsortiumCommands } from "./consortium.ts";
import { addDemoCommand } from "./demo.ts";
import { addDisputeCommands } from "./dispute.ts";
import { addEmergencyCommands } from "./emergency.ts";
import { addEraseCommand } from "./erase.ts";
import { addGuardianCommands } from "./guardians.ts";
import { addIdentityCommands } from "./identity.ts";
import { addHomeCommands } from "./init.ts";
import { addIntegrityCommands } from "./integrity.ts";
import { addIssuanceCommands } from "./issuance.ts";
import { addKeepingCommands } from "./keeping.ts";
import { addKeyCommands } from "./keys.ts";
import { addLedgerCommands } from "./ledger.ts";
import { addMemberCommands } from "./members.ts";
import { addNetworkCommands } from "./network.ts";
import { addProviderCommands } from "./places.ts";
import { addPolicyCommands } from "./policy.ts";
import { addPortableCommands } from "./portable.ts";
import { addProxyCommands } from "./proxies.ts";
import { addRecordCommands } from "./records.ts";
import { addRecoveryCommands } from "./recovery.ts";
import { addResidencyCommands } from "./residency.ts";
import { addRetrieveCommands } from "./retrieve.ts";
import { addRuleCommands } from "./rules.ts";
import { addSealCommand } from "./seal.ts";
import { addServeCommand } from "./serve.ts";
import { addSettingsCommands } from "./settings.ts";

export const commandGroups: readonly ((program: Command) => void)[] = [
  addHomeCommands,
  addMemberCommands,
  addIdentityCommands,
  addAttributeCommands,
  addGuardianCommands,
  addRecoveryCommands,
  addRuleCommands,
  addResidencyCommands,
  addEraseCommand,
  addKeepingCommands,
  addSealCommand,
  addRetrieveCommands,
  addRecordCommands,
  addDisputeCommands,
  addEmergencyCommands,
  addProxyCommands,
  addPolicyCommands,
  addSettingsCommands,
  addConsortiumCommands,
  addNetworkCommands,
  addLedgerCommands,
  addIntegrityCommands,
  addKeyCommands,
  addIssuanceCommands,
  addPortableCommands,
  addProviderCommands,
  addCareCommands,
  addServeCommand,
  addAuthorityCommands,
  addDemoCommand,
  addBenchCommand,
  addCompletionCommand,
];
