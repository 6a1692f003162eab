/**
 * key-issued: whoever keeps the key (the provider, or the account itself in mode full) combined t answers. A transform
 * key becomes the account's one live key and the earlier one is retired (CRYPTO §2.2, Revocation at once). The key of an
 * emergency or a proxy stands beside it (special-key.ts).
 */
import { equalBytes } from "@chartseal/crypto";
import { demand } from "../refusals.ts";
import { entries, type KeyRequestValue, load, save } from "../state-kinds.ts";
import { isUnderPresentKey } from "./account-keys.ts";
import { committeeEpoch } from "./committee.ts";
import { presentCommittee } from "./present-committee.ts";
import { type Rule, type Setting, signerOf } from "./setting.ts";
import { specialKeyIssued } from "./special-key.ts";
import { isVouched } from "./vouch.ts";

export const keyIssued: Rule<"key-issued"> = (setting, action) => {
  const { requestId, keyId, nodes } = action;
  const { state, block, consortium } = setting;
  const special = load(state, entries.specialRequest, requestId);
  const request = special ?? load(state, entries.keyRequest, requestId);
  demand(request, "request-unknown");
  demand(equalBytes(signerOf(setting).account, request.provider), "role-missing");
  demand(request.keyId === null && load(state, entries.key, keyId) === undefined, "issue-done");
  // Answers of an earlier epoch are of shares that are worth nothing any more: the account asks anew.
  demand(request.epoch === committeeEpoch(state), "epoch-wrong");
  const committee = presentCommittee(state, consortium);
  const distinct = nodes.every(
    (node, at) => node >= 1 && node <= committee.nodes.length && nodes.indexOf(node) === at,
  );
  demand(distinct && nodes.length >= committee.threshold, "issue-nodes");
  demand(isUnderPresentKey(state, request), "request-outdated");
  if (special !== undefined) {
    specialKeyIssued(setting, special, action);
    return;
  }
  const { account, mode, epoch, provider } = request as KeyRequestValue;
  const { height } = block;
  if (mode === "transform") {
    // A vouch that ended between request and issue leaves no key behind.
    for (const attribute of request.attributes) {
      demand(isVouched(state, account, attribute), "vouch-missing", { attribute });
    }
    retire(setting, account);
    save(state, entries.liveKey, account, { keyId, requestId, provider, epoch, height });
  }
  save(state, entries.keyRequest, requestId, { ...(request as KeyRequestValue), keyId });
  save(state, entries.key, keyId, { account, requestId, mode, nodes, height, retiredHeight: null });
};

function retire({ state, block }: Setting, account: Uint8Array): void {
  const live = load(state, entries.liveKey, account);
  const key = live === undefined ? undefined : load(state, entries.key, live.keyId);
  if (live === undefined || key === undefined) return;
  save(state, entries.key, live.keyId, { ...key, retiredHeight: block.height });
}
