/**
 * What the host gives: hashing, AES-GCM, Ed25519, randomness. Two implementations of one interface, `node.ts` over
 * node:crypto and `web.ts` over WebCrypto and noble, chosen by the package's `#platform` import condition; both read
 * each other's output bit for bit. Only `node.ts` may import `node:*` (docs/decisions/platform.md).
 */

export type AesGcmKeySize = 16 | 24 | 32;

export interface Platform {
  readonly name: "node" | "web";
  /** SHA-256 of the parts joined, 32 bytes. */
  sha256(...parts: readonly Uint8Array[]): Uint8Array;
  /** SHA-256 of the SHA-256 of the parts simply joined: a tree of hashes takes it at every node. */
  doubleSha256(...parts: readonly Uint8Array[]): Uint8Array;
  /** Memory whose bytes `sha256Bulk` can hash on another thread without a copy. */
  bulkMemory(size: number): Uint8Array;
  /** Copies `source` to `at` in `target`, which may lie in such memory. @throws RangeError where it has no room there */
  copyBulk(target: Uint8Array, source: Uint8Array, at: number): void;
  /** SHA-256 that may run on another thread, for chunks of bulk data: they stay as they are until it is there. */
  sha256Bulk(data: Uint8Array): Promise<Uint8Array>;
  /** HMAC-SHA-256 (RFC 2104), 32 bytes. */
  hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array;
  /**
   * AES-GCM with a 12-byte nonce and a key of 16, 24 or 32 bytes: ciphertext ‖ 16-byte tag, behind `headroom` zero
   * bytes (default 0), so that a prefix can be hashed with the result without copying it. `memory`, at least as long as
   * the result, may be what the result lies in: fresh memory for every chunk costs more than its encryption.
   */
  aesGcmSeal(
    key: Uint8Array,
    nonce: Uint8Array,
    associated: Uint8Array,
    plaintext: Uint8Array,
    headroom?: number,
    memory?: Uint8Array,
  ): Promise<Uint8Array>;
  /** `memory` as above. @returns the plaintext, or null if the tag does not verify, and then nothing of it stays */
  aesGcmOpen(
    key: Uint8Array,
    nonce: Uint8Array,
    associated: Uint8Array,
    ciphertext: Uint8Array,
    memory?: Uint8Array,
  ): Promise<Uint8Array | null>;
  /** Ed25519 (RFC 8032): 32-byte seed → 32-byte public key. */
  ed25519PublicKey(seed: Uint8Array): Uint8Array;
  /** 64-byte signature. */
  ed25519Sign(seed: Uint8Array, message: Uint8Array): Uint8Array;
  /** False for anything malformed; never throws. */
  ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** The platform's CSPRNG. */
  randomBytes(size: number): Uint8Array;
  /** scrypt (RFC 7914), may run on another thread. */
  scrypt(
    passphrase: Uint8Array,
    salt: Uint8Array,
    parameters: { N: number; r: number; p: number; size: number },
  ): Promise<Uint8Array>;
}
