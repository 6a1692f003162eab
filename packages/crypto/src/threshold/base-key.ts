/**
 * A signer's base key by t of n nodes (CRYPTO §3): K_base = [a0]K_0, K_0 = H1("…/abs-user" ‖ account), from partial
 * values [a0_i]K_0 in G1, each checked against the node's [a0_i]h_0 in G2 by one pairing equation.
 * A node recomputes K_0 from the account: a0 multiplies nothing that a caller chose. K_base is its account's secret,
 * so partial values travel sealed to the account. A partial value is 48 bytes.
 */
import { signerBasePoint } from "../abs/abs.ts";
import { u64 } from "../bytes.ts";
import { ChartsealError } from "../errors.ts";
import { fixed, hash } from "../hash.ts";
import type { G1, G2, Pairing } from "../pairing/pairing.ts";
import type { NodeShare } from "./dkg.ts";
import { type CommitteeKey, nodeKey } from "./generation.ts";
import type { KeySpace } from "./group.ts";
import { chooseParts } from "./shamir.ts";
import { readBytes, readEpoch, readIndex, readMessage, writeMessage } from "./wire.ts";

/** [a0_i]K_0. */
export interface BasePartial {
  readonly epoch: number;
  readonly node: number;
  readonly value: G1;
}

/** What the checks need: h_0 through the key space, the public key and the account's bytes. */
export interface BaseKeyContext {
  readonly space: KeySpace<G2>;
  readonly key: CommitteeKey<G2>;
  readonly account: Uint8Array;
}

/** A node's partial value for an account. The caller has seen on the ledger that the account asks. */
export function basePartial(
  pairing: Pairing,
  { account, share }: { readonly account: Uint8Array; readonly share: NodeShare },
): BasePartial {
  const value = pairing.g1.multiplySplit(signerBasePoint(pairing, account), share.secret);
  return { epoch: share.epoch, node: share.index, value };
}

/**
 * e(value, h_0) = e(K_0, [a0_i]h_0).
 * @throws ChartsealError `issue-invalid` with the node
 */
export function checkBasePartial(pairing: Pairing, context: BaseKeyContext, partial: BasePartial): void {
  const { space, key, account } = context;
  const { epoch, node, value } = partial;
  const known = epoch === key.epoch && node <= key.nodeKeys.length;
  if (!known || !fits(pairing, space.base, account, value, nodeKey(key, node))) {
    throw new ChartsealError("issue-invalid", "a node's part of the base key is wrong", { data: { node } });
  }
}

function fits(pairing: Pairing, h0: G2, account: Uint8Array, value: G1, publicKey: G2): boolean {
  const { g1, gt } = pairing;
  const point = g1.negate(signerBasePoint(pairing, account));
  const product = pairing.multiPairing([
    [value, h0],
    [point, publicKey],
  ]);
  return !g1.isZero(value) && gt.isOne(product);
}

/**
 * K_base from t partial values of distinct nodes of one epoch; of more, the lowest t. Each is checked, and the result
 * against A0.
 * @throws ChartsealError `issue-invalid` with the node of a wrong one, `input-invalid` for fewer than t or a node twice
 */
export function combineBaseKey(
  pairing: Pairing,
  context: BaseKeyContext,
  partials: readonly BasePartial[],
): G1 {
  const { space, key, account } = context;
  for (const partial of partials) checkBasePartial(pairing, context, partial);
  const chosen = chooseParts(partials, key.threshold);
  const terms = chosen.map(({ part, weight }) => ({ point: part.value, scalar: weight }));
  const value = pairing.g1.linear([terms])[0]!;
  if (!fits(pairing, space.base, account, value, key.publicKey)) {
    throw new ChartsealError("issue-invalid", "the committee's public values do not give its public key");
  }
  return value;
}

/** d of a partial value: SHA-256(tag ‖ chain id ‖ epoch u64 ‖ account). A node signs `answerParts` over it. */
export function baseDigest(chainId: Uint8Array, epoch: number, account: Uint8Array): Uint8Array {
  return hash("authority/base", chainId, fixed(u64(epoch)), account);
}

/** [1, epoch, node, value 48]. */
export function encodeBasePartial(pairing: Pairing, { epoch, node, value }: BasePartial): Uint8Array {
  return writeMessage(epoch, node, pairing.g1.encode(value));
}

/** @throws ChartsealError `encoding-invalid` */
export function decodeBasePartial(pairing: Pairing, bytes: Uint8Array): BasePartial {
  const [epoch, node, value] = readMessage(bytes, 3, 128);
  const head = { epoch: readEpoch(epoch), node: readIndex(node) };
  return { ...head, value: pairing.g1.decode(readBytes(value, 48), { identity: "reject" }) };
}
