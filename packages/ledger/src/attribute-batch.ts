/**
 * Attribute-based signatures of many transactions in one batch (CRYPTO §3, Batching), before they are applied one by
 * one. Give the result as `verifiedAttributes` of the block: a claim that is not in it is verified on its own, so a
 * batch changes the time that a block takes and never what it does.
 */
import { ChartsealError, parsePolicy, verifyBatch } from "@chartseal/crypto";
import { type AttributeClaim, attributeClaimUnder } from "./rules/attribute-proof.ts";
import { signingCommitteeKey } from "./rules/committee.ts";
import type { BlockContext, VerifiedClaims } from "./rules/setting.ts";
import type { StateAccess } from "./state.ts";
import { entries, load } from "./state-kinds.ts";
import { decodeTransaction } from "./transaction.ts";

/** The keys of the claims that verify as the state stands, but for those known before; where it has moved on, a claim has another key. */
export function verifyAttributeBatch(
  state: StateAccess,
  block: BlockContext,
  transactions: readonly Uint8Array[],
): ReadonlySet<string> {
  const known = block.verifiedAttributes;
  const claims = transactions
    .flatMap((bytes) => attributeClaim(state, block, bytes) ?? [])
    .filter(({ key }) => known?.has(key) !== true);
  if (claims.length === 0) return new Set();
  const committeeKey = signingCommitteeKey(state, block.pairing);
  const signed = claims.map((claim) => claim.signed);
  const bad = new Set(verifyBatch(block.pairing, committeeKey, signed));
  return new Set(claims.filter((_, at) => !bad.has(at)).map(({ key }) => key));
}

/** A transaction's claim; undefined where it has none or it cannot be valid. */
export function attributeClaim(
  state: StateAccess,
  block: BlockContext,
  bytes: Uint8Array,
): AttributeClaim | undefined {
  try {
    const transaction = decodeTransaction(bytes);
    const { action } = transaction.body;
    if (transaction.authorisation.attributes === null) return undefined;
    const record =
      action.kind === "request-access" ? load(state, entries.record, action.recordId) : undefined;
    const text = action.kind === "deposit" ? action.authorPolicy : record?.policy;
    return text ? attributeClaimUnder({ state, block, transaction }, parsePolicy(text)) : undefined;
  } catch (error) {
    if (error instanceof ChartsealError && error.code !== "defect") return undefined;
    throw error;
  }
}

/** A node's memory of what it verified, so that a transaction that waits, is proposed and decided costs one verification. */
export class ClaimMemory implements VerifiedClaims {
  #young = new Set<string>();
  #old = new Set<string>();
  readonly #most: number;

  /** Between `most` and twice as many are kept, the newest. */
  constructor(most: number) {
    this.#most = most;
  }

  has(key: string): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  learn(key: string): void {
    if (this.#young.size >= this.#most) {
      this.#old = this.#young;
      this.#young = new Set();
    }
    this.#young.add(key);
  }
}
