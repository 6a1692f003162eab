/**
 * One shape for G1, G2 and GT, so that proofs, commitments and key generation are written once. Written additively:
 * in GT "add" is the group's product and "multiply" its power. All three have the prime order p.
 *
 * The three committee secrets live in three places (CRYPTO §2.3, §3.1):
 *   reading  α   in GT over e(g1, g2)   never in G1: [α]g1 is k1 of a key with r = 0, which opens every record
 *   signing  a0  in G2 over h_0
 *   audit    δ   in G1 over g1
 */
import { pairingBase } from "../cpabe/scheme.ts";
import type { G1, G2, Group, GT, Pairing, Scalar } from "../pairing/pairing.ts";

/** One summand: [scalar]point. */
export interface Summand<P> {
  readonly point: P;
  readonly scalar: Scalar;
}

/** What proofs and commitments need of a group of order p. */
export interface ProofGroup<P> {
  readonly identity: P;
  /** Σ [scalar]point. */
  combine(terms: readonly Summand<P>[]): P;
  /** [secret]point for a long-term secret, as [x]point + [secret − x]point with fresh x (CRYPTO §0). */
  multiplySplit(point: P, secret: Scalar): P;
  equal(a: P, b: P): boolean;
  isIdentity(a: P): boolean;
  encode(a: P): Uint8Array;
  /** Strict, of the subgroup; the identity is accepted. @throws ChartsealError `encoding-invalid` */
  decode(bytes: Uint8Array): P;
}

export type KeyName = "reading" | "signing" | "audit";

/** Where a committee secret x is committed to: as [x]base. */
export interface KeySpace<P> {
  readonly name: KeyName;
  readonly group: ProofGroup<P>;
  readonly base: P;
}

/** G1 or G2 as a proof group. */
export function curveGroup<P>(group: Group<P>): ProofGroup<P> {
  return {
    identity: group.zero,
    combine: (terms) => group.linear([terms])[0]!,
    multiplySplit: (point, secret) => group.multiplySplit(point, secret),
    equal: (a, b) => group.equal(a, b),
    isIdentity: (a) => group.isZero(a),
    encode: (a) => group.encode(a),
    decode: (bytes) => group.decode(bytes),
  };
}

/** GT as a proof group. */
export function targetGroup(pairing: Pairing): ProofGroup<GT> {
  const { gt } = pairing;
  return {
    identity: gt.one,
    combine: (terms) => gt.power(terms.map(({ point, scalar }) => ({ base: point, exponent: scalar }))),
    multiplySplit: (point, secret) => gt.powerSplit(point, secret),
    equal: (a, b) => gt.equal(a, b),
    isIdentity: (a) => gt.isOne(a),
    encode: (a) => gt.encode(a),
    decode: (bytes) => gt.decode(bytes),
  };
}

/** α: commitments e(g1, g2)^a. Its public key is mpk. */
export function readingKeySpace(pairing: Pairing): KeySpace<GT> {
  return { name: "reading", group: targetGroup(pairing), base: pairingBase(pairing) };
}

/** a0: commitments [a]h_0, h_0 of the signature scheme's parameters. Its public key is A0. */
export function signingKeySpace(pairing: Pairing, h0: G2): KeySpace<G2> {
  return { name: "signing", group: curveGroup(pairing.g2), base: h0 };
}

/** δ: commitments [a]g1. Its public key is D. */
export function auditKeySpace(pairing: Pairing): KeySpace<G1> {
  return { name: "audit", group: curveGroup(pairing.g1), base: pairing.g1.generator };
}
