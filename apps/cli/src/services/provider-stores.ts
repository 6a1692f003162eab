/**
 * The embedded provider's stores as files of a home (CONTRACT, Files): objects and leaves as plain files, transform keys
 * and answered requests sealed in the service vault, journal and tombstones as lines that are appended and fsynced.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import {
  type CborValue,
  ChartsealError,
  decodeAttributeKey,
  encodeAttributeKey,
  fromHex,
  type Pairing,
  toHex,
} from "@chartseal/crypto";
import type {
  AnsweredStore,
  CustodyKey,
  Journal,
  JournalEntry,
  ProviderStores,
  Tombstone,
  Tombstones,
  TransformKeyStore,
} from "@chartseal/sharing";
import { openFilesystemStore } from "@chartseal/storage";
import type { KeyVault } from "../home/key-vault.ts";
import type { HomePaths } from "../home/paths.ts";
import { openAsides } from "./asides.ts";
import { openRepairNotes } from "./pending-repairs.ts";
import { openPlaced } from "./places.ts";

/** Lines of JSON in one file: appended with fsync; a last line that a crash cut short does not count. */
class LineFile<T> {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  append(value: T): void {
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    const cut = existsSync(this.#path) && !endsWithNewline(this.#path);
    const file = openSync(this.#path, "a", 0o600);
    try {
      writeSync(file, `${cut ? "\n" : ""}${JSON.stringify(value)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }

  read(): T[] {
    if (!existsSync(this.#path)) return [];
    return readFileSync(this.#path, "utf8")
      .split("\n")
      .flatMap((line) => {
        try {
          return line === "" ? [] : [JSON.parse(line) as T];
        } catch {
          return [];
        }
      });
  }
}

function endsWithNewline(path: string): boolean {
  const text = readFileSync(path);
  return text.length === 0 || text[text.length - 1] === 10;
}

export function openJournal(paths: HomePaths): Journal {
  const file = new LineFile<JournalEntry>(join(paths.journal, "journal.jsonl"));
  return {
    append: async (entry) => file.append(entry),
    entries: async function* () {
      yield* file.read();
    },
  };
}

export function openTombstones(paths: HomePaths): Tombstones {
  const file = new LineFile<Tombstone>(join(paths.tombstones, "tombstones.jsonl"));
  return {
    add: async (tombstone) => file.append(tombstone),
    list: async () => file.read(),
  };
}

/** [2, key, [[attribute, hash of the part that went] …]]; of before, the key alone. */
function decodeCustody(pairing: Pairing, keyId: Uint8Array, value: CborValue): CustodyKey {
  const fields: readonly CborValue[] = Array.isArray(value) ? value : [];
  const [version, key, gone] = fields;
  if (version !== 2) return { keyId, key: decodeAttributeKey(pairing, value), dropped: new Map() };
  const dropped = (Array.isArray(gone) ? (gone as readonly CborValue[]) : []).map(
    (item): [string, Uint8Array] => {
      const [attribute, part] = Array.isArray(item) ? (item as readonly CborValue[]) : [];
      if (typeof attribute === "string" && part instanceof Uint8Array) return [attribute, part];
      throw new ChartsealError("chain-altered", "a file of the provider is damaged");
    },
  );
  return { keyId, key: decodeAttributeKey(pairing, key ?? null), dropped: new Map(dropped) };
}

/** Transform keys in the service vault: FOLDER/ID/KEYID.sealed, by account or by the id of an emergency or proxy. */
class VaultKeys implements TransformKeyStore {
  readonly #vault: KeyVault;
  readonly #pairing: Pairing;
  readonly #place: { readonly folder: string; readonly idBytes: number };

  constructor(vault: KeyVault, pairing: Pairing, place: { folder: string; idBytes: number }) {
    this.#vault = vault;
    this.#pairing = pairing;
    this.#place = place;
  }

  #folder(account: Uint8Array): string {
    return `${this.#place.folder}/${toHex(account)}`;
  }

  async get(account: Uint8Array, keyId: Uint8Array): Promise<CustodyKey | undefined> {
    const value = await this.#vault.load(`${this.#folder(account)}/${toHex(keyId)}.sealed`);
    if (value === undefined) return undefined;
    return decodeCustody(this.#pairing, keyId, value);
  }

  async put(account: Uint8Array, { keyId, key, dropped }: CustodyKey): Promise<void> {
    const name = `${this.#folder(account)}/${toHex(keyId)}.sealed`;
    await this.#vault.save(name, [2, encodeAttributeKey(this.#pairing, key), [...dropped]]);
  }

  async settle(account: Uint8Array, keyId: Uint8Array): Promise<void> {
    for (const name of this.#names(account)) {
      if (name !== `${toHex(keyId)}.sealed`) this.#vault.remove(`${this.#folder(account)}/${name}`);
    }
  }

  async remove(account: Uint8Array): Promise<void> {
    for (const name of this.#names(account)) this.#vault.remove(`${this.#folder(account)}/${name}`);
  }

  async accounts(): Promise<readonly Uint8Array[]> {
    const { idBytes } = this.#place;
    const folder = join(this.#vault.folder, this.#place.folder);
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .filter((name) => /^([0-9a-f]{2})+$/.test(name) && name.length === 2 * idBytes)
      .map((name) => fromHex(name, idBytes));
  }

  #names(account: Uint8Array): string[] {
    const folder = join(this.#vault.folder, this.#folder(account));
    return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".sealed")) : [];
  }
}

function vaultAnswered(vault: KeyVault): AnsweredStore {
  const name = (requestId: Uint8Array): string => `answered/${toHex(requestId)}.sealed`;
  return {
    get: async (requestId) => {
      const value: CborValue | undefined = await vault.load(name(requestId));
      if (value === undefined || value instanceof Uint8Array) return value;
      throw new ChartsealError("chain-altered", "a file of the provider is damaged");
    },
    put: (requestId, account) => vault.save(name(requestId), account),
  };
}

/** The stores that need no key: for `verify`, `forensics`, `gc`. Opening them changes nothing. */
export async function openObjectStores(
  paths: HomePaths,
): Promise<Omit<ProviderStores, "keys" | "special" | "answered">> {
  const pending = join(dirname(paths.objects), "pending");
  const folder = await openFilesystemStore(paths.objects);
  const { placed, whole } = await openPlaced(paths, folder);
  return {
    objects: placed ?? whole ?? folder,
    placed,
    whole,
    leaves: await openFilesystemStore(paths.leaves),
    pending: await openFilesystemStore(pending),
    asides: openAsides(paths),
    repairs: openRepairNotes(paths),
    journal: openJournal(paths),
    tombstones: openTombstones(paths),
  };
}

export async function openProviderStores(
  paths: HomePaths,
  { vault, pairing }: { vault: KeyVault; pairing: Pairing },
): Promise<ProviderStores> {
  const stores = await openObjectStores(paths);
  const keys = new VaultKeys(vault, pairing, { folder: "transform-keys", idBytes: 20 });
  const special = new VaultKeys(vault, pairing, { folder: "special-keys", idBytes: 32 });
  return { ...stores, keys, special, answered: vaultAnswered(vault) };
}
