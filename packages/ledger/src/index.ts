/** The public entry of @chartseal/ledger: the machine and what every engine gives. */

export { type NewKey, signNewKey, verifyNewKey } from "./account-keys.ts";
export {
  type Action,
  type ActionKind,
  type ActionOf,
  type AlertKind,
  actionKinds,
  actionTable,
  alertKinds,
  attributesMax,
  type FieldsOf,
  guardiansMax,
  type ProofKind,
  type ProxyRight,
  policyLengthMax,
  proofKinds,
  proxyRights,
  type ReviewOutcome,
  reviewOutcomes,
  type Session,
  type Settings,
  type SpecialMode,
  type Statement,
  transactionBytesMax,
} from "./actions.ts";
export { type Applied, apply } from "./apply.ts";
export { attributeClaim, verifyAttributeBatch } from "./attribute-batch.ts";
export { auditChallengesMax, auditLifetimeMs, auditNonceHash, auditRecordsMax } from "./audit-values.ts";
export {
  accountOf,
  type ErasedCopy,
  idOf,
  type StorageReceipt,
  signAdmission,
  signAsAccount,
  signErasedCopy,
  signOneTime,
  signRelay,
  signStorageReceipt,
  verifyAdmission,
  verifyAsAccount,
  verifyErasedCopy,
  verifyOneTime,
  verifyRelay,
  verifyStorageReceipt,
} from "./authorisation.ts";
export {
  type Block,
  type BlockFault,
  type BlockHeader,
  blockFaults,
  checkBlock,
  decodeHeader,
  encodeHeader,
  type Head,
  hashHeader,
  headOf,
  isEquivocation,
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
export { type Codec, fromBytes, toBytes } from "./codec.ts";
export {
  type CometCommit,
  type Commit,
  CommitChain,
  type CommitJson,
  type CommitSignature,
  cometValidators,
  commitJson,
  commitOfValue,
  commitsAlone,
  commitValue,
  decodeCommit,
  type EmbeddedCommit,
  encodeCommit,
  isCometCommit,
  parseCommit,
  type StakedValidator,
  signersOfBoth,
  validatorSetHash,
} from "./commit.ts";
export {
  type DisputeValue,
  disputeAnswerMs,
  disputedKey,
  type Verdict,
  verdicts,
} from "./dispute-values.ts";
export {
  chainIdOf,
  decodeGenesis,
  defaultParameters,
  encodeGenesis,
  type Genesis,
  initialise,
  suite,
} from "./genesis.ts";
export type { FoundTransaction, Ledger, ProvedState, Submitted } from "./ledger.ts";
export { ledgerRules } from "./ledger-rules.ts";
export { equivocationsBetween, equivocationsOfRpc } from "./light/evidence.ts";
export {
  cometAddress,
  cometHeaderHash,
  type Vote,
  type VoteType,
  validatorsHash,
  voteBytes,
  voteTypes,
} from "./light/hashes.ts";
export { cometHeaderOfRpc, lightBlockJson, lightBlockOfRpc, parseLightBlock } from "./light/json.ts";
export { formatTime, parseTime, timeMs } from "./light/time.ts";
export {
  type BlockId,
  type CometHeader,
  type CometTime,
  type CometValidator,
  type CommitVote,
  cometChainId,
  type LightBlock,
  type SignedHeader,
  voteFlags,
} from "./light/types.ts";
export {
  followLight,
  isTrusted,
  type LightFault,
  type LightVerdict,
  lightBlockFault,
  lightStepFault,
  type TrustedHeader,
  type TrustRules,
} from "./light/verify.ts";
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
export { Refusal, type RefusalName, refusalTable } from "./refusals.ts";
export type { AttributeClaim } from "./rules/attribute-proof.ts";
export { keygenKey, newRun } from "./rules/keygen.ts";
export {
  type CommitteeNodes,
  committeeOf,
  openChange,
  presentAsPast,
  presentCommittee,
  type SessionRun,
  sessionRun,
} from "./rules/present-committee.ts";
export { decodeProposed, tally, votableKinds } from "./rules/proposals.ts";
export { isEmergencyPurpose } from "./rules/purposes.ts";
export { digestOf, logStart, nextLogHash, type Outcome, outcomes } from "./rules/records.ts";
export { isOpen, recoveryLapseMs, waysOf, waysRequired } from "./rules/recovery.ts";
export { liesWithin, residencyOf } from "./rules/residency.ts";
export { defaultSettings, settingsOf } from "./rules/set-settings.ts";
export type { BlockContext } from "./rules/setting.ts";
export {
  demandGrant,
  demandReading,
  demandSpecialKey,
  type GrantPlace,
  type SpecialGrant,
} from "./rules/special-grants.ts";
export { freeWeight } from "./rules/stake.ts";
export { defaultStakeParameters, stakeParametersOf } from "./rules/stake-parameters.ts";
export { judgeRequest } from "./rules/standing-rule.ts";
export { ballotKey, bondedTo, validatorKeys, validatorOf, validatorsInForce } from "./rules/validators.ts";
export type { ProposalValue, StakeParameters, ValidatorValue } from "./stake-values.ts";
export { blockKind, Overlay, type StateAccess, type StateKind, type StateReader } from "./state.ts";
export {
  type AccountValue,
  type AuditValue,
  type CommitteeChangeValue,
  type CommitteePastValue,
  type ConsortiumValue,
  committeePastKey,
  type EmergencyValue,
  type Entry,
  type EntryValue,
  emptyKey,
  entries,
  fullVouchKey,
  type HoldsValue,
  type KeygenValue,
  type KeyRequestValue,
  type List,
  type LogValue,
  listItemKey,
  listKey,
  lists,
  logKey,
  type NamespaceValue,
  type NodeFault,
  type NodeFaultValue,
  nodeFaultKey,
  type Parameters,
  type PlacementValue,
  type ProxyValue,
  periodLabel,
  type RecordValue,
  type RecoveryValue,
  type RecoveryWaysValue,
  type RequestValue,
  type RetentionValue,
  type RuleValue,
  roles,
  ruleKey,
  type SessionName,
  type SpecialKeyValue,
  vouchKey,
} from "./state-kinds.ts";
export { proveState, verifyStateProof } from "./state-proof.ts";
export { emptyRoot, MemoryNodes, type NodeSource } from "./state-tree.ts";
export {
  type Admission,
  type Authorisation,
  type Body,
  decodeBody,
  decodeTransaction,
  encodeBody,
  encodeTransaction,
  identifierOf,
  type NamedHead,
  type Transaction,
} from "./transaction.ts";
export {
  type AnsweredTransform,
  signStatement,
  type TransformStatement,
  verifyStatement,
} from "./transform-statement.ts";
