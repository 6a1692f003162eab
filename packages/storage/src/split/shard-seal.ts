/**
 * What a place sees of an object: nothing that it can read, compare or exchange. Each shard has a pseudonym, and a key
 * for its blocks, by the object's generation (16 random bytes, fresh for every put) and the shard's index; its manifest
 * is sealed under its pseudonym. AES-256-GCM throughout: a block that was altered, moved, taken from another shard or
 * from an earlier generation does not open. The three secrets have one use each; who makes them tags them
 * (`storage/shard-…` in packages/crypto/src/tags.ts).
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import { isPlacement } from "../place.ts";
import { sealBytes, trailerBytes } from "./layout.ts";

/** 32 bytes each. */
export interface SplitKeys {
  readonly names: Uint8Array;
  readonly blocks: Uint8Array;
  readonly manifests: Uint8Array;
}

export interface ShardOf {
  /** 32 hex digits. */
  readonly generation: string;
  readonly index: number;
}

/** What every shard says of its object, sealed. */
export interface Manifest extends ShardOf {
  readonly name: string;
  readonly size: number;
  readonly k: number;
  readonly n: number;
  readonly blockBytes: number;
  readonly regions: readonly string[];
  /** Larger for a later put of the same name. */
  readonly sequence: number;
}

const nonceBytes = 12;
const textBytes = trailerBytes - nonceBytes - sealBytes;

function bytesOf({ generation, index }: ShardOf): Buffer {
  return Buffer.concat([Buffer.from(generation, "hex"), Uint8Array.of(index)]);
}

/** The shard's name at its place. */
export function pseudonym({ names }: SplitKeys, shard: ShardOf): string {
  const hex = createHmac("sha256", names).update(bytesOf(shard)).digest("hex");
  return `${hex.slice(0, 2)}/${hex.slice(2)}`;
}

/** True for what `pseudonym` can give. */
export function isPseudonym(name: string): boolean {
  return /^[0-9a-f]{2}\/[0-9a-f]{62}$/.test(name);
}

/** Seals and opens the blocks of one shard: its key is for it alone, the nonce is the block's number. */
export class BlockSeal {
  readonly #key: Buffer;

  constructor({ blocks }: SplitKeys, shard: ShardOf) {
    this.#key = createHmac("sha256", blocks).update(bytesOf(shard)).digest();
  }

  /** The sealed block in two parts: ciphertext and tag. */
  seal(block: number, data: Uint8Array): readonly [Uint8Array, Uint8Array] {
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonceOf(block));
    const sealed = cipher.update(data);
    cipher.final();
    return [sealed, cipher.getAuthTag()];
  }

  /** Undefined for a block that is not the one that was sealed. */
  open(block: number, sealed: Uint8Array): Uint8Array | undefined {
    const decipher = createDecipheriv("aes-256-gcm", this.#key, nonceOf(block));
    decipher.setAuthTag(sealed.subarray(sealed.length - sealBytes));
    const data = decipher.update(sealed.subarray(0, sealed.length - sealBytes));
    try {
      decipher.final();
    } catch {
      return undefined;
    }
    return new Uint8Array(data.buffer, data.byteOffset, data.length);
  }
}

function nonceOf(block: number): Buffer {
  const nonce = Buffer.alloc(nonceBytes);
  nonce.writeBigUInt64BE(BigInt(block), nonceBytes - 8);
  return nonce;
}

/** The trailer of a shard: its manifest, padded to one length. */
export function sealManifest(keys: SplitKeys, manifest: Manifest): Uint8Array {
  const { name, size, k, n, blockBytes, regions, sequence, generation, index } = manifest;
  const fields = [1, name, size, k, n, blockBytes, regions, sequence, generation, index];
  const text = Buffer.alloc(textBytes, " ");
  const written = text.write(JSON.stringify(fields), "latin1");
  if (written === textBytes) throw new Error("a manifest fits its trailer");
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv("aes-256-gcm", keys.manifests, nonce);
  cipher.setAAD(Buffer.from(pseudonym(keys, manifest)));
  return Buffer.concat([nonce, cipher.update(text), cipher.final(), cipher.getAuthTag()]);
}

/** Undefined for a trailer that is not of the shard of that name. */
export function openManifest(keys: SplitKeys, name: string, trailer: Uint8Array): Manifest | undefined {
  if (trailer.length !== trailerBytes) return undefined;
  const decipher = createDecipheriv("aes-256-gcm", keys.manifests, trailer.subarray(0, nonceBytes));
  decipher.setAAD(Buffer.from(name));
  decipher.setAuthTag(trailer.subarray(trailerBytes - sealBytes));
  const text = decipher.update(trailer.subarray(nonceBytes, trailerBytes - sealBytes));
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  const manifest = decodeManifest(text.toString("latin1"));
  return manifest !== undefined && pseudonym(keys, manifest) === name ? manifest : undefined;
}

function decodeManifest(text: string): Manifest | undefined {
  const fields = JSON.parse(text) as readonly unknown[];
  if (fields[0] !== 1 || fields.length !== 10) return undefined;
  const [, name, size, k, n, blockBytes, regions, sequence, generation, index] = fields as [
    number,
    string,
    number,
    number,
    number,
    number,
    string[],
    number,
    string,
    number,
  ];
  if (!isPlacement({ k, n, regions })) return undefined;
  return { name, size, k, n, blockBytes, regions, sequence, generation, index };
}
