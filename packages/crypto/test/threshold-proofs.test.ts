// Shares and proofs of knowledge: what they accept, what they refuse, and why the challenge covers the images.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hashToScalar } from "../src/hash.ts";
import { order } from "../src/pairing/pairing.ts";
import { invert, mod } from "../src/pairing/scalar.ts";
import { randomScalar } from "../src/random.ts";
import { claim, type Proof, prove, verify } from "../src/threshold/proofs.ts";
import { evaluate, evaluateCommitments, lagrangeAtZero, polynomial } from "../src/threshold/shamir.ts";
import { audit, codeOf, pairing, reading, signing } from "./threshold-fixtures.ts";

const { g1 } = pairing;
const purpose = { use: "authority/audit-share", context: new Uint8Array([1, 2, 3]) } as const;

describe("shares", () => {
  test("of any t of n nodes give the secret, for every polynomial and every choice of nodes", () => {
    const scalar = fc.bigInt({ min: 0n, max: order - 1n });
    const nodes = fc.uniqueArray(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(scalar, nodes, fc.nat(7), (secret, indices, less) => {
        const coefficients = polynomial(Math.max(1, indices.length - less), secret);
        const weights = lagrangeAtZero(indices);
        const sum = indices.reduce(
          (total, index, k) => mod(total + weights[k]! * evaluate(coefficients, index)),
          0n,
        );
        return sum === secret;
      }),
      { numRuns: 100 },
    );
  });

  test("fit the image of the polynomial in the exponent", () => {
    const coefficients = polynomial(4, 11n);
    const images = coefficients.map((scalar) => g1.multiply(g1.generator, scalar));
    for (const index of [1, 2, 64]) {
      const image = evaluateCommitments(audit.group, images, index);
      expect(g1.equal(image, g1.multiply(g1.generator, evaluate(coefficients, index)))).toBe(true);
    }
  });

  test("of index 0, of a repeated one, of one outside the committee or of none are refused", () => {
    for (const indices of [[], [0, 1], [1, 1], [1, 65], [1.5], [-1], [Number.NaN]]) {
      expect(codeOf(() => lagrangeAtZero(indices))).toBe("input-invalid");
    }
    for (const index of [0, 65, -1, 0.5]) expect(codeOf(() => evaluate([1n], index))).toBe("input-invalid");
    for (const size of [0, 65, 1.5]) expect(codeOf(() => polynomial(size, 1n))).toBe("input-invalid");
  });
});

describe("a proof of one secret behind images in G1, G2 and GT", () => {
  const secret = randomScalar();
  const claims = [
    claim(audit.group, audit.base, audit.group.multiplySplit(audit.base, secret)),
    claim(signing.group, signing.base, signing.group.multiplySplit(signing.base, secret)),
    claim(reading.group, reading.base, reading.group.multiplySplit(reading.base, secret)),
  ];
  const proof = prove(claims, secret, purpose);

  test("holds, alone and together, and is made anew each time", () => {
    expect(verify(claims, proof, purpose)).toBe(true);
    expect(prove(claims, secret, purpose)).not.toEqual(proof);
    for (const one of claims) expect(verify([one], prove([one], secret, purpose), purpose)).toBe(true);
  });

  test("does not hold for another secret, claim, order, context or tag, or with a number changed", () => {
    const other = claim(audit.group, audit.base, g1.multiply(audit.base, mod(secret + 1n)));
    const otherBase = claim(audit.group, g1.add(audit.base, audit.base), g1.multiply(audit.base, secret));
    expect(verify([other, claims[1]!, claims[2]!], proof, purpose)).toBe(false);
    expect(verify([otherBase, claims[1]!, claims[2]!], proof, purpose)).toBe(false);
    expect(verify(claims.toReversed(), proof, purpose)).toBe(false);
    expect(verify(claims.slice(1), proof, purpose)).toBe(false);
    expect(verify(claims, proof, { ...purpose, context: new Uint8Array([1, 2]) })).toBe(false);
    expect(verify(claims, proof, { ...purpose, use: "authority/audit-proof" })).toBe(false);
    expect(verify(claims, { ...proof, response: mod(proof.response + 1n) }, purpose)).toBe(false);
    expect(verify(claims, { ...proof, challenge: mod(proof.challenge + 1n) }, purpose)).toBe(false);
    expect(verify([other], prove([other], secret, purpose), purpose)).toBe(false);
  });

  test("whose challenge left out the images would prove what is false: the image is solved for afterwards", () => {
    const second = g1.hash("chartseal-test\0", [new Uint8Array(2)])[0]!;
    const [k1, k2, response] = [randomScalar(), randomScalar(), randomScalar()];
    const commitments = [g1.multiply(audit.base, k1), g1.multiply(second, k2)];
    // Our challenge without the images: the context and the commitments alone, or the bases too.
    const weakened = [[], [audit.base, second]].map(
      (bases) => (points: readonly (typeof second)[]) =>
        hashToScalar(purpose.use, purpose.context, ...[...bases, ...points].map((point) => g1.encode(point))),
    );
    for (const weak of weakened) {
      const challenge = weak(commitments);
      // image = ([s]base − R) / c: two images whose logarithms differ.
      const images = [audit.base, second].map((base, i) => {
        const over = g1.add(g1.multiply(base, response), g1.negate(commitments[i]!));
        return g1.multiply(over, invert(challenge));
      });
      expect(mod(response - k1)).not.toBe(mod(response - k2));
      const forged: Proof = { challenge, response };
      const recovered = [audit.base, second].map((base, i) =>
        g1.add(g1.multiply(base, response), g1.negate(g1.multiply(images[i]!, challenge))),
      );
      expect(weak(recovered)).toBe(challenge);
      const claimed = [audit.base, second].map((base, i) => claim(audit.group, base, images[i]!));
      expect(verify(claimed, forged, purpose)).toBe(false);
    }
  });
});
