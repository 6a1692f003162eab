/** The public face of the storage package. */
export {
  clearUnfinished,
  type FilesystemOptions,
  type FilesystemStore,
  openFilesystemStore,
} from "./filesystem.ts";
export {
  type ByteRange,
  type DirectAccess,
  type DirectPart,
  type GetOptions,
  isName,
  nameSegmentsMax,
  type ObjectStat,
  type ObjectStore,
  type PutHandle,
  type PutOptions,
  putThrough,
  segmentLengthMax,
} from "./object-store.ts";
export {
  allows,
  isPlacement,
  isPlaceName,
  isRegion,
  type Place,
  type PlaceAttestation,
  type Placement,
  regionsMax,
  shardsMax,
} from "./place.ts";
export { directPartSizes, partsMax as directPartsMax } from "./s3/s3-parts.ts";
export {
  copiesOf,
  type ObjectCopies,
  type Scrubbed,
  type ScrubOptions,
  type ShardCopy,
  scrub,
} from "./split/inspect.ts";
export { withPatience } from "./split/place-health.ts";
export { type EarlierStore, PlacedStore, type Whereabouts } from "./split/placed-store.ts";
export { outcomeOf, type PlannedRepair, type RepairDone } from "./split/planned-repair.ts";
export { type Code, ReedSolomon } from "./split/reed-solomon.ts";
export { type RepairedObject, type RepairOptions, repairAll, repairObject } from "./split/repair.ts";
export type { SplitKeys } from "./split/shard-seal.ts";
export { defaultPlacement, type SplitOptions, SplitStore } from "./split/split-store.ts";
export type { Observed } from "./split/stripe-reader.ts";
export { type Rebuilt, rebuildIndex, type Stray, type Swept, straysAt, sweep } from "./split/sweep.ts";
export { StorageError, type StorageErrorCode, storageErrorCodes } from "./storage-error.ts";
export { type WholePlace, WholeStore } from "./whole/whole-store.ts";
export { openWholeFile, temporaryBeside, type WholeFile } from "./whole-file.ts";
