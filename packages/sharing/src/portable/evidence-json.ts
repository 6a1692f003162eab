/**
 * Evidence as JSON (spec/7-sharing.md, Inclusion receipts in JSON): byte strings are lower-case hex. What can be computed
 * from the bytes (hashes, heights of blocks, kinds, identifiers) stands there for people and is never read.
 */
import { ChartsealError, fromHex, toHex } from "@chartseal/crypto";
import { commitJson, decodeHeader, decodeTransaction, hashHeader, parseCommit } from "@chartseal/ledger";
import type { CommittedHeader, Evidence } from "./evidence.ts";

/** {blocks, transactions, states} */
export function evidenceJson(evidence: Evidence): Record<string, unknown> {
  return {
    blocks: evidence.blocks.map(({ header, commit }) => ({
      height: decodeHeader(header).height,
      header: toHex(header),
      hash: toHex(hashHeader(decodeHeader(header))),
      commit: commitJson(commit),
    })),
    transactions: evidence.transactions.map(({ bytes: transaction, height, index, proof }) => ({
      kind: decodeTransaction(transaction).body.action.kind,
      identifier: toHex(decodeTransaction(transaction).identifier),
      height,
      index,
      transaction: toHex(transaction),
      proof: proof.map(toHex),
    })),
    states: evidence.states.map(({ kind, key, height, value, proof }) => ({
      kind,
      key: toHex(key),
      height,
      value: value === null ? null : toHex(value),
      proof: toHex(proof),
    })),
  };
}

/** The evidence of a JSON object that was read with `parsing`. */
export function parseEvidence(value: Record<string, unknown>): Evidence {
  return {
    blocks: list(value.blocks).map(committedOf),
    transactions: list(value.transactions).map((item) => {
      const { transaction, height, index, proof } = fields(item);
      const siblings = list(proof).map((one) => bytes(one, 32));
      return { bytes: bytes(transaction), height: whole(height), index: whole(index), proof: siblings };
    }),
    states: list(value.states).map((item) => {
      const { kind, key, height, value: held, proof } = fields(item);
      if (whole(kind) > 255) throw malformed();
      const at = { kind: whole(kind), key: bytes(key), height: whole(height), proof: bytes(proof) };
      return { ...at, value: held === null ? null : bytes(held) };
    }),
  };
}

/** A header with its commit. */
export function committedOf(item: unknown): CommittedHeader {
  const { header, commit } = fields(item);
  return { header: bytes(header, 156), commit: parseCommit(commit) };
}

/** Reads a document strictly. @throws ChartsealError `input-invalid` that says what it is not */
export function parsing<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ChartsealError) || error.code !== "encoding-invalid") throw error;
    throw new ChartsealError("input-invalid", `not ${what}`, { cause: error });
  }
}

/** For what `parsing` catches. */
export function malformed(): ChartsealError {
  return new ChartsealError("encoding-invalid", "a document is malformed");
}

export function fields(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw malformed();
  return value as Record<string, unknown>;
}

export function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed();
  return value;
}

export function whole(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw malformed();
  return value;
}

/** Hex. */
export function bytes(value: unknown, size?: number): Uint8Array {
  if (typeof value !== "string") throw malformed();
  return fromHex(value, size);
}
