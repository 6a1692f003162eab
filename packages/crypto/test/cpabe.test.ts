// The encapsulation as its callers meet it: who opens what, what is refused, what each step costs.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fuzzRounds } from "../../../test/fuzz-rounds.ts";
import { proveBlind, transformKeyPair, verifyBlind } from "../src/cpabe/blind.ts";
import {
  decapsulate,
  type Encapsulation,
  encapsulate,
  recomputeEncapsulation,
  recoverFromTransform,
  recoverMessage,
  verifyEncapsulation,
} from "../src/cpabe/cpabe.ts";
import { keygen, shapeOf } from "../src/cpabe/scheme.ts";
import { ChartsealError } from "../src/errors.ts";
import { countingPairing } from "../src/pairing/counting.ts";
import { parsePolicy } from "../src/policy/policy.ts";
import { satisfies } from "../src/policy/satisfy.ts";
import { randomBytes } from "../src/random.ts";
import { authority, codeOf, contextOf, fullKey, pairing, reader, seal } from "./cpabe-fixtures.ts";

const { mpk } = authority;
const { g1, g2, gt } = pairing;
const context = contextOf("one record");

function sealed(text: string) {
  const policy = parsePolicy(text);
  return { policy, context, ...encapsulate(pairing, { mpk, policy, context }) };
}

function open(key: ReturnType<typeof fullKey>, record: ReturnType<typeof sealed>): Uint8Array {
  const shared = decapsulate(pairing, { key, ...record });
  return recoverMessage(pairing, { ...record, shared }).message;
}

describe("who opens an encapsulation", () => {
  const cases: [policy: string, opens: string[], doesNot: string[]][] = [
    ["a@h", ["a@h"], ["b@h"]],
    ["a@h and b@h and c@h", ["a@h", "b@h", "c@h"], ["a@h", "c@h"]],
    ["a@h or b@h and c@h", ["b@h", "c@h"], ["b@h"]],
    ["2 of (a@h, b@h, c@h)", ["a@h", "c@h"], ["c@h"]],
    ["3 of (a@h, b@h and x@i, c@h, d@h, a@i)", ["b@h", "x@i", "c@h", "a@i"], ["b@h", "c@h", "a@i"]],
    ["2 of (a@h, a@h, b@h)", ["a@h"], ["b@h"]],
    ["a@h and (a@h or b@h)", ["a@h"], ["b@h"]],
    ["(a@h or b@h) and (a@h or c@h) and (a@h or d@h)", ["b@h", "c@h", "d@h"], ["b@h", "c@h"]],
  ];

  test.each(cases)(
    "%s opens with %j and not with %j, by full key and through a transform",
    (text, yes, no) => {
      const record = sealed(text);
      expect(verifyEncapsulation(pairing, record)).toBe(true);
      expect(open(fullKey(...yes), record)).toEqual(record.message);
      const { recoveryKey, transformKey } = reader(...yes);
      const transform = gt.encode(decapsulate(pairing, { key: transformKey, ...record }));
      const recovered = recoverFromTransform(pairing, { ...record, transform, recoveryKey });
      expect(recovered).toEqual({ message: record.message, transcript: record.transcript });
      expect(codeOf(() => decapsulate(pairing, { key: fullKey(...no), ...record }))).toBe(
        "policy-unsatisfied",
      );
    },
  );

  test("random policies and attribute sets open exactly where the truth table says so", () => {
    const names = ["a@h", "b@h", "c@h", "d@i"];
    const tree: fc.Memo<string> = fc.memo((depth) => {
      if (depth <= 1) return fc.constantFrom(...names);
      const children = fc.array(tree(depth - 1), { minLength: 2, maxLength: 3 });
      const gate = fc.tuple(children, fc.nat(4)).map(([list, choice]) => {
        if (choice < 2) return `(${list.join(choice === 0 ? " and " : " or ")})`;
        return `${1 + (choice % list.length)} of (${list.join(", ")})`;
      });
      return fc.oneof(fc.constantFrom(...names), gate);
    });
    const runs = fuzzRounds(60, 1 / 1000);
    fc.assert(
      fc.property(tree(3), fc.subarray(names), (text, held) => {
        const policy = parsePolicy(text);
        fc.pre(shapeOf(policy).tau <= 8);
        const record = sealed(text);
        if (satisfies(policy.tree, new Set(held))) {
          expect(open(fullKey(...held), record)).toEqual(record.message);
        } else {
          expect(codeOf(() => open(fullKey(...held), record))).toBe("policy-unsatisfied");
        }
      }),
      { numRuns: runs },
    );
  });

  test("attributes that are out of force are not used, though the key still holds them", () => {
    const record = sealed("a@h or b@h");
    const key = fullKey("a@h", "b@h");
    const shared = decapsulate(pairing, { key, ...record, attributes: ["b@h"] });
    expect(recoverMessage(pairing, { ...record, shared }).message).toEqual(record.message);
    const refused = () => decapsulate(pairing, { key, ...record, attributes: ["c@h"] });
    expect(codeOf(refused)).toBe("policy-unsatisfied");
  });

  test("a policy of 200 leaves opens, though its scalars pass what one HKDF-Expand could give", () => {
    const names = Array.from({ length: 200 }, (_, i) => `a${i}@h`);
    const record = sealed(names.join(" and "));
    expect(open(fullKey(...names), record)).toEqual(record.message);
  });

  test("each encapsulation draws its own message", () => {
    expect(sealed("a@h").message).not.toEqual(sealed("a@h").message);
  });
});

