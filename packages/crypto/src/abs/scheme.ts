/**
 * Attribute-based signatures: the algebra and nothing else.
 * Maji, Prabhakaran, Rosulek: Attribute-Based Signatures, CT-RSA 2011, the practical instantiation, proved in the
 * generic group model, with several authorities (CRYPTO §3). The paper's Setup, AttrGen, Sign and Verify in its order.
 *
 * Letters of the paper:  g, C in G1, h_0 … h_T in G2 the parameters · a0, A0 = [a0]h_0 the committee · K_0, K_base =
 *   [a0]K_0 of a signer · a, b, A_j = [a]h_j, B_j = [b]h_j of a namespace · u the scalar of an attribute with its
 *   period · K_u = [1/(a + b·u)]K_base · M the matrix, ρ(i) the attribute of row i, γ the coefficients that open it ·
 *   X_ij = A_j + [u_i]B_j the row bases · r_0 … r_ℓ randomness · μ the scalar of what is signed · Y, W, S_i, P_j the
 *   signature. Sizes: 48 (2 + ℓ) + 96 c bytes for ℓ rows and c columns.
 * Columns count from 1 as in the paper; arrays hold column j at index j − 1.
 */
import { concat, u32, utf8 } from "../bytes.ts";
import { ChartsealError } from "../errors.ts";
import { hashToScalar } from "../hash.ts";
import type { G1, G2, Pairing, Scalar, Term } from "../pairing/pairing.ts";
import { invert, mod, multiplyMod } from "../pairing/scalar.ts";
import type { SpanProgram } from "../policy/span-program.ts";
import { randomScalar } from "../random.ts";
import { tag } from "../tags.ts";

/** T: as many columns as a policy may have. */
export const columnsMax = 256;

/** g, C and h_0 … h_T, hashed when first asked for. */
export interface AbsParameters {
  readonly g: G1;
  readonly C: G1;
  /** h_j, 0 ≤ j ≤ T. */
  h(j: number): G2;
}

export interface Signature {
  readonly Y: G1;
  readonly W: G1;
  /** S_1 … S_ℓ */
  readonly S: readonly G1[];
  /** P_1 … P_c */
  readonly P: readonly G2[];
}

/** What a signature is made and checked over: the matrix, and X_ij for each of its non-zero entries, in their order. */
export interface Rows {
  readonly program: SpanProgram;
  readonly X: readonly (readonly G2[])[];
}

/** One signature in a batch. */
export interface Claimed {
  readonly rows: Rows;
  readonly mu: Scalar;
  readonly signature: Signature;
}

const known = new WeakMap<Pairing, AbsParameters>();

/** The parameters of the system: nobody's choice, thus no trapdoor. */
export function parameters(pairing: Pairing): AbsParameters {
  const found = known.get(pairing);
  if (found !== undefined) return found;
  const bases: (G2 | undefined)[] = [];
  const empty = new Uint8Array(0);
  const made: AbsParameters = {
    g: pairing.g1.hash(tag("abs/abs-g"), [empty])[0] as G1,
    C: pairing.g1.hash(tag("abs/abs-c"), [empty])[0] as G1,
    h(j) {
      if (!(Number.isInteger(j) && j >= 0 && j <= columnsMax)) {
        throw new ChartsealError("policy-limit", `a policy has at most ${columnsMax} columns`);
      }
      bases[j] ??= pairing.g2.hash(tag("abs/abs-h"), [u32(j)])[0] as G2;
      return bases[j];
    },
  };
  known.set(pairing, made);
  return made;
}

/** K_0 = H1("…/abs-user" ‖ account), account 20 bytes. */
export function signerPoint(pairing: Pairing, account: Uint8Array): G1 {
  if (account.length !== 20) throw new ChartsealError("input-invalid", "an account is 20 bytes");
  return pairing.g1.hash(tag("abs/abs-user"), [account])[0] as G1;
}

/** u = H_p("…/abs-attr", name@namespace#period). */
export function attributeScalar(signingAttribute: string): Scalar {
  return hashToScalar("abs/abs-attr", utf8(signingAttribute));
}

/** X_j = A_j + [u]B_j. */
export function rowBase(pairing: Pairing, A: G2, B: G2, u: Scalar): G2 {
  const row: Term<G2>[] = [
    { point: A, scalar: 1n },
    { point: B, scalar: u },
  ];
  return pairing.g2.linear([row])[0] as G2;
}

