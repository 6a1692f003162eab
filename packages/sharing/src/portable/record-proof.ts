/**
 * The inclusion receipt of a record: what `ledger prove` gives and `ledger check-proof` checks, with no ledger at hand.
 * It holds the record's leaf of the state at one block, the deposit's and the latest rekey's transactions, and every
 * header and commit that their proofs need. It proves what the ledger held then: not that nothing came later.
 */
import { ChartsealError, equalBytes, fromHex, toHex } from "@chartseal/crypto";
import {
  chainIdOf,
  decodeHeader,
  decodeTransaction,
  digestOf,
  entries,
  hashHeader,
  type Ledger,
  type RecordValue,
  type Transaction,
} from "@chartseal/ledger";
import { requireRecord } from "../state.ts";
import { type Evidence, EvidenceCollector, type EvidenceFault, entryOf, evidenceFaults } from "./evidence.ts";

export const recordProofVersion = 1;

/** An inclusion receipt in memory; `recordProofJson` is its JSON, byte strings in lower-case hex. */
export interface RecordProof {
  readonly chainId: Uint8Array;
  readonly genesis: Uint8Array;
  readonly recordId: Uint8Array;
  /** The block after which the record's leaf is proved. */
  readonly height: number;
  readonly evidence: Evidence;
}

/** @throws ChartsealError `record-unknown` */
export async function proveRecord(ledger: Ledger, recordId: Uint8Array): Promise<RecordProof> {
  await requireRecord(ledger, recordId);
  const { height } = await ledger.head();
  const collector = new EvidenceCollector(ledger);
  const record = await collector.state(entries.record, recordId, height);
  if (record === undefined) throw new ChartsealError("chain-altered", "the record's leaf is missing");
  await collector.transaction(record.deposit);
  if (record.rekey !== null) await collector.transaction(record.rekey);
  const { chainId, genesis } = ledger;
  return { chainId, genesis, recordId, height, evidence: collector.evidence() };
}

/**
 * Everything that does not hold. `genesis`: the one that the checker trusts; without it the receipt's own, and the
 * answer says only that the receipt agrees with itself.
 */
export function recordProofFaults(proof: RecordProof, genesis?: Uint8Array): EvidenceFault[] {
  const { recordId, height, evidence } = proof;
  const trusted = genesis ?? proof.genesis;
  const own = chainIdOf(proof.genesis);
  if (!equalBytes(own, proof.chainId) || !equalBytes(own, chainIdOf(trusted))) {
    return [{ kind: "genesis", detail: "the receipt is of another chain than this genesis begins" }];
  }
  const faults = evidenceFaults(evidence, trusted);
  const record = safely(() => entryOf(evidence, entries.record, { key: recordId, height }));
  if (record === undefined || record === null) {
    return [...faults, { kind: "record", height, detail: "the receipt does not show the record" }];
  }
  return [...faults, ...recordFaults(proof, record)];
}

/** That the transactions are the ones that the record's leaf names, and say what it says. */
function recordFaults({ chainId, recordId, evidence }: RecordProof, record: RecordValue): EvidenceFault[] {
  const wrong = (detail: string): EvidenceFault => ({ kind: "record", detail });
  const transactions = evidence.transactions.map(({ bytes }) => safely(() => decodeTransaction(bytes)));
  const named = (identifier: Uint8Array): Transaction | undefined =>
    transactions.find((one) => one !== undefined && equalBytes(one.identifier, identifier));
  const faults: EvidenceFault[] = [];
  const deposit = named(record.deposit);
  if (deposit === undefined || !isOf(deposit, "deposit", chainId, recordId)) {
    faults.push(wrong("the record's deposit is not in the receipt"));
  }
  const rekey = record.rekey === null ? undefined : named(record.rekey);
  if (record.rekey !== null && (rekey === undefined || !isOf(rekey, "rekey", chainId, recordId))) {
    faults.push(wrong("the record's latest rekey is not in the receipt"));
  }
  const latest = (rekey ?? deposit)?.body.action;
  const states = latest?.kind === "deposit" || latest?.kind === "rekey";
  if (states && !equalBytes(latest.headerHash, record.headerHash)) {
    faults.push(wrong("the record's leaf names another header than its latest transaction"));
  }
  if (!equalBytes(digestOf(record.headerHash, record.current.payloadDigest), record.digest)) {
    faults.push(wrong("the record's digest is not that of its header and payload"));
  }
  return faults;
}

function isOf(
  { body }: Transaction,
  kind: "deposit" | "rekey",
  chainId: Uint8Array,
  recordId: Uint8Array,
): boolean {
  const { action } = body;
  return action.kind === kind && equalBytes(body.chainId, chainId) && equalBytes(action.recordId, recordId);
}

function safely<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof ChartsealError && error.code === "encoding-invalid") return undefined;
    throw error;
  }
}

/** The receipt as JSON (spec/7-sharing.md, Portable form). */
export function recordProofJson({ chainId, genesis, recordId, height, evidence }: RecordProof): unknown {
  return {
    version: recordProofVersion,
    chainId: toHex(chainId),
    genesis: toHex(genesis),
    recordId: toHex(recordId),
    height,
    blocks: evidence.blocks.map(({ header, commit }) => ({
      height: decodeHeader(header).height,
      header: toHex(header),
      hash: toHex(hashHeader(decodeHeader(header))),
      commit: commit.map(({ publicKey, signature }) => ({
        publicKey: toHex(publicKey),
        signature: toHex(signature),
      })),
    })),
    transactions: evidence.transactions.map(({ bytes, height: at, index, proof }) => ({
      kind: decodeTransaction(bytes).body.action.kind,
      identifier: toHex(decodeTransaction(bytes).identifier),
      height: at,
      index,
      transaction: toHex(bytes),
      proof: proof.map(toHex),
    })),
    states: evidence.states.map(({ kind, key, height: at, value, proof }) => ({
      kind,
      key: toHex(key),
      height: at,
      value: value === null ? null : toHex(value),
      proof: toHex(proof),
    })),
  };
}

/** @throws ChartsealError `input-invalid` for what is no receipt of this form */
export function parseRecordProof(json: unknown): RecordProof {
  try {
    const value = fields(json);
    if (value.version !== recordProofVersion) throw malformed();
    return {
      chainId: bytes(value.chainId, 32),
      genesis: bytes(value.genesis),
      recordId: bytes(value.recordId, 32),
      height: whole(value.height),
      evidence: {
        blocks: list(value.blocks).map(parseCommitted),
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
      },
    };
  } catch (error) {
    if (error instanceof ChartsealError && error.code === "encoding-invalid") throw malformed();
    throw error;
  }
}

/** A header with its commit, from a receipt's `blocks` or a line of `ledger export`. */
export function parseCommitted(item: unknown): Evidence["blocks"][number] {
  const { header, commit } = fields(item);
  return {
    header: bytes(header, 156),
    commit: list(commit).map((one) => {
      const { publicKey, signature } = fields(one);
      return { publicKey: bytes(publicKey, 32), signature: bytes(signature, 64) };
    }),
  };
}

function malformed(): ChartsealError {
  return new ChartsealError("input-invalid", "not an inclusion receipt of version 1");
}

function fields(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw malformed();
  return value as Record<string, unknown>;
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed();
  return value;
}

function whole(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw malformed();
  return value;
}

function bytes(value: unknown, size?: number): Uint8Array {
  if (typeof value !== "string") throw malformed();
  return fromHex(value, size);
}
