/**
 * An object store that another institution's provider keeps (the role `objects`, spec/9-http.md): the contract of every
 * store, over a network that cuts, stalls and repeats. A part that was cut is sent again from where the holder stands, in
 * smaller pieces; a reading goes on at the byte where it broke, within the object that it began, or says that it cannot.
 */
import { ChartsealError, toHex } from "@chartseal/crypto";
import type { ErasedCopySignature } from "@chartseal/sharing";
import {
  type ByteRange,
  isName,
  type ObjectStat,
  type ObjectStore,
  type PutHandle,
  type PutOptions,
  putThrough,
  StorageError,
  type StorageErrorCode,
  storageErrorCodes,
} from "@chartseal/storage";
import { isCut, waitAgain } from "./attempts.ts";
import type { Call, Connection } from "./connection.ts";
import { bytesOf, fieldsOf, listOf, textOf, wholeOf } from "./fields.ts";
import type { HttpResponse } from "./transport.ts";

export interface HttpObjectStoreOptions {
  /** Signs with the peer's account. */
  readonly connection: Connection;
  /** Of one part; it becomes smaller where connections break. */
  readonly partBytes?: number;
  /** How long nothing may move before a request is given up and tried again. */
  readonly stallMs?: number;
  /** Waits between attempts, for tests to shorten. */
  readonly pauseMs?: number;
}

export interface HeldUsage {
  /** The holder's account. */
  readonly account: Uint8Array;
  readonly bytes: number;
  readonly objects: number;
  readonly underWayBytes: number;
  readonly quotaBytes: number;
}

const partBytesDefault = 4 * 1024 * 1024;
const partBytesMin = 16 * 1024;
/** Objects up to here go in one request. */
const wholeBytesMax = 1024 * 1024;
const base = "/v1/objects";

export class HttpObjectStore implements ObjectStore {
  readonly #line: Line;

  constructor(options: HttpObjectStoreOptions) {
    this.#line = new Line(options);
  }

  async put(name: string, source: AsyncIterable<Uint8Array>, options: PutOptions = {}): Promise<ObjectStat> {
    return await putThrough({ name, source }, () => new HttpPut(this.#line, options));
  }

  async begin(options: PutOptions = {}): Promise<PutHandle> {
    const handle = new HttpPut(this.#line, options);
    await handle.begin();
    return handle;
  }

  async *get(name: string, range?: ByteRange): AsyncGenerator<Uint8Array, void, undefined> {
    demandName(name);
    if (range !== undefined) demandRange(range);
    let from = range?.from ?? 0;
    let to = range?.toInclusive;
    let etag: string | undefined;
    for (let failures = 0; ; ) {
      try {
        const opened = await this.#line.open(name, { from, to, etag });
        etag = opened.etag;
        to = opened.toInclusive;
        for await (const chunk of opened.body) {
          failures = 0;
          from += chunk.length;
          if (from > to + 1)
            throw new StorageError("store-unreachable", "the holder sent more than was asked");
          yield chunk;
        }
        if (from === to + 1) return;
        throw cutOff();
      } catch (error) {
        if (to !== undefined && etag !== undefined && from === to + 1) return;
        await this.#line.pause(error, ++failures);
      }
    }
  }

  async stat(name: string): Promise<ObjectStat> {
    demandName(name);
    const { field } = await this.#line.ask({ method: "HEAD", target: contentOf(name) });
    return { size: Number(field("content-length")) };
  }

  async remove(name: string): Promise<boolean> {
    demandName(name);
    let cut = false;
    const call = { method: "DELETE", target: contentOf(name) } as const;
    const { removed } = await this.#line.json(call, () => {
      cut = true;
    });
    // An attempt whose answer was lost may have been the one that removed it.
    return removed === true || cut;
  }

  async *list(prefix = ""): AsyncGenerator<string, void, undefined> {
    for (let after = ""; ; ) {
      const query = new URLSearchParams({ prefix, after }).toString();
      const { names, more } = await this.#line.json({ target: `${base}/names?${query}` });
      for (const one of listOf(names, "names")) {
        after = textOf(one, "names");
        yield after;
      }
      if (more !== true) return;
    }
  }

  async usage(): Promise<HeldUsage> {
    const answer = await this.#line.json({ target: base });
    return {
      account: bytesOf(answer.account, "account", 20),
      bytes: wholeOf(answer.bytes, "bytes"),
      objects: wholeOf(answer.objects, "objects"),
      underWayBytes: wholeOf(answer.underWayBytes, "underWayBytes"),
      quotaBytes: wholeOf(answer.quotaBytes, "quotaBytes"),
    };
  }

  /**
   * The holder removes what an erased record left with it and signs, with its own account, that no copy is kept: over
   * `address` once, or over each name.
   */
  async attestErased(erased: {
    readonly recordId: Uint8Array;
    readonly names: readonly string[];
    readonly address?: string;
  }): Promise<readonly ErasedCopySignature[]> {
    const { recordId, names, address } = erased;
    const json = { recordId: toHex(recordId), names, ...(address === undefined ? {} : { address }) };
    const { copies } = await this.#line.json({ target: `${base}/attest-erased`, json });
    return listOf(copies, "copies").map((one) => {
      const { holder, address: at, signature } = fieldsOf(one, "copies");
      return {
        holder: bytesOf(holder, "holder", 20),
        address: textOf(at, "address"),
        signature: bytesOf(signature, "signature", 64),
      };
    });
  }
}

function contentOf(name: string): string {
  return `${base}/content/${name}`;
}

function demandName(name: string): void {
  if (!isName(name)) throw new StorageError("name-invalid", "not the name of an object");
}

function demandRange({ from, toInclusive }: ByteRange): void {
  const whole = Number.isSafeInteger(from) && Number.isSafeInteger(toInclusive);
  if (!whole || from < 0 || from > toInclusive)
    throw new StorageError("range-invalid", "the range must lie within the object");
}

function cutOff(cause?: unknown): ChartsealError {
  const sentence = "the holder broke off its answer";
  return new ChartsealError("provider-unreachable", sentence, { data: { server: "holder" }, cause });
}

/** A failure as the store's own. */
function storageErrorOf(error: unknown): unknown {
  if (!(error instanceof ChartsealError)) return error;
  const { storage } = error.data;
  const isKnown = typeof storage === "string" && Object.hasOwn(storageErrorCodes, storage);
  const missing = error.code === "object-missing" || error.data.status === 404;
  const code = isKnown ? (storage as StorageErrorCode) : missing ? "object-missing" : "store-unreachable";
  return new StorageError(code, `the holder: ${error.message}`, { cause: error });
}

interface OpenedObject {
  readonly etag: string;
  readonly toInclusive: number;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Requests to one holder, made again where they were cut. */
class Line {
  readonly #connection: Connection;
  readonly #stallMs: number;
  readonly #pauseMs: number;
  readonly partBytes: number;

