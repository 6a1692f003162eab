/**
 * The store of both engines over SQLite: blocks, state nodes and an index of transactions, in one file. A block and all
 * that it changes are one transaction; when `append` returns, it is on the disk. Every row is read strictly and checked
 * against its hash, so that damage is `chain-altered` and never a wrong answer or a stack trace. Row numbers of nodes are
 * hashed by nothing: they say where to look, and what is found there must have the hash that was asked for.
 *
 * A reader beside a writer needs no long transaction: rows are never changed, so what hangs on one head is a snapshot.
 */
import { assert, type CborValue, ChartsealError, decode, encode, equalBytes } from "@chartseal/crypto";
import type Database from "better-sqlite3";
import type { AddedNodes, StoredNode } from "../added-nodes.ts";
import { type Block, decodeHeader, encodeHeader } from "../block.ts";
import { type Commit, decodeCommit, encodeCommit } from "../commit.ts";
import type { ExecutedBlock } from "../machine.ts";
import {
  decodeNode,
  encodeNode,
  innerBytes,
  isEmptyHash,
  type NodeSource,
  type StateLeaf,
  type StateNode,
  type StateUpdate,
  walkState,
} from "../state-tree.ts";
import { storeError } from "./sqlite-errors.ts";
import { TopLevels } from "./top-levels.ts";

/** Instants of a commit at which a test can make it fail. */
export type CommitStage = "before-transaction" | "inside-transaction" | "after-commit";

const blockBytesMax = 64 * 1024 * 1024;
/** Nodes below the upper levels that are kept decoded in memory, in each of two generations. */
const cachedNodesMax = 16_384;
/** Leaves that a walk reads under one lock: a commit waits for it. */
const leavesAtOnce = 128;
/** Nodes that one statement puts: each costs less than by itself. */
const rowsAtOnce = 64;

const insertionOfOne = "INSERT INTO nodes (node, left_id, right_id) VALUES (?, ?, ?)";
const insertionOfMany = `${insertionOfOne}${", (?, ?, ?)".repeat(rowsAtOnce - 1)}`;

export interface Genesis {
  readonly genesis: Uint8Array;
  readonly stateRoot: Uint8Array;
}

/** A node and its row. */
interface PlacedNode extends StoredNode {
  readonly at: number;
  readonly position: number;
}

export class Store {
  #database: Database.Database;
  readonly #top = new TopLevels();
  /** By row. What is found there must still have the hash that is asked for: rows of a commit that failed are others' later. */
  #young = new Map<number, StoredNode>();
  #old = new Map<number, StoredNode>();
  readonly #statements = new Map<string, Database.Statement>();
  #base: number | undefined;
  /** Of `together`: the next read of a row begins the transaction that holds it. */
  #lock: "none" | "wanted" | "held" = "none";

  constructor(database: Database.Database) {
    this.#database = database;
  }

