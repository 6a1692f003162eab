/**
 * A payload on its way to a provider: a small one in one request, a larger one as an upload that goes on at the byte where
 * a connection broke, over restarts of the server too (spec/9-http.md). Two parts of memory, whatever its size.
 */
import { concat, toHex } from "@chartseal/crypto";
import { waitAgain } from "./attempts.ts";
import type { Connection } from "./connection.ts";
import { bytesOf, type Fields, fieldsOf, malformed, textOf, wholeOf } from "./fields.ts";
import { type DirectParts, directParts, StoreOutOfReach, sendDirect } from "./payload-direct.ts";

export interface SendingOptions {
  /** False where both ends are one machine and nothing between them breaks: in one request, whatever the size. */
  readonly resumable?: boolean;
  /** What is kept until the server has it on disk. A payload up to here goes in one request. */
  readonly partBytes?: number;
  /** False where parts go through the provider though its store would take them. */
  readonly direct?: boolean;
  /** Before the second attempt; three times as long before each further one. */
  readonly pauseMs?: number;
}

export interface TakenPayload {
  readonly address: string;
  readonly bytes: number;
}

export const partBytesDefault = 8 * 1024 * 1024;
export const pauseMsDefault = 200;

export async function sendPayload(
  connection: Connection,
  source: AsyncIterable<Uint8Array>,
  options: SendingOptions & {
    /** What the provider is told of the payload: "" or "?…". */
    readonly query: string;
    readonly chunkBytes?: number | undefined;
  },
): Promise<TakenPayload> {
  const { resumable = true, partBytes = partBytesDefault, pauseMs = pauseMsDefault } = options;
  const { query, direct = true, chunkBytes } = options;
  const whole = (stream: AsyncIterable<Uint8Array>): Promise<Fields> =>
    connection.json({ target: `/v1/provider/payloads${query}`, stream });
  if (!resumable) return takenOf(await whole(source));
  const parts = partsOf(source, partBytes);
  const first = await parts.next();
  if (first.done === true || first.value.last) {
    const bytes = first.done === true ? new Uint8Array(0) : first.value.bytes;
    // What an attempt stored whose answer was lost is an orphan, which goes by itself.
    return takenOf(await again(pauseMs, () => whole(once(bytes))));
  }
  const begin = async (direct: boolean): Promise<{ answer: Fields; upload: Sending }> => {
    const call = { target: `/v1/provider/uploads${query}`, json: direct ? { direct } : {} };
    const answer = await again(pauseMs, () => connection.json(call));
    const id = toHex(bytesOf(answer.upload, "upload", 32));
    return { answer, upload: new Sending(connection, id, pauseMs) };
  };
  const { answer, upload } = await begin(direct);
  const past = directParts(answer);
  if (past === undefined) return await upload.relay(first.value, parts);
  try {
    return await upload.past(past, { payload: bytesFrom(first.value, parts), chunkBytes });
  } catch (error) {
    if (!(error instanceof StoreOutOfReach)) throw error;
    // Only the provider reaches its store: through it, then.
    const again = partsOf(error.payload, partBytes);
    const head = await again.next();
    return await (await begin(false)).upload.relay(head.value as Part, again);
  }
}

/** All bytes of parts, from the first on. */
async function* bytesFrom(first: Part, rest: AsyncIterable<Part>): AsyncGenerator<Uint8Array> {
  yield first.bytes;
  for await (const { bytes } of rest) yield bytes;
}

async function again<T>(pauseMs: number, once: () => Promise<T>): Promise<T> {
  for (let failures = 0; ; ) {
    try {
      return await once();
    } catch (error) {
      await waitAgain(error, ++failures, pauseMs);
    }
  }
}

function takenOf({ address, bytes }: Fields): TakenPayload {
  return { address: textOf(address, "address"), bytes: wholeOf(bytes, "bytes") };
}

interface Part {
  readonly bytes: Uint8Array;
  readonly last: boolean;
}

/** The source in parts of at least `partBytes`, the last one told. */
async function* partsOf(source: AsyncIterable<Uint8Array>, partBytes: number): AsyncGenerator<Part> {
  let chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    if (size >= partBytes) {
      yield { bytes: concat(...chunks), last: false };
      [chunks, size] = [[], 0];
    }
    chunks.push(chunk);
    size += chunk.length;
  }
  yield { bytes: concat(...chunks), last: true };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

/** One upload, and where the server stands with it. */
class Sending {
  readonly #connection: Connection;
  readonly #target: string;
  readonly #pauseMs: number;
  #offset = 0;
  #complete = false;
  #answer: unknown = null;

  constructor(connection: Connection, id: string, pauseMs: number) {
    this.#connection = connection;
    this.#target = `/v1/provider/uploads/${id}`;
    this.#pauseMs = pauseMs;
  }

  /** All of it through the provider; an upload that fails is given up. */
  async relay(first: Part, rest: AsyncIterable<Part>): Promise<TakenPayload> {
    return await this.#orCancelled(async () => {
      await this.append(first);
      for await (const part of rest) await this.append(part);
      return await this.result();
    });
  }

  /** All of it to the store. @throws StoreOutOfReach */
  async past(
    parts: DirectParts,
    of: { readonly payload: AsyncIterable<Uint8Array>; readonly chunkBytes: number | undefined },
  ): Promise<TakenPayload> {
    const connection = this.#connection;
    const at = { target: this.#target, pauseMs: this.#pauseMs };
    return await this.#orCancelled(async () => {
      this.#stands(await sendDirect(connection, { ...at, parts, ...of }));
      return await this.result();
    });
  }

  async #orCancelled<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      this.cancel();
      throw error;
    }
  }

  async append({ bytes, last }: Part): Promise<void> {
    const begin = this.#offset;
    const isDone = (): boolean => (last ? this.#complete : this.#offset === begin + bytes.length);
    for (let failures = 0; !isDone(); ) {
      const from = this.#offset;
      try {
        this.#stands(await this.#patch(bytes.subarray(from - begin), last));
      } catch (error) {
        await waitAgain(error, ++failures, this.#pauseMs);
        await again(this.#pauseMs, () => this.#look());
        if (this.#offset > from) failures = 0;
      }
      if (this.#offset < begin || this.#offset > begin + bytes.length) throw malformed("offset");
    }
  }

  #patch(bytes: Uint8Array, last: boolean): Promise<Fields> {
    const fields = { "upload-offset": String(this.#offset), "upload-complete": last ? "?1" : "?0" };
    return this.#connection.json({
      method: "PATCH",
      target: this.#target,
      stream: once(bytes),
      fields,
    });
  }

  async #look(): Promise<void> {
    const { field } = await this.#connection.ask({ method: "HEAD", target: this.#target });
    this.#offset = wholeOf(Number(field("upload-offset") ?? "none"), "upload-offset");
    this.#complete = field("upload-complete") === "?1";
  }

  #stands({ offset, complete, result }: Fields): void {
    this.#offset = wholeOf(offset, "offset");
    this.#complete = complete === true;
    this.#answer = result;
  }

  /** What the provider answers for the whole; asked for until it has taken all of it. */
  async result(): Promise<TakenPayload> {
    while (this.#answer === null)
      this.#stands(await again(this.#pauseMs, () => this.#connection.json({ target: this.#target })));
    return takenOf(fieldsOf(this.#answer, "result"));
  }

  /** Best effort: what stays goes by itself after the server's grace time. */
  cancel(): void {
    void this.#connection.json({ method: "DELETE", target: this.#target }).catch(() => {});
  }
}
