/**
 * The paper's table 2: what the conventional ciphers cost, by node:crypto (OpenSSL). Symmetric ones over 64 KiB; RSA and
 * elliptic curves over what they are for, wrapping a 32-byte key.
 */
import {
  constants,
  createCipheriv,
  createDecipheriv,
  createECDH,
  generateKeyPairSync,
  hkdfSync,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from "node:crypto";
import { round } from "../machine.ts";
import { interleaved, type Side } from "../measure.ts";
import type { Row } from "../outcome.ts";

const dataBytes = 65_536;

interface Entry {
  readonly algorithm: string;
  readonly keyBits: number;
  /** NIST SP 800-57 part 1, table 2. */
  readonly securityBits: number;
  readonly bytes: number;
  readonly makeKey: () => unknown;
  readonly encrypt: () => unknown;
  readonly decrypt: () => unknown;
}

function symmetric(
  algorithm: string,
  name: string,
  bits: { readonly key: number; readonly security: number },
): Entry {
  const key = randomBytes(bits.key / 8);
  const iv = randomBytes(name.startsWith("des") ? 8 : 16);
  const data = randomBytes(dataBytes);
  const run = (make: typeof createCipheriv | typeof createDecipheriv, input: Uint8Array): Buffer => {
    const cipher = make(name, key, iv);
    return Buffer.concat([cipher.update(input), cipher.final()]);
  };
  const sealed = run(createCipheriv, data);
  return {
    algorithm,
    keyBits: bits.key,
    securityBits: bits.security,
    bytes: dataBytes,
    makeKey: () => randomBytes(bits.key / 8),
    encrypt: () => run(createCipheriv, data),
    decrypt: () => run(createDecipheriv, sealed),
  };
}

function rsa(modulusLength: number, securityBits: number): Entry {
  const makeKey = () => generateKeyPairSync("rsa", { modulusLength });
  const { publicKey, privateKey } = makeKey();
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const message = randomBytes(32);
  const sealed = publicEncrypt({ key: publicKey, padding, oaepHash: "sha256" }, message);
  return {
    algorithm: `RSA-${modulusLength} OAEP`,
    keyBits: modulusLength,
    securityBits,
    bytes: message.length,
    makeKey,
    encrypt: () => publicEncrypt({ key: publicKey, padding, oaepHash: "sha256" }, message),
    decrypt: () => privateDecrypt({ key: privateKey, padding, oaepHash: "sha256" }, sealed),
  };
}

/** ECIES over P-256: an ephemeral key, ECDH, HKDF-SHA-256, AES-256-GCM. */
function ellipticCurve(): Entry {
  const curve = "prime256v1";
  const makeKey = () => {
    const pair = createECDH(curve);
    pair.generateKeys();
    return pair;
  };
  const receiver = makeKey();
  const message = randomBytes(32);
  const nonce = Buffer.alloc(12);
  const derive = (shared: Uint8Array): Uint8Array =>
    new Uint8Array(hkdfSync("sha256", shared, "", "key wrap", 32));
  const encrypt = () => {
    const ephemeral = makeKey();
    const cipher = createCipheriv(
      "aes-256-gcm",
      derive(ephemeral.computeSecret(receiver.getPublicKey())),
      nonce,
    );
    const body = Buffer.concat([cipher.update(message), cipher.final()]);
    return { point: ephemeral.getPublicKey(), body, tag: cipher.getAuthTag() };
  };
  const { point, body, tag } = encrypt();
  return {
    algorithm: "ECC P-256 (ECIES)",
    keyBits: 256,
    securityBits: 128,
    bytes: message.length,
    makeKey,
    encrypt,
    decrypt: () => {
      const decipher = createDecipheriv("aes-256-gcm", derive(receiver.computeSecret(point)), nonce);
      decipher.setAuthTag(tag);
      return Buffer.concat([decipher.update(body), decipher.final()]);
    },
  };
}

function entries(): Entry[] {
  return [
    symmetric("3DES-CBC", "des-ede3-cbc", { key: 192, security: 112 }),
    symmetric("AES-128-CBC", "aes-128-cbc", { key: 128, security: 128 }),
    symmetric("AES-192-CBC", "aes-192-cbc", { key: 192, security: 192 }),
    symmetric("AES-256-CBC", "aes-256-cbc", { key: 256, security: 256 }),
    rsa(2048, 112),
    rsa(3072, 128),
    ellipticCurve(),
  ];
}

function rowOf(entry: Entry, ms: Readonly<Record<"makeKey" | "encrypt" | "decrypt", number>>): Row {
  const { algorithm, keyBits, securityBits, bytes } = entry;
  const speed = (time: number) =>
    bytes === dataBytes ? round(dataBytes / 2 ** 20 / (time / 1000), 0) : null;
  return {
    algorithm,
    "key bits": keyBits,
    "security bits": securityBits,
    "data bytes": bytes,
    "key µs": round(ms.makeKey * 1000, 1),
    "encrypt µs": round(ms.encrypt * 1000, 1),
    "decrypt µs": round(ms.decrypt * 1000, 1),
    "encrypt MiB/s": speed(ms.encrypt),
    "decrypt MiB/s": speed(ms.decrypt),
  };
}

/** All algorithms take turns. RSA keys take long to make, so they are made in few rounds. */
export async function cipherRows({ rounds }: { readonly rounds: number }): Promise<Row[]> {
  const all = entries();
  const time = async (step: "makeKey" | "encrypt" | "decrypt", count: number) => {
    const sides = all.map((entry): [string, Side] => [entry.algorithm, { run: entry[step] }]);
    return interleaved(Object.fromEntries(sides), { rounds: count, warmUps: 2 });
  };
  const made = await time("makeKey", Math.min(rounds, 7));
  const encrypted = await time("encrypt", rounds * 3);
  const decrypted = await time("decrypt", rounds * 3);
  return all.map((entry) => {
    const { algorithm } = entry;
    const ms = {
      makeKey: made.median(algorithm),
      encrypt: encrypted.median(algorithm),
      decrypt: decrypted.median(algorithm),
    };
    return rowOf(entry, ms);
  });
}
