/**
 * Keys at rest. A vault is a folder with one key-encryption key (KEK), by scrypt N = 2^15, r = 8, p = 3 (RFC 7914,
 * CONTRACT "Keys and passphrases"), which wraps a random vault key, and any number of files sealed under that vault
 * key: another passphrase rewrites `vault.json` alone. A sealed file is salt (32) ‖ AES-256-GCM under
 * HKDF(key, salt, tag ‖ file name), zero nonce: a fresh salt a write, so each derived key seals once. The name is
 * bound, so two files of a vault cannot be swapped.
 */
import { join } from "node:path";
import {
  type CborValue,
  ChartsealError,
  concat,
  decode,
  encode,
  fromHex,
  hkdf,
  platform,
  randomBytes,
  tagOf,
  toHex,
  utf8,
} from "@chartseal/crypto";
import {
  readJson,
  readSmallFile,
  removeSmallFile,
  smallFileBytesMax,
  writeJson,
  writeSmallFile,
} from "./files.ts";

const costs = { N: 2 ** 15, r: 8, p: 3, size: 32 } as const;
const saltBytes = 32;
const zeroNonce = new Uint8Array(12);

interface VaultFile {
  readonly version: 1;
  readonly kdf: { readonly name: "scrypt"; readonly N: number; readonly r: number; readonly p: number };
  readonly salt: string;
  /** The vault key, sealed under the KEK; hex. */
  readonly wrapped: string;
}

function fileKey(key: Uint8Array, salt: Uint8Array, name: string): Uint8Array {
  return hkdf(key, salt, concat(tagOf("keys/sealed-file"), utf8(name)), 32);
}

async function sealBytes(key: Uint8Array, name: string, plaintext: Uint8Array): Promise<Uint8Array> {
  const salt = randomBytes(saltBytes);
  const sealed = await platform.aesGcmSeal(fileKey(key, salt, name), zeroNonce, utf8(name), plaintext);
  return concat(salt, sealed);
}

async function openBytes(key: Uint8Array, name: string, sealed: Uint8Array): Promise<Uint8Array | null> {
  if (sealed.length < saltBytes + 16) return null;
  const opening = fileKey(key, sealed.subarray(0, saltBytes), name);
  return await platform.aesGcmOpen(opening, zeroNonce, utf8(name), sealed.subarray(saltBytes));
}

function readParameters(folder: string): VaultFile {
  const value = readJson(join(folder, "vault.json")) as VaultFile | undefined;
  const sound =
    typeof value === "object" &&
    value !== null &&
    value.version === 1 &&
    value.kdf?.name === "scrypt" &&
    value.kdf.N === costs.N &&
    value.kdf.r === costs.r &&
    value.kdf.p === costs.p &&
    typeof value.salt === "string" &&
    typeof value.wrapped === "string";
  if (!sound) {
    throw new ChartsealError("chain-altered", `the key vault ${folder} is missing or damaged`, {
      hint: "Restore the folder from a backup.",
    });
  }
  return value;
}

async function wrap(vaultKey: Uint8Array, passphrase: string): Promise<VaultFile> {
  const salt = randomBytes(saltBytes);
  const kek = await platform.scrypt(utf8(passphrase), salt, costs);
  return {
    version: 1,
    kdf: { name: "scrypt", N: costs.N, r: costs.r, p: costs.p },
    salt: toHex(salt),
    wrapped: toHex(await sealBytes(kek, "vault.json", vaultKey)),
  };
}

/** An opened vault: its key lives in memory for the length of one command. */
export class KeyVault {
  readonly folder: string;
  readonly #key: Uint8Array;

  private constructor(folder: string, key: Uint8Array) {
    this.folder = folder;
    this.#key = key;
  }

  /** Makes the vault of a folder. */
  static async create(folder: string, passphrase: string): Promise<KeyVault> {
    const key = randomBytes(32);
    writeJson(join(folder, "vault.json"), await wrap(key, passphrase));
    return new KeyVault(folder, key);
  }

  /** @throws ChartsealError `passphrase-wrong`; `chain-altered` where the vault is damaged */
  static async open(folder: string, passphrase: string): Promise<KeyVault> {
    const file = readParameters(folder);
    const kek = await platform.scrypt(utf8(passphrase), fromHex(file.salt, saltBytes), costs);
    const key = await openBytes(kek, "vault.json", fromHex(file.wrapped));
    if (key === null) {
      throw new ChartsealError("passphrase-wrong", "the passphrase does not open these keys");
    }
    return new KeyVault(folder, key);
  }

  /** The same vault after its folder was renamed. */
  movedTo(folder: string): KeyVault {
    return new KeyVault(folder, this.#key);
  }

  /** Another passphrase for the same keys; the old one opens nothing from then on. */
  async changePassphrase(passphrase: string): Promise<void> {
    writeJson(join(this.folder, "vault.json"), await wrap(this.#key, passphrase));
  }

  /** Seals a value under a name, durably; an earlier one is replaced. */
  async save(name: string, value: CborValue): Promise<void> {
    writeSmallFile(join(this.folder, name), await sealBytes(this.#key, name, encode(value)));
  }

  /** The value, or undefined where there is none. @throws ChartsealError `chain-altered` where it was damaged */
  async load(name: string): Promise<CborValue | undefined> {
    const sealed = readSmallFile(join(this.folder, name));
    if (sealed === undefined) return undefined;
    const plaintext = await openBytes(this.#key, name, sealed);
    if (plaintext === null) {
      throw new ChartsealError("chain-altered", `the key file ${join(this.folder, name)} is damaged`, {
        hint: "Restore the file from a backup.",
      });
    }
    return decode(plaintext, { sizeMax: smallFileBytesMax });
  }

  remove(name: string): boolean {
    return removeSmallFile(join(this.folder, name));
  }
}
