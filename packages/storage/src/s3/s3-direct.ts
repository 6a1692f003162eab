/**
 * Pre-signed URLs of a bucket (AWS Signature Version 4 in the query). What a part's URL takes is signed with it: its
 * number, its upload and the exact length of its body.
 */
import { GetObjectCommand, type S3Client, UploadPartCommand } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import type { DirectAccess, DirectPart } from "../object-store.ts";
import { StorageError } from "../storage-error.ts";
import { type BucketOptions, S3Bucket } from "./s3-bucket.ts";
import { partSize, partSizes, partsMax } from "./s3-parts.ts";

/** S3's own longest life of a pre-signed URL, in seconds. */
const expiresSecondsMax = 7 * 86_400;

const seconds = (expiresMs: number): number =>
  Math.min(expiresSecondsMax, Math.max(1, Math.floor(expiresMs / 1000)));

export function directAccess(
  options: BucketOptions & { readonly client: S3Client },
  smallPartBytes: number,
): DirectAccess {
  const { client, bucket: bucketName } = options;
  const bucket = new S3Bucket(options);
  const partBytes = (number: number): number | undefined =>
    number > partsMax ? undefined : partSize(number, smallPartBytes);
  return {
    async getUrl(name, { expiresMs }) {
      const command = new GetObjectCommand({ Bucket: bucketName, Key: bucket.keyOf(name) });
      return await getSignedUrl(client, command, { expiresIn: seconds(expiresMs) });
    },
    partSizes: partSizes(smallPartBytes),
    partsMax,
    openUpload: async (name) => await bucket.beginUpload(bucket.keyOf(name)),
    async partUrl(name, { uploadId, number, size, expiresMs }) {
      if (size > (partBytes(number) ?? -1)) {
        throw new StorageError("too-large", `part ${number} of an upload is not as large`);
      }
      const input = { Bucket: bucketName, Key: bucket.keyOf(name), UploadId: uploadId, PartNumber: number };
      const command = new UploadPartCommand({ ...input, ContentLength: size });
      const signed = new Set(["content-length", "host"]);
      return await getSignedUrl(client, command, { expiresIn: seconds(expiresMs), signableHeaders: signed });
    },
    async completeUpload(name, { uploadId, size }) {
      const key = bucket.keyOf(name);
      const parts = await bucket.uploadedParts(key, uploadId);
      if (parts === undefined) {
        // The answer was lost, and with it the upload is over: the object tells.
        const { size: made } = await bucket.stat(key);
        if (made !== size) throw new StorageError("range-invalid", "the object there has another size");
        return { size };
      }
      demandParts(parts, { size, partBytes });
      await bucket.completeUpload({ key, uploadId, parts, size });
      return { size };
    },
    abortUpload: (name, uploadId) => bucket.abortUpload(bucket.keyOf(name), uploadId),
  };
}

/** Parts 1 to n, each but the last of its full size. */
function demandParts(
  parts: readonly DirectPart[],
  { size, partBytes }: { readonly size: number; readonly partBytes: (number: number) => number | undefined },
): void {
  let bytes = 0;
  for (const [at, { number, size: partSize }] of parts.entries()) {
    const isFull = at === parts.length - 1 || partSize === partBytes(number);
    if (number !== at + 1 || !isFull) {
      throw new StorageError("range-invalid", `part ${at + 1} of the upload is not there as it should be`);
    }
    bytes += partSize;
  }
  if (bytes === size && parts.length > 0) return;
  throw new StorageError("range-invalid", `the upload has ${bytes} of ${size} bytes`);
}
