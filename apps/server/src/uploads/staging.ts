/**
 * Uploads that are under way, as files of a folder, so that neither a cut connection nor a server that was killed loses
 * what was acknowledged: `ID.json` says what is coming, `ID.bytes` holds it, `ID.offsets` the sizes that were on disk,
 * a line each, and only what stands there is ever acknowledged. An id is 32 random bytes: who knows it may go on.
 */
import { createReadStream } from "node:fs";
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  stat,
  truncate,
  unlink,
  utimes,
} from "node:fs/promises";
import { join } from "node:path";
import { ChartsealError, randomBytes, toHex } from "@chartseal/crypto";
import type { AsideCopy } from "@chartseal/sharing";

/** What an upload is for. Text only, and never a secret: it lies beside the bytes. */
export type UploadAbout = Readonly<Record<string, string | number>>;

export interface Upload {
  readonly id: string;
  readonly about: UploadAbout;
  /** Bytes that are on disk. */
  readonly offset: number;
  /** Set when the last byte is there: nothing more is taken. */
  readonly complete: boolean;
  /** What became of it, once something has. */
  readonly result: UploadAbout | null;
}

export interface StagingOptions {
  readonly folder: string;
  readonly now: () => number;
  /** How long an upload on which nothing moves is kept. */
  readonly graceMs: number;
  /** Uploads that are open at once. */
  readonly uploadsMax: number;
  /** Bytes of all of them together. */
  readonly bytesMax: number;
}

/** Bytes after which what came is put on disk and acknowledged, though more is coming. */
const syncBytes = 16 << 20;
const idPattern = /^[0-9a-f]{64}$/;

interface Entry {
  readonly id: string;
  readonly about: UploadAbout;
  offset: number;
  complete: boolean;
  result: UploadAbout | null;
  touchedMs: number;
  /** Ends the append that is at work, for one that comes after it: its connection may be dead and not know. */
  interrupt: (() => void) | undefined;
  turn: Promise<unknown>;
}

export class Staging {
  readonly #options: StagingOptions;
  readonly #entries = new Map<string, Entry>();
  /** Comes before an upload of which nothing became is forgotten; what it throws keeps the upload. */
  onRemove: ((about: UploadAbout) => Promise<void>) | undefined;
  #bytes = 0;
  #opened: Promise<void> | undefined;

  constructor(options: StagingOptions) {
    this.#options = options;
  }

