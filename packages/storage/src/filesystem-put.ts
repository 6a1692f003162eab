/**
 * An object on its way into the filesystem store. Bytes are gathered in two blocks of 1 MiB, one being filled while the
 * other is written, so that a source of single bytes costs no call each and a sealing source overlaps with the disk. A
 * large object is synced in parts as it comes: else all of it would wait for the disk at the end.
 */
import type { FileHandle } from "node:fs/promises";
import { type FileSystem, unreachable } from "./file-system.ts";
import type { ObjectStat, PutHandle } from "./object-store.ts";
import { StorageError } from "./storage-error.ts";

/** Size of the blocks that are written, in bytes. */
const writeBlockSize = 1 << 20;
/** Written bytes after which a sync begins beside the next writes. */
const syncPartSize = 16 << 20;

/** Below this many bytes the call costs more than what it saves. */
const copyNativelyFrom = 4_096;

/** Copies a piece, which may lie in shared memory: `set` takes that a word at a time, with several times the time. */
function copyInto(block: Uint8Array, piece: Uint8Array, at: number): void {
  if (piece.length < copyNativelyFrom) block.set(piece, at);
  else Buffer.from(piece.buffer, piece.byteOffset, piece.length).copy(block, at);
}

export class FilesystemPut implements PutHandle {
  readonly #files: FileSystem;
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #sizeMax: number;
  readonly #place: (name: string) => Promise<void>;
  #state: "open" | "synced" | "failed" | "ended" = "open";
  #filling: Uint8Array = new Uint8Array(0);
  #spare: Uint8Array = new Uint8Array(0);
  #filled = 0;
  #size = 0;
  /** The write under way; never rejects, its failure is kept in #failure. */
  #writing: Promise<void> = Promise.resolve();
  #failure: unknown;
  #unsynced = 0;
  #isSyncing = false;
  /** The sync under way; never rejects: the system tells a lost page once, so its failure is kept in #failure too. */
  #syncing: Promise<void> = Promise.resolve();

  constructor(
    files: FileSystem,
    file: FileHandle,
    path: string,
    sizeMax: number,
    place: (name: string) => Promise<void>,
  ) {
    this.#files = files;
    this.#file = file;
    this.#path = path;
    this.#sizeMax = sizeMax;
    this.#place = place;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#state !== "open")
      throw new StorageError("store-unreachable", "the object cannot take more bytes");
    this.#size += chunk.length;
    if (this.#size > this.#sizeMax) {
      this.#state = "failed";
      throw new StorageError("too-large", `the object is larger than ${this.#sizeMax} bytes`);
    }
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#filling.length === 0) this.#filling = new Uint8Array(writeBlockSize);
      const part = rest.subarray(0, writeBlockSize - this.#filled);
      copyInto(this.#filling, part, this.#filled);
      this.#filled += part.length;
      rest = rest.subarray(part.length);
      if (this.#filled === writeBlockSize) await this.#flush();
    }
  }

  async commit(name: string): Promise<ObjectStat> {
    if (this.#state === "open") {
      await this.#flush();
      await this.#settle();
      await this.#syncing;
      await this.#settle();
      await this.#attempt(() => this.#files.syncFile(this.#file));
      this.#state = "synced";
    }
    if (this.#state !== "synced")
      throw new StorageError("store-unreachable", "the object can only be aborted");
    await this.#place(name);
    this.#state = "ended";
    await this.#close();
    return { size: this.#size };
  }

  async abort(): Promise<void> {
    if (this.#state === "ended") return;
    this.#state = "ended";
    await this.#writing;
    await this.#syncing;
    await this.#close();
    // A file that stays is a leftover, which the next open clears.
    await this.#files.unlink(this.#path).catch(() => {});
  }

  /** Starts writing the filled block once the one before it is written. */
  async #flush(): Promise<void> {
    await this.#settle();
    const block = this.#filling.subarray(0, this.#filled);
    [this.#filling, this.#spare] = [this.#spare, this.#filling];
    this.#filled = 0;
    if (block.length > 0) {
      this.#writing = this.#writeWhole(block).catch((error: unknown) => {
        this.#failure = error;
      });
    }
  }

  async #writeWhole(block: Uint8Array): Promise<void> {
    let written = 0;
    while (written < block.length) {
      const { bytesWritten } = await this.#file.write(block, written, block.length - written);
      written += bytesWritten;
    }
    this.#unsynced += written;
    if (this.#unsynced >= syncPartSize && !this.#isSyncing) this.#syncing = this.#syncPart();
  }

  async #syncPart(): Promise<void> {
    this.#isSyncing = true;
    this.#unsynced = 0;
    try {
      await this.#files.syncFile(this.#file);
    } catch (error) {
      this.#failure = error;
    }
    this.#isSyncing = false;
  }

  /** Waits for the write under way and throws if it failed. */
  async #settle(): Promise<void> {
    await this.#attempt(async () => {
      await this.#writing;
      if (this.#failure !== undefined) throw this.#failure;
    });
  }

  async #attempt(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.#state = "failed";
      throw unreachable(error);
    }
  }

  async #close(): Promise<void> {
    this.#filling = this.#spare = new Uint8Array(0);
    // Its bytes are synced or given up: a failing close changes nothing of either.
    await this.#file.close().catch(() => {});
  }
}
