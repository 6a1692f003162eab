/**
 * The owner's rule as it stands now (CONTRACT, Who may): whether it allows a deposit, and whether a proved request is
 * granted. The owner's proof, a proxy's in the owner's place, and an emergency ask no rule; every other proof does, for a record deposited under one.
 */
import { extendsRule, type Policy, parsePolicy, sameTree } from "@chartseal/crypto";
import type { ProofKind } from "../actions.ts";
import { demand } from "../refusals.ts";
import type { StateAccess } from "../state.ts";
import { entries, load, type RecordValue, ruleKey, save } from "../state-kinds.ts";
import { isEmergencyPurpose } from "./purposes.ts";
import type { Outcome } from "./records.ts";
import type { Setting } from "./setting.ts";

const dayMs = 24 * 60 * 60_000;

/** Judges an author's deposit and counts it. @throws Refusal `rule-…` */
export function demandRule(
  { state, block }: Setting,
  deposit: {
    readonly owner: Uint8Array;
    readonly namespace: string;
    readonly policy: Policy;
    readonly authorPolicy: Policy;
  },
): void {
  const { owner, namespace, policy, authorPolicy } = deposit;
  const rule = load(state, entries.rule, ruleKey(owner, namespace));
  demand(rule?.revokedHeight === null, "rule-missing", { namespace });
  demand(rule.expiresMs === null || block.timestampMs < rule.expiresMs, "rule-expired");
  demand(sameTree(authorPolicy.tree, parsePolicy(rule.writers).tree), "rule-writers", {
    writers: rule.writers,
  });
  demand(extendsRule(policy, parsePolicy(rule.policy)), "rule-policy", { policy: rule.policy });
  const day = Math.floor(block.timestampMs / dayMs);
  const use = load(state, entries.ruleUse, ruleKey(owner, namespace));
  const count = use?.day === day ? use.count : 0;
  demand(count < rule.perDay, "rule-quota", { perDay: rule.perDay });
  save(state, entries.ruleUse, ruleKey(owner, namespace), { day, count: count + 1 });
}

/** What a proved request on the record comes to at that block time. */
export function judgeRequest(
  state: Pick<StateAccess, "get">,
  record: RecordValue,
  request: { readonly proof: ProofKind; readonly purpose: string | null; readonly timestampMs: number },
): Extract<Outcome, "granted" | `denied-${string}`> {
  const { proof, purpose, timestampMs } = request;
  if (record.erasedHeight !== null) return "denied-erased";
  if (proof === "emergency") return "granted";
  if (isEmergencyPurpose(purpose)) return "denied-purpose";
  if (proof === "owner" || proof === "proxy") return "granted";
  if (record.namespace === null) return listed(record.purposes, purpose);
  const rule = load(state, entries.rule, ruleKey(record.owner, record.namespace));
  if (rule?.revokedHeight !== null) return "denied-rule-missing";
  if (rule.expiresMs !== null && timestampMs >= rule.expiresMs) return "denied-rule-expired";
  return listed(rule.purposes, purpose);
}

function listed(purposes: readonly string[], purpose: string | null): "granted" | "denied-purpose" {
  return purpose !== null && purposes.includes(purpose) ? "granted" : "denied-purpose";
}
