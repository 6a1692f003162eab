/**
 * The provider's way out (CRYPTO §3.1, "The provider's checks, in this order"): (1) both signatures of the reveal;
 * (2) grant, record, account, live key and attributes at the ledger's head; (3) the header against the ledger, and its
 * proof of knowledge; (4) the receipt, which the ledger takes once; (5) after that block and after (2) once more, T.
 * In an emergency and for a proxy the key of step (2) is the one for that grant alone (special.ts).
 * A grant that was used by the same reveal is answered again with the same T until it lapses.
 */
import {
  ChartsealError,
  type CommitteeKey,
  decapsulate,
  equalBytes,
  type G1,
  hasCode,
  headerBytesMax,
  type Policy,
  parsePolicy,
  sealedPolicy,
  select,
  sha256,
  toHex,
} from "@chartseal/crypto";
import {
  emptyKey,
  entries,
  identifierOf,
  outcomes,
  type RecordValue,
  type RequestValue,
  roles,
  signStatement,
  type TransformStatement,
} from "@chartseal/ledger";
import { readCommittee } from "../committee.ts";
import type { Reveal, Transformed } from "../parties.ts";
import { endedOf } from "../signing.ts";
import { isVouched, readAccount, readEntry, readRequest, requireRecord } from "../state.ts";
import { getRange, getWhole } from "../streams.ts";
import { currentBody } from "../submit.ts";
import { isKeyOfItsId } from "./custody-key.ts";
import { settlePending } from "./follow.ts";
import { checkHeader } from "./header-check.ts";
import { demandSize, leafSource } from "./payload.ts";
import { type RevealPlace, sealReceipt, verifyReveal } from "./reveal.ts";
import type { ProviderAtWork, ProviderSelf } from "./self.ts";
import { followSpecial, judgeSpecial, specialModeOf } from "./special.ts";
import { type CustodyKey, headerName } from "./stores.ts";

/** How long a store's own URL gives a payload: no longer than the rest of a grant. */
const directMs = 5 * 60_000;

interface Granted {
  readonly request: RequestValue;
  readonly record: RecordValue;
  readonly custody: CustodyKey;
  /** The rows' attributes that are used, all in force. */
  readonly attributes: readonly string[];
}

/** What a refusal that the record's log holds may name. */
const recordedCodes: readonly string[] = [
  "policy-unsatisfied",
  "revoked",
  "erased",
  "rule-missing",
  "rule-violated",
  "emergency-missing",
  "proxy-missing",
];

/** @throws ChartsealError `signature-invalid`, `grant-missing`, `revoked`, `erased`, `policy-unsatisfied`, … */
export async function transform(self: ProviderAtWork, reveal: Reveal): Promise<Transformed> {
  const { surroundings, identity } = self;
  const { ledger } = surroundings;
  const request = await readRequest(ledger, reveal.requestId);
  if (request === undefined) throw grantMissing("the ledger holds no such request");
  const { recordDigest, oneTimeKey } = request;
  const place = { chainId: ledger.chainId, provider: identity.account, recordDigest };
  if (!equalBytes(oneTimeKey, reveal.oneTimePublicKey) || !verifyReveal(reveal, place)) {
    throw new ChartsealError(
      "signature-invalid",
      "the reveal is not signed by the request's key and the account's",
    );
  }
  try {
    return await answer(self, reveal, place);
  } catch (error) {
    await recordRefusal(self, reveal, error);
    if (hasCode(error, "emergency-missing") || hasCode(error, "proxy-missing")) {
      await self.inTurn(() => followSpecial(self));
    }
    throw error;
  }
}

