/**
 * Attackers who skip the satisfaction check and compute with whatever they hold (CRYPTO §1, §2). Each attack fails on
 * our encapsulation and succeeds on a copy with one safeguard taken out, so that the attack is known to bite.
 */
import { describe, expect, test } from "vitest";
import { fuzzRounds } from "../../../test/fuzz-rounds.ts";
import { transformKeyPair } from "../src/cpabe/blind.ts";
import {
  type AttributeKey,
  attributePoints,
  baseB,
  decaps,
  keygen,
  type Shape,
} from "../src/cpabe/scheme.ts";
import { type GT, order, type Scalar } from "../src/pairing/pairing.ts";
import { invert, mod } from "../src/pairing/scalar.ts";
import { select } from "../src/policy/span-program.ts";
import { randomScalar } from "../src/random.ts";
import { authority, choices, contextOf, fullKey, pairing, seal, type Weakening } from "./cpabe-fixtures.ts";

const { g1, g2, gt } = pairing;
const context = contextOf("attacked");

/** Takes a safeguard out: one s' for all occurrences of a repeated attribute. */
const oneSPrime: Weakening = {
  shape: (shape) => ({ ...shape, occurrence: shape.occurrence.map(() => 1), tau: 1 }),
};

/** Takes the matrix out: the first child of the top `and` gets the whole share, the others nothing. */
const brokenAnd: Weakening = {
  shape: (shape: Shape) => ({
    ...shape,
    program: {
      ...shape.program,
      rows: shape.program.rows.map((row, i) => ({ ...row, entries: i === 0 ? [[0, 1n] as const] : [] })),
    },
  }),
};

/** Takes the fresh r out: every key of the authority is made with this one. */
function sharedR(): (...attributes: string[]) => AttributeKey {
  const r = randomScalar();
  return (...attributes) => {
    const points = attributePoints(pairing, attributes);
    const k1 = g1.add(g1.multiply(g1.generator, authority.alpha), g1.multiply(baseB(pairing), r));
    const k2 = new Map(attributes.map((attribute, i) => [attribute, g1.multiply(points[i]!, r)]));
    return { k1, k2, k3: g2.multiply(g2.generator, r) };
  };
}

describe("the τ attack: a repeated attribute under one s'", () => {
  // In c3_i = [λ_i]b + [s'_j]H(a), two rows of one attribute a under one s' differ by [λ_1 − λ_2]b: the attacker, who
  // does not hold a, takes rows of a whose coefficients add up to zero, and H(a) falls out with the need for k2_a.
  // What is left are shares that no key paid for. Here a holder of b alone opens policies that need a.
  const attacks: [policy: string, coefficients: bigint[]][] = [
    ["a@h and (a@h or b@h)", [1n, -1n, 2n]],
    ["2 of (a@h, a@h, b@h)", [3n, -3n, 1n]],
  ];

  test.each(attacks)(
    "%s stays shut to b alone, and opens where both leaves share one s'",
    (text, coefficients) => {
      const holdsB = fullKey("b@h");
      // The attacker needs nothing for a: any element will do, since its coefficients cancel; zero is at hand.
      const forged = { ...holdsB, k2: new Map([...holdsB.k2, ["a@h", g1.zero]]) };
      const opening = { rows: [0, 1, 2], coefficients: coefficients.map(mod) };
      const weak = seal(text, context, oneSPrime);
      expect(gt.equal(decaps(pairing, forged, weak.shape, opening, weak.encapsulation), weak.shared)).toBe(
        true,
      );

      const real = seal(text, context);
      // Both assignments of b's row to the two c2, and their sum, which one s' would make.
      const [first, second] = real.encapsulation.c2;
      for (const c2 of [[first!], [second!], [g2.add(first!, second!)]]) {
        const ciphertext = { ...real.encapsulation, c2 };
        expect(gt.equal(decaps(pairing, forged, weak.shape, opening, ciphertext), real.shared)).toBe(false);
      }
      expect(gt.equal(decaps(pairing, forged, real.shape, opening, real.encapsulation), real.shared)).toBe(
        false,
      );
    },
  );
});

