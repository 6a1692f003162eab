/** What sealing and opening are held against: the bare work of node:crypto and the disk, one thread, no format. */
import { createCipheriv, createDecipheriv, createHash, createSecretKey } from "node:crypto";
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { blocksOf } from "./disk.ts";

const chunkBytes = 262_144;
/** Made once: of bytes a cipher makes one for every chunk. */
const key = createSecretKey(new Uint8Array(32).fill(7));
const associated = new Uint8Array(32).fill(9);

function nonceOf(index: number): Uint8Array {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setUint32(7, index);
  return nonce;
}

/** Reads the file and does AES-256-GCM, then SHA-256 over what comes out, chunk after chunk. */
export function encryptAndHash(path: string): void {
  let index = 0;
  for (const chunk of blocksOf(path, { block: chunkBytes })) {
    const cipher = createCipheriv("aes-256-gcm", key, nonceOf(index++), { authTagLength: 16 });
    cipher.setAAD(associated);
    const hash = createHash("sha256").update(cipher.update(chunk));
    cipher.final();
    hash.update(cipher.getAuthTag()).digest();
  }
}

/**
 * Reads the file and does SHA-256 over each chunk, then its decryption. What is decrypted was never encrypted so, and no
 * tag is asked for; GCM has done all its work by then.
 */
export function hashAndDecrypt(path: string): void {
  let index = 0;
  for (const chunk of blocksOf(path, { block: chunkBytes })) {
    createHash("sha256").update(chunk).digest();
    const decipher = createDecipheriv("aes-256-gcm", key, nonceOf(index++), { authTagLength: 16 });
    decipher.setAAD(associated);
    decipher.update(chunk);
  }
}

/** A copy with its SHA-256, durable when it returns. */
export function copyAndHash(from: string, to: string): void {
  const hash = createHash("sha256");
  const target = openSync(to, "w");
  try {
    for (const block of blocksOf(from)) {
      hash.update(block);
      for (let at = 0; at < block.length; ) at += writeSync(target, block, at);
    }
    hash.digest();
    fsyncSync(target);
  } finally {
    closeSync(target);
  }
}
