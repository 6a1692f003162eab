/**
 * The client of an application that is not ours: transactions go to its node as CometLedger sends them, in messages of many,
 * one message at a time; each is acknowledged when a block that holds it is committed.
 */
import { createHash } from "node:crypto";
import { broadcastMax, CometRpc } from "@chartseal/ledger/comet";

interface Waiting {
  readonly transaction: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

const keyOf = (transaction: Uint8Array): string => createHash("sha256").update(transaction).digest("hex");

export class Broadcaster {
  readonly #rpc: CometRpc;
  readonly #queue: Waiting[] = [];
  readonly #waiting = new Map<string, Waiting>();
  #sending = false;

  constructor(rpcUrl: string) {
    this.#rpc = new CometRpc(rpcUrl);
  }

  submit(transaction: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = { transaction, resolve, reject };
      this.#waiting.set(keyOf(transaction), waiting);
      this.#queue.push(waiting);
      void this.#sendAll();
    });
  }

  async #sendAll(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    // What comes in the same turn goes together.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, broadcastMax);
      try {
        const answers = await this.#rpc.broadcast(batch.map(({ transaction }) => transaction));
        for (const [at, answer] of answers.entries()) {
          if (answer !== "taken") batch[at]!.reject(new Error(`the node does not take it: ${answer}`));
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#sending = false;
  }

  /** Of a block that is committed. */
  committed(transactions: readonly Uint8Array[]): void {
    if (this.#waiting.size === 0) return;
    for (const transaction of transactions) {
      const key = keyOf(transaction);
      this.#waiting.get(key)?.resolve();
      this.#waiting.delete(key);
    }
  }
}
