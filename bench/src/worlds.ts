/** What the benchmarks of the schemes start from: an authority in one hand, a policy of n attributes, keys for it. */
import {
  type AttributeKey,
  attributeKeys,
  committeeBase,
  type G2,
  type GT,
  keygenDirect,
  type NamespaceLists,
  namespaceKeys,
  type Pairing,
  type Policy,
  parsePolicy,
  randomScalar,
  type Scalar,
  type SigningKeys,
  type Statement,
  setupDirect,
  sha256,
  signerBasePoint,
  transformKeyPair,
  utf8,
} from "@chartseal/crypto";

export const sizes = [5, 10, 20, 50, 100] as const;
export const namespace = "cedars";
export const context: Uint8Array = sha256(utf8("the context of a benchmark"));

/** n names; `mark` makes them new, so that nothing of them is in a cache. */
export function attributesOf(n: number, mark = ""): string[] {
  return Array.from({ length: n }, (_, at) => `attribute${mark}-${at + 1}@${namespace}`);
}

/** All of n attributes: the policy of every published comparison. */
export function policyOfAll(n: number, mark = ""): Policy {
  return parsePolicy(attributesOf(n, mark).join(" and "));
}

export interface ReadingWorld {
  readonly alpha: Scalar;
  readonly mpk: GT;
  readonly policy: Policy;
  readonly fullKey: AttributeKey;
  readonly transformKey: AttributeKey;
  readonly recoveryKey: Scalar;
}

export function readingWorld(pairing: Pairing, n: number, mark = ""): ReadingWorld {
  const { alpha, mpk } = setupDirect(pairing);
  const attributes = attributesOf(n, mark);
  const { recoveryKey, blinded } = transformKeyPair(pairing);
  return {
    alpha,
    mpk,
    policy: policyOfAll(n, mark),
    fullKey: keygenDirect(pairing, { alpha, attributes }),
    transformKey: keygenDirect(pairing, { alpha, attributes, blinded }),
    recoveryKey,
  };
}

export interface SigningWorld {
  /** A0 */
  readonly committeeKey: G2;
  readonly lists: ReadonlyMap<string, NamespaceLists>;
  readonly keys: SigningKeys;
  /** What is signed, in a period of that name: the row bases of a new one are in no cache. */
  statement(period: string): Statement;
}

/** A signer who holds all n attributes in each of the periods. */
export function signingWorld(pairing: Pairing, n: number, periods: readonly string[]): SigningWorld {
  const chainId = sha256(utf8("a chain"));
  const account = sha256(utf8("a signer")).slice(0, 20);
  const a0 = randomScalar({ nonZero: true });
  const committeeKey = pairing.g2.multiply(committeeBase(pairing), a0);
  const base = pairing.g1.multiply(signerBasePoint(pairing, account), a0);
  const { secret, lists } = namespaceKeys(pairing, { chainId, namespace, account }, n);
  const attributes = attributesOf(n).flatMap((one) => periods.map((period) => `${one}#${period}`));
  const named = attributeKeys(pairing, { secret, attributes, account, base, committeeKey });
  const policy = policyOfAll(n);
  const namespaces = new Map([[namespace, lists]]);
  return {
    committeeKey,
    lists: namespaces,
    keys: { account, base, attributes: named },
    statement: (period) => ({
      policy,
      periods: new Map(policy.attributes.map((one) => [one, period])),
      namespaces,
      chainId,
      kind: "deposit",
      message: sha256(utf8("what is signed")),
    }),
  };
}
