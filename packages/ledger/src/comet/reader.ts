/**
 * The ledger of an institution's folder for whoever only reads: beside the process that runs it, and without one. What is
 * shown are the blocks that have CometBFT's commit.
 */
import { ChartsealError, equalBytes } from "@chartseal/crypto";
import { type Head, headOf } from "../block.ts";
import type { ChainReport } from "../chain-check.ts";
import type { Submitted } from "../ledger.ts";
import { genesisHead, type Rules } from "../machine.ts";
import { ChainReads } from "../store/chain-reads.ts";
import { verifyStore } from "../store/check.ts";
import { type Connection, openForReading } from "../store/connection.ts";
import { openSalvage, type Salvage } from "../store/salvage.ts";
import { formatOf } from "../store/schema.ts";
import { run, Store } from "../store/store.ts";
import { CometStore, cometStore } from "./comet-store.ts";

const pollMs = 250;

interface ReaderParts {
  readonly store: CometStore;
  readonly rules: Rules;
  readonly close: () => void;
}

class CometReader extends ChainReads {
  readonly #parts: ReaderParts;
  #head: Head;

  constructor(parts: ReaderParts) {
    const { store, rules } = parts;
    const wakeLater = (wake: () => void): (() => void) => {
      const timer = setTimeout(wake, pollMs);
      return () => clearTimeout(timer);
    };
    super({ store: store.chain, rules, block: (height) => store.block(height), wakeLater });
    this.#parts = parts;
    demandGenesis(store, rules);
    this.#head = genesisHead(rules).head;
    this.latest();
  }

  protected latest(): Head {
    const height = this.#parts.store.sealedHeight();
    if (height !== this.#head.height) this.#head = headOf(this.storedBlock(height));
    return this.#head;
  }

  async submit(): Promise<Submitted> {
    throw new ChartsealError("ledger-unreachable", "the ledger was opened for reading");
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.endReads();
    this.#parts.close();
  }
}

function demandGenesis({ chain }: CometStore, rules: Rules): void {
  const { genesis, stateRoot } = chain.genesis();
  const same = equalBytes(genesis, rules.genesis) && equalBytes(stateRoot, genesisHead(rules).head.stateRoot);
  if (!same) throw new ChartsealError("chain-altered", "the stored genesis is not what the chain began with");
}

export interface CometReaderOptions {
  /** Holds `ledger/comet.sqlite`. */
  readonly directory: string;
  readonly rules: Rules;
}

/** @throws ChartsealError `home-missing`, `chain-altered`, `home-busy` while the store is being repaired */
export function openCometReader({ directory, rules }: CometReaderOptions): ChainReads {
  const connection: Connection = openForReading(directory, cometStore);
  try {
    const store = CometStore.over(connection);
    return new CometReader({ store, rules, close: () => connection.close() });
  } catch (error) {
    connection.close();
    throw error;
  }
}

/**
 * Checks the whole ledger of an institution's folder, beside the process that runs it too, and changes no byte; where it
 * began with a snapshot, all from there on.
 * @throws ChartsealError `home-missing`, `home-busy`, `ledger-unreachable`
 */
export async function verifyComet({ directory, rules }: CometReaderOptions): Promise<ChainReport> {
  return await verifyStore(directory, cometStore, (connection) => {
    const store = CometStore.over(connection);
    demandGenesis(store, rules);
    return { store: store.chain, rules, block: (height) => store.block(height), last: store.sealedHeight() };
  });
}

/**
 * What an institution's folder holds, and changes no byte: the format of its store, and the height of its last block.
 * @throws ChartsealError `home-missing`, `chain-altered`, `home-busy`, `ledger-unreachable`
 */
export function lookAtComet(directory: string): { readonly format: number; readonly height: number } {
  const { database, close } = openForReading(directory, cometStore);
  try {
    return { format: run(() => formatOf(database, cometStore)), height: new Store(database).height() };
  } finally {
    close();
  }
}

/** As `openSalvage` of the embedded engine. @throws ChartsealError `home-missing`, `home-busy`, `ledger-unreachable` */
export function openCometSalvage(directory: string): Salvage | undefined {
  return openSalvage(directory, cometStore);
}
