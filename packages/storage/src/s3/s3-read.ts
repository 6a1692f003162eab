/**
 * An object on its way out of a bucket. A connection that breaks, or gives nothing for a while, is made anew at the byte
 * where it stopped, and only for the very object that was begun with, by its ETag: so a reader gets one object's bytes or
 * an error, never two objects' bytes in one stream.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type ByteRange, resolveRange } from "../object-store.ts";
import { StorageError } from "../storage-error.ts";
import type { Fetched, S3Bucket } from "./s3-bucket.ts";
import { isChanged, isMissing, isPassing, isRangeRefused, storageErrorOf } from "./s3-errors.ts";

export interface ReadOptions {
  readonly bucket: S3Bucket;
  readonly name: string;
  readonly range: ByteRange | undefined;
  /** A chunk's memory is given back when the next one is asked for. */
  readonly lend: boolean;
}

/** How often in a row a connection may fail without having brought a byte. */
const failuresMax = 5;
const firstPauseMs = 100;

/** One generator and no timer for a chunk, of which a body brings thousands a second: the SDK's `socketTimeout` ends a silent one. */
export async function* readObject(options: ReadOptions): AsyncGenerator<Uint8Array> {
  const { bucket, name, range, lend } = options;
  const key = bucket.keyOf(name);
  if (range !== undefined) demandOrder(range);
  const first = await begin(bucket, key, range);
  if (first === undefined) return;
  let { from, length } = { from: 0, length: first.size };
  try {
    ({ from, length } = resolveRange(range, first.size));
  } catch (error) {
    first.body.destroy();
    throw error;
  }
  let open: Fetched | undefined = first;
  let at = from;
  const end = from + length;
  let failures = 0;
  try {
    while (at < end) {
      try {
        open ??= await bucket.fetch(key, { from: at, to: end - 1, etag: first.etag });
        for await (const chunk of open.body) {
          if (at + chunk.length > end)
            throw new StorageError("store-unreachable", "the S3 server gives more bytes than the object has");
          at += chunk.length;
          failures = 0;
          yield new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
          if (lend) giveBack(chunk);
        }
        if (at < end) throw new StorageError("store-unreachable", "the S3 server gives too few bytes");
      } catch (error) {
        open?.body.destroy();
        open = undefined;
        if (at >= end) break;
        if (isChanged(error) || isMissing(error)) {
          const sentence = "the object was replaced or removed while it was read";
          throw new StorageError("store-unreachable", sentence, { cause: error });
        }
        if (!isPassing(error) || ++failures >= failuresMax) throw storageErrorOf(error);
        await sleep(firstPauseMs * 2 ** failures);
      }
    }
  } finally {
    open?.body.destroy();
  }
}

/** What waits for the collector instead lies beside the stream, to tens of MiB; memory that is others' too is left alone. */
function giveBack({ buffer, length }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0);
}

/** What no size could make valid, before anything is asked. */
function demandOrder({ from, toInclusive }: ByteRange): void {
  resolveRange({ from, toInclusive }, Number.MAX_SAFE_INTEGER);
}

/** Undefined for an empty object, of which no range can be asked. */
async function begin(
  bucket: S3Bucket,
  key: string,
  range: ByteRange | undefined,
): Promise<Fetched | undefined> {
  try {
    return await bucket.fetch(key, range === undefined ? {} : { from: range.from, to: range.toInclusive });
  } catch (error) {
    if (isMissing(error)) throw new StorageError("object-missing", "no object of this name");
    if (!isRangeRefused(error) && !(error instanceof StorageError)) throw storageErrorOf(error);
    // No such range, or another one: servers answer in either way where the object has not that many bytes.
    const { size } = await bucket.stat(key);
    resolveRange(range, size);
    if (size === 0) return undefined;
    throw storageErrorOf(error);
  }
}
