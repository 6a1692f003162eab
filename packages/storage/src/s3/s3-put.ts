/**
 * An object on its way into a bucket. Up to one part's worth stays in memory and goes in one request; beyond that it is
 * a multipart upload, whose parts go in parallel, each sent again by itself where its connection fails, and nothing of
 * which can be seen before the last request. The upload needs its key at its first part: where the name is not known by
 * then it is made under a staging key and copied by the server at the end (docs/decisions/s3-layout.md).
 */
import { randomUUID } from "node:crypto";
import type { ObjectStat, PutHandle } from "../object-store.ts";
import { StorageError } from "../storage-error.ts";
import type { FinishedPart, S3Bucket } from "./s3-bucket.ts";
import { partSize, partsMax, waitingBytesMax } from "./s3-parts.ts";

/** Keys of unfinished objects begin with it, after the store's prefix: no object's name begins with a dot. */
export const stagingPrefix = ".staging/";
/** Parts under way at a time, of all objects that come side by side; of each, one at the least. */
const partsUnderWay = 3;
/** Least memory that is taken for bytes that wait. */
const firstRoom = 1 << 16;

export interface S3PutOptions {
  readonly bucket: S3Bucket;
  readonly partBytes: number;
  readonly sizeMax: number;
  readonly finalName: string | undefined;
  readonly abreast: number;
  /** Called once, when nothing of the object is under way any more. */
  readonly ended: () => void;
}

export class S3Put implements PutHandle {
  readonly #options: S3PutOptions;
  #state: "open" | "failed" | "ended" = "open";
  /** Bytes that no part has yet: the first #filled of it. */
  #gathered: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #filled = 0;
  #size = 0;
  /** The key that the parts go to, from the first part on. */
  #key: string | undefined;
  #uploadId: string | undefined;
  readonly #parts: FinishedPart[] = [];
  #begun = 0;
  readonly #underWay = new Set<Promise<void>>();
  #waitingBytes = 0;
  /** Memory of parts that are stored, for those to come: what is thrown away stays until somebody collects it. */
  readonly #spare: Uint8Array<ArrayBuffer>[] = [];
  /** True once the parts are one object, under #key. */
  #isJoined = false;
  #failure: unknown;

