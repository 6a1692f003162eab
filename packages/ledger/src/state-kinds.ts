/**
 * What the state holds: one kind a byte, its key, and the codec of its value (spec/6-ledger.md, State values). Kind 0
 * is the machine's own (block hashes). Lists stand in the state too, as a size and numbered items, so that reading one
 * needs no scan and every item can be proved.
 */
import { concat, u32, u64, unopenedPeriod, utf8 } from "@chartseal/crypto";
import {
  committeeChanges,
  guardiansMax,
  issueModes,
  policyLengthMax,
  proofKinds,
  regionsMax,
  settingsCodec,
  specialModes,
  statementCodec,
} from "./actions.ts";
import { auditEntries } from "./audit-values.ts";
import {
  bool,
  bytesOf,
  bytesUpTo,
  type Codec,
  fromSharedBytes,
  listOf,
  oneOf,
  optional,
  struct,
  text,
  toBytes,
  uint,
  type ValueOf,
} from "./codec.ts";
import { disputeEntries, disputeLists } from "./dispute-values.ts";
import { emergencyCodec, proxyCodec, specialKeyCodec, specialRequestCodec } from "./special-values.ts";
import { stakeEntries, stakeLists } from "./stake-values.ts";
import type { StateAccess, StateKind } from "./state.ts";

/** A kind of state entry with the type of its values. */
export interface Entry<V> {
  readonly kind: StateKind;
  readonly codec: Codec<V>;
}

export type EntryValue<E> = E extends Entry<infer V> ? V : never;

const hash32 = bytesOf(32);
const account = bytesOf(20);
const name = text(128);
const address = text(512);
const policy = text(policyLengthMax);
const session = oneOf("reading", "signing", "audit");
const regions = listOf(text(16), regionsMax);

function entry<V>(kind: StateKind, codec: Codec<V>): Entry<V> {
  return { kind, codec };
}

/** Parameters of the consortium, engine-neutral; part of the genesis. */
export const parametersCodec = struct({
  /** Default 10 minutes of block time. */
  grantLifetimeMs: uint,
  /** Envelopes of one relay in one minute of block time; default 100. */
  relayPerMinute: uint,
  /** How far ahead a last valid time may be; default one hour. */
  validityMs: uint,
  /** How long a silent node can hold up a round of key generation; default 10 minutes of block time. */
  keygenRoundMs: uint,
  /** Attributes of which each of two clinicians holds one in an emergency; changed by vote only. */
  emergencyAttributes: listOf(name, 64),
});
export type Parameters = ValueOf<typeof parametersCodec>;

/** Bits of an account's roles. */
export const roles = { member: 1, node: 2, provider: 4, namespace: 8 } as const;

const pair = struct({ receiver: uint, dealer: uint });
/** A run of key generation, without its messages. */
const keygenRun = struct({
  attempt: uint,
  /** Block time of the last message. */
  lastMs: uint,
  commits: listOf(uint, 64),
  reveals: listOf(uint, 64),
  deals: listOf(uint, 64),
  complaints: listOf(pair, 4096),
  answers: listOf(pair, 4096),
  /** Nodes that have no complaint left. */
  agreed: listOf(uint, 64),
  done: bool,
});

/** What a node is named for: key generation (packages/crypto/src/threshold/dkg-verify.ts), or an answer. */
export const nodeFaults = [
  "no-commit",
  "no-reveal",
  "reveal-invalid",
  "no-deal",
  "deal-invalid",
  "complaint-upheld",
  "answer-invalid",
] as const;

