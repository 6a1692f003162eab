/**
 * A node's judgement (spec/7-sharing.md, Disputes). In this order: the opened key is the one that the ledger shows as
 * issued, its parts are those of their attributes, it makes the T that the provider signed, it is a key under mpk: else
 * the provider. Then K, which the reader proved, opens the header: the reader. Or does not: the sealer.
 */
import {
  type AttributeKey,
  ChartsealError,
  decapsulate,
  decodeEncapsulation,
  decodeHeader,
  type Encapsulation,
  encodeContext,
  equalBytes,
  type GT,
  hasCode,
  type Pairing,
  type Policy,
  parsePolicy,
  partsFit,
  recomputeEncapsulation,
  recoverMessage,
  rootOfKey,
  sealedLimits,
  select,
  sha256,
  verifyEncapsulation,
  verifyRecovery,
} from "@chartseal/crypto";
import { digestOf, type Verdict } from "@chartseal/ledger";
import { isKeyOfItsId } from "../provider/custody-key.ts";
import type { CustodyKey } from "../provider/stores.ts";
import type { Dispute } from "./box.ts";
import { type Evidence, proofContext } from "./evidence.ts";

/** All that a judgement rests on. */
export interface Case {
  readonly dispute: Dispute;
  readonly chainId: Uint8Array;
  readonly mpk: GT;
  /** Z of the issue, as the ledger shows it. */
  readonly blinded: Uint8Array;
  readonly opened: Pick<CustodyKey, "key" | "dropped">;
  readonly evidence: Evidence;
}

export function judge(pairing: Pairing, one: Case): Verdict {
  const { dispute, opened, evidence } = one;
  if (!isKeyOfItsId(pairing, { keyId: dispute.keyId, ...opened })) return "provider";
  const sealed = readSealed(pairing, evidence.header, dispute);
  // The ledger's digest says which header it was; a reader that shows another one shows nothing.
  if (sealed === undefined) return "reader";
  // The provider refuses such a header, at store and before every transform.
  if (!verifyEncapsulation(pairing, sealed)) return "provider";
  const transform = madeAgain(pairing, { dispute, key: opened.key, sealed });
  if (transform === undefined) return "provider";
  if (!equalBytes(sha256(pairing.gt.encode(transform)), dispute.answerHash)) return "provider";
  return judgeRecovered(pairing, one, { sealed, transform });
}

/** The signed T is what that key makes. Whether it is a key that the committee issued shows in Y. */
function judgeRecovered(
  pairing: Pairing,
  { dispute, chainId, mpk, blinded, opened, evidence }: Case,
  { sealed, transform }: { readonly sealed: SealedParts; readonly transform: GT },
): Verdict {
  const { recovered } = evidence;
  const context = proofContext(chainId, dispute);
  const about = { blinded: pairing.g1.decode(blinded), transform, mpk, context };
  if (recovered === null || !verifyRecovery(pairing, about, recovered)) return "reader";
  if (!pairing.gt.equal(rootOfKey(pairing, opened.key), recovered.root)) return "provider";
  try {
    const { message } = recoverMessage(pairing, { ...sealed, shared: recovered.shared });
    recomputeEncapsulation(pairing, { ...sealed, mpk, message });
    return "reader";
  } catch (error) {
    if (hasCode(error, "transform-invalid") || hasCode(error, "header-altered")) return "sealer";
    throw error;
  }
}

interface SealedParts {
  readonly policy: Policy;
  readonly context: Uint8Array;
  readonly encapsulation: Encapsulation;
}

/** The header that the request's digest commits to, read. */
export function readSealed(
  pairing: Pairing,
  bytes: Uint8Array,
  { recordDigest }: Pick<Dispute, "recordDigest">,
): SealedParts | undefined {
  try {
    const header = decodeHeader(bytes);
    if (!equalBytes(digestOf(sha256(bytes), header.context.digest), recordDigest)) return undefined;
    const policy = parsePolicy(header.context.policy, sealedLimits);
    const encapsulation = decodeEncapsulation(pairing, header.encapsulation, policy);
    return { policy, context: encodeContext(header.context), encapsulation };
  } catch (error) {
    if (error instanceof ChartsealError && error.family === "usage") return undefined;
    throw error;
  }
}

/** T under the opened key by the statement's rows; undefined where key and rows are none that open the policy. */
function madeAgain(
  pairing: Pairing,
  {
    dispute,
    key,
    sealed,
  }: { readonly dispute: Dispute; readonly key: AttributeKey; readonly sealed: SealedParts },
): GT | undefined {
  const { policy, encapsulation } = sealed;
  const attributes = dispute.rows.flatMap((row) => policy.attributes[row] ?? []);
  const selected = select(policy, new Set(attributes))?.rows ?? [];
  const same =
    selected.length === dispute.rows.length && selected.every((row, at) => row === dispute.rows[at]);
  const used = new Map([...key.k2].filter(([attribute]) => attributes.includes(attribute)));
  if (!same || attributes.some((attribute) => !used.has(attribute))) return undefined;
  if (!partsFit(pairing, { k2: used, k3: key.k3 })) return undefined;
  return decapsulate(pairing, { key: { ...key, k2: used }, policy, encapsulation, attributes });
}
