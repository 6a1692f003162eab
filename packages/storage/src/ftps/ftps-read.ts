/**
 * Reading from an FTPS server. The server keeps an open file as it was, so that a reader which has begun gets the object
 * as it was though it is replaced. After a cut the reading goes on at its byte over a new connection, but only in what
 * is still the same file: same size, same time of writing, and the same last bytes before the cut.
 */
import type { ByteRange } from "../object-store.ts";
import { resolveRange } from "../object-store.ts";
import { StorageError } from "../storage-error.ts";
import { isPassing, leavesConnection, storageErrorOf } from "./ftps-errors.ts";
import { type FtpsPool, pause } from "./ftps-pool.ts";
import { type FtpsSession, ReplacedMeanwhile } from "./ftps-session.ts";

/** What is at most this long is fetched before any of it is handed out: its connection waits for no reader. */
const gatheredBytesMax = 1 << 20;
/** Bytes before a cut that are read again. */
const overlapBytesMax = 1 << 16;

export interface FtpsReading {
  readonly pool: FtpsPool;
  readonly path: string;
  readonly range: ByteRange | undefined;
  /** Called where the server knows no such file: tells a missing object from a missing folder. */
  readonly missing: (session: FtpsSession) => Promise<StorageError>;
}

export async function* readFile(reading: FtpsReading): AsyncGenerator<Uint8Array> {
  const { pool } = reading;
  const reader = new Reader(reading);
  for (let attempt = 1; !reader.isDone; attempt++) {
    const before = reader.position;
    let session: FtpsSession | undefined;
    try {
      session = await pool.take();
      yield* reader.read(session);
      if (!reader.isDone) throw new Error("the file ended early");
    } catch (error) {
      if (!leavesConnection(error) && !(error instanceof ReplacedMeanwhile)) session?.close();
      if (reader.position > before) attempt = 0;
      if (!reader.canGoOn(error) || attempt >= pool.attemptsMax) throw storageErrorOf(error);
    } finally {
      if (session !== undefined) pool.give(session);
    }
    if (!reader.isDone) await pause(Math.max(1, attempt));
  }
}

class Reader {
  readonly #reading: FtpsReading;
  #file: { readonly size: number; readonly modified: string | undefined } | undefined;
  #position = 0;
  #end = 1;
  /** The last bytes that were handed out. */
  #tail: Uint8Array = new Uint8Array(0);
  #hasBegun = false;

  constructor(reading: FtpsReading) {
    this.#reading = reading;
  }

  get position(): number {
    return this.#position;
  }

  get isDone(): boolean {
    return this.#hasBegun && this.#position === this.#end;
  }

  canGoOn(error: unknown): boolean {
    // A file that was replaced before any of it was handed out is read from its beginning.
    if (error instanceof ReplacedMeanwhile) return this.#tail.length === 0;
    return isPassing(error);
  }

  async *read(session: FtpsSession): AsyncGenerator<Uint8Array> {
    const size = await this.#look(session);
    const length = this.#end - this.#position;
    if (length === 0) return;
    if (length <= gatheredBytesMax && this.#tail.length === 0) yield await this.#gather(session, size);
    else yield* this.#stream(session, size);
  }

  /** What the file is, at first; then that it is the same still. */
  async #look(session: FtpsSession): Promise<number> {
    const { path, range, missing } = this.#reading;
    const size = await session.size(path);
    if (size === undefined) throw this.#tail.length === 0 ? await missing(session) : changed();
    const { from, length } = resolveRange(range, size);
    // Only a long reading can need it.
    const modified = length > gatheredBytesMax ? await session.modified(path) : undefined;
    if (this.#tail.length === 0) {
      this.#file = { size, modified };
      this.#position = from;
      this.#end = from + length;
      this.#hasBegun = true;
    } else if (size !== this.#file?.size || modified !== this.#file.modified) throw changed();
    return size;
  }

  async #gather(session: FtpsSession, size: number): Promise<Uint8Array> {
    const [from, length] = [this.#position, this.#end - this.#position];
    const bytes = new Uint8Array(length);
    let filled = 0;
    for await (const part of session.retrieve(this.#reading.path, { from, length, size })) {
      bytes.set(part, filled);
      filled += part.length;
    }
    if (filled < length) throw new Error("the file ended early");
    this.#position = this.#end;
    return bytes;
  }

  async *#stream(session: FtpsSession, size: number): AsyncGenerator<Uint8Array> {
    const tail = this.#tail;
    const from = this.#position - tail.length;
    const length = this.#end - from;
    let again = 0;
    for await (const part of session.retrieve(this.#reading.path, { from, length, size })) {
      const repeated = part.subarray(0, tail.length - again);
      if (Buffer.compare(repeated, tail.subarray(again, again + repeated.length)) !== 0) throw changed();
      again += repeated.length;
      const fresh = part.subarray(repeated.length);
      if (fresh.length === 0) continue;
      this.#position += fresh.length;
      this.#keep(fresh);
      yield fresh;
    }
  }

  #keep(fresh: Uint8Array): void {
    const old = this.#tail.subarray(Math.max(0, this.#tail.length + fresh.length - overlapBytesMax));
    this.#tail = Uint8Array.from(Buffer.concat([old, fresh.subarray(-overlapBytesMax)]));
  }
}

function changed(): StorageError {
  return new StorageError(
    "store-unreachable",
    "the connection was cut, and the object was replaced or removed meanwhile",
  );
}
