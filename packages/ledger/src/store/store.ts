/**
 * The store of both engines over SQLite: blocks, state nodes and an index of transactions, in one file. A block and all
 * that it changes are one transaction; when `append` returns, it is on the disk. Every row is read strictly and checked
 * against its hash, so that damage is `chain-altered` and never a wrong answer or a stack trace. Where nodes lie is
 * node-rows.ts'.
 *
 * A reader beside a writer needs no long transaction: rows are never changed, so what hangs on one head is a snapshot.
 */
import { assert, type CborValue, ChartsealError, decode, encode, equalBytes } from "@chartseal/crypto";
import type Database from "better-sqlite3";
import type { AddedNodes, NewPlaces, StoredNode } from "../added-nodes.ts";
import { type Block, decodeHeader, encodeHeader } from "../block.ts";
import { type Commit, decodeCommit, encodeCommit } from "../commit.ts";
import type { ExecutedBlock } from "../machine.ts";
import {
  isEmptyHash,
  type NodeSource,
  type StateLeaf,
  type StateNode,
  type StateUpdate,
  walkState,
} from "../state-tree.ts";
import { NodeRows } from "./node-rows.ts";
import { blob, damaged, integer, place } from "./row-values.ts";
import { extend } from "./schema.ts";
import { storeError } from "./sqlite-errors.ts";
import { TopLevels } from "./top-levels.ts";

/** Instants of a commit at which a test can make it fail. */
export type CommitStage = "before-transaction" | "inside-transaction" | "after-commit";

const blockBytesMax = 64 * 1024 * 1024;
/** Nodes below the upper levels that are kept decoded in memory, in each of two generations. */
const cachedNodesMax = 16_384;
/** Leaves that a walk reads under one lock: a commit waits for it. */
const leavesAtOnce = 128;

export interface Genesis {
  readonly genesis: Uint8Array;
  readonly stateRoot: Uint8Array;
}

/** A node and where it lies. */
interface PlacedNode extends StoredNode {
  readonly at: number;
  readonly position: number;
}

export class Store {
  #database: Database.Database;
  readonly #nodeRows: NodeRows;
  readonly #top = new TopLevels();
  /** By place. What is found there must still have the hash that is asked for. */
  #young = new Map<number, StoredNode>();
  #old = new Map<number, StoredNode>();
  readonly #statements = new Map<string, Database.Statement>();
  /** A block's new nodes that a greater transaction put and may yet take back. */
  #unsettled: { readonly added: AddedNodes; readonly places: NewPlaces } | undefined;
  #base: number | undefined;
  /** Of `together`: the next read of a row begins the transaction that holds it. */
  #lock: "none" | "wanted" | "held" = "none";

