/**
 * How many bytes a provider keeps for whom, by the ledger: sealed payloads of records that stand, by owner and by the relay
 * that brought them. Read whole once, and followed block by block from then on, so that asking costs nothing.
 */
import { ChartsealError, decodeDescriptor, equalBytes, sealedBytes, toHex } from "@chartseal/crypto";
import { entries, type Ledger, lists, type RecordValue } from "@chartseal/ledger";
import { readEntry, readList } from "../state.ts";
import { actionsOf } from "./chain.ts";

export interface Use {
  readonly records: number;
  readonly bytes: number;
}

/** What an owner may have stored. Handed in by whoever runs the provider. */
export interface Quotas {
  /** Sealed bytes, or undefined for no bound. */
  of(owner: Uint8Array): number | undefined;
}

const none: Use = { records: 0, bytes: 0 };

/** A record's part of the sums. Accounts in hex; a relay "" where the owner brought it. */
interface Counted {
  readonly owner: string;
  readonly relay: string;
  readonly bytes: number;
}

/** What is promised in a storage receipt and may still come into a block. */
interface Promised {
  readonly owner: string;
  readonly bytes: number;
  readonly untilMs: number;
}

/** How long after its last moment a promise is kept: blocks' time is not ours. */
const promiseMarginMs = 600_000;

export class UsageBook {
  readonly #ledger: Ledger;
  readonly #provider: Uint8Array;
  readonly #records = new Map<string, Counted>();
  readonly #owners = new Map<string, Use>();
  readonly #relays = new Map<string, Use>();
  readonly #promised = new Map<string, Promised>();
  #height: number | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(ledger: Ledger, provider: Uint8Array) {
    this.#ledger = ledger;
    this.#provider = provider;
  }

  /** Up to the ledger's head. */
  follow(): Promise<void> {
    const done = this.#turn.then(() => this.#follow());
    this.#turn = done.catch(() => {});
    return done;
  }

  owner(account: Uint8Array): Use {
    return this.#owners.get(toHex(account)) ?? none;
  }

  /** By account, in hex. */
  owners(): ReadonlyMap<string, Use> {
    return this.#owners;
  }

  /** By account, in hex; "" for what owners brought themselves. */
  relays(): ReadonlyMap<string, Use> {
    return this.#relays;
  }

  /**
   * Keeps room for a payload that is about to be registered, until the ledger has it or cannot take it any more.
   * @throws ChartsealError `quota-exceeded`, data {quotaBytes, usedBytes, bytes}
   */
  promise(wanted: {
    readonly owner: Uint8Array;
    readonly address: string;
    readonly bytes: number;
    readonly quotaBytes: number;
    readonly nowMs: number;
    readonly untilMs: number;
  }): void {
    const { address, bytes, quotaBytes, nowMs, untilMs } = wanted;
    const owner = toHex(wanted.owner);
    let usedBytes = this.owner(wanted.owner).bytes;
    for (const [at, promised] of this.#promised) {
      if (promised.untilMs + promiseMarginMs < nowMs) this.#promised.delete(at);
      else if (promised.owner === owner && at !== address) usedBytes += promised.bytes;
    }
    if (usedBytes + bytes > quotaBytes) {
      throw new ChartsealError(
        "quota-exceeded",
        "this owner's records fill what this provider keeps for one",
        {
          data: { quotaBytes, usedBytes, bytes },
          hint: "Erase a record, or ask whoever runs the provider for a larger quota.",
        },
      );
    }
    // Of two bodies for one payload the ledger takes either.
    const before = this.#promised.get(address)?.untilMs ?? untilMs;
    this.#promised.set(address, { owner, bytes, untilMs: Math.max(before, untilMs) });
  }

  async #follow(): Promise<void> {
    const { height } = await this.#ledger.head();
    if (this.#height === undefined) {
      for (const recordId of await readList(this.#ledger, lists.records)) await this.#count(recordId);
    } else {
      for (let at = this.#height + 1; at <= height; at++) {
        for (const { action } of await actionsOf(this.#ledger, at)) {
          const changes = action.kind === "deposit" || action.kind === "rekey" || action.kind === "erase";
          if (changes) await this.#count(action.recordId);
        }
      }
    }
    this.#height = height;
  }

  /** A record as it is now, in the place of what was counted of it before. */
  async #count(recordId: Uint8Array): Promise<void> {
    const key = toHex(recordId);
    const record = await readEntry(this.#ledger, entries.record, recordId);
    const counted = record === undefined ? undefined : countedOf(record, this.#provider);
    const before = this.#records.get(key);
    if (before !== undefined) this.#add(before, -1);
    if (counted === undefined) this.#records.delete(key);
    else {
      this.#add(counted, 1);
      this.#records.set(key, counted);
    }
    if (record !== undefined) this.#promised.delete(record.address);
  }

  #add({ owner, relay, bytes }: Counted, sign: 1 | -1): void {
    for (const [sums, key] of [
      [this.#owners, owner],
      [this.#relays, relay],
    ] as const) {
      const sum = sums.get(key) ?? none;
      const next = { records: sum.records + sign, bytes: sum.bytes + sign * bytes };
      if (next.records === 0) sums.delete(key);
      else sums.set(key, next);
    }
  }
}

function countedOf(record: RecordValue, provider: Uint8Array): Counted | undefined {
  if (record.erasedHeight !== null || !equalBytes(record.provider, provider)) return undefined;
  const { current, owner, relay } = record;
  const bytes = sealedBytes(current.payloadLength, decodeDescriptor(current.descriptor).chunkBytes);
  return { owner: toHex(owner), relay: relay === null ? "" : toHex(relay), bytes };
}
