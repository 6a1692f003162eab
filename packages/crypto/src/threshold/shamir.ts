/**
 * Shamir's secret sharing over Fr (Shamir, *How to share a secret*, CACM 1979): a polynomial f of t coefficients with
 * f(0) the secret, share i = f(i) for nodes i = 1 … n; any t shares give f(0), fewer give nothing.
 * Index 0 would be the secret itself, a repeated index no new share: both are refused.
 */
import { ChartsealError } from "../errors.ts";
import type { Scalar } from "../pairing/pairing.ts";
import { invert, mod } from "../pairing/scalar.ts";
import { randomScalar } from "../random.ts";
import type { ProofGroup } from "./group.ts";

/** Most nodes a committee may have. */
export const nodesMax = 64;

/** @throws ChartsealError `input-invalid` unless 1 ≤ t ≤ n ≤ `nodesMax` */
export function checkSizes(threshold: number, nodes: number): void {
  const whole = Number.isInteger(threshold) && Number.isInteger(nodes);
  if (!whole || threshold < 1 || threshold > nodes || nodes > nodesMax) {
    throw new ChartsealError("input-invalid", `a committee has 1 ≤ t ≤ n ≤ ${nodesMax} nodes`);
  }
}

/** @throws ChartsealError `input-invalid` unless 1 ≤ index ≤ nodes */
export function checkIndex(index: number, nodes: number = nodesMax): void {
  if (!Number.isInteger(index) || index < 1 || index > nodes) {
    throw new ChartsealError("input-invalid", "a node's index is outside the committee", { data: { index } });
  }
}

/** t coefficients, the constant term first, the others fresh. Secret. */
export function polynomial(threshold: number, constant: Scalar): Scalar[] {
  checkSizes(threshold, nodesMax);
  const coefficients = [mod(constant)];
  while (coefficients.length < threshold) coefficients.push(randomScalar());
  return coefficients;
}

/** f(index), by Horner. */
export function evaluate(coefficients: readonly Scalar[], index: number): Scalar {
  checkIndex(index);
  return coefficients.reduceRight((value, coefficient) => mod(value * BigInt(index) + coefficient), 0n);
}

/** Σ_k [index^k]commitment_k: the public image of f(index). */
export function evaluateCommitments<P>(group: ProofGroup<P>, commitments: readonly P[], index: number): P {
  checkIndex(index);
  return group.combine(commitments.map((point, k) => ({ point, scalar: mod(BigInt(index) ** BigInt(k)) })));
}

/**
 * λ_i with f(0) = Σ λ_i f(i) for every f of at most as many coefficients as there are indices; in the indices' order.
 * @throws ChartsealError `input-invalid` for none, a repeated index, 0, or one above `nodesMax`
 */
export function lagrangeAtZero(indices: readonly number[]): Scalar[] {
  for (const index of indices) checkIndex(index);
  if (indices.length === 0 || new Set(indices).size !== indices.length) {
    throw new ChartsealError("input-invalid", "shares to combine come from distinct nodes");
  }
  return indices.map((i) => {
    let numerator = 1n;
    let denominator = 1n;
    for (const j of indices) {
      if (j === i) continue;
      numerator = mod(numerator * BigInt(j));
      denominator = mod(denominator * BigInt(j - i));
    }
    return mod(numerator * invert(denominator));
  });
}

/**
 * The parts to combine, with their weights at 0: of the distinct nodes' parts the `threshold` of lowest index.
 * @throws ChartsealError `input-invalid` for fewer than the threshold, or two of one node
 */
export function chooseParts<T extends { readonly node: number }>(
  parts: readonly T[],
  threshold: number,
): { readonly part: T; readonly weight: Scalar }[] {
  const sorted = [...parts].sort((a, b) => a.node - b.node);
  if (threshold < 1 || sorted.length < threshold) {
    throw new ChartsealError("input-invalid", "fewer nodes' parts than the threshold");
  }
  if (sorted.some(({ node }, k) => node === sorted[k + 1]?.node)) {
    throw new ChartsealError("input-invalid", "two parts of one node");
  }
  const used = sorted.slice(0, threshold);
  const weights = lagrangeAtZero(used.map(({ node }) => node));
  return used.map((part, i) => ({ part, weight: weights[i]! }));
}
