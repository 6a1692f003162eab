// The registration of a namespace: malformed lists are refused, and what they would have been good for (CRYPTO §3).
import { describe, expect, test } from "vitest";
import { attributeKeys, messageScalar, type Statement, sign, verify } from "../src/abs/abs.ts";
import {
  type NamespaceLists,
  type NamespaceProof,
  namespaceKeys,
  namespaceLists,
  namespaceStatement,
  verifyNamespaceKeys,
} from "../src/abs/namespace-keys.ts";
import { rowBases } from "../src/abs/row-bases.ts";
import {
  attributeKeyPoint,
  attributeScalar,
  equationsHold,
  messagePoint,
  parameters,
  rowBase,
  type Signature,
  signerPoint,
} from "../src/abs/scheme.ts";
import type { G2, Scalar } from "../src/pairing/pairing.ts";
import { mod } from "../src/pairing/scalar.ts";
import { spanProgram } from "../src/policy/span-program.ts";
import { randomScalar } from "../src/random.ts";
import { curveGroup } from "../src/threshold/group.ts";
import { type Claim, claim, prove, verify as verifyProof } from "../src/threshold/proofs.ts";
import {
  codeOf,
  committeeKey,
  identity,
  keysOf,
  namespaces,
  pairing,
  period,
  signer,
  statement,
} from "./abs-fixtures.ts";

const { g1, g2 } = pairing;
const { h } = parameters(pairing);
const own = identity("rogue");

function accepts(lists: NamespaceLists, proof: NamespaceProof, previous?: NamespaceLists): boolean {
  return verifyNamespaceKeys(pairing, own, { lists, proof }, previous);
}