describe("what is found altered", () => {
  const record = sealed("(a@h or b@h) and (a@h or c@h)");
  const key = fullKey("a@h");
  const point1 = g1.multiply(g1.generator, 7n);
  const point2 = g2.multiply(g2.generator, 7n);
  const { encapsulation } = record;
  const replaced = <T>(list: readonly T[], at: number, value: T): T[] =>
    list.map((item, i) => (i === at ? value : item));
  const altered: [name: string, changed: Encapsulation, data: object][] = [
    ["c1", { ...encapsulation, c1: point2 }, { part: "c1" }],
    ["c1 = 0", { ...encapsulation, c1: g2.zero }, { part: "c1" }],
    ["c2_1", { ...encapsulation, c2: replaced(encapsulation.c2, 0, point2) }, { part: "c2", row: 0 }],
    ["c2_2", { ...encapsulation, c2: replaced(encapsulation.c2, 1, point2) }, { part: "c2", row: 2 }],
    ["c3_2", { ...encapsulation, c3: replaced(encapsulation.c3, 1, point1) }, { part: "c3", row: 1 }],
    ["c3_4", { ...encapsulation, c3: replaced(encapsulation.c3, 3, point1) }, { part: "c3", row: 3 }],
    [
      "the mask",
      { ...encapsulation, mask: encapsulation.mask.map((b, i) => (i === 9 ? b ^ 1 : b)) },
      { part: "mask" },
    ],
  ];

  test.each(altered)(
    "%s: the reader of any row refuses it, and recomputing names the place",
    (_, changed, data) => {
      const attempt = () => {
        const shared = decapsulate(pairing, { key, ...record });
        return recoverMessage(pairing, { ...record, encapsulation: changed, shared });
      };
      expect(codeOf(attempt)).toBe("transform-invalid");
      const again = () => recomputeEncapsulation(pairing, { mpk, ...record, encapsulation: changed });
      expect(again).toThrow(
        expect.objectContaining({ code: "header-altered", data: expect.objectContaining(data) }),
      );
      // The mask stands outside the proof of knowledge; everything else is inside.
      expect(verifyEncapsulation(pairing, { ...record, encapsulation: changed })).toBe(
        "mask" === (data as { part: string }).part,
      );
    },
  );

  test("the proof of knowledge holds for this context alone, and a spoiled one is named", () => {
    const other = contextOf("another record");
    expect(verifyEncapsulation(pairing, { ...record, context: other })).toBe(false);
    const spoiled = { ...encapsulation, proof: { ...encapsulation.proof, s: 5n } };
    expect(verifyEncapsulation(pairing, { ...record, encapsulation: spoiled })).toBe(false);
    const again = () => recomputeEncapsulation(pairing, { mpk, ...record, encapsulation: spoiled });
    expect(again).toThrow(expect.objectContaining({ code: "header-altered", data: { part: "proof" } }));
  });

  test("another context opens nothing", () => {
    const shared = decapsulate(pairing, { key, ...record });
    const attempt = () =>
      recoverMessage(pairing, { ...record, context: contextOf("another record"), shared });
    expect(codeOf(attempt)).toBe("transform-invalid");
  });

  test("elements too many or too few for the policy are refused before any is used", () => {
    const { c2, c3 } = encapsulation;
    for (const changed of [
      { ...encapsulation, c2: c2.slice(1) },
      { ...encapsulation, c2: [...c2, point2] },
      { ...encapsulation, c3: c3.slice(1) },
      { ...encapsulation, c3: [...c3, point1] },
    ]) {
      expect(verifyEncapsulation(pairing, { ...record, encapsulation: changed })).toBe(false);
      expect(codeOf(() => decapsulate(pairing, { key, ...record, encapsulation: changed }))).toBe(
        "encoding-invalid",
      );
      const shared = decapsulate(pairing, { key, ...record });
      expect(codeOf(() => recoverMessage(pairing, { ...record, encapsulation: changed, shared }))).toBe(
        "transform-invalid",
      );
      expect(codeOf(() => recomputeEncapsulation(pairing, { mpk, ...record, encapsulation: changed }))).toBe(
        "header-altered",
      );
    }
  });

  test("a sealer's element too many, well masked, is refused by the reader all the same", () => {
    const made = seal("a@h or b@h", context);
    const shorter = parsePolicy("a@h");
    const attempt = () => recoverMessage(pairing, { ...made, policy: shorter });
    expect(recoverMessage(pairing, made).message).toEqual(made.message);
    expect(codeOf(attempt)).toBe("transform-invalid");
  });

  test("an honest encapsulation recomputes", () => {
    expect(() => recomputeEncapsulation(pairing, { mpk, ...record })).not.toThrow();
    expect(codeOf(() => recomputeEncapsulation(pairing, { mpk, ...record, message: randomBytes(31) }))).toBe(
      "input-invalid",
    );
  });
});

