/**
 * The provider's way out (CRYPTO §3.1, "The provider's checks, in this order"): (1) both signatures of the reveal;
 * (2) grant, record, account, live key and attributes at the ledger's head; (3) the header against the ledger, and its
 * proof of knowledge; (4) the receipt, which the ledger takes once; (5) after that block and after (2) once more, T.
 * A grant that was used by the same reveal is answered again with the same T until it lapses.
 */
import {
  ChartsealError,
  decapsulate,
  decodeDescriptor,
  decodeSpanTree,
  equalBytes,
  type LeafSource,
  listLeavesMax,
  type Policy,
  parsePolicy,
  sealedPolicy,
  select,
  spanLeaves,
  spanProof,
  toHex,
} from "@chartseal/crypto";
import { emptyKey, entries, outcomes, type RecordValue, type RequestValue } from "@chartseal/ledger";
import type { ObjectStore } from "@chartseal/storage";
import { readCommittee } from "../committee.ts";
import type { Reveal, Transformed } from "../parties.ts";
import { endedOf } from "../signing.ts";
import { isVouched, readAccount, readEntry, readRequest, requireRecord } from "../state.ts";
import { getRange, getWhole, readAll } from "../streams.ts";
import { AccountWriter } from "../submit.ts";
import { checkHeader } from "./header-check.ts";
import { sealReceipt, verifyReveal } from "./reveal.ts";
import { type CustodyKey, headerName } from "./stores.ts";
import { type ProviderSelf, spanTreeName } from "./take.ts";

/** Largest header or list of leaves that is read whole, in bytes. */
const wholeBytesMax = 4 * 1024 * 1024;

interface Granted {
  readonly request: RequestValue;
  readonly record: RecordValue;
  readonly custody: CustodyKey;
  /** The rows' attributes that are used, all in force. */
  readonly attributes: readonly string[];
}

/** @throws ChartsealError `signature-invalid`, `grant-missing`, `revoked`, `erased`, `policy-unsatisfied`, … */
export async function transform(self: ProviderSelf, reveal: Reveal): Promise<Transformed> {
  const { surroundings, identity, stores } = self;
  const { ledger, pairing } = surroundings;
  const request = await readRequest(ledger, reveal.requestId);
  const place = {
    chainId: ledger.chainId,
    provider: identity.account,
    recordDigest: request?.recordDigest ?? new Uint8Array(32),
  };
  if (request === undefined) throw grantMissing("the ledger holds no such request");
  const ownKeys = equalBytes(request.oneTimeKey, reveal.oneTimePublicKey);
  if (!ownKeys || !verifyReveal(reveal, place)) {
    throw new ChartsealError(
      "signature-invalid",
      "the reveal is not signed by the request's key and the account's",
    );
  }
  const granted = await judge(self, reveal).catch(async (error: unknown) => {
    await recordRefusal(self, reveal, error);
    throw error;
  });
  const { record } = granted;
  const committee = await readCommittee(ledger, pairing);
  const bytes = await getWhole(stores.objects, headerName(record.address), wholeBytesMax);
  const registered = { ...record, recordId: reveal.recordId, statement: record.current };
  const header = checkHeader(pairing, { bytes, registered, mpk: committee.reading.publicKey });
  if (granted.request.receipt === null) {
    const owner = await readAccount(ledger, record.owner);
    if (owner?.hpkeKey == null)
      throw new ChartsealError("defect", "the owner's account has no key to seal to");
    const sealed = await sealReceipt(pairing, {
      reveal,
      place,
      owner: { account: record.owner, hpkeKey: owner.hpkeKey },
      auditKey: committee.audit.publicKey,
    });
    await stores.answered.put(reveal.requestId, reveal.account);
    await new AccountWriter(surroundings, identity).submit({
      kind: "receipt",
      requestId: reveal.requestId,
      provider: identity.account,
      ...sealed,
    });
  }
  const again = await judge(self, reveal);
  const shared = decapsulate(pairing, {
    key: again.custody.key,
    policy: header.policy,
    encapsulation: header.encapsulation,
    attributes: again.attributes,
  });
  return {
    transform: pairing.gt.encode(shared),
    header: bytes,
    leaves: await leafSource(stores.leaves, again.record),
    payload: (offset, length) => getRange(stores.objects, again.record.address, { offset, length }),
  };
}

