/** Arithmetic modulo the group order and the encoding of scalars. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromBigInt } from "../src/bytes.ts";
import { hasCode } from "../src/errors.ts";
import { order } from "../src/pairing/pairing.ts";
import {
  addMod,
  decodeScalar,
  encodeScalar,
  invert,
  mod,
  multiplyMod,
  negateMod,
  subtractMod,
} from "../src/pairing/scalar.ts";

const scalar = fc.bigInt({ min: 0n, max: order - 1n });

function codeOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return hasCode(error, "defect")
      ? "defect"
      : hasCode(error, "encoding-invalid")
        ? "encoding-invalid"
        : error;
  }
  return "nothing thrown";
}

describe("arithmetic modulo the group order", () => {
  test("reduces negative and large integers to 0 ≤ x < p", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 600n), max: 2n ** 600n }), (value) => {
        const reduced = mod(value);
        expect(reduced >= 0n && reduced < order && (value - reduced) % order === 0n).toBe(true);
      }),
    );
  });

  test("adds, subtracts, multiplies and negates as the integers do", () => {
    fc.assert(
      fc.property(scalar, scalar, (a, b) => {
        expect(subtractMod(addMod(a, b), b)).toBe(a);
        expect(addMod(a, negateMod(a))).toBe(0n);
        expect(multiplyMod(a, b)).toBe((a * b) % order);
      }),
    );
  });

  test("inverts every scalar but zero, which is a defect", () => {
    fc.assert(
      fc.property(scalar, (a) => {
        if (a !== 0n) expect(multiplyMod(a, invert(a))).toBe(1n);
      }),
    );
    expect(invert(1n)).toBe(1n);
    expect(invert(order - 1n)).toBe(order - 1n);
    expect(codeOf(() => invert(0n))).toBe("defect");
    expect(codeOf(() => invert(order))).toBe("defect");
  });
});

describe("the 32 bytes of a scalar", () => {
  test("come back as they went, big-endian", () => {
    fc.assert(
      fc.property(scalar, (a) => {
        expect(decodeScalar(encodeScalar(a))).toBe(a);
      }),
    );
    expect(encodeScalar(258n).slice(30)).toEqual(Uint8Array.of(1, 2));
    expect(decodeScalar(encodeScalar(order - 1n))).toBe(order - 1n);
  });

  test("are refused from the order on, and in any other size", () => {
    for (const value of [order, order + 1n, 2n ** 256n - 1n]) {
      expect(codeOf(() => decodeScalar(fromBigInt(value, 32)))).toBe("encoding-invalid");
    }
    for (const size of [0, 31, 33]) {
      expect(codeOf(() => decodeScalar(new Uint8Array(size)))).toBe("encoding-invalid");
    }
  });

  test("are not made of a number that is not reduced", () => {
    for (const value of [-1n, order, 2n ** 300n]) expect(codeOf(() => encodeScalar(value))).toBe("defect");
  });
});
