/**
 * The CP-ABE of Bethencourt, Sahai and Waters (IEEE S&P 2007, §4.2), carried over to an asymmetric pairing with keys in
 * G1 and ciphertext shares in both groups; a peer for figure 2, written over the same backend as ours. Not for use.
 *
 * Letters: α, β master secrets; h = [β]g2; Y = e(g1,g2)^α; D, D_u, D'_u the key; C, C_y, C'_y the ciphertext.
 */
import {
  type G1,
  type G2,
  type GT,
  order,
  type Pairing,
  type Policy,
  randomScalar,
  type Scalar,
  select,
  spanProgram,
  utf8,
} from "@chartseal/crypto";
import { shares } from "./shares.ts";

export interface Bsw07Public {
  readonly h: G2;
  readonly Y: GT;
}
export interface Bsw07Master {
  readonly alpha: Scalar;
  readonly betaInverse: Scalar;
}
export interface Bsw07Key {
  readonly D: G1;
  readonly leaves: ReadonlyMap<string, { readonly D: G1; readonly DPrime: G2 }>;
}
export interface Bsw07Ciphertext {
  readonly C: G2;
  readonly rows: readonly { readonly C: G2; readonly CPrime: G1 }[];
}

const hashUse = "chartseal-v1/cpabe/attr\0";
const hashAll = (pairing: Pairing, attributes: readonly string[]): G1[] =>
  pairing.g1.hash(hashUse, attributes.map(utf8));

export function setup(
  pairing: Pairing,
  invert: (x: Scalar) => Scalar,
): { publicKey: Bsw07Public; master: Bsw07Master } {
  const alpha = randomScalar({ nonZero: true });
  const beta = randomScalar({ nonZero: true });
  const { g1, g2, gt } = pairing;
  const Y = gt.power([{ base: pairing.multiPairing([[g1.generator, g2.generator]]), exponent: alpha }]);
  return {
    publicKey: { h: g2.multiply(g2.generator, beta), Y },
    master: { alpha, betaInverse: invert(beta) },
  };
}

/** n + 1 multiplications in G1 and n double ones, n in G2. */
export function keygen(pairing: Pairing, master: Bsw07Master, attributes: readonly string[]): Bsw07Key {
  const { g1, g2 } = pairing;
  const r = randomScalar({ nonZero: true });
  const each = attributes.map(() => randomScalar({ nonZero: true }));
  const points = hashAll(pairing, attributes);
  const D = g1.linear([
    [{ point: g1.generator, scalar: ((master.alpha + r) * master.betaInverse) % order, fixed: true }],
    ...points.map((point, i) => [
      { point: g1.generator, scalar: r, fixed: true },
      { point, scalar: each[i]!, fixed: true },
    ]),
  ]);
  const DPrime = g2.linear(each.map((scalar) => [{ point: g2.generator, scalar, fixed: true }]));
  return { D: D[0]!, leaves: new Map(attributes.map((u, i) => [u, { D: D[i + 1]!, DPrime: DPrime[i]! }])) };
}

/** n multiplications in G1, n + 1 in G2, one in GT. */
export function encrypt(
  pairing: Pairing,
  key: Bsw07Public,
  policy: Policy,
): { ciphertext: Bsw07Ciphertext; K: GT } {
  const { g1, g2, gt } = pairing;
  const program = spanProgram(policy);
  const { secret, lambda } = shares(program);
  const points = hashAll(
    pairing,
    program.rows.map((row) => row.attribute),
  );
  const C = g2.linear([
    [{ point: key.h, scalar: secret, fixed: true }],
    ...lambda.map((scalar) => [{ point: g2.generator, scalar, fixed: true }]),
  ]);
  const CPrime = g1.linear(points.map((point, i) => [{ point, scalar: lambda[i]!, fixed: true }]));
  return {
    ciphertext: { C: C[0]!, rows: CPrime.map((point, i) => ({ C: C[i + 1]!, CPrime: point })) },
    K: gt.power([{ base: key.Y, exponent: secret, fixed: true }]),
  };
}

/** 2n + 1 Miller loops, one final exponentiation. */
export function decrypt(pairing: Pairing, key: Bsw07Key, policy: Policy, ciphertext: Bsw07Ciphertext): GT {
  const opening = select(policy, new Set(key.leaves.keys()));
  if (opening === undefined) throw new Error("the key does not satisfy the policy");
  const program = spanProgram(policy);
  const pairs = opening.rows.flatMap((row, at): [G1, G2][] => {
    const leaf = key.leaves.get(program.rows[row]!.attribute)!;
    const { C, CPrime } = ciphertext.rows[row]!;
    const gamma = opening.coefficients[at]!;
    const [share, mask] = pairing.g1.linear([
      [{ point: leaf.D, scalar: (order - gamma) % order }],
      [{ point: CPrime, scalar: gamma }],
    ]);
    return [
      [share!, C],
      [mask!, leaf.DPrime],
    ];
  });
  return pairing.multiPairing([[key.D, ciphertext.C], ...pairs]);
}
