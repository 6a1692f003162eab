/**
 * The platform over node:crypto (OpenSSL). The work is synchronous on the calling thread, which is fastest for small
 * inputs; `sha256Bulk` runs on a thread of its own (node-hasher.ts) and `scrypt` on libuv's, so that hashing bulk data
 * goes on beside encryption.
 * Every result is a plain Uint8Array with memory of its own, never a view into Node's shared buffer pool.
 */
import {
  type CipherGCMTypes,
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPublicKey,
  createSecretKey,
  hash,
  type KeyObject,
  randomFillSync,
  scrypt,
  sign,
  verify,
} from "node:crypto";
import { concat, equalBytes } from "../bytes.ts";
import { assert } from "../errors.ts";
import { isUsablePublicKey } from "./ed25519-keys.ts";
import { copyShared, hashBeside, sharedMemory } from "./node-hasher.ts";
import type { Platform } from "./platform.ts";

const tagSize = 16;
const pieceSize = 131_072;
const ciphers: Readonly<Record<number, CipherGCMTypes>> = {
  16: "aes-128-gcm",
  24: "aes-192-gcm",
  32: "aes-256-gcm",
};
/**
 * Ed25519 keys as PEM (RFC 7468, RFC 8410), whose first line says what they are: of what comes as DER OpenSSL looks for the
 * format.
 */
const pkcs8Prefix = Uint8Array.from([48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32]);
const spkiPrefix = Uint8Array.from([48, 42, 48, 5, 6, 3, 43, 101, 112, 3, 33, 0]);

function plain(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

function cipherName(key: Uint8Array): CipherGCMTypes {
  const name = ciphers[key.length];
  assert(name !== undefined, "an AES key has 16, 24 or 32 bytes");
  return name;
}

/** Keys of bulk data as OpenSSL holds them: making one for every chunk costs a tenth of what sealing it does. */
const contentKeys = new WeakMap<Uint8Array, { readonly bytes: Uint8Array; readonly object: KeyObject }>();

/** The key of these bytes, whatever the array held when it was asked for before. */
function contentKey(key: Uint8Array): KeyObject {
  const known = contentKeys.get(key);
  if (known !== undefined && equalBytes(known.bytes, key)) return known.object;
  const object = createSecretKey(key);
  contentKeys.set(key, { bytes: Uint8Array.from(key), object });
  return object;
}

function seal(
  key: Uint8Array,
  nonce: Uint8Array,
  associated: Uint8Array,
  plaintext: Uint8Array,
  headroom: number,
  memory: Uint8Array | undefined,
): Uint8Array {
  const cipher = createCipheriv(cipherName(key), contentKey(key), nonce, { authTagLength: tagSize });
  cipher.setAAD(associated);
  const size = headroom + plaintext.length + tagSize;
  const sealed = memory?.subarray(0, size) ?? unwritten(size);
  assert(sealed.length === size, "the memory holds what is sealed");
  sealed.fill(0, 0, headroom);
  // Pieces stay in the processor's cache until they are copied.
  for (let at = 0; at < plaintext.length; at += pieceSize) {
    move(cipher.update(plaintext.subarray(at, at + pieceSize)), sealed, headroom + at);
  }
  // GCM gives everything in `update`; `final` only makes the tag.
  cipher.final();
  sealed.set(cipher.getAuthTag(), headroom + plaintext.length);
  return sealed;
}

/**
 * Copies a piece and gives its memory back at once: what waits for the collector instead grows with the stream, to a
 * hundred MiB beside one that is sealed, and every piece lies in memory that no cache knows.
 */
function move(piece: Uint8Array, target: Uint8Array, at: number): void {
  copyShared(target, piece, at);
  const { buffer } = piece;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === piece.length) buffer.transfer(0);
}

/** Memory of its own, not zeroed: every byte of it is written. */
function unwritten(size: number): Uint8Array {
  return plain(Buffer.allocUnsafeSlow(size));
}

function open(
  key: Uint8Array,
  nonce: Uint8Array,
  associated: Uint8Array,
  ciphertext: Uint8Array,
  memory: Uint8Array | undefined,
): Uint8Array | null {
  if (ciphertext.length < tagSize) return null;
  const decipher = createDecipheriv(cipherName(key), contentKey(key), nonce, { authTagLength: tagSize });
  decipher.setAAD(associated);
  const end = ciphertext.length - tagSize;
  decipher.setAuthTag(ciphertext.subarray(end));
  const plaintext = memory?.subarray(0, end) ?? unwritten(end);
  assert(plaintext.length === end, "the memory holds what is opened");
  for (let at = 0; at < end; at += pieceSize) {
    move(decipher.update(ciphertext.subarray(at, Math.min(at + pieceSize, end))), plaintext, at);
  }
  try {
    decipher.final();
  } catch {
    plaintext.fill(0);
    return null;
  }
  return plaintext;
}

