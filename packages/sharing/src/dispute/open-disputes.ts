/**
 * The disputes that are open, for whoever follows the chain. The ledger only ever adds to its list of disputes, and one that
 * is settled stays settled: what was read once as settled is never read again. A look takes the list's size, what is new
 * in it and what was open the last time, however many blocks lie between; the first takes the whole list.
 */
import { lists } from "@chartseal/ledger";
import type { Surroundings } from "../parties.ts";
import { readListFrom } from "../state.ts";
import type { Dispute } from "./box.ts";
import { readDispute } from "./evidence.ts";

/** The list up to `seen`: what of it is settled is left out. Replaced whole, so that two looks at a time do no harm. */
interface Looked {
  readonly seen: number;
  /** Oldest first. */
  readonly open: readonly Uint8Array[];
}

const never: Looked = { seen: 0, open: [] };

export class OpenDisputes {
  readonly #surroundings: Pick<Surroundings, "ledger">;
  #looked: Looked = never;

  constructor(surroundings: Pick<Surroundings, "ledger">) {
    this.#surroundings = surroundings;
  }

  /** All that are open at the ledger's head, oldest first. */
  async read(): Promise<readonly Dispute[]> {
    const before = this.#looked;
    const added = await readListFrom(this.#surroundings.ledger, lists.disputes, { from: before.seen });
    // A list that is shorter than it was is no continuation: the state was taken away and comes anew.
    if (added === undefined) {
      if (this.#looked === before) this.#looked = never;
      return await this.read();
    }
    const found = await Promise.all(
      [...before.open, ...added].map((id) => readDispute(this.#surroundings, id)),
    );
    const open = found.filter(({ outcome }) => outcome === null);
    this.#looked = { seen: before.seen + added.length, open: open.map(({ disputeId }) => disputeId) };
    return open;
  }
}
