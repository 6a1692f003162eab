/**
 * A payload's way past the provider: parts to the URLs that it names, each sent again where its connection breaks, and the
 * digest of all of them at the end. One part of memory and what the source gives at once.
 */
import { hashPayload, toHex } from "@chartseal/crypto";
import { isCut, waitAgain } from "./attempts.ts";
import type { Connection } from "./connection.ts";
import { type Fields, fieldsOf, listOf, textOf, wholeOf } from "./fields.ts";

/** Sizes of the parts that are not the last, each from a number on. */
export interface DirectParts {
  readonly sizes: readonly { readonly from: number; readonly bytes: number }[];
  readonly partsMax: number;
}

/** Parts whose URLs are asked for at once. */
const urlsAhead = 8;
/** Attempts at the first part, after which the store counts as out of reach from here. */
const firstAttemptsMax = 2;

/** Undefined where the provider takes no parts past itself. */
export function directParts(answer: Fields): DirectParts | undefined {
  if (answer.direct === null || answer.direct === undefined) return undefined;
  const { sizes, partsMax } = fieldsOf(answer.direct, "direct");
  return {
    sizes: listOf(sizes, "sizes").map((item) => {
      const { from, bytes } = fieldsOf(item, "sizes");
      return { from: wholeOf(from, "from"), bytes: wholeOf(bytes, "bytes") };
    }),
    partsMax: wholeOf(partsMax, "partsMax"),
  };
}

/** That the store cannot be reached from here, with what was taken from the source for it. */
export class StoreOutOfReach {
  /** All bytes of the payload from its first on. */
  readonly payload: AsyncIterable<Uint8Array>;

  constructor(payload: AsyncIterable<Uint8Array>) {
    this.payload = payload;
  }
}

/** @returns the answer to the upload's end. @throws StoreOutOfReach before anything of it is stored */
export async function sendDirect(
  connection: Connection,
  of: {
    readonly target: string;
    readonly parts: DirectParts;
    readonly payload: AsyncIterable<Uint8Array>;
    readonly chunkBytes: number | undefined;
    readonly pauseMs: number;
  },
): Promise<Fields> {
  const { target, parts, payload, chunkBytes, pauseMs } = of;
  const passing = hashPayload({ source: payload, ...(chunkBytes === undefined ? {} : { chunkBytes }) });
  const pieces = sized(passing.chunks, parts.sizes);
  const urls = new PartUrls(connection, { target, parts });
  let size = 0;
  let number = 0;
  for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) {
    const { value: bytes } = next;
    number++;
    const sent = await put(connection, { urls, number, bytes, pauseMs });
    if (!sent) throw new StoreOutOfReach(chained(bytes, pieces));
    size += bytes.length;
  }
  const { digest } = await passing.finished;
  const json = { size, digest: toHex(digest) };
  for (let failures = 0; ; ) {
    try {
      return await connection.json({ target: `${target}/completed`, json });
    } catch (error) {
      await waitAgain(error, ++failures, pauseMs);
    }
  }
}

/** False for a first part that the store does not take from here. */
async function put(
  connection: Connection,
  part: {
    readonly urls: PartUrls;
    readonly number: number;
    readonly bytes: Uint8Array;
    readonly pauseMs: number;
  },
): Promise<boolean> {
  const { urls, number, bytes, pauseMs } = part;
  for (let failures = 0; ; ) {
    const url = await urls.of(number, bytes.length);
    try {
      await connection.putElsewhere(url, bytes);
      return true;
    } catch (error) {
      failures++;
      if (number === 1 && failures >= firstAttemptsMax) return false;
      // A URL that has run out is asked for again, once: what the store decided it decides again.
      const isRefused = !isCut(error) && failures === 1;
      urls.forget(number);
      if (!isRefused) await waitAgain(error, failures, pauseMs);
    }
  }
}

/** URLs of parts, some ahead: the next ones are of full size, but for the last, whose is asked for when it is known. */
class PartUrls {
  readonly #connection: Connection;
  readonly #target: string;
  readonly #parts: DirectParts;
  readonly #urls = new Map<number, { readonly size: number; readonly url: string }>();

  constructor(connection: Connection, { target, parts }: { target: string; parts: DirectParts }) {
    this.#connection = connection;
    this.#target = target;
    this.#parts = parts;
  }

  forget(number: number): void {
    this.#urls.delete(number);
  }

  async of(number: number, size: number): Promise<string> {
    const found = this.#urls.get(number);
    if (found?.size === size) return found.url;
    const { sizes, partsMax } = this.#parts;
    const isFull = size === partBytes(sizes, number);
    const count = isFull ? Math.max(1, Math.min(urlsAhead, partsMax - number + 1)) : 1;
    const wanted = Array.from({ length: count }, (_, at) => ({
      number: number + at,
      size: at === 0 ? size : partBytes(sizes, number + at),
    }));
    const { parts } = await this.#ask(wanted);
    this.#urls.clear();
    for (const [at, item] of listOf(parts, "parts").entries()) {
      const url = textOf(fieldsOf(item, "parts").url, "url");
      const part = wanted[at];
      if (part !== undefined) this.#urls.set(part.number, { size: part.size, url });
    }
    return textOf(this.#urls.get(number)?.url, "url");
  }

  async #ask(parts: readonly { readonly number: number; readonly size: number }[]): Promise<Fields> {
    for (let failures = 0; ; ) {
      try {
        return await this.#connection.json({ target: `${this.#target}/parts`, json: { parts } });
      } catch (error) {
        await waitAgain(error, ++failures, 200);
      }
    }
  }
}

function partBytes(sizes: DirectParts["sizes"], number: number): number {
  return sizes.findLast(({ from }) => from <= number)?.bytes ?? 0;
}

/** The payload in pieces of the parts' sizes, the last one as long as it is. */
async function* sized(
  payload: AsyncIterable<Uint8Array>,
  sizes: DirectParts["sizes"],
): AsyncGenerator<Uint8Array, undefined> {
  let number = 1;
  let piece = new Uint8Array(partBytes(sizes, 1));
  let filled = 0;
  for await (const chunk of payload) {
    for (let rest = chunk; rest.length > 0; ) {
      if (filled === piece.length) {
        yield piece;
        piece = new Uint8Array(partBytes(sizes, ++number));
        filled = 0;
      }
      const part = rest.subarray(0, piece.length - filled);
      piece.set(part, filled);
      filled += part.length;
      rest = rest.subarray(part.length);
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}

async function* chained(
  first: Uint8Array,
  rest: AsyncGenerator<Uint8Array, undefined>,
): AsyncGenerator<Uint8Array> {
  yield first;
  yield* rest;
}
