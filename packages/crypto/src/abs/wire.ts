/**
 * The bytes of signatures, namespaces' lists and proofs, and keys: deterministic CBOR arrays whose first item is the
 * version, 1, points joined in one byte string each. Strict decoders: every point in its subgroup, nothing left over.
 *
 *   signature  [1, Y 48, W 48, S_1…S_ℓ 48 each, P_1…P_c 96 each]
 *   lists      [1, A_1…A_n 96 each, B_1…B_n 96 each]          proof  [1, c_a 32, s_a 32, c_b 32, s_b 32]
 *   keys       [1, account 20, K_base 48, [[name@namespace#period, K_u 48] …] ascending]
 *   secret     [1, namespace, a 32, b 32]
 */
import { compareBytes, toHex, utf8 } from "../bytes.ts";
import { type CborValue, decode, encode } from "../encoding.ts";
import { ChartsealError } from "../errors.ts";
import { sha256 } from "../hash.ts";
import { LeastRecentlyUsed } from "../pairing/lru.ts";
import type { G1, Group, Pairing, Scalar } from "../pairing/pairing.ts";
import { decodeScalar, encodeScalar } from "../pairing/scalar.ts";
import { parseAttribute, parseSigningAttribute } from "../policy/attribute.ts";
import type { SigningKeys } from "./abs.ts";
import type { NamespaceLists, NamespaceProof, NamespaceSecret } from "./namespace-keys.ts";
import { columnsMax, encodeAll, type Signature } from "./scheme.ts";

const version = 1;
const rowsMax = 256;
const accountBytes = 20;

/** Most attributes of one account's signing keys. */
export const signingAttributesMax = 4096;

/** A signature's largest encoding, about 37 kB. */
export const signatureBytesMax = 48 * (2 + rowsMax) + 96 * columnsMax + 32;

/** @returns 48 (2 + ℓ) + 96 c bytes and the array around them */
export function encodeSignature({ g1, g2 }: Pairing, { Y, W, S, P }: Signature): Uint8Array {
  return encode([version, g1.encode(Y), g1.encode(W), encodeAll(g1, S), encodeAll(g2, P)]);
}

/**
 * Y ≠ 0 and W ≠ 0; whether ℓ and c fit the policy, `verify` checks. Costs a subgroup check a point.
 * @throws ChartsealError `encoding-invalid`
 */
export function decodeSignature({ g1, g2 }: Pairing, bytes: Uint8Array): Signature {
  const [Y, W, S, P] = fields(bytes, 4, signatureBytesMax);
  return {
    Y: g1.decode(byteString(Y), { identity: "reject" }),
    W: g1.decode(byteString(W), { identity: "reject" }),
    S: decodeAll(g1, S, rowsMax),
    P: decodeAll(g2, P, columnsMax),
  };
}

export function encodeNamespaceLists({ g2 }: Pairing, { A, B }: NamespaceLists): Uint8Array {
  return encode([version, encodeAll(g2, A), encodeAll(g2, B)]);
}

/** Lists kept decoded, since a subgroup check of 2 · 64 points takes longer than a signature's verification. */
const listsCacheMax = 64;
const listsCaches = new WeakMap<Pairing, LeastRecentlyUsed<NamespaceLists>>();

/**
 * 1 to 256 columns, A and B equally long. With `columns` only the first so many are decoded and checked, which is all
 * that a policy of so many columns uses: for lists that were registered, and so checked whole, before. The same bytes
 * give the same object while a bounded cache holds it.
 * @throws ChartsealError `encoding-invalid`
 */
export function decodeNamespaceLists(
  pairing: Pairing,
  bytes: Uint8Array,
  columns: number = columnsMax,
): NamespaceLists {
  let cache = listsCaches.get(pairing);
  if (cache === undefined) {
    cache = new LeastRecentlyUsed(listsCacheMax);
    listsCaches.set(pairing, cache);
  }
  const key = `${toHex(sha256(bytes))}:${columns}`;
  const found = cache.get(key);
  if (found !== undefined) return found;
  const [first, second] = fields(bytes, 2, 2 * 96 * columnsMax + 32);
  if (byteString(first).length !== byteString(second).length) throw invalid("the two lists differ in length");
  const points = (value: CborValue | undefined) => decodeAll(pairing.g2, value, columnsMax, columns);
  const lists = { A: points(first), B: points(second) };
  cache.add(key, lists);
  return lists;
}

