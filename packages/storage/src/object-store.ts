/**
 * The contract of every object store: whole objects under names, written atomically, read by ranges.
 *
 * A store knows bytes and names and nothing else: no keys, policies or patients. Objects are of any size (a record is
 * up to 1 TiB), so everything is a stream in constant memory. spec/5-storage.md is the same in prose;
 * test/conformance.ts is what each implementation must pass.
 *
 * A name is 1 to 16 segments joined by `/`, each `[a-z0-9][a-z0-9._-]*` of at most 200 characters. No name may be
 * another name's leading segments (`a` and `a/b`): a store of files has no room for both.
 */
import type { Placement } from "./place.ts";
import { StorageError } from "./storage-error.ts";

/** Bytes `from` to `toInclusive`, counted from 0, both included: 0 ≤ from ≤ toInclusive < size. */
export interface ByteRange {
  readonly from: number;
  readonly toInclusive: number;
}

export interface PutOptions {
  /** Largest size in bytes that is taken; one byte more fails with `too-large` and nothing is stored. */
  readonly sizeMax?: number;
  /** Over how many places and in which regions; a store of one place ignores it. */
  readonly placement?: Placement;
  /**
   * For `begin`: the name that the object will have, where it is known already; `commit` takes no other then. A store that
   * must know it early saves a copy.
   */
  readonly finalName?: string;
  /** For `begin`: how many objects come side by side, this one counted; a store that holds parts in memory holds fewer of each. */
  readonly abreast?: number;
}

/** What is known of a stored object: its size in bytes. */
export interface ObjectStat {
  readonly size: number;
}

export interface GetOptions {
  /** A chunk may be the caller's only until it asks for the next: a store that can, uses its memory again. */
  readonly lend?: boolean;
}

/** A part of an upload past the store's own program, as the store has it; parts are counted from 1. */
export interface DirectPart {
  readonly number: number;
  readonly size: number;
}

/**
 * Pre-signed access, for a store that has it: whoever holds a URL may do that one thing until it expires, without an
 * account at the store. A URL is a secret of the one it was made for.
 */
export interface DirectAccess {
  /**
   * Gives the object by HTTP GET, with or without a `Range`; undefined of one that lies elsewhere.
   * @throws StorageError `name-invalid`, `store-unreachable`
   */
  getUrl(name: string, options: { readonly expiresMs: number }): Promise<string | undefined>;
  /** Sizes of the parts that are not the last, each from a number on. */
  readonly partSizes: readonly { readonly from: number; readonly bytes: number }[];
  /** Most parts of an object. */
  readonly partsMax: number;
  /**
   * Begins an upload past the store's own program, which only that can finish; its id, which grants nothing by itself.
   * Nothing is visible before `completeUpload`.
   * @throws StorageError `name-invalid`, `store-unreachable`
   */
  openUpload(name: string): Promise<string>;
  /**
   * Takes a part of exactly that size by HTTP PUT, and replaces one that came before.
   * @throws StorageError `name-invalid`, `too-large`, `store-unreachable`
   */
  partUrl(
    name: string,
    part: DirectPart & { readonly uploadId: string; readonly expiresMs: number },
  ): Promise<string>;
  /**
   * Makes the parts that are there one object, where they are parts 1 to n of sizes that belong to an object of `size`
   * bytes. Asked again for what is done already, it does no more.
   * @throws StorageError `name-invalid`; `object-missing` where there is no such upload any more and no such object;
   *   `range-invalid` where parts are missing or their sizes are others
   */
  completeUpload(
    name: string,
    upload: { readonly uploadId: string; readonly size: number },
  ): Promise<ObjectStat>;
  /** Forgets the parts. @throws StorageError `store-unreachable` */
  abortUpload(name: string, uploadId: string): Promise<void>;
}

/**
 * An object on its way in, for callers who learn its name last (an address that is a digest of the bytes).
 * Exactly one of `commit` and `abort` ends it. Calls are made one after the other, each awaited.
 */
