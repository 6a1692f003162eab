// Decoders of encapsulations, keys and blind proofs: one canonical form each, and nothing but `encoding-invalid`.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fuzzRounds, fuzzTimeoutMs } from "../../../test/fuzz-rounds.ts";
import { decodeBlindProof, encodeBlindProof, proveBlind, transformKeyPair } from "../src/cpabe/blind.ts";
import { encapsulate } from "../src/cpabe/cpabe.ts";
import {
  decodeAttributeKey,
  decodeEncapsulation,
  encodeAttributeKey,
  encodeEncapsulation,
} from "../src/cpabe/wire.ts";
import { type CborValue, decode, encode } from "../src/encoding.ts";
import { hasCode } from "../src/errors.ts";
import { order } from "../src/pairing/pairing.ts";
import { encodeScalar } from "../src/pairing/scalar.ts";
import { parsePolicy } from "../src/policy/policy.ts";
import { randomBytes } from "../src/random.ts";
import { authority, choices, codeOf, contextOf, fullKey, pairing } from "./cpabe-fixtures.ts";

const rounds = fuzzRounds(1000);
/** Values of the right types in the wrong places: few of them differ. */
const typedRounds = fuzzRounds(300, 1 / 50);
const { g1, g2 } = pairing;
const policy = parsePolicy("2 of (a@h, a@h, b@h)");
const { encapsulation } = encapsulate(pairing, { mpk: authority.mpk, policy, context: contextOf("encoded") });
const key = fullKey("b@h", "a@h", "a.1@i");
const pair = transformKeyPair(pairing);
const blindProof = proveBlind(pairing, { pair, digest: randomBytes(32) });

interface Codec {
  readonly value: CborValue;
  /** Decodes and encodes again. */
  readonly again: (value: CborValue) => CborValue;
}

const codecs: Record<string, Codec> = {
  encapsulation: {
    value: encodeEncapsulation(pairing, encapsulation),
    again: (value) => encodeEncapsulation(pairing, decodeEncapsulation(pairing, value, policy)),
  },
  key: {
    value: encodeAttributeKey(pairing, key),
    again: (value) => encodeAttributeKey(pairing, decodeAttributeKey(pairing, value)),
  },
  "blind proof": {
    value: encodeBlindProof(pairing, blindProof),
    again: (value) => encodeBlindProof(pairing, decodeBlindProof(pairing, value)),
  },
};

const refuses = ({ again }: Codec, value: CborValue) =>
  expect(codeOf(() => again(value))).toBe("encoding-invalid");

describe.each(Object.entries(codecs))("%s", (_, codec) => {
  test("comes back as it went out", () => {
    expect(encode(codec.again(codec.value))).toEqual(encode(codec.value));
  });

  test(
    "survives mutated bytes: refused with the typed error, or decoded to the very same bytes",
    () => {
      const original = encode(codec.value);
      const { below } = choices(10);
      for (let i = 0; i < rounds; i++) {
        const mutated = mutate(original, below);
        try {
          expect(encode(codec.again(decode(mutated, { sizeMax: 65536 })))).toEqual(mutated);
        } catch (error) {
          if (!hasCode(error, "encoding-invalid")) throw error;
        }
      }
    },
    fuzzTimeoutMs(rounds),
  );

  test(
    "survives any value of the encoding's types",
    () => {
      const { value } = fc.letrec((tie) => ({
        value: fc.oneof(
          { depthSize: "small" },
          fc.constantFrom(null, true, 0, -1, 2n ** 63n, "a@h", ""),
          fc.uint8Array({ maxLength: 100 }),
          fc.constantFrom(48, 96, 32).chain((size) => fc.uint8Array({ minLength: size, maxLength: size })),
          fc.array(tie("value"), { maxLength: 6 }),
        ),
      }));
      fc.assert(
        fc.property(value, (candidate) => {
          refuses(codec, candidate as CborValue);
        }),
        { numRuns: typedRounds },
      );
    },
    fuzzTimeoutMs(typedRounds),
  );
});

