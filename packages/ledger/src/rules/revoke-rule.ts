/** revoke-rule: from this block on no author deposits under it and no request by attributes is granted under it. */
import { demand } from "../refusals.ts";
import { entries, load, ruleKey, save } from "../state-kinds.ts";
import { type Rule, signerOf } from "./setting.ts";

export const revokeRule: Rule<"revoke-rule"> = (setting, { namespace }) => {
  const { state, block } = setting;
  const key = ruleKey(signerOf(setting).account, namespace);
  const rule = load(state, entries.rule, key);
  demand(rule?.revokedHeight === null, "rule-missing");
  save(state, entries.rule, key, { ...rule, revokedHeight: block.height });
};
