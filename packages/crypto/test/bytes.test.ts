import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  compareBytes,
  concat,
  equalBytes,
  fromBigInt,
  fromHex,
  fromUtf8,
  toBigInt,
  toHex,
  u32,
  u64,
  utf8,
} from "../src/bytes.ts";
import { hasCode } from "../src/errors.ts";

const bytes = fc.uint8Array({ maxLength: 40 });
const refused = (run: () => unknown, code: "encoding-invalid" | "defect" = "encoding-invalid"): void => {
  expect(run).toThrow(expect.toSatisfy((error: unknown) => hasCode(error, code)));
};

describe("byte strings", () => {
  it("join, and keep memory of their own", () => {
    fc.assert(
      fc.property(fc.array(bytes), (parts) => {
        expect([...concat(...parts)]).toEqual(parts.flatMap((part) => [...part]));
      }),
    );
    const part = Uint8Array.of(1);
    const joined = concat(part);
    part[0] = 2;
    expect(joined[0]).toBe(1);
  });

  it("compare by content, then by length", () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(equalBytes(a, b)).toBe(toHex(a) === toHex(b));
        expect(Math.sign(compareBytes(a, b))).toBe(Math.sign(Buffer.compare(a, b)));
      }),
    );
  });

  it("travel as lower-case hex and nothing else", () => {
    fc.assert(
      fc.property(bytes, (a) => {
        expect(fromHex(toHex(a), a.length)).toEqual(a);
      }),
    );
    for (const text of ["0", "0G", "AB", "0x00", " 00", "00\n", "０0"]) refused(() => fromHex(text));
    refused(() => fromHex("00", 2));
  });

  it("travel as strict UTF-8", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 0x10_f7ff })), (numbers) => {
        const text = String.fromCodePoint(...numbers.map((n) => (n < 0xd800 ? n : n + 0x800)));
        expect(fromUtf8(utf8(text))).toBe(text);
      }),
    );
    expect(fromUtf8(fromHex("efbbbf61"))).toBe("\ufeffa");
    refused(() => utf8("\ud800"));
    for (const hex of ["ff", "c080", "eda080", "f4908080", "e282"]) refused(() => fromUtf8(fromHex(hex)));
  });

  it("hold big-endian integers of a given size", () => {
    expect(toHex(u32(0x01020304))).toBe("01020304");
    expect(toHex(u64(2 ** 53 - 1))).toBe("001fffffffffffff");
    expect(toHex(u64(2n ** 64n - 1n))).toBe("ff".repeat(8));
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), (value) => {
        expect(toBigInt(fromBigInt(value, 32))).toBe(value);
      }),
    );
    expect(toBigInt(new Uint8Array(0))).toBe(0n);
    refused(() => fromBigInt(256n, 1), "defect");
    refused(() => fromBigInt(-1n, 1), "defect");
  });
});
