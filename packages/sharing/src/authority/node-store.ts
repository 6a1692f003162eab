/**
 * What a committee node keeps between two messages: dealings, shares, and the secrets of the keys that shares are sealed
 * to. The caller hands in a store that encrypts and is durable when `save` returns; a node that loses it is left out of
 * the run and gets a share again in the next resharing.
 */
import {
  type CborValue,
  ChartsealError,
  type Dealing,
  decode,
  decodeDealing,
  decodeNodeShare,
  encode,
  encodeDealing,
  encodeNodeShare,
  type Generation,
  type NodeShare,
} from "@chartseal/crypto";
import type { Session } from "@chartseal/ledger";

/** Named values; a name is of letters, digits and dashes. */
export interface NodeStore {
  load(name: string): Promise<Uint8Array | undefined>;
  /** Durable when it returns; an earlier value is replaced, and not readable any more. */
  save(name: string, value: Uint8Array): Promise<void>;
  remove(name: string): Promise<void>;
  names(): Promise<readonly string[]>;
}

/** A store for a run that begins and ends in one process: nothing of it is to outlive a crash. */
export class MemoryNodeStore implements NodeStore {
  readonly values = new Map<string, Uint8Array>();
  async load(name: string): Promise<Uint8Array | undefined> {
    return this.values.get(name);
  }
  async save(name: string, value: Uint8Array): Promise<void> {
    this.values.set(name, value);
  }
  async remove(name: string): Promise<void> {
    this.values.delete(name);
  }
  async names(): Promise<readonly string[]> {
    return [...this.values.keys()];
  }
}

/** A key that shares are sealed to, made in an epoch. */
export interface ReceivingKey {
  readonly epoch: number;
  readonly secret: Uint8Array;
  readonly publicKey: Uint8Array;
}

const receivingName = "receiving-keys";
const dealingName = (session: Session, attempt: number): string => `dealing-${session}-${attempt}`;
const shareName = (session: Session, epoch: number): string => `share-${session}-${epoch}`;

/** The typed side of a store. */
export class NodeSecrets {
  readonly #store: NodeStore;

  constructor(store: NodeStore) {
    this.#store = store;
  }

  /** Undefined where there is none, or one that does not fit the run: both mean that it is lost. */
  async dealing<P>(session: Session, run: Generation<P>): Promise<Dealing | undefined> {
    const bytes = await this.#store.load(dealingName(session, run.attempt));
    if (bytes === undefined) return undefined;
    try {
      return decodeDealing(run, bytes);
    } catch (error) {
      if (error instanceof ChartsealError) return undefined;
      throw error;
    }
  }

  saveDealing(session: Session, attempt: number, dealing: Dealing): Promise<void> {
    return this.#store.save(dealingName(session, attempt), encodeDealing(dealing));
  }

  async share(session: Session, epoch: number): Promise<NodeShare | undefined> {
    const bytes = await this.#store.load(shareName(session, epoch));
    return bytes === undefined ? undefined : decodeNodeShare(bytes);
  }

  saveShare(session: Session, share: NodeShare): Promise<void> {
    return this.#store.save(shareName(session, share.epoch), encodeNodeShare(share));
  }

  /** Oldest first; the last one is the one that the ledger is to show. */
  async receivingKeys(): Promise<ReceivingKey[]> {
    const bytes = await this.#store.load(receivingName);
    const value = bytes === undefined ? [] : decode(bytes, { sizeMax: 1 << 16 });
    return Array.isArray(value) ? (value as readonly CborValue[]).map(readKey) : damaged();
  }

  saveReceivingKeys(keys: readonly ReceivingKey[]): Promise<void> {
    const value = keys.map(({ epoch, secret, publicKey }) => [epoch, secret, publicKey]);
    return this.#store.save(receivingName, encode(value));
  }

  /** Whether an epoch's three shares are here. */
  async holds(epoch: number, sessions: readonly Session[]): Promise<boolean> {
    const names = await this.#store.names();
    return sessions.every((session) => names.includes(shareName(session, epoch)));
  }

  /** Erases one dealing or share that `isOver` tells of; false where there is none. */
  async eraseOne(
    isOver: (kind: "dealing" | "share", session: Session, of: number) => boolean,
  ): Promise<boolean> {
    for (const name of await this.#store.names()) {
      const [, kind, session, of] = /^(dealing|share)-(reading|signing|audit)-(\d+)$/.exec(name) ?? [];
      if (kind === undefined || !isOver(kind as "share", session as Session, Number(of))) continue;
      await this.#store.remove(name);
      return true;
    }
    return false;
  }
}

function readKey(value: CborValue): ReceivingKey {
  const [epoch, secret, publicKey] = Array.isArray(value) ? (value as readonly CborValue[]) : [];
  const whole = typeof epoch === "number" && secret instanceof Uint8Array && publicKey instanceof Uint8Array;
  return whole ? { epoch, secret, publicKey } : damaged();
}

function damaged(): never {
  throw new ChartsealError("chain-altered", "a committee node's stored keys are damaged", {
    hint: "Restore the node's folder from a backup, or have the committee reshared without it.",
  });
}
