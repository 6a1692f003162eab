/**
 * What a reader keeps of an answer that did not open: all that a dispute about it is opened with but z. The bytes open
 * nothing to anybody else; they name request and transform key, thus the reader.
 */
import {
  type CborValue,
  ChartsealError,
  decode,
  encode,
  equalBytes,
  hasCode,
  headerBytesMax,
  recomputeEncapsulation,
  recoverFromTransform,
  type Scalar,
} from "@chartseal/crypto";
import { disputedKey, entries } from "@chartseal/ledger";
import { readCommittee } from "../committee.ts";
import type { Surroundings, Transformed } from "../parties.ts";
import { readAccount, readEntry, readRequest, requireRecord } from "../state.ts";
import type { Dispute } from "./box.ts";
import { readSealed } from "./judge.ts";
import { demandStatement } from "./statement.ts";

/** An answer of a provider that its reader could not open. */
export interface KeptAnswer {
  readonly chainId: Uint8Array;
  readonly requestId: Uint8Array;
  readonly recordId: Uint8Array;
  readonly transformKeyId: Uint8Array;
  readonly answer: Pick<Transformed, "transform" | "statement" | "header">;
}

const version = 1;
/** Most bytes of one: header, T, signature, ids and the rows' numbers. */
export const keptBytesMax = headerBytesMax + 4096;
/** Most rows of a sealed policy. */
const rowsMax = 258;
const transformBytes = 576;

export function encodeKept({ chainId, requestId, recordId, transformKeyId, answer }: KeptAnswer): Uint8Array {
  const { transform, statement, header } = answer;
  const { rows, signature } = statement;
  return encode([
    version,
    chainId,
    requestId,
    recordId,
    transformKeyId,
    [...rows],
    signature,
    transform,
    header,
  ]);
}

/** @throws ChartsealError `encoding-invalid` */
export function decodeKept(bytes: Uint8Array): KeptAnswer {
  const value = decode(bytes, { sizeMax: keptBytesMax });
  const fields = Array.isArray(value) && value.length === 9 ? (value as readonly CborValue[]) : [];
  if (fields[0] !== version) throw malformed();
  const [, chainId, requestId, recordId, transformKeyId, rows, signature, transform, header] = fields;
  return {
    chainId: sized(chainId, 32),
    requestId: sized(requestId, 32),
    recordId: sized(recordId, 32),
    transformKeyId: sized(transformKeyId, 32),
    answer: {
      statement: { rows: rowsOf(rows), signature: sized(signature, 64) },
      transform: sized(transform, transformBytes),
      header: sized(header, undefined),
    },
  };
}

function sized(value: CborValue | undefined, size: number | undefined): Uint8Array {
  if (value instanceof Uint8Array && (size === undefined || value.length === size)) return value;
  throw malformed();
}

function rowsOf(value: CborValue | undefined): number[] {
  const rows = Array.isArray(value) ? (value as readonly CborValue[]) : [];
  const ascend = rows.every(
    (row, at) =>
      typeof row === "number" && Number.isInteger(row) && row >= 0 && row > Number(rows[at - 1] ?? -1),
  );
  if (rows.length === 0 || rows.length > rowsMax || !ascend) throw malformed();
  return rows as number[];
}

function malformed(): ChartsealError {
  return new ChartsealError("encoding-invalid", "a kept answer is malformed");
}

/** The dispute about this answer, where one was opened. */
export async function disputeOf(
  { ledger }: Pick<Surroundings, "ledger">,
  { requestId, transformKeyId }: Pick<KeptAnswer, "requestId" | "transformKeyId">,
): Promise<Dispute | undefined> {
  const found = await readEntry(ledger, entries.disputedAnswer, disputedKey(requestId, transformKeyId));
  if (found === undefined) return undefined;
  const value = await readEntry(ledger, entries.dispute, found.disputeId);
  if (value !== undefined) return { ...value, disputeId: found.disputeId };
  throw new ChartsealError("chain-altered", "the ledger lacks a dispute that it names");
}

/**
 * That a dispute about this answer would be heard: it is of this chain, its provider signed it, and the header is the
 * record's. What a judge would find against the reader who shows it is found here first.
 * @throws ChartsealError `input-invalid`, `signature-invalid`
 */
export async function demandDisputable(
  surroundings: Pick<Surroundings, "ledger" | "pairing">,
  kept: KeptAnswer,
): Promise<void> {
  const { ledger, pairing } = surroundings;
  const { requestId, recordId, transformKeyId, answer } = kept;
  if (!equalBytes(kept.chainId, ledger.chainId)) throw refused("it is of another consortium");
  const request = await readRequest(ledger, requestId);
  if (request === undefined || !equalBytes(request.recordId, recordId)) {
    throw refused("the ledger holds no such request for that record");
  }
  const { provider } = await requireRecord(ledger, recordId);
  const { chainId } = ledger;
  const about = {
    chainId,
    provider,
    requestId,
    recordId,
    recordDigest: request.recordDigest,
    transformKeyId,
  };
  const registered = await readAccount(ledger, provider);
  if (registered === undefined) throw refused("the ledger knows no such provider");
  demandStatement(registered.publicKey, about, answer);
  if (readSealed(pairing, answer.header, request) === undefined) {
    throw refused("its header is not the one that was registered");
  }
}

function refused(reason: string): ChartsealError {
  return new ChartsealError("input-invalid", `this answer cannot be disputed: ${reason}`);
}

/** Whether z finishes this answer and the header is the one that m makes: then a dispute finds the reader at fault. */
export async function doesOpen(
  { ledger, pairing }: Pick<Surroundings, "ledger" | "pairing">,
  options: { readonly kept: KeptAnswer; readonly recoveryKey: Scalar },
): Promise<boolean> {
  const { kept, recoveryKey } = options;
  const { transform, header } = kept.answer;
  const request = await readRequest(ledger, kept.requestId);
  const sealed = request === undefined ? undefined : readSealed(pairing, header, request);
  if (sealed === undefined) return false;
  const { reading } = await readCommittee(ledger, pairing);
  try {
    const { message } = recoverFromTransform(pairing, { transform, recoveryKey, ...sealed });
    recomputeEncapsulation(pairing, { mpk: reading.publicKey, message, ...sealed });
    return true;
  } catch (error) {
    if (hasCode(error, "transform-invalid") || hasCode(error, "header-altered")) return false;
    throw error;
  }
}
