/**
 * Where nodes of the state tree lie in the store's file, and how they are written and read there, past every memory.
 *
 * A leaf has a row of its own in `nodes`. Inner nodes lie sixteen in a row of `inner_nodes`, in the order in which they are
 * made: a row for each costs more than all else that storing it takes. A node is told by its place, a number: below 2^40
 * its row in `nodes`, where format 2 had inner nodes too; from there on, below 2^48, 2^40 + 16 · row + which of the row's it
 * is. A place is hashed by nothing: what is found there must have the hash that was asked for.
 */
import { assert, ChartsealError, doubleSha256, equalBytes } from "@chartseal/crypto";
import type Database from "better-sqlite3";
import type { AddedNodes, NewPlaces } from "../added-nodes.ts";
import { decodeNode, encodeNode, innerBytes, type StateInner, type StateNode } from "../state-tree.ts";
import { blob, damaged, integer, place } from "./row-values.ts";

/** The first place of an inner node, and the first that is none. */
const innerPlaces = 2 ** 40;
const placesEnd = 2 ** 48;
/** Inner nodes of a row, the last one of a block's may have fewer. Three such rows fill a page of 4,096 bytes. */
const nodesPerRow = 16;
const placeBytes = 6;
/** Nodes for which there must be room behind those of a sound store: more than its next blocks have. */
const roomDemanded = 2 ** 32;
/** As it is encoded, then its children's places, u48 each, 0 for none. */
const recordBytes = innerBytes + 2 * placeBytes;
/** Rows that one statement puts: each costs less than by itself. */
const rowsAtOnce = 64;

/** The database as a store asks it. */
export interface RowAccess {
  statement(sql: string): Database.Statement;
  row(sql: string, ...parameters: unknown[]): Record<string, unknown> | undefined;
}

/** Inner nodes that come one by one, until they make a row. */
interface PendingRow {
  readonly row: number;
  readonly nodes: Uint8Array;
  count: number;
}

export class NodeRows {
  readonly #database: RowAccess;
  /** The row that was read last: the next node on the way down often lies beside. */
  #last: { readonly row: number; readonly nodes: Uint8Array } | undefined;
  #pending: PendingRow | undefined;

  constructor(database: RowAccess) {
    this.#database = database;
  }

  /** For another file in the place of this one. */
  clear(): void {
    this.#last = undefined;
    this.#pending = undefined;
  }

  /** @throws ChartsealError `chain-altered` where it is missing, or what lies there has another hash */
  read(hash: Uint8Array, at: number | undefined): StateNode {
    if (at === undefined) throw missing();
    return at < innerPlaces ? this.#single(hash, at) : this.#inner(hash, at - innerPlaces);
  }

