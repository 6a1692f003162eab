// Attribute-based signatures: what verifies and what does not (CRYPTO §3).
import { describe, expect, test } from "vitest";
import {
  attributeKeys,
  checkAttributeKeys,
  checkSignerBase,
  messageScalar,
  type SigningKeys,
  type Statement,
  sign,
  verify,
} from "../src/abs/abs.ts";
import { rowBases } from "../src/abs/row-bases.ts";
import {
  attributeKeyPoint,
  attributeScalar,
  equationsHold,
  messagePoint,
  parameters,
  type Signature,
} from "../src/abs/scheme.ts";
import { encodeSignature } from "../src/abs/wire.ts";
import { toHex } from "../src/bytes.ts";
import { ChartsealError } from "../src/errors.ts";
import { sha256 } from "../src/hash.ts";
import { invert, mod, multiplyMod } from "../src/pairing/scalar.ts";
import { parsePolicy } from "../src/policy/policy.ts";
import { randomScalar } from "../src/random.ts";
import { seedRandomness } from "../src/random-seam.ts";
import { basePartial } from "../src/threshold/base-key.ts";
import {
  a0,
  accountOf,
  codeOf,
  committeeKey,
  keysOf,
  namespaces,
  pairing,
  period,
  signer,
  statement,
} from "./abs-fixtures.ts";

const { g1, g2 } = pairing;
const alice = signer("alice", "cardiologist@cedars", "head@mercy", "nurse@trial");

function holds(what: Statement, signature: Signature): boolean {
  return verify(pairing, committeeKey, { ...what, signature });
}

function parts({ Y, W, S, P }: Signature): string[] {
  return [
    g1.encode(Y),
    g1.encode(W),
    ...S.map((point) => g1.encode(point)),
    ...P.map((point) => g2.encode(point)),
  ].map(toHex);
}

describe("a signature", () => {
  test.each([
    ["cardiologist@cedars"],
    ["cardiologist@cedars and head@mercy"],
    ["chief@cedars or cardiologist@cedars"],
    ["cardiologist@cedars or cardiologist@cedars and cardiologist@cedars"],
    ["2 of (chief@cedars, head@mercy, nurse@trial) and (cardiologist@cedars or chief@mercy)"],
    ["3 of (cardiologist@cedars, head@mercy and nurse@trial, chief@cedars, nurse@trial, head@mercy)"],
  ])("verifies under %s", (text) => {
    const what = statement(text);
    expect(holds(what, sign(pairing, what, alice))).toBe(true);
  });

  test("looks the same whichever attributes and whoever made it", () => {
    const what = statement("cardiologist@cedars or head@mercy and nurse@trial");
    const shapes = [
      sign(pairing, what, alice),
      sign(pairing, what, signer("bob", "head@mercy", "nurse@trial")),
      sign(pairing, what, signer("carol", "cardiologist@cedars")),
    ].map((signature) => {
      expect(holds(what, signature)).toBe(true);
      return [signature.S.length, signature.P.length, encodeSignature(pairing, signature).length];
    });
    expect(new Set(shapes.map(String)).size).toBe(1);
  });

  test("shares no component with another one by the same signer of the same message", () => {
    const what = statement("cardiologist@cedars and head@mercy or nurse@trial");
    const all = [...parts(sign(pairing, what, alice)), ...parts(sign(pairing, what, alice))];
    expect(new Set(all).size).toBe(all.length);
  });

  test("can be re-randomised by anyone and still verifies: nothing may depend on its bytes", () => {
    const what = statement("cardiologist@cedars and head@mercy");
    const signature = sign(pairing, what, alice);
    const t = randomScalar({ nonZero: true });
    const again = {
      Y: g1.multiply(signature.Y, t),
      W: g1.multiply(signature.W, t),
      S: signature.S.map((point) => g1.multiply(point, t)),
      P: signature.P.map((point) => g2.multiply(point, t)),
    };
    expect(parts(again)).not.toEqual(parts(signature));
    expect(holds(what, again)).toBe(true);
  });

  test("may hold the identity in a row and in a column", () => {
    const what = statement("chief@cedars or cardiologist@cedars");
    const restore = seedRandomness("identity in a row");
    const signature = sign(pairing, what, alice);
    restore();
    const replay = seedRandomness("identity in a row");
    const [, r1] = [randomScalar({ nonZero: true }), randomScalar()];
    replay();
    const unused = rowBases(pairing, what).X[0]?.[0];
    if (unused === undefined) throw new Error("no row base");
    const without = {
      ...signature,
      S: [g1.zero, ...signature.S.slice(1)],
      P: [g2.add(signature.P[0] ?? g2.zero, g2.negate(g2.multiply(unused, r1)))],
    };
    expect(holds(what, without)).toBe(true);
  });
});

