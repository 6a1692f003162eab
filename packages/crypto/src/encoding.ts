/**
 * Deterministic CBOR (RFC 8949 §4.2.1), one encoding per value and a strict decoder.
 *
 * Values are unsigned and negative integers, byte strings, text, arrays, booleans and null: everything of ours is an
 * array, so maps, floats, tags and undefined are refused on both sides. Decoding re-encodes and compares, which closes
 * what the decoder alone lets through (invalid UTF-8, floats, over-long forms).
 */
import * as cborg from "cborg";
import { equalBytes } from "./bytes.ts";
import { ChartsealError } from "./errors.ts";

export type CborValue = number | bigint | string | boolean | null | Uint8Array | readonly CborValue[];

/** Deepest nesting that is encoded or decoded. */
export const depthMax = 24;

const decodeOptions = {
  allowIndefinite: false,
  allowUndefined: false,
  allowNaN: false,
  allowInfinity: false,
  allowBigInt: true,
  strict: true,
  useMaps: true,
  rejectDuplicateMapKeys: true,
};

function check(value: unknown, depth: number): void {
  if (depth > depthMax) throw new ChartsealError("encoding-invalid", "nested too deeply");
  if (value === null || typeof value === "boolean" || value instanceof Uint8Array) return;
  if (typeof value === "string" && value.isWellFormed()) return;
  if (typeof value === "number" && Number.isSafeInteger(value) && !Object.is(value, -0)) return;
  if (typeof value === "bigint" && value >= -(2n ** 64n) && value < 2n ** 64n) return;
  if (Array.isArray(value)) {
    for (const item of value) check(item, depth + 1);
    return;
  }
  throw new ChartsealError("encoding-invalid", "a value outside the encoding's types");
}

/** The one encoding of a value. @throws ChartsealError `encoding-invalid` for what has none */
export function encode(value: CborValue): Uint8Array {
  check(value, 0);
  // Long ones come out as Node's Buffer, whose slice shares memory: everything of ours is a plain Uint8Array.
  const bytes = cborg.encode(value, cborg.rfc8949EncodeOptions);
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * Decodes exactly what `encode` made. `sizeMax` in bytes is checked first.
 * Integers above 2^53 − 1 come back as bigint, smaller ones as number.
 * @throws ChartsealError `encoding-invalid`
 */
export function decode(bytes: Uint8Array, options: { sizeMax: number }): CborValue {
  if (bytes.length > options.sizeMax) throw new ChartsealError("encoding-invalid", "encoding is too large");
  let value: CborValue;
  let again: Uint8Array;
  try {
    value = cborg.decode(bytes, decodeOptions) as CborValue;
    again = encode(value);
  } catch (error) {
    if (error instanceof ChartsealError) throw error;
    throw new ChartsealError("encoding-invalid", "not deterministic CBOR");
  }
  if (!equalBytes(again, bytes)) throw new ChartsealError("encoding-invalid", "not the canonical encoding");
  return value;
}
