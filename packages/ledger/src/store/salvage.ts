/**
 * What can still be read of a damaged ledger, for forensics: each column of each block by itself, judged by nobody. The
 * engine refuses a store at the first fault; whoever explains the fault needs the good columns beside the bad one.
 */
import { type CborValue, ChartsealError, decode, isFamily } from "@chartseal/crypto";
import { type BlockHeader, decodeHeader } from "../block.ts";
import { type Commit, decodeCommit } from "../commit.ts";
import { type Connection, openForReading } from "./connection.ts";
import { plainStore, type StoreKind } from "./schema.ts";
import { run } from "./store.ts";

const blockColumns = ["header", "hash", "transactions", "commit"] as const;
export type BlockColumn = (typeof blockColumns)[number];

/** A block's row. A column that cannot be read is absent, and named in `unreadable`. */
export interface SalvagedBlock {
  readonly height: number;
  readonly header?: BlockHeader;
  readonly hash?: Uint8Array;
  readonly transactions?: readonly Uint8Array[];
  readonly commit?: Commit;
  readonly unreadable: readonly BlockColumn[];
  /** Identifiers that the index of transactions holds for this block, by position; holes where it holds none. */
  readonly indexed: readonly (Uint8Array | undefined)[];
}

export interface Salvage {
  /** The stored genesis, or undefined where it cannot be read. */
  genesis(): Uint8Array | undefined;
  /** The block of the snapshot that the store began with, where it did; else 0. */
  base(): number;
  /** Height of the last row, 0 where none can be read. */
  height(): number;
  /** A row, or undefined where there is none or the database cannot give it. */
  block(height: number): SalvagedBlock | undefined;
  /** Height of the block that the index names for a transaction. */
  heightOf(identifier: Uint8Array): number | undefined;
  /** Whether some row holds this block hash. */
  holdsHash(hash: Uint8Array): boolean;
  close(): void;
}

/**
 * Opens a home's ledger for salvage and changes no byte below DIR; undefined where there is no database to read.
 * @throws ChartsealError `home-missing`, `home-busy`, `ledger-unreachable`
 */
export function openSalvage(directory: string, kind: StoreKind = plainStore): Salvage | undefined {
  try {
    return new DamagedStore(openForReading(directory, kind), kind);
  } catch (error) {
    if (isFamily(error, "integrity")) return undefined;
    throw error;
  }
}

class DamagedStore implements Salvage {
  readonly #connection: Connection;
  readonly #kind: StoreKind;

  constructor(connection: Connection, kind: StoreKind) {
    this.#connection = connection;
    this.#kind = kind;
  }

  /** Rows of a query, none where the database is too damaged to answer it. */
  #rows(sql: string, ...parameters: unknown[]): Record<string, unknown>[] {
    try {
      return run(() => this.#connection.database.prepare(sql).all(...parameters)) as Record<
        string,
        unknown
      >[];
    } catch (error) {
      if (isFamily(error, "integrity")) return [];
      throw error;
    }
  }

  #value(sql: string, ...parameters: unknown[]): unknown {
    return this.#rows(sql, ...parameters)[0]?.value;
  }

  genesis(): Uint8Array | undefined {
    return bytesOrNothing(this.#value("SELECT value FROM meta WHERE name = 'genesis'"));
  }

  base(): number {
    return wholeOrNothing(this.#value("SELECT value FROM meta WHERE name = 'base'")) ?? 0;
  }

  height(): number {
    return wholeOrNothing(this.#value("SELECT coalesce(max(height), 0) AS value FROM blocks")) ?? 0;
  }

  block(height: number): SalvagedBlock | undefined {
    const columns: Partial<Record<BlockColumn, Uint8Array>> = {};
    let rows = 0;
    for (const column of blockColumns) {
      // Each by itself: the database may be able to give one column of a row and not another.
      const [name, table] = column === "commit" ? ["seal", this.#kind.seals] : [column, "blocks"];
      const found = this.#rows(`SELECT ${name} AS value FROM ${table} WHERE height = ?`, height);
      rows += found.length;
      const bytes = bytesOrNothing(found[0]?.value);
      if (bytes !== undefined) columns[column] = bytes;
    }
    if (rows === 0) return undefined;
    return { height, ...readColumns(columns), indexed: this.#indexed(height) };
  }

  #indexed(height: number): (Uint8Array | undefined)[] {
    const identifiers: (Uint8Array | undefined)[] = [];
    const rows = this.#rows("SELECT identifier, position FROM transactions WHERE height = ?", height);
    for (const { identifier, position } of rows) {
      const at = wholeOrNothing(position);
      if (at !== undefined && at < 1_000_000) identifiers[at] = bytesOrNothing(identifier);
    }
    return Array.from(identifiers);
  }

  heightOf(identifier: Uint8Array): number | undefined {
    return wholeOrNothing(
      this.#value("SELECT height AS value FROM transactions WHERE identifier = ?", identifier),
    );
  }

  holdsHash(hash: Uint8Array): boolean {
    return this.#value("SELECT count(*) AS value FROM blocks WHERE hash = ?", hash) !== 0;
  }

  close(): void {
    this.#connection.close();
  }
}

type Read = Pick<SalvagedBlock, "header" | "hash" | "transactions" | "commit" | "unreadable">;

function readColumns(columns: Partial<Record<BlockColumn, Uint8Array>>): Read {
  const header = attempt(columns.header, decodeHeader);
  const hash = columns.hash?.length === 32 ? columns.hash : undefined;
  const transactions = attempt(columns.transactions, readTransactions);
  const commit = attempt(columns.commit, decodeCommit);
  const read = {
    ...(header === undefined ? {} : { header }),
    ...(hash === undefined ? {} : { hash }),
    ...(transactions === undefined ? {} : { transactions }),
    ...(commit === undefined ? {} : { commit }),
  };
  return { ...read, unreadable: blockColumns.filter((column) => !Object.hasOwn(read, column)) };
}

function attempt<T>(bytes: Uint8Array | undefined, read: (bytes: Uint8Array) => T): T | undefined {
  if (bytes === undefined) return undefined;
  try {
    return read(bytes);
  } catch (error) {
    if (error instanceof ChartsealError && error.family !== "defect") return undefined;
    throw error;
  }
}

const columnBytesMax = 64 * 1024 * 1024;

function readTransactions(bytes: Uint8Array): Uint8Array[] {
  return listOf(decode(bytes, { sizeMax: columnBytesMax })).map((item) => bytesOf(item));
}

function listOf(value: CborValue | undefined): readonly CborValue[] {
  if (Array.isArray(value)) return value as readonly CborValue[];
  throw new ChartsealError("encoding-invalid", "not a list");
}

function bytesOf(value: CborValue | undefined, size?: number): Uint8Array {
  if (value instanceof Uint8Array && (size === undefined || value.length === size)) return value;
  throw new ChartsealError("encoding-invalid", "not a byte string of the right size");
}

function bytesOrNothing(value: unknown): Uint8Array | undefined {
  return value instanceof Uint8Array
    ? new Uint8Array(value.buffer, value.byteOffset, value.length)
    : undefined;
}

function wholeOrNothing(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
