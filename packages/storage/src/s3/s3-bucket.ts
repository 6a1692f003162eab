/**
 * The requests of the S3 store, one method each, over the AWS SDK: any server that speaks S3. Requests are sent again by
 * the SDK where their connection breaks or the server is in trouble; a body is always bytes in memory, so that it can be.
 */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandInput,
  type ListMultipartUploadsCommandOutput,
  ListObjectsV2Command,
  ListPartsCommand,
  type ListPartsCommandOutput,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import { segmentsOf } from "../object-store.ts";
import { StorageError } from "../storage-error.ts";
import { isMissing, storageErrorOf } from "./s3-errors.ts";
import { multipartEtag } from "./s3-etag.ts";

export interface BucketOptions {
  readonly client: S3Client;
  /** The same with more patience, for what a server does in silence with bytes that it has: to join parts, to copy. */
  readonly patient: S3Client;
  readonly bucket: string;
  /** In front of every key; "" or ending in "/". */
  readonly prefix: string;
  readonly stagingPrefix: string;
}

export interface FinishedPart {
  readonly number: number;
  readonly etag: string;
}

export interface Stored {
  readonly size: number;
  readonly etag: string;
}

/** What a GET gave: the bytes on their way, of which object, how large that is. */
export interface Fetched extends Stored {
  readonly body: AsyncIterable<Uint8Array> & { destroy(): void };
}

/** Largest object that one request copies, and the parts beyond. */
const copyBytesMax = 2 ** 30;

// Not named Bucket: TypeScript 7.0.2 renames a property of that name inside the class of the same name.
export class S3Bucket {
  readonly #client: S3Client;
  readonly #patient: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;
  /** What keys of unfinished objects begin with. */
  readonly stagingStart: string;

  constructor({ client, patient, bucket, prefix, stagingPrefix }: BucketOptions) {
    this.#client = client;
    this.#patient = patient;
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.stagingStart = prefix + stagingPrefix;
  }

  /** @throws StorageError `name-invalid` */
  keyOf(name: string): string {
    segmentsOf(name);
    return this.#prefix + name;
  }

  /** @throws StorageError `store-unreachable` where the bucket cannot be reached with these credentials */
  async check(): Promise<void> {
    await this.#ask(() => this.#client.send(new HeadBucketCommand({ Bucket: this.#bucket })));
  }

  /** A server that knows no versions says so by an error of its own. */
  async keepsVersions(): Promise<boolean> {
    try {
      const { Status } = await this.#client.send(new GetBucketVersioningCommand({ Bucket: this.#bucket }));
      return Status === "Enabled";
    } catch (error) {
      if ((error as Error).name === "NotImplemented" || (error as Error).name === "VersioningNotConfigured")
        return false;
      throw storageErrorOf(error);
    }
  }

  async putWhole(key: string, body: Uint8Array): Promise<void> {
    const input = { ...this.#at(key), Body: body, ContentLength: body.length };
    await this.#ask(() => this.#client.send(new PutObjectCommand(input)));
  }

  async beginUpload(key: string): Promise<string> {
    const { UploadId } = await this.#ask(() =>
      this.#client.send(new CreateMultipartUploadCommand(this.#at(key))),
    );
    return required(UploadId, "no id for an upload");
  }

  async uploadPart(part: {
    readonly key: string;
    readonly uploadId: string;
    readonly number: number;
    readonly body: Uint8Array;
  }): Promise<FinishedPart> {
    const { key, uploadId, number, body } = part;
    const input = { ...this.#at(key), UploadId: uploadId, PartNumber: number };
    const { ETag } = await this.#ask(() =>
      this.#client.send(new UploadPartCommand({ ...input, Body: body, ContentLength: body.length })),
    );
    return { number, etag: required(ETag, "no ETag for a part") };
  }

