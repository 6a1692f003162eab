/** The public entry of @chartseal/ledger: the machine and what every engine gives. */
export {
  type Block,
  type BlockFault,
  type BlockHeader,
  blockFaults,
  type Commit,
  type CommitSignature,
  checkBlock,
  decodeHeader,
  encodeHeader,
  type Head,
  hashHeader,
  headOf,
  signBlock,
  verifyCommit,
} from "./block.ts";
export {
  ChainCheck,
  type ChainFinding,
  type ChainReport,
  type ExportLine,
  exportLine,
  parseExportLine,
  verifyChain,
} from "./chain-check.ts";
export type { FoundTransaction, Ledger, ProvedState, StateEntry, Submitted } from "./ledger.ts";
export {
  type AppliedTransaction,
  BlockBuilder,
  type BlockInput,
  type BlockPosition,
  type ExecutedBlock,
  executeBlock,
  genesisHead,
  type Rules,
  selectTransactions,
  stateAt,
} from "./machine.ts";
export { proveTransaction, transactionRoot, verifyTransactionProof } from "./merkle.ts";
export { blockKind, Overlay, type StateAccess, type StateKind, type StateReader } from "./state.ts";
export { verifyStateProof } from "./state-proof.ts";
export { emptyRoot, MemoryNodes, type NodeSource } from "./state-tree.ts";
