/**
 * Arithmetic modulo p, the order of G1, G2 and GT (255 bits), over `bigint`, and the 32-byte encoding of Fr.
 *
 * Nothing here is constant time: JavaScript's integers are not (docs/threat-model.md).
 */
import { fromBigInt, toBigInt } from "../bytes.ts";
import { assert, ChartsealError } from "../errors.ts";
import { order, type Scalar } from "./pairing.ts";

/** Size of an encoded scalar. */
export const scalarSize = 32;

/** Any integer, negative too, to 0 ≤ x < p. */
export function mod(value: bigint): Scalar {
  const rest = value % order;
  return rest < 0n ? rest + order : rest;
}

export function addMod(a: Scalar, b: Scalar): Scalar {
  return mod(a + b);
}

export function subtractMod(a: Scalar, b: Scalar): Scalar {
  return mod(a - b);
}

export function multiplyMod(a: Scalar, b: Scalar): Scalar {
  return mod(a * b);
}

export function negateMod(a: Scalar): Scalar {
  return mod(-a);
}

/** 1/a mod p by the extended Euclidean algorithm. @throws ChartsealError `defect` for zero */
export function invert(a: Scalar): Scalar {
  let [high, low] = [order, mod(a)];
  assert(low !== 0n, "zero has no inverse");
  let [before, now] = [0n, 1n];
  while (low !== 0n) {
    const quotient = high / low;
    [high, low] = [low, high - quotient * low];
    [before, now] = [now, before - quotient * now];
  }
  return mod(before);
}

/** 32 bytes, big-endian. @throws ChartsealError `defect` unless 0 ≤ x < p */
export function encodeScalar(a: Scalar): Uint8Array {
  assert(a >= 0n && a < order, "a scalar is reduced before it is encoded");
  return fromBigInt(a, scalarSize);
}

/** Exactly 32 bytes, strictly less than p. @throws ChartsealError `encoding-invalid` */
export function decodeScalar(bytes: Uint8Array): Scalar {
  const value = bytes.length === scalarSize ? toBigInt(bytes) : order;
  if (value >= order)
    throw new ChartsealError("encoding-invalid", "not 32 bytes of a scalar below the group order");
  return value;
}
