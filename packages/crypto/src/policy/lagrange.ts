/** Lagrange coefficients at 0 for small points: how k children of a threshold add up to its secret. */
import { invert, mod, multiplyMod } from "../pairing/scalar.ts";

/** λ_i with Σ λ_i q(i) = q(0) for every polynomial q of degree below the number of points, which are distinct. */
export function lagrangeAtZero(points: readonly number[]): bigint[] {
  return points.map((point) => {
    let numerator = 1n;
    let denominator = 1n;
    for (const other of points) {
      if (other === point) continue;
      numerator = multiplyMod(numerator, BigInt(other));
      denominator = multiplyMod(denominator, mod(BigInt(other - point)));
    }
    return multiplyMod(numerator, invert(denominator));
  });
}