describe("a signature is refused", () => {
  const text = "cardiologist@cedars and head@mercy";
  const what = statement(text);
  const signature = sign(pairing, what, alice);

  test.each<[string, Statement]>([
    ["for another message", statement(text, "another message")],
    ["for another kind", statement(text, "a message", "request")],
    ["on another chain", { ...what, chainId: sha256(what.chainId) }],
    ["under another policy of the same shape", statement("cardiologist@cedars and head@cedars")],
    ["with the rows in another order", statement("head@mercy and cardiologist@cedars")],
    ["under a weaker policy", statement("cardiologist@cedars or head@mercy")],
    ["under part of the policy", statement("cardiologist@cedars")],
    [
      "once a period has passed",
      { ...what, periods: new Map([...what.periods, ["head@mercy", "2026q4.1"]]) },
    ],
    ["where a period is unknown", { ...what, periods: new Map([["head@mercy", period]]) }],
    ["where a namespace is unknown", { ...what, namespaces: new Map([["mercy", keysOf("mercy").lists]]) }],
    [
      "under other keys of a namespace",
      { ...what, namespaces: new Map([...namespaces, ["mercy", keysOf("other-mercy").lists]]) },
    ],
    ["for a message of another size", { ...what, message: what.message.slice(1) }],
  ])("%s", (_, other) => {
    expect(holds(what, signature)).toBe(true);
    expect(holds(other, signature)).toBe(false);
  });

  test("for another committee", () => {
    const other = g2.multiply(parameters(pairing).h(0), 7n);
    expect(verify(pairing, other, { ...what, signature })).toBe(false);
  });

  test("with any component changed, swapped, missing or one too many", () => {
    const { Y, W, S, P } = signature;
    const changed: Signature[] = [
      { ...signature, Y: g1.add(Y, g1.generator) },
      { ...signature, W: g1.add(W, g1.generator) },
      { ...signature, Y: W, W: Y },
      ...S.map((point, i) => ({ ...signature, S: S.with(i, g1.add(point, g1.generator)) })),
      ...P.map((point, j) => ({ ...signature, P: P.with(j, g2.add(point, g2.generator)) })),
      { ...signature, S: S.toReversed() },
      { ...signature, P: P.toReversed() },
      { ...signature, S: S.slice(1) },
      { ...signature, P: P.slice(1) },
      { ...signature, S: [...S, g1.zero] },
      { ...signature, P: [...P, g2.zero] },
      { ...signature, Y: g1.zero },
      { ...signature, W: g1.zero },
    ];
    for (const [at, one] of changed.entries()) expect(holds(what, one), `change ${at}`).toBe(false);
  });

  test("of identities alone, which satisfies every equation where Y ≠ 0 and W ≠ 0 are not asked", () => {
    const nothing: Signature = {
      Y: g1.zero,
      W: g1.zero,
      S: signature.S.map(() => g1.zero),
      P: signature.P.map(() => g2.zero),
    };
    const rows = rowBases(pairing, what);
    const weakened = equationsHold(pairing, committeeKey, [{ rows, mu: 1n, signature: nothing }], (k) =>
      BigInt(k + 1),
    );
    expect(weakened).toBe(true);
    expect(holds(what, nothing)).toBe(false);
  });

  test("of one who lacks an attribute, with what is missing named; and skipping that check gives nothing", () => {
    const bob = signer("bob", "cardiologist@cedars");
    try {
      sign(pairing, what, bob);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(ChartsealError);
      expect((error as ChartsealError).code).toBe("policy-unsatisfied");
      expect((error as ChartsealError).data.missing).toEqual([["head@mercy"]]);
    }
    const [first] = [...bob.attributes.values()];
    if (first === undefined) throw new Error("no key");
    for (const guess of [first, bob.base, g1.generator, messagePoint(pairing, 1n)]) {
      const forged = new Map([...bob.attributes, [`head@mercy#${period}`, guess]]);
      expect(holds(what, sign(pairing, what, { ...bob, attributes: forged }))).toBe(false);
    }
  });

  test("of keys whose period has passed", () => {
    const old = signer("dora", "cardiologist@cedars#2026q3", "head@mercy");
    expect(codeOf(() => sign(pairing, what, old))).toBe("policy-unsatisfied");
    const renamed = new Map([...old.attributes].map(([name, key]) => [name.replace("2026q3", period), key]));
    expect(holds(what, sign(pairing, what, { ...old, attributes: renamed }))).toBe(false);
  });

  test("of two signers who put their keys together", () => {
    const bob = signer("bob", "cardiologist@cedars");
    const carol = signer("carol", "head@mercy");
    const pooled = new Map([...bob.attributes, ...carol.attributes]);
    for (const { account, base } of [bob, carol]) {
      expect(holds(what, sign(pairing, what, { account, base, attributes: pooled }))).toBe(false);
    }
    const joint: SigningKeys = {
      account: bob.account,
      base: g1.add(bob.base, carol.base),
      attributes: pooled,
    };
    expect(holds(what, sign(pairing, what, joint))).toBe(false);
  });
});

