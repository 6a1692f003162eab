/**
 * Tagged hashing (CRYPTO, Tags and Scalars by hashing): SHA-256 with a domain-separation tag in front, and H_p, the
 * hash to a scalar modulo the group order by expand_message_xmd(SHA-256) of RFC 9380 §5.3.1, 48 bytes reduced.
 *
 * A part of variable length is preceded by its u64 length, so that no two lists of parts give one byte string.
 */
import { platform } from "#platform";
import { concat, u64, utf8 } from "./bytes.ts";
import { assert } from "./errors.ts";
import { order, type Scalar } from "./pairing/pairing.ts";
import { type TagUse, tag } from "./tags.ts";

/** A part of one size wherever this tag is used: it needs no length in front of it. */
export interface FixedPart {
  readonly fixed: Uint8Array;
}

export type HashPart = Uint8Array | FixedPart;

const tagBytes = new Map<TagUse, Uint8Array>();

/** The tag's bytes, NUL included: for signatures and HKDF infos. */
export function tagOf(use: TagUse): Uint8Array {
  let bytes = tagBytes.get(use);
  if (bytes === undefined) {
    bytes = utf8(tag(use));
    tagBytes.set(use, bytes);
  }
  return bytes;
}

/** Marks a part whose size is one and the same wherever this tag is used, so that it is hashed without a length. */
export function fixed(bytes: Uint8Array): FixedPart {
  return { fixed: bytes };
}

/** SHA-256, 32 bytes, of the parts simply joined. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  return platform.sha256(...parts);
}

/** D of CRYPTO §5: SHA-256(SHA-256(…)), 32 bytes, of the parts simply joined. */
export function doubleSha256(...parts: readonly Uint8Array[]): Uint8Array {
  return platform.doubleSha256(...parts);
}

/** tag ‖ parts, each preceded by its u64 length unless `fixed`: what is signed where Ed25519 takes the message whole. */
export function tagged(use: TagUse, ...parts: readonly HashPart[]): Uint8Array {
  return concat(tagOf(use), ...parts.flatMap(partBytes));
}

/** SHA-256(tag ‖ parts), 32 bytes; a part is preceded by its u64 length unless it is `fixed`. */
export function hash(use: TagUse, ...parts: readonly HashPart[]): Uint8Array {
  return platform.sha256(tagOf(use), ...parts.flatMap(partBytes));
}

/** H_p(tag, parts): a scalar, 0 ≤ x < p, every part length-prefixed (CRYPTO, Scalars by hashing). */
export function hashToScalar(use: TagUse, ...parts: readonly Uint8Array[]): Scalar {
  const message = concat(...parts.flatMap(partBytes));
  return reduce(expandMessageXmd(message, tagOf(use), 48));
}

/** OS2IP modulo the group order; 48 bytes give a scalar within 2^−128 of uniform. */
export function reduce(bytes: Uint8Array): Scalar {
  let value = 0n;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  assert(bytes.length % 8 === 0, "a string to reduce has whole words");
  for (let offset = 0; offset < bytes.length; offset += 8) value = (value << 64n) | view.getBigUint64(offset);
  return value % order;
}

/**
 * expand_message_xmd with SHA-256 (RFC 9380 §5.3.1): `size` uniform bytes, at most 8160.
 * A DST above 255 bytes is hashed first, as §5.3.3 says.
 */
export function expandMessageXmd(message: Uint8Array, dst: Uint8Array, size: number): Uint8Array {
  const blocks = Math.ceil(size / 32);
  assert(size > 0 && blocks <= 255, "expand_message_xmd gives 1 to 8160 bytes");
  const name = dst.length > 255 ? sha256(utf8("H2C-OVERSIZE-DST-"), dst) : dst;
  const suffix = concat(name, Uint8Array.of(name.length));
  const first = sha256(new Uint8Array(64), message, Uint8Array.of(size >> 8, size & 0xff, 0), suffix);
  let block = sha256(first, Uint8Array.of(1), suffix);
  const output = new Uint8Array(32 * blocks);
  output.set(block);
  for (let i = 2; i <= blocks; i++) {
    block = sha256(
      first.map((byte, at) => byte ^ (block[at] ?? 0)),
      Uint8Array.of(i),
      suffix,
    );
    output.set(block, 32 * (i - 1));
  }
  return output.subarray(0, size);
}

function partBytes(part: HashPart): Uint8Array[] {
  return part instanceof Uint8Array ? [u64(part.length), part] : [part.fixed];
}