export const entries = {
  /** Key: empty. */
  consortium: entry(
    1,
    struct({
      name,
      createdMs: uint,
      parameters: parametersCodec,
      providers: listOf(hash32, 64),
      /** Accounts of nodes 1 … n. */
      nodes: listOf(account, 64),
      threshold: uint,
    }),
  ),
  /** Key: empty. */
  validators: entry(2, listOf(struct({ publicKey: hash32, stake: uint }), 256)),
  /** Key: empty; absent in era 0. */
  era: entry(3, struct({ era: uint, lostHeight: uint, lostHash: hash32, height: uint })),
  /** Key: identifier. Every transaction of the chain. */
  transaction: entry(4, struct({ height: uint, kind: uint })),
  /** Key: account. `sequence`: the next one. `roles`: bits. */
  account: entry(
    5,
    struct({ publicKey: hash32, hpkeKey: optional(hash32), sequence: uint, roles: uint, height: uint }),
  ),
  /** Key: session. encodeCommitteeKey of packages/crypto/src/threshold. */
  committee: entry(6, bytesUpTo(64 * 1024)),
  /** Key: session. */
  keygen: entry(7, keygenRun),
  /** Key: `keygenKey`. A message as it was sent. */
  keygenMessage: entry(8, bytesUpTo(64 * 1024)),
  /** Key: name. `columns`: how long its lists are. */
  namespace: entry(10, struct({ account, hpkeKey: hash32, columns: uint, listsHash: hash32, height: uint })),
  /** Key: name. The public lists A and B as registered. */
  namespaceLists: entry(11, bytesUpTo(64 * 1024)),
  /** Key: attribute. `periodLabel` writes the current period. */
  period: entry(12, struct({ label: name, revocations: uint, height: uint })),
  /** Key: attribute#label. A label is opened once. */
  periodUsed: entry(13, uint),
  /** Key: account ‖ attribute. In force while `endedHeight` is null. */
  vouch: entry(14, struct({ height: uint, endedHeight: optional(uint) })),
  /** Key: account ‖ d ‖ attribute. For one issue in mode full; dead once its vouch is ended. */
  fullVouch: entry(15, struct({ height: uint })),
  /** Key: request id. */
  keyRequest: entry(
    16,
    struct({
      account,
      blinded: bytesOf(48),
      proof: bytesUpTo(256),
      attributes: listOf(name, 512),
      provider: account,
      mode: oneOf(...issueModes),
      epoch: uint,
      /** d */
      digest: hash32,
      height: uint,
      keyId: optional(hash32),
    }),
  ),
  /** Key: account. Its one live transform key. */
  liveKey: entry(
    17,
    struct({ keyId: hash32, requestId: hash32, provider: account, epoch: uint, height: uint }),
  ),
  /** Key: key id. */
  key: entry(
    18,
    struct({
      account,
      requestId: hash32,
      mode: oneOf(...issueModes, ...specialModes),
      nodes: listOf(uint, 64),
      height: uint,
      retiredHeight: optional(uint),
    }),
  ),
  /** Key: owner ‖ namespace. */
  rule: entry(
    19,
    struct({
      policy,
      writers: policy,
      purposes: listOf(name, 32),
      expiresMs: optional(uint),
      perDay: uint,
      height: uint,
      revokedHeight: optional(uint),
    }),
  ),
  /** Key: owner ‖ namespace. Deposits of a day of block time. */
  ruleUse: entry(20, struct({ day: uint, count: uint })),
  /** Key: relay. Envelopes of a minute of block time. */
  relayUse: entry(21, struct({ minute: uint, count: uint })),
  /** Key: record id. */
  record: entry(
    22,
    struct({
      owner: account,
      /** Of an author's deposit; null of an owner's. */
      namespace: optional(name),
      /** The written policy of the current version. */
      policy,
      authorPolicy: optional(policy),
      /** The author's statement, as deposited. */
      statement: statementCodec,
      /** The current payload's; differs from the author's after `rekey --payload`. */
      current: statementCodec,
      headerHash: hash32,
      address,
      /** SHA-256("…/record" ‖ SHA-256(header) ‖ payload digest). */
      digest: hash32,
      version: uint,
      provider: account,
      relay: optional(account),
      /** Of an owner's deposit. */
      purposes: listOf(name, 32),
      height: uint,
      deposit: hash32,
      /** Identifier of the latest rekey. */
      rekey: optional(hash32),
      erasedHeight: optional(uint),
      disputed: bool,
      logCount: uint,
      logHash: hash32,
    }),
  ),
  /** Key: record id ‖ u64 index. */
  log: entry(23, struct({ identifier: hash32, outcome: uint, height: uint })),
  /** Key: request id. */
  request: entry(
    24,
    struct({
      recordId: hash32,
      recordDigest: hash32,
      version: uint,
      oneTimeKey: hash32,
      purpose: optional(name),
      proof: oneOf(...proofKinds),
      /** Of a request proved by an account. */
      account: optional(account),
      outcome: uint,
      height: uint,
      /** Block time at which the grant lapses. */
      lapsesMs: uint,
      era: uint,
      /** Identifier of the receipt. */
      receipt: optional(hash32),
      /** The provider's code. */
      refusal: optional(name),
    }),
  ),
  /** Key: `listKey`. */
  listSize: entry(25, uint),
  /** Key: `listKey` ‖ u64 index. */
  listItem: entry(26, bytesUpTo(256)),
  /** Key: empty. The latest change of the committee; under way while `closedHeight` is null. */
  committeeChange: entry(
    30,
    struct({
      change: oneOf(...committeeChanges),
      /** Of the shares that result. */
      epoch: uint,
      /** Accounts of the resulting committee's nodes 1 … n. */
      nodes: listOf(account, 64),
      threshold: uint,
      /** Indices in the committee before, ascending. */
      dealers: listOf(uint, 64),
      height: uint,
      closedHeight: optional(uint),
    }),
  ),
  /** Key: session. The key of a session that is done, until all three are. */
  committeeNext: entry(31, bytesUpTo(64 * 1024)),
  /** Key: empty; absent while the genesis' committee is the present one. */
  committeeNodes: entry(32, struct({ nodes: listOf(account, 64), threshold: uint, epoch: uint })),
  /** Key: session ‖ epoch u32. What a committee was, kept when a change of it is first opened. */
  committeePast: entry(
    33,
    struct({
      origin: oneOf("fresh", ...committeeChanges),
      nodes: listOf(account, 64),
      threshold: uint,
      dealers: listOf(uint, 64),
      run: keygenRun,
      /** As in `committee`. */
      key: bytesUpTo(64 * 1024),
    }),
  ),
  /** Key: emergency id. */
  emergency: entry(34, emergencyCodec),
  /** Key: proxy id. */
  proxy: entry(35, proxyCodec),
  /** Key: id of the emergency or proxy. Its one key, beside the account's live one. */
  specialKey: entry(36, specialKeyCodec),
  /** Key: request id. */
  specialRequest: entry(37, specialRequestCodec),
  /** Key: empty; absent while the defaults stand (rules/set-settings.ts). */
  settings: entry(38, settingsCodec),
  /** Key: account. Who may give it a new key. */
  recoveryWays: entry(
    39,
    struct({
      guardians: listOf(account, guardiansMax),
      threshold: uint,
      paperKey: optional(hash32),
      height: uint,
    }),
  ),
  /** Key: recovery id. */
  recovery: entry(
    40,
    struct({
      account,
      /** Who started it. */
      by: account,
      paper: bool,
      publicKey: hash32,
      hpkeKey: hash32,
      /** Guardians, the first of them who started it. */
      approvals: listOf(account, guardiansMax),
      height: uint,
      era: uint,
      /** Block time from which it may be finished; null while approvals are missing. */
      readyMs: optional(uint),
      /** Block time at which it ends by itself; after an objection, when its starter may start again. */
      lapsesMs: uint,
      outcome: oneOf("open", "finished", "objected", "closed"),
      endedHeight: optional(uint),
    }),
  ),
  /** Key: request id, of a request with proof emergency or proxy. */
  requestGrant: entry(41, struct({ grantId: hash32 })),
  /** Key: public key. Of accounts that ever replaced theirs: an account has each for the heights named. */
  accountKey: entry(42, struct({ account, fromHeight: uint, untilHeight: optional(uint) })),
  /** Key: account. Recoveries that are open, and those whose starter has to wait; at most one a starter. */
  currentRecoveries: entry(43, listOf(hash32, 64)),
  /** Key: account ‖ identifier of the transaction that named it, or d of a wrong answer. */
  nodeFault: entry(47, struct({ fault: oneOf(...nodeFaults), epoch: uint, height: uint })),
  /** Key: owner. Where sealed records about them may lie; no regions, or no entry: anywhere. */
  residency: entry(48, struct({ regions, height: uint })),
  /** Key: record id. As its provider said last; of that version. */
  placement: entry(49, struct({ version: uint, k: uint, n: uint, regions, height: uint })),
  ...auditEntries,
  ...disputeEntries,
  /** Key: record id. Until when it must be kept, and from when on it is to be erased, in block time. */
  retention: entry(56, struct({ keepUntilMs: optional(uint), eraseAfterMs: optional(uint), height: uint })),
  /** Key: record id. Holds in force; `by`: the account that placed it. */
  holds: entry(57, listOf(struct({ holdId: hash32, by: account, height: uint }), 16)),
  ...stakeEntries,
} as const;