/** Step (2): everything that the ledger must say now. */
async function judge({ surroundings, stores }: ProviderSelf, reveal: Reveal): Promise<Granted> {
  const { ledger, now } = surroundings;
  const request = await readRequest(ledger, reveal.requestId);
  if (request === undefined || request.outcome !== outcomes.granted || request.refusal !== null) {
    throw grantMissing("the request was not granted");
  }
  if (!equalBytes(request.recordId, reveal.recordId)) throw grantMissing("the grant is for another record");
  const era = (await readEntry(ledger, entries.era, emptyKey))?.era ?? 0;
  if (request.era !== era) throw grantMissing("the grant is of an era that a restore has ended");
  const head = await ledger.head();
  if (Math.max(head.timestampMs, now()) >= request.lapsesMs) throw grantMissing("the grant has lapsed");
  const record = await requireRecord(ledger, reveal.recordId);
  if (record.erasedHeight !== null) throw new ChartsealError("erased", "the record was erased");
  if (record.version !== request.version) throw grantMissing("the record has another version by now");
  const account = await readAccount(ledger, reveal.account);
  if (account === undefined || !equalBytes(account.publicKey, reveal.publicKey)) {
    throw new ChartsealError("revoked", "the reader's account is not active, or has another key");
  }
  if (request.account !== null && !equalBytes(request.account, reveal.account)) {
    throw new ChartsealError("signature-invalid", "the request named another account");
  }
  if (request.receipt !== null) await demandSameReader(stores, reveal);
  const live = await readEntry(ledger, entries.liveKey, reveal.account);
  const isLive = live !== undefined && equalBytes(live.keyId, reveal.transformKeyId);
  const custody = isLive ? await stores.keys.get(reveal.account, live.keyId) : undefined;
  if (custody === undefined) {
    throw new ChartsealError("revoked", "the reader's transform key is not the live one", {
      hint: "A new key is issued at the next grant.",
    });
  }
  const policy = sealedPolicy(parsePolicy(record.policy), toHex(record.owner));
  const attributes = await attributesInForce(surroundings, { custody, policy, account: reveal.account });
  return { request, record, custody, attributes };
}

/**
 * A used grant is answered again to the account that its receipt names and to no other: else a second reader, lent the
 * one-time key, would read under the first one's receipt.
 */
async function demandSameReader({ answered }: ProviderSelf["stores"], reveal: Reveal): Promise<void> {
  const account = await answered.get(reveal.requestId);
  if (account !== undefined && equalBytes(account, reveal.account)) return;
  throw grantMissing("the grant was used by another reveal");
}

/**
 * The smallest set of rows of which every attribute stands on the ledger. A key that holds an attribute whose vouch was
 * ended, as after a restored backup, is not used with it.
 * @throws ChartsealError `policy-unsatisfied`; `revoked` where ended vouches would have satisfied the policy
 */
async function attributesInForce(
  { ledger }: ProviderSelf["surroundings"],
  options: { custody: CustodyKey; policy: Policy; account: Uint8Array },
): Promise<string[]> {
  const { custody, policy, account } = options;
  const held = policy.attributes.filter((attribute) => custody.key.k2.has(attribute));
  const standing: string[] = [];
  for (const attribute of new Set(held))
    if (await isVouched(ledger, account, attribute)) standing.push(attribute);
  if (select(policy, new Set(standing)) !== undefined) return standing;
  // What was taken from the key at the revocation stands on the ledger as ended: the reason is told, not its effect.
  const ended = await endedOf(ledger, account, policy.attributes);
  if (select(policy, new Set([...held, ...ended])) !== undefined) {
    throw new ChartsealError("revoked", "an attribute that the reader needs was revoked", {
      data: { attributes: ended },
    });
  }
  throw new ChartsealError("policy-unsatisfied", "the reader's key does not satisfy the record's policy", {
    data: { policy: policy.text },
  });
}

/** A proved request that the provider refuses is an entry of the record's log: request and code, never an account. */
async function recordRefusal(
  { surroundings, identity }: ProviderSelf,
  reveal: Reveal,
  error: unknown,
): Promise<void> {
  if (!(error instanceof ChartsealError) || error.family !== "refused" || error.code === "grant-missing")
    return;
  const { requestId } = reveal;
  try {
    await new AccountWriter(surroundings, identity).submit({ kind: "refuse", requestId, code: error.code });
  } catch {
    // The refusal stands whether or not it could be recorded: the grant lapses by itself.
  }
}

/** The leaf hashes whole, or by spans where there are many. */
export async function leafSource(leaves: ObjectStore, record: RecordValue): Promise<LeafSource> {
  const { chunkBytes } = decodeDescriptor(record.current.descriptor);
  const { address } = record;
  const count = Math.max(1, Math.ceil(record.current.payloadLength / chunkBytes));
  if (count <= spanLeaves) return { list: await getWhole(leaves, address, 32 * listLeavesMax) };
  const tree = decodeSpanTree(await getWhole(leaves, spanTreeName(address), wholeBytesMax));
  return {
    span: async (index) => {
      const offset = 32 * spanLeaves * index;
      const length = 32 * Math.min(spanLeaves, count - spanLeaves * index);
      const leafHashes = await readAll(getRange(leaves, address, { offset, length }), length);
      return { leafHashes, proof: spanProof(tree, index) };
    },
  };
}

function grantMissing(message: string): ChartsealError {
  return new ChartsealError("grant-missing", message);
}
