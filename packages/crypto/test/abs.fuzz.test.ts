// Random policies and sets of attributes: a signature verifies where the set satisfies the policy, and nothing that
// one without enough attributes puts together does (CRYPTO §1, the lock is the mathematics; §3). Longer rounds by
// CHARTSEAL_FUZZ.
import fc from "fast-check";
import { expect, test } from "vitest";
import { fuzzRounds, fuzzTimeoutMs } from "../../../test/fuzz-rounds.ts";
import { messageScalar, type Signed, sign, verifyBatch } from "../src/abs/abs.ts";
import { rowBases } from "../src/abs/row-bases.ts";
import { signerPoint, signRows } from "../src/abs/scheme.ts";
import type { G1 } from "../src/pairing/pairing.ts";
import { parsePolicy } from "../src/policy/policy.ts";
import { randomScalar } from "../src/random.ts";
import { codeOf, committeeKey, keysOf, pairing, period, signer, statement } from "./abs-fixtures.ts";
import { attributePool, plainPolicy, plainText, plainTruth } from "./policy-fixtures.ts";

/** A round signs, verifies and forges, about 100 ms: 2000 of them where a decoder takes 10^6. */
const runs = fuzzRounds(25, 1 / 500);
const { g1 } = pairing;
const everything = signer("everybody", ...attributePool);
const namespaces = new Map(["x", "y"].map((name) => [name, keysOf(name).lists]));

function heldBy(mask: number): Set<string> {
  return new Set(attributePool.filter((_, i) => (mask >> i) & 1));
}

test("a signature verifies exactly where the attributes satisfy the policy", {
  timeout: fuzzTimeoutMs(100 * runs),
}, () => {
  const policies = plainPolicy().filter((plain) => parsePolicy(plainText(plain)).attributes.length <= 8);
  fc.assert(
    fc.property(policies, fc.nat(63), fc.infiniteStream(fc.nat(9)), (plain, mask, picks) => {
      const held = heldBy(mask);
      const what = { ...statement(plainText(plain)), namespaces };
      const own = new Map(
        [...everything.attributes].filter(([name]) => held.has(name.replace(`#${period}`, ""))),
      );
      const keys = { ...everything, attributes: own };
      if (plainTruth(plain, held)) {
        expect(
          verifyBatch(pairing, committeeKey, [{ ...what, signature: sign(pairing, what, keys) }]),
        ).toEqual([]);
        return;
      }
      expect(codeOf(() => sign(pairing, what, keys))).toBe("policy-unsatisfied");
      // Whoever skips that check: any coefficients, any keys of its own or sums of them in any row.
      const rows = rowBases(pairing, what);
      const pick = () => picks.next().value as number;
      const points: G1[] = [everything.base, g1.generator, ...own.values()];
      const tries = Array.from({ length: 4 }, (): Signed => {
        const gamma = rows.program.rows.map(() => (pick() < 7 ? BigInt(pick()) : randomScalar()));
        const K = rows.signingAttributes.map((attribute) => {
          const some = points[pick() % points.length] ?? g1.generator;
          return (
            own.get(attribute) ?? (pick() < 5 ? some : g1.add(some, points[pick() % points.length] ?? some))
          );
        });
        const K0 = signerPoint(pairing, everything.account);
        const mu = messageScalar(what, rows);
        return { ...what, signature: signRows(pairing, rows, mu, { K0, Kbase: everything.base, gamma, K }) };
      });
      expect(verifyBatch(pairing, committeeKey, tries)).toEqual([0, 1, 2, 3]);
    }),
    { numRuns: runs },
  );
});
