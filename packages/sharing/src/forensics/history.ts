/**
 * What the chain says happened to some records, from the blocks themselves, so that a damaged state does not silence
 * them: deposits, new versions, grants, transforms, refusals, erasures, with height and block time.
 */
import { toHex } from "@chartseal/crypto";
import { decodeTransaction, type Transaction } from "@chartseal/ledger";
import { attempt } from "./records.ts";

export interface RecordEvent {
  readonly event: "deposited" | "rekeyed" | "moved" | "requested" | "transformed" | "refused" | "erased";
  readonly recordId: string;
  readonly height: number;
  readonly timestampMs: number;
  /** Of the transaction, 64 hex. */
  readonly identifier: string;
  readonly requestId?: string;
  /** Who signed or brought it, where it says so: an account, 40 hex. */
  readonly account?: string;
  /** The provider that took or answered, 40 hex. */
  readonly provider?: string;
}

/** Follows the named records through the blocks, from the first on. */
export class History {
  readonly #wanted: ReadonlySet<string>;
  readonly #requests = new Map<string, string>();
  readonly #events: RecordEvent[] = [];

  constructor(wanted: ReadonlySet<string>) {
    this.#wanted = wanted;
  }

  block(height: number, timestampMs: number, transactions: readonly Uint8Array[]): void {
    for (const bytes of transactions) {
      const transaction = attempt(() => decodeTransaction(bytes));
      if (transaction !== undefined) this.#take({ height, timestampMs }, transaction);
    }
  }

  /** A record's events, oldest first. */
  of(recordId: string): readonly RecordEvent[] {
    return this.#events.filter((one) => one.recordId === recordId);
  }

  #take(place: { height: number; timestampMs: number }, transaction: Transaction): void {
    const { action } = transaction.body;
    const event = this.#eventOf(transaction);
    if (event === undefined) return;
    const recordId = "recordId" in action && action.recordId !== null ? toHex(action.recordId) : undefined;
    const requestId = "requestId" in action ? toHex(action.requestId) : undefined;
    const about = recordId ?? (requestId === undefined ? undefined : this.#requests.get(requestId));
    if (about === undefined || !this.#wanted.has(about)) return;
    if (requestId !== undefined) this.#requests.set(requestId, about);
    const { account, relay, storageReceipt } = transaction.authorisation;
    const by = account?.account ?? relay?.account;
    const provider = action.kind === "receipt" ? action.provider : storageReceipt?.provider;
    this.#events.push({
      event,
      recordId: about,
      ...place,
      identifier: toHex(transaction.identifier),
      ...(requestId === undefined ? {} : { requestId }),
      ...(by === undefined ? {} : { account: toHex(by) }),
      ...(provider === undefined ? {} : { provider: toHex(provider) }),
    });
  }

  #eventOf({ body: { action } }: Transaction): RecordEvent["event"] | undefined {
    if (action.kind === "rekey") return action.statement === null ? "rekeyed" : "moved";
    const events: Partial<Record<typeof action.kind, RecordEvent["event"]>> = {
      deposit: "deposited",
      "request-access": "requested",
      receipt: "transformed",
      refuse: "refused",
      erase: "erased",
    };
    return events[action.kind];
  }
}
