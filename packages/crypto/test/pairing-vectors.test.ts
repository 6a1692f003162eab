/**
 * Published vectors: RFC 9380 (hash to curve), EIP-2537 (map to curve), zkcrypto (compressed multiples), noble's (hash
 * and multiply), and our own of spec/vectors/groups.json, which both the backend and the oracle must give.
 */
import { readFileSync } from "node:fs";
import { bls12_381 } from "@noble/curves/bls12-381.js";
import { beforeAll, describe, expect, test } from "vitest";
import { describeShared, sharedBytes, sharedJson } from "../../../test/shared-data.ts";
import { fromHex, toBigInt, toHex, utf8 } from "../src/bytes.ts";
import { hasCode } from "../src/errors.ts";
import { type Heap, openHeap } from "../src/pairing/heap.ts";
import { loadPairing } from "../src/pairing/mcl.ts";
import { type Group, order, type Pairing } from "../src/pairing/pairing.ts";
import { decodeScalar } from "../src/pairing/scalar.ts";
import { fieldOrder } from "../src/pairing/strict.ts";
import { nobleOracle, pointFromAffine } from "./noble-oracle.ts";

let pairing: Pairing;
let heap: Heap;
beforeAll(async () => {
  heap = await openHeap();
  pairing = await loadPairing();
});

const numbers = (text: string) => text.split(",").map((part) => BigInt(part));

/** mcl's hash with another DST than its own, so that the RFC's own vectors can meet the very code in use. */
function mclHash(group: "G1" | "G2", message: Uint8Array, dst: Uint8Array): Uint8Array {
  const size = group === "G1" ? 48 : 96;
  const at = heap.allocate(1024 + message.length + dst.length);
  const [point, text, name] = [at, at + 1024, at + 1024 + message.length];
  heap.bytes.set(message, text);
  heap.bytes.set(dst, name);
  expect(heap.call(`Bn${group}_hashAndMapToWithDst`)(point, text, message.length, name, dst.length)).toBe(0);
  heap.call(`Bn${group}_serialize`)(at + 512, size, point);
  const encoded = heap.bytes.slice(at + 512, at + 512 + size);
  heap.free(at);
  return encoded;
}

describeShared("published vectors of the group layer", () => {
  interface HashVectors {
    readonly dst: string;
    readonly vectors: readonly {
      readonly msg: string;
      readonly P: { readonly x: string; readonly y: string };
    }[];
  }

  test.each(["G1", "G2"] as const)(
    "RFC 9380: hash to %s, the oracle's and mcl's with the RFC's DST",
    (group) => {
      const file = `BLS12381${group}_XMD_SHA-256_SSWU_RO_.json`;
      const { dst, vectors } = sharedJson("vectors", "hash-to-curve", file) as HashVectors;
      expect(vectors.length).toBeGreaterThan(4);
      for (const { msg, P } of vectors) {
        const expected = toHex(pointFromAffine(group, numbers(P.x), numbers(P.y)));
        const noble = bls12_381[group].hashToCurve(utf8(msg), { DST: dst });
        expect(toHex(noble.toBytes(true))).toBe(expected);
        expect(toHex(mclHash(group, utf8(msg), utf8(dst)))).toBe(expected);
      }
    },
  );

  test("EIP-2537: the oracle's map to the curve", () => {
    interface Entry {
      readonly Input: string;
      readonly Expected: string;
    }
    const file = sharedJson("vectors", "bls12-381", "eip2537.json") as {
      readonly G1: Entry[];
      readonly G2: Entry[];
    };
    // noble's types say affine coordinates where its code returns a point.
    const map1 = bls12_381.G1.mapToCurve as unknown as (u: bigint) => typeof bls12_381.G1.Point.BASE;
    const map2 = bls12_381.G2.mapToCurve as unknown as (u: bigint[]) => typeof bls12_381.G2.Point.BASE;
    const words = (text: string) =>
      Array.from({ length: text.length / 128 }, (_, i) => BigInt(`0x${text.slice(128 * i, 128 * i + 128)}`));
    for (const { Input, Expected } of file.G1) {
      const { x, y } = map1(words(Input)[0] as bigint).toAffine();
      expect([x, y]).toEqual(words(Expected));
    }
    for (const { Input, Expected } of file.G2) {
      const { x, y } = map2(words(Input)).toAffine();
      expect([x.c0, x.c1, y.c0, y.c1]).toEqual(words(Expected));
    }
    expect(file.G1.length + file.G2.length).toBeGreaterThan(4);
  });

  test.each([
    ["g1", "g1_compressed_valid_test_vectors.dat"],
    ["g2", "g2_compressed_valid_test_vectors.dat"],
  ] as const)("zkcrypto: a thousand multiples of the generator of %s, compressed", (name, file) => {
    const bytes = sharedBytes("vectors", "bls12-381", file);
    const check = <P>(group: Group<P>) => {
      expect(bytes.length).toBe(1000 * group.size);
      let multiple = group.zero;
      for (let i = 0; i < 1000; i++) {
        const encoded = bytes.slice(i * group.size, (i + 1) * group.size);
        expect(toHex(group.encode(multiple))).toBe(toHex(encoded));
        expect(group.equal(group.decode(encoded), multiple)).toBe(true);
        multiple = group.add(multiple, group.generator);
      }
    };
    if (name === "g1") check(pairing.g1);
    else check(pairing.g2);
  });

  test("noble's: a scalar times a hash to G1 under that file's own DST", () => {
    const text = new TextDecoder().decode(
      sharedBytes("vectors", "bls12-381", "bls12-381-g1-test-vectors.txt"),
    );
    const lines = text.trim().split("\n");
    const dst = utf8("BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_");
    expect(lines.length).toBeGreaterThan(50);
    for (const line of lines) {
      const [secret = "", message = "", signature = ""] = line.trim().split(":");
      const point = pairing.g1.decode(mclHash("G1", fromHex(message), dst));
      const product = pairing.g1.multiply(point, toBigInt(fromHex(secret)) % order);
      expect(toHex(pairing.g1.encode(product))).toBe(signature);
    }
  });
});

