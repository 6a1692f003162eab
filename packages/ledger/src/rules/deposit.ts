/**
 * deposit: a record enters (CONTRACT, Who may; CRYPTO §3, §3.1, §4). With the owner's account signature no rule is
 * asked, and an author policy adds a signature beside it. Without one it is an author's: anonymous, through a relay,
 * under the owner's rule for that namespace. Cheap checks first, the attribute-based signature last.
 */
import { equalBytes, type Policy } from "@chartseal/crypto";
import type { ActionOf } from "../actions.ts";
import { idOf } from "../authorisation.ts";
import { demand } from "../refusals.ts";
import { append, emptyKey, entries, lists, load, type RecordValue, roles } from "../state-kinds.ts";
import { demandAttributes } from "./attribute-proof.ts";
import { demandCommittee } from "./committee.ts";
import { demandPurposes } from "./purposes.ts";
import { digestOf, logStart, saveLogged } from "./records.ts";
import { waysOf, waysRequired } from "./recovery.ts";
import { settingsOf } from "./set-settings.ts";
import { hasRole, type Rule, type Setting } from "./setting.ts";
import { demandRule } from "./standing-rule.ts";
import { demandStored } from "./storage.ts";
import { authorPolicy, writtenPolicy } from "./written-policy.ts";

export const deposit: Rule<"deposit"> = (setting, action) => {
  const { state, block, transaction } = setting;
  const { recordId, owner } = action;
  demandCommittee(state);
  demand(hasRole(state, owner, roles.member), "account-unknown");
  const { oneTime, relay } = transaction.authorisation;
  demand(oneTime && equalBytes(recordId, idOf(block.chainId, oneTime.publicKey)), "one-time-invalid");
  demand(load(state, entries.record, recordId) === undefined, "record-exists");
  const policy = writtenPolicy(state, action.policy);
  const author = setting.signer === undefined ? byAuthor(setting, action, policy) : byOwner(setting, action);
  const provider = demandStored(setting, action);
  if (author !== undefined) demandAttributes(setting, author);
  const record = newRecord(setting, action, { provider, relay: relay?.account ?? null });
  saveLogged(setting, recordId, record, "deposited");
  append(state, lists.records, emptyKey, recordId);
  append(state, lists.recordsOfOwner, owner, recordId);
};

/** @returns the author policy, of which a signature is needed */
function byAuthor(setting: Setting, action: ActionOf<"deposit">, policy: Policy): Policy {
  const { owner, namespace, purposes } = action;
  demand(namespace !== null && action.authorPolicy !== null, "rule-missing");
  demand(purposes.length === 0, "purpose-missing");
  const author = authorPolicy(setting.state, action.authorPolicy, namespace);
  demandRule(setting, { owner, namespace, policy, authorPolicy: author });
  return author;
}

function byOwner(setting: Setting, action: ActionOf<"deposit">): Policy | undefined {
  const { owner, namespace, purposes } = action;
  demand(setting.signer !== undefined && equalBytes(setting.signer.account, owner), "role-missing");
  demand(namespace === null, "namespace-given");
  demandRecovery(setting, owner);
  demandPurposes(purposes);
  return action.authorPolicy === null ? undefined : authorPolicy(setting.state, action.authorPolicy, null);
}

/** An author's deposit is anonymous: there the author's client asks. */
function demandRecovery({ state }: Setting, owner: Uint8Array): void {
  if (!settingsOf(state).recoveryRequired) return;
  const ways = waysOf(load(state, entries.recoveryWays, owner));
  demand(ways >= waysRequired, "recovery-missing", { ways });
}

function newRecord(
  { block, transaction }: Setting,
  action: ActionOf<"deposit">,
  { provider, relay }: { readonly provider: Uint8Array; readonly relay: Uint8Array | null },
): RecordValue {
  const { owner, namespace, policy, statement, headerHash, address, purposes } = action;
  return {
    owner,
    namespace,
    policy,
    authorPolicy: action.authorPolicy,
    statement,
    current: statement,
    headerHash,
    address,
    digest: digestOf(headerHash, statement.payloadDigest),
    version: 1,
    provider,
    relay,
    purposes,
    height: block.height,
    deposit: transaction.identifier,
    rekey: null,
    erasedHeight: null,
    disputed: false,
    logCount: 0,
    logHash: logStart,
  };
}
