/** The public face of the storage package. */
export { type FilesystemOptions, type FilesystemStore, openFilesystemStore } from "./filesystem.ts";
export {
  type ByteRange,
  type GetOptions,
  isName,
  nameSegmentsMax,
  type ObjectStat,
  type ObjectStore,
  type PutHandle,
  type PutOptions,
  segmentLengthMax,
} from "./object-store.ts";
export {
  allows,
  isPlacement,
  isPlaceName,
  isRegion,
  type Place,
  type Placement,
  regionsMax,
  shardsMax,
} from "./place.ts";
export { StorageError, type StorageErrorCode, storageErrorCodes } from "./storage-error.ts";
export { openWholeFile, type WholeFile } from "./whole-file.ts";
