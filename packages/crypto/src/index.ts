/** The public entry of @chartseal/crypto: what is not named here is nobody's business outside this package. */

export { platform } from "#platform";

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
  type Ed25519KeyPair,
  ed25519KeyPair,
  ed25519KeyPairFromSeed,
  signTagged,
  verifyTagged,
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
  type ConsistencyClaim,
  doubleSha256Tree,
  type InclusionClaim,
  type MerkleBuilder,
  MerkleTree,
  sha256Tree,
} from "./file/merkle.ts";
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
export type { Platform } from "./platform/platform.ts";
export { randomBytes, randomScalar } from "./random.ts";
export { type TagUse, tag, tagTable } from "./tags.ts";
