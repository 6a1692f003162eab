/** The public entry of @chartseal/ledger/embedded. */

export { type HomeLock, takeHomeLock, tryHomeLock } from "../store/lock.ts";
export { type BlockColumn, openSalvage, type Salvage, type SalvagedBlock } from "../store/salvage.ts";
export type { CommitStage } from "../store/store.ts";
export { EmbeddedLedger } from "./engine.ts";
export { type Migrated, type MigrateOptions, type MigrateStage, migrateEmbedded } from "./migrate.ts";
export {
  type EmbeddedOptions,
  type EmbeddedWriterOptions,
  openEmbedded,
  openEmbeddedReader,
  verifyEmbedded,
} from "./open.ts";
