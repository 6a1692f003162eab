/**
 * An object on its way to an FTPS server: segments of a few MiB, one being filled while the other is sent, appended to a
 * file of a temporary name. After each the server tells the file's size, and a segment that a cut shortened goes on
 * where it stopped. The last step is a rename.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { ObjectStat, PutHandle } from "../object-store.ts";
import { StorageError } from "../storage-error.ts";
import { isPassing, storageErrorOf } from "./ftps-errors.ts";
import { type FtpsPool, pause } from "./ftps-pool.ts";
import type { FtpsSession } from "./ftps-session.ts";

/** After a cut the server may still be writing what it had received: its size must stand still for this long. */
const settleMs = 250;
const settlesMax = 40;
const firstRoom = 1 << 16;

export interface FtpsPutOptions {
  readonly pool: FtpsPool;
  /** The folder of unfinished objects. */
  readonly folder: string;
  readonly segmentBytes: number;
  readonly sizeMax: number;
  readonly nowMs: () => number;
  /** Renames the finished file; its bytes are all there. */
  readonly place: (file: { readonly path: string; readonly size: number }, name: string) => Promise<void>;
  readonly ended: () => void;
}

export class FtpsPut implements PutHandle {
  readonly #options: FtpsPutOptions;
  #state: "open" | "failed" | "ended" = "open";
  #filling = new Uint8Array(0);
  #filled = 0;
  #size = 0;
  /** The file, once it has a segment, and how many bytes of it are known to be there. */
  #path: string | undefined;
  #sent = 0;
  /** The segment under way; never rejects, its failure is kept in #failure. */
  #sending: Promise<void> = Promise.resolve();
  #failure: unknown;

  constructor(options: FtpsPutOptions) {
    this.#options = options;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#state !== "open")
      throw new StorageError("store-unreachable", "the object cannot take more bytes");
    const { sizeMax, segmentBytes } = this.#options;
    this.#size += chunk.length;
    if (this.#size > sizeMax) {
      this.#state = "failed";
      throw new StorageError("too-large", `the object is larger than ${sizeMax} bytes`);
    }
    for (let rest = chunk; rest.length > 0; ) {
      const part = rest.subarray(0, segmentBytes - this.#filled);
      this.#reserve(this.#filled + part.length);
      this.#filling.set(part, this.#filled);
      this.#filled += part.length;
      rest = rest.subarray(part.length);
      if (this.#filled === segmentBytes) await this.#flush();
    }
  }

  async commit(name: string): Promise<ObjectStat> {
    if (this.#state !== "open") throw new StorageError("store-unreachable", "the object can only be aborted");
    if (this.#filled > 0 || this.#path === undefined) await this.#flush();
    await this.#settle();
    await this.#options.place({ path: this.#path as unknown as string, size: this.#size }, name);
    this.#end();
    return { size: this.#size };
  }

  async abort(): Promise<void> {
    if (this.#state === "ended") return;
    this.#state = "failed";
    await this.#sending;
    const path = this.#path;
    // What stays is a leftover, which `clear` removes.
    if (path !== undefined)
      await this.#options.pool.attempt((session) => session.remove(path)).catch(() => {});
    this.#end();
  }

  /** Doubled as it fills, all at once after the first segment. */
  #reserve(size: number): void {
    if (size <= this.#filling.length) return;
    const { segmentBytes } = this.#options;
    const room = this.#sent > 0 ? segmentBytes : Math.min(segmentBytes, Math.max(firstRoom, 2 * size));
    const larger = new Uint8Array(room);
    larger.set(this.#filling.subarray(0, this.#filled));
    this.#filling = larger;
  }

  /** Begins to send what is gathered, once the segment before it has arrived. */
  async #flush(): Promise<void> {
    await this.#settle();
    const segment = this.#filling.subarray(0, this.#filled);
    this.#filling = new Uint8Array(0);
    this.#filled = 0;
    this.#sending = this.#send(segment).catch((error: unknown) => {
      this.#failure = error;
    });
  }

  async #settle(): Promise<void> {
    await this.#sending;
    if (this.#failure === undefined) return;
    this.#state = "failed";
    throw storageErrorOf(this.#failure);
  }

  async #send(segment: Uint8Array): Promise<void> {
    if (this.#path === undefined) await this.#sendFirst(segment);
    else await this.#sendNext(this.#path, segment);
    this.#sent += segment.length;
  }

  /** The first segment goes to a file of a new name at each attempt: nothing of an earlier one can get into it. */
  async #sendFirst(segment: Uint8Array): Promise<void> {
    const { pool, folder, nowMs } = this.#options;
    await pool.attempt(async (session) => {
      if (this.#path !== undefined) await session.remove(this.#path);
      this.#path = `${folder}/${nowMs()}-${randomUUID()}`;
      await session.store(this.#path, segment, { append: false });
      const size = await session.size(this.#path);
      if (size !== segment.length) throw new Error("the server has fewer bytes than were sent");
    });
  }

  async #sendNext(path: string, segment: Uint8Array): Promise<void> {
    const { pool } = this.#options;
    const end = this.#sent + segment.length;
    let arrived = 0;
    let isWhole = true;
    for (let attempt = 1; ; attempt++) {
      try {
        await pool.once(async (session) => {
          if (attempt > 1 || !isWhole) {
            isWhole = false;
            const size = await standstill(session, path);
            if (size < this.#sent + arrived || size > end) throw lost();
            // Attempts count while they bring nothing.
            if (size > this.#sent + arrived) attempt = 1;
            arrived = size - this.#sent;
          }
          await session.store(path, segment.subarray(arrived), { append: true });
          if ((await session.size(path)) !== end) throw new Error("the server has another number of bytes");
        });
        break;
      } catch (error) {
        if (attempt >= pool.attemptsMax || !isPassing(error)) throw error;
        await pause(attempt);
      }
    }
    if (!isWhole) await this.#compare(path, segment);
  }

  /** A segment that went in pieces is read once, since nothing else shows that they fit. */
  async #compare(path: string, segment: Uint8Array): Promise<void> {
    const [from, length, size] = [this.#sent, segment.length, this.#sent + segment.length];
    await this.#options.pool.attempt(async (session) => {
      let at = 0;
      for await (const part of session.retrieve(path, { from, length, size })) {
        if (Buffer.compare(part, segment.subarray(at, at + part.length)) !== 0) throw lost();
        at += part.length;
      }
      if (at < length) throw new Error("the file ended early");
    });
  }

  #end(): void {
    this.#state = "ended";
    this.#filling = new Uint8Array(0);
    this.#options.ended();
  }
}

function lost(): StorageError {
  return new StorageError("store-unreachable", "the FTPS server has other bytes than those that were sent");
}

/** The file's size once it stands still. */
async function standstill(session: FtpsSession, path: string): Promise<number> {
  let last: number | undefined;
  for (let asked = 0; asked < settlesMax; asked++) {
    const size = await session.size(path);
    if (size === undefined) throw new StorageError("store-unreachable", "the unfinished object is gone");
    if (size === last) return size;
    last = size;
    await sleep(settleMs);
  }
  throw new StorageError("store-unreachable", "the FTPS server goes on writing what it was sent before");
}