describe("a sealer whose rows do not fit the policy's text", () => {
  test("passes the check of the rows that are right, and recomputing names the one that is not", () => {
    // The sealer gives row 2, the owner's, a share of nothing: the clinician's row opens and c1 = [s1]g2 holds, so the
    // reader notices nothing, but the owner is locked out of a record about them. One λ is enough to change.
    const policy = parsePolicy("clinician@h or nurse@h or owner@self");
    const shape = shapeOf(policy);
    const dishonest = {
      ...shape,
      program: {
        ...shape.program,
        rows: shape.program.rows.map((row, i) => (i === 2 ? { ...row, entries: [[0, 2n]] as const } : row)),
      },
    };
    const record = seal(policy.text, context, { shape: () => dishonest });
    expect(verifyEncapsulation(pairing, record)).toBe(true);
    expect(open(fullKey("nurse@h"), { ...record, transcript: randomBytes(0) })).toEqual(record.message);
    const owner = () => open(fullKey("owner@self"), { ...record, transcript: randomBytes(0) });
    expect(codeOf(owner)).toBe("transform-invalid");
    expect(() => recomputeEncapsulation(pairing, { mpk, ...record })).toThrow(
      expect.objectContaining({
        code: "header-altered",
        data: { part: "c3", row: 2, attribute: "owner@self" },
      }),
    );
  });
});

describe("blind recovery keys", () => {
  const digest = randomBytes(32);
  const pair = transformKeyPair(pairing);
  const proof = proveBlind(pairing, { pair, digest });

  test("a fresh Z verifies for its own issue and for no other", () => {
    expect(g1.equal(g1.multiply(pair.blinded, pair.recoveryKey), g1.generator)).toBe(true);
    expect(verifyBlind(pairing, { blinded: pair.blinded, digest, proof, mode: "transform" })).toBe(true);
    expect(verifyBlind(pairing, { blinded: pair.blinded, digest, proof, mode: "emergency" })).toBe(true);
    expect(
      verifyBlind(pairing, { blinded: pair.blinded, digest: randomBytes(32), proof, mode: "transform" }),
    ).toBe(false);
  });

  test("another member's Z cannot be asked for: its proof does not fit, and no other can be made", () => {
    // The thief knows only Z. It replays the proof under its own request, and proves a z of its own under that Z.
    const own = transformKeyPair(pairing);
    const forged = proveBlind(pairing, { pair: { ...own, blinded: pair.blinded }, digest });
    expect(verifyBlind(pairing, { blinded: pair.blinded, digest, proof: forged, mode: "transform" })).toBe(
      false,
    );
    const spoiled = { ...proof, s: proof.s ^ 1n };
    expect(verifyBlind(pairing, { blinded: pair.blinded, digest, proof: spoiled, mode: "transform" })).toBe(
      false,
    );
  });

  test("Z = 0 is refused always, Z = g1 in every mode but full, and full takes nothing but g1", () => {
    const full = transformKeyPair(pairing, { mode: "full" });
    const fullProof = proveBlind(pairing, { pair: full, digest });
    expect(verifyBlind(pairing, { blinded: full.blinded, digest, proof: fullProof, mode: "full" })).toBe(
      true,
    );
    expect(verifyBlind(pairing, { blinded: full.blinded, digest, proof: fullProof, mode: "transform" })).toBe(
      false,
    );
    expect(verifyBlind(pairing, { blinded: full.blinded, digest, proof: fullProof, mode: "emergency" })).toBe(
      false,
    );
    expect(verifyBlind(pairing, { blinded: pair.blinded, digest, proof, mode: "full" })).toBe(false);
    const zeroProof = { R: g1.multiply(g1.generator, 3n), s: 3n };
    expect(verifyBlind(pairing, { blinded: g1.zero, digest, proof: zeroProof, mode: "transform" })).toBe(
      false,
    );
  });
});

