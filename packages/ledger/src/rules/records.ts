/** Records as rules look them up, and the log in each record's leaf (CONTRACT, access-log; CRYPTO §5). */
import { equalBytes, fixed, hash } from "@chartseal/crypto";
import { demand } from "../refusals.ts";
import type { StateAccess } from "../state.ts";
import { entries, load, logKey, type RecordValue, save } from "../state-kinds.ts";
import { type Setting, signerOf } from "./setting.ts";

/** What an entry of a record's log says happened. Denials are proved requests that the ledger did not grant. */
export const outcomes = {
  deposited: 1,
  rekeyed: 2,
  granted: 3,
  "denied-rule-missing": 10,
  "denied-rule-expired": 11,
  "denied-purpose": 12,
  "denied-erased": 13,
  transformed: 20,
  "refused-by-provider": 21,
  disputed: 30,
  erased: 31,
  certified: 32,
  placed: 40,
  repaired: 41,
  contested: 45,
  judged: 46,
  retained: 50,
  held: 51,
  lifted: 52,
} as const;
export type Outcome = keyof typeof outcomes;

/** The chain of an empty log. */
export const logStart: Uint8Array = new Uint8Array(32);

/** h_n = SHA-256("…/log" ‖ h_{n−1} ‖ identifier ‖ outcome u8). */
export function nextLogHash(previous: Uint8Array, identifier: Uint8Array, outcome: number): Uint8Array {
  return hash("ledger/log", fixed(previous), fixed(identifier), fixed(Uint8Array.of(outcome)));
}

/** The record's digest: SHA-256("…/record" ‖ SHA-256(header) ‖ payload digest). */
export function digestOf(headerHash: Uint8Array, payloadDigest: Uint8Array): Uint8Array {
  return hash("file/record", fixed(headerHash), fixed(payloadDigest));
}

/** @throws Refusal `record-unknown` */
export function knownRecord(state: Pick<StateAccess, "get">, recordId: Uint8Array): RecordValue {
  const record = load(state, entries.record, recordId);
  demand(record, "record-unknown");
  return record;
}

/** The record of which the signer is the owner. */
export function ownRecord(setting: Setting, recordId: Uint8Array): RecordValue {
  const record = knownRecord(setting.state, recordId);
  demand(equalBytes(record.owner, signerOf(setting).account), "role-missing");
  return record;
}

/** Saves the record with this transaction as the next entry of its log. */
export function saveLogged(
  setting: Setting,
  recordId: Uint8Array,
  record: RecordValue,
  outcome: Outcome,
): void {
  const { state, block, transaction } = setting;
  const { identifier } = transaction;
  const code = outcomes[outcome];
  save(state, entries.log, logKey(recordId, record.logCount), {
    identifier,
    outcome: code,
    height: block.height,
  });
  const logHash = nextLogHash(record.logHash, identifier, code);
  save(state, entries.record, recordId, { ...record, logCount: record.logCount + 1, logHash });
}

/** Erased in this block, by this transaction. @throws Refusal `record-erased` where it was before */
export function markErased(setting: Setting, recordId: Uint8Array, record: RecordValue): void {
  demand(record.erasedHeight === null, "record-erased");
  saveLogged(setting, recordId, { ...record, erasedHeight: setting.block.height }, "erased");
}
