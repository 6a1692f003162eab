/** erase: the owner's word comes first; from this block on every grant on the record is refused (CRYPTO §4, Erase). */
import { demand } from "../refusals.ts";
import { ownRecord, saveLogged } from "./records.ts";
import type { Rule } from "./setting.ts";

export const erase: Rule<"erase"> = (setting, { recordId }) => {
  const record = ownRecord(setting, recordId);
  demand(record.erasedHeight === null, "record-erased");
  saveLogged(setting, recordId, { ...record, erasedHeight: setting.block.height }, "erased");
};