  #single(hash: Uint8Array, at: number): StateNode {
    const row = this.#database.row("SELECT node, left_id, right_id FROM nodes WHERE id = ?", at);
    if (row === undefined) throw missing();
    const found = decodeNode(hash, blob(row.node));
    if (found.type === "leaf") return found;
    return { ...found, leftAt: place(row.left_id), rightAt: place(row.right_id) };
  }

  #inner(hash: Uint8Array, number: number): StateInner {
    const [row, at] = [Math.floor(number / nodesPerRow), recordBytes * (number % nodesPerRow)];
    const near = this.#last?.row === row ? innerIn(this.#last.nodes, at, hash) : undefined;
    if (near !== undefined) return near;
    const found = this.#database.row("SELECT nodes FROM inner_nodes WHERE id = ?", row);
    if (found === undefined) throw missing();
    const nodes = blob(found.nodes);
    const node = innerIn(nodes, at, hash);
    if (node === undefined) {
      throw new ChartsealError("chain-altered", "a stored node of the state tree does not have its hash");
    }
    this.#last = { row, nodes };
    return node;
  }

  /** Puts new nodes behind all others, in the order given, and gives their places. */
  insert(added: AddedNodes, rootBefore: number | undefined): NewPlaces {
    assert(this.#pending === undefined, "what came one by one was written");
    const { firstLeaf, firstRow } = this.#firstFree(added.length);
    const places = { firstLeaf, firstInner: innerPlaces + nodesPerRow * firstRow, root: rootBefore };
    const leaves: Uint8Array[] = [];
    const inner = new Uint8Array(recordBytes * added.innerCount);
    let at = 0;
    for (let number = 0; number < added.length; number++) {
      const leaf = added.leaf(number);
      if (leaf !== undefined) {
        leaves.push(encodeNode(leaf));
        continue;
      }
      inner[at] = 1;
      added.copyHashes(number, inner, at + 1, 32);
      const [left, right] = [added.childPlace(number, 0, places), added.childPlace(number, 1, places)];
      setPlaces(inner, at, left, right);
      at += recordBytes;
    }
    this.#insertRows("nodes (node)", leaves, firstLeaf);
    const rowBytes = recordBytes * nodesPerRow;
    const rows = Array.from({ length: Math.ceil(inner.length / rowBytes) }, (_, row) =>
      inner.subarray(rowBytes * row, rowBytes * (row + 1)),
    );
    this.#insertRows("inner_nodes (nodes)", rows, firstRow);
    return places;
  }

  #insertRows(into: string, rows: readonly Uint8Array[], first: number): void {
    for (let next = 0; next < rows.length; ) {
      const count = next + rowsAtOnce <= rows.length ? rowsAtOnce : 1;
      const statement = this.#database.statement(
        `INSERT INTO ${into} VALUES (?)${", (?)".repeat(count - 1)}`,
      );
      // The database numbers rows on from its last one: a number given with each makes that dearer.
      const { lastInsertRowid } = statement.run(rows.slice(next, next + count));
      next += count;
      assert(lastInsertRowid === first + next - 1, "a row of nodes lies behind the last");
    }
  }

  /**
   * The rows behind all others, with room for so many nodes. A row that lies where no place leads would have what comes after it lie
   * where none can.
   * @throws ChartsealError `chain-altered`
   */
  #firstFree(count: number): { readonly firstLeaf: number; readonly firstRow: number } {
    const [firstLeaf, firstRow] = [this.#rowsOf("nodes") + 1, this.#rowsOf("inner_nodes") + 1];
    const lastInner = innerPlaces + nodesPerRow * firstRow + count;
    if (firstLeaf + count > innerPlaces || lastInner > placesEnd) throw damaged();
    return { firstLeaf, firstRow };
  }

  #rowsOf(table: "nodes" | "inner_nodes"): number {
    return integer(this.#database.row(`SELECT coalesce(max(id), 0) AS id FROM ${table}`)?.id);
  }

  /** That rows lie where places lead, with much room behind them, of either format. @throws ChartsealError `chain-altered` */
  checkRows(): void {
    const found = this.#database.row("SELECT 1 AS found FROM sqlite_schema WHERE name = 'inner_nodes'");
    const tables = found === undefined ? (["nodes"] as const) : (["nodes", "inner_nodes"] as const);
    for (const table of tables) {
      integer(this.#database.row(`SELECT coalesce(min(id), 1) - 1 AS id FROM ${table}`)?.id);
    }
    if (found !== undefined) this.#firstFree(roomDemanded);
    else if (this.#rowsOf("nodes") + roomDemanded > innerPlaces) throw damaged();
  }

  /** Puts one node behind all others, its children before it, and gives its place. It is there once `flush` was called. */
  put(node: StateNode): number {
    if (node.type === "leaf") {
      const insert = this.#database.statement("INSERT INTO nodes (node) VALUES (?)");
      return Number(insert.run(encodeNode(node)).lastInsertRowid);
    }
    this.#pending ??= {
      row: this.#firstFree(nodesPerRow).firstRow,
      nodes: new Uint8Array(recordBytes * nodesPerRow),
      count: 0,
    };
    const { row, nodes, count } = this.#pending;
    nodes.set(encodeNode(node), recordBytes * count);
    setPlaces(nodes, recordBytes * count, node.leftAt ?? 0, node.rightAt ?? 0);
    this.#pending.count++;
    if (this.#pending.count === nodesPerRow) this.flush();
    return innerPlaces + nodesPerRow * row + count;
  }

  /** Writes what was put and made no whole row yet. */
  flush(): void {
    if (this.#pending === undefined) return;
    const { row, nodes, count } = this.#pending;
    this.#pending = undefined;
    this.#insertRows("inner_nodes (nodes)", [nodes.subarray(0, recordBytes * count)], row);
  }
}

/** The inner node of that hash which begins there in a row; undefined where there is none. Copies: a row is many nodes' memory. */
function innerIn(nodes: Uint8Array, at: number, hash: Uint8Array): StateInner | undefined {
  if (nodes.length < at + recordBytes || nodes[at] !== 1) return undefined;
  if (!equalBytes(doubleSha256(nodes.subarray(at, at + innerBytes)), hash)) return undefined;
  const [left, right] = [nodes.slice(at + 1, at + 33), nodes.slice(at + 33, at + innerBytes)];
  const [leftAt, rightAt] = [placeIn(nodes, at + innerBytes), placeIn(nodes, at + innerBytes + placeBytes)];
  return { type: "inner", left, right, leftAt, rightAt };
}

function placeIn(nodes: Uint8Array, at: number): number | undefined {
  const view = new DataView(nodes.buffer, nodes.byteOffset + at, placeBytes);
  const found = 2 ** 32 * view.getUint16(0) + view.getUint32(2);
  return found === 0 ? undefined : found;
}

/** Of the inner node that begins at `at`. */
function setPlaces(nodes: Uint8Array, at: number, left: number, right: number): void {
  setPlace(nodes, at + innerBytes, left);
  setPlace(nodes, at + innerBytes + placeBytes, right);
}

function setPlace(nodes: Uint8Array, at: number, value: number): void {
  let rest = value;
  for (let byte = placeBytes - 1; byte >= 0; byte--) {
    nodes[at + byte] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

function missing(): ChartsealError {
  return new ChartsealError("chain-altered", "a node of the state tree is missing");
}
