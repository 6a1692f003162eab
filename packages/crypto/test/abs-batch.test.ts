// Batches of attribute-based signatures: what they cost, how bad ones are named, and why the weights must follow from
// every byte (CRYPTO §3, Batching).
import { describe, expect, test } from "vitest";
import { batchWeights, messageScalar, type Signed, sign, verify, verifyBatch } from "../src/abs/abs.ts";
import { rowBases } from "../src/abs/row-bases.ts";
import { equationsHold, messagePoint, parameters, type Signature } from "../src/abs/scheme.ts";
import { countingPairing, type OperationCounts } from "../src/pairing/counting.ts";
import type { G1, Scalar } from "../src/pairing/pairing.ts";
import { invert, mod } from "../src/pairing/scalar.ts";
import { randomScalar } from "../src/random.ts";
import { committeeKey, pairing, signer, statement } from "./abs-fixtures.ts";

const { g1, g2 } = pairing;
const policyText = "cardiologist@cedars and head@mercy and nurse@trial";
const alice = signer("alice", "cardiologist@cedars", "head@mercy", "nurse@trial");

function signed(text: string, message: string): Signed {
  const what = statement(text, message);
  return { ...what, signature: sign(pairing, what, alice) };
}

/** Milliseconds by the measured prices of one operation each (mcl-wasm); every term at the price of a whole one. */
function price({ E1terms, E2terms, P, F }: OperationCounts): number {
  return 0.28 * E1terms + 0.65 * E2terms + 1.3 * P + 2.2 * F;
}

const hundred = Array.from({ length: 100 }, (_, i) => signed(policyText, `message ${i}`));

describe("a batch", () => {
  test("of one takes ℓ + 3 Miller loops and one final exponentiation", () => {
    const counted = countingPairing(pairing);
    for (const [text, rows] of [
      ["cardiologist@cedars", 1],
      [policyText, 3],
      ["nurse@trial or 2 of (a@cedars, b@cedars, c@cedars)", 4],
    ] as const) {
      const one = signed(text, "a message");
      verify(counted.pairing, committeeKey, one);
      counted.reset();
      expect(verify(counted.pairing, committeeKey, one)).toBe(true);
      expect(counted.counts()).toMatchObject({ P: rows + 3, F: 1, H: 0 });
    }
  });

  test("of 100 verifies with one final exponentiation and for less than a third of what they cost one by one", () => {
    const counted = countingPairing(pairing);
    expect(verifyBatch(counted.pairing, committeeKey, hundred)).toEqual([]);
    counted.reset();
    verifyBatch(counted.pairing, committeeKey, hundred);
    const together = counted.counts();
    // A0, h_0, h_1, C, g, and the 5 non-zero entries of the matrix.
    expect(together).toMatchObject({ P: 10, F: 1 });
    counted.reset();
    verify(counted.pairing, committeeKey, hundred[0] as Signed);
    const alone = counted.counts();
    expect(price(together)).toBeLessThan((100 * price(alone)) / 3);
  });

  test("names the bad one among 100, with one more final exponentiation for each halving", () => {
    const counted = countingPairing(pairing);
    const [bad, good] = [hundred[37] as Signed, hundred[38] as Signed];
    const batch = hundred.with(37, { ...bad, signature: good.signature });
    verifyBatch(counted.pairing, committeeKey, [good]);
    counted.reset();
    expect(verifyBatch(counted.pairing, committeeKey, batch)).toEqual([37]);
    expect(counted.counts().F).toBeLessThanOrEqual(1 + 2 * 7);
  });

  test("names every bad one, malformed ones too, whatever the policies", () => {
    const texts = [
      policyText,
      "cardiologist@cedars",
      "nurse@trial or a@cedars",
      "2 of (nurse@trial, head@mercy, a@cedars)",
    ];
    const batch = Array.from({ length: 12 }, (_, i) => signed(texts[i % 4] ?? policyText, `mixed ${i}`));
    expect(verifyBatch(pairing, committeeKey, batch)).toEqual([]);
    const spoil = (at: number, change: (signature: Signature) => Signature) => {
      const one = batch[at] as Signed;
      batch[at] = { ...one, signature: change(one.signature) };
    };
    spoil(0, (signature) => ({ ...signature, Y: g1.zero }));
    spoil(3, (signature) => ({ ...signature, P: signature.P.slice(1) }));
    spoil(7, (signature) => ({ ...signature, W: g1.add(signature.W, signature.W) }));
    batch[9] = { ...(batch[9] as Signed), periods: new Map() };
    spoil(11, (signature) => ({ ...signature, S: signature.S.toReversed() }));
    expect(verifyBatch(pairing, committeeKey, batch)).toEqual([0, 3, 7, 9, 11]);
    expect(verifyBatch(pairing, committeeKey, [])).toEqual([]);
    expect(verifyBatch(pairing, committeeKey, [batch[0] as Signed])).toEqual([0]);
    const same = batch[1] as Signed;
    expect(verifyBatch(pairing, committeeKey, [same, same, same])).toEqual([]);
    expect(verifyBatch(pairing, g2.generator, [same, same])).toEqual([0, 1]);
  });
});

