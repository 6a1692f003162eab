// What the tests of attribute-based signatures share: a committee in one hand, three namespaces, signers.
import { attributeKeys, type SigningKeys, type Statement } from "../src/abs/abs.ts";
import {
  type NamespaceIdentity,
  type NamespaceKeys,
  type NamespaceLists,
  namespaceKeys,
} from "../src/abs/namespace-keys.ts";
import { parameters, signerPoint } from "../src/abs/scheme.ts";
import { utf8 } from "../src/bytes.ts";
import { ChartsealError } from "../src/errors.ts";
import { sha256 } from "../src/hash.ts";
import { loadPairing } from "../src/pairing/mcl.ts";
import type { G2, Pairing, Scalar } from "../src/pairing/pairing.ts";
import { parsePolicy } from "../src/policy/policy.ts";
import { randomScalar } from "../src/random.ts";

export const pairing: Pairing = await loadPairing();

export const chainId = sha256(utf8("a chain"));

/** a0 and A0. */
export const a0: Scalar = randomScalar({ nonZero: true });
export const committeeKey: G2 = pairing.g2.multiply(parameters(pairing).h(0), a0);

export function identity(namespace: string): NamespaceIdentity {
  return { chainId, namespace, account: sha256(utf8(namespace)).slice(0, 20) };
}

const made = new Map<string, NamespaceKeys>();

/** Keys of a namespace with 8 columns, the same for the whole run. */
export function keysOf(namespace: string): NamespaceKeys {
  let keys = made.get(namespace);
  if (keys === undefined) {
    keys = namespaceKeys(pairing, identity(namespace), 8);
    made.set(namespace, keys);
  }
  return keys;
}

export const namespaces: ReadonlyMap<string, NamespaceLists> = new Map(
  ["cedars", "mercy", "trial"].map((name) => [name, keysOf(name).lists]),
);

export function accountOf(name: string): Uint8Array {
  return sha256(utf8(name)).slice(0, 20);
}

export const period = "2026q4";

/** A signer with these attributes, in the current period unless one is given behind `#`. */
export function signer(name: string, ...attributes: string[]): SigningKeys {
  const account = accountOf(name);
  const base = pairing.g1.multiply(signerPoint(pairing, account), a0);
  const keys = attributes.flatMap((attribute) => {
    const full = attribute.includes("#") ? attribute : `${attribute}#${period}`;
    const namespace = full.slice(full.indexOf("@") + 1, full.indexOf("#"));
    const { secret } = keysOf(namespace);
    return [...attributeKeys(pairing, { secret, attributes: [full], account, base, committeeKey })];
  });
  return { account, base, attributes: new Map(keys) };
}

export function statement(policyText: string, message = "a message", kind = "deposit"): Statement {
  const policy = parsePolicy(policyText);
  return {
    policy,
    periods: new Map(policy.attributes.map((attribute) => [attribute, period])),
    namespaces,
    chainId,
    kind,
    message: sha256(utf8(message)),
  };
}

/** The code of the ChartsealError that a call throws. */
export function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof ChartsealError) return error.code;
    throw error;
  }
  return "none";
}