describe("the attacker of §1: any rows, any coefficients, pooled keys, rows of several ciphertexts", () => {
  // The pairings of every key element with every ciphertext element are computed once, with their powers for a small
  // table of coefficients; a try is then a product in GT. That is all that the pairing equation can ever give.
  const tries = fuzzRounds(10_000, 1 / 10);
  const two = invert(2n);
  const table: Scalar[] = [1n, -1n, 2n, -2n, 3n, -3n, 3n * two, -two, 4n, -4n].map(mod);
  type Powers = ReadonlyMap<Scalar, GT>;

  function powersOf(element: GT, extra: readonly Scalar[]): Powers {
    const exponents = [...table, ...extra];
    return new Map(exponents.map((exponent) => [exponent, gt.power([{ base: element, exponent }])]));
  }

  function attack(text: string, keys: readonly AttributeKey[], weakening: Weakening, seed: number): number {
    const sealed = [seal(text, context, weakening), seal(text, context, weakening)];
    const { shape, policy } = sealed[0]!;
    const extra = [randomScalar(), randomScalar()];
    const all = [...table, ...extra];
    const small = table.slice(0, 4);
    const pair = (a: Parameters<typeof pairing.multiPairing>[0][number]) =>
      powersOf(pairing.multiPairing([a]), extra);
    const parts = sealed.map(({ encapsulation }) => ({
      first: keys.map((key) => pairing.multiPairing([[key.k1, encapsulation.c1]])),
      keyed: keys.map(
        (key) => new Map([...key.k2].map(([u, point]) => [u, encapsulation.c2.map((c) => pair([point, c]))])),
      ),
      rows: keys.map((key) => encapsulation.c3.map((point) => pair([g1.negate(point), key.k3]))),
    }));
    // With the check skipped, the coefficients that would open for someone who holds everything.
    const everything = select(policy, new Set(policy.attributes))!;
    const honest = new Map(everything.rows.map((row, i) => [row, everything.coefficients[i]!]));
    const { below, pick } = choices(seed);
    let opened = 0;
    for (let attempt = 0; attempt < tries; attempt++) {
      // One ciphertext and one key, or each element from anywhere.
      const [mixRecords, mixKeys, useHonest] = [below(4) === 0, below(2) === 0, below(3) === 0];
      const [record, reader] = [below(2), below(keys.length)];
      let product = pick(parts[record]!.first);
      if (!mixKeys) product = parts[record]!.first[reader]!;
      for (let row = 0; row < shape.program.rows.length; row++) {
        const coefficient = useHonest
          ? honest.get(row)
          : below(4) === 0
            ? undefined
            : pick(below(2) === 0 ? small : all);
        if (coefficient === undefined) continue;
        const from = parts[mixRecords ? below(2) : record]!;
        const who = mixKeys ? below(keys.length) : reader;
        const share = from.rows[who]![row]!.get(coefficient);
        if (share !== undefined) product = gt.multiply(product, share);
        const { attribute } = shape.program.rows[row]!;
        const holder = from.keyed[who]!.has(attribute) || !mixKeys ? who : below(keys.length);
        const keyed = from.keyed[holder]!.get(attribute)?.[shape.occurrence[row]! - 1]?.get(coefficient);
        if (keyed !== undefined) product = gt.multiply(product, keyed);
      }
      if (sealed.some(({ shared }) => gt.equal(product, shared))) opened++;
    }
    return opened;
  }

  test("nothing opens in 10^4 tries for each of three policies", () => {
    expect(attack("a@h and b@h", [fullKey("a@h"), fullKey("b@h"), fullKey("c@h")], {}, 1)).toBe(0);
    expect(attack("2 of (a@h, b@h, c@h)", [fullKey("a@h"), fullKey("b@h"), fullKey("c@h")], {}, 2)).toBe(0);
    expect(attack("a@h and (a@h or b@h)", [fullKey("b@h"), fullKey("c@h")], {}, 3)).toBe(0);
  }, 600_000);

  test("the same attacker opens an AND gate that hands the whole share to one child", () => {
    expect(attack("a@h and b@h", [fullKey("a@h"), fullKey("b@h")], brokenAnd, 4)).toBeGreaterThan(0);
  });

  test("the same attacker opens what is sealed with one s' for a repeated attribute", () => {
    expect(attack("a@h and (a@h or b@h)", [fullKey("b@h")], oneSPrime, 5)).toBeGreaterThan(0);
  });

  test("the same attacker pools two keys that were made with one r", () => {
    const weakKey = sharedR();
    expect(attack("a@h and b@h", [weakKey("a@h"), weakKey("b@h")], {}, 6)).toBeGreaterThan(0);
  });
});

