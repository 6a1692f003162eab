/**
 * What a holder keeps for each of its peers: a store of its own for each, how many bytes lie there, and a validator for
 * each object, so that a reader that was cut off goes on only within the object that it began. Counted once when a peer
 * first comes, and with every change from then on.
 */
import { ChartsealError, randomBytes, toHex } from "@chartseal/crypto";
import { type ObjectStat, type ObjectStore, type PutHandle, StorageError } from "@chartseal/storage";

export interface Peer {
  /** 40 hex. */
  readonly account: string;
  /** Bytes that it may have here, those under way among them. */
  readonly quotaBytes: number;
}

export interface Usage {
  readonly bytes: number;
  readonly objects: number;
}

/** Names whose last change is remembered; beyond it validators of others change too early, which costs a reader a new start. */
const changesMax = 65_536;

export class Holding {
  readonly peer: Peer;
  readonly store: ObjectStore;
  readonly #boot = toHex(randomBytes(8));
  readonly #changes = new Map<string, number>();
  #forgotten = 0;
  #clock = 0;
  #bytes = 0;
  #objects = 0;
  #counted: Promise<void> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(peer: Peer, store: ObjectStore) {
    this.peer = peer;
    this.store = store;
  }

  async usage(): Promise<Usage> {
    await this.#count();
    return { bytes: this.#bytes, objects: this.#objects };
  }

  /** @throws ChartsealError `quota-exceeded` where so many more bytes are too many */
  async demandRoom(bytes: number): Promise<void> {
    const used = (await this.usage()).bytes;
    const { quotaBytes } = this.peer;
    if (used + bytes <= quotaBytes) return;
    throw new ChartsealError("quota-exceeded", "this peer's quota here is used up", {
      data: { quotaBytes, usedBytes: used },
    });
  }

  /** Makes what was written the object of that name. */
  async commit(handle: PutHandle, name: string): Promise<ObjectStat> {
    await this.#count();
    return await this.#inTurn(async () => {
      const before = await this.#sizeOf(name);
      const { size } = await handle.commit(name);
      this.#bytes += size - (before ?? 0);
      if (before === undefined) this.#objects++;
      this.#changed(name);
      return { size };
    });
  }

  async remove(name: string): Promise<boolean> {
    await this.#count();
    return await this.#inTurn(async () => {
      const before = await this.#sizeOf(name);
      const removed = await this.store.remove(name);
      if (removed && before !== undefined) {
        this.#bytes -= before;
        this.#objects--;
      }
      this.#changed(name);
      return removed;
    });
  }

  /** A strong validator of the object as it is. */
  etag(name: string, size: number): string {
    return `"${this.#boot}-${this.#changes.get(name) ?? this.#forgotten}-${size}"`;
  }

  async #sizeOf(name: string): Promise<number | undefined> {
    try {
      return (await this.store.stat(name)).size;
    } catch (error) {
      if (error instanceof StorageError && error.code === "object-missing") return undefined;
      throw error;
    }
  }

  #changed(name: string): void {
    this.#changes.delete(name);
    this.#changes.set(name, ++this.#clock);
    if (this.#changes.size <= changesMax) return;
    const [first] = this.#changes.keys();
    this.#forgotten = this.#clock;
    this.#changes.delete(first!);
  }

  #count(): Promise<void> {
    this.#counted ??= this.#inTurn(async () => {
      let [bytes, objects] = [0, 0];
      for await (const name of this.store.list()) {
        bytes += (await this.#sizeOf(name)) ?? 0;
        objects++;
      }
      [this.#bytes, this.#objects] = [bytes, objects];
    }).catch((error: unknown) => {
      this.#counted = undefined;
      throw error;
    });
    return this.#counted;
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(act, act);
    this.#turn = done.catch(() => {});
    return done;
  }
}

/** The holdings of all peers, each opened when its peer first comes. */
export class Holdings {
  readonly #peers: ReadonlyMap<string, Peer>;
  readonly #storeOf: (account: string) => Promise<ObjectStore>;
  readonly #open = new Map<string, Promise<Holding>>();

  constructor(peers: readonly Peer[], storeOf: (account: string) => Promise<ObjectStore>) {
    this.#peers = new Map(peers.map((peer) => [peer.account, peer]));
    this.#storeOf = storeOf;
  }

  get accounts(): readonly string[] {
    return [...this.#peers.keys()];
  }

  /** @throws ChartsealError `peer-unknown` for an account that this holder does not serve */
  of(account: string): Promise<Holding> {
    const peer = this.#peers.get(account);
    if (peer === undefined) {
      throw new ChartsealError("peer-unknown", "this holder keeps nothing for that account", {
        hint: "Whoever runs it names its peers in its configuration.",
      });
    }
    const found = this.#open.get(account) ?? this.#storeOf(account).then((store) => new Holding(peer, store));
    this.#open.set(account, found);
    found.catch(() => this.#open.delete(account));
    return found;
  }
}
