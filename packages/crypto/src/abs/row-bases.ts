/**
 * The row bases X_ij = A_j + [u_i]B_j of a policy under the namespaces' public lists and the attributes' periods
 * (CRYPTO §3). They depend on policy, periods and lists alone, so a bounded cache keeps them; one group multiplication
 * for each non-zero entry of the matrix when they are made.
 */
import { utf8 } from "../bytes.ts";
import { ChartsealError } from "../errors.ts";
import { hash } from "../hash.ts";
import { LeastRecentlyUsed } from "../pairing/lru.ts";
import type { G2, Pairing } from "../pairing/pairing.ts";
import { namespaceOf, signingAttribute } from "../policy/attribute.ts";
import type { Policy } from "../policy/policy.ts";
import { spanProgram } from "../policy/span-program.ts";
import { formatPolicy } from "../policy/tree.ts";
import type { NamespaceLists } from "./namespace-keys.ts";
import { attributeScalar, encodeAll, type Rows, rowBase } from "./scheme.ts";

/** Under what a signature stands: the policy, each leaf's period, each row namespace's lists. */
export interface SigningPolicy {
  /** A policy without `self` leaves. */
  readonly policy: Policy;
  /** Leaf → the period that is current for it, e.g. `cardiologist@cedars` → `2026q4`. */
  readonly periods: ReadonlyMap<string, string>;
  readonly namespaces: ReadonlyMap<string, NamespaceLists>;
}

export interface RowBases extends Rows {
  /** The canonical policy with its periods. */
  readonly text: string;
  /** SHA-256 of the row namespaces' A_1…A_c, B_1…B_c. */
  readonly namespacesDigest: Uint8Array;
  /** SHA-256 of all X_ij. */
  readonly basesDigest: Uint8Array;
  /** `name@namespace#period` of each row. */
  readonly signingAttributes: readonly string[];
}

/** Policies whose row bases are kept; one has at most 1,024 points of 288 bytes. */
const cacheMax = 64;
const caches = new WeakMap<Pairing, LeastRecentlyUsed<RowBases>>();
const encodings = new WeakMap<NamespaceLists, { A: Uint8Array; B: Uint8Array }>();

/**
 * @throws ChartsealError `input-invalid` for a leaf without period, `attribute-unknown` for a namespace without lists,
 * `policy-limit` for lists with fewer columns than the policy, `signature-invalid` for a row base that is the identity
 */
export function rowBases(pairing: Pairing, signing: SigningPolicy): RowBases {
  const { policy, namespaces } = signing;
  const withPeriod = (attribute: string) => periodOf(signing, attribute);
  const text = formatPolicy(policy.tree, withPeriod);
  const program = spanProgram(policy);
  const names = [...new Set(policy.attributes.map(namespaceOf))];
  const parts = names.flatMap((name) => {
    const { A, B } = encodedLists(pairing, listsOf(namespaces, name, program.columns));
    const size = program.columns * pairing.g2.size;
    return [utf8(name), A.subarray(0, size), B.subarray(0, size)];
  });
  const namespacesDigest = hash("abs/abs-namespaces", ...parts);
  const cache = cacheOf(pairing);
  const key = `${text}\n${String.fromCharCode(...namespacesDigest)}`;
  const found = cache.get(key);
  if (found !== undefined) return found;
  const signingAttributes = policy.attributes.map(withPeriod);
  const X = program.rows.map(({ attribute, entries }, i) => {
    const { A, B } = listsOf(namespaces, namespaceOf(attribute), program.columns);
    const u = attributeScalar(signingAttributes[i] ?? "");
    return entries.map(([column]) => rowBase(pairing, A[column] as G2, B[column] as G2, u));
  });
  if (X.some((points) => points.some((point) => pairing.g2.isZero(point)))) {
    throw new ChartsealError(
      "signature-invalid",
      "a row base is the identity: the namespace's keys are malformed",
    );
  }
  const basesDigest = hash("abs/abs-row-bases", encodeAll(pairing.g2, X.flat()));
  const made = { program, X, text, namespacesDigest, basesDigest, signingAttributes };
  cache.add(key, made);
  return made;
}

function periodOf({ periods }: SigningPolicy, attribute: string): string {
  const period = periods.get(attribute);
  if (period === undefined) {
    throw new ChartsealError("input-invalid", "an attribute has no period", { data: { attribute } });
  }
  return signingAttribute(attribute, period);
}

function listsOf(
  namespaces: ReadonlyMap<string, NamespaceLists>,
  namespace: string,
  columns: number,
): NamespaceLists {
  const lists = namespaces.get(namespace);
  if (lists === undefined) {
    throw new ChartsealError("attribute-unknown", "the namespace has no signing keys", {
      data: { namespace },
    });
  }
  if (lists.A.length < columns || lists.B.length < columns) {
    throw new ChartsealError("policy-limit", "the namespace's list is too short for this policy", {
      data: { namespace, columns, length: Math.min(lists.A.length, lists.B.length) },
      hint: "Its hospital lengthens it, up to 256 columns: chartseal namespace extend NAME --columns N.",
    });
  }
  return lists;
}

function encodedLists(pairing: Pairing, lists: NamespaceLists): { A: Uint8Array; B: Uint8Array } {
  let encoded = encodings.get(lists);
  if (encoded === undefined) {
    encoded = { A: encodeAll(pairing.g2, lists.A), B: encodeAll(pairing.g2, lists.B) };
    encodings.set(lists, encoded);
  }
  return encoded;
}

function cacheOf(pairing: Pairing): LeastRecentlyUsed<RowBases> {
  let cache = caches.get(pairing);
  if (cache === undefined) {
    cache = new LeastRecentlyUsed(cacheMax);
    caches.set(pairing, cache);
  }
  return cache;
}
