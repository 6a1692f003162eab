/**
 * What the consortium's engine keeps: the chain in the store that both engines share, and beside it how far CometBFT has
 * come, at which of its heights each block was made, and each block's commit, which exists only one height later. A block
 * and the height that made it are one transaction of the database.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync } from "node:fs";
import { join } from "node:path";
import { ChartsealError } from "@chartseal/crypto";
import Database from "better-sqlite3";
import type { Block } from "../block.ts";
import { type CometCommit, decodeCommit, encodeCommit } from "../commit.ts";
import { type ExecutedBlock, genesisHead, type Rules } from "../machine.ts";
import { type Connection, ledgerFile } from "../store/connection.ts";
import { checkSchema, configure, createSchema, isBlank, type StoreKind } from "../store/schema.ts";
import { run, Store } from "../store/store.ts";

/** "CSLC". */
export const cometStore: StoreKind = {
  file: "comet.sqlite",
  applicationId: 0x43534c43,
  tables: [
    "CREATE TABLE comet (name TEXT PRIMARY KEY, height INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE made (height INTEGER PRIMARY KEY, comet INTEGER NOT NULL, seal BLOB)",
    "CREATE TABLE proposers (address BLOB PRIMARY KEY, key BLOB NOT NULL) WITHOUT ROWID",
  ],
  seals: "made",
};

/** Stands in a block's row until its commit is there; the commit itself has a row of its own. */
export const noCommit = [] as const;

export interface Proposer {
  readonly address: Uint8Array;
  readonly publicKey: Uint8Array;
}

/** The first transaction of a new file. */
export function createCometStore(database: Database.Database, chain: Store, rules: Rules): void {
  chain.create(rules.genesis, genesisHead(rules).update, () => {
    createSchema(database, cometStore);
    database.exec("INSERT INTO comet (name, height) VALUES ('last', 0)");
  });
}

export class CometStore {
  readonly chain: Store;
  /** Holds the file. */
  readonly folder: string;
  #database: Database.Database;

  private constructor(database: Database.Database, folder: string) {
    this.#database = database;
    this.folder = folder;
    this.chain = new Store(database);
  }

  /**
   * For the one process that holds the folder's lock; makes the file where there is none.
   * @throws ChartsealError `chain-altered`, `home-outdated`, `ledger-unreachable`
   */
  static open(directory: string, rules: Rules): CometStore {
    const folder = join(directory, "ledger");
    run(() => mkdirSync(folder, { recursive: true, mode: 0o700 }));
    const database = connect(ledgerFile(directory, cometStore));
    const store = new CometStore(database, folder);
    return run(() => {
      try {
        if (isBlank(database)) createCometStore(database, store.chain, rules);
        return store;
      } catch (error) {
        database.close();
        throw error;
      }
    });
  }

  /** Over a reader's connection. */
  static over({ database }: Connection): CometStore {
    return new CometStore(database, "");
  }

