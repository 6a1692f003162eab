/** The public entry of @chartseal/ledger/embedded. */

export type { CommitStage } from "../store/store.ts";
export { verifyEmbedded } from "./check.ts";
export { EmbeddedLedger } from "./engine.ts";
export { type HomeLock, takeHomeLock, tryHomeLock } from "./lock.ts";
export { type Migrated, type MigrateOptions, type MigrateStage, migrateEmbedded } from "./migrate.ts";
export {
  type EmbeddedOptions,
  type EmbeddedWriterOptions,
  openEmbedded,
  openEmbeddedReader,
} from "./open.ts";
export { type BlockColumn, openSalvage, type Salvage, type SalvagedBlock } from "./salvage.ts";
