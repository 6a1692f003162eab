/**
 * open-audit and record-audit: somebody asks a provider for random chunks of what it stores and says what came (CRYPTO
 * §5). The opening commits to the auditor's nonce before the block exists whose hash the challenges derive from, so that
 * neither side picks the chunks; the result must follow within a day, so that nobody prepares answers at leisure.
 */
import { compareBytes, equalBytes } from "@chartseal/crypto";
import type { ActionOf } from "../actions.ts";
import { auditChallengesMax, auditLifetimeMs, auditNonceHash, auditRecordsMax } from "../audit-values.ts";
import { demand } from "../refusals.ts";
import { type AuditValue, append, entries, lists, load, roles, save } from "../state-kinds.ts";
import { knownRecord } from "./records.ts";
import { providerOf, type Rule, type Setting, signerOf } from "./setting.ts";

export const openAudit: Rule<"open-audit"> = (setting, { provider, nonceHash }) => {
  const { state, block, transaction } = setting;
  const { account } = signerOf(setting);
  demand(providerOf(state, provider), "provider-unknown");
  const { height, timestampMs } = block;
  save(state, entries.audit, transaction.identifier, {
    auditor: account,
    provider,
    nonceHash,
    height,
    timestampMs,
    result: null,
    recordedHeight: null,
  });
};

export const recordAudit: Rule<"record-audit"> = (setting, action) => {
  const { state, block } = setting;
  const { auditId, kind: _kind, ...result } = action;
  const audit = load(state, entries.audit, auditId);
  const own = audit !== undefined && equalBytes(audit.auditor, signerOf(setting).account);
  demand(own && audit.result === null, "audit-unknown");
  demand(block.timestampMs <= audit.timestampMs + auditLifetimeMs, "audit-late");
  demand(equalBytes(auditNonceHash(action.nonce), audit.nonceHash), "audit-nonce");
  demandCounts(action);
  for (const named of [action.failed, action.mended]) demandRecords(setting, audit, named);
  for (const recordId of action.mended) demandMended(setting, audit, { recordId, failed: action.failed });
  const { height } = block;
  save(state, entries.audit, auditId, { ...audit, result, recordedHeight: height });
  save(state, entries.auditMark, audit.provider, { auditId, height });
  for (const recordId of action.failed) save(state, entries.auditMark, recordId, { auditId, height });
  for (const recordId of action.mended) state.remove(entries.auditMark.kind, recordId);
  append(state, lists.auditsOfProvider, audit.provider, auditId);
};

function demandCounts(action: ActionOf<"record-audit">): void {
  const { challenges, records, unanswered, failures, failed, mended } = action;
  const named = failures === failed.length || (failures > failed.length && failed.length === auditRecordsMax);
  const held = records - failures - unanswered;
  const possible = records >= 1 && held >= 0 && mended.length <= held;
  demand(challenges >= 1 && challenges <= auditChallengesMax && named && possible, "audit-counts");
}

/** Ascending, on the ledger no later than the seed, held by the provider; who has no office speaks of its own records alone. */
function demandRecords(setting: Setting, audit: AuditValue, named: readonly Uint8Array[]): void {
  const { account, value } = signerOf(setting);
  const office = ((value?.roles ?? 0) & (roles.node | roles.provider | roles.namespace)) !== 0;
  for (const [at, recordId] of named.entries()) {
    const { provider, height, owner } = knownRecord(setting.state, recordId);
    const before = named[at - 1];
    const sorted = before === undefined || compareBytes(before, recordId) < 0;
    const audited = equalBytes(provider, audit.provider) && height <= audit.height;
    demand(sorted && audited && (office || equalBytes(owner, account)), "audit-records", { at });
  }
}

/** It failed before and did not now. What somebody else found is not the provider's own to take back. */
function demandMended(
  { state }: Setting,
  audit: AuditValue,
  { recordId, failed }: { readonly recordId: Uint8Array; readonly failed: readonly Uint8Array[] },
): void {
  const mark = load(state, entries.auditMark, recordId);
  const finder = mark === undefined ? undefined : load(state, entries.audit, mark.auditId)?.auditor;
  const ownWord = equalBytes(audit.auditor, audit.provider);
  const mayTakeBack = finder !== undefined && (!ownWord || equalBytes(finder, audit.auditor));
  demand(mayTakeBack && !failed.some((one) => equalBytes(one, recordId)), "audit-mended");
}