  get #path(): string {
    return join(this.folder, cometStore.file);
  }

  /** Puts a file that a snapshot was restored into in the place of this one; it is on the disk already. */
  adopt(file: string): void {
    this.#database.close();
    try {
      run(() => {
        renameSync(file, this.#path);
        flushFolder(this.folder);
      });
    } finally {
      this.#database = connect(this.#path);
      this.chain.replaceConnection(this.#database);
    }
  }

  /** Whether nothing would be lost with it: it holds no height, or nothing beyond the snapshot that it began with. */
  isReplaceable(): boolean {
    const base = this.chain.base();
    if (base === 0) return this.cometHeight() === 0;
    return this.chain.height() === base && this.cometHeight() === this.madeAt(base);
  }

  #value(sql: string, ...parameters: unknown[]): unknown {
    return run(() =>
      this.#database
        .prepare(sql)
        .pluck()
        .get(...parameters),
    );
  }

  /** CometBFT's height whose end is on the disk; 0 before its first. */
  cometHeight(): number {
    return integerOf(this.#value("SELECT height FROM comet WHERE name = 'last'"));
  }

  /** CometBFT's height that made a block of ours. */
  madeAt(height: number): number | undefined {
    const comet = this.#value("SELECT comet FROM made WHERE height = ?", height);
    return comet === undefined ? undefined : integerOf(comet);
  }

  /** Keys of all validators that there were, found by their addresses. */
  proposer(address: Uint8Array): Uint8Array | undefined {
    const key = this.#value("SELECT key FROM proposers WHERE address = ?", address);
    return key instanceof Uint8Array ? new Uint8Array(key) : undefined;
  }

  /** One of them, where the chain has begun. */
  anyProposer(): Uint8Array | undefined {
    const key = this.#value("SELECT key FROM proposers LIMIT 1");
    return key instanceof Uint8Array ? new Uint8Array(key) : undefined;
  }

  addProposers(proposers: readonly Proposer[]): void {
    run(() => {
      const insert = this.#database.prepare("INSERT OR IGNORE INTO proposers (address, key) VALUES (?, ?)");
      for (const { address, publicKey } of proposers) insert.run(address, publicKey);
    });
  }

  /** The end of one of CometBFT's heights, with the block of ours that it made if any; on the disk when it returns. */
  commit(cometHeight: number, executed: ExecutedBlock | undefined, proposers: readonly Proposer[]): void {
    const work = this.#database.transaction(() => {
      if (executed !== undefined) {
        this.chain.append(executed, noCommit, () => {});
        const insert = this.#database.prepare("INSERT INTO made (height, comet) VALUES (?, ?)");
        insert.run(executed.header.height, cometHeight);
      }
      this.addProposers(proposers);
      this.#database.prepare("UPDATE comet SET height = ? WHERE name = 'last'").run(cometHeight);
    });
    try {
      run(() => work.immediate());
    } catch (error) {
      this.chain.takenBack();
      throw error;
    }
    if (executed !== undefined) this.chain.settled();
  }

  /** The first block without its commit, and the height of CometBFT that made it. */
  firstUnsealed(): { height: number; comet: number } | undefined {
    const sql = "SELECT height, comet FROM made WHERE seal IS NULL ORDER BY height LIMIT 1";
    const row = run(() => this.#database.prepare(sql).get());
    const { height, comet } = (row ?? {}) as Record<string, unknown>;
    return row === undefined ? undefined : { height: integerOf(height), comet: integerOf(comet) };
  }

  /** Height of the last block that has its commit; 0 before the first. */
  sealedHeight(): number {
    const unsealed = this.firstUnsealed();
    const last = unsealed === undefined ? this.chain.height() : unsealed.height - 1;
    // Of a snapshot whose block has no commit here yet, nothing is shown.
    return last < this.chain.base() ? 0 : last;
  }

  seal(height: number, commit: CometCommit): void {
    const seal = encodeCommit(commit);
    run(() =>
      this.#database.prepare("UPDATE made SET seal = ? WHERE height = ? AND seal IS NULL").run(seal, height),
    );
  }

  /** A block with its commit; undefined where there is none, or none yet. */
  block(height: number): Block | undefined {
    const block = this.chain.block(height);
    const seal = this.#value("SELECT seal FROM made WHERE height = ?", height);
    if (block === undefined || !(seal instanceof Uint8Array)) return undefined;
    try {
      return { ...block, commit: decodeCommit(new Uint8Array(seal)) };
    } catch (error) {
      const data = { height, field: "commit" };
      throw new ChartsealError("chain-altered", `the stored commit of block ${height} cannot be read`, {
        data,
        cause: error,
      });
    }
  }

  close(): void {
    this.chain.close();
  }
}

function connect(path: string): Database.Database {
  return run(() => {
    const database = new Database(path, { timeout: 10_000 });
    try {
      if (!isBlank(database)) checkSchema(database, cometStore);
      configure(database, true);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

function flushFolder(path: string): void {
  const folder = openSync(path, "r");
  fsyncSync(folder);
  closeSync(folder);
}

function integerOf(value: unknown): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new ChartsealError("chain-altered", "a row of the ledger's store is not what was written");
}
