/**
 * The CP-ABE of Waters (PKC 2011, §3) with attributes hashed to points, carried over to an asymmetric pairing; a peer
 * for figure 2, written over the same backend as ours. Not for use.
 *
 * Letters: α, a master secrets; K, L, K_u the key; C', C_i, D_i the ciphertext.
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

export interface Waters11Public {
  readonly aPoint: G1;
  readonly Y: GT;
}
export interface Waters11Master {
  readonly alpha: Scalar;
  readonly a: Scalar;
}
export interface Waters11Key {
  readonly K: G1;
  readonly L: G2;
  readonly leaves: ReadonlyMap<string, G1>;
}
export interface Waters11Ciphertext {
  readonly CPrime: G2;
  readonly C: readonly G1[];
  readonly D: readonly G2[];
}

const hashUse = "chartseal-v1/cpabe/attr\0";
const hashAll = (pairing: Pairing, attributes: readonly string[]): G1[] =>
  pairing.g1.hash(hashUse, attributes.map(utf8));

export function setup(pairing: Pairing): { publicKey: Waters11Public; master: Waters11Master } {
  const { g1, g2, gt } = pairing;
  const alpha = randomScalar({ nonZero: true });
  const a = randomScalar({ nonZero: true });
  const Y = gt.power([{ base: pairing.multiPairing([[g1.generator, g2.generator]]), exponent: alpha }]);
  return { publicKey: { aPoint: g1.multiply(g1.generator, a), Y }, master: { alpha, a } };
}

/** n + 1 multiplications in G1, one in G2. */
export function keygen(pairing: Pairing, master: Waters11Master, attributes: readonly string[]): Waters11Key {
  const { g1, g2 } = pairing;
  const t = randomScalar({ nonZero: true });
  const points = hashAll(pairing, attributes);
  const rows = g1.linear([
    [{ point: g1.generator, scalar: (master.alpha + master.a * t) % order, fixed: true }],
    ...points.map((point) => [{ point, scalar: t, fixed: true }]),
  ]);
  const L = g2.linear([[{ point: g2.generator, scalar: t, fixed: true }]])[0]!;
  return { K: rows[0]!, L, leaves: new Map(attributes.map((u, i) => [u, rows[i + 1]!])) };
}

/** n double multiplications in G1, n + 1 in G2, one in GT. */
export function encrypt(
  pairing: Pairing,
  key: Waters11Public,
  policy: Policy,
): { ciphertext: Waters11Ciphertext; K: GT } {
  const { g1, g2, gt } = pairing;
  const program = spanProgram(policy);
  const { secret, lambda } = shares(program);
  const points = hashAll(
    pairing,
    program.rows.map((row) => row.attribute),
  );
  const r = points.map(() => randomScalar({ nonZero: true }));
  const C = g1.linear(
    points.map((point, i) => [
      { point: key.aPoint, scalar: lambda[i]!, fixed: true },
      { point, scalar: order - r[i]!, fixed: true },
    ]),
  );
  const [CPrime, ...D] = g2.linear(
    [secret, ...r].map((scalar) => [{ point: g2.generator, scalar, fixed: true }]),
  );
  return {
    ciphertext: { CPrime: CPrime!, C, D },
    K: gt.power([{ base: key.Y, exponent: secret, fixed: true }]),
  };
}

/** n + 2 Miller loops, one final exponentiation. */
export function decrypt(
  pairing: Pairing,
  key: Waters11Key,
  policy: Policy,
  ciphertext: Waters11Ciphertext,
): GT {
  const opening = select(policy, new Set(key.leaves.keys()));
  if (opening === undefined) throw new Error("the key does not satisfy the policy");
  const program = spanProgram(policy);
  const minus = opening.coefficients.map((gamma) => (order - gamma) % order);
  const rows = opening.rows.map((row) => program.rows[row]!.attribute);
  const [sum, ...leaves] = pairing.g1.linear([
    opening.rows.map((row, at) => ({ point: ciphertext.C[row]!, scalar: minus[at]! })),
    ...rows.map((attribute, at) => [{ point: key.leaves.get(attribute)!, scalar: minus[at]! }]),
  ]);
  const tail = leaves.map((point, at): [G1, G2] => [point, ciphertext.D[opening.rows[at]!]!]);
  return pairing.multiPairing([[key.K, ciphertext.CPrime], [sum!, key.L], ...tail]);
}
