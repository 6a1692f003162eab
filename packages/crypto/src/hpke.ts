/**
 * Hybrid public key encryption (RFC 9180, base mode): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, one message
 * a context. By @hpke/core over WebCrypto, in Node and browser alike.
 *
 * Sealed bytes: enc (32) ‖ ciphertext ‖ tag (16), so 48 more than the plaintext. `info` always names purpose, chain id
 * and receiver (CRYPTO §3.1).
 */
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { concat } from "./bytes.ts";
import { assert, ChartsealError } from "./errors.ts";
import { randomBytes } from "./random.ts";

/** Bytes that sealing adds: enc 32, tag 16. */
export const hpkeOverheadBytes = 48;
const keySize = 32;

/** X25519, 32 bytes each. */
export interface HpkeKeyPair {
  readonly publicKey: Uint8Array;
  readonly privateKey: Uint8Array;
}

const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

/** A fresh X25519 key pair. */
export function hpkeKeyPair(): Promise<HpkeKeyPair> {
  return hpkeKeyPairFromSeed(randomBytes(keySize));
}

/** The key pair of a stored secret seed of at least 32 bytes: DeriveKeyPair of RFC 9180 §7.1.3. */
export async function hpkeKeyPairFromSeed(seed: Uint8Array): Promise<HpkeKeyPair> {
  assert(seed.length >= keySize, "a seed of an HPKE key has at least 32 bytes");
  const pair = await suite.kem.deriveKeyPair(seed);
  return {
    publicKey: new Uint8Array(await suite.kem.serializePublicKey(pair.publicKey)),
    privateKey: new Uint8Array(await suite.kem.serializePrivateKey(pair.privateKey)),
  };
}

/**
 * Encrypts to a public key: enc ‖ ciphertext ‖ tag, `hpkeOverheadBytes` more than the plaintext.
 * The ephemeral key is DeriveKeyPair of 32 fresh random bytes.
 * @throws ChartsealError `input-invalid` for a public key that is not 32 bytes or of small order
 */
export async function hpkeSeal(message: {
  readonly receiver: Uint8Array;
  readonly info: Uint8Array;
  readonly associated?: Uint8Array;
  readonly plaintext: Uint8Array;
}): Promise<Uint8Array> {
  const ekm = await suite.kem.deriveKeyPair(randomBytes(keySize));
  try {
    const recipientPublicKey = await suite.kem.deserializePublicKey(message.receiver);
    const sender = await suite.createSenderContext({ recipientPublicKey, info: message.info, ekm });
    const sealed = await sender.seal(message.plaintext, message.associated ?? new Uint8Array(0));
    return concat(new Uint8Array(sender.enc), new Uint8Array(sealed));
  } catch (cause) {
    throw new ChartsealError("input-invalid", "the receiver's X25519 key cannot be used", { cause });
  }
}

/** The plaintext, or null if the sealed bytes do not open under this key, info and associated data, whatever the cause. */
export async function hpkeOpen(box: {
  readonly privateKey: Uint8Array;
  readonly info: Uint8Array;
  readonly associated?: Uint8Array;
  readonly sealed: Uint8Array;
}): Promise<Uint8Array | null> {
  if (box.sealed.length < hpkeOverheadBytes) return null;
  const recipientKey = await suite.kem.deserializePrivateKey(box.privateKey);
  try {
    const enc = box.sealed.subarray(0, keySize);
    const recipient = await suite.createRecipientContext({ recipientKey, enc, info: box.info });
    const opened = await recipient.open(box.sealed.subarray(keySize), box.associated ?? new Uint8Array(0));
    return new Uint8Array(opened);
  } catch {
    return null;
  }
}
