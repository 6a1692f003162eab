/** revoke-rule: from this block on no author deposits under it and no request by attributes is granted under it. */
import { demand } from "../refusals.ts";
import { entries, load, ruleKey, save } from "../state-kinds.ts";
import { type Rule, type Setting, signerOf } from "./setting.ts";

export const revokeRule: Rule<"revoke-rule"> = (setting, { namespace }) => {
  endRule(setting, signerOf(setting).account, namespace);
};

/** Ends the owner's rule, whoever was allowed to. @throws Refusal `rule-missing` */
export function endRule({ state, block }: Setting, owner: Uint8Array, namespace: string): void {
  const key = ruleKey(owner, namespace);
  const rule = load(state, entries.rule, key);
  demand(rule?.revokedHeight === null, "rule-missing");
  save(state, entries.rule, key, { ...rule, revokedHeight: block.height });
}
