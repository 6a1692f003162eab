/**
 * A namespace's public lists A_j = [a]h_j, B_j = [b]h_j and the proof that one a and one b lie behind all j (CRYPTO §3):
 * Chaum–Pedersen over random linear combinations, the batched DLEQ of RFC 9497 §2.2, bound to chain id, namespace and
 * its account. Without the proof a rogue namespace forges its neighbours' attributes. A list has 1 to 256 columns, by
 * default 64; a longer one repeats it and is proved anew as a whole.
 */
import { u32, utf8 } from "../bytes.ts";
import { encode } from "../encoding.ts";
import { ChartsealError } from "../errors.ts";
import { hashToScalar } from "../hash.ts";
import type { G2, Pairing, Scalar } from "../pairing/pairing.ts";
import { randomScalar } from "../random.ts";
import { curveGroup } from "../threshold/group.ts";
import { type Claim, claim, type Proof, type ProofPurpose, prove, verify } from "../threshold/proofs.ts";
import { columnsMax, encodeAll, parameters } from "./scheme.ts";

/** Columns of a first list unless the namespace wants more. */
export const columnsDefault = 64;

/** A_1 … A_n and B_1 … B_n, n ≤ 256. Public. */
export interface NamespaceLists {
  readonly A: readonly G2[];
  readonly B: readonly G2[];
}

/** The namespace's secret: whoever has it signs with every attribute of the namespace. */
export interface NamespaceSecret {
  readonly namespace: string;
  readonly a: Scalar;
  readonly b: Scalar;
}

/** One proof for a and one for b. */
export interface NamespaceProof {
  readonly a: Proof;
  readonly b: Proof;
}

/** Whose lists they are and where: what the proof is bound to. Chain id 32 bytes, account 20 bytes. */
export interface NamespaceIdentity {
  readonly chainId: Uint8Array;
  readonly namespace: string;
  readonly account: Uint8Array;
}

export interface NamespaceKeys {
  readonly secret: NamespaceSecret;
  readonly lists: NamespaceLists;
  readonly proof: NamespaceProof;
}

/** New keys with `columns` columns. @throws ChartsealError `policy-limit` outside 1 … 256 */
export function namespaceKeys(
  pairing: Pairing,
  identity: NamespaceIdentity,
  columns: number = columnsDefault,
): NamespaceKeys {
  const a = randomScalar({ nonZero: true });
  const b = randomScalar({ nonZero: true });
  const secret = { namespace: identity.namespace, a, b };
  return { secret, ...namespaceLists(pairing, identity, secret, columns) };
}

/** The lists of a secret and their proof: for longer lists of the same keys. @throws as `namespaceKeys` */
export function namespaceLists(
  pairing: Pairing,
  identity: NamespaceIdentity,
  secret: NamespaceSecret,
  columns: number,
): { lists: NamespaceLists; proof: NamespaceProof } {
  if (!(Number.isInteger(columns) && columns >= 1 && columns <= columnsMax)) {
    throw new ChartsealError("policy-limit", `a namespace's list has 1 to ${columnsMax} columns`);
  }
  const { h } = parameters(pairing);
  const bases = Array.from({ length: columns }, (_, j) => h(j + 1));
  const times = (scalar: Scalar) => pairing.g2.linear(bases.map((point) => [{ point, scalar }]));
  const lists = { A: times(secret.a), B: times(secret.b) };
  const statement = namespaceStatement(pairing, identity, lists);
  const proof = {
    a: prove(statement.a, secret.a, statement.purpose("a")),
    b: prove(statement.b, secret.b, statement.purpose("b")),
  };
  return { lists, proof };
}

/**
 * May these lists be registered: as long as each other, no identity, one a and one b behind all columns, and no entry
 * other than in the list that stands (`previous`), which they must not shorten. Three multi-multiplications in G2.
 */
export function verifyNamespaceKeys(
  pairing: Pairing,
  identity: NamespaceIdentity,
  keys: { readonly lists: NamespaceLists; readonly proof: NamespaceProof },
  previous?: NamespaceLists,
): boolean {
  const { A, B } = keys.lists;
  const { g2 } = pairing;
  if (A.length !== B.length || A.length < 1 || A.length > columnsMax) return false;
  if ([...A, ...B].some((point) => g2.isZero(point))) return false;
  if (
    previous !== undefined &&
    !(extendsList(pairing, A, previous.A) && extendsList(pairing, B, previous.B))
  ) {
    return false;
  }
  const statement = namespaceStatement(pairing, identity, keys.lists);
  return (
    verify(statement.a, keys.proof.a, statement.purpose("a")) &&
    verify(statement.b, keys.proof.b, statement.purpose("b"))
  );
}

function extendsList(pairing: Pairing, list: readonly G2[], previous: readonly G2[]): boolean {
  if (list.length < previous.length) return false;
  return previous.every((point, j) => pairing.g2.equal(point, list[j] as G2));
}

/** What is proved, and for what. */
export interface NamespaceStatement {
  /** log_{h_1}A_1 = log_{h̄}Ā */
  readonly a: readonly Claim[];
  /** log_{h_1}B_1 = log_{h̄}B̄ */
  readonly b: readonly Claim[];
  purpose(letter: "a" | "b"): ProofPurpose;
}

/** h̄ = Σδ_j h_j, Ā = Σδ_j A_j, B̄ = Σδ_j B_j with δ_j = H_p("…/abs-weights", namespace, all A, all B, j). */
export function namespaceStatement(
  pairing: Pairing,
  identity: NamespaceIdentity,
  { A, B }: NamespaceLists,
): NamespaceStatement {
  const { g2 } = pairing;
  const { h } = parameters(pairing);
  const { chainId, namespace, account } = identity;
  const [allA, allB] = [encodeAll(g2, A), encodeAll(g2, B)];
  const name = utf8(namespace);
  const delta = A.map((_, j) => hashToScalar("abs/abs-weights", name, allA, allB, u32(j + 1)));
  const combine = (points: readonly G2[]) => points.map((point, j) => ({ point, scalar: delta[j] ?? 0n }));
  const [hBar, ABar, BBar] = g2.linear([combine(A.map((_, j) => h(j + 1))), combine(A), combine(B)]);
  const group = curveGroup(g2);
  const claims = (first: G2, bar: G2) => [claim(group, h(1), first), claim(group, hBar as G2, bar)];
  return {
    a: claims(A[0] as G2, ABar as G2),
    b: claims(B[0] as G2, BBar as G2),
    purpose: (letter) => ({
      use: "abs/abs-dleq",
      context: encode([chainId, namespace, account, letter, allA, allB]),
    }),
  };
}
