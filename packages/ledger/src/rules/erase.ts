/** erase: the owner's word comes first; from this block on every grant on the record is refused (CRYPTO §4, Erase). */
import { demand } from "../refusals.ts";
import { demandFree } from "./keeping.ts";
import { markErased, ownRecord } from "./records.ts";
import type { Rule } from "./setting.ts";

export const erase: Rule<"erase"> = (setting, { recordId }) => {
  const record = ownRecord(setting, recordId);
  demand(record.erasedHeight === null, "record-erased");
  demandFree(setting, recordId);
  markErased(setting, recordId, record);
};
