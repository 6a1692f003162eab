/**
 * Attribute-based signatures as the machine checks them (CRYPTO §3): under the written policy without its persons, with
 * the periods and lists that the state holds now. An engine may verify many in one batch beforehand; a claim's key then
 * names everything that was verified, so that a period changed earlier in the block is never overlooked.
 */
import {
  assert,
  ChartsealError,
  decodeNamespaceLists,
  decodeSignature,
  encode,
  type NamespaceLists,
  namespaceOf,
  type Policy,
  type Signed,
  sha256,
  signingPolicy,
  spanProgram,
  toHex,
  utf8,
  verify,
} from "@chartseal/crypto";
import { demand, Refusal } from "../refusals.ts";
import { entries, load, periodLabel } from "../state-kinds.ts";
import { signingCommitteeKey } from "./committee.ts";
import { registeredNamespace } from "./namespaces.ts";
import type { Setting } from "./setting.ts";

/** One attribute-based signature with all that it is verified under. */
export interface AttributeClaim {
  /** Names identifier, kind, policy, periods, lists, signature and the committee's key: hex of a SHA-256. */
  readonly key: string;
  readonly signed: Signed;
}

/** The claim of a transaction under a written policy. @throws Refusal `policy-unprovable`, `attribute-unknown`, … */
export function attributeClaimUnder(
  { state, block, transaction }: Pick<Setting, "state" | "block" | "transaction">,
  written: Policy,
): AttributeClaim {
  const { pairing, chainId } = block;
  const bytes = transaction.authorisation.attributes;
  demand(bytes, "authorisation-parts");
  const policy = signingPolicy(written);
  demand(policy, "policy-unprovable");
  const { columns } = spanProgram(policy);
  const periods = new Map<string, string>();
  const namespaces = new Map<string, NamespaceLists>();
  const parts: (readonly [string, string, Uint8Array])[] = [];
  for (const attribute of new Set(policy.attributes)) {
    const name = namespaceOf(attribute);
    const { listsHash } = registeredNamespace(state, name);
    const period = periodLabel(load(state, entries.period, utf8(attribute)));
    const lists = load(state, entries.namespaceLists, utf8(name));
    assert(lists !== undefined, "a registered namespace has its lists");
    periods.set(attribute, period);
    if (!namespaces.has(name)) namespaces.set(name, decodeNamespaceLists(pairing, lists, columns));
    parts.push([attribute, period, listsHash]);
  }
  const { kind } = transaction.body.action;
  const committeeKey = pairing.g2.encode(signingCommitteeKey(state, pairing));
  const named = [transaction.identifier, kind, policy.text, parts, bytes, committeeKey];
  const key = toHex(sha256(encode(named)));
  const signature = decodeSignature(pairing, bytes);
  return {
    key,
    signed: { policy, periods, namespaces, chainId, kind, message: transaction.identifier, signature },
  };
}

/** Refuses unless the transaction carries a valid attribute-based signature under the policy. */
export function demandAttributes(setting: Setting, written: Policy): void {
  const { state, block } = setting;
  const claim = claimOf(setting, written);
  if (block.verifiedAttributes?.has(claim.key) === true) return;
  const committeeKey = signingCommitteeKey(state, block.pairing);
  demand(verify(block.pairing, committeeKey, claim.signed), "attribute-proof-invalid");
  block.verifiedAttributes?.learn?.(claim.key);
}

function claimOf(setting: Setting, written: Policy): AttributeClaim {
  try {
    return attributeClaimUnder(setting, written);
  } catch (error) {
    if (error instanceof Refusal || !(error instanceof ChartsealError) || error.code === "defect")
      throw error;
    throw new Refusal("attribute-proof-invalid", { cause: error.code });
  }
}
