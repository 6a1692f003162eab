/**
 * The receipt in a portable record (CRYPTO §4): the deposit and the latest rekey with inclusion proofs, the record's
 * leaf after the latest of them, and at the deposit's block mpk, A0, the row namespaces' lists and periods. With a
 * genesis it proves, offline, who wrote the record and that the ledger took it; not that nothing came later.
 * Validators of an embedded chain never change, so that no further commits are needed.
 */
import {
  type CborValue,
  ChartsealError,
  type CommitteeKey,
  committeeBase,
  decode,
  decodeCommitteeKey,
  decodeNamespaceLists,
  decodeSignature,
  encode,
  equalBytes,
  type G2,
  type GT,
  type NamespaceLists,
  namespaceOf,
  type Pairing,
  type Policy,
  parsePolicy,
  readingKeySpace,
  signingKeySpace,
  utf8,
  verify,
} from "@chartseal/crypto";
import {
  chainIdOf,
  commitOfValue,
  commitValue,
  decodeTransaction,
  entries,
  type Ledger,
  periodLabel,
  type RecordValue,
  type Transaction,
  verifyAsAccount,
} from "@chartseal/ledger";
import type { Author } from "../retrieve.ts";
import { readEntry } from "../state.ts";
import { type Evidence, EvidenceCollector, entryOf, evidenceFaults } from "./evidence.ts";
import { receiptBytesMax } from "./format.ts";

const receiptVersion = 1;

export interface Receipt {
  readonly chainId: Uint8Array;
  readonly recordId: Uint8Array;
  readonly evidence: Evidence;
}

/** What a receipt proves under a genesis. */
export interface ProvedRecord {
  /** The record after its latest deposit or rekey in the receipt. */
  readonly record: RecordValue;
  readonly mpk: GT;
  readonly author: Author;
}

/** Gathers a record's receipt from a ledger. */
export async function collectReceipt(
  ledger: Ledger,
  recordId: Uint8Array,
  record: RecordValue,
): Promise<Receipt> {
  const collector = new EvidenceCollector(ledger);
  const deposited = await collector.transaction(record.deposit);
  const latest = record.rekey === null ? deposited : await collector.transaction(record.rekey);
  await collector.state(entries.record, recordId, latest);
  await collector.state(entries.committee, utf8("reading"), deposited);
  await collector.state(entries.committee, utf8("signing"), deposited);
  await collectOwner(ledger, collector, { owner: record.owner, height: deposited });
  if (latest !== deposited) await collectOwner(ledger, collector, { owner: record.owner, height: latest });
  if (record.authorPolicy !== null)
    await collectSigning(collector, parsePolicy(record.authorPolicy), deposited);
  return { chainId: ledger.chainId, recordId, evidence: await collector.evidence() };
}

/** The owner's account at a block; where its key was replaced in that very block, before it too. */
async function collectOwner(
  ledger: Ledger,
  collector: EvidenceCollector,
  { owner, height }: { readonly owner: Uint8Array; readonly height: number },
): Promise<void> {
  const account = await collector.state(entries.account, owner, height);
  const key = account && (await readEntry(ledger, entries.accountKey, account.publicKey));
  if (key?.fromHeight === height && height > 1) await collector.state(entries.account, owner, height - 1);
}

/** Lists and periods at the deposit's block; a period that changed in that very block is proved before it too. */
async function collectSigning(collector: EvidenceCollector, policy: Policy, height: number): Promise<void> {
  for (const namespace of new Set(policy.attributes.map(namespaceOf))) {
    await collector.state(entries.namespaceLists, utf8(namespace), height);
  }
  for (const attribute of new Set(policy.attributes)) {
    const period = await collector.state(entries.period, utf8(attribute), height);
    if (period?.height === height && height > 1) {
      await collector.state(entries.period, utf8(attribute), height - 1);
    }
  }
}

/** Deterministic CBOR [1, chain id, record id, [[header, commit] …], [[bytes, height, index, [hash …]] …],
 * [[kind, key, height, value | null, proof] …]]. */
export function encodeReceipt({ chainId, recordId, evidence }: Receipt): Uint8Array {
  return encode([
    receiptVersion,
    chainId,
    recordId,
    evidence.blocks.map(({ header, commit }) => [header, commitValue(commit)]),
    evidence.transactions.map(({ bytes, height, index, proof }) => [bytes, height, index, [...proof]]),
    evidence.states.map(({ kind, key, height, value, proof }) => [kind, key, height, value, proof]),
  ]);
}

