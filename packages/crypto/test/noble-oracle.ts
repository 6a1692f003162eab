/**
 * The oracle: the interface of pairing.ts over @noble/curves' bls12-381 and plain bigint, slow and independent of the
 * backend, for tests only. Its decoders are written out here on bigints and share nothing with src/pairing/strict.ts.
 * GT: noble writes c0 before c1 in each Fp2 and mcl c1 before c0, so each pair is swapped on the way in and out.
 */
import { bls12_381 } from "@noble/curves/bls12-381.js";
import { concat, fromBigInt, toBigInt, utf8 } from "../src/bytes.ts";
import { ChartsealError } from "../src/errors.ts";
import type { G1, G2, Group, GT, Pairing, Scalar, TargetGroup, Term } from "../src/pairing/pairing.ts";
import { randomScalar } from "../src/random.ts";

const { fields } = bls12_381;
const { Fp12 } = fields;
const q = fields.Fp.ORDER;
const p = fields.Fr.ORDER;

type NobleFp12 = typeof Fp12.ONE;
type NoblePoint1 = typeof bls12_381.G1.Point.BASE;
type NoblePoint2 = typeof bls12_381.G2.Point.BASE;

/** The part of noble's two point classes that is used here. */
interface NoblePoint<P> {
  add(other: P): P;
  negate(): P;
  equals(other: P): boolean;
  is0(): boolean;
  multiplyUnsafe(scalar: bigint): P;
  assertValidity(): void;
  toBytes(compressed?: boolean): Uint8Array;
}

interface NobleCurve<P> {
  readonly zero: P;
  readonly generator: P;
  readonly size: 48 | 96;
  readonly dst: string;
  readonly hash: (message: Uint8Array, dst: string) => P;
  readonly fromBytes: (bytes: Uint8Array) => P;
}

function refuse(why: string): never {
  throw new ChartsealError("encoding-invalid", why);
}

function times<P extends NoblePoint<P>>(curve: NobleCurve<P>, point: P, scalar: Scalar): P {
  return scalar === 0n || point.is0() ? curve.zero : point.multiplyUnsafe(scalar);
}

function decodePoint<P extends NoblePoint<P>>(
  curve: NobleCurve<P>,
  bytes: Uint8Array,
  options: { identity?: "reject" } = {},
): P {
  if (bytes.length !== curve.size) refuse("size");
  const bits = toBigInt(bytes) >> BigInt(8 * curve.size - 3);
  const first = toBigInt(bytes.slice(0, 48)) & (2n ** 381n - 1n);
  const second = toBigInt(bytes.slice(48));
  if (bits === 6n && first === 0n && second === 0n) {
    if (options.identity === "reject") refuse("identity");
    return curve.zero;
  }
  if (bits !== 4n && bits !== 5n) refuse("flags");
  if (first >= q || second >= q) refuse("not canonical");
  try {
    const point = curve.fromBytes(bytes);
    point.assertValidity();
    return point;
  } catch {
    return refuse("not in the group");
  }
}

function groupOf<P extends NoblePoint<P>>(curve: NobleCurve<P>): Group<P> {
  const row = (terms: readonly Term<P>[]) =>
    terms.reduce((sum, { point, scalar }) => sum.add(times(curve, point, scalar)), curve.zero);
  return {
    generator: curve.generator,
    zero: curve.zero,
    size: curve.size,
    linear: (rows) => rows.map(row),
    multiply: (point, scalar) => times(curve, point, scalar),
    multiplySplit(point, secret) {
      const part = randomScalar();
      return times(curve, point, part).add(times(curve, point, (secret - part + p) % p));
    },
    add: (a, b) => a.add(b),
    sum: (points) => points.reduce((sum, point) => sum.add(point), curve.zero),
    negate: (a) => a.negate(),
    equal: (a, b) => a.equals(b),
    isZero: (a) => a.is0(),
    hash: (tag, messages) => messages.map((message) => curve.hash(concat(utf8(tag), message), curve.dst)),
    encode: (a) => (a.is0() ? identityBytes(curve.size) : a.toBytes(true)),
    decode: (bytes, options) => decodePoint(curve, bytes, options),
  };
}

/** noble refuses to write the identity of a curve for signatures: 0xc0 and zeros (ZCash). */
function identityBytes(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes[0] = 0xc0;
  return bytes;
}

