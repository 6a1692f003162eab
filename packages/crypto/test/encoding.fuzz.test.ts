/** The decoder under mutated input: nothing but `encoding-invalid`, and nothing taken that would not be written. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fuzzRounds, fuzzTimeoutMs } from "../../../test/fuzz-rounds.ts";
import { equalBytes } from "../src/bytes.ts";
import { type CborValue, decode, encode } from "../src/encoding.ts";
import { hasCode } from "../src/errors.ts";

const sizeMax = 100_000;
const rounds = fuzzRounds(5_000);
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

describe("mutated encodings", () => {
  it("are refused with a coded error, or are what the encoder writes", {
    timeout: fuzzTimeoutMs(rounds),
  }, () => {
    const flips = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 4 });
    let refused = 0;
    fc.assert(
      fc.property(values, flips, (value, changes) => {
        const bytes = encode(value);
        for (const [at, to] of changes) bytes[at % bytes.length] = to;
        try {
          if (!equalBytes(encode(decode(bytes, { sizeMax })), bytes)) throw new Error("two encodings");
        } catch (error) {
          if (!hasCode(error, "encoding-invalid")) throw error;
          refused++;
        }
      }),
      { numRuns: rounds },
    );
    expect(refused).toBeGreaterThan(rounds / 10);
    expect(refused).toBeLessThan(rounds);
  });
});