  /** Bytes on disk of all uploads, and of those whose `about` has this value. */
  bytes(name?: string, value?: string): number {
    if (name === undefined) return this.#bytes;
    let bytes = 0;
    for (const { about, offset, result } of this.#entries.values())
      if (about[name] === value && result === null) bytes += offset;
    return bytes;
  }

  /** Uploads that are not done. */
  get count(): number {
    let count = 0;
    for (const { result } of this.#entries.values()) if (result === null) count++;
    return count;
  }

  /** Reads what an earlier process left. */
  open(): Promise<void> {
    this.#opened ??= this.#load();
    return this.#opened;
  }

  async create(about: UploadAbout): Promise<Upload> {
    await this.open();
    if (this.count >= this.#options.uploadsMax) {
      await this.sweep();
      if (this.count >= this.#options.uploadsMax) throw busy("too many uploads are open");
    }
    const id = toHex(randomBytes(32));
    const entry = entryOf({ id, about, touchedMs: this.#options.now() });
    await this.#save(entry);
    await this.#write(this.#path(id, "bytes"), new Uint8Array(0));
    this.#entries.set(id, entry);
    return entry;
  }

  /** Where an upload stands; one that is at work is ended first. @throws ChartsealError `object-missing` */
  async find(id: string): Promise<Upload> {
    const entry = await this.#entry(id);
    entry.interrupt?.();
    await entry.turn.catch(() => {});
    return { ...entry };
  }

  /**
   * Takes bytes from `offset` on. What came of a source that fails is kept: that is what resuming is for.
   * @throws ChartsealError `object-missing`; `input-invalid`, data {offset}, where the upload stands elsewhere or is complete;
   * `rate-limited` where no more can be held
   */
  async append(
    id: string,
    source: AsyncIterable<Uint8Array>,
    options: { readonly offset: number; readonly complete: boolean; readonly sizeMax: number },
  ): Promise<Upload> {
    const entry = await this.#entry(id);
    entry.interrupt?.();
    const done = entry.turn.catch(() => {}).then(() => this.#append(entry, source, options));
    entry.turn = done;
    await done;
    return { ...entry };
  }

  async #append(
    entry: Entry,
    source: AsyncIterable<Uint8Array>,
    {
      offset,
      complete,
      sizeMax,
    }: { readonly offset: number; readonly complete: boolean; readonly sizeMax: number },
  ): Promise<void> {
    if (offset !== entry.offset || entry.complete) {
      const sentence = entry.complete
        ? "the upload is complete"
        : `the upload stands at ${entry.offset} bytes`;
      throw new ChartsealError("input-invalid", sentence, { data: { offset: entry.offset } });
    }
    const interrupted = new Promise<never>((_, reject) => {
      entry.interrupt = () =>
        reject(new ChartsealError("input-invalid", "another request went on with this upload"));
    });
    interrupted.catch(() => {});
    const file = await open(this.#path(entry.id, "bytes"), "r+");
    let at = entry.offset;
    try {
      for await (const chunk of until(source, interrupted)) {
        if (at + chunk.length > sizeMax)
          throw new ChartsealError("input-invalid", `an upload here has at most ${sizeMax} bytes`);
        if (this.#bytes + (at - entry.offset) + chunk.length > this.#options.bytesMax)
          throw busy("the uploads under way fill what there is room for");
        await held(() => writeAt(file, chunk, at));
        at += chunk.length;
        if (at - entry.offset >= syncBytes) await this.#acknowledge(entry, file, at);
      }
      await this.#acknowledge(entry, file, at);
      if (complete) {
        entry.complete = true;
        await this.#save(entry);
      }
    } catch (error) {
      await this.#acknowledge(entry, file, at).catch(() => {});
      throw error;
    } finally {
      entry.interrupt = undefined;
      await file.close();
    }
  }

  async #acknowledge(entry: Entry, file: FileHandle, at: number): Promise<void> {
    if (at === entry.offset) return;
    await held(async () => {
      await file.sync();
      const offsets = await open(this.#path(entry.id, "offsets"), "a", 0o600);
      try {
        await offsets.write(`${at}\n`);
        await offsets.sync();
      } finally {
        await offsets.close();
      }
    });
    this.#bytes += at - entry.offset;
    entry.offset = at;
    entry.touchedMs = this.#options.now();
  }

  /** The bytes of an upload from its start. */
  async *read(id: string): AsyncGenerator<Uint8Array> {
    const { offset } = await this.#entry(id);
    if (offset === 0) return;
    const file = createReadStream(this.#path(id, "bytes"), { end: offset - 1, highWaterMark: 1 << 20 });
    yield* file as AsyncIterable<Buffer>;
  }

  /** Uploads whose bytes lie here, as copies of whatever they are (packages/sharing, Erasure). */
  async *copies(): AsyncGenerator<AsideCopy> {
    await this.open();
    for (const { id, offset: size, result } of [...this.#entries.values()]) {
      if (result !== null || size === 0) continue;
      const path = this.#path(id, "bytes");
      yield {
        kind: "upload",
        id,
        size,
        read: (range = { from: 0, toInclusive: size - 1 }) =>
          createReadStream(path, { start: range.from, end: range.toInclusive }),
        destroy: async () => void (await this.remove(id)),
      };
    }
  }

  /** Forgets the uploads with that value in their `about` on which nothing moved for so long. */
  async drop(name: string, value: string, idleMs: number): Promise<void> {
    await this.open();
    const before = this.#options.now() - idleMs;
    for (const { id, about, touchedMs, interrupt } of [...this.#entries.values()]) {
      if (about[name] === value && touchedMs <= before && interrupt === undefined) await this.remove(id);
    }
  }

  /** Keeps what became of a complete upload, and lets its bytes go. */
  async settle(id: string, result: UploadAbout): Promise<void> {
    const entry = await this.#entry(id);
    entry.result = result;
    entry.touchedMs = this.#options.now();
    await this.#save(entry);
    await truncate(this.#path(id, "bytes"));
    this.#bytes -= entry.offset;
  }

  /** Forgets an upload. False where there is none. */
  async remove(id: string): Promise<boolean> {
    await this.open();
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    entry.interrupt?.();
    await entry.turn.catch(() => {});
    if (entry.result === null && this.#entries.has(id)) await this.onRemove?.(entry.about);
    if (!this.#entries.delete(id)) return false;
    if (entry.result === null) this.#bytes -= entry.offset;
    await this.#unlink(id);
    return true;
  }

  /** An upload whose bytes move elsewhere, and which is somebody's all the same. */
  async touch(id: string): Promise<void> {
    const entry = await this.#entry(id);
    entry.touchedMs = this.#options.now();
    const seconds = entry.touchedMs / 1000;
    await utimes(this.#path(id, "bytes"), seconds, seconds);
  }

  /**
   * Removes uploads on which nothing moved for the grace time; one that cannot be removed now waits for the next time.
   * @returns how many
   */
  async sweep(): Promise<number> {
    await this.open();
    const before = this.#options.now() - this.#options.graceMs;
    let removed = 0;
    for (const { id, touchedMs, interrupt } of [...this.#entries.values()]) {
      if (touchedMs > before || interrupt !== undefined) continue;
      if (await this.remove(id).catch(() => false)) removed++;
    }
    return removed;
  }

  async #entry(id: string): Promise<Entry> {
    await this.open();
    const entry = this.#entries.get(id);
    if (entry !== undefined) return entry;
    throw new ChartsealError("object-missing", "there is no such upload, or no longer", {
      hint: "Begin it anew.",
    });
  }

  #path(id: string, kind: "json" | "bytes" | "offsets"): string {
    return join(this.#options.folder, `${id}.${kind}`);
  }

  /** Whole or not at all. */
  async #save({ id, about, complete, result }: Entry): Promise<void> {
    const text = JSON.stringify({ version: 1, about, complete, result });
    const path = this.#path(id, "json");
    await this.#write(`${path}.new`, new TextEncoder().encode(text));
    await rename(`${path}.new`, path);
    await this.#syncFolder();
  }

  async #syncFolder(): Promise<void> {
    const folder = await open(this.#options.folder, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  async #write(path: string, bytes: Uint8Array): Promise<void> {
    const file = await open(path, "w", 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  async #load(): Promise<void> {
    await mkdir(this.#options.folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#options.folder)) {
      const id = name.slice(0, 64);
      if (!idPattern.test(id) || this.#entries.has(id)) continue;
      const entry = await this.#recall(id);
      if (entry === undefined) await this.#unlink(id);
      else {
        this.#entries.set(id, entry);
        if (entry.result === null) this.#bytes += entry.offset;
      }
    }
  }

  /** An upload as it was acknowledged; undefined for what a crash left before anybody was told of it. */
  async #recall(id: string): Promise<Entry | undefined> {
    try {
      const told = JSON.parse(await readFile(this.#path(id, "json"), "utf8"));
      const { size, mtimeMs } = await stat(this.#path(id, "bytes"));
      const lines = await readFile(this.#path(id, "offsets"), "utf8").catch(() => "");
      // A last line that a crash cut short does not count.
      const known = lines.split("\n").slice(0, -1).map(Number);
      const offset = Math.max(0, ...known.filter((one) => Number.isSafeInteger(one)));
      if (told.version !== 1) return undefined;
      if (told.result === null) {
        if (size < offset) return undefined;
        await truncate(this.#path(id, "bytes"), offset);
      }
      const { about, complete, result } = told;
      const touchedMs = Math.min(mtimeMs, this.#options.now());
      return { ...entryOf({ id, about, touchedMs }), offset, complete, result };
    } catch {
      return undefined;
    }
  }

  async #unlink(id: string): Promise<void> {
    // The description first: bytes without one are a leftover that the next process removes.
    for (const kind of ["json", "bytes", "offsets"] as const)
      await unlink(this.#path(id, kind)).catch(() => {});
    await this.#syncFolder();
  }
}

function entryOf(given: Pick<Entry, "id" | "about" | "touchedMs">): Entry {
  return {
    ...given,
    offset: 0,
    complete: false,
    result: null,
    interrupt: undefined,
    turn: Promise.resolve(),
  };
}

/** A source until it ends or the promise fails; a source that says nothing more is not waited for then. */
async function* until(
  source: AsyncIterable<Uint8Array>,
  interrupted: Promise<never>,
): AsyncGenerator<Uint8Array> {
  const pieces = source[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const next = await Promise.race([pieces.next(), interrupted]);
      ended = next.done === true;
      if (ended) return;
      yield next.value;
    }
  } finally {
    if (!ended) void Promise.resolve(pieces.return?.()).catch(() => {});
  }
}

/** A disk that fails or is full is the server's failure, and passes. */
async function held<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    throw new ChartsealError("provider-unreachable", "uploads cannot be written here now", { cause });
  }
}

async function writeAt(file: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < chunk.length; ) {
    const { bytesWritten } = await file.write(chunk, written, chunk.length - written, position + written);
    written += bytesWritten;
  }
}

function busy(sentence: string): ChartsealError {
  return new ChartsealError("rate-limited", sentence, { data: { retryAfterSeconds: 60 } });
}