  constructor({ connection, partBytes, stallMs, pauseMs }: HttpObjectStoreOptions) {
    this.#connection = connection;
    this.#stallMs = stallMs ?? 60_000;
    this.#pauseMs = pauseMs ?? 100;
    this.partBytes = partBytes ?? partBytesDefault;
  }

  /** Waits before attempt `failures` + 1. @throws StorageError where another attempt mends nothing, or they were many */
  async pause(error: unknown, failures: number): Promise<void> {
    try {
      await waitAgain(error, failures, this.#pauseMs);
    } catch (final) {
      throw storageErrorOf(final);
    }
  }

  async #again<T>(once: () => Promise<T>, onCut: (() => void) | undefined): Promise<T> {
    for (let failures = 0; ; ) {
      try {
        return await once();
      } catch (error) {
        await this.pause(error, ++failures);
        onCut?.();
      }
    }
  }

  json(call: Call, onCut?: () => void): Promise<Record<string, unknown>> {
    return this.#again(() => this.jsonOnce(call), onCut);
  }

  ask(call: Call): Promise<HttpResponse> {
    return this.#again(() => this.#connection.ask(this.#timed(call)), undefined);
  }

  jsonOnce(call: Call): Promise<Record<string, unknown>> {
    return this.#connection.json(this.#timed(call));
  }

  #timed(call: Call): Call {
    return { ...call, signal: AbortSignal.timeout(this.#stallMs) };
  }

  /** An object's bytes from `from` on; `etag` where an earlier answer began it. Tries once. */
  async open(name: string, wanted: Wanted): Promise<OpenedObject> {
    const { from, to, etag } = wanted;
    const ranged = isRanged(wanted);
    const stopping = new AbortController();
    const asked = this.#connection.ask({
      target: contentOf(name),
      signal: stopping.signal,
      fields: {
        ...(ranged ? { range: `bytes=${from}-${to ?? ""}` } : {}),
        ...(etag === undefined ? {} : { "if-range": etag }),
      },
    });
    const response = await within(asked, this.#stallMs, () => stopping.abort());
    try {
      const { found, last } = foundIn(response, wanted);
      return { etag: found, toInclusive: last, body: this.#moving(response, () => stopping.abort()) };
    } catch (error) {
      // What nobody reads would keep its connection for good, and the connections are few.
      stopping.abort();
      throw error;
    }
  }

  /** The answer's bytes for as long as some come. */
  async *#moving(response: HttpResponse, stop: () => void): AsyncGenerator<Uint8Array> {
    const chunks = this.#connection.bodyOf(response)[Symbol.asyncIterator]();
    let ended = false;
    try {
      for (;;) {
        const next = await within(chunks.next(), this.#stallMs, stop);
        ended = next.done === true;
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      // One that stalls is not waited for.
      if (!ended) void chunks.return(undefined).catch(() => {});
    }
  }
}

/** What comes in time; else the request is ended, so that its connection is not kept for nothing. */
async function within<T>(promise: Promise<T>, milliseconds: number, stop: () => void): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(cutOff());
      stop();
    }, milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** An object on its way to a holder: kept here while it is small, sent in parts from then on. */
class HttpPut implements PutHandle {
  readonly #line: Line;
  readonly #sizeMax: number;
  #state: "open" | "failed" | "ended" = "open";
  #target: string | undefined;
  /** Bytes that the holder has not acknowledged. */
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #sent = 0;
  #partBytes: number;

