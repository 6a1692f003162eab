/**
 * Transforms whose payload is still being fetched: a reader that proved itself once fetches leaf hashes and ciphertext
 * under a ticket, 32 random bytes that only it was told. Few, and for a while; a lost one is had again by the same reveal.
 */
import { ChartsealError, randomBytes, toHex } from "@chartseal/crypto";
import type { Transformed } from "@chartseal/sharing";

export const ticketsMax = 4_096;
/** As long as a grant lives; each use begins it anew. */
export const ticketMs = 10 * 60_000;

interface Ticket {
  readonly transformed: Transformed;
  usedMs: number;
}

export class Tickets {
  readonly #now: () => number;
  /** In the order of their last use. */
  readonly #tickets = new Map<string, Ticket>();

  constructor(now: () => number) {
    this.#now = now;
  }

  issue(transformed: Transformed): string {
    this.#forget();
    const ticket = toHex(randomBytes(32));
    this.#tickets.set(ticket, { transformed, usedMs: this.#now() });
    return ticket;
  }

  /** @throws ChartsealError `grant-missing` for one that is not known, or no longer */
  use(ticket: string): Transformed {
    this.#forget();
    const found = this.#tickets.get(ticket);
    if (found === undefined) {
      throw new ChartsealError("grant-missing", "this transform is over", {
        hint: "Ask for it again with the same reveal, or make a new request.",
      });
    }
    this.#tickets.delete(ticket);
    found.usedMs = this.#now();
    this.#tickets.set(ticket, found);
    return found.transformed;
  }

  #forget(): void {
    for (const [ticket, { usedMs }] of this.#tickets) {
      if (usedMs + ticketMs > this.#now() && this.#tickets.size < ticketsMax) return;
      this.#tickets.delete(ticket);
    }
  }
}
