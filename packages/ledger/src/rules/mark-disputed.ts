/** mark-disputed: the owner says that a record is not right; every reader sees it, and which relay brought it. */
import { equalBytes } from "@chartseal/crypto";
import { demand } from "../refusals.ts";
import { ownRecord, saveLogged } from "./records.ts";
import type { Rule } from "./setting.ts";

export const markDisputed: Rule<"mark-disputed"> = (setting, { recordId, relay }) => {
  const record = ownRecord(setting, recordId);
  const brought = record.relay !== null && equalBytes(record.relay, relay);
  demand(brought && !record.disputed, "dispute-invalid");
  saveLogged(setting, recordId, { ...record, disputed: true }, "disputed");
};
