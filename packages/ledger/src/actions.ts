/**
 * Every kind of transaction: its number, its fields in their order, their types and limits (spec/6-ledger.md). Numbers
 * are never reused. Who may make one, and what it does, stands in rules/.
 */
import { auditResult } from "./audit-values.ts";
import {
  bool,
  bytesOf,
  bytesUpTo,
  listOf,
  oneOf,
  optional,
  struct,
  text,
  uint,
  type ValueOf,
} from "./codec.ts";
import { sealedToJudges, statedFields, verdict } from "./dispute-values.ts";
import { stakeActions } from "./stake-values.ts";

/** Largest transaction in bytes (CONTRACT, Limits). */
export const transactionBytesMax = 256 * 1024;
/** Longest canonical text of a written policy. */
export const policyLengthMax = 32 * 1024;
/** Most attributes that one vouch, revocation or request for a key names. */
export const attributesMax = 512;
/** Most regions that a residency or a placement names. */
export const regionsMax = 16;
/** Most shards of a record's payload. */
export const shardsMax = 16;
/** Most guardians of one account. */
export const guardiansMax = 16;

const hash32 = bytesOf(32);
const account = bytesOf(20);
const namespaceName = text(32, /^[a-z0-9][a-z0-9-]{0,31}$/);
const attribute = text(97, /^[a-z0-9][a-z0-9._:+-]{0,63}@[a-z0-9][a-z0-9-]{0,31}$/);
const policy = text(policyLengthMax);
const address = text(512, /^[\x21-\x7e]+$/);
const purposes = listOf(text(16, /^[A-Z][A-Z0-9]{0,15}$/), 32);
/** Codes of regions, lower-case. */
const regions = listOf(text(16, /^[a-z0-9][a-z0-9-]{0,15}$/), regionsMax);
const session = oneOf("reading", "signing", "audit");
const note = text(1024);
const ruleFields = {
  namespace: namespaceName,
  policy,
  writers: policy,
  purposes,
  expiresMs: optional(uint),
  perDay: uint,
};
const keygen = struct({ session, attempt: uint, message: bytesUpTo(64 * 1024) });
/** What an author states about the payload (CRYPTO §4): the first four fields of it never change with a `rekey`. */
const statement = struct({
  /** Deterministic CBOR [version, suite, payload id, chunk size]. */
  descriptor: bytesUpTo(256),
  payloadLength: uint,
  payloadDigest: hash32,
  keyCommitment: hash32,
  metadataCommitment: hash32,
});

/** How a committee that has keys gets new shares of them. */
export const committeeChanges = ["refresh", "reshare"] as const;
/** What a consortium may change about itself after the genesis; rules/set-settings.ts has the defaults. */
const settings = struct({
  /** Attributes of which each of two clinicians holds one in an emergency; ascending by their bytes. */
  emergencyAttributes: listOf(attribute, 64),
  /** Whether an owner needs two independent ways of recovery before a deposit. */
  recoveryRequired: bool,
  /** How long the old key can object to a recovery, in ms of block time. */
  recoveryDelayMs: uint,
  /** How far ahead the end of an emergency may be, in ms of block time. */
  emergencyLifetimeMs: uint,
});

export const issueModes = ["transform", "full"] as const;
/** Modes of keys for one attribute and one entry of the ledger, beside the account's one live key. */
export const specialModes = ["emergency", "proxy"] as const;
export const proofKinds = ["attributes", "owner", "person", "emergency", "proxy"] as const;
/** What a proxy may do in the owner's name. */
export const proxyRights = ["read", "rules"] as const;
export const reviewOutcomes = ["justified", "unjustified", "unclear"] as const;
/** Most records that one emergency names. */
export const emergencyRecordsMax = 64;
export const alertKinds = [
  "object-missing",
  "object-altered",
  "header-altered",
  "chain-altered",
  "other",
] as const;

