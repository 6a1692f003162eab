/**
 * dispute-transform, open-transform-key, dispute-evidence, dispute-verdict: a reader shows a T that its provider signed
 * and that does not open; provider and reader open to the committee's nodes, sealed, what T was made from; t equal
 * verdicts settle who is at fault. Who does not open in time is judged by that. The machine sees no key: it checks who
 * speaks, when, and that no verdict rests on what is not there.
 */
import { equalBytes, parsePolicy, sealedPolicy, toHex } from "@chartseal/crypto";
import type { ActionOf } from "../actions.ts";
import { type DisputeValue, disputeAnswerMs, disputedKey, type Verdict } from "../dispute-values.ts";
import { demand } from "../refusals.ts";
import type { StateAccess } from "../state.ts";
import {
  append,
  type EntryValue,
  emptyKey,
  entries,
  type KeyRequestValue,
  lists,
  load,
  type RecordValue,
  roles,
  save,
  vouchKey,
} from "../state-kinds.ts";
import { type AnsweredTransform, verifyStatement } from "../transform-statement.ts";
import { demandCommittee } from "./committee.ts";
import { presentCommittee } from "./present-committee.ts";
import { knownRecord, saveLogged } from "./records.ts";
import { providerOf, type Rule, type Setting, signerOf, signerWith } from "./setting.ts";
import { demandGrant, demandSpecialKey } from "./special-grants.ts";

export const disputeTransform: Rule<"dispute-transform"> = (setting, action) => {
  const { state, block, consortium, transaction } = setting;
  const { account: reader } = signerWith(setting, roles.member);
  const { requestId, keyId, rows, answerHash } = action;
  const request = load(state, entries.request, requestId);
  demand(request, "request-unknown");
  // Without a receipt the provider never said on the ledger that it answers.
  demand(request.receipt !== null, "transform-unanswered");
  const { recordId, recordDigest } = request;
  const record = knownRecord(state, recordId);
  const { provider } = record;
  const issue = demandOwnKey(state, { keyId, reader, provider });
  const { chainId, height, timestampMs } = block;
  const place = { chainId, provider, requestId, recordId, recordDigest };
  demandStated(state, { ...place, transformKeyId: keyId, answerHash }, action);
  if ("grantId" in issue) demandInForce(state, { keyId, timestampMs }, issue);
  else demandStanding(state, { reader, attributes: usedOf({ record, recordDigest, rows }, issue), keyId });
  const about = disputedKey(requestId, keyId);
  demand(load(state, entries.disputedAnswer, about) === undefined, "transform-disputed");
  demandCommittee(state);
  const { nodes, threshold } = presentCommittee(state, consortium);
  const { identifier } = transaction;
  save(state, entries.dispute, identifier, {
    ...{ reader, requestId, recordId, recordDigest, provider, keyId, rows, answerHash },
    ...{ nodes, threshold, height, timestampMs },
    opening: null,
    evidence: null,
    verdicts: [],
    outcome: null,
    endedHeight: null,
  });
  save(state, entries.disputedAnswer, about, { disputeId: identifier });
  append(state, lists.disputes, emptyKey, identifier);
  saveLogged(setting, recordId, record, "contested");
};

/** The reader's own key, in this provider's custody and not retired: else the provider need not have it any more. */
function demandOwnKey(
  state: Pick<StateAccess, "get">,
  { keyId, reader, provider }: { readonly [name in "keyId" | "reader" | "provider"]: Uint8Array },
): KeyRequestValue | EntryValue<typeof entries.specialRequest> {
  const key = load(state, entries.key, keyId);
  const held = key !== undefined && key.mode !== "full" && equalBytes(key.account, reader);
  demand(held && key.retiredHeight === null, "transform-key");
  const request =
    load(state, entries.specialRequest, key.requestId) ?? load(state, entries.keyRequest, key.requestId);
  demand(request !== undefined && equalBytes(request.provider, provider), "transform-key");
  return request;
}

/** What T was made with: of the record's present header the statement's rows, of an earlier one the key's all. */
function usedOf(
  answer: {
    readonly record: RecordValue;
    readonly recordDigest: Uint8Array;
    readonly rows: readonly number[];
  },
  { attributes }: KeyRequestValue,
): readonly string[] {
  const { record, recordDigest, rows } = answer;
  if (!equalBytes(record.digest, recordDigest)) return attributes;
  const policy = sealedPolicy(parsePolicy(record.policy), toHex(record.owner));
  return rows.flatMap((row) => policy.attributes[row] ?? []);
}

/** A part whose vouch has ended is deleted, though the key is live: its provider could not open it, and be convicted. */
function demandStanding(
  state: Pick<StateAccess, "get">,
  used: {
    readonly reader: Uint8Array;
    readonly attributes: readonly string[];
    readonly keyId: Uint8Array;
  },
): void {
  const { reader, attributes, keyId } = used;
  const issuedHeight = load(state, entries.key, keyId)?.height ?? 0;
  const stands = attributes.every((attribute) => {
    const vouch = load(state, entries.vouch, vouchKey(reader, attribute));
    // One that was ended and given again is younger than the key.
    return vouch?.endedHeight === null && vouch.height <= issuedHeight;
  });
  demand(stands, "transform-key");
}

/** How far a provider's clock may be ahead of block time when it deletes what is over, in ms. */
const clockAheadMs = 60_000;