/** e(K_base, h_0) = e(K_0, A0), K_base ≠ 0. */
export function baseFits(pairing: Pairing, K0: G1, Kbase: G1, A0: G2): boolean {
  if (pairing.g1.isZero(Kbase)) return false;
  const { h } = parameters(pairing);
  const quotient = pairing.multiPairing([
    [Kbase, h(0)],
    [pairing.g1.negate(K0), A0],
  ]);
  return pairing.gt.isOne(quotient);
}

/** K_u = [1/(a + b·u)]K_base: K_base is a point that a caller chose, so the secret meets it split. */
export function attributeKeyPoint(
  pairing: Pairing,
  { a, b }: { readonly a: Scalar; readonly b: Scalar },
  u: Scalar,
  Kbase: G1,
): G1 {
  const denominator = mod(a + multiplyMod(b, u));
  if (denominator === 0n) throw new ChartsealError("issue-refused", "this attribute cannot be signed for");
  return pairing.g1.multiplySplit(Kbase, invert(denominator));
}

/** C + [μ]g. */
export function messagePoint(pairing: Pairing, mu: Scalar): G1 {
  const { g, C } = parameters(pairing);
  const row: Term<G1>[] = [
    { point: C, scalar: 1n },
    { point: g, scalar: mu, fixed: true },
  ];
  return pairing.g1.linear([row])[0] as G1;
}

/**
 * Sign: γ and K hold one value a row, γ_i = 0 where the row is not used, and then no K_ρ(i) is needed. r_0 ≠ 0 and
 * r_1 … r_ℓ are drawn in this order.
 */
export function signRows(
  pairing: Pairing,
  rows: Rows,
  mu: Scalar,
  signer: {
    readonly K0: G1;
    readonly Kbase: G1;
    readonly gamma: readonly Scalar[];
    readonly K: readonly (G1 | undefined)[];
  },
): Signature {
  const { program, X } = rows;
  const r0 = randomScalar({ nonZero: true });
  const r = program.rows.map(() => randomScalar());
  const message = messagePoint(pairing, mu);
  const columns: Term<G2>[][] = Array.from({ length: program.columns }, () => []);
  for (const [i, row] of program.rows.entries()) {
    for (const [at, [column, value]] of row.entries.entries()) {
      columns[column]?.push({ point: X[i]?.[at] as G2, scalar: multiplyMod(value, r[i] ?? 0n) });
    }
  }
  const S = program.rows.map((_, i): Term<G1>[] => {
    const blind = { point: message, scalar: r[i] ?? 0n };
    const [gamma, K] = [signer.gamma[i] ?? 0n, signer.K[i]];
    return gamma === 0n || K === undefined ? [blind] : [{ point: K, scalar: multiplyMod(gamma, r0) }, blind];
  });
  const [Y, W, ...rest] = pairing.g1.linear([
    [{ point: signer.Kbase, scalar: r0 }],
    [{ point: signer.K0, scalar: r0 }],
    ...S,
  ]);
  return { Y: Y as G1, W: W as G1, S: rest, P: pairing.g2.linear(columns) };
}

/** Exact lengths, Y ≠ 0, W ≠ 0; S_i and P_j may be the identity. Decoding has checked the subgroups. */
export function wellFormed(pairing: Pairing, { rows: { program }, signature }: Claimed): boolean {
  const { Y, W, S, P } = signature;
  const sizes = S.length === program.rows.length && P.length === program.columns;
  return sizes && !pairing.g1.isZero(Y) && !pairing.g1.isZero(W);
}

/** How many equations, thus weights, a signature brings to a batch: one for W and one a column. */
export function equationCount({ rows }: Claimed): number {
  return 1 + rows.program.columns;
}

/**
 * Verify, all equations of all signatures as one product with one final exponentiation. Each is raised to a weight:
 *   e(W, A0) = e(Y, h_0)
 *   Π_i e(S_i, [M_ij]X_ij) = e(Y, h_1)·e(C + [μ]g, P_1) for j = 1,  = e(C + [μ]g, P_j) for j > 1
 * For one signature ℓ + 3 Miller loops. For many, pairs with one element of G2 (h_0, h_1, A0, the row bases of one
 * policy) are joined, and C + [μ]g is taken apart into C and g: 5 loops for the batch and one for each non-zero entry
 * of each different policy.
 * @param weight of an equation, counted over the whole batch: who can predict it can forge
 */
