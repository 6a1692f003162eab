import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../src/bytes.ts";
import { type CborValue, decode, depthMax, encode } from "../src/encoding.ts";
import { hasCode } from "../src/errors.ts";

const sizeMax = 100_000;
const values: fc.Arbitrary<CborValue> = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.maxSafeInteger(),
    fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n - 1n }),
    fc.string(),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie("value"), { maxLength: 6 }),
  ),
})).value;

const refused = (run: () => unknown): void => {
  expect(run).toThrow(expect.toSatisfy((error: unknown) => hasCode(error, "encoding-invalid")));
};

describe("the encoding", () => {
  it("decodes what it encoded, to the same bytes again", () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = encode(value);
        expect(toHex(encode(decode(bytes, { sizeMax })))).toBe(toHex(bytes));
      }),
    );
  });

  it("has RFC 8949's bytes (appendix A)", () => {
    const published: readonly (readonly [CborValue, string])[] = [
      [0, "00"],
      [23, "17"],
      [24, "1818"],
      [1_000_000_000_000, "1b000000e8d4a51000"],
      [2n ** 64n - 1n, "1bffffffffffffffff"],
      [-(2n ** 64n), "3bffffffffffffffff"],
      [-1000, "3903e7"],
      [true, "f5"],
      [null, "f6"],
      [fromHex("01020304"), "4401020304"],
      ["\u00fc", "62c3bc"],
      [[1, [2, 3], [4, 5]], "8301820203820405"],
    ];
    for (const [value, hex] of published) {
      expect(toHex(encode(value))).toBe(hex);
      expect(decode(fromHex(hex), { sizeMax })).toEqual(value);
    }
  });

  it("takes one form of each value: not over-long, not indefinite, no floats, maps, tags, undefined, simple values", () => {
    const others = [
      ...["1800", "190001", "1a00000001", "1b0000000000000001", "5800", "7800", "9800"],
      ...["9fff", "5fff", "7fff", "bfff", "f90000", "fa47c35000", "fb3ff199999999999a", "f97e00", "f97c00"],
      ...[
        "a0",
        "a10102",
        "c11a514b67b0",
        "c249010000000000000000",
        "f7",
        "f0",
        "f818",
        "ff",
        "",
        "00ff",
        "0000",
      ],
      ...["61ff", "62c080", "63eda080", "41", "6161616161", "81", "1c", "fe"],
    ];
    for (const hex of others) refused(() => decode(fromHex(hex), { sizeMax }));
  });

  it("refuses what has no encoding", () => {
    const none = [
      1.5,
      Number.NaN,
      Infinity,
      -0,
      2 ** 53,
      2n ** 64n,
      -(2n ** 64n) - 1n,
      "\udfff",
      undefined,
      {},
    ];
    for (const value of none) refused(() => encode([value as CborValue]));
    let deep: CborValue = 0;
    for (let depth = 0; depth < depthMax; depth++) deep = [deep];
    expect(decode(encode(deep), { sizeMax })).toEqual(deep);
    refused(() => encode([deep]));
  });

  it("looks at the size before anything else, and survives nesting and lengths that lie", () => {
    refused(() => decode(new Uint8Array(11), { sizeMax: 10 }));
    refused(() => decode(new Uint8Array(90_000).fill(0x81), { sizeMax }));
    for (const hex of ["9bffffffffffffffff", "5b7fffffffffffffff", "9a7fffffff", "7bffffffffffffffff"]) {
      refused(() => decode(fromHex(hex), { sizeMax }));
    }
  });
});
