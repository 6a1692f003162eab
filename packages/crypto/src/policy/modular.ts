/** Arithmetic modulo the group order p that policies need: reduction, inversion, Lagrange coefficients at 0. */
import { ChartsealError } from "../errors.ts";
import { order } from "../pairing/pairing.ts";

/** The representative of x in 0 ≤ x < p. */
export function modulo(x: bigint): bigint {
  const rest = x % order;
  return rest < 0n ? rest + order : rest;
}

/** 1/x mod p by the extended Euclidean algorithm. Not constant time. @throws ChartsealError `defect` for zero */
export function inverse(x: bigint): bigint {
  let [r, nextR] = [order, modulo(x)];
  let [t, nextT] = [0n, 1n];
  if (nextR === 0n) throw new ChartsealError("defect", "zero has no inverse");
  while (nextR !== 0n) {
    const quotient = r / nextR;
    [r, nextR] = [nextR, r - quotient * nextR];
    [t, nextT] = [nextT, t - quotient * nextT];
  }
  return modulo(t);
}

/** λ_i with Σ λ_i q(i) = q(0) for every polynomial q of degree below the number of points. */
export function lagrangeAtZero(points: readonly number[]): bigint[] {
  return points.map((point) => {
    let numerator = 1n;
    let denominator = 1n;
    for (const other of points) {
      if (other === point) continue;
      numerator = modulo(numerator * BigInt(other));
      denominator = modulo(denominator * BigInt(other - point));
    }
    return modulo(numerator * inverse(denominator));
  });
}