describe("a namespace's lists", () => {
  const { lists, proof, secret } = namespaceKeys(pairing, own, 4);

  test("are accepted with their proof, at one column, at 64 by default and at 256", () => {
    expect(accepts(lists, proof)).toBe(true);
    const single = namespaceKeys(pairing, own, 1);
    expect(accepts(single.lists, single.proof)).toBe(true);
    const usual = namespaceKeys(pairing, own);
    expect(usual.lists.A).toHaveLength(64);
    expect(accepts(usual.lists, usual.proof)).toBe(true);
    const longest = namespaceLists(pairing, own, usual.secret, 256);
    expect(accepts(longest.lists, longest.proof, usual.lists)).toBe(true);
    for (const columns of [0, 257, 1.5]) {
      expect(codeOf(() => namespaceLists(pairing, own, secret, columns))).toBe("policy-limit");
    }
  });

  test("are bound to chain, namespace and account", () => {
    for (const other of [
      { ...own, chainId: new Uint8Array(32) },
      { ...own, namespace: "rogue2" },
      { ...own, account: new Uint8Array(20) },
    ]) {
      expect(verifyNamespaceKeys(pairing, other, { lists, proof })).toBe(false);
    }
  });

  test("are refused with any scalar of the proof changed, or the two proofs swapped", () => {
    for (const letter of ["a", "b"] as const) {
      for (const part of ["challenge", "response"] as const) {
        const changed = { ...proof[letter], [part]: mod(proof[letter][part] + 1n) };
        expect(accepts(lists, { ...proof, [letter]: changed })).toBe(false);
      }
    }
    expect(accepts(lists, { a: proof.b, b: proof.a })).toBe(false);
    expect(accepts({ A: lists.B, B: lists.A }, { a: proof.b, b: proof.a })).toBe(false);
  });

  test("are refused with an identity, unequal lengths, none or too many columns", () => {
    expect(accepts({ ...lists, A: lists.A.with(2, g2.zero) }, proof)).toBe(false);
    const zero = namespaceLists(pairing, own, { namespace: "rogue", a: 0n, b: 5n }, 4);
    expect(accepts(zero.lists, zero.proof)).toBe(false);
    const noB = namespaceLists(pairing, own, { namespace: "rogue", a: 5n, b: 0n }, 4);
    expect(accepts(noB.lists, noB.proof)).toBe(false);
    expect(accepts({ A: lists.A, B: lists.B.slice(1) }, proof)).toBe(false);
    expect(accepts({ A: [], B: [] }, proof)).toBe(false);
    const many = Array.from({ length: 257 }, () => lists.A[0] as G2);
    expect(accepts({ A: many, B: many }, proof)).toBe(false);
  });

  test("may be made longer where they repeat what stands, and are refused where an earlier entry differs", () => {
    const longer = namespaceLists(pairing, own, secret, 6);
    expect(accepts(longer.lists, longer.proof, lists)).toBe(true);
    expect(accepts(lists, proof, longer.lists)).toBe(false);
    const fresh = namespaceKeys(pairing, own, 6);
    expect(accepts(fresh.lists, fresh.proof)).toBe(true);
    expect(accepts(fresh.lists, fresh.proof, lists)).toBe(false);
    const halfFresh = namespaceLists(pairing, own, { ...secret, b: fresh.secret.b }, 6);
    expect(accepts(halfFresh.lists, halfFresh.proof, lists)).toBe(false);
    expect(
      accepts({ A: longer.lists.A.with(5, lists.A[0] as G2), B: longer.lists.B }, longer.proof, lists),
    ).toBe(false);
    // The old proof says nothing of the new columns.
    expect(accepts(longer.lists, proof, lists)).toBe(false);
  });

  /** The best proof that one who knows a and b can make for other lists: challenges over those lists. */
  function proveAnyway(bent: NamespaceLists, claims?: readonly Claim[]): NamespaceProof {
    const { a, b, purpose } = namespaceStatement(pairing, own, bent);
    return { a: prove(claims ?? a, secret.a, purpose("a")), b: prove(b, secret.b, purpose("b")) };
  }

  test("are refused where one column has another scalar behind it, which a proof of h_1 and A_1 alone would let pass", () => {
    expect(accepts(lists, proveAnyway(lists))).toBe(true);
    for (const column of [1, 2, 3]) {
      const bent = { A: lists.A.with(column, g2.multiply(h(column + 1), 99n)), B: lists.B };
      const { a, purpose } = namespaceStatement(pairing, own, bent);
      const weakened = proveAnyway(bent, a.slice(0, 1));
      expect(verifyProof(a.slice(0, 1), weakened.a, purpose("a"))).toBe(true);
      expect(accepts(bent, weakened)).toBe(false);
      expect(accepts(bent, proveAnyway(bent))).toBe(false);
      expect(accepts({ A: bent.B, B: bent.A }, { a: proof.b, b: proveAnyway(bent).a })).toBe(false);
      const bentB = { A: lists.A, B: lists.B.with(column, g2.multiply(h(column + 1), 99n)) };
      expect(accepts(bentB, proveAnyway(bentB))).toBe(false);
    }
    const first = { A: lists.A.with(0, g2.multiply(h(1), 99n)), B: lists.B };
    expect(accepts(first, proveAnyway(first))).toBe(false);
  });

  test("are refused where two columns are bent against each other, which equal weights would let pass", () => {
    const offset = g2.multiply(g2.generator, 5n);
    const [A2, A3] = lists.A.slice(1, 3) as [G2, G2];
    const bent = {
      A: lists.A.with(1, g2.add(A2, offset)).with(2, g2.add(A3, g2.negate(offset))),
      B: lists.B,
    };
    const group = curveGroup(g2);
    const sums = [g2.sum(bent.A.map((_, j) => h(j + 1))), g2.sum(bent.A)] as const;
    const equalWeights = [claim(group, h(1), bent.A[0] as G2), claim(group, ...sums)];
    const weakened = proveAnyway(bent, equalWeights);
    expect(verifyProof(equalWeights, weakened.a, namespaceStatement(pairing, own, bent).purpose("a"))).toBe(
      true,
    );
    expect(accepts(bent, weakened)).toBe(false);
    expect(accepts(bent, proveAnyway(bent))).toBe(false);
  });
});

