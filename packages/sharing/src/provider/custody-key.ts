/**
 * A transform key in custody and the id under which the ledger shows it as issued. The id commits to every part of the
 * key on its own, so that it still tells whose key this is after revocations took parts away: a key that was made off the
 * ledger, or that another file brought, has another id and is never used (CRYPTO §2.2).
 */
import {
  type AttributeKey,
  compareBytes,
  encode,
  encodeAttributeKey,
  equalBytes,
  fixed,
  type HashPart,
  hash,
  type Pairing,
  sha256,
  utf8,
} from "@chartseal/crypto";
import type { CustodyKey } from "./stores.ts";

type Parts = ReadonlyMap<string, Uint8Array>;
const noParts: Parts = new Map();

/** SHA-256 over t1, t3 and each attribute with its part's own hash, ascending by the attribute's bytes. */
export function transformKeyId(pairing: Pairing, key: AttributeKey, dropped: Parts = noParts): Uint8Array {
  const parts = [...partsOf(pairing, key), ...dropped].sort(([a], [b]) => compareBytes(utf8(a), utf8(b)));
  const hashed = parts.flatMap(([attribute, part]): HashPart[] => [utf8(attribute), fixed(part)]);
  const ends = [fixed(pairing.g1.encode(key.k1)), fixed(pairing.g2.encode(key.k3))];
  return hash("sharing/transform-key", ...ends, ...hashed);
}

function partsOf(pairing: Pairing, key: AttributeKey): [string, Uint8Array][] {
  return [...key.k2].map(([attribute, point]) => [
    attribute,
    hash("sharing/transform-part", utf8(attribute), fixed(pairing.g1.encode(point))),
  ]);
}

/** The key without the parts of these attributes; their hashes stay, which open nothing. */
export function withoutParts(
  pairing: Pairing,
  custody: CustodyKey,
  attributes: ReadonlySet<string>,
): CustodyKey {
  const { keyId, key } = custody;
  const gone = partsOf(pairing, key).filter(([attribute]) => attributes.has(attribute));
  const k2 = new Map([...key.k2].filter(([attribute]) => !attributes.has(attribute)));
  return { keyId, key: { ...key, k2 }, dropped: new Map([...custody.dropped, ...gone]) };
}

/**
 * Whether these bytes are the key that its id names. Ids of before the parts had hashes of their own are over the whole
 * key: such a key is known as long as it is whole.
 */
export function isKeyOfItsId(pairing: Pairing, { keyId, key, dropped }: CustodyKey): boolean {
  if (equalBytes(transformKeyId(pairing, key, dropped), keyId)) return true;
  return dropped.size === 0 && equalBytes(sha256(encode(encodeAttributeKey(pairing, key))), keyId);
}
