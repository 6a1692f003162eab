/**
 * Mutated encodings: a typed error, or an element that encodes to the very bytes that were read. CHARTSEAL_FUZZ is the
 * number of inputs per group (GT's check is the dear one: it gets a twentieth); a short round without it.
 */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { fuzzRounds, fuzzTimeoutMs } from "../../../test/fuzz-rounds.ts";
import { fromBigInt, toHex } from "../src/bytes.ts";
import { ChartsealError } from "../src/errors.ts";
import { loadPairing } from "../src/pairing/mcl.ts";
import { order, type Pairing } from "../src/pairing/pairing.ts";
import { decodeScalar, encodeScalar } from "../src/pairing/scalar.ts";
import { fieldOrder } from "../src/pairing/strict.ts";

const rounds = fuzzRounds(600);
/** The rounds of the target group, whose membership check is the dear one. */
const targetRounds = fuzzRounds(30, 1 / 20);
let pairing: Pairing;
let seeds: Record<"g1" | "g2" | "gt" | "scalar", Uint8Array[]>;

beforeAll(async () => {
  pairing = await loadPairing();
  const { g1, g2, gt } = pairing;
  const messages = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)];
  const points1 = g1.hash("fuzz\0", messages);
  const points2 = g2.hash("fuzz\0", messages);
  const pairings = points1.map((point) => pairing.multiPairing([[point, g2.generator]]));
  seeds = {
    g1: [...points1, g1.zero].map((point) => g1.encode(point)),
    g2: [...points2, g2.zero].map((point) => g2.encode(point)),
    gt: [...pairings, gt.one].map((element) => gt.encode(element)),
    scalar: [0n, 1n, order - 1n].map(encodeScalar),
  };
});

type Mutation = (bytes: Uint8Array) => Uint8Array;
const position = fc.nat({ max: 1000 });
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(position, fc.nat({ max: 7 })).map(
    ([at, bit]): Mutation =>
      (bytes) => {
        const changed = bytes.slice();
        const index = at % Math.max(1, bytes.length);
        changed[index] = (changed[index] ?? 0) ^ (1 << bit);
        return changed.slice(0, bytes.length);
      },
  ),
  fc.nat({ max: 255 }).map(
    (first): Mutation =>
      (bytes) =>
        Uint8Array.from(bytes, (byte, i) => (i === 0 ? first : byte)),
  ),
  position.map(
    (size): Mutation =>
      (bytes) =>
        bytes.slice(0, size % (bytes.length + 1)),
  ),
  fc.uint8Array({ maxLength: 100 }).map(
    (more): Mutation =>
      (bytes) =>
        Uint8Array.of(...bytes, ...more),
  ),
  fc.tuple(position, fc.uint8Array({ minLength: 48, maxLength: 48 })).map(
    ([at, part]): Mutation =>
      (bytes) => {
        const changed = bytes.slice();
        const offset = 48 * (at % Math.max(1, Math.floor(bytes.length / 48)));
        changed.set(part.subarray(0, Math.max(0, bytes.length - offset)), offset);
        return changed;
      },
  ),
  fc.tuple(position, fc.constantFrom(0n, 1n, fieldOrder - 1n, fieldOrder)).map(
    ([at, value]): Mutation =>
      (bytes) => {
        const changed = bytes.slice();
        const offset = 48 * (at % Math.max(1, Math.floor(bytes.length / 48)));
        changed.set(fromBigInt(value, 48).subarray(0, Math.max(0, bytes.length - offset)), offset);
        return changed;
      },
  ),
);

function survives(read: (bytes: Uint8Array) => Uint8Array, bytes: Uint8Array): void {
  let again: Uint8Array;
  try {
    again = read(bytes);
  } catch (error) {
    if (error instanceof ChartsealError && error.code === "encoding-invalid") return;
    throw error;
  }
  if (toHex(again) !== toHex(bytes)) throw new Error("decoded to an element of another encoding");
}

describe("decoders under mutated inputs", { timeout: fuzzTimeoutMs(rounds) }, () => {
  test.each([
    ["g1", rounds],
    ["g2", rounds],
    ["gt", targetRounds],
    ["scalar", rounds],
  ] as const)("%s gives a typed error or the same bytes again", (name, runs) => {
    const reads: Record<typeof name, (bytes: Uint8Array) => Uint8Array> = {
      g1: (bytes) => pairing.g1.encode(pairing.g1.decode(bytes)),
      g2: (bytes) => pairing.g2.encode(pairing.g2.decode(bytes)),
      gt: (bytes) => pairing.gt.encode(pairing.gt.decode(bytes)),
      scalar: (bytes) => encodeScalar(decodeScalar(bytes)),
    };
    fc.assert(
      fc.property(fc.nat({ max: 3 }), fc.array(mutation, { maxLength: 3 }), (seed, mutations) => {
        const from = seeds[name][seed % seeds[name].length] as Uint8Array;
        survives(
          reads[name],
          mutations.reduce((bytes, mutate) => mutate(bytes), from),
        );
      }),
      { numRuns: runs },
    );
    for (const seed of seeds[name]) expect(toHex(reads[name](seed))).toBe(toHex(seed));
  });

  test("clearing the cofactor of mutated inputs lands in the subgroup or is refused", () => {
    const { gt } = pairing;
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 3 }), (mutations) => {
        const bytes = mutations.reduce((now, mutate) => mutate(now), seeds.gt[0] as Uint8Array);
        survives((given) => {
          const cleared = gt.clearCofactor(given);
          expect(gt.equal(gt.decode(gt.encode(cleared)), cleared)).toBe(true);
          return given;
        }, bytes);
      }),
      { numRuns: targetRounds },
    );
  });
});