  constructor(options: S3PutOptions) {
    this.#options = options;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#state !== "open")
      throw new StorageError("store-unreachable", "the object cannot take more bytes");
    this.#size += chunk.length;
    const { sizeMax, partBytes } = this.#options;
    if (this.#size > sizeMax) {
      this.#state = "failed";
      throw new StorageError("too-large", `the object is larger than ${sizeMax} bytes`);
    }
    for (let rest = chunk; rest.length > 0; ) {
      const full = partSize(this.#begun + 1, partBytes);
      // A full part waits for one more byte: an object of exactly one part needs no multipart upload.
      if (this.#filled === full) await this.#attempt(() => this.#flush());
      else {
        const part = rest.subarray(0, full - this.#filled);
        this.#reserve(this.#filled + part.length, full);
        this.#gathered.set(part, this.#filled);
        this.#filled += part.length;
        rest = rest.subarray(part.length);
      }
    }
  }

  /** Memory for `size` bytes of a part of at most `full`: doubled as it fills, all at once after the first part. */
  #reserve(size: number, full: number): void {
    if (size <= this.#gathered.length) return;
    const room = this.#begun > 0 && full <= this.#options.partBytes ? full : Math.max(2 * size, firstRoom);
    const larger = this.#memory(Math.min(room, full));
    larger.set(this.#gathered.subarray(0, this.#filled));
    this.#gathered = larger;
  }

  #memory(bytes: number): Uint8Array<ArrayBuffer> {
    const spare = this.#spare.pop();
    return spare?.length === bytes ? spare : new Uint8Array(bytes);
  }

  async commit(name: string): Promise<ObjectStat> {
    if (this.#state !== "open") throw new StorageError("store-unreachable", "the object can only be aborted");
    const { bucket, finalName } = this.#options;
    const key = bucket.keyOf(name);
    // Its parts may be under that name already, where they replace what is there.
    if (finalName !== undefined && name !== finalName) {
      throw new StorageError("name-invalid", "the object was begun for another name");
    }
    if (this.#begun === 0) {
      await bucket.putWhole(key, this.#gathered.subarray(0, this.#filled));
    } else {
      await this.#join();
      if (this.#key !== key) await this.#move(key);
    }
    // Given back at once: what waits for the collector lies beside what is put or read next. Only here, where the server
    // has every byte: of a request that failed something may still be on its way out of this memory.
    for (const { buffer } of [this.#gathered, ...this.#spare]) buffer.transfer(0);
    this.#end();
    return { size: this.#size };
  }

  async abort(): Promise<void> {
    if (this.#state === "ended") return;
    this.#state = "failed";
    await Promise.allSettled(this.#underWay);
    const { bucket } = this.#options;
    if (this.#key !== undefined && this.#uploadId !== undefined) {
      // What stays of an upload is a leftover, which `clear` removes.
      if (!this.#isJoined) await bucket.abortUpload(this.#key, this.#uploadId).catch(() => {});
      else if (this.#isStaged) await bucket.remove(this.#key).catch(() => {});
    }
    this.#end();
  }

  get #isStaged(): boolean {
    return this.#key?.startsWith(this.#options.bucket.stagingStart) === true;
  }

  /** Sends what is gathered as the next part, once there is room for it. */
  async #flush(): Promise<void> {
    const { bucket, partBytes, abreast } = this.#options;
    const number = this.#begun + 1;
    if (number > partsMax) throw new StorageError("too-large", "the object has more parts than S3 takes");
    if (this.#key === undefined || this.#uploadId === undefined) await this.#beginUpload();
    const size = this.#filled;
    const part = this.#gathered;
    const body = part.subarray(0, size);
    this.#gathered = new Uint8Array(0);
    this.#filled = 0;
    this.#begun = number;
    this.#waitingBytes += size;
    const [key, uploadId] = [this.#key as string, this.#uploadId as string];
    const sent = bucket
      .uploadPart({ key, uploadId, number, body })
      .then((finished) => {
        this.#parts.push(finished);
        this.#spare.push(part);
      })
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => {
        this.#underWay.delete(sent);
        this.#waitingBytes -= size;
      });
    this.#underWay.add(sent);
    const next = partSize(number + 1, partBytes);
    const underWayMax = Math.max(1, Math.floor(partsUnderWay / abreast));
    const isFull = (): boolean =>
      this.#underWay.size >= underWayMax || this.#waitingBytes + next > waitingBytesMax(partBytes);
    while (this.#underWay.size > 0 && isFull()) await Promise.race(this.#underWay);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #beginUpload(): Promise<void> {
    const { bucket, finalName } = this.#options;
    this.#key = finalName === undefined ? `${bucket.stagingStart}${randomUUID()}` : bucket.keyOf(finalName);
    this.#uploadId = await bucket.beginUpload(this.#key);
  }

  /** All parts sent and made one object. A second call, after a copy that failed, has nothing to do. */
  async #join(): Promise<void> {
    if (this.#isJoined) return;
    await this.#attempt(async () => {
      if (this.#filled > 0) await this.#flush();
      await Promise.all(this.#underWay);
      if (this.#failure !== undefined) throw this.#failure;
      const parts = this.#parts.toSorted((a, b) => a.number - b.number);
      const [key, uploadId] = [this.#key as string, this.#uploadId as string];
      await this.#options.bucket.completeUpload({ key, uploadId, parts, size: this.#size });
      this.#isJoined = true;
    });
  }

  /** The object gets its name: the server copies, and what was staged goes. */
  async #move(key: string): Promise<void> {
    const { bucket } = this.#options;
    const from = this.#key as string;
    await bucket.copy({ from, key, size: this.#size });
    await bucket.remove(from).catch(() => {});
  }

  async #attempt(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.#state = "failed";
      throw error;
    }
  }

  #end(): void {
    this.#state = "ended";
    this.#gathered = new Uint8Array(0);
    this.#spare.length = 0;
    this.#options.ended();
  }
}
