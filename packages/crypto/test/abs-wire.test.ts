// The bytes of signatures, lists, proofs and keys: one encoding each, strict decoders (CRYPTO §0, §3).
import { describe, expect, test } from "vitest";
import { sign, verify } from "../src/abs/abs.ts";
import {
  decodeNamespaceLists,
  decodeNamespaceProof,
  decodeNamespaceSecret,
  decodeSignature,
  decodeSigningKeys,
  encodeNamespaceLists,
  encodeNamespaceProof,
  encodeNamespaceSecret,
  encodeSignature,
  encodeSigningKeys,
  signatureBytesMax,
} from "../src/abs/wire.ts";
import { concat } from "../src/bytes.ts";
import { type CborValue, decode, encode } from "../src/encoding.ts";
import { openPairing } from "../src/pairing/mcl.ts";
import { codeOf, committeeKey, keysOf, pairing, signer, statement } from "./abs-fixtures.ts";

const { g1, g2 } = pairing;
const alice = signer("alice", "cardiologist@cedars", "head@mercy");
const what = statement("cardiologist@cedars and head@mercy or nurse@trial");
const signature = sign(pairing, what, alice);
const bytes = encodeSignature(pairing, signature);

function fieldsOf(encoded: Uint8Array): CborValue[] {
  return [...(decode(encoded, { sizeMax: 100_000 }) as readonly CborValue[])];
}

function changed(encoded: Uint8Array, at: number, value: CborValue): Uint8Array {
  return encode(fieldsOf(encoded).with(at, value));
}

/** A point on the curve and outside the subgroup: x = 4 on G1 (y² = 68), as RFC 9380 implementations test with. */
function outsideSubgroup(): Uint8Array {
  const point = new Uint8Array(48);
  point[0] = 0x80;
  point[47] = 4;
  return point;
}

describe("a signature's bytes", () => {
  test("come back as they were and verify", () => {
    const again = decodeSignature(pairing, bytes);
    expect(encodeSignature(pairing, again)).toEqual(bytes);
    expect(verify(pairing, committeeKey, { ...what, signature: again })).toBe(true);
    expect(bytes.length).toBeLessThan(48 * (2 + 3) + 96 * 2 + 32);
    expect(bytes.length).toBeLessThan(signatureBytesMax);
  });

  test("are refused in any other form", () => {
    const identity = g1.encode(g1.zero);
    const S = fieldsOf(bytes)[3] as Uint8Array;
    const bad: [string, Uint8Array][] = [
      ["cut short", bytes.slice(0, -1)],
      ["with a byte more", concat(bytes, Uint8Array.of(0))],
      ["of another version", changed(bytes, 0, 2)],
      ["Y = 0", changed(bytes, 1, identity)],
      ["W = 0", changed(bytes, 2, identity)],
      ["Y outside the subgroup", changed(bytes, 1, outsideSubgroup())],
      ["S_1 outside the subgroup", changed(bytes, 3, concat(outsideSubgroup(), S.subarray(48)))],
      ["half a point", changed(bytes, 3, S.subarray(0, 60))],
      ["no S", changed(bytes, 3, new Uint8Array(0))],
      ["257 S", changed(bytes, 3, concat(...Array.from({ length: 257 }, () => identity)))],
      ["no P", changed(bytes, 4, new Uint8Array(0))],
      ["257 P", changed(bytes, 4, concat(...Array.from({ length: 257 }, () => g2.encode(g2.zero))))],
      ["Y no bytes", changed(bytes, 1, "Y")],
      ["a field more", encode([...fieldsOf(bytes), 0])],
      ["not an array", encode("signature")],
      ["empty", new Uint8Array(0)],
    ];
    for (const [name, one] of bad)
      expect(
        codeOf(() => decodeSignature(pairing, one)),
        name,
      ).toBe("encoding-invalid");
  });

  test("with any single bit flipped are refused or do not verify", () => {
    for (let at = 0; at < bytes.length; at += 7) {
      const flipped = bytes.slice();
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
      let verified = false;
      const code = codeOf(() => {
        verified = verify(pairing, committeeKey, { ...what, signature: decodeSignature(pairing, flipped) });
      });
      expect(["none", "encoding-invalid"]).toContain(code);
      expect(verified).toBe(false);
    }
  });
});

