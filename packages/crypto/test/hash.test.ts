import { readFileSync } from "node:fs";
import { expand_message_xmd } from "@noble/curves/abstract/hash-to-curve.js";
import { hkdf as nobleHkdf } from "@noble/hashes/hkdf.js";
import { sha256 as nobleSha256 } from "@noble/hashes/sha2.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describeShared, sharedJson } from "../../../test/shared-data.ts";
import { concat, fromHex, toBigInt, toHex, u64, utf8 } from "../src/bytes.ts";
import {
  doubleSha256,
  expandMessageXmd,
  fixed,
  hash,
  hashToScalar,
  reduce,
  sha256,
  tagged,
  tagOf,
} from "../src/hash.ts";
import { hkdf } from "../src/kdf.ts";
import { order } from "../src/pairing/pairing.ts";
import { type TagUse, tag, tagTable } from "../src/tags.ts";

const lists = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 4 });

describe("tagged hashing", () => {
  it("hashes the tag and then each part behind its u64 length", () => {
    fc.assert(
      fc.property(lists, (parts) => {
        const framed = concat(
          utf8("chartseal-v1/file/record\0"),
          ...parts.map((part) => concat(u64(part.length), part)),
        );
        expect(toHex(hash("file/record", ...parts))).toBe(toHex(nobleSha256(framed)));
        expect(toHex(tagged("file/record", ...parts))).toBe(toHex(framed));
      }),
    );
  });

  it("leaves the length away for fixed parts only", () => {
    const [a, b] = [utf8("one"), utf8("two")];
    expect(toHex(hash("file/record", fixed(a), b))).toBe(
      toHex(nobleSha256(concat(utf8("chartseal-v1/file/record\0"), a, u64(3), b))),
    );
  });

  it("gives no two lists of parts one input, where joining them would", () => {
    const [left, right] = [
      [utf8("ab"), utf8("c")],
      [utf8("a"), utf8("bc")],
    ] as const;
    // The weakened copy: without lengths both lists are one string.
    expect(toHex(sha256(tagOf("file/record"), ...left))).toBe(toHex(sha256(tagOf("file/record"), ...right)));
    expect(toHex(hash("file/record", ...left))).not.toBe(toHex(hash("file/record", ...right)));
    expect(hashToScalar("file/record", ...left)).not.toBe(hashToScalar("file/record", ...right));
    expect(toHex(hash("file/record"))).not.toBe(toHex(hash("file/record", new Uint8Array(0))));
  });

  it("hashes twice where the ledger does", () => {
    expect(toHex(doubleSha256(utf8("a"), utf8("b")))).toBe(toHex(nobleSha256(nobleSha256(utf8("ab")))));
  });
});

describe("hashing to a scalar", () => {
  it("is OS2IP(expand_message_xmd(parts with lengths, tag, 48)) mod p, as an independent library says", () => {
    fc.assert(
      fc.property(lists, (parts) => {
        const message = concat(...parts.map((part) => concat(u64(part.length), part)));
        const expanded = expand_message_xmd(message, utf8(tag("cpabe/encaps-pok")), 48, nobleSha256);
        expect(hashToScalar("cpabe/encaps-pok", ...parts)).toBe(toBigInt(expanded) % order);
      }),
    );
  });

  it("expands as RFC 9380 does for any size and any domain, hashed first above 255 bytes", () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(bytes, bytes, fc.integer({ min: 1, max: 400 }), (message, dst, size) => {
        expect(toHex(expandMessageXmd(message, dst, size))).toBe(
          toHex(expand_message_xmd(message, dst, size, nobleSha256)),
        );
      }),
    );
    expect(expandMessageXmd(utf8(""), utf8("x"), 8160)).toHaveLength(8160);
    expect(() => expandMessageXmd(utf8(""), utf8("x"), 8161)).toThrow();
  });

  it("reduces whole words modulo the order", () => {
    expect(reduce(fromHex("00".repeat(48)))).toBe(0n);
    expect(reduce(fromHex("ff".repeat(48)))).toBe((2n ** 384n - 1n) % order);
    expect(() => reduce(new Uint8Array(47))).toThrow();
  });
});

describe("the tags", () => {
  const uses = Object.entries(tagTable).flatMap(([part, table]) =>
    Object.entries(table).map(([use, meaning]) => [`${part}/${use}` as TagUse, meaning] as const),
  );

  it("are unique ASCII that ends in its one NUL, none the beginning of another", () => {
    const tags = uses.map(([use]) => tag(use));
    expect(new Set(tags).size).toBe(tags.length);
    for (const text of tags) {
      expect(text).toMatch(/^chartseal-v1\/[a-z]+\/[a-z0-9-]+\0$/);
      expect(tags.filter((other) => other !== text && other.startsWith(text))).toEqual([]);
    }
  });

  it("are the table of spec/tags.md, line for line", () => {
    const text = readFileSync(new URL("../../../spec/tags.md", import.meta.url), "utf8");
    const rows = [...text.matchAll(/^\| `([^`]+)` \| (.+) \|$/gm)].map(([, use, meaning]) => [use, meaning]);
    expect(rows).toEqual(uses.map(([use, meaning]) => [use, meaning]));
  });
});

describe("HKDF", () => {
  it("is RFC 5869's, as an independent library says", () => {
    const bytes = fc.uint8Array({ maxLength: 80 });
    fc.assert(
      fc.property(bytes, bytes, bytes, fc.integer({ min: 1, max: 200 }), (key, salt, info, size) => {
        expect(toHex(hkdf(key, salt, info, size))).toBe(toHex(nobleHkdf(nobleSha256, key, salt, info, size)));
      }),
    );
  });
});

describeShared("the published expand_message_xmd vectors", () => {
  it("of SHA-256 with a short domain are reproduced", () => {
    const file = sharedJson("vectors", "hash-to-curve", "expand_message_xmd_SHA256_38.json") as {
      readonly DST: string;
      readonly tests: readonly {
        readonly msg: string;
        readonly len_in_bytes: string;
        readonly uniform_bytes: string;
      }[];
    };
    expect(file.tests.length).toBeGreaterThan(5);
    for (const vector of file.tests) {
      const expanded = expandMessageXmd(utf8(vector.msg), utf8(file.DST), Number(vector.len_in_bytes));
      expect(toHex(expanded)).toBe(vector.uniform_bytes);
    }
  });
});
