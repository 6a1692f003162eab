/**
 * Answers of a provider that is wrong, broken or hostile: what the reader accepts, refuses, and gives away by it
 * (CRYPTO §0, §2.1, §2.2). All elements outside the prime-order subgroup are made by noble's Fp12.
 */
import { bls12_381 } from "@noble/curves/bls12-381.js";
import { describe, expect, test } from "vitest";
import { concat, fromBigInt, toBigInt } from "../src/bytes.ts";
import { decapsulate, encapsulate, recoverFromTransform, recoverMessage } from "../src/cpabe/cpabe.ts";
import { ciphertextBytes, encapsScalars, timesG2, transcriptOf } from "../src/cpabe/fo.ts";
import { type AttributeKey, keygen } from "../src/cpabe/scheme.ts";
import { ChartsealError } from "../src/errors.ts";
import { tagOf } from "../src/hash.ts";
import { hkdf } from "../src/kdf.ts";
import { order, type Scalar } from "../src/pairing/pairing.ts";
import { invert, mod } from "../src/pairing/scalar.ts";
import { parsePolicy } from "../src/policy/policy.ts";
import { randomScalar } from "../src/random.ts";
import { authority, choices, codeOf, contextOf, pairing, reader } from "./cpabe-fixtures.ts";

const { g1, gt } = pairing;
const { mpk } = authority;
const policy = parsePolicy("a@h and b@h");
const context = contextOf("transformed");
const record = { policy, context, ...encapsulate(pairing, { mpk, policy, context }) };
const { recoveryKey, transformKey } = reader("a@h", "b@h");

function answer(key: AttributeKey, encapsulation = record.encapsulation): Uint8Array {
  return gt.encode(decapsulate(pairing, { key, policy, encapsulation }));
}

function outcome(transform: Uint8Array, z: Scalar = recoveryKey): string {
  return codeOf(() => recoverFromTransform(pairing, { ...record, transform, recoveryKey: z }));
}

describe("a wrong answer", () => {
  const right = answer(transformKey);

  test("the right one opens", () => {
    expect(outcome(right)).toBe("nothing thrown");
  });

  test("1000 of 1000 wrong ones are caught, all with one and the same error", () => {
    const { below } = choices(8);
    const wrong: Uint8Array[] = [];
    for (let i = 0; i < 400; i++) {
      const bit = below(8 * 576);
      wrong.push(right.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte)));
    }
    // Another record's answer under this reader's key is (mpk^s)^(1/z) for that record's s: steps of one random s.
    const recordStep = gt.power([{ base: mpk, exponent: mod(randomScalar() * invert(recoveryKey)) }]);
    for (let i = 0, other = recordStep; i < 295; i++, other = gt.multiply(other, recordStep)) {
      wrong.push(gt.encode(other));
    }
    for (let i = 0; i < 5; i++) {
      const other = encapsulate(pairing, { mpk, policy, context: contextOf(`another ${i}`) });
      wrong.push(answer(transformKey, other.encapsulation));
    }
    // Another reader's answer for this record is K^(1/z') for that reader's z': steps of one random 1/z'.
    const readerStep = gt.power([{ base: gt.decode(right), exponent: mod(recoveryKey * randomScalar()) }]);
    for (let i = 0, other = readerStep; i < 295; i++, other = gt.multiply(other, readerStep)) {
      wrong.push(gt.encode(other));
    }
    for (let i = 0; i < 5; i++) wrong.push(answer(reader("a@h", "b@h").transformKey));
    expect(wrong).toHaveLength(1000);

    const messages = new Set<string>();
    let caught = 0;
    for (const transform of wrong) {
      try {
        recoverFromTransform(pairing, { ...record, transform, recoveryKey });
      } catch (error) {
        if (!(error instanceof ChartsealError) || error.code !== "transform-invalid") throw error;
        messages.add(`${error.message} ${JSON.stringify(error.data)} ${error.hint} ${error.cause}`);
        caught++;
      }
    }
    expect(caught).toBe(1000);
    expect(messages.size).toBe(1);
  });

  test("zero, one, too short, too long and coefficients not below q are the same error", () => {
    const tooLarge = new Uint8Array(576).fill(0xff);
    const candidates = [
      new Uint8Array(576),
      gt.encode(gt.one),
      right.slice(1),
      new Uint8Array(577),
      tooLarge,
    ];
    for (const transform of candidates) expect(outcome(transform)).toBe("transform-invalid");
  });

  test("T = 0 is refused, where a reader without a test for zero takes a planted message", () => {
    // finalExp(0) = 0 and 0^z = 0, whatever z: K = 0 is known to everybody. A sealer without mpk masks m with the pad of
    // 576 zero bytes, and a provider in league answers 0: c1 = [s1]g2 holds, and any reader at all opens it, with no
    // attribute and no key, while the encapsulation looks as if it were under the policy.
    const bytes = ciphertextBytes(pairing, record.encapsulation);
    const zero = new Uint8Array(576);
    const pad = hkdf(zero, transcriptOf(context, bytes), tagOf("cpabe/mask"), 32);
    const mask = record.message.map((byte, i) => byte ^ pad[i]!);
    const planted = { ...record, encapsulation: { ...record.encapsulation, mask } };
    const opened = planted.encapsulation.mask.map((byte, i) => byte ^ pad[i]!);
    const { s1 } = encapsScalars(opened, context, { tau: 1, columns: 1 });
    expect(pairing.g2.equal(timesG2(pairing, s1), record.encapsulation.c1)).toBe(true);
    const ours = () => recoverFromTransform(pairing, { ...planted, transform: zero, recoveryKey });
    expect(codeOf(ours)).toBe("transform-invalid");
  });
});

