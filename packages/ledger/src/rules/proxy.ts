/**
 * appoint-proxy, end-proxy, set-rule-as-proxy, revoke-rule-as-proxy: a guardian of a minor, or a carer, who acts for the
 * owner until a time that needs no action. A proxy appoints nobody: an appointment is its signer's own.
 */
import { equalBytes } from "@chartseal/crypto";
import { demand } from "../refusals.ts";
import { append, entries, lists, load, roles, save } from "../state-kinds.ts";
import { demandCommittee } from "./committee.ts";
import { demandFresh } from "./emergency.ts";
import { endRule } from "./revoke-rule.ts";
import { putRule } from "./set-rule.ts";
import { hasRole, type Rule, type Setting, signerOf, signerWith } from "./setting.ts";
import { demandProxy } from "./special-grants.ts";

export const appointProxy: Rule<"appoint-proxy"> = (setting, { proxyId, proxy, endMs, may }) => {
  const { state, block, era } = setting;
  demandCommittee(state);
  const { account: owner } = signerWith(setting, roles.member);
  demandFresh(setting, proxyId);
  demand(hasRole(state, proxy, roles.member), "account-unknown");
  const rights = may.length > 0 && new Set(may).size === may.length;
  demand(!equalBytes(owner, proxy) && rights && endMs > block.timestampMs, "proxy-invalid");
  save(state, entries.proxy, proxyId, {
    owner,
    proxy,
    endMs,
    may,
    height: block.height,
    era,
    ended: null,
  });
  append(state, lists.proxiesOfOwner, owner, proxyId);
  append(state, lists.proxiesOfAccount, proxy, proxyId);
};

/** By the owner, or by the proxy who lays it down. */
export const endProxy: Rule<"end-proxy"> = (setting, { proxyId }) => {
  const { state, block, era } = setting;
  const { account } = signerOf(setting);
  const proxy = load(state, entries.proxy, proxyId);
  demand(proxy, "proxy-missing");
  demand(equalBytes(account, proxy.owner) || equalBytes(account, proxy.proxy), "role-missing");
  const { height, timestampMs } = block;
  demand(proxy.ended === null && timestampMs < proxy.endMs && proxy.era === era, "proxy-over");
  save(state, entries.proxy, proxyId, { ...proxy, ended: { account, height, timestampMs } });
};

export const setRuleAsProxy: Rule<"set-rule-as-proxy"> = (setting, action) => {
  putRule(setting, ownerOf(setting, action.proxyId), action);
};

export const revokeRuleAsProxy: Rule<"revoke-rule-as-proxy"> = (setting, { proxyId, namespace }) => {
  endRule(setting, ownerOf(setting, proxyId), namespace);
};

/** The owner for whom the signer may change rules now. */
function ownerOf(setting: Setting, proxyId: Uint8Array): Uint8Array {
  const { state, block } = setting;
  const { account } = signerWith(setting, roles.member);
  const { timestampMs } = block;
  const proxy = demandProxy(state, proxyId, { timestampMs, right: "rules" });
  demand(equalBytes(account, proxy.proxy), "proxy-missing");
  return proxy.owner;
}
