/**
 * The auditor's side for one record: asks for random chunks and believes nothing of the answer but bytes that give the
 * digest on the ledger. One chunk is held at a time.
 */
import {
  type AuditedPayload,
  type AuditOutcome,
  auditedChunkBytes,
  ChartsealError,
  chunkCount,
  type ErrorCode,
  isFamily,
  type PortionReader,
  portionReader,
  proofLength,
  toHex,
  verifyAuditedChunk,
} from "@chartseal/crypto";
import type { Ledger } from "@chartseal/ledger";
import { requireRecord } from "../state.ts";
import {
  type Auditable,
  type AuditChallenge,
  auditedPayload,
  challengedChunks,
  versionHeight,
} from "./challenge.ts";

/** What the chunks of a whole run derive from. */
export interface AuditPlace {
  readonly seedHeight: number;
  readonly seedHash: Uint8Array;
  readonly nonce: Uint8Array;
  readonly challenges: number;
}

/** What an audit found of one record. */
export interface RecordAudit {
  readonly recordId: Uint8Array;
  readonly version: number;
  readonly outcome: AuditOutcome;
  /** Chunks asked for. */
  readonly chunks: number;
  /** The first chunks that were wrong. */
  readonly wrong: readonly number[];
  /** Of a record that did not hold. */
  readonly code: ErrorCode | null;
  readonly detail: string;
}

/** Most wrong chunks that are named. */
const wrongMax = 16;

/** Undefined for a record that is erased, that is younger than the seed, or that changed while it was asked for. */
export async function auditRecord(
  { ledger, provider }: { readonly ledger: Ledger; readonly provider: Auditable },
  place: AuditPlace,
  recordId: Uint8Array,
): Promise<RecordAudit | undefined> {
  const record = await requireRecord(ledger, recordId);
  const { version, erasedHeight } = record;
  if (erasedHeight !== null || place.seedHeight < (await versionHeight(ledger, record))) return undefined;
  const challenge: AuditChallenge = { recordId, version, ...place };
  const indexes = challengedChunks(challenge, record);
  const found = await checkedAnswer(provider.audit(challenge), auditedPayload(record), indexes);
  if (found.outcome !== "held") {
    const now = await requireRecord(ledger, recordId);
    if (now.erasedHeight !== null || now.version !== version) return undefined;
  }
  return { recordId, version, chunks: indexes.length, ...found };
}

type Found = Pick<RecordAudit, "outcome" | "wrong" | "code" | "detail">;

/** Whether an answer holds the chunks asked for and nothing else; an answer that is refused or breaks off is `unanswered`. */
export async function checkedAnswer(
  answer: AsyncIterable<Uint8Array>,
  payload: AuditedPayload,
  indexes: readonly number[],
): Promise<Found> {
  const reader = portionReader(answer);
  try {
    return await readAnswer(reader, payload, indexes);
  } catch (error) {
    if (!(error instanceof ChartsealError) || error.code === "defect") throw error;
    // It says itself that the object is gone or wrong; whatever else it says instead of chunks is no answer.
    const outcome = isFamily(error, "integrity") ? "failed" : "unanswered";
    return { outcome, wrong: [], code: error.code, detail: error.message };
  } finally {
    await reader.close().catch(() => {});
  }
}

async function readAnswer(
  reader: PortionReader,
  payload: AuditedPayload,
  indexes: readonly number[],
): Promise<Found> {
  const size = chunkCount(payload.length, payload.chunkBytes);
  const wrong: number[] = [];
  const buffer = new Uint8Array(auditedChunkBytes(payload, 0));
  for (const index of indexes) {
    const proof = new Uint8Array(32 * proofLength(index, size));
    const chunk = buffer.subarray(0, auditedChunkBytes(payload, index));
    const got = (await reader.fill(proof)) + (await reader.fill(chunk));
    if (got < proof.length + chunk.length) return failed([...wrong, index], "the answer ends too early");
    if (!verifyAuditedChunk(payload, { index, proof, chunk })) wrong.push(index);
  }
  if (!(await reader.ended())) return failed(wrong, "the answer holds more than was asked for");
  if (wrong.length === 0) return { outcome: "held", wrong, code: null, detail: "" };
  return failed(wrong, `${wrong.length} of ${indexes.length} chunks asked for are not the registered ones`);
}

function failed(wrong: readonly number[], detail: string): Found {
  return { outcome: "failed", wrong: wrong.slice(0, wrongMax), code: "object-altered", detail };
}

/** In one line, for alerts and people. */
export function auditLine({ recordId, outcome, wrong, detail }: RecordAudit): string {
  const chunks = wrong.length === 0 ? "" : `; chunk ${wrong.join(", ")}`;
  const silent = outcome === "unanswered" ? "no answer, twice: " : "";
  return `audit of record ${toHex(recordId)}: ${silent}${detail}${chunks}`;
}
