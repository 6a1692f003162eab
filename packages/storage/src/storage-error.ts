/** The failures of a store, as a closed union of codes. This package imports nothing of ours; callers map them. */

/** Code → one sentence of meaning. */
export const storageErrorCodes = {
  "object-missing": "No object has this name.",
  "name-invalid": "The text cannot name an object, or stands in the way of another name.",
  "range-invalid": "The range does not lie within the object.",
  "too-large": "The object is larger than the caller allows.",
  "object-damaged": "Too few shards of the object are there and right.",
  "placement-impossible": "There are not enough places in the regions allowed.",
  "store-unreachable": "The store cannot be reached, read or written.",
} as const;

export type StorageErrorCode = keyof typeof storageErrorCodes;

export class StorageError extends Error {
  readonly code: StorageErrorCode;

  constructor(code: StorageErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = "StorageError";
    this.code = code;
  }
}
