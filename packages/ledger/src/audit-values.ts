/** Values of the state about audits of what providers store (spec/6-ledger.md, State values; rules/audit.ts). */
import { fixed, hash } from "@chartseal/crypto";
import { bytesOf, listOf, optional, struct, uint } from "./codec.ts";

const hash32 = bytesOf(32);
const account = bytesOf(20);

/** Most chunks of one record that one audit asks for. */
export const auditChallengesMax = 1000;
/** Most records that one audit names as failed, and as mended. */
export const auditRecordsMax = 64;
/** How long after its opening an audit can be recorded, in ms of block time: one day. */
export const auditLifetimeMs = 86_400_000;

/** What an audit found. Records ascend. */
export const auditResult = {
  /** 32 bytes, committed to before the block was there that the challenges derive from. */
  nonce: hash32,
  /** Chunks asked for of each record, or all where it has fewer. */
  challenges: uint,
  /** Records asked for. */
  records: uint,
  /** RFC 6962 root over the outcomes of all of them (spec/7-sharing.md, Audits). */
  root: hash32,
  /** Records for which the provider gave no answer. */
  unanswered: uint,
  /** Records of which a chunk was wrong or missing. */
  failures: uint,
  /** The first of them. */
  failed: listOf(hash32, auditRecordsMax),
  /** Records that an earlier audit found failed and that hold now. */
  mended: listOf(hash32, auditRecordsMax),
};

/** An audit, opened and perhaps recorded. `height` and `timestampMs` are those of its opening: the seed's block. */
const audit = struct({
  auditor: account,
  provider: account,
  nonceHash: hash32,
  height: uint,
  timestampMs: uint,
  result: optional(struct(auditResult)),
  recordedHeight: optional(uint),
});

export const auditEntries = {
  /** Key: audit id. */
  audit: { kind: 50, codec: audit },
  /** Key: provider, of its last recorded audit; or record id, of the last audit that found it failed. */
  auditMark: { kind: 51, codec: struct({ auditId: hash32, height: uint }) },
} as const;

/** What an opening commits to. */
export function auditNonceHash(nonce: Uint8Array): Uint8Array {
  return hash("audit/nonce", fixed(nonce));
}