/** One to three of: a bit flipped, a byte set, a piece cut out, a piece doubled. */
function mutate(original: Uint8Array, below: (limit: number) => number): Uint8Array {
  let bytes = [...original];
  for (let times = 1 + below(3); times > 0; times--) {
    const at = below(bytes.length);
    const kind = below(8);
    if (kind < 4) bytes[at] = bytes[at]! ^ (1 << below(8));
    else if (kind < 6) bytes[at] = below(256);
    else if (kind === 6) bytes.splice(at, 1 + below(3));
    else bytes = [...bytes.slice(0, at), ...bytes.slice(Math.max(0, at - below(50)))];
  }
  return Uint8Array.from(bytes);
}

describe("an encapsulation's decoder", () => {
  const [c1, c2, c3, mask, R, s] = codecs.encapsulation!.value as readonly CborValue[];
  const [first, ...rest] = c3 as readonly Uint8Array[];
  const bad: [name: string, value: CborValue][] = [
    ["c1 = 0", [g2.encode(g2.zero), c2!, c3!, mask!, R!, s!]],
    ["a c2 too few", [c1!, (c2 as CborValue[]).slice(1), c3!, mask!, R!, s!]],
    ["a c3 too many", [c1!, c2!, [...(c3 as CborValue[]), first!], mask!, R!, s!]],
    ["a c3 of 47 bytes", [c1!, c2!, [first!.slice(1), ...rest], mask!, R!, s!]],
    [
      "a c3 off the curve",
      [c1!, c2!, [Uint8Array.of(0x80, ...new Uint8Array(46), 1), ...rest], mask!, R!, s!],
    ],
    ["a mask of 31 bytes", [c1!, c2!, c3!, (mask as Uint8Array).slice(1), R!, s!]],
    ["s = p", [c1!, c2!, c3!, mask!, R!, hexOf(order)]],
    ["s not below p", [c1!, c2!, c3!, mask!, R!, new Uint8Array(32).fill(0xff)]],
    ["an item more", [c1!, c2!, c3!, mask!, R!, s!, 0]],
    ["an item less", [c1!, c2!, c3!, mask!, R!]],
    ["no array", c1!],
  ];
  test.each(bad)("refuses %s", (_, value) => refuses(codecs.encapsulation!, value));

  test("refuses what was made for a policy with other counts", () => {
    const value = codecs.encapsulation!.value;
    for (const text of ["a@h", "a@h and b@h and c@h", "a@h and a@h"]) {
      expect(codeOf(() => decodeEncapsulation(pairing, value, parsePolicy(text)))).toBe("encoding-invalid");
    }
  });
});

function hexOf(scalar: bigint): Uint8Array {
  const bytes = encodeScalar(scalar - 1n);
  bytes[31] = bytes[31]! + 1;
  return bytes;
}

describe("a key's decoder", () => {
  const [k1, entries, k3] = codecs.key!.value as readonly [CborValue, readonly CborValue[], CborValue];
  const point = g1.encode(g1.generator);
  const bad: [name: string, value: CborValue][] = [
    ["k3 = 0, where k1 would be the master key", [k1, entries, g2.encode(g2.zero)]],
    ["attributes in another order", [k1, [...entries].reverse(), k3]],
    ["an attribute twice", [k1, [entries[0]!, entries[0]!], k3]],
    ["an upper-case attribute", [k1, [["A@h", point]], k3]],
    ["an attribute without a namespace", [k1, [["a", point]], k3]],
    ["an attribute as bytes", [k1, [[point, point]], k3]],
    ["an entry of three", [k1, [["a@h", point, 0]], k3]],
    ["k1 of G2's size", [k3, entries, k3]],
  ];
  test.each(bad)("refuses %s", (_, value) => refuses(codecs.key!, value));

  test("takes a key without attributes, which opens nothing", () => {
    expect(decodeAttributeKey(pairing, [k1, [], k3]).k2.size).toBe(0);
  });

  test("writes attributes ascending by bytes, whatever order they were issued in", () => {
    expect(entries.map((entry) => (entry as CborValue[])[0])).toEqual(["a.1@i", "a@h", "b@h"]);
  });
});
