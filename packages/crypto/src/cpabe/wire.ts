/**
 * The bytes of encapsulations and attribute keys: one canonical form each, as arrays of the deterministic encoding
 * (encoding.ts), and strict decoders that throw nothing but `encoding-invalid` (CRYPTO §0, §2).
 *
 * Encapsulation: [c1 (96), [c2_1 … c2_τ] (96 each), [c3_1 … c3_ℓ] (48 each), mask (32), R (96), s (32)].
 * AttributeKey: [k1 (48), [[attribute, k2 (48)] …] ascending by the attribute's bytes, k3 (96)].
 */
import { compareBytes, utf8 } from "../bytes.ts";
import type { CborValue } from "../encoding.ts";
import { ChartsealError } from "../errors.ts";
import type { G1, Pairing, Scalar } from "../pairing/pairing.ts";
import { decodeScalar, encodeScalar, scalarSize } from "../pairing/scalar.ts";
import { isAttribute } from "../policy/attribute.ts";
import type { Policy } from "../policy/policy.ts";
import type { Encapsulation } from "./cpabe.ts";
import { messageSizeBytes } from "./fo.ts";
import { type AttributeKey, shapeOf } from "./scheme.ts";

/** The most attributes that an encoded key may hold. */
export const keyAttributesMax = 4096;

export function encodeEncapsulation(pairing: Pairing, encapsulation: Encapsulation): CborValue {
  const { g1, g2 } = pairing;
  const { c1, c2, c3, mask, proof } = encapsulation;
  return [
    g2.encode(c1),
    c2.map((point) => g2.encode(point)),
    c3.map((point) => g1.encode(point)),
    mask,
    g2.encode(proof.R),
    encodeScalar(proof.s),
  ];
}

/**
 * Every element in its subgroup, c1 ≠ 0, as many c2 and c3 as the policy implies. Costs a subgroup check an element.
 * @throws ChartsealError `encoding-invalid`
 */
export function decodeEncapsulation(pairing: Pairing, value: CborValue, policy: Policy): Encapsulation {
  const { g1, g2 } = pairing;
  const shape = shapeOf(policy);
  const [c1, c2, c3, mask, R, s] = array(value, 6);
  // The counts are compared before any point is decoded, so that a long list costs nothing.
  const c2Bytes = array(c2, shape.tau);
  const c3Bytes = array(c3, shape.program.rows.length);
  return {
    c1: g2.decode(bytes(c1, g2.size), { identity: "reject" }),
    c2: c2Bytes.map((item) => g2.decode(bytes(item, g2.size))),
    c3: c3Bytes.map((item) => g1.decode(bytes(item, g1.size))),
    mask: bytes(mask, messageSizeBytes),
    proof: { R: g2.decode(bytes(R, g2.size)), s: scalarOf(s) },
  };
}

/** Attributes ascending by their bytes, whatever the map's order. */
export function encodeAttributeKey(pairing: Pairing, key: AttributeKey): CborValue {
  const { g1, g2 } = pairing;
  const entries = [...key.k2].sort(([a], [b]) => compareBytes(utf8(a), utf8(b)));
  return [
    g1.encode(key.k1),
    entries.map(([attribute, point]) => [attribute, g1.encode(point)]),
    g2.encode(key.k3),
  ];
}

/**
 * Well-formed attributes in ascending order, none twice, every element in its subgroup, k3 ≠ 0 (with r = 0, k1 would
 * be [α]g1, the master key).
 * @throws ChartsealError `encoding-invalid`
 */
export function decodeAttributeKey(pairing: Pairing, value: CborValue): AttributeKey {
  const { g1, g2 } = pairing;
  const [k1, entries, k3] = array(value, 3);
  const k2 = new Map<string, G1>();
  let previous: Uint8Array | undefined;
  const list = array(entries);
  if (list.length > keyAttributesMax) throw invalid("a key holds too many attributes");
  for (const entry of list) {
    const [attribute, point] = array(entry, 2);
    const name = attributeText(attribute);
    const nameBytes = utf8(name);
    if (previous !== undefined && compareBytes(previous, nameBytes) >= 0) {
      throw invalid("a key's attributes are not in ascending order");
    }
    previous = nameBytes;
    k2.set(name, g1.decode(bytes(point, g1.size)));
  }
  return {
    k1: g1.decode(bytes(k1, g1.size)),
    k2,
    k3: g2.decode(bytes(k3, g2.size), { identity: "reject" }),
  };
}

/** 32 bytes, big-endian, below p. @throws ChartsealError `encoding-invalid` */
export function scalarOf(value: CborValue | undefined): Scalar {
  return decodeScalar(bytes(value, scalarSize));
}

/** A copy, so that the decoded value stays what was checked. @throws ChartsealError `encoding-invalid` */
export function bytes(value: CborValue | undefined, size: number): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length !== size) throw invalid(`expected ${size} bytes`);
  return value.slice();
}

/** An array, of exactly `size` items where given. @throws ChartsealError `encoding-invalid` */
export function array(value: CborValue | undefined, size?: number): readonly CborValue[] {
  if (!Array.isArray(value) || (size !== undefined && value.length !== size)) {
    throw invalid(size === undefined ? "expected an array" : `expected an array of ${size}`);
  }
  return value;
}

function attributeText(value: CborValue | undefined): string {
  if (typeof value !== "string" || !isAttribute(value)) throw invalid("expected an attribute");
  return value;
}

function invalid(message: string): ChartsealError {
  return new ChartsealError("encoding-invalid", message);
}
