/**
 * Restores a snapshot into a new file of the store, chunk by chunk, and gives that out only when all of it is proved: the
 * block has the hash that is trusted, and the leaves the state root that the block names. Until then nothing of the node's
 * own store is touched; what a killed process leaves of a restore is thrown away.
 */
import { closeSync, fsyncSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ChartsealError, equalBytes, toHex } from "@chartseal/crypto";
import Database from "better-sqlite3";
import { hashHeader } from "../block.ts";
import { cometAddress } from "../light/hashes.ts";
import { type Rules, stateAt } from "../machine.ts";
import { transactionRoot } from "../merkle.ts";
import { StateBuilder } from "../state-builder.ts";
import { decodeLeaf } from "../state-tree.ts";
import { run, Store } from "../store/store.ts";
import { createCometStore, noCommit, type Proposer } from "./comet-store.ts";
import {
  decodeBlockRecord,
  isChunk,
  RecordReader,
  type SnapshotBlock,
  type SnapshotMetadata,
} from "./snapshot-format.ts";

const fileName = "restoring.sqlite";

export interface RestoreParts {
  /** Where the store's file lies. */
  readonly folder: string;
  readonly rules: Rules;
  readonly metadata: SnapshotMetadata;
  /** The block's hash, from whoever verified the chain up to it. */
  readonly trustedHash: Uint8Array;
}

/** Removes what was left of one that did not come to its end. */
export function removeRestore(folder: string): void {
  for (const suffix of ["", "-journal"]) rmSync(join(folder, fileName + suffix), { force: true });
}

export class Restore {
  readonly #parts: RestoreParts;
  readonly #database: Database.Database;
  readonly #store: Store;
  readonly #reader = new RecordReader();
  readonly #builder: StateBuilder;
  #block: SnapshotBlock | undefined;
  #next = 0;

  constructor(parts: RestoreParts) {
    this.#parts = parts;
    removeRestore(parts.folder);
    this.#database = run(() => new Database(this.#path));
    this.#store = new Store(this.#database);
    run(() => {
      // A file that is not whole is never opened again, so that it needs no journal.
      this.#database.pragma("journal_mode = OFF");
      this.#database.pragma("synchronous = OFF");
      this.#database.pragma("cache_size = -64000");
      createCometStore(this.#database, this.#store, parts.rules);
    });
    this.#builder = new StateBuilder((node) => this.#store.putNode(node));
  }

  get #path(): string {
    return join(this.#parts.folder, fileName);
  }

  /** The chunk that comes next. */
  get next(): number {
    return this.#next;
  }

  get isWhole(): boolean {
    return this.#next === this.#parts.metadata.chunks.length;
  }

  /** Whether these bytes are the chunk that the snapshot names at this place. */
  isNext(index: number, chunk: Uint8Array): boolean {
    return index === this.#next && isChunk(this.#parts.metadata, index, chunk);
  }

  /** Takes the next chunk. @throws ChartsealError `chain-altered` for a snapshot that is not what it says */
  take(chunk: Uint8Array): void {
    run(() => this.#database.exec("BEGIN"));
    for (const record of this.#records(chunk)) {
      if (this.#block === undefined) this.#block = this.#blockOf(record);
      else {
        const leaf = decodeLeaf(record);
        if (leaf === undefined || !this.#builder.add(leaf.hash, leaf.node)) throw lie("a leaf of the state");
      }
    }
    run(() => this.#database.exec("COMMIT"));
    this.#next++;
  }

  *#records(chunk: Uint8Array): Generator<Uint8Array> {
    try {
      yield* this.#reader.take(chunk);
    } catch (error) {
      if (error instanceof ChartsealError && error.code === "encoding-invalid") throw lie("a record");
      throw error;
    }
  }

  #blockOf(record: Uint8Array): SnapshotBlock {
    const { metadata, trustedHash } = this.#parts;
    const block = decodeBlock(record);
    const { header, transactions } = block;
    const isTrusted = equalBytes(hashHeader(header), trustedHash) && header.height === metadata.height;
    if (!isTrusted || !equalBytes(transactionRoot(transactions), header.merkleRoot)) throw lie("the block");
    return block;
  }

  /**
   * The file, whole and on the disk, closed.
   * @throws ChartsealError `chain-altered` for a snapshot that is not what it says
   */
  finish(): string {
    const { metadata, rules, trustedHash } = this.#parts;
    const block = this.#block;
    const { root, at } = this.#builder.finish();
    if (block === undefined || !this.#reader.isEmpty) throw lie("its end");
    if (this.#builder.count !== metadata.leafCount || !equalBytes(root, block.header.stateRoot)) {
      throw lie("the state");
    }
    const { header, transactions } = block;
    const { height, timestampMs } = header;
    run(() => {
      this.#database.exec("BEGIN");
      this.#store.putBase({ header, hash: trustedHash, transactions, commit: noCommit }, at);
      const made = this.#database.prepare("INSERT INTO made (height, comet) VALUES (?, ?)");
      made.run(height, metadata.cometHeight);
      this.#database.prepare("UPDATE comet SET height = ? WHERE name = 'last'").run(metadata.cometHeight);
    });
    const head = { height, hash: trustedHash, stateRoot: root, timestampMs };
    const state = stateAt(this.#store.tree(height), head);
    const keys = rules.proposers?.(state) ?? [];
    this.#addProposers([...keys, header.proposer]);
    run(() => this.#database.exec("COMMIT"));
    this.#store.close();
    flush(this.#path);
    return this.#path;
  }

  #addProposers(keys: readonly Uint8Array[]): void {
    const all = new Map(
      keys.map((publicKey): [string, Proposer] => [
        toHex(publicKey),
        { address: cometAddress(publicKey), publicKey },
      ]),
    );
    run(() => {
      const insert = this.#database.prepare("INSERT INTO proposers (address, key) VALUES (?, ?)");
      for (const { address, publicKey } of all.values()) insert.run(address, publicKey);
    });
  }

  /** Throws away what there is of it. */
  abandon(): void {
    this.#store.close();
    removeRestore(this.#parts.folder);
  }
}

function decodeBlock(record: Uint8Array): SnapshotBlock {
  try {
    return decodeBlockRecord(record);
  } catch (error) {
    if (error instanceof ChartsealError && error.code === "encoding-invalid") throw lie("the block");
    throw error;
  }
}

function flush(path: string): void {
  run(() => {
    const file = openSync(path, "r+");
    fsyncSync(file);
    closeSync(file);
  });
}

function lie(what: string): ChartsealError {
  return new ChartsealError("chain-altered", `a snapshot is not what it says: ${what}`);
}
