/**
 * Ed25519 (RFC 8032) with a domain-separation tag in front of every message: nothing of ours is signed without one.
 * Seeds and public keys are 32 bytes, signatures 64. Which keys and signatures count is the same on every platform:
 * see platform/ed25519-keys.ts.
 */
import { platform } from "#platform";
import { assert } from "./errors.ts";
import { type HashPart, tagged } from "./hash.ts";
import { randomBytes } from "./random.ts";
import type { TagUse } from "./tags.ts";

export interface Ed25519KeyPair {
  readonly publicKey: Uint8Array;
  /** The secret: 32 bytes. */
  readonly seed: Uint8Array;
}

/** A fresh key pair. */
export function ed25519KeyPair(): Ed25519KeyPair {
  return ed25519KeyPairFromSeed(randomBytes(32));
}

/** The key pair of a stored 32-byte seed. */
export function ed25519KeyPairFromSeed(seed: Uint8Array): Ed25519KeyPair {
  assert(seed.length === 32, "an Ed25519 seed has 32 bytes");
  return { publicKey: platform.ed25519PublicKey(seed), seed };
}

/** Signature, 64 bytes, over tag ‖ parts, each part preceded by its u64 length unless `fixed`. */
export function signTagged(seed: Uint8Array, use: TagUse, ...parts: readonly HashPart[]): Uint8Array {
  return platform.ed25519Sign(seed, tagged(use, ...parts));
}

/** Whether the signature over tag ‖ parts is by that key; false for anything malformed. */
export function verifyTagged(
  publicKey: Uint8Array,
  signature: Uint8Array,
  use: TagUse,
  ...parts: readonly HashPart[]
): boolean {
  return platform.ed25519Verify(publicKey, tagged(use, ...parts), signature);
}

/**
 * Whether the signature over exactly these bytes is by that key, for formats of other systems, which carry no tag of ours
 * (CometBFT's votes). Nothing that we sign is checked with it.
 */
export function verifyUntagged(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return platform.ed25519Verify(publicKey, message, signature);
}