describe("the weights", () => {
  const two = hundred.slice(0, 2);

  function itemOf(one: Signed) {
    const rows = rowBases(pairing, one);
    return { rows, mu: messageScalar(one, rows), signature: one.signature };
  }

  function weightsOf(batch: readonly Signed[], count = 8): Scalar[] {
    const weight = batchWeights(pairing, committeeKey, batch.map(itemOf));
    return Array.from({ length: count }, (_, k) => weight(k));
  }

  test("are 1 and then 16 bytes each, the same for every validator, and different for any other byte", () => {
    const weights = weightsOf(two);
    expect(weights).toEqual(weightsOf(two));
    expect(weights[0]).toBe(1n);
    expect(new Set(weights).size).toBe(8);
    expect(weights.every((weight) => weight < 1n << 128n)).toBe(true);
    const [one, other] = two as [Signed, Signed];
    const { signature } = other;
    const variants: Signed[] = [
      { ...other, signature: { ...signature, Y: g1.add(signature.Y, g1.generator) } },
      { ...other, signature: { ...signature, W: g1.add(signature.W, g1.generator) } },
      { ...other, signature: { ...signature, S: signature.S.with(2, g1.zero) } },
      { ...other, signature: { ...signature, P: signature.P.with(2, g2.zero) } },
      { ...other, message: one.message },
      { ...other, kind: "request" },
    ];
    for (const variant of variants) {
      const changed = weightsOf([one, variant]);
      for (const [k, weight] of changed.entries()) if (k > 0) expect(weight).not.toBe(weights[k]);
    }
    expect(weightsOf([other, one])[1]).not.toBe(weights[1]);
    expect(weightsOf([one])[1]).not.toBe(weights[1]);
  });

  /** Without any key: every G1 element a multiple of C + [μ]g, and P_1 what the one weighted equation then asks. */
  function forge(one: Signed, weight: (equation: number) => Scalar): Signature {
    const { rows, mu } = itemOf(one);
    const { h } = parameters(pairing);
    const message = messagePoint(pairing, mu);
    const s = rows.program.rows.map(() => randomScalar({ nonZero: true }));
    const [y, w] = [randomScalar({ nonZero: true }), randomScalar({ nonZero: true })];
    const P = rows.program.rows.map(() => g2.multiply(g2.generator, randomScalar()));
    const terms = [
      { point: committeeKey, scalar: mod(w * weight(0)) },
      { point: h(0), scalar: mod(-y * weight(0)) },
      { point: h(1), scalar: mod(-y * weight(1)) },
      ...rows.program.rows.flatMap(({ entries }, i) =>
        entries.map(([column, value], at) => ({
          point: rows.X[i]?.[at] ?? g2.zero,
          scalar: mod((s[i] ?? 0n) * value * weight(column + 1)),
        })),
      ),
      ...P.slice(1).map((point, j) => ({ point, scalar: mod(-weight(j + 2)) })),
    ];
    const asked = g2.linear([terms])[0] ?? g2.zero;
    return {
      Y: g1.multiply(message, y),
      W: g1.multiply(message, w),
      S: s.map((scalar): G1 => g1.multiply(message, scalar)),
      P: P.with(0, g2.multiply(asked, invert(weight(1)))),
    };
  }

  test("from a fixed seed let anyone forge, and here nobody", () => {
    const one = hundred[0] as Signed;
    const fixed = batchWeights(pairing, committeeKey, []);
    const signature = forge(one, fixed);
    const item = { ...itemOf(one), signature };
    expect(equationsHold(pairing, committeeKey, [item], fixed)).toBe(true);
    expect(equationsHold(pairing, committeeKey, [item, itemOf(hundred[1] as Signed)], fixed)).toBe(true);
    expect(verify(pairing, committeeKey, { ...one, signature })).toBe(false);
    expect(verifyBatch(pairing, committeeKey, [{ ...one, signature }, hundred[1] as Signed])).toEqual([0]);
  });

  test("taken from the batch before a signature was changed let that change pass, and here it is named", () => {
    const one = hundred[0] as Signed;
    const before = batchWeights(pairing, committeeKey, [itemOf(one)]);
    const signature = forge(one, before);
    expect(equationsHold(pairing, committeeKey, [{ ...itemOf(one), signature }], before)).toBe(true);
    expect(verify(pairing, committeeKey, { ...one, signature })).toBe(false);
  });

  test("all equal would let two bad signatures cancel each other", () => {
    const [one, other] = two as [Signed, Signed];
    const twin = { ...one, signature: other.signature, message: other.message };
    const offset = g2.multiply(g2.generator, 5n);
    const bend = (to: Signed, by: typeof offset): Signed => ({
      ...to,
      signature: { ...to.signature, P: to.signature.P.with(0, g2.add(to.signature.P[0] ?? g2.zero, by)) },
    });
    const pair = [bend(twin, offset), bend(twin, g2.negate(offset))];
    expect(equationsHold(pairing, committeeKey, pair.map(itemOf), () => 1n)).toBe(true);
    expect(verifyBatch(pairing, committeeKey, pair)).toEqual([0, 1]);
  });
});

describe("row bases", () => {
  const inPeriod = (label: string) => {
    const one = statement("cardiologist@cedars");
    return { ...one, periods: new Map([["cardiologist@cedars", label]]) };
  };

  test("are kept for the 64 policies used last, and no more", () => {
    const counted = countingPairing(pairing);
    const made = (label: string): number => {
      counted.reset();
      rowBases(counted.pairing, inPeriod(label));
      return counted.counts().E2;
    };
    for (let i = 0; i < 64; i++) expect(made(`p${i}`)).toBe(1);
    expect(made("p0")).toBe(0);
    expect(made("p64")).toBe(1);
    expect(made("p0")).toBe(0);
    expect(made("p1")).toBe(1);
  });

  test("of another period are others", () => {
    const [one, other] = [rowBases(pairing, inPeriod("p0")), rowBases(pairing, inPeriod("p0.1"))];
    expect(one.basesDigest).not.toEqual(other.basesDigest);
    expect(one.text).toBe("cardiologist@cedars#p0");
  });
});
