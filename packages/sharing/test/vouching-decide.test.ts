/**
 * What follows from claims, as the table of spec/7-sharing.md has it, row by row; and, over every course of claims, hands and
 * crashes that is tried, that what a hand did last always counts, and what the claims say else.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  applyMapping,
  type Claims,
  type Ground,
  grantedByHand,
  type Link,
  parseMapping,
  revokedByHand,
} from "../src/index.ts";
import { decide } from "../src/vouching/decide.ts";

const names = ["a@cedars", "b@cedars"] as const;
const mapping = parseMapping(
  {
    version: 1,
    rules: names.map((attribute) => ({
      claim: attribute,
      operator: "equals",
      value: true,
      attributes: [attribute],
    })),
  },
  "cedars",
);
const match = { rule: 0, claim: ["a@cedars"], operator: "equals", value: true } as const;
const act = { height: 3, transaction: "00" };
const empty: Link = {
  version: 1,
  account: "aa".repeat(20),
  issuer: "https://login.cedars.example",
  clientId: "x",
  subject: "u-1",
  linkedMs: 1,
  state: "linked",
  refreshToken: "t",
  readMs: 1,
  grounds: [],
  withheld: [],
};
const ground = (more: Partial<Ground> = {}): Ground => ({
  attribute: "a@cedars",
  match,
  sinceMs: 1,
  vouch: act,
  byHand: false,
  end: null,
  ...more,
});
const claims = (...held: string[]): Claims => Object.fromEntries(held.map((name) => [name, true]));
const says = (said: Claims) =>
  ({ kind: "claims", claims: said, mapped: applyMapping(mapping, said) }) as const;
const after = (
  grounds: readonly Ground[],
  said: Parameters<typeof decide>[1]["said"],
  standing: boolean,
  link = empty,
) => decide({ ...link, grounds }, { said, standing: new Set(standing ? ["a@cedars"] : []), nowMs: 9 });
const there = says(claims("a@cedars"));
const gone = says(claims());
const nothing = { vouch: [], revoke: [] };

describe("one attribute", () => {
  test("mapped and new is vouched for, and planned before", () => {
    const plan = after([], there, false);
    expect(plan).toMatchObject({ vouch: ["a@cedars"], revoke: [] });
    expect(plan.link.grounds).toMatchObject([
      { attribute: "a@cedars", vouch: null, byHand: false, end: null },
    ]);
  });

  test("mapped and withheld is not", () => {
    expect(after([], there, false, { ...empty, withheld: ["a@cedars"] })).toMatchObject({
      ...nothing,
      withheld: ["a@cedars"],
    });
  });

  test("mapped, and standing by hand, is noted as such and never revoked by a claim", () => {
    const plan = after([], there, true);
    expect(plan).toMatchObject(nothing);
    expect(plan.link.grounds).toMatchObject([{ byHand: true }]);
    expect(after(plan.link.grounds, gone, true)).toMatchObject(nothing);
    expect(after(plan.link.grounds, { kind: "gone" }, true)).toMatchObject(nothing);
  });

  test("vouched, mapped and standing stays", () => {
    expect(after([ground()], there, true)).toMatchObject(nothing);
  });

  test("vouched, mapped and not standing was revoked by hand: it stays away", () => {
    const plan = after([ground()], there, false);
    expect(plan).toMatchObject({ ...nothing, withheld: ["a@cedars"] });
    expect(plan.link.grounds[0]!.end).toMatchObject({ reason: "by-hand", done: true });
  });

  test("planned and not standing was cut off before the vouch: again", () => {
    expect(after([ground({ vouch: null })], there, false)).toMatchObject({ vouch: ["a@cedars"], revoke: [] });
    expect(after([ground({ vouch: null })], gone, false)).toMatchObject(nothing);
    expect(after([ground({ vouch: null })], gone, false).link.grounds).toEqual([]);
  });

  test("no longer mapped is revoked, with its reason", () => {
    const reasons = [
      [gone, "claim-gone"],
      [{ kind: "gone" }, "identity-gone"],
      [{ kind: "unlinked" }, "unlinked"],
      [{ ...there, mapped: new Map() }, "mapping-changed"],
    ] as const;
    for (const [said, reason] of reasons) {
      const plan = after([ground()], said, true);
      expect(plan).toMatchObject({ vouch: [], revoke: ["a@cedars"] });
      expect(plan.link.grounds[0]!.end).toMatchObject({ reason, done: false });
    }
  });

  test("cut off in its revocation is revoked again, or done, or kept where the claim is back", () => {
    const ending = ground({ end: { reason: "claim-gone", atMs: 2, act: null, done: false } });
    expect(after([ending], gone, true)).toMatchObject({ vouch: [], revoke: ["a@cedars"] });
    expect(after([ending], gone, false).link.grounds[0]!.end).toMatchObject({ done: true });
    expect(after([ending], there, true)).toMatchObject(nothing);
    expect(after([ending], there, true).link.grounds[0]!.end).toBeNull();
  });
});

type Step =
  | { readonly kind: "sync"; readonly claims: readonly string[]; readonly dies: 0 | 1 | 2 | 3 }
  | { readonly kind: "grant" | "revoke"; readonly attribute: string };

/** A hospital in small: the ledger's standing set, the link, hands; a sync may die after its plan or after its vouches. */
class Course {
  link = empty;
  readonly standing = new Set<string>();
  /** What a hand did last. */
  readonly hand = new Map<string, "grant" | "revoke">();

