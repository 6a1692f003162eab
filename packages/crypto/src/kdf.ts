/** HKDF with HMAC-SHA-256 (RFC 5869): extract, expand and both in one. A missing salt is the empty string. */
import { platform } from "#platform";
import { concat } from "./bytes.ts";
import { assert } from "./errors.ts";

/** PRK, 32 bytes. */
export function hkdfExtract(salt: Uint8Array, keyMaterial: Uint8Array): Uint8Array {
  // HMAC pads its key with zero bytes, so an empty salt is RFC 5869's default of 32 zero bytes.
  return platform.hmacSha256(salt, keyMaterial);
}

/** `size` bytes, at most 8160, from a 32-byte PRK. */
export function hkdfExpand(prk: Uint8Array, info: Uint8Array, size: number): Uint8Array {
  assert(size > 0 && size <= 255 * 32, "HKDF expands to 1 to 8160 bytes");
  const output = new Uint8Array(size);
  let block: Uint8Array = new Uint8Array(0);
  for (let i = 1, offset = 0; offset < size; i++, offset += 32) {
    block = platform.hmacSha256(prk, concat(block, info, Uint8Array.of(i)));
    output.set(block.subarray(0, size - offset), offset);
  }
  return output;
}

/** Extract, then expand: `size` bytes. */
export function hkdf(keyMaterial: Uint8Array, salt: Uint8Array, info: Uint8Array, size: number): Uint8Array {
  return hkdfExpand(hkdfExtract(salt, keyMaterial), info, size);
}
