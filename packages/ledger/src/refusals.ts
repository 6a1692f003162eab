/**
 * Why the ledger refuses a transaction: numbered, named, with a sentence (spec/6-ledger.md prints this table). A refused
 * transaction leaves nothing. Numbers and names are never reused. Each names the error code that a client shows to its
 * user (CONTRACT, exit codes); what the engine throws is always `transaction-refused` with all of it in its data.
 */
import { ChartsealError, type ErrorCode, type ErrorData } from "@chartseal/crypto";

/** Name → number, the code that a user sees, sentence. */
export const refusalTable = {
  malformed: [1, "input-invalid", "The bytes are not the one encoding of a transaction."],
  "wrong-chain": [2, "transaction-refused", "The transaction was made for another chain."],
  "wrong-era": [3, "transaction-refused", "The transaction was made in another era of this chain."],
  lapsed: [4, "transaction-refused", "The transaction's last valid time has passed."],
  "valid-too-long": [5, "transaction-refused", "The transaction's last valid time is too far ahead."],
  "head-unknown": [6, "chain-altered", "The transaction names a block that this chain does not hold."],
  repeated: [7, "transaction-refused", "The transaction is in the chain already."],
  "authorisation-parts": [8, "input-invalid", "A part of the authorisation is missing or does not belong."],
  "signer-unknown": [9, "member-unknown", "The signing account is not on the ledger."],
  "sequence-wrong": [10, "transaction-refused", "The sequence number is not the account's next one."],
  "signature-invalid": [11, "signature-invalid", "The account's signature does not verify."],
  "one-time-invalid": [
    12,
    "signature-invalid",
    "The one-time key does not sign this, or the id is not its own.",
  ],
  "relay-unknown": [13, "transaction-refused", "The relay is not registered."],
  "relay-quota": [14, "transaction-refused", "The relay has used up its quota of this minute."],
  "relay-invalid": [15, "signature-invalid", "The relay's signature does not verify."],
  "admission-missing": [
    16,
    "transaction-refused",
    "Validators of no more than two thirds of the stake agree.",
  ],
  "admission-invalid": [
    17,
    "signature-invalid",
    "An admission is not a current validator's, or does not verify.",
  ],
  "attribute-proof-invalid": [18, "policy-unsatisfied", "The attribute-based signature does not verify."],
  "attribute-unknown": [19, "attribute-unknown", "The policy names a namespace that is not registered."],
  "period-missing": [
    20,
    "policy-unsatisfied",
    "An attribute of the policy has no open period to sign under.",
  ],
  "policy-invalid": [21, "input-invalid", "The policy is not a canonical written policy."],
  "policy-unprovable": [
    22,
    "policy-unsatisfied",
    "The policy names persons only: attributes cannot prove it.",
  ],
  "storage-receipt-invalid": [
    23,
    "signature-invalid",
    "No registered provider attests that it holds these bytes.",
  ],
  "role-missing": [24, "transaction-refused", "The signer may not do this."],
  "committee-missing": [25, "transaction-refused", "The committee's keys are not made yet."],
  "account-exists": [30, "input-invalid", "The account is registered already."],
  "account-mismatch": [31, "input-invalid", "The account is not that of the key that signs."],
  "account-unknown": [32, "member-unknown", "The account named is not a member."],
  "keygen-round": [35, "transaction-refused", "Key generation does not take this message now."],
  "keygen-message": [36, "issue-invalid", "The message of key generation does not verify."],
  "keygen-done": [37, "transaction-refused", "The committee's key is set, once and for all."],
  "namespace-exists": [40, "input-invalid", "The namespace is registered already, or reserved."],
  "namespace-unknown": [41, "attribute-unknown", "No such namespace is registered."],
  "namespace-keys-invalid": [42, "signature-invalid", "The namespace's keys or their proof do not verify."],
  "period-used": [44, "input-invalid", "The attribute had a period of this label already."],
  "attributes-invalid": [
    45,
    "input-invalid",
    "The attributes are not sorted, or not this namespace's to give.",
  ],
  "nothing-to-revoke": [46, "input-invalid", "The account does not hold what is to be revoked."],
  "request-exists": [50, "transaction-refused", "The request id is used already."],
  "vouch-missing": [51, "policy-unsatisfied", "An attribute of the request has no vouch in force."],
  "key-proof-invalid": [52, "signature-invalid", "The request does not prove its recovery key."],
  "provider-unknown": [53, "input-invalid", "The provider named is not registered."],
  "epoch-wrong": [54, "transaction-refused", "The committee is in another epoch."],
  "request-unknown": [55, "grant-missing", "No such request is on the ledger."],
  "issue-done": [56, "transaction-refused", "The key was issued already, or its id is used."],
  "issue-nodes": [57, "input-invalid", "The nodes named are not enough distinct nodes of the committee."],
  "rule-invalid": [60, "input-invalid", "The rule's purposes or times are not ones a rule can have."],
  "rule-missing": [61, "rule-missing", "The owner has no rule in force for this namespace."],
  "rule-expired": [62, "rule-violated", "The owner's rule has expired."],
  "rule-writers": [63, "rule-violated", "The author policy is not the rule's."],
  "rule-policy": [64, "rule-violated", "The record's policy is not one that the rule allows."],
  "rule-quota": [65, "rule-violated", "The rule's deposits of this day are used up."],
  "rule-purpose": [66, "rule-violated", "The owner's rule no longer lists the purpose."],
  "record-exists": [70, "input-invalid", "The record id is used already."],
  "record-unknown": [71, "record-unknown", "No such record is on the ledger."],
  "record-version": [72, "transaction-refused", "The record is at another version."],
  "record-erased": [73, "erased", "The record was erased."],
  "statement-invalid": [74, "input-invalid", "The statement does not fit the record."],
  "namespace-given": [75, "input-invalid", "An owner's deposit names no namespace."],
  "purpose-missing": [80, "input-invalid", "The purposes are missing, repeated, or not asked for here."],
  "person-unproved": [81, "policy-unsatisfied", "The policy does not name the signing account."],
  "emergency-missing": [82, "emergency-missing", "No emergency of this id is in force."],
  "grant-missing": [84, "grant-missing", "The request was not granted, or the grant was voided or refused."],
  "grant-used": [85, "grant-missing", "The grant is used already."],
  "grant-lapsed": [86, "grant-missing", "The grant has lapsed."],
  "receipt-proof-invalid": [88, "signature-invalid", "The receipt's proof to the committee does not verify."],
  "dispute-invalid": [90, "input-invalid", "The record has no such relay, or is disputed already."],
  "certificate-invalid": [91, "signature-invalid", "A copy's holder does not attest that it is destroyed."],
  "change-open": [
    100,
    "transaction-refused",
    "A change of the committee is under way, or one ended just now.",
  ],
  "change-invalid": [101, "input-invalid", "A committee cannot change to these nodes, threshold or dealers."],
  "change-key": [102, "transaction-refused", "The change would give the committee another public key."],
  "fault-unsigned": [103, "signature-invalid", "The answer is not signed by that node for this request."],
  "fault-unfounded": [104, "input-invalid", "The answer verifies: it is no evidence of a fault."],
  "fault-known": [105, "transaction-refused", "The node is named for this answer already."],
  "settings-invalid": [110, "input-invalid", "The settings are not ones that a consortium can have."],
  "emergency-exists": [111, "input-invalid", "The id of the emergency or proxy is used already."],
  "emergency-attribute": [
    112,
    "emergency-missing",
    "A clinician holds no attribute that is listed for emergencies.",
  ],
  "emergency-records": [
    113,
    "input-invalid",
    "The records are none, not sorted, erased, or not all the owner's.",
  ],
  "emergency-time": [114, "input-invalid", "The emergency's end is past, or further ahead than is allowed."],
  "emergency-clinicians": [
    115,
    "emergency-missing",
    "The owner and the two clinicians are three different accounts.",
  ],
  "emergency-declaration": [116, "emergency-missing", "What is confirmed is not what was declared."],
  "emergency-unconfirmed": [117, "emergency-missing", "No second clinician has confirmed the emergency."],
  "emergency-over": [118, "emergency-missing", "The emergency has ended."],
  "emergency-void": [119, "emergency-missing", "The emergency is of an earlier era: a restore made it void."],
  "emergency-record": [120, "emergency-missing", "The emergency does not name this record."],
  "emergency-reader": [121, "emergency-missing", "The emergency's key is the first clinician's alone."],
  "review-invalid": [
    122,
    "input-invalid",
    "The emergency is not over, never began, or was reviewed already.",
  ],
  "proxy-missing": [123, "proxy-missing", "No appointment of this proxy is in force."],
  "proxy-over": [124, "proxy-missing", "The appointment of this proxy has ended."],
  "proxy-right": [125, "proxy-missing", "The proxy was not given this right, or not for this owner."],
  "proxy-invalid": [126, "input-invalid", "A proxy is another member, with a right, until a time to come."],
  "special-key-missing": [127, "revoked", "The key for this emergency or proxy was not issued, or is void."],
  "emergency-confirmed": [128, "input-invalid", "The emergency is confirmed already."],
  "key-taken": [130, "input-invalid", "The key is or was another's, or an earlier one of this account."],
  "key-unproved": [131, "signature-invalid", "The new key does not prove that somebody holds it."],
  "ways-invalid": [132, "input-invalid", "These guardians or this paper key cannot recover the account."],
  "recovery-open": [133, "transaction-refused", "A recovery of the account is open."],
  "recovery-unknown": [134, "input-invalid", "No such recovery is open."],
  "recovery-approved": [135, "transaction-refused", "The guardian has approved this recovery already."],
  "recovery-waiting": [
    136,
    "transaction-refused",
    "The recovery lacks approvals, or its waiting time is not over.",
  ],
  "recovery-again": [
    137,
    "transaction-refused",
    "The signer's last recovery of the account is open, or was objected to within the waiting time.",
  ],
  "recovery-missing": [138, "recovery-missing", "The owner needs two ways of recovery before it seals."],
  "request-outdated": [139, "revoked", "The request was made under a key that was replaced since."],
  "residency-invalid": [140, "input-invalid", "The regions are not sorted, or one stands twice."],
  "placement-invalid": [141, "input-invalid", "No payload is divided like this, or no region is named."],
  "placement-outside": [142, "rule-violated", "The owner's records may not lie in one of these regions."],
  "placement-known": [143, "transaction-refused", "The ledger holds this placement already."],
  "repair-invalid": [144, "input-invalid", "No repair loses or makes again so many shards."],
  "audit-unknown": [160, "input-invalid", "The signer has no open audit of this id."],
  "audit-late": [161, "transaction-refused", "The audit was opened more than a day ago."],
  "audit-nonce": [162, "input-invalid", "The nonce is not the one that the opening committed to."],
  "audit-counts": [163, "input-invalid", "The audit's numbers do not fit together."],
  "audit-records": [
    164,
    "input-invalid",
    "The records named are not sorted, not the provider's, too new, or not the signer's to speak of.",
  ],
  "audit-mended": [
    165,
    "input-invalid",
    "No audit found this record failed, or this one cannot take it back.",
  ],
  "record-held": [180, "record-held", "A hold on the record stands: it cannot be erased or re-encrypted."],
  "record-kept": [181, "record-held", "The record must be kept for a time that is not over."],
  "retention-invalid": [182, "input-invalid", "The time is too far ahead, or the other party's to set."],
  "hold-invalid": [183, "input-invalid", "No such hold stands, it stands already, or there are too many."],
  "erasure-not-due": [184, "input-invalid", "The owner set no time for the erasure, or it has not come."],
} as const satisfies Record<string, readonly [number, ErrorCode, string]>;

export type RefusalName = keyof typeof refusalTable;

/** Thrown by `apply`. Data: refusal (number), name, code (what to show a user), and what goes with it. */
export class Refusal extends ChartsealError {
  readonly refusal: RefusalName;

  constructor(name: RefusalName, data: ErrorData = {}) {
    const [refusal, code, sentence] = refusalTable[name];
    super("transaction-refused", sentence, { data: { ...data, refusal, name, code } });
    this.refusal = name;
  }
}

/** Throws that refusal unless the condition holds. */
export function demand(condition: unknown, name: RefusalName, data?: ErrorData): asserts condition {
  if (!condition) throw new Refusal(name, data);
}
