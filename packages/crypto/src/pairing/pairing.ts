/**
 * The only door to BLS12-381: e : G1 × G2 → GT, prime order p (CRYPTO §0).
 *
 * G1 and G2 are written additively, GT multiplicatively. Elements are opaque; scalars are `bigint`, 0 ≤ x < p, reduced
 * by the caller (`mod`). Encodings: Fr 32 bytes big-endian, G1 48 and G2 96 compressed with the ZCash flag bits,
 * GT 576 (twelve 48-byte big-endian coefficients; Fp12 c0‖c1, Fp6 c0‖c1‖c2, Fp2 c1 before c0).
 * The calls are vector-shaped: many rows cross the boundary at once, so a native backend pays one crossing a step.
 * No promise of constant time: see docs/threat-model.md.
 */

declare const kind: unique symbol;
export interface G1 {
  readonly [kind]: "G1";
}
export interface G2 {
  readonly [kind]: "G2";
}
export interface GT {
  readonly [kind]: "GT";
}

/** An integer modulo the group order, 0 ≤ x < p. */
export type Scalar = bigint;

/** p, the order of G1, G2 and GT: 255 bits. */
export const order = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n;

/** One summand of a row: [scalar]point. */
export interface Term<P> {
  readonly point: P;
  readonly scalar: Scalar;
  /**
   * A public base that comes back often (g1, g2, b, mpk, the hash point of an attribute in use): the backend may keep
   * a bounded, lazily built window table of it. Never set where the scalar is a long-term secret: table reads leak it.
   */
  readonly fixed?: boolean;
}

/** G1 or G2. */
export interface Group<P> {
  readonly generator: P;
  readonly zero: P;
  /** Size of the compressed encoding: 48 or 96 bytes. */
  readonly size: number;
  /** One result a row: Σ [scalar]point over the row's terms. An empty row gives zero. */
  linear(rows: readonly (readonly Term<P>[])[]): P[];
  /** [scalar]point; one row of `linear`. */
  multiply(point: P, scalar: Scalar): P;
  /** [secret]point for a long-term secret and a chosen point, as [x]point + [secret − x]point with fresh x (CRYPTO §0). */
  multiplySplit(point: P, secret: Scalar): P;
  add(a: P, b: P): P;
  sum(points: readonly P[]): P;
  negate(a: P): P;
  equal(a: P, b: P): boolean;
  isZero(a: P): boolean;
  /** RFC 9380 hash to curve of tag ‖ message, one point a message; cached in a bounded LRU. */
  hash(tag: string, messages: readonly Uint8Array[]): P[];
  encode(a: P): Uint8Array;
  /**
   * Strict: canonical, on the curve, in the subgroup. The identity is accepted unless `identity: "reject"`.
   * @throws ChartsealError `encoding-invalid`
   */
  decode(bytes: Uint8Array, options?: { identity?: "reject" }): P;
}

export interface TargetGroup {
  readonly one: GT;
  multiply(a: GT, b: GT): GT;
  invert(a: GT): GT;
  /** Π base^exponent. Right inside the subgroup only: `decode` or `clearCofactor` first. */
  power(terms: readonly { readonly base: GT; readonly exponent: Scalar; readonly fixed?: boolean }[]): GT;
  /** base^secret for a long-term secret, split as F^x · F^{secret−x} in one double exponentiation. */
  powerSplit(base: GT, secret: Scalar): GT;
  equal(a: GT, b: GT): boolean;
  isOne(a: GT): boolean;
  /** 576 bytes. */
  encode(a: GT): Uint8Array;
  /**
   * 576 bytes; tests canonical coefficients, x ≠ 0 and x^p = 1 by plain square-and-multiply (mcl checks none of it).
   * @throws ChartsealError `encoding-invalid`
   */
  decode(bytes: Uint8Array): GT;
  /**
   * For an untrusted T: canonical coefficients and T ≠ 0 are tested, then F = finalExp(T) = T^κ, which is in the
   * subgroup whatever T was. T^z = F^(z/κ) for T in the subgroup: use `cofactorInverse`.
   * @throws ChartsealError `encoding-invalid`
   */
  clearCofactor(bytes: Uint8Array): GT;
  /** 1/κ mod p, κ = 3(q^12 − 1)/p mod p. */
  readonly cofactorInverse: Scalar;
}

export interface Pairing {
  /** Name and version of the backend, for benchmarks and `doctor`. */
  readonly name: string;
  readonly g1: Group<G1>;
  readonly g2: Group<G2>;
  readonly gt: TargetGroup;
  /** Π e(a_i, b_i) with one final exponentiation. No pairs: one. */
  multiPairing(pairs: readonly (readonly [G1, G2])[]): GT;
}