/** @throws ChartsealError `chain-altered` for what is no receipt: the file was altered */
export function decodeReceipt(bytes: Uint8Array): Receipt {
  try {
    const items = list(decode(bytes, { sizeMax: receiptBytesMax }), 6);
    if (items[0] !== receiptVersion) throw malformed();
    return {
      chainId: sized(items[1], 32),
      recordId: sized(items[2], 32),
      evidence: {
        blocks: list(items[3]).map((item) => {
          const [header, commit] = list(item, 2);
          return { header: sized(header), commit: commitOfValue(commit) };
        }),
        transactions: list(items[4]).map((item) => {
          const [transaction, height, index, proof] = list(item, 4);
          const siblings = list(proof).map((one) => sized(one, 32));
          return { bytes: sized(transaction), height: whole(height), index: whole(index), proof: siblings };
        }),
        states: list(items[5]).map((item) => {
          const [kind, key, height, value, proof] = list(item, 5);
          if (whole(kind) > 255) throw malformed();
          const at = { kind: whole(kind), key: sized(key), height: whole(height), proof: sized(proof) };
          return { ...at, value: value === null ? null : sized(value) };
        }),
      },
    };
  } catch (cause) {
    if (cause instanceof ChartsealError && cause.code === "encoding-invalid")
      throw doesNotHold("its receipt", cause);
    throw cause;
  }
}

function malformed(): ChartsealError {
  return new ChartsealError("encoding-invalid", "not the encoding of a receipt");
}

function doesNotHold(what: string, cause?: unknown): ChartsealError {
  const message = `the portable record's receipt does not hold: ${what}`;
  return new ChartsealError("chain-altered", message, { data: { part: "receipt", detail: what }, cause });
}

function list(value: CborValue | undefined, size?: number): readonly CborValue[] {
  if (!Array.isArray(value) || (size !== undefined && value.length !== size)) throw malformed();
  return value as readonly CborValue[];
}

function sized(value: CborValue | undefined, size?: number): Uint8Array {
  if (!(value instanceof Uint8Array) || (size !== undefined && value.length !== size)) throw malformed();
  return value;
}

function whole(value: CborValue | undefined): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw malformed();
  return value;
}

/** Whether the receipt is of the chain that this genesis begins. */
export function isOfChain({ chainId }: Receipt, genesis: Uint8Array): boolean {
  return equalBytes(chainId, chainIdOf(genesis));
}

/**
 * Checks a receipt of this genesis' chain: every commit, inclusion and state proof, that the transactions are the
 * record's, and the author's signature with the lists and periods of the deposit's block.
 * @throws ChartsealError `chain-altered`, `signature-invalid`
 */
export function checkReceipt(pairing: Pairing, receipt: Receipt, genesis: Uint8Array): ProvedRecord {
  const { evidence, recordId } = receipt;
  const [fault] = isOfChain(receipt, genesis)
    ? evidenceFaults(evidence, genesis)
    : [{ detail: "it is of another chain" }];
  if (fault !== undefined) throw doesNotHold(fault.detail);
  const parsed = evidence.transactions.map(({ bytes, height }) => ({ height, transaction: parse(bytes) }));
  const latest = parsed.at(-1);
  const record = latest && entryOf(evidence, entries.record, { key: recordId, height: latest.height });
  if (latest === undefined || record === undefined || record === null)
    throw doesNotHold("it shows no record");
  const named = (identifier: Uint8Array) =>
    parsed.find(({ transaction }) => equalBytes(transaction.identifier, identifier));
  const deposit = named(record.deposit);
  const rekey = record.rekey === null ? undefined : named(record.rekey);
  if (deposit === undefined || (record.rekey !== null && rekey === undefined)) {
    throw doesNotHold("a transaction that the record names is missing");
  }
  const owner = { evidence, record, chainId: receipt.chainId };
  demandRecordTransaction(receipt, deposit.transaction, "deposit");
  if (rekey !== undefined) {
    demandRecordTransaction(receipt, rekey.transaction, "rekey");
    demandOwnerSigned(owner, rekey);
  }
  const author = authorIn(pairing, owner, deposit);
  const mpk = committeeIn(evidence, deposit.height, "reading", (bytes) =>
    decodeCommitteeKey(readingKeySpace(pairing), bytes),
  ).publicKey;
  return { record, mpk, author };
}

interface Parsed {
  readonly height: number;
  readonly transaction: Transaction;
}

interface Shown {
  readonly evidence: Evidence;
  readonly record: RecordValue;
  readonly chainId: Uint8Array;
}

function parse(bytes: Uint8Array): Transaction {
  try {
    return decodeTransaction(bytes);
  } catch (cause) {
    throw doesNotHold("a transaction is malformed", cause);
  }
}

