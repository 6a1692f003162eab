/** A provider's stores in memory, with copies and restores, and a way to die at any of their writes. */
import { type AttributeKey, equalBytes, fromHex, toHex } from "@chartseal/crypto";
import { MemoryStore } from "../../storage/test/memory.ts";
import type {
  AnsweredStore,
  CustodyKey,
  Journal,
  JournalEntry,
  ProviderStores,
  Tombstone,
  Tombstones,
  TransformKeyStore,
} from "../src/provider/stores.ts";

class MemoryKeys implements TransformKeyStore {
  keys = new Map<string, CustodyKey>();
  readonly #idBytes: number;

  /** Of accounts, or of emergencies and proxies. */
  constructor(idBytes: number) {
    this.#idBytes = idBytes;
  }

  #name(account: Uint8Array, keyId: Uint8Array): string {
    return `${toHex(account)}/${toHex(keyId)}`;
  }
  async get(account: Uint8Array, keyId: Uint8Array): Promise<CustodyKey | undefined> {
    return this.keys.get(this.#name(account, keyId));
  }
  async put(account: Uint8Array, key: CustodyKey): Promise<void> {
    this.keys.set(this.#name(account, key.keyId), key);
  }
  async settle(account: Uint8Array, keyId: Uint8Array): Promise<void> {
    for (const [name, key] of this.keys) {
      if (name.startsWith(toHex(account)) && !equalBytes(key.keyId, keyId)) this.keys.delete(name);
    }
  }
  async remove(account: Uint8Array): Promise<void> {
    for (const name of [...this.keys.keys()]) if (name.startsWith(toHex(account))) this.keys.delete(name);
  }
  async accounts(): Promise<readonly Uint8Array[]> {
    const ids = [...this.keys.keys()].map((name) => name.slice(0, 2 * this.#idBytes));
    return [...new Set(ids)].map((hex) => fromHex(hex, this.#idBytes));
  }
  /** Ids of the keys of an account as they lie there. */
  idsOf(account: Uint8Array): Uint8Array[] {
    return [...this.keys].filter(([name]) => name.startsWith(toHex(account))).map(([, { keyId }]) => keyId);
  }
  /** The keys of an account as they lie there. */
  of(account: Uint8Array): AttributeKey[] {
    return [...this.keys].filter(([name]) => name.startsWith(toHex(account))).map(([, { key }]) => key);
  }
}

class MemoryAnswered implements AnsweredStore {
  readonly accounts = new Map<string, Uint8Array>();
  async get(receipt: Uint8Array): Promise<Uint8Array | undefined> {
    return this.accounts.get(toHex(receipt));
  }
  async put(receipt: Uint8Array, account: Uint8Array): Promise<void> {
    this.accounts.set(toHex(receipt), account);
  }
}

class MemoryJournal implements Journal {
  readonly lines: JournalEntry[] = [];
  async append(entry: JournalEntry): Promise<void> {
    this.lines.push(entry);
  }
  async *entries(): AsyncGenerator<JournalEntry> {
    yield* this.lines;
  }
}

class MemoryTombstones implements Tombstones {
  readonly lines: Tombstone[] = [];
  async add(tombstone: Tombstone): Promise<void> {
    this.lines.push(tombstone);
  }
  async list(): Promise<readonly Tombstone[]> {
    return this.lines.map((line) => JSON.parse(JSON.stringify(line)) as Tombstone);
  }
}

export class MemoryStores implements ProviderStores {
  readonly objects = new MemoryStore();
  readonly pending = new MemoryStore();
  readonly leaves = new MemoryStore();
  readonly keys = new MemoryKeys(20);
  readonly special = new MemoryKeys(32);
  readonly answered = new MemoryAnswered();
  readonly journal = new MemoryJournal();
  readonly tombstones = new MemoryTombstones();

  /** A backup of objects, leaf hashes and keys in custody; the function puts it back over what is there. */
  backup(): () => void {
    const { objects, leaves } = this;
    const copies = [new Map(objects.objects), new Map(leaves.objects)] as const;
    const keys = new Map(this.keys.keys);
    const special = new Map(this.special.keys);
    return () => {
      for (const [name, bytes] of copies[0]) objects.objects.set(name, bytes);
      for (const [name, bytes] of copies[1]) leaves.objects.set(name, bytes);
      for (const [name, key] of keys) this.keys.keys.set(name, key);
      for (const [name, key] of special) this.special.keys.set(name, key);
    };
  }
}

/** Thrown where a process is made to die; from then on it does nothing more. */
export class Crash extends Error {}

/** What a process dies at: just before its `at`-th write, which is as well just after the one before. */
export class Fate {
  #left: number;
  #dead = false;

  constructor(at: number) {
    this.#left = at;
  }

  get dead(): boolean {
    return this.#dead;
  }

  async write<T>(act: () => Promise<T>): Promise<T> {
    this.writeNow();
    return await act();
  }

  /** Before a write that is over when its call is. */
  writeNow(): void {
    this.read();
    this.#left--;
    if (this.#left > 0) return;
    this.#dead = true;
    throw new Crash("the process died here");
  }

  read(): void {
    if (this.#dead) throw new Crash("dead already");
  }
}

const writes = new Set(["put", "commit", "remove", "add", "append", "settle", "submit"]);

/** The same object in a process that this fate hangs over. */
export function mortal<T extends object>(target: T, fate: Fate): T {
  return new Proxy(target, {
    get(_, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      const call = value.bind(target) as (...args: unknown[]) => unknown;
      if (writes.has(String(name))) {
        return (...args: unknown[]) => fate.write(async () => await call(...args));
      }
      if (name === "begin") {
        return async (...args: unknown[]) => {
          fate.read();
          return mortal((await call(...args)) as object, fate);
        };
      }
      return (...args: unknown[]) => {
        fate.read();
        return call(...args);
      };
    },
  });
}

export function mortalStores(stores: ProviderStores, fate: Fate): ProviderStores {
  const { objects, pending, leaves, keys, special, answered, journal, tombstones } = stores;
  return {
    objects: mortal(objects, fate),
    pending: mortal(pending, fate),
    leaves: mortal(leaves, fate),
    keys: mortal(keys, fate),
    special: mortal(special, fate),
    answered: mortal(answered, fate),
    journal: mortal(journal, fate),
    tombstones: mortal(tombstones, fate),
  };
}