function pem(label: "PRIVATE KEY" | "PUBLIC KEY", prefix: Uint8Array, key: Uint8Array): string {
  const { buffer, byteOffset, length } = concat(prefix, key);
  const text = Buffer.from(buffer, byteOffset, length).toString("base64");
  return `-----BEGIN ${label}-----\n${text}\n-----END ${label}-----\n`;
}

function signingKey(seed: Uint8Array): string {
  assert(seed.length === 32, "an Ed25519 seed has 32 bytes");
  return pem("PRIVATE KEY", pkcs8Prefix, seed);
}

/** Public keys that verified last, as OpenSSL holds them, in two generations: reading one anew costs a quarter of a verification. */
const verifyingKeysMax = 512;
let youngKeys = new Map<string, KeyObject>();
let oldKeys = new Map<string, KeyObject>();

/** @throws where these bytes are no point of the curve */
function verifyingKey(publicKey: Uint8Array): KeyObject {
  const name = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.length).toString("binary");
  let key = youngKeys.get(name);
  if (key !== undefined) return key;
  key = oldKeys.get(name) ?? createPublicKey(pem("PUBLIC KEY", spkiPrefix, publicKey));
  if (youngKeys.size >= verifyingKeysMax) {
    oldKeys = youngKeys;
    youngKeys = new Map();
  }
  youngKeys.set(name, key);
  return key;
}

function verifies(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64 || !isUsablePublicKey(publicKey)) return false;
  try {
    return verify(null, message, verifyingKey(publicKey), signature);
  } catch {
    return false;
  }
}

/** Where a small input's parts are joined; zeroed after use, since some of them are secret. */
const joined = Buffer.alloc(4096);
/** Its beginnings by size: a view made anew costs a fifth of what hashing it does. */
const beginnings: Uint8Array[] = [];

function joinedFirst(size: number): Uint8Array {
  let first = beginnings[size];
  if (first === undefined) {
    first = joined.subarray(0, size);
    beginnings[size] = first;
  }
  return first;
}

/**
 * SHA-256 in one call: an object for it, and a Buffer for its result, cost several times what hashing two nodes of a tree
 * does, so the result comes as a string of one character a byte.
 */
function textOfHash(parts: readonly Uint8Array[], size: number): string {
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return hash("sha256", joinedFirst(size), "binary");
}

function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(32);
  for (let i = 0; i < 32; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function sizeOf(parts: readonly Uint8Array[]): number {
  let size = 0;
  for (const part of parts) size += part.length;
  return size;
}

export const platform: Platform = {
  name: "node",
  sha256(...parts) {
    const size = sizeOf(parts);
    if (size <= joined.length) {
      const text = textOfHash(parts, size);
      joined.fill(0, 0, size);
      return bytesOf(text);
    }
    const whole = createHash("sha256");
    for (const part of parts) whole.update(part);
    return plain(whole.digest());
  },
  doubleSha256(...parts) {
    const size = sizeOf(parts);
    if (size > joined.length) return platform.sha256(platform.sha256(...parts));
    joined.write(textOfHash(parts, size), 0, 32, "binary");
    const text = hash("sha256", joinedFirst(32), "binary");
    joined.fill(0, 0, Math.max(size, 32));
    return bytesOf(text);
  },
  bulkMemory: sharedMemory,
  copyBulk: copyShared,
  sha256Bulk: hashBeside,
  hmacSha256(key, ...parts) {
    const hmac = createHmac("sha256", key);
    for (const part of parts) hmac.update(part);
    return plain(hmac.digest());
  },
  aesGcmSeal: async (key, nonce, associated, plaintext, headroom = 0, memory) =>
    seal(key, nonce, associated, plaintext, headroom, memory),
  aesGcmOpen: async (key, nonce, associated, ciphertext, memory) =>
    open(key, nonce, associated, ciphertext, memory),
  ed25519PublicKey(seed) {
    const { x } = createPublicKey(signingKey(seed)).export({ format: "jwk" });
    assert(x !== undefined, "an Ed25519 key has a public half");
    return Uint8Array.from(Buffer.from(x, "base64url"));
  },
  ed25519Sign: (seed, message) => plain(sign(null, message, signingKey(seed))),
  ed25519Verify: verifies,
  randomBytes: (size) => randomFillSync(new Uint8Array(size)),
  scrypt(passphrase, salt, { N, r, p, size }) {
    // OpenSSL counts 128·N·r for the table and as much again per lane; its default ceiling is below our N = 2^15.
    const maxmem = 128 * r * (N + p + 2) + (1 << 20);
    return new Promise((resolve, reject) => {
      scrypt(passphrase, salt, size, { N, r, p, maxmem }, (error, derived) => {
        if (error) reject(error);
        else resolve(plain(derived));
      });
    });
  },
};