describe("an answer outside the prime-order subgroup", () => {
  // The provider multiplies T by an element h of small order n and waits for the reader's reaction. A reader who takes
  // T^z at its word gets K·h^z: it opens exactly if n divides z, which tells the provider z mod n; a few such questions
  // with n = 7, 13, … give it z piece by piece. With the cofactor cleared first, h is gone before z is used.
  const { Fp12 } = bls12_381.fields;
  const q = bls12_381.fields.Fp.ORDER;
  const groupSize = q ** 12n - 1n;
  type Fp12Element = typeof Fp12.ONE;

  /** Ours has c1 before c0 in each Fp2, noble c0 before c1. */
  function swapPairs(bytes: Uint8Array): Uint8Array {
    const swapped = new Uint8Array(576);
    for (let at = 0; at < 576; at += 96) {
      swapped.set(bytes.subarray(at + 48, at + 96), at);
      swapped.set(bytes.subarray(at, at + 48), at + 48);
    }
    return swapped;
  }
  const toNoble = (bytes: Uint8Array): Fp12Element => Fp12.fromBytes(swapPairs(bytes));
  const fromNoble = (element: Fp12Element): Uint8Array => swapPairs(Fp12.toBytes(element));

  function elementOfOrder(n: bigint): Fp12Element {
    const exponent = groupSize / n;
    for (let seed = 2n; ; seed++) {
      const coefficients = Array.from({ length: 12 }, (_, i) => fromBigInt(seed ** BigInt(i + 1), 48));
      const candidate = concat(...coefficients);
      const element = powerPlain(toNoble(candidate), exponent);
      if (!Fp12.eql(element, Fp12.ONE)) return element;
    }
  }

  /** Square and multiply, right everywhere in Fp12. */
  function powerPlain(base: Fp12Element, exponent: bigint): Fp12Element {
    let result = Fp12.ONE;
    for (const bit of exponent.toString(2)) {
      result = Fp12.sqr(result);
      if (bit === "1") result = Fp12.mul(result, base);
    }
    return result;
  }

  test("tells a hostile provider nothing of z, where a reader who trusts T tells z mod 13", () => {
    const n = 13n;
    expect(groupSize % n === 0n && groupSize % (n * order) === 0n).toBe(true);
    const h = elementOfOrder(n);
    const base = randomScalar();
    const reactions = [base - (base % n), base - (base % n) + 1n].map((z) => {
      const blinded = g1.multiply(g1.generator, invert(z));
      const key = keygen(pairing, { alpha: authority.alpha, attributes: ["a@h", "b@h"], blinded });
      const hostile = Fp12.mul(toNoble(answer(key)), h);
      const trusting = fromNoble(powerPlain(hostile, z));
      const weakOpens = (() => {
        try {
          return recoverMessage(pairing, { ...record, shared: gt.decode(trusting) }).message.length === 32;
        } catch {
          return false;
        }
      })();
      return { weakOpens, ours: outcome(fromNoble(hostile), z) };
    });
    expect(reactions.map(({ weakOpens }) => weakOpens)).toEqual([true, false]);
    expect(reactions[0]!.ours).toBe(reactions[1]!.ours);
  });

  test("a random element of Fp12 does not open", () => {
    const { below } = choices(9);
    for (let i = 0; i < 20; i++) {
      const bytes = Uint8Array.from({ length: 576 }, (_, at) => (at % 48 === 0 ? below(16) : below(256)));
      expect(toBigInt(bytes.subarray(0, 48)) < q).toBe(true);
      expect(outcome(bytes)).toBe("transform-invalid");
    }
  });
});