  step(step: Step): void {
    if (step.kind === "sync") {
      this.sync(step.claims, step.dies);
      return;
    }
    const { attribute, kind } = step;
    if (kind === "grant") {
      this.link = grantedByHand(this.link, [attribute]);
      this.standing.add(attribute);
      this.hand.set(attribute, "grant");
    } else if (this.standing.has(attribute)) {
      this.link = revokedByHand(this.link, [attribute]);
      this.standing.delete(attribute);
      this.hand.set(attribute, "revoke");
    }
  }

  sync(held: readonly string[], dies: number): void {
    const plan = decide(this.link, {
      said: says(claims(...held)),
      standing: new Set(this.standing),
      nowMs: 5,
    });
    if (dies === 1) return;
    this.link = plan.link;
    // A claim that was seen gone ends what a hand withheld.
    for (const name of names) {
      if (!held.includes(name) && this.hand.get(name) === "revoke") this.hand.delete(name);
    }
    if (dies === 2) return;
    for (const name of plan.vouch) this.standing.add(name);
    if (dies === 3) return;
    for (const name of plan.revoke) this.standing.delete(name);
    this.link = { ...plan.link, grounds: plan.link.grounds.map((one) => settled(one, this.standing)) };
  }
}

function settled(one: Ground, standing: ReadonlySet<string>): Ground {
  const vouch = one.vouch ?? (one.byHand ? null : act);
  if (one.end === null || standing.has(one.attribute)) return { ...one, vouch };
  return { ...one, vouch, end: { ...one.end, act, done: true } };
}

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("sync" as const),
    claims: fc.subarray([...names]),
    dies: fc.constantFrom(0 as const, 0 as const, 1 as const, 2 as const, 3 as const),
  }),
  fc.record({
    kind: fc.constantFrom("grant" as const, "revoke" as const),
    attribute: fc.constantFrom(...names),
  }),
);

test("over every course, once two syncs end well, a hand's last word counts and the claims' else", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 14 }), fc.subarray([...names]), (steps, last) => {
      const course = new Course();
      for (const one of steps) course.step(one);
      course.sync(last, 0);
      course.sync(last, 0);
      for (const name of names) {
        const hand = course.hand.get(name);
        if (hand === "grant") expect(course.standing.has(name)).toBe(true);
        else if (hand === "revoke") expect(course.standing.has(name)).toBe(false);
        else expect(course.standing.has(name)).toBe(last.includes(name));
      }
      const plan = decide(course.link, {
        said: says(claims(...last)),
        standing: new Set(course.standing),
        nowMs: 9,
      });
      expect([plan.vouch, plan.revoke]).toEqual([[], []]);
    }),
    { numRuns: 3_000 },
  );
});