describe("a namespace's bytes", () => {
  const { lists, proof, secret } = keysOf("cedars");

  test("come back as they were", () => {
    const encoded = encodeNamespaceLists(pairing, lists);
    expect(encodeNamespaceLists(pairing, decodeNamespaceLists(pairing, encoded))).toEqual(encoded);
    expect(decodeNamespaceLists(pairing, encoded)).toBe(decodeNamespaceLists(pairing, encoded));
    expect(decodeNamespaceProof(encodeNamespaceProof(proof))).toEqual(proof);
    expect(decodeNamespaceSecret(encodeNamespaceSecret(secret))).toEqual(secret);
  });

  test("are refused in any other form", () => {
    const encoded = encodeNamespaceLists(pairing, lists);
    const A = fieldsOf(encoded)[1] as Uint8Array;
    for (const one of [
      changed(encoded, 1, A.subarray(96)),
      changed(encoded, 1, new Uint8Array(0)),
      changed(encoded, 1, concat(new Uint8Array(96), A.subarray(96))),
      changed(encoded, 0, 0),
      encoded.slice(1),
    ]) {
      expect(codeOf(() => decodeNamespaceLists(pairing, one))).toBe("encoding-invalid");
    }
    const tooLarge = changed(encodeNamespaceProof(proof), 1, new Uint8Array(32).fill(0xff));
    for (const one of [
      tooLarge,
      changed(encodeNamespaceProof(proof), 4, new Uint8Array(31)),
      new Uint8Array(1),
    ]) {
      expect(codeOf(() => decodeNamespaceProof(one))).toBe("encoding-invalid");
    }
    const kept = encodeNamespaceSecret(secret);
    for (const one of [
      changed(kept, 1, "Cedars"),
      changed(kept, 2, new Uint8Array(32)),
      changed(kept, 1, 5),
    ]) {
      expect(codeOf(() => decodeNamespaceSecret(one))).toBe("encoding-invalid");
    }
  });
});

describe("a signer's bytes", () => {
  const encoded = encodeSigningKeys(pairing, alice);

  test("come back as they were, whatever the order of the map", () => {
    const again = decodeSigningKeys(pairing, encoded);
    expect(encodeSigningKeys(pairing, again)).toEqual(encoded);
    const turned = { ...alice, attributes: new Map([...alice.attributes].reverse()) };
    expect(encodeSigningKeys(pairing, turned)).toEqual(encoded);
    expect(verify(pairing, committeeKey, { ...what, signature: sign(pairing, what, again) })).toBe(true);
  });

  test("are refused out of order, twice, malformed or with an identity", () => {
    const list = fieldsOf(encoded)[3] as readonly (readonly [string, Uint8Array])[];
    const first = list[0] as readonly [string, Uint8Array];
    for (const one of [
      changed(encoded, 3, [...list].reverse()),
      changed(encoded, 3, [first, first]),
      changed(encoded, 3, [["cardiologist@cedars", first[1]]]),
      changed(encoded, 3, [[first[0], g1.encode(g1.zero)]]),
      changed(encoded, 3, [[first[0]]]),
      changed(encoded, 3, 5),
      changed(encoded, 2, g1.encode(g1.zero)),
      changed(encoded, 1, new Uint8Array(19)),
    ]) {
      expect(codeOf(() => decodeSigningKeys(pairing, one))).toBe("encoding-invalid");
    }
  });
});

test("a backend of its own has caches of its own", async () => {
  const { pairing: other } = await openPairing();
  const encoded = encodeNamespaceLists(pairing, keysOf("cedars").lists);
  expect(decodeNamespaceLists(other, encoded)).not.toBe(decodeNamespaceLists(pairing, encoded));
});