/** Steps (2) to (5), for a reveal whose signatures hold. */
async function answer(self: ProviderAtWork, reveal: Reveal, place: RevealPlace): Promise<Transformed> {
  const { surroundings, stores } = self;
  const { ledger, pairing } = surroundings;
  const { request, record } = await judge(self, reveal);
  const { reading, audit } = await readCommittee(ledger, pairing);
  const bytes = await storedHeader(self, reveal.recordId, record);
  const registered = { ...record, recordId: reveal.recordId, statement: record.current };
  const header = checkHeader(pairing, { bytes, registered, mpk: reading.publicKey });
  const bytesStored = await demandSize(stores.objects, record);
  const leaves = await leafSource(stores, record);
  if (request.receipt === null) await leaveReceipt(self, { reveal, place, owner: record.owner, audit });
  const again = await judge(self, reveal);
  const { policy, encapsulation } = header;
  const { attributes } = again;
  const shared = decapsulate(pairing, { key: again.custody.key, policy, encapsulation, attributes });
  const transformed = pairing.gt.encode(shared);
  return {
    transform: transformed,
    statement: signedAnswer(self, { reveal, place, transformed, policy, attributes }),
    header: bytes,
    leaves,
    payload: (offset, length, { lend = false } = {}) =>
      getRange(stores.objects, again.record.address, { offset, length, lend }),
    stored: { address: again.record.address, bytes: bytesStored },
    directUrl: async () => await stores.objects.direct?.getUrl(again.record.address, { expiresMs: directMs }),
  };
}

/** The provider's word for its T, with the rows that `decapsulate` chose among these attributes. */
function signedAnswer(
  { identity }: ProviderSelf,
  options: {
    readonly reveal: Reveal;
    readonly place: RevealPlace;
    readonly transformed: Uint8Array;
    readonly policy: Policy;
    readonly attributes: readonly string[];
  },
): TransformStatement {
  const { reveal, place, transformed, policy, attributes } = options;
  const { requestId, recordId, transformKeyId } = reveal;
  const about = { ...place, requestId, recordId, transformKeyId, answerHash: sha256(transformed) };
  return signStatement(identity, about, select(policy, new Set(attributes))?.rows ?? []);
}

/** The record's header; one that the ledger took a moment ago may still wait for its place. */
async function storedHeader(
  self: ProviderAtWork,
  recordId: Uint8Array,
  { address, version, headerHash }: RecordValue,
): Promise<Uint8Array> {
  const { objects } = self.stores;
  const bytes = await getWhole(objects, headerName(address), headerBytesMax);
  if (equalBytes(sha256(bytes), headerHash)) return bytes;
  await self.inTurn(() => settlePending(self, { recordId, version, headerHash }));
  return await getWhole(objects, headerName(address), headerBytesMax);
}

/**
 * The receipt, and who it names, kept before the ledger has it: what a crash leaves of it binds nobody. Where another
 * reveal's receipt came first, `judge` decides whether it was this reader's.
 */
async function leaveReceipt(
  self: ProviderAtWork,
  options: {
    readonly reveal: Reveal;
    readonly place: RevealPlace;
    readonly owner: Uint8Array;
    readonly audit: CommitteeKey<G1>;
  },
): Promise<void> {
  const { surroundings, identity, stores, writer } = self;
  const { reveal, place, audit } = options;
  const owner = await readAccount(surroundings.ledger, options.owner);
  if (owner?.hpkeKey == null) {
    throw new ChartsealError("defect", "the owner's account has no key to seal to");
  }
  const sealed = await sealReceipt(surroundings.pairing, {
    reveal,
    place,
    owner: { account: options.owner, hpkeKey: owner.hpkeKey },
    auditKey: audit.publicKey,
  });
  const action = {
    kind: "receipt",
    requestId: reveal.requestId,
    provider: identity.account,
    ...sealed,
  } as const;
  const body = await currentBody(surroundings, action);
  await stores.answered.put(identifierOf(body), reveal.account);
  try {
    await writer.submitBody(body);
  } catch (error) {
    const taken = error instanceof ChartsealError && error.data.refusalName === "grant-used";
    if (!taken) throw error;
  }
}

/** Step (2): everything that the ledger must say now. */
async function judge({ surroundings, identity, stores }: ProviderSelf, reveal: Reveal): Promise<Granted> {
  const { ledger } = surroundings;
  const { request, record } = await judgeGrant({ surroundings, identity }, reveal);
  const account = await readAccount(ledger, reveal.account);
  const isMember = account !== undefined && (account.roles & roles.member) !== 0;
  if (!isMember || !equalBytes(account.publicKey, reveal.publicKey)) {
    throw new ChartsealError("revoked", "the reader's account is not active, or has another key");
  }
  if (request.account !== null && !equalBytes(request.account, reveal.account)) {
    throw new ChartsealError("signature-invalid", "the request named another account");
  }
  if (request.receipt !== null) await demandSameReader(stores, request.receipt, reveal.account);
  const mode = specialModeOf(request);
  const used =
    mode === undefined
      ? await judgeLive({ surroundings, identity, stores }, { reveal, record })
      : await judgeSpecial({ surroundings, identity, stores }, { mode, reveal, record });
  if (mode !== undefined) demandIssued(surroundings, used.custody);
  return { request, record, ...used };
}

