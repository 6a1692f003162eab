/**
 * What a library's decoder is not trusted with: sizes, the flag bits of the ZCash encoding (zkcrypto/pairing, "BLS12-381
 * serialization"; three most significant bits: compressed, infinity, larger y), and coefficients below the field's q.
 */
import { ChartsealError } from "../errors.ts";

/** q, the order of the base field: 381 bits. */
export const fieldOrder =
  0x1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaabn;

/** Size of an encoded field element. */
export const fieldSize = 48;

const compressedFlag = 0x80;
const infinityFlag = 0x40;
const largerFlag = 0x20;
const fieldOrderBytes = Uint8Array.from({ length: fieldSize }, (_, i) =>
  Number((fieldOrder >> BigInt(8 * (fieldSize - 1 - i))) & 0xffn),
);

export function refuse(what: string): never {
  throw new ChartsealError("encoding-invalid", what);
}

/** True if the 48 big-endian bytes at `offset`, with the bits of `mask` cleared in the first, are below q. */
function isBelowFieldOrder(bytes: Uint8Array, offset: number, mask: number): boolean {
  for (let i = 0; i < fieldSize; i++) {
    const byte = (bytes[offset + i] ?? 0) & (i === 0 ? ~mask : 0xff);
    const bound = fieldOrderBytes[i] ?? 0;
    if (byte !== bound) return byte < bound;
  }
  return false;
}

/**
 * Checks size, flags and coefficients of a compressed point of 48 or 96 bytes; whether it is on the curve and in the
 * subgroup is left to the backend. @returns whether it is the identity @throws ChartsealError `encoding-invalid`
 */
export function checkCompressedPoint(bytes: Uint8Array, sizeBytes: number): "identity" | "point" {
  if (bytes.length !== sizeBytes) refuse(`a point has ${sizeBytes} bytes`);
  const first = bytes[0] ?? 0;
  if ((first & compressedFlag) === 0) refuse("the point is not in compressed form");
  if ((first & infinityFlag) !== 0) {
    if (first !== (compressedFlag | infinityFlag) || bytes.some((byte, i) => i > 0 && byte !== 0)) {
      refuse("the identity has one encoding, and this is another");
    }
    return "identity";
  }
  const flags = compressedFlag | infinityFlag | largerFlag;
  for (let offset = 0; offset < sizeBytes; offset += fieldSize) {
    if (!isBelowFieldOrder(bytes, offset, offset === 0 ? flags : 0))
      refuse("a coordinate is not below the field's order");
  }
  return "point";
}

/** Checks that 576 bytes are twelve coefficients below q, not all zero. @throws ChartsealError `encoding-invalid` */
export function checkTargetCoefficients(bytes: Uint8Array): void {
  if (bytes.length !== 12 * fieldSize) refuse("an element of GT has 576 bytes");
  for (let offset = 0; offset < bytes.length; offset += fieldSize) {
    if (!isBelowFieldOrder(bytes, offset, 0)) refuse("a coefficient is not below the field's order");
  }
  if (bytes.every((byte) => byte === 0)) refuse("zero is not in GT");
}
