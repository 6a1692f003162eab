/** Randomness: the platform's CSPRNG and nothing else. No function that encrypts or makes keys takes it from its caller. */
import { platform } from "#platform";
import { reduce } from "./hash.ts";
import type { Scalar } from "./pairing/pairing.ts";
import { seededSource } from "./random-seam.ts";

/** `size` bytes. */
export function randomBytes(size: number): Uint8Array {
  return (seededSource() ?? platform.randomBytes)(size);
}

/** A scalar, 0 ≤ x < p, within 2^−128 of uniform: 48 bytes reduced. `nonZero` draws again on zero. */
export function randomScalar(options: { nonZero?: boolean } = {}): Scalar {
  for (;;) {
    const scalar = reduce(randomBytes(48));
    if (scalar !== 0n || options.nonZero !== true) return scalar;
  }
}
