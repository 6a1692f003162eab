/** The public entry of @chartseal/crypto: what is not named here is nobody's business outside this package. */

export { platform } from "#platform";
export {
  attributeKeys,
  checkAttributeKeys,
  checkSignerBase,
  committeeBase,
  type Signed,
  type SigningKeys,
  type Statement,
  sign,
  signerBasePoint,
  verify,
  verifyBatch,
} from "./abs/abs.ts";
export {
  columnsDefault,
  type NamespaceIdentity,
  type NamespaceKeys,
  type NamespaceLists,
  type NamespaceProof,
  type NamespaceSecret,
  namespaceKeys,
  namespaceLists,
  verifyNamespaceKeys,
} from "./abs/namespace-keys.ts";
export type { SigningPolicy } from "./abs/row-bases.ts";
export { columnsMax, type Signature } from "./abs/scheme.ts";
export {
  decodeNamespaceLists,
  decodeNamespaceProof,
  decodeNamespaceSecret,
  decodeSignature,
  decodeSigningKeys,
  encodeNamespaceLists,
  encodeNamespaceProof,
  encodeNamespaceSecret,
  encodeSignature,
  encodeSigningKeys,
  signatureBytesMax,
} from "./abs/wire.ts";
export {
  compareBytes,
  concat,
  equalBytes,
  fromBigInt,
  fromHex,
  fromUtf8,
  toBigInt,
  toHex,
  u32,
  u64,
  utf8,
} from "./bytes.ts";
export {
  type BlindProof,
  decodeBlindProof,
  encodeBlindProof,
  type IssueMode,
  proveBlind,
  type TransformKeyPair,
  transformKeyPair,
  verifyBlind,
} from "./cpabe/blind.ts";
export {
  type Binding,
  decapsulate,
  type Encapsulation,
  encapsulate,
  type Recovered,
  recomputeEncapsulation,
  recoverFromTransform,
  recoverMessage,
  verifyEncapsulation,
} from "./cpabe/cpabe.ts";
export type { EncapsProof } from "./cpabe/fo.ts";
export {
  type AttributeKey,
  type Ciphertext,
  keygen as keygenDirect,
  setup as setupDirect,
} from "./cpabe/scheme.ts";
export {
  decodeAttributeKey,
  decodeEncapsulation,
  encodeAttributeKey,
  encodeEncapsulation,
} from "./cpabe/wire.ts";
export {
  type Ed25519KeyPair,
  ed25519KeyPair,
  ed25519KeyPairFromSeed,
  signTagged,
  verifyTagged,
  verifyUntagged,
} from "./ed25519.ts";
export { type CborValue, decode, encode } from "./encoding.ts";
export {
  assert,
  ChartsealError,
  type ErrorCode,
  type ErrorData,
  type ErrorFamily,
  errorCodes,
  hasCode,
  isFamily,
} from "./errors.ts";
export {
  type AuditedPayload,
  type AuditedRecord,
  type AuditOutcome,
  type AuditSeed,
  auditAnswerBytes,
  auditedChunkBytes,
  auditedChunks,
  auditOutcomes,
  auditRoot,
  proofLength,
  verifyAuditedChunk,
} from "./file/audit.ts";
export {
  decodeHeader,
  encodeContext,
  encodeHeader,
  type HeaderSecrets,
  headerBytesMax,
  openHeader,
  type RecordContext,
  type RecordHeader,
  type RecoveredMessage,
  recordDigest,
  sealHeader,
} from "./file/header.ts";
export { type LeafSource, listLeavesMax } from "./file/leaves.ts";
export {
  type ConsistencyClaim,
  doubleSha256Tree,
  type InclusionClaim,
  type MerkleBuilder,
  type MerkleLevels,
  MerkleTree,
  sha256Tree,
} from "./file/merkle.ts";
export {
  decodeMetadata,
  encodeMetadata,
  type Metadata,
  metadataBytesMax,
  metadataCommitment,
} from "./file/metadata.ts";
export { type OpenOptions, openPayload } from "./file/open.ts";
export {
  chunkBytesDefault,
  chunkCount,
  type Descriptor,
  decodeDescriptor,
  encodeDescriptor,
  payloadBytesMax,
  type Suite,
  sealedBytes,
} from "./file/payload.ts";
export { type ByteSource, type PortionReader, portionReader } from "./file/regroup.ts";
export {
  hashPayload,
  type LeafSink,
  type PayloadSummary,
  type SealedPayload,
  type SealedSummary,
  sealPayload,
} from "./file/seal.ts";
export {
  decodeSpan,
  decodeSpanTree,
  encodeSpan,
  encodeSpanTree,
  type Span,
  type SpanTree,
  SpanTreeBuilder,
  spanLeaves,
  spanProof,
  spanTreeDigest,
  verifySpan,
} from "./file/span-tree.ts";
export {
  doubleSha256,
  type FixedPart,
  fixed,
  type HashPart,
  hash,
  hashToScalar,
  sha256,
  tagged,
  tagOf,
} from "./hash.ts";
export {
  type HpkeKeyPair,
  hpkeKeyPair,
  hpkeKeyPairFromSeed,
  hpkeOpen,
  hpkeOverheadBytes,
  hpkeSeal,
} from "./hpke.ts";
export { hkdf, hkdfExpand, hkdfExtract } from "./kdf.ts";
export {
  addPasskey,
  type KeySlots,
  newKeySlots,
  newPrfInput,
  openNamed,
  openWithPasskey,
  openWithPassphrase,
  type PasskeySlot,
  type PrfResult,
  parseKeySlots,
  passkeysMax,
  removeSlot,
  replacePassphrase,
  sealNamed,
} from "./key-slots.ts";
export { countingPairing, type OperationCounts } from "./pairing/counting.ts";
export { loadPairing, openPairing, type TableBounds } from "./pairing/mcl.ts";
export {
  type G1,
  type G2,
  type Group,
  type GT,
  order,
  type Pairing,
  type Scalar,
  type TargetGroup,
  type Term,
} from "./pairing/pairing.ts";
export {
  addMod,
  decodeScalar,
  encodeScalar,
  invert,
  mod,
  multiplyMod,
  negateMod,
  subtractMod,
} from "./pairing/scalar.ts";
export type { Platform } from "./platform/platform.ts";
export {
  emergencyAttribute,
  isAccountHex,
  isAttribute,
  isSelf,
  namespaceOf,
  parseAttribute,
  parseSigningAttribute,
  personOf,
  selfAttribute,
  selfNamespace,
  signingAttribute,
  unopenedPeriod,
} from "./policy/attribute.ts";
export { type PolicyLimits, sealedLimits, writtenLimits } from "./policy/limits.ts";
export { type Policy, parsePolicy, policyOf } from "./policy/policy.ts";
export { missing, satisfies } from "./policy/satisfy.ts";
export {
  checkAuthorPolicy,
  checkWritten,
  extendsRule,
  personsOf,
  sealedPolicy,
  signingPolicy,
} from "./policy/sealed.ts";
export {
  type Entry,
  type Selection,
  type SpanProgram,
  type SpanProgramRow,
  select,
  spanProgram,
} from "./policy/span-program.ts";
export { formatPolicy, type PolicyNode, sameTree } from "./policy/tree.ts";
export { fewHolders, type PolicyWarning, type WarningOptions, warnings } from "./policy/warnings.ts";
export { randomBytes, randomScalar } from "./random.ts";
export { type TagUse, tag, tagTable } from "./tags.ts";
export {
  type AuditBox,
  type AuditCiphertext,
  type AuditShare,
  auditCombine,
  auditEncrypt,
  auditLabel,
  auditShare,
  checkAuditShare,
  decodeAuditCiphertext,
  decodeAuditShare,
  encodeAuditCiphertext,
  encodeAuditShare,
  verifyAuditCiphertext,
} from "./threshold/audit.ts";
export {
  type BaseKeyContext,
  type BasePartial,
  baseDigest,
  basePartial,
  checkBasePartial,
  combineBaseKey,
  decodeBasePartial,
  encodeBasePartial,
} from "./threshold/base-key.ts";
export {
  commitOf,
  type Dealing,
  decodeDealing,
  decodeNodeShare,
  encodeDealing,
  encodeNodeShare,
  type NodeShare,
  ownShare,
  publishShare,
  revealOf,
  shareFits,
  shareFor,
  shareIsOf,
  startDealing,
} from "./threshold/dkg.ts";
export {
  type Commit,
  type Complaint,
  type Deal,
  decodeCommit,
  decodeComplaint,
  decodeDeal,
  decodePublishedShare,
  decodeReveal,
  decodeShare,
  encodeCommit,
  encodeComplaint,
  encodeDeal,
  encodePublishedShare,
  encodeReveal,
  encodeShare,
  type PublishedShare,
  type Reveal,
  shareEnvelopeBytes,
  shareInfo,
} from "./threshold/dkg-messages.ts";
export {
  type Aborted,
  type Agreed,
  type Conclusion,
  conclude,
  type Excluded,
  type Fault,
  type Transcript,
  verifyCommit,
  verifyComplaint,
  verifyDeal,
  verifyPublishedShare,
  verifyReveal,
} from "./threshold/dkg-verify.ts";
export {
  type CommitteeKey,
  decodeCommitteeKey,
  encodeCommitteeKey,
  type Generation,
  generation,
  keyIsConsistent,
  nodeKey,
  type Origin,
} from "./threshold/generation.ts";
export {
  auditKeySpace,
  type KeyName,
  type KeySpace,
  readingKeySpace,
  signingKeySpace,
} from "./threshold/group.ts";
export {
  type Answer,
  answerInfo,
  answerIssue,
  answerParts,
  type CheckedAnswer,
  checkAnswer,
  combineAnswers,
  decodeAnswer,
  encodeAnswer,
  type IssueRequest,
  issueDigest,
  sortAttributes,
} from "./threshold/issue.ts";
export {
  type ProvedRecovery,
  partsFit,
  proveRecovery,
  type RecoveredStatement,
  rootOfKey,
  verifyRecovery,
} from "./threshold/recovered.ts";
export { nodesMax } from "./threshold/shamir.ts";
