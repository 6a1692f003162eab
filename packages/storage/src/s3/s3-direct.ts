/** Pre-signed URLs of a bucket (AWS Signature Version 4 in the query). */
import { GetObjectCommand, type S3Client, UploadPartCommand } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import type { DirectAccess } from "../object-store.ts";
import { StorageError } from "../storage-error.ts";
import { type BucketOptions, S3Bucket } from "./s3-bucket.ts";
import { evenPartSize, partsMax } from "./s3-parts.ts";

/** S3's own longest life of a pre-signed URL, in seconds. */
const expiresSecondsMax = 7 * 86_400;
/** S3's own largest part. */
const partBytesMax = 5 * 2 ** 30;

const seconds = (expiresMs: number): number =>
  Math.min(expiresSecondsMax, Math.max(1, Math.floor(expiresMs / 1000)));

export function directAccess(
  options: BucketOptions & { readonly client: S3Client },
  partBytes: number,
): DirectAccess {
  const { client, bucket: bucketName } = options;
  const bucket = new S3Bucket(options);
  return {
    async getUrl(name, { expiresMs }) {
      const command = new GetObjectCommand({ Bucket: bucketName, Key: bucket.keyOf(name) });
      return await getSignedUrl(client, command, { expiresIn: seconds(expiresMs) });
    },
    async beginUpload(name, { size, expiresMs }) {
      const key = bucket.keyOf(name);
      const partSize = evenPartSize(size, partBytes);
      if (partSize > partBytesMax) throw new StorageError("too-large", "the object is larger than S3 takes");
      const uploadId = await bucket.beginUpload(key);
      const count = Math.max(1, Math.ceil(size / partSize));
      if (count > partsMax) throw new StorageError("too-large", "the object has more parts than S3 takes");
      const parts = [];
      for (let number = 1; number <= count; number++) {
        const from = (number - 1) * partSize;
        const input = { Bucket: bucketName, Key: key, UploadId: uploadId, PartNumber: number };
        const url = await getSignedUrl(client, new UploadPartCommand(input), {
          expiresIn: seconds(expiresMs),
        });
        parts.push({ number, from, size: Math.min(partSize, size - from), url });
      }
      return { uploadId, parts };
    },
    async completeUpload(name, { uploadId, size, etags }) {
      const key = bucket.keyOf(name);
      const parts = etags.map((etag, at) => ({ number: at + 1, etag }));
      const uploaded = await bucket.uploadedBytes(key, uploadId);
      if (uploaded !== size) {
        throw new StorageError("store-unreachable", `the upload has ${uploaded} of ${size} bytes`);
      }
      await bucket.completeUpload({ key, uploadId, parts, size });
      return { size };
    },
    abortUpload: (name, uploadId) => bucket.abortUpload(bucket.keyOf(name), uploadId),
  };
}