describe("a rogue namespace", () => {
  const attribute = `any@rogue#${period}`;
  const u = attributeScalar(attribute);
  const victim = keysOf("cedars").lists;
  const victimU = attributeScalar(`chief@cedars#${period}`);
  const rogue = namespaceKeys(pairing, own, 2);
  const mallory = signer("mallory");
  const ownKey = attributeKeyPoint(pairing, rogue.secret, u, mallory.base);
  // The first row is the rogue's and the second its neighbour's: M = ((1, 1), (0, −1)).
  const policyText = "any@rogue and chief@cedars";

  function under(lists: NamespaceLists): Statement {
    return { ...statement(policyText), namespaces: new Map([...namespaces, ["rogue", lists]]) };
  }

  /**
   * Signs with the rogue's own key alone. In column 2 the rogue's base must be [t] of its neighbour's, so that
   * S_2 = [t]S_1 + … undoes it; t = 0 where it is the identity.
   */
  function forge(mu: Scalar, X: readonly (readonly G2[])[], t: Scalar): Signature {
    const message = messagePoint(pairing, mu);
    const [r0, r1, r2] = [randomScalar({ nonZero: true }), randomScalar(), randomScalar()];
    const S1 = g1.add(g1.multiply(ownKey, r0), g1.multiply(message, r1));
    const S2 = g1.add(g1.multiply(S1, t), g1.multiply(message, r2));
    return {
      Y: g1.multiply(mallory.base, r0),
      W: g1.multiply(signerPoint(pairing, mallory.account), r0),
      S: [S1, S2],
      P: [g2.multiply(X[0]?.[0] as G2, r1), g2.multiply(X[1]?.[0] as G2, mod(-r2))],
    };
  }

  test("with multiples of a neighbour's list forges the neighbour's attribute where no proof is asked, and gets no proof", () => {
    const t = randomScalar({ nonZero: true });
    // A_2 + [u]B_2 = [t](A'_2 + [u']B'_2), while column 1 stays the rogue's own.
    const B2 = g2.multiply(victim.B[1] as G2, t);
    const A2 = g2.add(g2.multiply(victim.A[1] as G2, t), g2.multiply(B2, mod(victimU - u)));
    const lists = { A: [rogue.lists.A[0] as G2, A2], B: [rogue.lists.B[0] as G2, B2] };
    const what = under(lists);
    const rows = rowBases(pairing, what);
    // A ledger that registers without the proof takes the forgery.
    const signature = forge(messageScalar(what, rows), rows.X, t);
    expect(verify(pairing, committeeKey, { ...what, signature })).toBe(true);
    expect(accepts(lists, rogue.proof)).toBe(false);
    const honest = under(rogue.lists);
    const honestRows = rowBases(pairing, honest);
    const again = forge(messageScalar(honest, honestRows), honestRows.X, t);
    expect(verify(pairing, committeeKey, { ...honest, signature: again })).toBe(false);
  });

  test("gets no proof for its neighbour's list as its own either", () => {
    const lists = {
      A: victim.A.map((point) => g2.multiply(point, 3n)),
      B: victim.B.map((point) => g2.multiply(point, 3n)),
    };
    for (const { proof } of [rogue, keysOf("cedars"), namespaceKeys(pairing, own, 8)]) {
      expect(accepts(lists, proof)).toBe(false);
      expect(accepts(victim, proof)).toBe(false);
    }
  });

  test("with A_2 = −[u]B_2 forges it too, and is refused twice over", () => {
    const A2 = g2.negate(g2.multiply(rogue.lists.B[1] as G2, u));
    const lists = { A: [rogue.lists.A[0] as G2, A2], B: rogue.lists.B };
    const what = under(lists);
    const X = (at: number, of: NamespaceLists, scalar: Scalar) =>
      rowBase(pairing, of.A[at] as G2, of.B[at] as G2, scalar);
    const rows = {
      program: spanProgram(what.policy),
      X: [[X(0, lists, u), X(1, lists, u)], [X(1, victim, victimU)]],
    };
    expect(g2.isZero(rows.X[0]?.[1] as G2)).toBe(true);
    const mu = 777n;
    const signature = forge(mu, rows.X, 0n);
    const weights = [1n, randomScalar(), randomScalar()];
    expect(equationsHold(pairing, committeeKey, [{ rows, mu, signature }], (k) => weights[k] ?? 0n)).toBe(
      true,
    );
    expect(accepts(lists, rogue.proof)).toBe(false);
    expect(codeOf(() => rowBases(pairing, what))).toBe("signature-invalid");
    expect(verify(pairing, committeeKey, { ...what, signature })).toBe(false);
  });

  test("whose keys make one attribute's row base the identity cannot use that attribute", () => {
    const b = randomScalar({ nonZero: true });
    const secret = { namespace: "rogue", a: mod(-b * u), b };
    const { lists, proof } = namespaceLists(pairing, own, secret, 2);
    expect(accepts(lists, proof)).toBe(true);
    expect(codeOf(() => rowBases(pairing, under(lists)))).toBe("signature-invalid");
    const ask = {
      secret,
      attributes: [attribute],
      account: mallory.account,
      base: mallory.base,
      committeeKey,
    };
    expect(codeOf(() => attributeKeys(pairing, ask))).toBe("issue-refused");
    expect(codeOf(() => sign(pairing, under(lists), mallory))).toBe("signature-invalid");
  });
});
