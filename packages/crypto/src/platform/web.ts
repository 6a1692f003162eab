/**
 * The platform of browsers (and any host with WebCrypto): bulk work by WebCrypto, and noble where WebCrypto cannot
 * serve: hashing and Ed25519 must answer at once here and WebCrypto only promises; AES-192 is missing in Chromium;
 * scrypt is missing everywhere. Runs unchanged in Node, where the tests compare it with `node.ts` byte for byte.
 */
import { gcm } from "@noble/ciphers/aes.js";
import { ed25519 } from "@noble/curves/ed25519.js";
import { hmac } from "@noble/hashes/hmac.js";
import { scryptAsync } from "@noble/hashes/scrypt.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { concat, equalBytes } from "../bytes.ts";
import { assert } from "../errors.ts";
import { isUsablePublicKey } from "./ed25519-keys.ts";
import type { Platform } from "./platform.ts";

const tagSize = 16;
/** WebCrypto gives at most 65,536 random bytes a call. */
const randomBytesMax = 65_536;

/** WebCrypto's types want memory that is not shared between threads; ours never is. */
function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}

function importKey(key: Uint8Array, use: "encrypt" | "decrypt") {
  assert(key.length === 16 || key.length === 32, "an AES key has 16, 24 or 32 bytes");
  return crypto.subtle.importKey("raw", own(key), "AES-GCM", false, [use]);
}

function algorithm(nonce: Uint8Array, associated: Uint8Array) {
  return { name: "AES-GCM", iv: own(nonce), additionalData: own(associated), tagLength: 8 * tagSize };
}

function seedOf(seed: Uint8Array): Uint8Array {
  assert(seed.length === 32, "an Ed25519 seed has 32 bytes");
  return seed;
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] ?? 0);
  return value;
}

/** RFC 8032 §5.1.7 without the cofactor, as OpenSSL does; noble's own `verify` multiplies by it. */
function verifies(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64 || !isUsablePublicKey(publicKey)) return false;
  const field = ed25519.Point.Fn;
  const s = littleEndian(signature.subarray(32));
  if (s >= field.ORDER) return false;
  try {
    const r = signature.subarray(0, 32);
    const k = field.create(littleEndian(sha512(concat(r, publicKey, message))));
    const a = ed25519.Point.fromBytes(publicKey);
    const expected = ed25519.Point.BASE.multiplyUnsafe(s).subtract(a.multiplyUnsafe(k));
    return equalBytes(expected.toBytes(), r);
  } catch {
    return false;
  }
}

async function seal(
  key: Uint8Array,
  nonce: Uint8Array,
  associated: Uint8Array,
  plaintext: Uint8Array,
  headroom = 0,
): Promise<Uint8Array> {
  const sealed = await sealBare(key, nonce, associated, plaintext);
  return headroom === 0 ? sealed : concat(new Uint8Array(headroom), sealed);
}

async function sealBare(
  key: Uint8Array,
  nonce: Uint8Array,
  associated: Uint8Array,
  plaintext: Uint8Array,
): Promise<Uint8Array> {
  if (key.length === 24) return gcm(key, nonce, associated).encrypt(plaintext);
  const imported = await importKey(key, "encrypt");
  return new Uint8Array(await crypto.subtle.encrypt(algorithm(nonce, associated), imported, own(plaintext)));
}

async function open(
  key: Uint8Array,
  nonce: Uint8Array,
  associated: Uint8Array,
  ciphertext: Uint8Array,
): Promise<Uint8Array | null> {
  if (ciphertext.length < tagSize) return null;
  const imported = key.length === 24 ? undefined : await importKey(key, "decrypt");
  try {
    if (imported === undefined) return gcm(key, nonce, associated).decrypt(ciphertext);
    return new Uint8Array(
      await crypto.subtle.decrypt(algorithm(nonce, associated), imported, own(ciphertext)),
    );
  } catch {
    return null;
  }
}

export const platform: Platform = {
  name: "web",
  sha256(...parts) {
    const hash = sha256.create();
    for (const part of parts) hash.update(part);
    return hash.digest();
  },
  doubleSha256: (...parts) => platform.sha256(platform.sha256(...parts)),
  bulkMemory: (size) => new Uint8Array(size),
  copyBulk: (target, source, at) => target.set(source, at),
  async sha256Bulk(data) {
    return new Uint8Array(await crypto.subtle.digest("SHA-256", own(data)));
  },
  hmacSha256(key, ...parts) {
    const mac = hmac.create(sha256, key);
    for (const part of parts) mac.update(part);
    return mac.digest();
  },
  aesGcmSeal: seal,
  aesGcmOpen: open,
  ed25519PublicKey: (seed) => ed25519.getPublicKey(seedOf(seed)),
  ed25519Sign: (seed, message) => ed25519.sign(message, seedOf(seed)),
  ed25519Verify: verifies,
  randomBytes(size) {
    const bytes = new Uint8Array(size);
    for (let offset = 0; offset < size; offset += randomBytesMax) {
      crypto.getRandomValues(bytes.subarray(offset, offset + randomBytesMax));
    }
    return bytes;
  },
  scrypt: (passphrase, salt, { N, r, p, size }) =>
    scryptAsync(passphrase, salt, { N, r, p, dkLen: size, maxmem: 128 * r * (N + p + 2) + (1 << 20) }),
};