/** Exchanges the two 48-byte halves of each Fp2: from noble's order to ours and back. */
export function swapPairs(bytes: Uint8Array): Uint8Array {
  const swapped = new Uint8Array(bytes.length);
  for (let offset = 0; offset < bytes.length; offset += 96) {
    swapped.set(bytes.subarray(offset + 48, offset + 96), offset);
    swapped.set(bytes.subarray(offset, offset + 48), offset + 48);
  }
  return swapped;
}

function readTarget(bytes: Uint8Array): NobleFp12 {
  if (bytes.length !== 576) refuse("size");
  const coefficients = Array.from({ length: 12 }, (_, i) => toBigInt(bytes.slice(48 * i, 48 * i + 48)));
  if (coefficients.some((coefficient) => coefficient >= q)) refuse("not canonical");
  if (coefficients.every((coefficient) => coefficient === 0n)) refuse("zero");
  return Fp12.fromBytes(swapPairs(bytes));
}

const target = {
  one: Fp12.ONE,
  multiply: (a: NobleFp12, b: NobleFp12) => Fp12.mul(a, b),
  invert: (a: NobleFp12) => Fp12.inv(a),
  power: (terms: readonly { base: NobleFp12; exponent: Scalar }[]) =>
    terms.reduce((product, { base, exponent }) => Fp12.mul(product, Fp12.pow(base, exponent)), Fp12.ONE),
  powerSplit(base: NobleFp12, secret: Scalar) {
    const part = randomScalar();
    return Fp12.mul(Fp12.pow(base, part), Fp12.pow(base, (secret - part + p) % p));
  },
  equal: (a: NobleFp12, b: NobleFp12) => Fp12.eql(a, b),
  isOne: (a: NobleFp12) => Fp12.eql(a, Fp12.ONE),
  encode: (a: NobleFp12) => swapPairs(Fp12.toBytes(a)),
  decode(bytes: Uint8Array) {
    const element = readTarget(bytes);
    if (!Fp12.eql(Fp12.pow(element, p), Fp12.ONE)) refuse("order");
    return element;
  },
  clearCofactor: (bytes: Uint8Array) => Fp12.finalExponentiate(readTarget(bytes)),
  cofactorInverse: fields.Fr.inv(fields.Fr.create((3n * (q ** 12n - 1n)) / p)),
};

function multiPairing(pairs: readonly (readonly [NoblePoint1, NoblePoint2])[]): NobleFp12 {
  const present = pairs.filter(([a, b]) => !a.is0() && !b.is0());
  return present.length === 0
    ? Fp12.ONE
    : bls12_381.pairingBatch(present.map(([a, b]) => ({ g1: a, g2: b })));
}

const curve1: NobleCurve<NoblePoint1> = {
  zero: bls12_381.G1.Point.ZERO,
  generator: bls12_381.G1.Point.BASE,
  size: 48,
  dst: "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_",
  hash: (message, dst) => bls12_381.G1.hashToCurve(message, { DST: dst }) as NoblePoint1,
  fromBytes: (bytes) => bls12_381.G1.Point.fromBytes(bytes),
};

const curve2: NobleCurve<NoblePoint2> = {
  zero: bls12_381.G2.Point.ZERO,
  generator: bls12_381.G2.Point.BASE,
  size: 96,
  dst: "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_",
  hash: (message, dst) => bls12_381.G2.hashToCurve(message, { DST: dst }) as NoblePoint2,
  fromBytes: (bytes) => bls12_381.G2.Point.fromBytes(bytes),
};

/** The oracle behind the same opaque types. */
export const nobleOracle: Pairing = {
  name: "@noble/curves",
  g1: groupOf(curve1) as unknown as Group<G1>,
  g2: groupOf(curve2) as unknown as Group<G2>,
  gt: target as unknown as TargetGroup,
  multiPairing: multiPairing as unknown as (pairs: readonly (readonly [G1, G2])[]) => GT,
};

/** A point's affine coordinates (x, y), each one or two field elements; (0, 0)-free, for vectors that give them. */
export function pointFromAffine(group: "G1" | "G2", x: readonly bigint[], y: readonly bigint[]): Uint8Array {
  const larger = [...y].reverse().find((part) => part !== 0n) ?? 0n;
  const bytes = concat(...[...x].reverse().map((part) => fromBigInt(part, 48)));
  bytes[0] = (bytes[0] ?? 0) | 0x80 | (2n * larger > q ? 0x20 : 0);
  if (bytes.length !== (group === "G1" ? 48 : 96)) refuse("size");
  return bytes;
}
