/** The public entry of @chartseal/sharing: the journeys, the parties, and what a provider is made of. */

export { type AccessLog, accessLog, type LogEntry } from "./access-log.ts";
export { hadKey, isPresentKey, replacedAt } from "./account-keys.ts";
export {
  type Auditable,
  type AuditChallenge,
  auditedBytes,
  auditedPayload,
  challengedChunks,
  demandChallenge,
} from "./audit/challenge.ts";
export {
  type AuditJournal,
  type GoodAudit,
  type JournalRecord,
  type JournalRun,
  lastGoodOf,
} from "./audit/journal.ts";
export { type AuditPlace, auditLine, auditRecord, type RecordAudit } from "./audit/record.ts";
export {
  type Auditor,
  type AuditRun,
  type AuditRunOptions,
  auditAndMend,
  auditorActions,
  challengesDefault,
  countAudited,
  journalRun,
  type Mending,
  runAudit,
} from "./audit/run.ts";
export {
  admitNode,
  type CommitteeChangeOptions,
  changeEnded,
  openCommitteeChange,
} from "./authority/change.ts";
export { type CommitteeView, viewCommittee } from "./authority/committee-view.ts";
export {
  type NamedNode,
  type NodeAccount,
  NodeDriver,
  type NodeStatus,
  readNamedNodes,
} from "./authority/driver.ts";
export { MemoryNodeStore, NodeSecrets, type NodeStore } from "./authority/node-store.ts";
export { type Certificate, certificateOf, certificateText } from "./certificate.ts";
export { certificatePage } from "./certificate-page.ts";
export {
  type Committee,
  keySpaces,
  masterKeyHash,
  type PresentNodes,
  readCommittee,
  readNodes,
} from "./committee.ts";
export {
  accountWriter,
  type ConsortiumInfo,
  encodeProposed,
  Operator,
  type OperatorWriter,
  operatorActions,
  operatorWriter,
  type ProposalInfo,
  readConsortium,
  submitOperation,
  type ValidatorInfo,
} from "./consortium.ts";
export { checkRule, type Deposited, type DepositOptions, deposit } from "./deposit.ts";
export type { Dispute } from "./dispute/box.ts";
export {
  disputeTransform,
  type FailedAnswer,
  failedAnswer,
  giveEvidence,
  readDispute,
  readDisputes,
} from "./dispute/evidence.ts";
export { type JudgingNode, judgeNext, toJudge } from "./dispute/judging.ts";
export {
  decodeKept,
  demandDisputable,
  disputeOf,
  doesOpen,
  encodeKept,
  type KeptAnswer,
  keptBytesMax,
} from "./dispute/kept.ts";
export { OpenDisputes } from "./dispute/open-disputes.ts";
export { demandStatement } from "./dispute/statement.ts";
export {
  confirmEmergency,
  type Declaration,
  declareEmergency,
  type Emergency,
  type EmergencyStatus,
  emergencyAttributesOf,
  endEmergency,
  listEmergencies,
  readDeclaration,
  readEmergency,
  recordsToRekey,
  rekeyAfterEmergencies,
  reviewEmergency,
} from "./emergency.ts";
export { type Erased, erase } from "./erase.ts";
export { type BlockRow, type ChainRows, explainChain } from "./forensics/chain.ts";
export {
  type CaseEvidence,
  type Explained,
  explain,
  type Holder,
  type LastGood,
  whereOf,
} from "./forensics/explain.ts";
export { type Finding, type FindingKind, findingKinds, remedies } from "./forensics/finding.ts";
export { History, type RecordEvent } from "./forensics/history.ts";
export { reportPage } from "./forensics/page.ts";
export { RecordsOfBlocks, recordsOfState, type StoredRecord, storedRecord } from "./forensics/records.ts";
export { type Repaired, repairErased, repairStored } from "./forensics/repair.ts";
export { type RepairShardsInput, repairShards } from "./forensics/repair-shards.ts";
export { type ChainSegment, type ForensicsReport, makeReport, type RecordStrip } from "./forensics/report.ts";
export {
  type DividedObject,
  type ShardSeen,
  type ShardsInput,
  type ShardsReport,
  verifyShards,
} from "./forensics/shards.ts";
export {
  type RecordState,
  type StoredInput,
  type StoredObjects,
  type StoredReport,
  verifyStored,
} from "./forensics/stored.ts";
export {
  type AcceptedLoss,
  checkHeads,
  checkTombstones,
  type HeldChain,
  type SeenHead,
  transactionOf as transactionOfTombstone,
} from "./forensics/witnesses.ts";
export {
  decodeFullKey,
  encodeFullKey,
  type FullKey,
  type FullKeyOptions,
  type IssuedFullKey,
  issueFullKey,
} from "./full-key.ts";
export { type IdentitySeeds, identityOf, newIdentitySeeds, replacingSeeds } from "./identity.ts";
export { askNodes, CommitteeNode, openBaseKey, requestKey } from "./issue.ts";
export { type KeyOfAccount, listKeys, type VouchBehind } from "./issued-keys.ts";
export {
  demandErasable,
  type HoldOptions,
  type Keeping,
  liftHold,
  placeHold,
  readKeeping,
  setEraseAfter,
  setKeepUntil,
} from "./keeping.ts";
export { generateCommitteeKeys, type NodeIdentity, type NodeShares } from "./key-generation.ts";
export { collectBaseKey, enrol, isKeyBehind, refreshSigningKeys, renewTransformKey } from "./member.ts";
export {
  attributesInForce,
  type Hands,
  HospitalNamespace,
  listNamespaces,
  namespaceExists,
  registerNamespace,
} from "./namespace.ts";
export { proposeNamespace, type Registration, registerProposed } from "./namespace-vote.ts";
export type {
  AuthorityNode,
  DirectIntake,
  DirectUpload,
  ErasedCopySignature,
  Hospital,
  Identity,
  MemberKeys,
  NamespaceService,
  Provider,
  Reveal,
  SealedAnswer,
  StorageReceiptSignature,
  Surroundings,
  TakeOptions,
  Transformed,
} from "./parties.ts";
export { namespacesBehind, quarterLabel } from "./periods.ts";
export type { Trust } from "./portable/committed-blocks.ts";
export { type Evidence, type EvidenceFault, evidenceFaults } from "./portable/evidence.ts";
export { evidenceJson, parseEvidence } from "./portable/evidence-json.ts";
export { type Exported, exportRecord } from "./portable/export.ts";
export { type PortableFile, portableMagic, readPortable, writePortable } from "./portable/format.ts";
export {
  type CheckedIssuance,
  checkIssuance,
  type HeldHead,
  type IssuanceProof,
  issuanceProofJson,
  parseIssuanceProof,
  proveIssuance,
} from "./portable/issuance-proof.ts";
export { type OpenedFile, openPortable } from "./portable/open.ts";
export {
  checkReceipt,
  collectReceipt,
  decodeReceipt,
  encodeReceipt,
  type ProvedRecord,
  type Receipt,
} from "./portable/receipt.ts";
export {
  parseCommitted,
  parseRecordProof,
  proveRecord,
  type RecordProof,
  recordProofFaults,
  recordProofJson,
} from "./portable/record-proof.ts";
export type { Aside, AsideCopy, AsideKind } from "./provider/aside.ts";
export {
  type Audited,
  answerAudit,
  checkShards,
  checkStoredHeader,
} from "./provider/audit.ts";
export { orphanGraceMsMin } from "./provider/collect.ts";
export { destroyRecord, type Holdings, removeObjects } from "./provider/follow.ts";
export { expectHeight } from "./provider/followed.ts";
export { type CheckedHeader, checkHeader } from "./provider/header-check.ts";
export { splitKeysOf } from "./provider/placement-keys.ts";
export { noPlaces } from "./provider/placing.ts";
export { StorageProvider } from "./provider/provider.ts";
export { type RepairEntry, repairEntryOf } from "./provider/repair-entry.ts";
export type { RepairNote, RepairNotes } from "./provider/repair-notes.ts";
export type { RepairedRecord, RepairRecordOptions } from "./provider/repairing.ts";
export type { ProviderSelf } from "./provider/self.ts";
export {
  type AnsweredStore,
  type CustodyKey,
  headerName,
  type Journal,
  type JournalEntry,
  type ProviderStores,
  parsePendingName,
  type Tombstone,
  type Tombstones,
  type TransformKeyStore,
} from "./provider/stores.ts";
export { rebuildLeaves, spanTreeName } from "./provider/take.ts";
export { type Quotas, UsageBook, type Use } from "./provider/usage.ts";
export {
  type Appointment,
  appointmentFor,
  appointProxy,
  endProxy,
  listAppointments,
  listProxies,
  type ProxyStatus,
  readProxy,
  revokeRuleAsProxy,
  setRuleAsProxy,
} from "./proxy.ts";
export { checkPurpose, checkPurposes, purposeCodes } from "./purposes.ts";
export { fromMetadata, type RecordMetadata, type Validation } from "./record.ts";
export {
  approveRecovery,
  checkWays,
  countWays,
  finishRecovery,
  listRecoveries,
  objectRecovery,
  openRecoveriesOf,
  paperSigner,
  type Recovery,
  type RecoveryWays,
  readWays,
  recoveriesTo,
  replaceKey,
  type Signing,
  setWays,
  startRecovery,
} from "./recovery.ts";
export { type Rekeyed, rekey } from "./rekey.ts";
export { type Granted, proofOf, request } from "./request.ts";
export {
  checkRegions,
  type OutsideRecord,
  readPlacement,
  readResidency,
  recordsOutside,
  regionsFor,
  setResidency,
} from "./residency.ts";
export {
  type Author,
  askTransform,
  authorOf,
  type KeepUnopened,
  type Opened,
  open,
  retrieve,
} from "./retrieve.ts";
export {
  listRules,
  type RuleOptions,
  revokeRule,
  setRule,
  widerRecords,
  writersOf,
} from "./rule.ts";
export { readSettings, setSettings } from "./settings.ts";
export { checkSigner, currentPeriod, provesPolicy } from "./signing.ts";
export {
  type GrantName,
  obtainSpecialKey,
  retrieveSpecially,
  type SpecialKey,
  type SpecialSecret,
  specialKeyOf,
} from "./special-key.ts";
export { type Held, type Moved, StakeHolder, validatorsOf, type Weight } from "./stake.ts";
export {
  isVouched,
  type Reader,
  readAccount,
  readEntry,
  readList,
  readRequest,
  readRule,
  requireRecord,
} from "./state.ts";
export { storageFailure } from "./streams.ts";
export {
  AccountWriter,
  type Admitter,
  admissionsOf,
  currentBody,
  refusalForUsers,
  type SubmitExtras,
} from "./submit.ts";
export {
  type ClaimsSource,
  completeLink,
  endLink,
  type LinkReport,
  type Login,
  type Reading,
  syncLink,
  type Vouching,
} from "./vouching/follow-identity.ts";
export {
  type Act,
  type EndReason,
  type Ground,
  grantedByHand,
  type Link,
  type LinkPlace,
  type LinkStore,
  type LinkWish,
  nonceOf,
  revokedByHand,
  signLinkWish,
  verifyLinkWish,
} from "./vouching/link.ts";
export {
  applyMapping,
  type Claims,
  type Mapping,
  type MappingRule,
  type Match,
  mappingJson,
  matchText,
  parseMapping,
} from "./vouching/mapping.ts";
export { type Why, whyOf } from "./vouching/why.ts";