/** An emergency's or proxy's key goes when that is over, by the provider's own clock too. */
function demandInForce(
  state: Pick<StateAccess, "get">,
  at: { readonly keyId: Uint8Array; readonly timestampMs: number },
  { mode, grantId }: EntryValue<typeof entries.specialRequest>,
): void {
  demandGrant(state, { mode, grantId, timestampMs: at.timestampMs + clockAheadMs });
  demand(equalBytes(demandSpecialKey(state, grantId).keyId, at.keyId), "transform-key");
}

function demandStated(
  state: Pick<StateAccess, "get">,
  about: AnsweredTransform,
  { rows, signature }: ActionOf<"dispute-transform">,
): void {
  const key = providerOf(state, about.provider)?.publicKey;
  demand(key !== undefined && verifyStatement(key, about, { rows, signature }), "transform-unsigned");
}

export const openTransformKey: Rule<"open-transform-key"> = (setting, action) => {
  const dispute = openDispute(setting, action.disputeId);
  demand(equalBytes(signerOf(setting).account, dispute.provider), "role-missing");
  demand(dispute.opening === null, "dispute-answered");
  demandInTime(setting, dispute, action.envelopes);
  const opening = setting.transaction.identifier;
  save(setting.state, entries.dispute, action.disputeId, { ...dispute, opening });
};

export const disputeEvidence: Rule<"dispute-evidence"> = (setting, action) => {
  const dispute = openDispute(setting, action.disputeId);
  demand(equalBytes(signerOf(setting).account, dispute.reader), "role-missing");
  demand(dispute.evidence === null, "dispute-answered");
  demandInTime(setting, dispute, action.envelopes);
  const evidence = setting.transaction.identifier;
  save(setting.state, entries.dispute, action.disputeId, { ...dispute, evidence });
};

function openDispute({ state }: Setting, disputeId: Uint8Array): DisputeValue {
  const dispute = load(state, entries.dispute, disputeId);
  demand(dispute !== undefined && dispute.outcome === null, "dispute-unknown");
  return dispute;
}

/** An envelope for every judge: one left out would have to take the others' word. */
function demandInTime({ block }: Setting, dispute: DisputeValue, envelopes: readonly Uint8Array[]): void {
  demand(envelopes.length === dispute.nodes.length, "dispute-judges");
  demand(!isOver(dispute, block.timestampMs), "dispute-late");
}

function isOver({ timestampMs }: DisputeValue, nowMs: number): boolean {
  return nowMs > timestampMs + disputeAnswerMs;
}

export const disputeVerdict: Rule<"dispute-verdict"> = (setting, action) => {
  const { state, block } = setting;
  const dispute = openDispute(setting, action.disputeId);
  const { account: node } = signerOf(setting);
  const { verdict } = action;
  const isJudge = dispute.nodes.some((one) => equalBytes(one, node));
  demand(isJudge, "role-missing");
  demand(!dispute.verdicts.some((one) => equalBytes(one.node, node)), "verdict-given");
  demand(sameIdentifier(action.opening, dispute.opening), "verdict-unfounded");
  demand(sameIdentifier(action.evidence, dispute.evidence), "verdict-unfounded");
  demand(mayFind(dispute, verdict, isOver(dispute, block.timestampMs)), "verdict-unfounded");
  const given = [...dispute.verdicts, { node, verdict }];
  const equal = given.filter((one) => one.verdict === verdict).length;
  const settled = equal >= dispute.threshold;
  save(state, entries.dispute, action.disputeId, {
    ...dispute,
    verdicts: given,
    outcome: settled ? verdict : null,
    endedHeight: settled ? block.height : null,
  });
  if (settled) settle(setting, action.disputeId, { ...dispute, outcome: verdict });
};

function sameIdentifier(said: Uint8Array | null, held: Uint8Array | null): boolean {
  return said === null || held === null ? said === held : equalBytes(said, held);
}

/** What a verdict needs to have been seen: silence convicts only once the time is over. */
function mayFind({ opening, evidence }: DisputeValue, verdict: Verdict, isOver: boolean): boolean {
  if (verdict === "provider") return opening !== null || isOver;
  if (verdict === "dismissed") return opening !== null && isOver;
  return opening !== null && evidence !== null;
}

/** The judges know the key by now: it is retired in this block, and the next use asks for a new one. */
function settle(setting: Setting, disputeId: Uint8Array, dispute: DisputeValue): void {
  const { state, block } = setting;
  const { recordId, reader, keyId, outcome } = dispute;
  retire(state, { reader, keyId, height: block.height });
  const record = knownRecord(state, recordId);
  if (outcome === "sealer") {
    save(state, entries.spoiledHeader, recordId, {
      disputeId,
      version: record.version,
      height: block.height,
    });
  }
  saveLogged(setting, recordId, record, "judged");
}

function retire(
  state: StateAccess,
  {
    reader,
    keyId,
    height,
  }: { readonly reader: Uint8Array; readonly keyId: Uint8Array; readonly height: number },
): void {
  const key = load(state, entries.key, keyId);
  if (key === undefined) return;
  if (key.retiredHeight === null) save(state, entries.key, keyId, { ...key, retiredHeight: height });
  const live = load(state, entries.liveKey, reader);
  if (live !== undefined && equalBytes(live.keyId, keyId)) state.remove(entries.liveKey.kind, reader);
  const grantId = load(state, entries.specialRequest, key.requestId)?.grantId;
  const special = grantId === undefined ? undefined : load(state, entries.specialKey, grantId);
  if (grantId !== undefined && special !== undefined && equalBytes(special.keyId, keyId)) {
    state.remove(entries.specialKey.kind, grantId);
  }
}
