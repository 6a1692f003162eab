/**
 * What an auditor asks of a provider (spec/7-sharing.md, Audits): random chunks of one stored payload, which follow from a
 * block's hash and the auditor's nonce, so that neither of the two picks them. Anyone may ask; no key is needed, and
 * nothing is downloaded but the chunks.
 */
import {
  type AuditedPayload,
  auditedChunks,
  ChartsealError,
  chunkCount,
  decodeDescriptor,
  equalBytes,
  toHex,
} from "@chartseal/crypto";
import { auditChallengesMax, entries, type Ledger, type RecordValue } from "@chartseal/ledger";
import { readEntry, requireRecord } from "../state.ts";

export interface AuditChallenge {
  readonly recordId: Uint8Array;
  /** The record's present one. */
  readonly version: number;
  /** The block that holds the payload's registration, or a later one. */
  readonly seedHeight: number;
  readonly seedHash: Uint8Array;
  /** The auditor's, 32 bytes. */
  readonly nonce: Uint8Array;
  /** Chunks asked for, 1 to 1,000; all where the payload has fewer. */
  readonly challenges: number;
}

/** Answers as packages/crypto/src/file/audit.ts describes; the bytes come as a stream. */
export interface Auditable {
  audit(challenge: AuditChallenge): AsyncIterable<Uint8Array>;
}

/** The record's payload as the ledger has it. */
export function auditedPayload({ current }: Pick<RecordValue, "current">): AuditedPayload {
  const { chunkBytes } = decodeDescriptor(current.descriptor);
  return { length: current.payloadLength, chunkBytes, digest: current.payloadDigest };
}

/** The chunks that the challenge asks for, ascending. */
export function challengedChunks(
  challenge: AuditChallenge,
  record: Pick<RecordValue, "current">,
): readonly number[] {
  const { length, chunkBytes, digest } = auditedPayload(record);
  const { recordId, seedHash, nonce, challenges } = challenge;
  const seed = { blockHash: seedHash, recordId, payloadDigest: digest, nonce };
  return auditedChunks(seed, { size: chunkCount(length, chunkBytes), count: challenges });
}

/** The height at which the record's present version was registered. */
export async function versionHeight(
  ledger: Pick<Ledger, "read">,
  { rekey, height }: Pick<RecordValue, "rekey" | "height">,
): Promise<number> {
  const latest = rekey === null ? undefined : await readEntry(ledger, entries.transaction, rekey);
  return latest?.height ?? height;
}

/**
 * The record of a challenge that may be answered: not erased, at this version, with a seed that its chain holds and that
 * is not older than the version.
 * @throws ChartsealError `record-unknown`, `erased`, `input-invalid`
 */
export async function demandChallenge(ledger: Ledger, challenge: AuditChallenge): Promise<RecordValue> {
  const { recordId, version, seedHeight, seedHash, nonce, challenges } = challenge;
  const record = await requireRecord(ledger, recordId);
  const data = { recordId: toHex(recordId) };
  if (record.erasedHeight !== null) throw new ChartsealError("erased", "the record was erased", { data });
  const refuse = (what: string): never => {
    throw new ChartsealError("input-invalid", what, { data });
  };
  const counts = Number.isInteger(challenges) && challenges >= 1 && challenges <= auditChallengesMax;
  if (!counts || nonce.length !== 32)
    return refuse(`an audit asks for 1 to ${auditChallengesMax} chunks under a nonce of 32 bytes`);
  if (record.version !== version) return refuse("the record is at another version");
  if (seedHeight < (await versionHeight(ledger, record)))
    return refuse("the seed is a block from before this version: its chunks could be prepared");
  const block = await ledger.block(seedHeight);
  if (block === undefined || !equalBytes(block.hash, seedHash))
    return refuse("the seed is not a block of this chain");
  return record;
}

/** About how many bytes an audit of this record reads. */
export function auditedBytes(record: Pick<RecordValue, "current">, challenges: number): number {
  const { length, chunkBytes } = auditedPayload(record);
  return Math.min(length, challenges * chunkBytes);
}