export function encodeNamespaceProof({ a, b }: NamespaceProof): Uint8Array {
  return encode([version, ...[a.challenge, a.response, b.challenge, b.response].map(encodeScalar)]);
}

/** @throws ChartsealError `encoding-invalid` */
export function decodeNamespaceProof(bytes: Uint8Array): NamespaceProof {
  const [ca, sa, cb, sb] = fields(bytes, 4, 256).map(scalar);
  return {
    a: { challenge: ca as Scalar, response: sa as Scalar },
    b: { challenge: cb as Scalar, response: sb as Scalar },
  };
}

/** Secret: travels and rests encrypted to its account. */
export function encodeSigningKeys({ g1 }: Pairing, { account, base, attributes }: SigningKeys): Uint8Array {
  const sorted = [...attributes].sort(([a], [b]) => compareBytes(utf8(a), utf8(b)));
  return encode([version, account, g1.encode(base), sorted.map(([name, key]) => [name, g1.encode(key)])]);
}

/** @throws ChartsealError `encoding-invalid` */
export function decodeSigningKeys({ g1 }: Pairing, bytes: Uint8Array): SigningKeys {
  const [account, base, list] = fields(bytes, 3, signingAttributesMax * 256);
  if (!Array.isArray(list) || list.length > signingAttributesMax)
    throw invalid("too many attributes, or no list");
  const attributes = new Map<string, G1>();
  let previous: Uint8Array = new Uint8Array(0);
  for (const item of list as readonly CborValue[]) {
    if (!Array.isArray(item) || item.length !== 2) throw invalid("not a key");
    const [name, key] = item as readonly CborValue[];
    if (typeof name !== "string") throw invalid("an attribute is a text");
    const order = utf8(name);
    if (compareBytes(previous, order) >= 0) throw invalid("attributes ascend and none comes twice");
    previous = order;
    wellFormedName(() => parseSigningAttribute(name));
    attributes.set(name, g1.decode(byteString(key), { identity: "reject" }));
  }
  return {
    account: byteString(account, accountBytes),
    base: g1.decode(byteString(base), { identity: "reject" }),
    attributes,
  };
}

/** Secret: rests encrypted with the namespace. */
export function encodeNamespaceSecret({ namespace, a, b }: NamespaceSecret): Uint8Array {
  return encode([version, namespace, encodeScalar(a), encodeScalar(b)]);
}

/** @throws ChartsealError `encoding-invalid` */
export function decodeNamespaceSecret(bytes: Uint8Array): NamespaceSecret {
  const [namespace, first, second] = fields(bytes, 3, 256);
  if (typeof namespace !== "string") throw invalid("a namespace is a text");
  wellFormedName(() => parseAttribute(`a@${namespace}`));
  const [a, b] = [scalar(first), scalar(second)];
  if (a === 0n || b === 0n) throw invalid("a and b are not zero");
  return { namespace, a, b };
}

function invalid(message: string): ChartsealError {
  return new ChartsealError("encoding-invalid", message);
}

function wellFormedName(parse: () => unknown): void {
  try {
    parse();
  } catch {
    throw invalid("a malformed name");
  }
}

function fields(bytes: Uint8Array, count: number, sizeMax: number): readonly CborValue[] {
  const value = decode(bytes, { sizeMax });
  if (!Array.isArray(value) || value.length !== count + 1)
    throw invalid(`not an array of ${count + 1} items`);
  const [first, ...rest] = value as readonly CborValue[];
  if (first !== version) throw invalid("an unknown version");
  return rest;
}

function byteString(value: CborValue | undefined, size?: number): Uint8Array {
  if (!(value instanceof Uint8Array) || (size !== undefined && value.length !== size)) {
    throw invalid("not a byte string of the expected size");
  }
  return value;
}

function scalar(value: CborValue | undefined): Scalar {
  return decodeScalar(byteString(value));
}

/** 1 to `max` points, joined; the first `wanted` of them. */
function decodeAll<P>(group: Group<P>, value: CborValue | undefined, max: number, wanted: number = max): P[] {
  const bytes = byteString(value);
  const count = bytes.length / group.size;
  if (!Number.isInteger(count) || count < 1 || count > max) throw invalid("not a list of points");
  return Array.from({ length: Math.min(count, wanted) }, (_, i) =>
    group.decode(bytes.subarray(i * group.size, (i + 1) * group.size)),
  );
}
