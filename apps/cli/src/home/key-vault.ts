/**
 * Keys at rest. A vault is a folder with one random vault key, which `vault.json` wraps under a passphrase and, beside it,
 * under passkeys (packages/crypto/src/key-slots.ts; CONTRACT "Keys and passphrases"), and any number of files sealed under
 * that key, each with its own name bound in: another passphrase rewrites `vault.json` alone.
 */
import { join } from "node:path";
import {
  addPasskey,
  type CborValue,
  ChartsealError,
  decode,
  encode,
  type KeySlots,
  newKeySlots,
  openNamed,
  openWithPasskey,
  openWithPassphrase,
  type PrfResult,
  parseKeySlots,
  removeSlot,
  replacePassphrase,
  sealNamed,
} from "@chartseal/crypto";
import {
  readJson,
  readSmallFile,
  removeSmallFile,
  smallFileBytesMax,
  writeJson,
  writeSmallFile,
} from "./files.ts";
import { memberSource, ordinarySource } from "./passphrase.ts";

/** @throws ChartsealError `chain-altered` */
function readSlots(folder: string): KeySlots {
  const slots = parseKeySlots(readJson(join(folder, "vault.json")));
  if (slots !== undefined) return slots;
  throw new ChartsealError("chain-altered", `the key vault ${folder} is missing or damaged`, {
    hint: "Restore the folder from a backup.",
  });
}

/** Whose keys are in a vault: who is told that a passphrase is wrong is told of which. */
export type KeyOwner = "service" | { readonly member: string };

function passphraseWrong(owner: KeyOwner | undefined): ChartsealError {
  if (owner === undefined) {
    return new ChartsealError("passphrase-wrong", "the passphrase does not open these keys");
  }
  if (owner === "service") {
    return new ChartsealError(
      "passphrase-wrong",
      "the passphrase does not open the keys of the home's services",
      {
        data: { keys: "service" },
        hint: `The home's goes in ${ordinarySource}, a member's own in ${memberSource}.`,
      },
    );
  }
  const { member } = owner;
  return new ChartsealError("passphrase-wrong", `the passphrase does not open the keys of member ${member}`, {
    data: { keys: "member", member },
    hint: `Where ${member} has a passphrase of its own, it goes in ${memberSource}.`,
  });
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
    const { slots, key } = await newKeySlots(passphrase);
    writeJson(join(folder, "vault.json"), slots);
    return new KeyVault(folder, key);
  }

  /** @throws ChartsealError `passphrase-wrong`; `chain-altered` where the vault is damaged */
  static async open(folder: string, passphrase: string, owner?: KeyOwner): Promise<KeyVault> {
    const key = await openWithPassphrase(readSlots(folder), passphrase);
    if (key === null) throw passphraseWrong(owner);
    return new KeyVault(folder, key);
  }

  /** By a passkey, as a page with an authenticator does. @throws ChartsealError `passphrase-wrong`, `chain-altered` */
  static async openByPasskey(
    folder: string,
    prf: Pick<PrfResult, "credentialId" | "output">,
  ): Promise<KeyVault> {
    const key = await openWithPasskey(readSlots(folder), prf);
    if (key === null) throw new ChartsealError("passphrase-wrong", "the passkey does not open these keys");
    return new KeyVault(folder, key);
  }

  #writeSlots(slots: KeySlots): void {
    writeJson(join(this.folder, "vault.json"), slots);
  }

  /** A passkey beside the passphrase. @throws ChartsealError `input-invalid` */
  async addPasskey(prf: PrfResult): Promise<void> {
    this.#writeSlots(await addPasskey(readSlots(this.folder), this.#key, prf));
  }

  /** A passkey by its credential id. @throws ChartsealError `input-invalid`, for the passphrase always */
  removeSlot(which: "passphrase" | Uint8Array): void {
    this.#writeSlots(removeSlot(readSlots(this.folder), which));
  }

  /** The same vault after its folder was renamed. */
  movedTo(folder: string): KeyVault {
    return new KeyVault(folder, this.#key);
  }

  /** Another passphrase for the same keys; the old one opens nothing from then on. Passkeys stay. */
  async changePassphrase(passphrase: string): Promise<void> {
    this.#writeSlots(await replacePassphrase(readSlots(this.folder), this.#key, passphrase));
  }

  /** Seals a value under a name, durably; an earlier one is replaced. */
  async save(name: string, value: CborValue): Promise<void> {
    writeSmallFile(join(this.folder, name), await sealNamed(this.#key, name, encode(value)));
  }

  /** The value, or undefined where there is none. @throws ChartsealError `chain-altered` where it was damaged */
  async load(name: string): Promise<CborValue | undefined> {
    const sealed = readSmallFile(join(this.folder, name));
    if (sealed === undefined) return undefined;
    const plaintext = await openNamed(this.#key, name, sealed);
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
