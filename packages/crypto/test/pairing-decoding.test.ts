/** Strict decoding: what must be refused, by size, flags, canonical form, curve and subgroup; and why GT needs it. */
import { bls12_381 } from "@noble/curves/bls12-381.js";
import mcl from "mcl-wasm";
import { beforeAll, describe, expect, test } from "vitest";
import { concat, fromBigInt, toBigInt, toHex } from "../src/bytes.ts";
import { hasCode } from "../src/errors.ts";
import { loadPairing } from "../src/pairing/mcl.ts";
import { type Group, type GT, order, type Pairing } from "../src/pairing/pairing.ts";
import { fieldOrder } from "../src/pairing/strict.ts";
import { nobleOracle, swapPairs } from "./noble-oracle.ts";

const { Fp, Fp2, Fp12 } = bls12_381.fields;

let pairing: Pairing;
beforeAll(async () => {
  pairing = await loadPairing();
});

function isRefused(run: () => unknown): boolean {
  try {
    run();
    return false;
  } catch (error) {
    return hasCode(error, "encoding-invalid");
  }
}

/** Both backends must refuse, or the oracle would be no witness. */
function expectRefused(group: "g1" | "g2", bytes: Uint8Array, options?: { identity?: "reject" }): void {
  for (const on of [pairing, nobleOracle]) {
    const decode = (g: { decode: (b: Uint8Array, o?: { identity?: "reject" }) => unknown }) =>
      g.decode(bytes, options);
    expect(
      isRefused(() => decode(on[group])),
      `${on.name} ${toHex(bytes).slice(0, 16)}`,
    ).toBe(true);
  }
}

function withFirst(bytes: Uint8Array, change: (first: number) => number): Uint8Array {
  return Uint8Array.from(bytes, (byte, i) => (i === 0 ? change(byte) : byte));
}

/** x of the smallest values that is (on: true) or is not the abscissa of a point of the whole curve. */
function abscissa(group: "g1" | "g2", on: boolean): Uint8Array {
  for (let x = 1n; ; x++) {
    const isOn = group === "g1" ? hasRoot(Fp, Fp.add(Fp.pow(x, 3n), 4n)) : hasRoot(Fp2, cubicOnTwist(x));
    if (isOn === on) return withFirst(fromBigInt(x, group === "g1" ? 48 : 96), (first) => first | 0x80);
  }
}

function cubicOnTwist(x: bigint) {
  return Fp2.add(Fp2.pow(Fp2.fromBigTuple([x, 0n]), 3n), Fp2.fromBigTuple([4n, 4n]));
}

function hasRoot<T>(field: { sqrt: (a: T) => T }, value: T): boolean {
  try {
    field.sqrt(value);
    return true;
  } catch {
    return false;
  }
}