  /** Puts another connection in place of this one, e.g. to a copy; the caller closes the old one. */
  replaceConnection(database: Database.Database): void {
    this.#database = database;
    this.#statements.clear();
    // What is kept decoded names rows, which may be others there.
    this.#top.clear();
    this.#young.clear();
    this.#old.clear();
    this.#base = undefined;
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
    return { load: (hash, at, position) => this.#load(hash, at ?? rootAt(), position) };
  }

  /**
   * Every entry of the state after a block, some of them at a time, in the order of paths. What is kept in memory stays as
   * it is; a commit may come between any two lots.
   * @throws ChartsealError `chain-altered`
   */
  *leaves(height: number, root: Uint8Array): Generator<readonly StateLeaf[]> {
    const source: NodeSource = { load: (hash, at) => this.#fromFile(hash, at ?? this.rootAt(height)) };
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

  /** The row of a state root; undefined for the empty state, and where the block is missing. */
  rootAt(height: number): number | undefined {
    if (height > 0) return place(this.#row("SELECT root FROM blocks WHERE height = ?", height)?.root);
    return place(this.#row("SELECT value FROM meta WHERE name = 'genesis-node'")?.value);
  }

  #load(hash: Uint8Array, at: number | undefined, position = 0): StateNode {
    if (at === undefined) return this.#fromFile(hash, at);
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

  /** A node from the file itself, past the cache. @throws ChartsealError `chain-altered` */
  loadStored(hash: Uint8Array, at: number | undefined, position = 0): StateNode {
    const node = this.#fromFile(hash, at);
    if (at !== undefined) this.#remember({ hash, node, at, position });
    return node;
  }

  #fromFile(hash: Uint8Array, at: number | undefined): StateNode {
    const sql = "SELECT node, left_id, right_id FROM nodes WHERE id = ?";
    const row = at === undefined ? undefined : this.#row(sql, at);
    if (row === undefined) throw new ChartsealError("chain-altered", "a node of the state tree is missing");
    const found = decodeNode(hash, blob(row.node));
    if (found.type === "leaf") return found;
    return { ...found, leftAt: place(row.left_id), rightAt: place(row.right_id) };
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

  /** Stores a block; durable when it returns. `stage` may throw, as a crash would end it there. */
  append(executed: ExecutedBlock, commit: Commit, stage: (stage: CommitStage) => void): void {
    const { header, hash, transactions, results } = executed;
    const seal = encodeCommit(commit);
    const before = this.rootAt(header.height - 1);
    let first = 0;
    stage("before-transaction");
    this.#write(() => {
      const nodes = this.#putNodes(executed.update, before);
      first = nodes.first;
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
    this.#rememberAdded(executed.update.added, first, before);
    stage("after-commit");
  }

  /** Puts one node behind all others, its children before it, and gives its row: a tree that comes in a stream. */
  putNode(node: StateNode): number {
    const insert = this.#statement(insertionOfOne);
    const [left, right] = node.type === "leaf" ? [] : [node.leftAt, node.rightAt];
    return Number(insert.run(encodeNode(node), left ?? null, right ?? null).lastInsertRowid);
  }

  /** Begins the chain with the block of a snapshot, whose tree is there: no block before it, and no index of its own. */
  putBase({ header, hash, transactions, commit }: Block, root: number | undefined): void {
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
   * Puts new nodes behind all others, in the order given, and gives the rows of the first and of the root. What was there
   * before and has no place is the root of `before`, the one node that is never found through another.
   */
  #putNodes(
    { root, rootNew, rootAt, added }: StateUpdate,
    before: number | undefined,
  ): { first: number; rootAt: number | undefined } {
    const first = integer(this.#row("SELECT coalesce(max(id), 0) AS id FROM nodes")?.id) + 1;
    this.#insertNodes(added, first, before);
    if (isEmptyHash(root)) return { first, rootAt: undefined };
    const found = rootNew === undefined ? (rootAt ?? before) : first + rootNew;
    assert(found !== undefined, "the root of a state lies somewhere");
    return { first, rootAt: found };
  }

  #insertNodes(nodes: AddedNodes, first: number, before: number | undefined): void {
    // Memory for thousands of inner nodes one by one costs as much as putting them. The database takes its own copy.
    const room = new Uint8Array(rowsAtOnce * innerBytes);
    const rooms = Array.from({ length: rowsAtOnce }, (_, at) =>
      room.subarray(innerBytes * at, innerBytes * (at + 1)),
    );
    for (const one of rooms) one[0] = 1;
    const rowOf = (number: number, side: 0 | 1): number | null => {
      const row = nodes.childRow(number, side, first, before);
      return row === 0 ? null : row;
    };
    const insert = (from: number, count: number): void => {
      const values: unknown[] = [];
      for (let k = 0; k < count; k++) {
        const leaf = nodes.leaf(from + k);
        if (leaf !== undefined) {
          values.push(encodeNode(leaf), null, null);
          continue;
        }
        nodes.copyHashes(from + k, rooms[k]!, 1, 32);
        values.push(rooms[k], rowOf(from + k, 0), rowOf(from + k, 1));
      }
      // The database numbers rows on from its last one: a number given with each makes that dearer.
      const { lastInsertRowid } = this.#statement(count === 1 ? insertionOfOne : insertionOfMany).run(values);
      assert(lastInsertRowid === first + from + count - 1, "a node lies in the row behind the last");
    };
    let next = 0;
    for (; next + rowsAtOnce <= nodes.length; next += rowsAtOnce) insert(next, rowsAtOnce);
    for (; next < nodes.length; next++) insert(next, 1);
  }

  /** A new entry is seldom read again soon, the nodes above it are on the way to others. */
  #rememberAdded(added: AddedNodes, first: number, before: number | undefined): void {
    for (let number = 0; number < added.length; number++) {
      const position = added.position(number);
      if (added.leaf(number) !== undefined || !this.#top.holds(position)) continue;
      const [left, right] = [
        added.childRow(number, 0, first, before),
        added.childRow(number, 1, first, before),
      ];
      this.#top.putAdded(added, number, first + number, left, right);
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

function damaged(): ChartsealError {
  return new ChartsealError("chain-altered", "a row of the ledger's store is not what was written");
}

function blob(value: unknown, size?: number): Uint8Array {
  if (!(value instanceof Uint8Array) || (size !== undefined && value.length !== size)) throw damaged();
  return new Uint8Array(value.buffer, value.byteOffset, value.length);
}

function integer(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw damaged();
  return value;
}

/** A row number, or undefined where there is none. */
function place(value: unknown): number | undefined {
  return value === null || value === undefined ? undefined : integer(value);
}

function decodeTransactions(bytes: Uint8Array): Uint8Array[] {
  return list(decode(bytes, { sizeMax: blockBytesMax })).map((transaction) => blob(transaction));
}

function list(value: CborValue): readonly CborValue[] {
  if (!Array.isArray(value)) throw damaged();
  return value;
}
