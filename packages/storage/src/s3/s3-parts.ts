/**
 * How an object is cut into parts of a multipart upload. S3 takes at most 10,000 parts of 5 MiB to 5 GiB each, and an
 * object is up to 1 TiB of unknown length: so the first parts are small, which most objects never go beyond, and later
 * ones are larger. What waits in memory is bounded whatever the size.
 */

const MiB = 2 ** 20;

export const partBytesDefault = 8 * MiB;
/** S3's own least size of a part that is not the last. */
export const partBytesMin = 5 * MiB;
/** From which part on they are larger: what most objects never come to, and beyond what a large image or film is. */
const mediumFrom = 1_001;
const mediumPartBytes = 24 * MiB;
const largeFrom = 2_001;
const largePartBytes = 128 * MiB;
/** 1,000 parts of at least 5 MiB, 1,000 of 24 MiB and 8,000 of 128 MiB hold a record of 1 TiB. */
export const partsMax = 10_000;
/** Bytes of parts that are filled or under way, together: the larger of four small parts' worth and one large part. */
export function waitingBytesMax(partBytes: number): number {
  return Math.max(4 * partBytes, largePartBytes + MiB);
}

/** Sizes of parts, each from a number on. */
export function partSizes(partBytes: number): { readonly from: number; readonly bytes: number }[] {
  return [1, mediumFrom, largeFrom].map((from) => ({ from, bytes: partSize(from, partBytes) }));
}

/** Of a bucket that is opened with nothing said of its parts: known without loading the SDK. */
export const directPartSizes = partSizes(partBytesDefault);

/** Size of part `number`, from 1, of an object whose length is not known. */
export function partSize(number: number, partBytes: number): number {
  if (number < mediumFrom) return partBytes;
  return Math.max(partBytes, number < largeFrom ? mediumPartBytes : largePartBytes);
}
