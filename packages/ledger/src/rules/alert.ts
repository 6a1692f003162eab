/** alert: something is wrong, for all to see: by a node, provider or namespace, or by the owner of the record. */
import { equalBytes } from "@chartseal/crypto";
import { demand } from "../refusals.ts";
import { append, emptyKey, lists, roles } from "../state-kinds.ts";
import { knownRecord } from "./records.ts";
import { type Rule, signerOf } from "./setting.ts";

export const alert: Rule<"alert"> = (setting, { recordId }) => {
  const { state, transaction } = setting;
  const { account, value } = signerOf(setting);
  const office = ((value?.roles ?? 0) & (roles.node | roles.provider | roles.namespace)) !== 0;
  const owner = recordId !== null && equalBytes(knownRecord(state, recordId).owner, account);
  demand(office || owner, "role-missing");
  append(state, lists.alerts, emptyKey, transaction.identifier);
};