interface GroupVectors {
  readonly order: string;
  readonly field: string;
  readonly generators: { readonly G1: string; readonly G2: string };
  readonly identities: { readonly G1: string; readonly G2: string; readonly GT: string };
  readonly pairing: string;
  readonly multiples: readonly { readonly scalar: string; readonly G1: string; readonly G2: string }[];
  readonly powers: readonly { readonly scalar: string; readonly GT: string }[];
  readonly hashes: readonly {
    readonly tag: string;
    readonly message: string;
    readonly G1: string;
    readonly G2: string;
  }[];
  readonly cofactor: Readonly<Record<"exponent" | "inverse" | "cleared" | "clearedOfMinus", string>>;
  readonly refused: readonly { readonly group: string; readonly why: string; readonly bytes: string }[];
}

const path = new URL("../../../spec/vectors/groups.json", import.meta.url);
const ours = JSON.parse(readFileSync(path, "utf8")) as GroupVectors;

describe.each(["the backend", "the oracle"])("spec/vectors/groups.json, by %s", (which) => {
  let on: Pairing;
  beforeAll(() => {
    on = which === "the backend" ? pairing : nobleOracle;
  });

  test("constants, generators and identities", () => {
    expect([BigInt(`0x${ours.order}`), BigInt(`0x${ours.field}`)]).toEqual([order, fieldOrder]);
    expect(toHex(on.g1.encode(on.g1.generator))).toBe(ours.generators.G1);
    expect(toHex(on.g2.encode(on.g2.generator))).toBe(ours.generators.G2);
    expect(toHex(on.g1.encode(on.g1.zero))).toBe(ours.identities.G1);
    expect(toHex(on.g2.encode(on.g2.zero))).toBe(ours.identities.G2);
    expect(toHex(on.gt.encode(on.gt.one))).toBe(ours.identities.GT);
  });

  test("multiples of the generators, powers of their pairing", () => {
    for (const { scalar, G1, G2 } of ours.multiples) {
      const k = decodeScalar(fromHex(scalar));
      expect(toHex(on.g1.encode(on.g1.multiply(on.g1.generator, k)))).toBe(G1);
      expect(toHex(on.g2.encode(on.g2.multiply(on.g2.generator, k)))).toBe(G2);
    }
    const base = on.multiPairing([[on.g1.generator, on.g2.generator]]);
    expect(toHex(on.gt.encode(base))).toBe(ours.pairing);
    for (const { scalar, GT } of ours.powers) {
      const exponent = decodeScalar(fromHex(scalar));
      expect(toHex(on.gt.encode(on.gt.power([{ base, exponent }])))).toBe(GT);
    }
  });

  test("hashes to both groups", () => {
    for (const { tag, message, G1, G2 } of ours.hashes) {
      const bytes = fromHex(message);
      expect(on.g1.hash(tag, [bytes]).map((point) => toHex(on.g1.encode(point)))).toEqual([G1]);
      expect(on.g2.hash(tag, [bytes]).map((point) => toHex(on.g2.encode(point)))).toEqual([G2]);
    }
  });

  test("the cofactor: its exponent, its inverse, and what clearing gives, −T's sign gone", () => {
    const { exponent, inverse, cleared, clearedOfMinus } = ours.cofactor;
    const kappa = (3n * ((fieldOrder ** 12n - 1n) / order)) % order;
    expect(BigInt(`0x${exponent}`)).toBe(kappa);
    expect((BigInt(`0x${inverse}`) * kappa) % order).toBe(1n);
    expect(on.gt.cofactorInverse).toBe(BigInt(`0x${inverse}`));
    expect(toHex(on.gt.encode(on.gt.clearCofactor(fromHex(ours.pairing))))).toBe(cleared);
    expect(clearedOfMinus).toBe(cleared);
    const base = on.gt.decode(fromHex(ours.pairing));
    expect(toHex(on.gt.encode(on.gt.power([{ base, exponent: kappa }])))).toBe(cleared);
  });

  test("what must be refused is", () => {
    for (const { group, why, bytes } of ours.refused) {
      const decoders: Record<string, (encoded: Uint8Array) => unknown> = {
        G1: (encoded) => on.g1.decode(encoded),
        G2: (encoded) => on.g2.decode(encoded),
        GT: (encoded) => on.gt.decode(encoded),
        Fr: decodeScalar,
      };
      let seen: unknown = "decoded";
      try {
        decoders[group]?.(fromHex(bytes));
      } catch (error) {
        seen = error;
      }
      expect(hasCode(seen, "encoding-invalid"), `${group}: ${why}`).toBe(true);
    }
  });
});
