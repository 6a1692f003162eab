/**
 * The provider's side of a dispute: it opens the key that the statement names to the judges. Only the parts of the rows
 * that it used are shown; every other part as the hash that its id is made of, so that no judge learns more than this T
 * took. A provider that has no such key has nothing to open, and is judged by that.
 */
import {
  type AttributeKey,
  type CborValue,
  ChartsealError,
  decode,
  decodeAttributeKey,
  encode,
  encodeAttributeKey,
  equalBytes,
  type Pairing,
  parsePolicy,
  sealedPolicy,
  toHex,
} from "@chartseal/crypto";
import { disputeAnswerMs, entries, type RefusalName } from "@chartseal/ledger";
import { transformKeyId, withoutParts } from "../provider/custody-key.ts";
import { Postponed } from "../provider/postponed.ts";
import type { ProviderAtWork } from "../provider/self.ts";
import type { CustodyKey } from "../provider/stores.ts";
import { readEntry, requireRecord } from "../state.ts";
import { type Dispute, sealToJudges } from "./box.ts";

export function encodeOpening(pairing: Pairing, { key, dropped }: CustodyKey): Uint8Array {
  return encode([
    encodeAttributeKey(pairing, key),
    [...dropped].map(([attribute, hash]) => [attribute, hash]),
  ]);
}

/** @throws ChartsealError `encoding-invalid` */
export function decodeOpening(pairing: Pairing, bytes: Uint8Array): Pick<CustodyKey, "key" | "dropped"> {
  const value = decode(bytes, { sizeMax: 1 << 18 });
  const [encoded, hashes] = Array.isArray(value) && value.length === 2 ? value : [];
  if (encoded === undefined || !Array.isArray(hashes)) throw malformed();
  const key: AttributeKey = decodeAttributeKey(pairing, encoded);
  const dropped = new Map(hashes.map(droppedPart));
  if (dropped.size !== hashes.length || [...dropped.keys()].some((one) => key.k2.has(one))) throw malformed();
  return { key, dropped };
}

function droppedPart(value: CborValue): [string, Uint8Array] {
  const [attribute, hash] = Array.isArray(value) && value.length === 2 ? value : [];
  if (typeof attribute !== "string" || !(hash instanceof Uint8Array) || hash.length !== 32) throw malformed();
  return [attribute, hash];
}

function malformed(): ChartsealError {
  return new ChartsealError("encoding-invalid", "an opened transform key is malformed");
}

/**
 * Opens what open disputes ask of this provider. Before anything that takes keys away.
 * @throws ChartsealError of the family `unavailable`, after all others were tried
 */
export async function openDisputed(self: ProviderAtWork): Promise<void> {
  const { surroundings, identity, disputes } = self;
  const postponed = new Postponed();
  const nowMs = Math.max((await surroundings.ledger.head()).timestampMs, surroundings.now());
  for (const dispute of await disputes.read()) {
    if (dispute.opening !== null || !equalBytes(dispute.provider, identity.account)) continue;
    if (nowMs > dispute.timestampMs + disputeAnswerMs) continue;
    await postponed.attempt(() => openOne(self, dispute));
  }
  postponed.end();
}

async function openOne(self: ProviderAtWork, dispute: Dispute): Promise<void> {
  const { surroundings, writer } = self;
  const custody = await custodyOf(self, dispute);
  if (custody === undefined) return;
  const plaintext = encodeOpening(surroundings.pairing, await usedParts(self, dispute, custody));
  const sealed = await sealToJudges(surroundings, dispute, { side: "provider", plaintext });
  try {
    await writer.submit({ kind: "open-transform-key", disputeId: dispute.disputeId, ...sealed });
  } catch (error) {
    if (!isOverMeanwhile(error)) throw error;
  }
}

/** Settled, answered or late between the look at the ledger and the block. */
function isOverMeanwhile(error: unknown): boolean {
  const over: readonly unknown[] = [
    "dispute-unknown",
    "dispute-answered",
    "dispute-late",
  ] satisfies RefusalName[];
  return error instanceof ChartsealError && over.includes(error.data.refusalName);
}

async function custodyOf(
  { surroundings, stores }: ProviderAtWork,
  { keyId, reader }: Dispute,
): Promise<CustodyKey | undefined> {
  const key = await readEntry(surroundings.ledger, entries.key, keyId);
  if (key === undefined) return undefined;
  const special = await readEntry(surroundings.ledger, entries.specialRequest, key.requestId);
  return special === undefined
    ? await stores.keys.get(reader, keyId)
    : await stores.special.get(special.grantId, keyId);
}

/** The key without what the statement's rows do not use. */
async function usedParts(self: ProviderAtWork, dispute: Dispute, custody: CustodyKey): Promise<CustodyKey> {
  const record = await requireRecord(self.surroundings.ledger, dispute.recordId);
  // Of a record that was rekeyed since, the policy of then is not at hand: the key is shown whole. So is one whose id is
  // of before the parts had hashes of their own.
  const { pairing } = self.surroundings;
  const byParts = equalBytes(transformKeyId(pairing, custody.key, custody.dropped), dispute.keyId);
  if (!byParts || !equalBytes(record.digest, dispute.recordDigest)) return custody;
  const policy = sealedPolicy(parsePolicy(record.policy), toHex(record.owner));
  const used = new Set(dispute.rows.map((row) => policy.attributes[row]));
  const unused = new Set([...custody.key.k2.keys()].filter((attribute) => !used.has(attribute)));
  return withoutParts(pairing, custody, unused);
}