/** Kind → [number, fields]. */
export const actionTable = {
  /** A new account of a member; the signer's. */
  enrol: [1, struct({ publicKey: hash32, hpkeKey: hash32 })],
  /** The signer's X25519 key: the first one of a genesis node, a new one of anybody. */
  "set-hpke-key": [2, struct({ hpkeKey: hash32 })],
  /** Round 1 to 5 of key generation; `message` as packages/crypto/src/threshold/dkg-messages.ts encodes it. */
  "keygen-commit": [10, keygen],
  "keygen-reveal": [11, keygen],
  "keygen-deal": [12, keygen],
  "keygen-complaint": [13, keygen],
  "keygen-answer": [14, keygen],
  /** A node has no complaint left; the last node's (or one after the time is over) ends the run. */
  "keygen-conclude": [15, struct({ session, attempt: uint })],
  /**
   * New shares of the committee's keys: a refresh among the same nodes, or a resharing to others, dealt by exactly t of
   * the present ones. `nodes`: accounts 1 … n of the resulting committee.
   */
  "open-committee-change": [
    16,
    struct({
      change: oneOf(...committeeChanges),
      nodes: listOf(account, 64),
      threshold: uint,
      dealers: listOf(uint, 64),
    }),
  ],
  "register-provider": [20, struct({ publicKey: hash32, hpkeKey: hash32 })],
  /** `lists` and `proof` as packages/crypto/src/abs encodes them. */
  "register-namespace": [
    21,
    struct({
      name: namespaceName,
      account,
      hpkeKey: hash32,
      lists: bytesUpTo(64 * 1024),
      proof: bytesUpTo(1024),
    }),
  ],
  "extend-namespace": [
    22,
    struct({ name: namespaceName, lists: bytesUpTo(64 * 1024), proof: bytesUpTo(1024) }),
  ],
  "open-period": [
    23,
    struct({ namespace: namespaceName, attribute, label: text(32, /^[a-z0-9][a-z0-9.-]{0,31}$/) }),
  ],
  /** `digest`: d of the one issue that a vouch for mode full serves; null for mode transform. */
  vouch: [
    24,
    struct({
      namespace: namespaceName,
      account,
      attributes: listOf(attribute, attributesMax),
      mode: oneOf(...issueModes),
      digest: optional(hash32),
    }),
  ],
  /** No attributes: all that the namespace vouches for. */
  revoke: [25, struct({ namespace: namespaceName, account, attributes: listOf(attribute, attributesMax) })],
  /** An institution that may become a node of the committee by a resharing. */
  "register-node": [26, struct({ publicKey: hash32, hpkeKey: hash32 })],
  /** `provider`: who holds the transform key; for mode full the account itself. Attributes ascend. */
  "request-key": [
    30,
    struct({
      requestId: hash32,
      blinded: bytesOf(48),
      proof: bytesUpTo(256),
      attributes: listOf(attribute, attributesMax),
      provider: account,
      mode: oneOf(...issueModes),
      epoch: uint,
    }),
  ],
  "key-issued": [31, struct({ requestId: hash32, keyId: hash32, nodes: listOf(uint, 64) })],
  /** One attribute: `emergency.OWNER@self`, or OWNER@self for a proxy. `grantId`: the emergency's or the proxy's. */
  "request-special-key": [
    32,
    struct({
      requestId: hash32,
      blinded: bytesOf(48),
      proof: bytesUpTo(256),
      attributes: listOf(attribute, 1),
      provider: account,
      mode: oneOf(...specialModes),
      grantId: hash32,
      epoch: uint,
    }),
  ],
  /** Evidence against a node: an answer that it signed and that does not verify. `id`: request id, or account. */
  "node-fault": [
    33,
    struct({
      subject: oneOf("issue", "base"),
      id: bytesUpTo(32),
      epoch: uint,
      node: uint,
      answer: bytesUpTo(64 * 1024),
      signature: bytesOf(64),
    }),
  ],
  "set-rule": [40, struct(ruleFields)],
  "revoke-rule": [41, struct({ namespace: namespaceName })],
  /** By an author: namespace and author policy, no purposes. By the owner: no namespace, purposes. */
  deposit: [
    50,
    struct({
      recordId: hash32,
      owner: account,
      namespace: optional(namespaceName),
      policy,
      authorPolicy: optional(policy),
      headerHash: hash32,
      address,
      statement,
      purposes,
    }),
  ],
  /** `version`: the one that results. `statement`: of a re-encrypted payload. */
  rekey: [
    51,
    struct({
      recordId: hash32,
      version: uint,
      headerHash: hash32,
      address,
      policy,
      statement: optional(statement),
    }),
  ],
  "request-access": [
    60,
    struct({
      requestId: hash32,
      recordId: hash32,
      recordDigest: hash32,
      purpose: optional(text(16, /^[A-Z][A-Z0-9]{0,15}$/)),
      oneTimeKey: hash32,
      proof: oneOf(...proofKinds),
      /** The emergency's id, or the proxy's. */
      emergencyId: optional(hash32),
    }),
  ],
  receipt: [
    61,
    struct({
      requestId: hash32,
      provider: account,
      box: bytesUpTo(1024),
      ownerEnvelope: bytesUpTo(256),
      auditCiphertext: bytesUpTo(1024),
    }),
  ],
  /** By the provider: request and code, never an account. */
  refuse: [62, struct({ requestId: hash32, code: text(32, /^[a-z][a-z-]{0,31}$/) })],
  "mark-disputed": [70, struct({ recordId: hash32, relay: account })],
  erase: [71, struct({ recordId: hash32 })],
  /** Each copy with its holder's signature (tag sharing/certificate). */
  "erase-certificate": [
    72,
    struct({
      recordId: hash32,
      copies: listOf(struct({ holder: account, address, signature: bytesOf(64) }), 64),
    }),
  ],
  alert: [73, struct({ alert: oneOf(...alertKinds), recordId: optional(hash32), detail: text(1024) })],
  /**
   * After a restore that loses the tail: the lost head, what is known to be missing, and the lost revocations and
   * erasures, each a whole transaction of an earlier era.
   */
  "raise-era": [
    80,
    struct({
      lostHeight: uint,
      lostHash: hash32,
      missing: listOf(text(256), 256),
      tombstones: listOf(bytesUpTo(transactionBytesMax), 256),
    }),
  ],
  /** By the first clinician. Records ascend. `attribute`: the listed one that the clinician holds. */
  "declare-emergency": [
    90,
    struct({
      emergencyId: hash32,
      owner: account,
      records: listOf(hash32, emergencyRecordsMax),
      reason: note,
      endMs: uint,
      attribute,
    }),
  ],
  /** By the second. `declaration`: the identifier of what is confirmed, so that its whole text is. */
  "confirm-emergency": [91, struct({ emergencyId: hash32, declaration: hash32, attribute })],
  "end-emergency": [92, struct({ emergencyId: hash32 })],
  "review-emergency": [93, struct({ emergencyId: hash32, outcome: oneOf(...reviewOutcomes), note })],
  /** All of them at once, by a vote: none is changed in passing. */
  "set-settings": [94, settings],
  /** Who may give the account a new key: k of the guardians, the paper kit's key. Replaces what was set before. */
  "set-recovery": [
    100,
    struct({
      guardians: listOf(account, guardiansMax),
      threshold: uint,
      paperKey: optional(hash32),
    }),
  ],
  /** `proof`: the new key's, of account-keys.ts. */
  "replace-key": [101, struct({ publicKey: hash32, hpkeKey: hash32, proof: bytesOf(64) })],
  /** By a guardian, whose approval it is, or by the paper kit's key. Its identifier is the recovery's id. */
  "start-recovery": [102, struct({ account, publicKey: hash32, hpkeKey: hash32, proof: bytesOf(64) })],
  "approve-recovery": [103, struct({ recoveryId: hash32 })],
  "object-recovery": [104, struct({ recoveryId: hash32 })],
  /** In the account's name, signed by the new key. */
  "finish-recovery": [105, struct({ recoveryId: hash32 })],
  /** By the owner. */
  "appoint-proxy": [
    110,
    struct({
      proxyId: hash32,
      proxy: account,
      endMs: uint,
      may: listOf(oneOf(...proxyRights), proxyRights.length),
    }),
  ],
  "end-proxy": [111, struct({ proxyId: hash32 })],
  /** By the proxy, for the owner who appointed it. */
  "set-rule-as-proxy": [112, struct({ proxyId: hash32, ...ruleFields })],
  "revoke-rule-as-proxy": [113, struct({ proxyId: hash32, namespace: namespaceName })],
  /** By the owner: where sealed records about them may lie. Ascending; none: anywhere. */
  "set-residency": [120, struct({ regions })],
  /** By the record's provider: any k of n shards give the payload, and they lie in these regions. Ascending. */
  "record-placement": [121, struct({ recordId: hash32, version: uint, k: uint, n: uint, regions })],
  /** By the record's provider: of n shards so many were lost and so many made again, in these regions. */
  "record-repair": [
    122,
    struct({ recordId: hash32, k: uint, n: uint, lost: uint, rebuilt: uint, regions, note: text(256) }),
  ],
  /** Its identifier is the audit's id, its block the seed. `nonceHash`: of the nonce that the result shows. */
  "open-audit": [125, struct({ provider: account, nonceHash: hash32 })],
  /** By who opened it. */
  "record-audit": [126, struct({ auditId: hash32, ...auditResult })],
  /** The reader's: its identifier is the dispute's id. With what the provider signed. */
  "dispute-transform": [130, struct({ requestId: hash32, ...statedFields })],
  /** The provider's. */
  "open-transform-key": [131, struct({ disputeId: hash32, ...sealedToJudges })],
  /** The reader's. */
  "dispute-evidence": [132, struct({ disputeId: hash32, ...sealedToJudges })],
  /** A judge's. `opening`, `evidence`: identifiers of what it saw. */
  "dispute-verdict": [
    133,
    struct({ disputeId: hash32, verdict, opening: optional(hash32), evidence: optional(hash32) }),
  ],
  /** Keep: the namespace's under whose rule it was deposited. Erase: the owner's. The other part's time is null. */
  "set-retention": [
    135,
    struct({
      recordId: hash32,
      part: oneOf("keep", "erase"),
      keepUntilMs: optional(uint),
      eraseAfterMs: optional(uint),
    }),
  ],
  /** By the same namespace, or with a vote. */
  "place-hold": [136, struct({ recordId: hash32, holdId: hash32, reason: text(256) })],
  "lift-hold": [137, struct({ recordId: hash32, holdId: hash32, reason: text(256) })],
  /** By the record's provider. */
  "erase-due": [138, struct({ recordId: hash32 })],
  ...stakeActions,
} as const;

type Table = typeof actionTable;
export type ActionKind = keyof Table;
/** The fields of a kind, without its name. */
export type FieldsOf<K extends ActionKind> = ValueOf<Table[K][1]>;
/** What a transaction does: its kind and that kind's fields. */
export type Action = { [K in ActionKind]: { readonly kind: K } & FieldsOf<K> }[ActionKind];
export type ActionOf<K extends ActionKind> = Extract<Action, { readonly kind: K }>;
export type IssueMode = (typeof issueModes)[number];
export type SpecialMode = (typeof specialModes)[number];
export type ProxyRight = (typeof proxyRights)[number];
export type ReviewOutcome = (typeof reviewOutcomes)[number];
export type ProofKind = (typeof proofKinds)[number];
export type Session = ValueOf<typeof session>;
export type Statement = ValueOf<typeof statement>;
export type AlertKind = (typeof alertKinds)[number];
export type Settings = ValueOf<typeof settings>;

/** The state stores statements and settings in the same form. */
export const statementCodec = statement;
export const settingsCodec = settings;

export const actionKinds = Object.keys(actionTable) as ActionKind[];