  constructor(line: Line, { sizeMax = Number.MAX_SAFE_INTEGER }: PutOptions) {
    this.#line = line;
    this.#sizeMax = sizeMax;
    this.#partBytes = line.partBytes;
  }

  async begin(): Promise<void> {
    const { upload } = await this.#line.json({ target: `${base}/uploads`, json: {} });
    this.#target = `${base}/uploads/${toHex(bytesOf(upload, "upload", 32))}`;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#state !== "open")
      throw new StorageError("store-unreachable", "the object cannot take more bytes");
    if (this.#sent + this.#waitingBytes + chunk.length > this.#sizeMax) {
      this.#state = "failed";
      throw new StorageError("too-large", `the object is larger than ${this.#sizeMax} bytes`);
    }
    this.#waiting.push(chunk.slice());
    this.#waitingBytes += chunk.length;
    const most = this.#target === undefined ? wholeBytesMax : this.#partBytes;
    if (this.#waitingBytes > most) await this.#attempt(() => this.#send());
  }

  async commit(name: string): Promise<ObjectStat> {
    demandName(name);
    if (this.#state !== "open") throw new StorageError("store-unreachable", "the object can only be aborted");
    const size = this.#sent + this.#waitingBytes;
    if (this.#target === undefined && (await this.#putWhole(name))) {
      this.#state = "ended";
      return { size };
    }
    await this.#attempt(() => this.#send());
    await this.#line.json({ target: `${this.#target}/committed`, json: { name, size } });
    this.#state = "ended";
    this.#forget();
    return { size };
  }

  async abort(): Promise<void> {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#waiting = [];
    this.#forget();
  }

  /** What the holder keeps of a commit's answer, or of an upload given up, goes now, or by itself after its grace time. */
  #forget(): void {
    if (this.#target === undefined) return;
    void this.#line.jsonOnce({ method: "DELETE", target: this.#target }).catch(() => {});
  }

  /** False where the connection broke: then the object goes in parts. */
  async #putWhole(name: string): Promise<boolean> {
    const bytes = joined(this.#waiting);
    try {
      await this.#line.jsonOnce({ method: "PUT", target: contentOf(name), bytes });
      return true;
    } catch (error) {
      if (isCut(error)) return false;
      throw storageErrorOf(error);
    }
  }

  /** Sends everything that waits. */
  async #send(): Promise<void> {
    if (this.#target === undefined) await this.begin();
    const bytes = joined(this.#waiting);
    const begin = this.#sent;
    for (let failures = 0; this.#sent - begin < bytes.length; ) {
      const at = this.#sent - begin;
      const part = bytes.subarray(at, at + this.#partBytes);
      try {
        const fields = { "upload-offset": String(this.#sent) };
        const call = { method: "PATCH", target: this.#target!, bytes: part, fields } as const;
        const { offset } = await this.#line.jsonOnce(call);
        if (offset !== this.#sent + part.length)
          throw new StorageError("store-unreachable", "the holder stands at another byte than was sent");
        this.#sent += part.length;
        failures = 0;
      } catch (error) {
        await this.#line.pause(error, ++failures);
        this.#partBytes = Math.max(partBytesMin, Math.floor(this.#partBytes / 2));
        // The part may have come though its answer did not.
        const offset = wholeOf((await this.#line.json({ target: this.#target! })).offset, "offset");
        if (offset === this.#sent + part.length) this.#sent = offset;
        else if (offset !== this.#sent)
          throw new StorageError("store-unreachable", "the holder lost what it had acknowledged");
      }
    }
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  async #attempt(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.#state = "failed";
      throw storageErrorOf(error);
    }
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((bytes, { length }) => bytes + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

interface Wanted {
  readonly from: number;
  readonly to: number | undefined;
  readonly etag: string | undefined;
}

function isRanged({ from, to }: Wanted): boolean {
  return to !== undefined || from > 0;
}

/** What the answer says that it holds. @throws StorageError where that is not what was asked for */
function foundIn(
  { status, field }: HttpResponse,
  wanted: Wanted,
): { readonly found: string; readonly last: number } {
  const { from, to, etag } = wanted;
  const found = field("etag") ?? "";
  if (etag !== undefined && (status !== 206 || found !== etag)) {
    throw new StorageError("store-unreachable", "the object was replaced while it was being read");
  }
  const [, first, last] = /^bytes (\d+)-(\d+)\/\d+$/.exec(field("content-range") ?? "") ?? [];
  const whole = { first: 0, last: Number(field("content-length")) - 1 };
  const given = isRanged(wanted) ? { first: Number(first), last: Number(last) } : whole;
  if (to !== undefined && etag === undefined && given.last < to)
    throw new StorageError("range-invalid", "the range must lie within the object");
  const fits = given.first === from && Number.isSafeInteger(given.last) && given.last === (to ?? given.last);
  if (!fits) throw new StorageError("store-unreachable", "the holder answered another range");
  return { found, last: given.last };
}