  /**
   * Makes the parts one object of `size` bytes. Where the answer is lost and asking again finds no upload any more, the
   * object that is there tells whether it was made.
   */
  async completeUpload(upload: {
    readonly key: string;
    readonly uploadId: string;
    readonly parts: readonly FinishedPart[];
    readonly size: number;
  }): Promise<void> {
    const { key, uploadId, parts, size } = upload;
    const Parts = parts.map(({ number, etag }) => ({ PartNumber: number, ETag: etag }));
    const input = { ...this.#at(key), UploadId: uploadId, MultipartUpload: { Parts } };
    try {
      await this.#patient.send(new CompleteMultipartUploadCommand(input));
    } catch (error) {
      const made = (error as Error).name === "NoSuchUpload" ? await this.#found(key) : undefined;
      if (made?.size !== size || made.etag !== multipartEtag(parts.map(({ etag }) => etag)))
        throw storageErrorOf(error);
    }
  }

  /** An upload that is gone is no failure. */
  async abortUpload(key: string, uploadId: string): Promise<void> {
    try {
      await this.#client.send(new AbortMultipartUploadCommand({ ...this.#at(key), UploadId: uploadId }));
    } catch (error) {
      if ((error as Error).name !== "NoSuchUpload" && !isMissing(error)) throw storageErrorOf(error);
    }
  }

  /** The parts that an upload has, by their numbers; undefined where there is no such upload. */
  async uploadedParts(
    key: string,
    uploadId: string,
  ): Promise<readonly (FinishedPart & { readonly size: number })[] | undefined> {
    const parts: (FinishedPart & { readonly size: number })[] = [];
    let marker: string | undefined;
    do {
      const input = { ...this.#at(key), UploadId: uploadId };
      const more = marker === undefined ? {} : { PartNumberMarker: marker };
      let page: ListPartsCommandOutput;
      try {
        page = await this.#client.send(new ListPartsCommand({ ...input, ...more }));
      } catch (error) {
        if ((error as Error).name === "NoSuchUpload" || isMissing(error)) return undefined;
        throw storageErrorOf(error);
      }
      for (const { PartNumber = 0, Size = 0, ETag } of page.Parts ?? []) {
        parts.push({ number: PartNumber, size: Size, etag: required(ETag, "no ETag for a part") });
      }
      marker = page.IsTruncated === true ? page.NextPartNumberMarker : undefined;
    } while (marker !== undefined);
    return parts.sort((a, b) => a.number - b.number);
  }

  /** The server's own copy, in parts where one request cannot do it. */
  async copy({ from, key, size }: { from: string; key: string; size: number }): Promise<void> {
    const CopySource = `${this.#bucket}/${from.split("/").map(encodeURIComponent).join("/")}`;
    if (size <= copyBytesMax) {
      await this.#ask(() => this.#patient.send(new CopyObjectCommand({ ...this.#at(key), CopySource })));
      return;
    }
    const uploadId = await this.beginUpload(key);
    try {
      const parts: FinishedPart[] = [];
      for (let at = 0; at < size; at += copyBytesMax) {
        const number = parts.length + 1;
        const CopySourceRange = `bytes=${at}-${Math.min(at + copyBytesMax, size) - 1}`;
        const input = { ...this.#at(key), UploadId: uploadId, PartNumber: number };
        const { CopyPartResult } = await this.#ask(() =>
          this.#patient.send(new UploadPartCopyCommand({ ...input, CopySource, CopySourceRange })),
        );
        parts.push({ number, etag: required(CopyPartResult?.ETag, "no ETag for a copied part") });
      }
      await this.completeUpload({ key, uploadId, parts, size });
    } catch (error) {
      await this.abortUpload(key, uploadId).catch(() => {});
      throw error;
    }
  }

  /** Whether or not there was one. */
  async remove(key: string): Promise<void> {
    await this.#ask(() => this.#client.send(new DeleteObjectCommand(this.#at(key))));
  }

  /** @throws StorageError `object-missing` */
  async stat(key: string): Promise<Stored> {
    const found = await this.#found(key);
    if (found === undefined) throw new StorageError("object-missing", "no object of this name");
    return found;
  }

  async #found(key: string): Promise<Stored | undefined> {
    try {
      const { ContentLength, ETag } = await this.#client.send(new HeadObjectCommand(this.#at(key)));
      return { size: required(ContentLength, "no size of an object"), etag: ETag ?? "" };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw storageErrorOf(error);
    }
  }

  /**
   * The object from a byte on, up to one. Asked for as a range even where it is all: a range is answered with the size of
   * the whole, which is another witness than the length of the body. What the server throws comes out as it is.
   * @throws StorageError where it answers with other bytes
   */
  async fetch(
    key: string,
    { from = 0, to, etag }: { readonly from?: number; readonly to?: number; readonly etag?: string },
  ): Promise<Fetched> {
    const answer = await this.#client.send(
      new GetObjectCommand({
        ...this.#at(key),
        Range: `bytes=${from}-${to ?? ""}`,
        ...(etag !== undefined && { IfMatch: etag }),
      }),
    );
    const body = answer.Body as Fetched["body"];
    body.destroy = body.destroy.bind(body);
    const [, first, last, size] = /^bytes ([0-9]+)-([0-9]+)\/([0-9]+)$/.exec(answer.ContentRange ?? "") ?? [];
    const lastMax = Number(size) - 1;
    if (Number(first) !== from || Number(last) !== Math.min(to ?? lastMax, lastMax)) {
      body.destroy();
      throw new StorageError("store-unreachable", "the S3 server answers with another range");
    }
    return { body, etag: answer.ETag ?? "", size: Number(size) };
  }