describe.each(["g1", "g2"] as const)("a point of %s", (name) => {
  let good: Uint8Array;
  beforeAll(() => {
    const encodeHash = <P>(group: Group<P>) => group.encode(group.hash("test\0", [Uint8Array.of(1)])[0] as P);
    good = name === "g1" ? encodeHash(pairing.g1) : encodeHash(pairing.g2);
  });

  test("is refused in any other size", () => {
    for (const size of [0, 1, 47, 49, 95, 97, 192]) {
      if (size === pairing[name].size) continue;
      expectRefused(
        name,
        Uint8Array.from({ length: size }, (_, i) => good[i] ?? 0),
      );
    }
  });

  test("is refused with any flags but compressed, and compressed with the larger y", () => {
    for (const flags of [0x00, 0x20, 0x40, 0x60, 0xc0, 0xe0]) {
      expectRefused(
        name,
        withFirst(good, (first) => (first & 0x1f) | flags),
      );
    }
    const opposite = withFirst(good, (first) => first ^ 0x20);
    if (name === "g1") {
      const { g1 } = pairing;
      expect(toHex(g1.encode(g1.negate(g1.decode(good))))).toBe(toHex(opposite));
    } else {
      const { g2 } = pairing;
      expect(toHex(g2.encode(g2.negate(g2.decode(good))))).toBe(toHex(opposite));
    }
  });

  test("has one identity, which is refused where a scheme says so, and no other with further bits", () => {
    const identity = withFirst(new Uint8Array(good.length), () => 0xc0);
    if (name === "g1") expect(pairing.g1.isZero(pairing.g1.decode(identity))).toBe(true);
    else expect(pairing.g2.isZero(pairing.g2.decode(identity))).toBe(true);
    expectRefused(name, identity, { identity: "reject" });
    expectRefused(
      name,
      withFirst(identity, () => 0xe0),
    );
    expectRefused(
      name,
      withFirst(identity, () => 0x40),
    );
    expectRefused(
      name,
      withFirst(identity, () => 0xc1),
    );
    for (let i = 1; i < identity.length; i++) {
      expectRefused(
        name,
        Uint8Array.from(identity, (byte, at) => (at === i ? 1 : byte)),
      );
    }
    expectRefused(name, new Uint8Array(good.length));
    expectRefused(
      name,
      withFirst(new Uint8Array(good.length), () => 0x80),
    );
  });

  test("is refused with a coordinate of q or more, though the same value reduced is a point", () => {
    for (let offset = 0; offset < good.length; offset += 48) {
      const part = withFirst(good.slice(offset, offset + 48), (first) =>
        offset === 0 ? first & 0x1f : first,
      );
      for (const value of [toBigInt(part) + fieldOrder, fieldOrder]) {
        // Above 381 bits the sum would run into the flags, where it is another case.
        if (value >> 381n !== 0n) continue;
        const bytes = concat(good.slice(0, offset), fromBigInt(value, 48), good.slice(offset + 48));
        expectRefused(
          name,
          withFirst(bytes, (first) => (offset === 0 ? first | 0x80 : first)),
        );
      }
    }
  });

  test("is refused off the curve", () => {
    expectRefused(name, abscissa(name, false));
  });

  test("is refused on the curve but outside the subgroup, where the check switched off lets it in", () => {
    const outside = abscissa(name, true);
    expectRefused(name, outside);
    expectRefused(
      name,
      withFirst(outside, (first) => first ^ 0x20),
    );
    // Only now: the check is switched back on below, which would hide that it was never on.
    const decode = () => (name === "g1" ? pairing.g1.decode(outside) : pairing.g2.decode(outside));
    const verifyOrder = name === "g1" ? mcl.verifyOrderG1 : mcl.verifyOrderG2;
    try {
      verifyOrder(false);
      decode();
    } finally {
      verifyOrder(true);
    }
  });
});