function demandRecordTransaction(
  { chainId, recordId }: Receipt,
  { body }: Transaction,
  kind: "deposit" | "rekey",
): void {
  const { action } = body;
  const own =
    action.kind === kind && equalBytes(action.recordId, recordId) && equalBytes(body.chainId, chainId);
  if (!own) throw doesNotHold(`a ${kind} is not this record's`);
}

/** The owner's account signature over a transaction, under a key that the account had in that block. */
function demandOwnerSigned({ evidence, record, chainId }: Shown, { height, transaction }: Parsed): void {
  const { body, bodyBytes, authorisation } = transaction;
  const signature = authorisation.account;
  const place = { chainId, era: body.era };
  const signed =
    signature !== null &&
    equalBytes(signature.account, record.owner) &&
    [height, height - 1].some((at) => {
      const account = entryOf(evidence, entries.account, { key: record.owner, height: at });
      return account != null && verifyAsAccount(account.publicKey, signature, bodyBytes, place);
    });
  if (!signed)
    throw new ChartsealError("signature-invalid", "a transaction of the receipt is not signed by the owner");
}

/** Who wrote the record, every signature checked again. */
function authorIn(pairing: Pairing, shown: Shown, deposit: Parsed): Author {
  const { record } = shown;
  const { body, authorisation } = deposit.transaction;
  if (body.action.kind !== "deposit") throw doesNotHold("it has no deposit");
  const { authorPolicy, statement } = body.action;
  if (authorisation.account !== null) demandOwnerSigned(shown, deposit);
  const reencrypted = !equalBytes(statement.payloadDigest, record.current.payloadDigest);
  if (authorPolicy === null || authorisation.attributes === null) {
    if (authorisation.account === null) throw doesNotHold("nobody signed the deposit");
    return { kind: "owner", account: record.owner, reencrypted };
  }
  if (!authorSigned(pairing, shown, deposit, parsePolicy(authorPolicy))) {
    throw new ChartsealError("signature-invalid", "the author's signature does not prove its policy", {
      data: { policy: authorPolicy },
    });
  }
  return { kind: "attributes", policy: authorPolicy, verified: !reencrypted, reencrypted };
}

/** The attribute-based signature, under the periods after the deposit's block or, where one changed in it, before. */
function authorSigned(
  pairing: Pairing,
  shown: Shown,
  { height, transaction }: Parsed,
  policy: Policy,
): boolean {
  const { evidence, chainId } = shown;
  const key = committeeIn(evidence, height, "signing", (bytes) =>
    decodeCommitteeKey(signingKeySpace(pairing, committeeBase(pairing)), bytes),
  ).publicKey;
  const namespaces = new Map<string, NamespaceLists>();
  for (const name of new Set(policy.attributes.map(namespaceOf))) {
    const lists = entryOf(evidence, entries.namespaceLists, { key: utf8(name), height });
    if (lists === undefined || lists === null) throw doesNotHold(`the lists of ${name} are missing`);
    namespaces.set(name, decodeNamespaceLists(pairing, lists));
  }
  const { identifier, authorisation } = transaction;
  const signature = decodeSignature(pairing, authorisation.attributes ?? new Uint8Array(0));
  const signed = { policy, namespaces, chainId, kind: "deposit", message: identifier, signature };
  return [height, height - 1].some((at) => {
    const periods = periodsAt(evidence, policy, height, at);
    return periods !== undefined && verify(pairing, key, { ...signed, periods });
  });
}

function periodsAt(
  evidence: Evidence,
  policy: Policy,
  height: number,
  at: number,
): Map<string, string> | undefined {
  const periods = new Map<string, string>();
  for (const attribute of policy.attributes) {
    const key = utf8(attribute);
    const before = entryOf(evidence, entries.period, { key, height: at });
    const period = before === undefined ? entryOf(evidence, entries.period, { key, height }) : before;
    // Shown to be absent is another thing than not shown: it was signed under no label then.
    if (period === undefined) return undefined;
    periods.set(attribute, periodLabel(period));
  }
  return periods;
}

function committeeIn<V extends GT | G2>(
  evidence: Evidence,
  height: number,
  session: "reading" | "signing",
  read: (bytes: Uint8Array) => CommitteeKey<V>,
): CommitteeKey<V> {
  const bytes = entryOf(evidence, entries.committee, { key: utf8(session), height });
  if (bytes === undefined || bytes === null) throw doesNotHold(`the committee's key (${session}) is missing`);
  return read(bytes);
}