export type AccountValue = EntryValue<typeof entries.account>;
export type NamespaceValue = EntryValue<typeof entries.namespace>;
export type RuleValue = EntryValue<typeof entries.rule>;
export type RecordValue = EntryValue<typeof entries.record>;
export type RequestValue = EntryValue<typeof entries.request>;
export type KeyRequestValue = EntryValue<typeof entries.keyRequest>;
export type EmergencyValue = EntryValue<typeof entries.emergency>;
export type ProxyValue = EntryValue<typeof entries.proxy>;
export type SpecialKeyValue = EntryValue<typeof entries.specialKey>;
export type KeygenValue = EntryValue<typeof entries.keygen>;
export type CommitteeChangeValue = EntryValue<typeof entries.committeeChange>;
export type CommitteePastValue = EntryValue<typeof entries.committeePast>;
export type NodeFaultValue = EntryValue<typeof entries.nodeFault>;
export type NodeFault = (typeof nodeFaults)[number];
export type ConsortiumValue = EntryValue<typeof entries.consortium>;
export type RecoveryWaysValue = EntryValue<typeof entries.recoveryWays>;
export type RecoveryValue = EntryValue<typeof entries.recovery>;
export type ResidencyValue = EntryValue<typeof entries.residency>;
export type PlacementValue = EntryValue<typeof entries.placement>;
export type RetentionValue = EntryValue<typeof entries.retention>;
export type HoldsValue = EntryValue<typeof entries.holds>;
export type AuditValue = EntryValue<typeof entries.audit>;
export type LogValue = EntryValue<typeof entries.log>;
export type SessionName = ValueOf<typeof session>;