describe("an element of GT", () => {
  let element: GT;
  let good: Uint8Array;
  beforeAll(() => {
    element = pairing.multiPairing([[pairing.g1.generator, pairing.g2.generator]]);
    good = pairing.gt.encode(element);
  });
  const coefficients = (bytes: Uint8Array) =>
    Array.from({ length: 12 }, (_, i) => toBigInt(bytes.slice(48 * i, 48 * i + 48)));
  const join = (values: readonly bigint[]) => concat(...values.map((value) => fromBigInt(value, 48)));
  /** −T: T times the element of order two. */
  const negated = (bytes: Uint8Array) =>
    join(coefficients(bytes).map((value) => (value === 0n ? 0n : fieldOrder - value)));

  /** What mcl's own decoder says, and mcl's own `pow`. */
  function mclRead(bytes: Uint8Array): mcl.GT {
    const read = new mcl.GT();
    read.deserialize(bytes);
    return read;
  }
  function mclScalar(value: bigint): mcl.Fr {
    const scalar = new mcl.Fr();
    scalar.setStr(value.toString());
    return scalar;
  }

  test("is 576 bytes whose pairs are swapped against noble's", () => {
    expect(good.length).toBe(576);
    const noble = bls12_381.pairing(bls12_381.G1.Point.BASE, bls12_381.G2.Point.BASE);
    expect(toHex(good)).toBe(toHex(swapPairs(Fp12.toBytes(noble))));
    expect(coefficients(pairing.gt.encode(pairing.gt.one)).indexOf(1n)).toBe(1);
  });

  test("is refused in another size, as zero, and with a coefficient of q or more", () => {
    const { gt } = pairing;
    for (const read of [gt.decode, gt.clearCofactor]) {
      const refused = (bytes: Uint8Array) => isRefused(() => read.call(gt, bytes));
      expect([0, 575, 577, 1152].every((size) => refused(new Uint8Array(size)))).toBe(true);
      expect(refused(new Uint8Array(576))).toBe(true);
      for (let i = 0; i < 12; i++) {
        const values = coefficients(good);
        expect(refused(join(values.with(i, fieldOrder)))).toBe(true);
        expect(refused(join(values.with(i, (values[i] ?? 0n) + fieldOrder)))).toBe(true);
        expect(
          refused(concat(good.slice(0, 48 * i), new Uint8Array(48).fill(255), good.slice(48 * i + 48))),
        ).toBe(true);
      }
      expect(refused(good)).toBe(false);
    }
  });

  test("is refused outside the subgroup, where mcl's own decoder takes anything, zero too", () => {
    const order2 = negated(pairing.gt.encode(pairing.gt.one));
    const flipped = Uint8Array.from(good, (byte, i) => (i === 575 ? byte ^ 1 : byte));
    const outside = [order2, negated(good), flipped, swapPairs(good), join(Array(12).fill(7n))];
    for (const bytes of outside) {
      expect(toHex(mclRead(bytes).serialize()), "mcl accepts it").toBe(toHex(bytes));
      expect(isRefused(() => pairing.gt.decode(bytes))).toBe(true);
      expect(isRefused(() => nobleOracle.gt.decode(bytes))).toBe(true);
    }
    expect(mclRead(new Uint8Array(576)).isZero(), "mcl accepts zero").toBe(true);
  });

  test("is not tested by mcl's pow, which is wrong outside the subgroup", () => {
    const outside = join(Array(12).fill(7n));
    const exponent = 2n ** 200n + 12345n;
    const plain = swapPairs(Fp12.toBytes(Fp12.pow(Fp12.fromBytes(swapPairs(outside)), exponent)));
    expect(toHex(mcl.pow(mclRead(outside), mclScalar(exponent)).serialize())).not.toBe(toHex(plain));
    // Inside it is right, so the difference above is the subgroup's.
    const inside = pairing.gt.power([{ base: element, exponent }]);
    expect(toHex(mcl.pow(mclRead(good), mclScalar(exponent)).serialize())).toBe(
      toHex(pairing.gt.encode(inside)),
    );
  });

  test("would give away a secret exponent bit by bit: −T tells its parity to whoever only trusts the decoder", () => {
    const weakDecode = (bytes: Uint8Array) => Fp12.fromBytes(swapPairs(mclRead(bytes).serialize()));
    for (const secret of [1234567n, 7654322n]) {
      const honest = Fp12.pow(weakDecode(good), secret);
      const answer = Fp12.pow(weakDecode(negated(good)), secret);
      expect(Fp12.eql(answer, honest)).toBe(secret % 2n === 0n);
      expect(Fp12.eql(answer, Fp12.neg(honest))).toBe(secret % 2n === 1n);
    }
    expect(isRefused(() => pairing.gt.decode(negated(good)))).toBe(true);
  });

  test("may have its cofactor cleared instead: the part outside the subgroup is gone, T^z comes out", () => {
    const { gt } = pairing;
    const z = 0x1234_5678_9abc_def0n ** 3n;
    const exponent = (z * gt.cofactorInverse) % order;
    const expected = gt.power([{ base: element, exponent: z }]);
    for (const bytes of [good, negated(good)]) {
      expect(gt.equal(gt.powerSplit(gt.clearCofactor(bytes), exponent), expected)).toBe(true);
    }
    const cleared = gt.clearCofactor(join(Array(12).fill(7n)));
    expect(gt.equal(gt.decode(gt.encode(cleared)), cleared)).toBe(true);
  });

  test("needs its test for zero: the final exponentiation of zero is zero, and so is every power of it", () => {
    const zero = mclRead(new Uint8Array(576));
    expect(mcl.finalExp(zero).isZero()).toBe(true);
    expect(isRefused(() => pairing.gt.clearCofactor(new Uint8Array(576)))).toBe(true);
  });
});

describe("elements of another group or backend", () => {
  test("are a defect, not a wrong result", () => {
    const { g1, g2 } = pairing;
    for (const run of [
      () => g1.add(g2.generator as never, g1.generator),
      () => g1.encode(nobleOracle.g1.generator),
      () => g2.linear([[{ point: g1.generator as never, scalar: 5n }]]),
      () => pairing.gt.encode(nobleOracle.gt.one),
      () => g1.multiply(g1.generator, order),
      () => g1.multiply(g1.generator, -1n),
      () => pairing.gt.power([{ base: pairing.gt.one, exponent: order }]),
      () => g1.hash("no final NUL", []),
      () => g1.hash("two\0NUL\0", []),
    ]) {
      let seen: unknown;
      try {
        run();
      } catch (error) {
        seen = error;
      }
      expect(hasCode(seen, "defect"), String(run)).toBe(true);
    }
  });
});
