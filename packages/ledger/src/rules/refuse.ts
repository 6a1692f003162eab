/** refuse: the provider's signed refusal of a granted request: its code and never an account (CRYPTO §3.1). */
import { entries, save } from "../state-kinds.ts";
import { openGrant } from "./grants.ts";
import { saveLogged } from "./records.ts";
import type { Rule } from "./setting.ts";

export const refuse: Rule<"refuse"> = (setting, { requestId, code }) => {
  const { request, record } = openGrant(setting, requestId);
  save(setting.state, entries.request, requestId, { ...request, refusal: code });
  saveLogged(setting, request.recordId, record, "refused-by-provider");
};
