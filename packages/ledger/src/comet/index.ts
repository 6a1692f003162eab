/** The public entry of @chartseal/ledger/comet. */
export { type AbciHandler, type AbciServer, serveAbci } from "./abci-server.ts";
export type { DutyReport } from "./duties.ts";
export { CometLedger } from "./ledger.ts";
export {
  type CometGenesis,
  cometGenesisJson,
  type NodeSettings,
  nodeIdOf,
  type StateSyncSettings,
  writeNodeFiles,
  writeSettings,
} from "./node-files.ts";
export { type CometNode, startNode } from "./node-process.ts";
export { type CometOptions, type OpenedComet, openComet } from "./open.ts";
export {
  type CometReaderOptions,
  lookAtComet,
  openCometReader,
  openCometSalvage,
  verifyComet,
} from "./reader.ts";
export { broadcastMax, CometRpc, type RpcAnswer } from "./rpc.ts";
export type { SnapshotOptions } from "./snapshots.ts";
export { type Trust, type TrustOptions, trustFromGenesis } from "./trust.ts";
