// Key generation: who ends with what, which dealers fall out, and the attacks that its rounds are there for.
import { describe, expect, test } from "vitest";
import { mod } from "../src/pairing/scalar.ts";
import { generation, keyIsConsistent } from "../src/threshold/generation.ts";
import type { KeySpace } from "../src/threshold/group.ts";
import { lagrangeAtZero } from "../src/threshold/shamir.ts";
import { agreedOf, audit, chainId, hexOf, play, reading, signing, subsets } from "./threshold-fixtures.ts";

function secretOf(shares: readonly { readonly index: number; readonly secret: bigint }[]): bigint {
  const weights = lagrangeAtZero(shares.map(({ index }) => index));
  return shares.reduce((sum, { secret }, k) => mod(sum + secret * weights[k]!), 0n);
}

function endToEnd<P>(space: KeySpace<P>, threshold: number, nodes: number): void {
  const result = play(generation(space, { chainId, nodes, threshold }));
  const { key, qualified } = agreedOf(result);
  expect(qualified).toHaveLength(nodes);
  expect(keyIsConsistent(space, key)).toBe(true);
  const sum = [...result.dealings.values()].reduce(
    (total, { coefficients }) => mod(total + coefficients[0]!),
    0n,
  );
  const publicOf = (secret: bigint) =>
    hexOf(space, space.group.combine([{ point: space.base, scalar: secret }]));
  expect(hexOf(space, key.publicKey)).toBe(publicOf(sum));
  for (const indices of subsets(nodes, threshold)) {
    expect(secretOf(indices.map((index) => result.shares[index - 1]!))).toBe(sum);
  }
  for (const indices of threshold > 1 ? subsets(nodes, threshold - 1) : []) {
    expect(secretOf(indices.map((index) => result.shares[index - 1]!))).not.toBe(sum);
  }
}

describe("a run in which all are honest", () => {
  for (const [threshold, nodes] of [
    [1, 1],
    [2, 3],
    [3, 5],
  ] as const) {
    test(`${threshold} of ${nodes}: any t shares give the secret behind the public key, fewer do not, in all three groups`, () => {
      endToEnd(reading, threshold, nodes);
      endToEnd(signing, threshold, nodes);
      endToEnd(audit, threshold, nodes);
    });
  }
});