/** What opening uses of a group, bound to it: a backend's group may be a class. */
function groupOf(group: typeof g1): typeof g1 {
  return {
    ...group,
    zero: group.zero,
    generator: group.generator,
    sum: (points) => group.sum(points),
    add: (a, b) => group.add(a, b),
    negate: (a) => group.negate(a),
  };
}

describe("cost, counted", () => {
  test.each([5, 20, 50, 100])("%i rows: within FABEO's count, and the reader's work does not grow", (n) => {
    const { pairing: counted, counts, reset } = countingPairing(pairing);
    const names = Array.from({ length: n }, (_, i) => `a${i}@h`);
    const policy = parsePolicy(names.join(" and "));
    const { recoveryKey, blinded } = transformKeyPair(pairing);
    const key = keygen(pairing, { alpha: authority.alpha, attributes: names, blinded });
    reset();
    const record = { policy, context, ...encapsulate(counted, { mpk, policy, context }) };
    expect(counts()).toMatchObject({ E1: n, E2: 3, ET: 1, P: 0, F: 0 });
    reset();
    const transform = gt.encode(decapsulate(counted, { key, ...record }));
    expect(counts()).toMatchObject({ E1: 0, E2: 0, ET: 0, P: 3, F: 1 });
    reset();
    recoverFromTransform(counted, { ...record, transform, recoveryKey });
    expect(counts()).toMatchObject({ E1: 0, E2: 1, ET: 1, P: 0, F: 1 });
  });

  test("with and/or alone, opening adds points and multiplies none", () => {
    const record = sealed("a@h and b@h and (c@h or d@h)");
    const linear = (): never => {
      throw new Error("no multiplication is called for");
    };
    const additionsOnly = {
      ...pairing,
      multiPairing: pairing.multiPairing.bind(pairing),
      gt,
      g2,
      g1: { ...groupOf(g1), linear, multiply: linear },
    };
    const shared = decapsulate(additionsOnly, { key: fullKey("a@h", "b@h", "d@h"), ...record });
    expect(recoverMessage(pairing, { ...record, shared }).message).toEqual(record.message);
  });

  test("two occurrences used cost one Miller loop more, one used costs none", () => {
    const { pairing: counted, counts, reset } = countingPairing(pairing);
    const record = sealed("a@h and b@h or a@h and c@h");
    const both = sealed("2 of (a@h, a@h, b@h)");
    reset();
    decapsulate(counted, { key: fullKey("a@h", "b@h"), ...record });
    expect(counts()).toMatchObject({ P: 3, F: 1 });
    reset();
    decapsulate(counted, { key: fullKey("a@h"), ...both });
    expect(counts()).toMatchObject({ P: 4, F: 1 });
  });
});

test("a recovery key outside 1 … p − 1 is the caller's mistake and not the provider's", () => {
  const record = sealed("a@h");
  const transform = gt.encode(gt.one);
  for (const recoveryKey of [0n, -1n, 2n ** 255n]) {
    const attempt = () => recoverFromTransform(pairing, { ...record, transform, recoveryKey });
    expect(attempt).toThrow(ChartsealError);
    expect(codeOf(attempt)).toBe("input-invalid");
  }
});