describe("two readers who collude", () => {
  // Alice holds a, Bob holds b, the policy wants both. They lay their keys together and try every way to take k1, the
  // k3 of each row and each k2 from either of them. What stops them is r: shares paired with two different k3 do not
  // add up to r·s1. With one r for both keys they do.
  function opensFor(alice: AttributeKey, bob: AttributeKey): boolean {
    const { encapsulation, shared } = seal("a@h and b@h", context);
    const { c1, c2, c3 } = encapsulation;
    const keys = [alice, bob];
    const keyed = pairing.multiPairing([[g1.add(alice.k2.get("a@h")!, bob.k2.get("b@h")!), c2[0]!]]);
    const rows = c3.map((row) => keys.map(({ k3 }) => pairing.multiPairing([[g1.negate(row), k3]])));
    for (const { k1 } of keys) {
      const start = gt.multiply(pairing.multiPairing([[k1, c1]]), keyed);
      for (const first of rows[0]!) {
        for (const second of rows[1]!) {
          if (gt.equal(gt.multiply(gt.multiply(start, first), second), shared)) return true;
        }
      }
    }
    // Their sums, as a library that adds keys element by element would make them.
    const halved = invert(2n);
    const k1 = g1.multiply(g1.add(alice.k1, bob.k1), halved);
    const k3 = g2.multiply(g2.add(alice.k3, bob.k3), halved);
    const merged = { k1, k2: new Map([...alice.k2, ...bob.k2]), k3 };
    const { shape } = seal("a@h and b@h", context);
    const opening = { rows: [0, 1], coefficients: [1n, 1n] };
    return [merged, { ...merged, k1: alice.k1 }, { ...merged, k3: alice.k3 }].some((key) =>
      gt.equal(decaps(pairing, key, shape, opening, encapsulation), shared),
    );
  }

  test("open nothing together that neither opens alone", () => {
    expect(opensFor(fullKey("a@h"), fullKey("b@h"))).toBe(false);
  });

  test("would open it if the authority used one r for both", () => {
    const weakKey = sharedR();
    expect(opensFor(weakKey("a@h"), weakKey("b@h"))).toBe(true);
  });
});

describe("the provider alone", () => {
  // It holds every reader's transform key, all of whom satisfy the policy, and no z. It has T_i = K^{1/z_i} for as many
  // readers as it likes; it multiplies their powers, and mixes the keys themselves.
  const tries = fuzzRounds(2000, 1 / 50);

  function opensFor(blinded: readonly ReturnType<typeof transformKeyPair>[]): boolean {
    const { encapsulation, shared, shape } = seal("a@h and b@h", context);
    const keys = blinded.map((pair) =>
      keygen(pairing, { alpha: authority.alpha, attributes: ["a@h", "b@h"], blinded: pair.blinded }),
    );
    const opening = { rows: [0, 1], coefficients: [1n, 1n] };
    const candidates: GT[] = [];
    for (const first of keys) {
      for (const rest of keys) {
        candidates.push(decaps(pairing, { ...rest, k1: first.k1 }, shape, opening, encapsulation));
      }
    }
    const exponents = [1n, 2n, 3n, order - 1n, order - 2n, invert(2n), invert(3n), randomScalar()];
    const powers = candidates.map((base) => exponents.map((exponent) => gt.power([{ base, exponent }])));
    if (powers.flat().some((candidate) => gt.equal(candidate, shared))) return true;
    const { below, pick } = choices(7);
    for (let attempt = 0; attempt < tries; attempt++) {
      let product = gt.one;
      for (let factors = 2 + below(4); factors > 0; factors--)
        product = gt.multiply(product, pick(pick(powers)));
      if (gt.equal(product, shared)) return true;
    }
    return false;
  }

  test("opens nothing with every transform key and no recovery key", () => {
    expect(opensFor([transformKeyPair(pairing), transformKeyPair(pairing), transformKeyPair(pairing)])).toBe(
      false,
    );
  });

  test("would open everything with one key issued for Z = g1, which verifyBlind refuses", () => {
    const full = { recoveryKey: 1n, blinded: g1.generator };
    expect(opensFor([transformKeyPair(pairing), full])).toBe(true);
  });
});