  /** Keys below the store's prefix that continue with `start`, in the server's order, without the store's prefix. */
  async *list(start: string): AsyncGenerator<{ readonly name: string; readonly modifiedMs: number }> {
    let token: string | undefined;
    do {
      const input = { Bucket: this.#bucket, Prefix: this.#prefix + start };
      const page = await this.#ask(() =>
        this.#client.send(
          new ListObjectsV2Command({ ...input, ...(token !== undefined && { ContinuationToken: token }) }),
        ),
      );
      for (const { Key, LastModified } of page.Contents ?? [])
        if (Key?.startsWith(this.#prefix) === true) {
          yield { name: Key.slice(this.#prefix.length), modifiedMs: LastModified?.getTime() ?? 0 };
        }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  /** Multipart uploads below the store's prefix that were begun and not ended. */
  async *uploads(): AsyncGenerator<{
    readonly key: string;
    readonly uploadId: string;
    readonly begunMs: number;
  }> {
    let after: Pick<ListMultipartUploadsCommandInput, "KeyMarker" | "UploadIdMarker"> | undefined = {};
    while (after !== undefined) {
      const page: ListMultipartUploadsCommandOutput = await this.#uploadsPage(after);
      for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
        if (Key === undefined || UploadId === undefined) continue;
        yield { key: Key, uploadId: UploadId, begunMs: Initiated?.getTime() ?? 0 };
      }
      const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page;
      after =
        IsTruncated === true && NextKeyMarker !== undefined
          ? { KeyMarker: NextKeyMarker, UploadIdMarker: NextUploadIdMarker }
          : undefined;
    }
  }

  #uploadsPage(
    after: Pick<ListMultipartUploadsCommandInput, "KeyMarker" | "UploadIdMarker">,
  ): Promise<ListMultipartUploadsCommandOutput> {
    const input = { Bucket: this.#bucket, Prefix: this.#prefix, ...after };
    return this.#ask(() => this.#client.send(new ListMultipartUploadsCommand(input)));
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: key };
  }

  async #ask<T>(send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      throw storageErrorOf(error);
    }
  }
}

function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new StorageError("store-unreachable", `the S3 server gives ${what}`);
  return value;
}
