/**
 * A record's log for its owner (CONTRACT, access-log): every proved request, grant, denial, refusal, receipt, version and
 * erasure, with the readers' identities from the provider's sealed receipts, and the proof that nothing is left out: the
 * record's leaf in the state tree holds the number of entries and their chain h_n.
 */
import { ChartsealError, equalBytes, toHex } from "@chartseal/crypto";
import {
  type ActionOf,
  decodeTransaction,
  entries,
  fromBytes,
  type Ledger,
  logKey,
  logStart,
  nextLogHash,
  type Outcome,
  outcomes,
  type ProvedState,
  type RecordValue,
  type RequestValue,
  type Verdict,
  verifyStateProof,
} from "@chartseal/ledger";
import { hadKey } from "./account-keys.ts";
import { readDispute } from "./dispute/evidence.ts";
import type { Identity } from "./parties.ts";
import { openReceipt, type Revealed } from "./provider/reveal.ts";
import { readEntry, readRequest, requireRecord } from "./state.ts";

export interface LogEntry {
  readonly index: number;
  readonly height: number;
  readonly timestampMs: number;
  readonly event: Outcome;
  readonly transaction: Uint8Array;
  readonly requestId?: Uint8Array;
  readonly purpose?: string;
  readonly proof?: string;
  /** Id of the emergency, or of the appointment as proxy, that the request stood on. */
  readonly grantId?: Uint8Array;
  /** The reader's account, where the receipt opened or the request named it. */
  readonly reader?: Uint8Array;
  /** Why a receipt told nothing: the provider's fault. */
  readonly fault?: string;
  /** The provider's code of a refusal. */
  readonly code?: string;
  /** Id of the dispute about a transform, and when it is settled what was found. */
  readonly disputeId?: Uint8Array;
  readonly outcome?: Verdict;
}

export interface AccessLog {
  readonly entries: readonly LogEntry[];
  readonly count: number;
  /** h_n of the entries, equal to the one in the record's leaf. */
  readonly chain: Uint8Array;
  /** The block under whose state root the record's leaf holds `count` and `chain`, and the proof of that. */
  readonly height: number;
  readonly proof: ProvedState;
  /** Requests granted and never used. */
  readonly unused: readonly string[];
}

const outcomeNames = new Map(
  Object.entries(outcomes).map(([name, code]) => [code as number, name as Outcome]),
);

/**
 * The whole log. With `owner` the identities are opened.
 * @throws ChartsealError `chain-altered` where entries are missing or do not give the chain in the record's leaf,
 *   `record-unknown`; `input-invalid` where `owner` is not the record's: its key opens nothing, which is nobody's fault
 */
export async function accessLog(
  ledger: Ledger,
  options: { readonly recordId: Uint8Array; readonly owner?: Identity },
): Promise<AccessLog> {
  const { recordId, owner } = options;
  const { record, proof } = await provedRecord(ledger, recordId);
  if (owner !== undefined && !equalBytes(owner.account, record.owner)) {
    throw new ChartsealError("input-invalid", "only its owner can open who read a record");
  }
  const list: LogEntry[] = [];
  let chain: Uint8Array = logStart;
  for (let index = 0; index < record.logCount; index++) {
    const value = await readEntry(ledger, entries.log, logKey(recordId, index));
    const event = value === undefined ? undefined : outcomeNames.get(value.outcome);
    if (value === undefined || event === undefined) throw incomplete(recordId, index);
    chain = nextLogHash(chain, value.identifier, value.outcome);
    const place = { index, height: value.height, event, transaction: value.identifier };
    list.push(await describe(ledger, { ...options, place }));
  }
  if (!equalBytes(chain, record.logHash)) throw incomplete(recordId, record.logCount);
  const used = new Set(
    list.filter(({ event }) => event !== "granted").map(({ requestId }) => hexOf(requestId)),
  );
  const unused = list
    .filter(({ event, requestId }) => event === "granted" && !used.has(hexOf(requestId)))
    .map(({ requestId }) => hexOf(requestId));
  return { entries: list, count: record.logCount, chain, height: proof.header.height, proof, unused };
}

/** The record's leaf at the head, with its proof. */
async function provedRecord(
  ledger: Ledger,
  recordId: Uint8Array,
): Promise<{ readonly record: RecordValue; readonly proof: ProvedState }> {
  const { kind, codec } = entries.record;
  const proof = await ledger.prove(kind, recordId);
  const { value, header } = proof;
  if (!verifyStateProof(header.stateRoot, kind, recordId, value, proof.proof)) {
    throw new ChartsealError("chain-altered", "the record is not proved to be in the state");
  }
  if (value !== null) return { record: fromBytes(codec, value), proof };
  await requireRecord(ledger, recordId);
  throw incomplete(recordId, 0);
}

