/** set-rule: an owner's rule for what one hospital's authors deposit about them (CONTRACT, Who may). */
import { utf8 } from "@chartseal/crypto";
import type { ActionOf } from "../actions.ts";
import { demand } from "../refusals.ts";
import { append, entries, lists, load, roles, ruleKey, save } from "../state-kinds.ts";
import { demandCommittee } from "./committee.ts";
import { registeredNamespace } from "./namespaces.ts";
import { demandPurposes } from "./purposes.ts";
import { type Rule, type Setting, signerWith } from "./setting.ts";
import { authorPolicy, writtenPolicy } from "./written-policy.ts";

export const setRule: Rule<"set-rule"> = (setting, action) => {
  const { account } = signerWith(setting, roles.member);
  putRule(setting, account, action);
};

/** The owner's rule from this block on, whoever was allowed to set it. */
export function putRule(
  setting: Setting,
  owner: Uint8Array,
  action: Omit<ActionOf<"set-rule">, "kind">,
): void {
  const { state, block } = setting;
  const { namespace, policy, writers, purposes, expiresMs, perDay } = action;
  demandCommittee(state);
  registeredNamespace(state, namespace);
  writtenPolicy(state, policy);
  authorPolicy(state, writers, namespace);
  demandPurposes(purposes);
  demand(expiresMs === null || expiresMs > block.timestampMs, "rule-invalid");
  const key = ruleKey(owner, namespace);
  if (load(state, entries.rule, key) === undefined) append(state, lists.rulesOfOwner, owner, utf8(namespace));
  const { height } = block;
  save(state, entries.rule, key, {
    policy,
    writers,
    purposes,
    expiresMs,
    perDay,
    height,
    revokedHeight: null,
  });
}