describe("what is signed holds more than the message, else", () => {
  const what = statement("cardiologist@cedars");
  const signature = sign(pairing, what, alice);
  const mu = messageScalar(what, rowBases(pairing, what));
  const weights = [1n, 2n ** 100n + 1n];

  test("anyone turns a signature under P into one under `P or Q`", () => {
    const wider = statement("cardiologist@cedars or chief@cedars");
    const rows = rowBases(pairing, wider);
    const r = randomScalar();
    const added = g2.multiply(rows.X[1]?.[0] ?? g2.zero, r);
    const turned = {
      ...signature,
      S: [...signature.S, g1.multiply(messagePoint(pairing, mu), r)],
      P: [g2.add(signature.P[0] ?? g2.zero, added)],
    };
    const weakened = [{ rows, mu, signature: turned }];
    expect(equationsHold(pairing, committeeKey, weakened, (k) => weights[k] ?? 0n)).toBe(true);
    expect(holds(wider, turned)).toBe(false);
  });

  test("a signature holds under other keys of the namespace with the same row bases", () => {
    const u = attributeScalar(`cardiologist@cedars#${period}`);
    const { A, B } = keysOf("cedars").lists;
    const lists = {
      A: A.map((point) => g2.add(point, g2.multiply(g2.generator, u))),
      B: B.map((point) => g2.add(point, g2.negate(g2.generator))),
    };
    const other = { ...what, namespaces: new Map([["cedars", lists]]) };
    const rows = rowBases(pairing, other);
    expect(rows.basesDigest).toEqual(rowBases(pairing, what).basesDigest);
    const weakened = [{ rows, mu, signature }];
    expect(equationsHold(pairing, committeeKey, weakened, (k) => weights[k] ?? 0n)).toBe(true);
    expect(holds(what, signature)).toBe(true);
    expect(holds(other, signature)).toBe(false);
  });
});

describe("signing needs", () => {
  test("a period for each leaf, lists for each namespace, as many columns as the policy, no `self` leaf", () => {
    const what = statement("cardiologist@cedars and head@mercy");
    expect(codeOf(() => sign(pairing, { ...what, periods: new Map() }, alice))).toBe("input-invalid");
    expect(codeOf(() => sign(pairing, { ...what, namespaces: new Map() }, alice))).toBe("attribute-unknown");
    const wide = parsePolicy(Array.from({ length: 9 }, (_, i) => `a${i}@cedars`).join(" and "));
    const periods = new Map(wide.attributes.map((attribute) => [attribute, period]));
    expect(codeOf(() => sign(pairing, { ...what, policy: wide, periods }, alice))).toBe("policy-limit");
    expect(codeOf(() => sign(pairing, statement(`${"0".repeat(40)}@self`), alice))).toBe("attribute-unknown");
    expect(codeOf(() => sign(pairing, { ...what, message: new Uint8Array(31) }, alice))).toBe(
      "input-invalid",
    );
  });
});

