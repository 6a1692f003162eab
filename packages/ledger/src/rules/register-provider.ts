/** register-provider: one of the genesis' own by its signature alone, any other by a vote of the validators. */
import { equalBytes } from "@chartseal/crypto";
import { demand } from "../refusals.ts";
import { append, emptyKey, entries, lists, roles, save } from "../state-kinds.ts";
import { demandAdmission } from "./admissions.ts";
import { type Rule, signerOf } from "./setting.ts";

export const registerProvider: Rule<"register-provider"> = (setting, { publicKey, hpkeKey }) => {
  const { state, block, consortium } = setting;
  const { account, value } = signerOf(setting);
  demand(value === undefined || equalBytes(value.publicKey, publicKey), "account-mismatch");
  demand(((value?.roles ?? 0) & roles.provider) === 0, "account-exists");
  if (!consortium.providers.some((key) => equalBytes(key, publicKey))) demandAdmission(setting);
  save(state, entries.account, account, {
    publicKey,
    hpkeKey,
    sequence: value?.sequence ?? 0,
    roles: (value?.roles ?? 0) | roles.provider,
    height: value?.height ?? block.height,
  });
  append(state, lists.providers, emptyKey, account);
};