/** Lists: number → what its key is and what its items are. */
export const lists = {
  /** Accounts. */
  members: 1,
  /** Accounts. */
  providers: 2,
  /** Names. */
  namespaces: 3,
  /** Record ids. */
  records: 4,
  /** Key owner; record ids. */
  recordsOfOwner: 5,
  /** Key owner; namespaces. */
  rulesOfOwner: 6,
  /** Key account; attributes ever vouched for. */
  vouchesOfAccount: 7,
  /** Key attribute; accounts ever vouched for. */
  holdersOfAttribute: 8,
  /** Key namespace; attributes with a period. */
  attributesOfNamespace: 9,
  /** Key record id; request ids. */
  requestsOfRecord: 10,
  /** Key account; ids of requests for keys. */
  keyRequestsOfAccount: 11,
  /** Identifiers of alerts. */
  alerts: 12,
  /** Keys of `nodeFault`. */
  nodeFaults: 13,
  /** Key account; recovery ids. */
  recoveriesOfAccount: 15,
  /** Key account; public keys, of accounts that ever replaced theirs. */
  keysOfAccount: 18,
  /** Key owner, or empty for all; ids of emergencies. */
  emergencies: 14,
  /** Key owner; ids of appointments. */
  proxiesOfOwner: 16,
  /** Key proxy; ids of appointments. */
  proxiesOfAccount: 17,
  /** Key provider; ids of recorded audits. */
  auditsOfProvider: 20,
  ...disputeLists,
  /** Key none; records that their owner once gave a time to be erased. */
  toErase: 22,
  ...stakeLists,
} as const;
export type List = (typeof lists)[keyof typeof lists];

export const emptyKey: Uint8Array = new Uint8Array(0);

/** A value of the state. */
export function load<V>(
  state: Pick<StateAccess, "get">,
  { kind, codec }: Entry<V>,
  key: Uint8Array,
): V | undefined {
  const bytes = state.get(kind, key);
  return bytes === undefined ? undefined : fromSharedBytes(codec, bytes);
}

export function save<V>(state: StateAccess, { kind, codec }: Entry<V>, key: Uint8Array, value: V): void {
  state.put(kind, key, toBytes(codec, value));
}

export function vouchKey(account: Uint8Array, attribute: string): Uint8Array {
  return concat(account, utf8(attribute));
}

export function fullVouchKey(account: Uint8Array, digest: Uint8Array, attribute: string): Uint8Array {
  return concat(account, digest, utf8(attribute));
}

export function ruleKey(owner: Uint8Array, namespace: string): Uint8Array {
  return concat(owner, utf8(namespace));
}

export function committeePastKey(session: SessionName, epoch: number): Uint8Array {
  return concat(utf8(session), u32(epoch));
}

/** `about`: the identifier of the transaction that names the node, or d of its wrong answer. */
export function nodeFaultKey(node: Uint8Array, about: Uint8Array): Uint8Array {
  return concat(node, about);
}

export function logKey(recordId: Uint8Array, index: number): Uint8Array {
  return concat(recordId, u64(index));
}

export function listKey(list: List, key: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(list), key);
}

export function listItemKey(list: List, key: Uint8Array, index: number): Uint8Array {
  return concat(Uint8Array.of(list), key, u64(index));
}

/** Appends to a list. Nothing is ever taken out of one: what an item names says whether it still holds. */
export function append(state: StateAccess, list: List, key: Uint8Array, item: Uint8Array): void {
  const size = load(state, entries.listSize, listKey(list, key)) ?? 0;
  save(state, entries.listItem, listItemKey(list, key, size), item);
  save(state, entries.listSize, listKey(list, key), size + 1);
}

/** Every item of a list, oldest first. */
export function items(state: Pick<StateAccess, "get">, list: List, key: Uint8Array): Uint8Array[] {
  const size = load(state, entries.listSize, listKey(list, key)) ?? 0;
  return Array.from({ length: size }, (_, at) => load(state, entries.listItem, listItemKey(list, key, at))!);
}

/** The period that an attribute is signed under now: its label, and `.n` after the n-th revocation in it; absent where it was never opened. */
export function periodLabel(
  period: { readonly label: string; readonly revocations: number } | undefined | null,
): string {
  if (period === undefined || period === null) return unopenedPeriod;
  const { label, revocations } = period;
  return revocations === 0 ? label : `${label}.${revocations}`;
}