describe("attribute keys", () => {
  const { secret } = keysOf("cedars");
  const ask = {
    secret,
    attributes: [`cardiologist@cedars#${period}`],
    account: alice.account,
    base: alice.base,
    committeeKey,
  };

  test("are made for the account that asks, for the namespace's own attributes only", () => {
    expect(attributeKeys(pairing, ask).size).toBe(1);
    const refused = (change: Partial<typeof ask>) =>
      codeOf(() => attributeKeys(pairing, { ...ask, ...change }));
    expect(refused({ base: signer("bob").base })).toBe("issue-refused");
    expect(refused({ base: g1.zero })).toBe("issue-refused");
    expect(refused({ base: g1.multiply(alice.base, 2n) })).toBe("issue-refused");
    expect(refused({ account: accountOf("bob") })).toBe("issue-refused");
    expect(refused({ account: new Uint8Array(19) })).toBe("input-invalid");
    expect(refused({ attributes: [`head@mercy#${period}`] })).toBe("input-invalid");
    expect(refused({ attributes: ["cardiologist@cedars"] })).toBe("input-invalid");
  });

  test("pool where a namespace takes K_base unchecked: two people sign as one", () => {
    const what = statement("cardiologist@cedars and head@mercy");
    const bob = signer("bob", "head@mercy");
    const weakened = attributeKeyPoint(
      pairing,
      secret,
      attributeScalar(`cardiologist@cedars#${period}`),
      bob.base,
    );
    const pooled = {
      ...bob,
      attributes: new Map([...bob.attributes, [`cardiologist@cedars#${period}`, weakened]]),
    };
    expect(holds(what, sign(pairing, what, pooled))).toBe(true);
    expect(codeOf(() => attributeKeys(pairing, { ...ask, base: bob.base }))).toBe("issue-refused");
  });

  test("are checked by the signer, and a wrong one is named", () => {
    expect(codeOf(() => checkAttributeKeys(pairing, alice, namespaces))).toBe("none");
    expect(codeOf(() => checkAttributeKeys(pairing, { ...alice, attributes: new Map() }, namespaces))).toBe(
      "none",
    );
    const named = (name: string, key: SigningKeys["base"]) => {
      try {
        checkAttributeKeys(
          pairing,
          { ...alice, attributes: new Map([...alice.attributes, [name, key]]) },
          namespaces,
        );
        return "none";
      } catch (error) {
        return error instanceof ChartsealError && error.code === "issue-invalid"
          ? error.data.attribute
          : error;
      }
    };
    const good = alice.attributes.get(`head@mercy#${period}`) ?? g1.zero;
    expect(named(`head@mercy#${period}`, good)).toBe("none");
    expect(named(`head@mercy#${period}`, g1.add(good, g1.generator))).toBe(`head@mercy#${period}`);
    expect(named(`head@mercy#${period}`, g1.zero)).toBe(`head@mercy#${period}`);
    expect(named("head@mercy#2027q1", good)).toBe("head@mercy#2027q1");
    expect(named(`head@cedars#${period}`, good)).toBe(`head@cedars#${period}`);
    expect(named(`head@nowhere#${period}`, good)).toBe(`head@nowhere#${period}`);
    const others = { ...alice, base: signer("bob").base };
    expect(codeOf(() => checkAttributeKeys(pairing, others, namespaces))).toBe("issue-invalid");
  });

  test("two wrong keys that cancel are found", () => {
    const [[first, one], [second, two]] = [...alice.attributes].filter(
      ([name]) => !name.includes("trial"),
    ) as [[string, SigningKeys["base"]], [string, SigningKeys["base"]]];
    const bend = (name: string, key: SigningKeys["base"], factor: bigint) => {
      const namespace = name.slice(name.indexOf("@") + 1, name.indexOf("#"));
      const offset = attributeKeyPoint(
        pairing,
        keysOf(namespace).secret,
        attributeScalar(name),
        g1.generator,
      );
      return [name, g1.add(key, g1.multiply(offset, factor))] as const;
    };
    // The products of the two checks are off by e(g1, h_1) and by its inverse.
    const bent = new Map([bend(first, one, 1n), bend(second, two, 0n)]);
    const inverse = new Map([...bent, [second, g1.add(two, g1.negate(bend(second, g1.zero, 1n)[1]))]]);
    expect(codeOf(() => checkAttributeKeys(pairing, { ...alice, attributes: inverse }, namespaces))).toBe(
      "issue-invalid",
    );
  });

  test("K_base belongs to one account", () => {
    const { account, base } = alice;
    expect(checkSignerBase(pairing, { account, base, committeeKey })).toBe(true);
    expect(checkSignerBase(pairing, { account: accountOf("bob"), base, committeeKey })).toBe(false);
    expect(checkSignerBase(pairing, { account, base: g1.zero, committeeKey })).toBe(false);
    expect(checkSignerBase(pairing, { account, base: g1.zero, committeeKey: g2.zero })).toBe(false);
  });

  test("K_base comes from t of n nodes that each hold a share of a0, and signs", () => {
    const account = accountOf("erin");
    const slope = randomScalar();
    const share = (index: number) => ({ epoch: 1, index, secret: mod(a0 + slope * BigInt(index)) });
    const [one, three] = [1, 3].map((index) => basePartial(pairing, { account, share: share(index) }).value);
    // Lagrange at 0 for the points 1 and 3: 3/2 and −1/2.
    const half = invert(2n);
    const base = g1.add(
      g1.multiply(one ?? g1.zero, multiplyMod(3n, half)),
      g1.negate(g1.multiply(three ?? g1.zero, half)),
    );
    expect(checkSignerBase(pairing, { account, base, committeeKey })).toBe(true);
    const name = `nurse@cedars#${period}`;
    const attributes = attributeKeys(pairing, { secret, attributes: [name], account, base, committeeKey });
    const what = statement("nurse@cedars");
    expect(holds(what, sign(pairing, what, { account, base, attributes }))).toBe(true);
  });
});
