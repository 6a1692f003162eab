/** What an S3 server answers, as the failures of a store. Messages name what was asked and never a credential. */
import { StorageError } from "../storage-error.ts";

interface ServiceFailure {
  readonly name?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

function statusOf(error: unknown): number | undefined {
  return (error as ServiceFailure | undefined)?.$metadata?.httpStatusCode;
}

function nameOf(error: unknown): string {
  const { name } = (error ?? {}) as ServiceFailure;
  return typeof name === "string" ? name : "";
}

/** True where the server says that there is no such object. A bucket that is missing is another matter. */
export function isMissing(error: unknown): boolean {
  const name = nameOf(error);
  return name === "NoSuchKey" || name === "NotFound" || (statusOf(error) === 404 && name !== "NoSuchBucket");
}

/** True where the object is no longer the one that was asked for by its ETag. */
export function isChanged(error: unknown): boolean {
  return statusOf(error) === 412 || nameOf(error) === "PreconditionFailed";
}

export function isRangeRefused(error: unknown): boolean {
  return statusOf(error) === 416 || nameOf(error) === "InvalidRange";
}

/** True where asking once more may help: no answer, a broken one, or the server's own trouble. */
export function isPassing(error: unknown): boolean {
  const status = statusOf(error);
  return status === undefined || status >= 500 || status === 408 || status === 429;
}

/** Any failure as a StorageError. */
export function storageErrorOf(error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  const name = nameOf(error);
  const status = statusOf(error);
  if (name === "KeyTooLongError" || name === "InvalidObjectName") {
    return new StorageError("name-invalid", "the server takes no object of this name", { cause: error });
  }
  if (/^(ExistingObjectIsDirectory|ObjectParentIsFile|DirectoryNotEmpty)/.test(name)) {
    return new StorageError("name-invalid", "the name stands in the way of another object's name", {
      cause: error,
    });
  }
  const named = name === "Error" ? "" : name;
  const message =
    status === undefined
      ? `gives no answer${named && ` (${named})`}`
      : `answers ${named && `${named}, `}HTTP ${status}`;
  return new StorageError("store-unreachable", `the S3 server ${message}`, { cause: error });
}
