/**
 * The inclusion receipt of a record: what `ledger prove` gives and `ledger check-proof` checks, with no ledger at hand.
 * It holds the record's leaf of the state at one block, the deposit's and the latest rekey's transactions, and every
 * header and commit that their proofs need. It proves what the ledger held then: not that nothing came later.
 */
import { ChartsealError, equalBytes, toHex } from "@chartseal/crypto";
import {
  chainIdOf,
  decodeTransaction,
  digestOf,
  entries,
  type Ledger,
  type RecordValue,
  type Transaction,
} from "@chartseal/ledger";
import { requireRecord } from "../state.ts";
import type { Trust } from "./committed-blocks.ts";
import { type Evidence, EvidenceCollector, type EvidenceFault, entryOf, evidenceFaults } from "./evidence.ts";
import {
  bytes,
  committedOf,
  evidenceJson,
  fields,
  malformed,
  parseEvidence,
  parsing,
  whole,
} from "./evidence-json.ts";

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
  return { chainId, genesis, recordId, height, evidence: await collector.evidence() };
}

/**
 * Everything that does not hold. `genesis`: the one that the checker trusts; without it the receipt's own, and the
 * answer says only that the receipt agrees with itself.
 */
export function recordProofFaults(
  proof: RecordProof,
  genesis?: Uint8Array,
  trust: Trust = {},
): EvidenceFault[] {
  const { recordId, height, evidence } = proof;
  const trusted = genesis ?? proof.genesis;
  const own = chainIdOf(proof.genesis);
  if (!equalBytes(own, proof.chainId) || !equalBytes(own, chainIdOf(trusted))) {
    return [{ kind: "genesis", detail: "the receipt is of another chain than this genesis begins" }];
  }
  const faults = evidenceFaults(evidence, trusted, trust);
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
    ...evidenceJson(evidence),
  };
}

/** @throws ChartsealError `input-invalid` for what is no receipt of this form */
export function parseRecordProof(json: unknown): RecordProof {
  return parsing("an inclusion receipt of version 1", () => {
    const value = fields(json);
    if (value.version !== recordProofVersion) throw malformed();
    return {
      chainId: bytes(value.chainId, 32),
      genesis: bytes(value.genesis),
      recordId: bytes(value.recordId, 32),
      height: whole(value.height),
      evidence: parseEvidence(value),
    };
  });
}

/** A header with its commit, from a receipt's `blocks` or a line of `ledger export`. */
export function parseCommitted(item: unknown): Evidence["blocks"][number] {
  return parsing("a header with its commit", () => committedOf(item));
}