export interface PutHandle {
  /**
   * Takes the next bytes, copying them: the caller may reuse its buffer when the promise resolves.
   * After a failure the handle can only be aborted.
   * @throws StorageError `too-large`, `store-unreachable`
   */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Makes the object visible under `name`, replacing one that is there. When it resolves the object survives a crash.
   * A failure leaves the old state: commit may be tried again under a corrected name, or the handle aborted.
   * @throws StorageError `name-invalid`, `store-unreachable`
   */
  commit(name: string): Promise<ObjectStat>;
  /** Forgets the bytes. Does nothing after `commit` or a second time; never throws for a store that is gone. */
  abort(): Promise<void>;
}

export interface ObjectStore {
  /** Access past the store's own program, where the store can give it. */
  readonly direct?: DirectAccess;
  /**
   * Stores all bytes of `source` under `name`, replacing what is there. Whole or not at all: readers see the old object
   * or the new one, never a part. Durable when it resolves. An error of the source comes out unchanged.
   * Two puts of one name at a time both succeed and one of them stays, whole.
   * @throws StorageError `name-invalid`, `too-large`, `store-unreachable`
   */
  put(name: string, source: AsyncIterable<Uint8Array>, options?: PutOptions): Promise<ObjectStat>;
  /** Opens an object that gets its name at the end. @throws StorageError `store-unreachable` */
  begin(options?: PutOptions): Promise<PutHandle>;
  /**
   * The object's bytes, or those of a range, in chunks of the store's choosing. Nothing is opened, and nothing thrown,
   * before the first chunk is asked for. A reader that has begun gets the object as it was then, even when it is
   * replaced or removed meanwhile. Leaving the loop early frees everything.
   * @throws StorageError `name-invalid`, `object-missing`, `range-invalid`, `store-unreachable`
   */
  get(name: string, range?: ByteRange, options?: GetOptions): AsyncIterable<Uint8Array>;
  /** @throws StorageError `name-invalid`, `object-missing`, `store-unreachable` */
  stat(name: string): Promise<ObjectStat>;
  /**
   * Removes an object, durably when it resolves. False where there was none.
   * @throws StorageError `name-invalid`, `store-unreachable`
   */
  remove(name: string): Promise<boolean>;
  /**
   * Names that begin with `prefix` (any text; "" for all), in byte order. Objects put or removed meanwhile may or may
   * not appear; all others appear once.
   * @throws StorageError `store-unreachable`
   */
  list(prefix?: string): AsyncIterable<string>;
}

/** Most segments of a name. */
export const nameSegmentsMax = 16;
/** Most characters of a segment. */
export const segmentLengthMax = 200;

const segmentPattern = /^[a-z0-9][a-z0-9._-]*$/;

/** True for text that can name an object. */
export function isName(text: string): boolean {
  const segments = text.split("/");
  return (
    segments.length <= nameSegmentsMax &&
    segments.every((segment) => segment.length <= segmentLengthMax && segmentPattern.test(segment))
  );
}

/** The segments of a name. @throws StorageError `name-invalid` */
export function segmentsOf(name: string): readonly string[] {
  if (!isName(name)) throw new StorageError("name-invalid", "not the name of an object");
  return name.split("/");
}

/**
 * First byte and length of what a range asks for, the whole object where none is given.
 * @throws StorageError `range-invalid`
 */
export function resolveRange(range: ByteRange | undefined, size: number): { from: number; length: number } {
  if (range === undefined) return { from: 0, length: size };
  const { from, toInclusive } = range;
  const valid = Number.isSafeInteger(from) && Number.isSafeInteger(toInclusive);
  if (!valid || from < 0 || from > toInclusive || toInclusive >= size) {
    throw new StorageError("range-invalid", `the range must lie within the object's ${size} bytes`);
  }
  return { from, length: toInclusive - from + 1 };
}

/** A whole stream through a handle, which is what `put` is in most stores. @throws StorageError as `put` */
export async function putThrough(
  { name, source }: { readonly name: string; readonly source: AsyncIterable<Uint8Array> },
  begin: () => PutHandle | Promise<PutHandle>,
): Promise<ObjectStat> {
  segmentsOf(name);
  const handle = await begin();
  try {
    for await (const chunk of source) await handle.write(chunk);
    return await handle.commit(name);
  } catch (error) {
    await handle.abort();
    throw error;
  }
}