function hexOf(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? "" : toHex(bytes);
}

function incomplete(recordId: Uint8Array, index: number): ChartsealError {
  return new ChartsealError("chain-altered", "the record's log is not complete", {
    data: { recordId: toHex(recordId), index },
  });
}

async function describe(
  ledger: Ledger,
  options: {
    readonly recordId: Uint8Array;
    readonly owner?: Identity;
    readonly place: Pick<LogEntry, "index" | "height" | "event" | "transaction">;
  },
): Promise<LogEntry> {
  const { place } = options;
  const found = await ledger.transaction(place.transaction);
  if (found === undefined) throw incomplete(options.recordId, place.index);
  const base = { ...place, timestampMs: found.header.timestampMs };
  const { body, identifier } = decodeTransaction(found.bytes);
  if (!equalBytes(identifier, place.transaction) || found.height !== place.height) {
    throw incomplete(options.recordId, place.index);
  }
  const { action } = body;
  if (action.kind === "request-access") {
    const purpose = action.purpose === null ? {} : { purpose: action.purpose };
    const named = (await readRequest(ledger, action.requestId))?.account;
    const reader = named == null ? {} : { reader: named };
    const grant = action.emergencyId === null ? {} : { grantId: action.emergencyId };
    return { ...base, requestId: action.requestId, proof: action.proof, ...grant, ...purpose, ...reader };
  }
  if (action.kind === "refuse") return { ...base, requestId: action.requestId, code: action.code };
  if (action.kind === "dispute-transform" || action.kind === "dispute-verdict") {
    return { ...base, ...(await disputeIn(ledger, { event: place.event, action, identifier })) };
  }
  if (action.kind !== "receipt") return base;
  const request = await readRequest(ledger, action.requestId);
  const purpose = request?.purpose == null ? {} : { purpose: request.purpose };
  const entry = { ...base, requestId: action.requestId, ...purpose };
  if (options.owner === undefined || request === undefined) return entry;
  const revealPlace = {
    chainId: ledger.chainId,
    provider: action.provider,
    recordDigest: request.recordDigest,
  };
  try {
    const revealed = await openReceipt({
      owner: options.owner,
      place: revealPlace,
      requestId: action.requestId,
      recordId: options.recordId,
      oneTimeKey: request.oneTimeKey,
      receipt: action,
    });
    const fault = await faultOf(ledger, { request, revealed, height: place.height });
    return fault === undefined ? { ...entry, reader: revealed.account } : { ...entry, fault };
  } catch (error) {
    if (!(error instanceof ChartsealError) || error.code !== "signature-invalid") throw error;
    const sealedWrongly = error.data.part === "envelope";
    const fault = sealedWrongly
      ? "the receipt is not sealed to this key of the owner"
      : "the provider's receipt names no reader";
    return { ...entry, fault };
  }
}

/** Of a dispute everybody sees whose it is. */
async function disputeIn(
  ledger: Ledger,
  entry: {
    readonly event: Outcome;
    readonly action: ActionOf<"dispute-transform"> | ActionOf<"dispute-verdict">;
    readonly identifier: Uint8Array;
  },
): Promise<Pick<LogEntry, "disputeId" | "requestId" | "reader" | "outcome">> {
  const { event, action, identifier } = entry;
  const disputeId = action.kind === "dispute-transform" ? identifier : action.disputeId;
  const { requestId, reader, outcome } = await readDispute({ ledger }, disputeId);
  const found = event === "judged" && outcome !== null ? { outcome } : {};
  return { disputeId, requestId, reader, ...found };
}

/** The mode of the key that a request is transformed under. */
function modeOf({ proof }: RequestValue): string {
  return proof === "emergency" || proof === "proxy" ? proof : "transform";
}

/**
 * Why a signed reveal convicts the provider all the same: it transforms for a member of the ledger alone, under a key
 * that was issued to that member, and where the request named an account for that one.
 */
async function faultOf(
  ledger: Ledger,
  receipt: { readonly request: RequestValue; readonly revealed: Revealed; readonly height: number },
): Promise<string | undefined> {
  const { request, revealed, height } = receipt;
  const { account, publicKey, transformKeyId } = revealed;
  if (!(await hadKey(ledger, { account, publicKey, height }))) {
    return "the provider's receipt names somebody whom the ledger does not know";
  }
  if (request.account !== null && !equalBytes(request.account, account)) {
    return "the provider's receipt names another reader than the request";
  }
  const key = await readEntry(ledger, entries.key, transformKeyId);
  if (key === undefined || key.mode !== modeOf(request) || !equalBytes(key.account, account)) {
    return "the provider's receipt names a key that the reader never had";
  }
  return undefined;
}