  constructor(database: Database.Database) {
    this.#database = database;
    this.#nodeRows = new NodeRows({
      statement: (sql) => this.#statement(sql),
      row: (sql, ...parameters) => this.#row(sql, ...parameters),
    });
  }

  /** Puts another connection in place of this one, e.g. to a copy; the caller closes the old one. */
  replaceConnection(database: Database.Database): void {
    this.#database = database;
    this.#statements.clear();
    this.#forget();
    this.#base = undefined;
  }

  /** All that is kept of nodes: it names places, which are others' in another file, and after a commit that failed. */
  #forget(): void {
    this.#nodeRows.clear();
    this.#top.clear();
    this.#young.clear();
    this.#old.clear();
    this.#unsettled = undefined;
  }

  #statement(sql: string): Database.Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #row(sql: string, ...parameters: unknown[]): Record<string, unknown> | undefined {
    if (this.#lock === "wanted") {
      run(() => this.#statement("BEGIN").run());
      this.#lock = "held";
    }
    return run(() => this.#statement(sql).get(...parameters)) as Record<string, unknown> | undefined;
  }

  #rows(sql: string, ...parameters: unknown[]): Record<string, unknown>[] {
    return run(() => this.#statement(sql).all(...parameters)) as Record<string, unknown>[];
  }

  /** What the chain began with. */
  genesis(): Genesis {
    const value = (name: string) => blob(this.#row("SELECT value FROM meta WHERE name = ?", name)?.value);
    return { genesis: value("genesis"), stateRoot: blob(value("genesis-root"), 32) };
  }

  /** Height of the last block, 0 where there is none. */
  height(): number {
    return integer(this.#row("SELECT coalesce(max(height), 0) AS height FROM blocks")?.height);
  }

  /** The block of the snapshot that the store began with, before which it holds none; 0 where it holds all. */
  base(): number {
    this.#base ??= integer(
      this.#row("SELECT coalesce(max(value), 0) AS base FROM meta WHERE name = 'base'")?.base,
    );
    return this.#base;
  }

  /** A block as it is stored, its encoding checked and nothing else; undefined where there is none. */
  block(height: number): Block | undefined {
    const row = this.#row("SELECT header, hash, transactions, seal FROM blocks WHERE height = ?", height);
    if (row === undefined) return undefined;
    try {
      return {
        header: decodeHeader(blob(row.header)),
        hash: blob(row.hash, 32),
        transactions: decodeTransactions(blob(row.transactions)),
        commit: decodeCommit(blob(row.seal)),
      };
    } catch (error) {
      const data = { height, field: "transactions" };
      throw new ChartsealError("chain-altered", `the stored block ${height} cannot be read`, {
        data,
        cause: error,
      });
    }
  }

  /** Where a transaction is, or undefined. */
  location(identifier: Uint8Array): { height: number; index: number } | undefined {
    const row = this.#row("SELECT height, position FROM transactions WHERE identifier = ?", identifier);
    return row === undefined ? undefined : { height: integer(row.height), index: integer(row.position) };
  }

  transactionCount(): number {
    return integer(this.#row("SELECT count(*) AS number FROM transactions")?.number);
  }

  /** What the database finds wrong with its own file; nothing if all is well. */
  damage(): string[] {
    const rows = this.#rows("PRAGMA integrity_check(20)").map((row) => String(row.integrity_check));
    return rows.length === 1 && rows[0] === "ok" ? [] : rows;
  }

  /**
   * Many reads under one lock of the file: short ones, since a commit waits for them. It is taken when the first of them
   * reaches the file, which most transactions that are tried never do.
   */
  together<T>(work: () => T): T {
    if (this.#lock !== "none" || this.#database.inTransaction) return work();
    this.#lock = "wanted";
    try {
      return work();
    } finally {
      this.#lock = "none";
      // A failing device ends it by itself, and whoever reads is told of that failure.
      if (this.#database.inTransaction) run(() => this.#statement("COMMIT").run());
    }
  }

  /** The state tree after a block, or with 0 the genesis'. */
  tree(height: number): NodeSource {
    let root: number | undefined;
    const rootAt = (): number | undefined => {
      root ??= this.rootAt(height);
      return root;
    };
    return {
      load: (hash, at, position) => this.#load(hash, at ?? rootAt(), position),
      descend: (hash, path) => this.#top.descend(hash, rootAt() ?? 0, path),
    };
  }

  /**
   * Every entry of the state after a block, some of them at a time, in the order of paths. What is kept in memory stays as
   * it is; a commit may come between any two lots.
   * @throws ChartsealError `chain-altered`
   */
  *leaves(height: number, root: Uint8Array): Generator<readonly StateLeaf[]> {
    const source: NodeSource = { load: (hash, at) => this.#nodeRows.read(hash, at ?? this.rootAt(height)) };
    const walk = walkState(source, root);
    const some = (): StateLeaf[] => {
      const lot: StateLeaf[] = [];
      while (lot.length < leavesAtOnce) {
        const { done, value } = walk.next();
        if (done === true) break;
        lot.push(value);
      }
      return lot;
    };
    // Under one lock: taking one for each node would cost several times what reading it does.
    for (let lot = this.together(some); lot.length > 0; lot = this.together(some)) yield lot;
  }

  /** The place of a state root; undefined for the empty state, and where the block is missing. */
  rootAt(height: number): number | undefined {
    if (height > 0) return place(this.#row("SELECT root FROM blocks WHERE height = ?", height)?.root);
    return place(this.#row("SELECT value FROM meta WHERE name = 'genesis-node'")?.value);
  }

  #load(hash: Uint8Array, at: number | undefined, position = 0): StateNode {
    if (at === undefined) return this.#nodeRows.read(hash, at);
    if (this.#top.holds(position)) {
      const top = this.#top.get(position, at, hash);
      if (top !== undefined) return top;
    }
    const young = this.#young.get(at);
    if (young !== undefined && equalBytes(young.hash, hash)) return young.node;
    const old = this.#old.get(at);
    if (old === undefined || !equalBytes(old.hash, hash)) return this.loadStored(hash, at, position);
    this.#remember({ ...old, at, position });
    return old.node;
  }

  /** A node from the file itself, past what is kept decoded. @throws ChartsealError `chain-altered` */
  loadStored(hash: Uint8Array, at: number | undefined, position = 0): StateNode {
    const node = this.#nodeRows.read(hash, at);
    if (at !== undefined) this.#remember({ hash, node, at, position });
    return node;
  }

  #remember({ at, position, hash, node }: PlacedNode): void {
    if (node.type === "inner" && this.#top.holds(position)) {
      this.#top.put(position, { at, hash, node });
      return;
    }
    if (this.#young.size >= cachedNodesMax) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(at, { hash, node });
  }

  /** The first transaction of a new store. */
  create(genesis: Uint8Array, update: StateUpdate, tables: () => void): void {
    this.#write(() => {
      tables();
      const meta = this.#statement("INSERT INTO meta (name, value) VALUES (?, ?)");
      meta.run("genesis", genesis);
      meta.run("genesis-root", update.root);
      const { rootAt } = this.#putNodes(update, undefined);
      if (rootAt !== undefined) meta.run("genesis-node", BigInt(rootAt));
    });
  }

  /**
   * Stores a block; durable when it returns, or where a transaction goes round it, when that has ended, and `settled` is called.
   * `stage` may throw, as a crash would end it there.
   */
  append(executed: ExecutedBlock, commit: Commit, stage: (stage: CommitStage) => void): void {
    const { header, hash, transactions, results } = executed;
    const seal = encodeCommit(commit);
    const before = this.rootAt(header.height - 1);
    this.#unsettled = undefined;
    let places: NewPlaces | undefined;
    stage("before-transaction");
    this.#write(() => {
      extend(this.#database);
      const nodes = this.#putNodes(executed.update, before);
      places = nodes.places;
      stage("inside-transaction");
      const block = this.#statement(
        "INSERT INTO blocks (height, header, hash, transactions, seal, root) VALUES (?, ?, ?, ?, ?, ?)",
      );
      const root = nodes.rootAt ?? null;
      block.run(header.height, encodeHeader(header), hash, encode(transactions), seal, root);
      const transaction = this.#statement(
        "INSERT INTO transactions (identifier, height, position) VALUES (?, ?, ?)",
      );
      for (const [index, { identifier }] of results.entries())
        transaction.run(identifier, header.height, index);
    });
    if (places !== undefined) this.#unsettled = { added: executed.update.added, places };
    if (!this.#database.inTransaction) this.settled();
    stage("after-commit");
  }

  /** The transaction round the last `append` has ended well: from now on its nodes are found in memory. */
  settled(): void {
    if (this.#unsettled !== undefined) this.#rememberAdded(this.#unsettled.added, this.#unsettled.places);
    this.#unsettled = undefined;
  }

  /** The transaction round the last `append` has failed. */
  takenBack(): void {
    this.#forget();
  }

  /** That no row of nodes lies where no place leads. @throws ChartsealError `chain-altered` */
  checkRows(): void {
    this.#nodeRows.checkRows();
  }

  /** Puts one node behind all others, its children before it, and gives its place: a tree that comes in a stream. */
  putNode(node: StateNode): number {
    return this.#nodeRows.put(node);
  }

  /** Begins the chain with the block of a snapshot, whose tree is there: no block before it, and no index of its own. */
  putBase({ header, hash, transactions, commit }: Block, root: number | undefined): void {
    this.#nodeRows.flush();
    this.#statement(
      "INSERT INTO blocks (height, header, hash, transactions, seal, root) VALUES (?, ?, ?, ?, ?, ?)",
    ).run(
      header.height,
      encodeHeader(header),
      hash,
      encode(transactions),
      encodeCommit(commit),
      root ?? null,
    );
    this.#statement("INSERT INTO meta (name, value) VALUES ('base', ?)").run(BigInt(header.height));
    this.#base = undefined;
  }

  #write(work: () => void): void {
    run(() => this.#database.transaction(work).immediate());
  }

  /**
   * Puts new nodes behind all others, in the order given, and gives their places and the root's. What was there before and
   * has no place is the root of `before`, the one node that is never found through another.
   */
  #putNodes(
    { root, rootNew, rootAt, added }: StateUpdate,
    before: number | undefined,
  ): { readonly places: NewPlaces; readonly rootAt: number | undefined } {
    const places = this.#nodeRows.insert(added, before);
    if (isEmptyHash(root)) return { places, rootAt: undefined };
    const found = rootNew === undefined ? (rootAt ?? before) : added.place(rootNew, places);
    assert(found !== undefined, "the root of a state lies somewhere");
    return { places, rootAt: found };
  }

  /** A new entry is seldom read again soon, the nodes above it are on the way to others. */
  #rememberAdded(added: AddedNodes, places: NewPlaces): void {
    for (let number = 0; number < added.length; number++) {
      if (added.leaf(number) === undefined && this.#top.holds(added.position(number))) {
        this.#top.putAdded(added, number, places);
      }
    }
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }
}

/** Runs a piece of database work; what it throws comes out in the project's codes. */
export function run<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw storeError(error);
  }
}

function decodeTransactions(bytes: Uint8Array): Uint8Array[] {
  return list(decode(bytes, { sizeMax: blockBytesMax })).map((transaction) => blob(transaction));
}

function list(value: CborValue): readonly CborValue[] {
  if (!Array.isArray(value)) throw damaged();
  return value;
}
