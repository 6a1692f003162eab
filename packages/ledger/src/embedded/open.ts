/**
 * Opens the embedded ledger of a home: `ledger/ledger.sqlite` below DIR, for its one writer or for reading.
 * docs/decisions/embedded-store.md says what holds while a writer and readers share a home.
 */
import { ChartsealError, equalBytes } from "@chartseal/crypto";
import type { ChainReport } from "../chain-check.ts";
import { genesisHead, type Rules } from "../machine.ts";
import { verifyStore } from "../store/check.ts";
import {
  needsRollback,
  openForReading,
  openForWriting,
  openInPlace,
  requireFile,
} from "../store/connection.ts";
import { type HomeLock, takeHomeLock } from "../store/lock.ts";
import { createSchema, plainStore } from "../store/schema.ts";
import { type CommitStage, Store } from "../store/store.ts";
import { EmbeddedLedger } from "./engine.ts";

export interface EmbeddedOptions {
  /** The home, DIR. */
  readonly directory: string;
  /** The rules of the chain that begins with this genesis. */
  readonly rulesOf: (genesis: Uint8Array) => Rules;
  /** The chain id that the caller knows, where it knows one. */
  readonly chainId?: Uint8Array;
}

export interface EmbeddedWriterOptions extends EmbeddedOptions {
  readonly proposerSeed: Uint8Array;
  readonly now: () => number;
  /** Makes a new ledger from this genesis; DIR must hold none. */
  readonly create?: Uint8Array;
  /** How long to wait for another writer: default 30 s. Not used with `lock`. */
  readonly waitMs?: number;
  /** The home's lock, where the caller holds it already and keeps it afterwards. */
  readonly lock?: HomeLock;
  /** Called at instants of a commit; a test may throw there, as a crash would end it. */
  readonly stage?: (stage: CommitStage) => void;
}

/**
 * The ledger for its one writer.
 * @throws ChartsealError `home-busy`, `home-exists`, `home-missing`, `chain-altered`, `home-outdated`, …
 */
export async function openEmbedded(options: EmbeddedWriterOptions): Promise<EmbeddedLedger> {
  const { directory, create, proposerSeed, now, stage = () => {} } = options;
  if (create === undefined) requireFile(directory);
  const lock = options.lock ?? (await takeHomeLock(directory, options.waitMs));
  const release = () => {
    if (options.lock === undefined) lock.release();
  };
  let store: Store | undefined;
  try {
    const { database } = openForWriting(directory, create !== undefined);
    store = new Store(database);
    if (create !== undefined) createIn(store, options.rulesOf(create), () => createSchema(database));
    const rules = rulesFrom(store, options);
    const writer = { proposerSeed, now, stage };
    return new EmbeddedLedger({ store, rules, writer, refresh: () => {}, release, pollMs: 0 });
  } catch (error) {
    store?.close();
    release();
    throw error;
  }
}

/**
 * The ledger for reading: beside a writer too, waiting for none and changing no byte below DIR.
 * @throws ChartsealError `home-missing`, `chain-altered`, `home-outdated`, `home-busy` while the store is being repaired
 */
export function openEmbeddedReader(options: EmbeddedOptions & { readonly pollMs?: number }): EmbeddedLedger {
  const { directory, pollMs = 250 } = options;
  let connection = openForReading(directory);
  const store = new Store(connection.database);
  // A copy is left for the file once a writer has repaired it; the file for a copy if a writer was killed since.
  const refresh = () => {
    const better = connection.isCopy ? openInPlace(directory) : isStuck(store) && openForReading(directory);
    if (!better) return;
    connection.close();
    connection = better;
    store.replaceConnection(better.database);
  };
  try {
    const rules = rulesFrom(store, options);
    return new EmbeddedLedger({ store, rules, refresh, release: () => connection.close(), pollMs });
  } catch (error) {
    connection.close();
    throw error;
  }
}

/**
 * Checks the whole ledger of a home, beside a live writer too, and changes no byte. Damage is in the report.
 * @throws ChartsealError `home-missing`, `home-busy`, `ledger-unreachable`
 */
export async function verifyEmbedded(options: EmbeddedOptions): Promise<ChainReport> {
  return await verifyStore(options.directory, plainStore, ({ database }) => {
    const store = new Store(database);
    const rules = rulesFrom(store, options);
    return { store, rules, block: (height) => store.block(height), last: store.height() };
  });
}

function isStuck(store: Store): boolean {
  try {
    store.height();
    return false;
  } catch (error) {
    if (needsRollback(error)) return true;
    throw error;
  }
}

function createIn(store: Store, rules: Rules, tables: () => void): void {
  store.create(rules.genesis, genesisHead(rules).update, tables);
}

/** The rules of the stored genesis; one that is not understood is damage here. */
export function rulesFrom(store: Store, options: EmbeddedOptions): Rules {
  const { genesis } = store.genesis();
  let rules: Rules;
  try {
    rules = options.rulesOf(genesis);
  } catch (error) {
    throw new ChartsealError("chain-altered", "the stored genesis cannot be read", { cause: error });
  }
  if (options.chainId === undefined || equalBytes(rules.chainId, options.chainId)) return rules;
  throw new ChartsealError("chain-altered", "the store holds another chain");
}
