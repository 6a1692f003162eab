/**
 * An "invisible salamander" (Dodis, Grubbs, Ristenpart, Woodage, CRYPTO 2018): one AES-GCM ciphertext with one tag that
 * opens under two keys to two plaintexts. GHASH is linear, so one free block makes both tags meet.
 */
import { ecb } from "@noble/ciphers/aes.js";
import { concat, fromBigInt, toBigInt } from "../src/bytes.ts";

const reduction = 0xe1n << 120n;

/** Product in GF(2^128) with GCM's bit order: the highest bit is the constant term. */
function multiply(x: bigint, y: bigint): bigint {
  let product = 0n;
  let shifted = y;
  for (let bit = 127n; bit >= 0n; bit--) {
    if ((x >> bit) & 1n) product ^= shifted;
    shifted = shifted & 1n ? (shifted >> 1n) ^ reduction : shifted >> 1n;
  }
  return product;
}

const one = 1n << 127n;

function power(x: bigint, exponent: bigint): bigint {
  let result = one;
  for (let base = x, rest = exponent; rest > 0n; rest >>= 1n, base = multiply(base, base)) {
    if (rest & 1n) result = multiply(result, base);
  }
  return result;
}

function block(key: Uint8Array, input: Uint8Array): bigint {
  return toBigInt(ecb(key, { disablePadding: true }).encrypt(input));
}

function blocks(bytes: Uint8Array): bigint[] {
  return Array.from({ length: bytes.length / 16 }, (_, i) => toBigInt(bytes.subarray(16 * i, 16 * i + 16)));
}

/** The tag of whole blocks: Σ block·H^k, the lengths last, masked by E(nonce ‖ 1). */
function tagOf(key: Uint8Array, nonce: Uint8Array, associated: Uint8Array, body: Uint8Array): bigint {
  const h = block(key, new Uint8Array(16));
  const lengths = (BigInt(8 * associated.length) << 64n) | BigInt(8 * body.length);
  let hash = 0n;
  for (const item of [...blocks(associated), ...blocks(body), lengths]) hash = multiply(hash ^ item, h);
  return hash ^ block(key, concat(nonce, Uint8Array.of(0, 0, 0, 1)));
}

/** Ciphertext ‖ tag under both keys: `body` (whole blocks) with its first block replaced. `associated`: whole blocks. */
export function salamander(
  keys: readonly [Uint8Array, Uint8Array],
  nonce: Uint8Array,
  associated: Uint8Array,
  body: Uint8Array,
): Uint8Array {
  const blank = concat(new Uint8Array(16), body.subarray(16));
  const [first, second] = keys.map((key) => tagOf(key, nonce, associated, blank)) as [bigint, bigint];
  // The free block is multiplied once for each block from itself to the lengths.
  const exponent = BigInt(body.length / 16 + 1);
  const factors = keys.map((key) => power(block(key, new Uint8Array(16)), exponent)) as [bigint, bigint];
  const inverse = power(factors[0] ^ factors[1], 2n ** 128n - 2n);
  const free = multiply(first ^ second, inverse);
  const ciphertext = concat(fromBigInt(free, 16), body.subarray(16));
  return concat(ciphertext, fromBigInt(tagOf(keys[0], nonce, associated, ciphertext), 16));
}