export function equationsHold(
  pairing: Pairing,
  A0: G2,
  batch: readonly Claimed[],
  weight: (equation: number) => Scalar,
): boolean {
  let equation = 0;
  const weighted = batch.map((claimed): Weighted => {
    const first = equation;
    equation += equationCount(claimed);
    return { ...claimed, weights: Array.from({ length: equation - first }, (_, k) => weight(first + k)) };
  });
  const only = weighted.length === 1 ? weighted[0] : undefined;
  const pairs = only === undefined ? joinedPairs(pairing, A0, weighted) : singlePairs(pairing, A0, only);
  return pairing.gt.isOne(pairing.multiPairing(pairs));
}

/** weights[0] is of the equation of W, weights[j] of column j. */
interface Weighted extends Claimed {
  readonly weights: readonly Scalar[];
}

type Pair = readonly [G1, G2];

/** ρ_j M_ij for the entries of row i. */
function entryWeights({ rows, weights }: Weighted, i: number): Scalar[] {
  return (rows.program.rows[i]?.entries ?? []).map(([column, value]) =>
    multiplyMod(weights[column + 1] ?? 0n, value),
  );
}

/** Σ_j ρ_j P_j as terms, each coefficient times `factor`. */
function columnTerms({ signature, weights }: Weighted, factor: Scalar): Term<G2>[] {
  return signature.P.map((point, j) => ({ point, scalar: multiplyMod(weights[j + 1] ?? 0n, factor) }));
}

function singlePairs(pairing: Pairing, A0: G2, claimed: Weighted): Pair[] {
  const { g1, g2 } = pairing;
  const { h } = parameters(pairing);
  const { signature, rows, weights, mu } = claimed;
  const [w0, w1] = [weights[0] ?? 0n, weights[1] ?? 0n];
  const [ofY, ofMessage, ...ofRows] = g2.linear([
    [
      { point: h(0), scalar: mod(-w0), fixed: true },
      { point: h(1), scalar: mod(-w1), fixed: true },
    ],
    columnTerms(claimed, mod(-1n)),
    ...rows.X.map((points, i) => {
      const scalars = entryWeights(claimed, i);
      return points.map((point, at) => ({ point, scalar: scalars[at] ?? 0n }));
    }),
  ]);
  return [
    [g1.multiply(signature.W, w0), A0],
    [signature.Y, ofY as G2],
    [messagePoint(pairing, mu), ofMessage as G2],
    ...ofRows.map((point, i): Pair => [signature.S[i] as G1, point]),
  ];
}

function joinedPairs(pairing: Pairing, A0: G2, batch: readonly Weighted[]): Pair[] {
  const { g1, g2 } = pairing;
  const { h, g, C } = parameters(pairing);
  const byRows = new Map<Rows, Weighted[]>();
  for (const claimed of batch) byRows.set(claimed.rows, [...(byRows.get(claimed.rows) ?? []), claimed]);
  const bases: G2[] = [A0, h(0), h(1)];
  const sums: Term<G1>[][] = [
    batch.map(({ signature, weights }) => ({ point: signature.W, scalar: weights[0] ?? 0n })),
    batch.map(({ signature, weights }) => ({ point: signature.Y, scalar: mod(-(weights[0] ?? 0n)) })),
    batch.map(({ signature, weights }) => ({ point: signature.Y, scalar: mod(-(weights[1] ?? 0n)) })),
  ];
  for (const [rows, group] of byRows) {
    for (const [i, points] of rows.X.entries()) {
      const scalars = group.map((claimed) => entryWeights(claimed, i));
      for (const [at, point] of points.entries()) {
        bases.push(point);
        sums.push(
          group.map(({ signature }, s) => ({ point: signature.S[i] as G1, scalar: scalars[s]?.[at] ?? 0n })),
        );
      }
    }
  }
  const columns = g2.linear(batch.map((claimed) => columnTerms(claimed, 1n)));
  const [ofG] = g2.linear([columns.map((point, s) => ({ point, scalar: batch[s]?.mu ?? 0n }))]);
  return [
    ...g1.linear(sums).map((sum, at): Pair => [sum, bases[at] as G2]),
    [g1.negate(C), g2.sum(columns)],
    [g1.negate(g), ofG as G2],
  ];
}

/** The encodings of points of one group, joined. */
export function encodeAll<P>(group: { encode(point: P): Uint8Array }, points: readonly P[]): Uint8Array {
  return concat(...points.map((point) => group.encode(point)));
}