/** Before anything is said of what the key holds. @throws ChartsealError `issue-refused` */
function demandIssued({ pairing }: ProviderSelf["surroundings"], custody: CustodyKey): void {
  if (isKeyOfItsId(pairing, custody)) return;
  const sentence = "the key in custody is not the one that the ledger shows as issued";
  throw new ChartsealError("issue-refused", sentence, { hint: "chartseal keys renew issues a new one." });
}

/** The account's one live key, and those of its attributes that are in force. */
async function judgeLive(
  { surroundings, identity, stores }: ProviderSelf,
  { reveal, record }: { readonly reveal: Reveal; readonly record: RecordValue },
): Promise<Pick<Granted, "custody" | "attributes">> {
  const { ledger } = surroundings;
  const live = await readEntry(ledger, entries.liveKey, reveal.account);
  const isLive = live !== undefined && equalBytes(live.keyId, reveal.transformKeyId);
  const isHere = isLive && equalBytes(live.provider, identity.account);
  const custody = isHere ? await stores.keys.get(reveal.account, live.keyId) : undefined;
  if (custody === undefined) {
    throw new ChartsealError("revoked", "the reader's transform key is not the live one", {
      hint: "A new key is issued at the next grant.",
    });
  }
  demandIssued(surroundings, custody);
  const policy = sealedPolicy(parsePolicy(record.policy), toHex(record.owner));
  const attributes = await attributesInForce(surroundings, { custody, policy, account: reveal.account });
  return { custody, attributes };
}

/** The grant and its record: given, of this era, not lapsed by block time or clock, of the present version, here. */
async function judgeGrant(
  { surroundings, identity }: Pick<ProviderSelf, "surroundings" | "identity">,
  reveal: Reveal,
): Promise<Pick<Granted, "request" | "record">> {
  const { ledger, now } = surroundings;
  const request = await readRequest(ledger, reveal.requestId);
  if (request === undefined || request.outcome !== outcomes.granted || request.refusal !== null) {
    throw grantMissing("the request was not granted");
  }
  const era = (await readEntry(ledger, entries.era, emptyKey))?.era ?? 0;
  if (request.era !== era) throw grantMissing("the grant is of another era: a restore made it void");
  if (!equalBytes(request.recordId, reveal.recordId)) throw grantMissing("the grant is for another record");
  const head = await ledger.head();
  if (Math.max(head.timestampMs, now()) >= request.lapsesMs) throw grantMissing("the grant has lapsed");
  const record = await requireRecord(ledger, reveal.recordId);
  if (record.erasedHeight !== null) throw new ChartsealError("erased", "the record was erased");
  if (record.version !== request.version) throw grantMissing("the record has another version by now");
  if (!equalBytes(record.provider, identity.account)) throw grantMissing("another provider holds the record");
  return { request, record };
}

/**
 * A used grant is answered again to the account that its receipt names and to no other: else a second reader, lent the
 * one-time key, would read under the first one's receipt.
 */
async function demandSameReader(
  { answered }: ProviderSelf["stores"],
  receipt: Uint8Array,
  reader: Uint8Array,
): Promise<void> {
  const account = await answered.get(receipt);
  if (account !== undefined && equalBytes(account, reader)) return;
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
async function recordRefusal({ writer }: ProviderAtWork, reveal: Reveal, error: unknown): Promise<void> {
  if (!(error instanceof ChartsealError) || !recordedCodes.includes(error.code)) return;
  const { requestId } = reveal;
  try {
    await writer.submit({ kind: "refuse", requestId, code: error.code });
  } catch {
    // The refusal stands whether or not it could be recorded: the grant lapses by itself.
  }
}

function grantMissing(message: string): ChartsealError {
  return new ChartsealError("grant-missing", message);
}
