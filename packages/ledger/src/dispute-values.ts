/** Values and limits of disputes about transforms (spec/6-ledger.md, Disputes; rules/dispute.ts). */
import { concat } from "@chartseal/crypto";
import { bytesOf, bytesUpTo, listOf, oneOf, optional, struct, uint, type ValueOf } from "./codec.ts";

const hash32 = bytesOf(32);
const account = bytesOf(20);

/** How long provider and reader have to open what they must, in ms of block time: one day. */
export const disputeAnswerMs = 86_400_000;
/** Most rows of a sealed policy. */
const rowsMax = 258;

export const verdicts = ["provider", "sealer", "reader", "dismissed"] as const;
export const verdict = oneOf(...verdicts);
export type Verdict = (typeof verdicts)[number];

/** What the provider signed with its T (transform-statement.ts). */
export const statedFields = {
  keyId: hash32,
  rows: listOf(uint, rowsMax),
  answerHash: hash32,
  signature: bytesOf(64),
};

/** A box under a key of its own, and that key sealed to each judge in their order. */
export const sealedToJudges = { box: bytesUpTo(160 * 1024), envelopes: listOf(bytesOf(80), 64) };

const dispute = struct({
  reader: account,
  requestId: hash32,
  recordId: hash32,
  recordDigest: hash32,
  provider: account,
  keyId: hash32,
  rows: listOf(uint, rowsMax),
  answerHash: hash32,
  /** Accounts of nodes 1 … n of the committee in whose time it was opened, and how many equal verdicts settle it. */
  nodes: listOf(account, 64),
  threshold: uint,
  height: uint,
  timestampMs: uint,
  /** Identifiers of `open-transform-key` and `dispute-evidence`. */
  opening: optional(hash32),
  evidence: optional(hash32),
  verdicts: listOf(struct({ node: account, verdict }), 64),
  outcome: optional(verdict),
  endedHeight: optional(uint),
});

export const disputeEntries = {
  /** Key: dispute id. */
  dispute: { kind: 52, codec: dispute },
  /** Key: `disputedKey`. Each answer is disputed once. */
  disputedAnswer: { kind: 53, codec: struct({ disputeId: hash32 }) },
  /** Key: record id. t nodes found that the header of that version does not fit its policy. */
  spoiledHeader: { kind: 54, codec: struct({ disputeId: hash32, version: uint, height: uint }) },
} as const;

export type DisputeValue = ValueOf<typeof dispute>;

export const disputeLists = {
  /** Key none; ids of disputes about transforms. */
  disputes: 21,
} as const;

export function disputedKey(requestId: Uint8Array, keyId: Uint8Array): Uint8Array {
  return concat(requestId, keyId);
}
