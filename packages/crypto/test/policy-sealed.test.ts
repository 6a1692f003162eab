// The written, the sealed and the signing policy, author policies and the rule for extensions (CONTRACT, Who may); what
// is missing and what is warned about.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ChartsealError } from "../src/errors.ts";
import { sealedLimits } from "../src/policy/limits.ts";
import { parsePolicy, policyOf } from "../src/policy/policy.ts";
import { missing, satisfies } from "../src/policy/satisfy.ts";
import {
  checkAuthorPolicy,
  checkWritten,
  extendsRule,
  personsOf,
  sealedPolicy,
  signingPolicy,
} from "../src/policy/sealed.ts";
import { warnings } from "../src/policy/warnings.ts";
import { attributePool, plainPolicy, plainText, plainTruth } from "./policy-fixtures.ts";

const owner = "0".repeat(40);
const person = "ab".repeat(20);
const other = "cd".repeat(20);

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ChartsealError) return error.code;
    throw error;
  }
  return "none";
}

describe("the sealed policy", () => {
  const tail = `${owner}@self or emergency.${owner}@self`;
  test.each([
    ["a@x", `a@x or ${tail}`],
    ["a@x or b@x", `a@x or b@x or ${tail}`],
    ["a@x and b@x", `a@x and b@x or ${tail}`],
    ["2 of (a@x, b@x, c@x)", `2 of (a@x, b@x, c@x) or ${tail}`],
    [`${person}@self`, `${person}@self or ${tail}`],
    [`a@x or ${owner}@self`, `a@x or ${owner}@self or ${tail}`],
  ])("of %s is an `or` with the owner's and the emergency leaf last", (written, sealed) => {
    expect(sealedPolicy(parsePolicy(written), owner).text).toBe(sealed);
    expect(parsePolicy(sealed, sealedLimits).tree).toEqual(sealedPolicy(parsePolicy(written), owner).tree);
  });

  test("of the largest written policies exists", () => {
    const leaves = Array.from({ length: 256 }, (_, i) => `a${i}@x`);
    expect(sealedPolicy(parsePolicy(leaves.join(" or ")), owner).attributes).toHaveLength(258);
    const square = parsePolicy(`16 of (${leaves.slice(0, 64).join(", ")})`);
    expect(sealedPolicy(square, owner).attributes).toHaveLength(66);
    const nested = parsePolicy(
      `${"(b@x and (a@x or ".repeat(8).replaceAll("b@x", "b@x")}c@x${"))".repeat(8)}`,
    );
    expect(sealedPolicy(nested, owner).attributes).toHaveLength(19);
    const own = parsePolicy(Array.from({ length: 8 }, () => `${owner}@self`).join(" or "));
    expect(sealedPolicy(own, owner).attributes).toHaveLength(10);
  });

  test("needs an account", () => {
    for (const account of ["", "bob", `${owner}0`, owner.replace("0", "A")]) {
      expect(codeOf(() => sealedPolicy(parsePolicy("a@x"), account))).toBe("input-invalid");
    }
  });
});

describe("`self` leaves in a written policy", () => {
  test.each([
    [`${person}@self`],
    [`a@x or ${person}@self`],
    [`a@x or (b@x or 1 of (${person}@self, ${other}@self))`],
    ["self@x"],
  ])("%s is taken", (text) => expect(codeOf(() => checkWritten(parsePolicy(text)))).toBe("none"));

  test.each([
    [`a@x and ${person}@self`],
    [`2 of (a@x, b@x, ${person}@self)`],
    [`a@x or b@x and ${person}@self`],
    [`a@x and (b@x or ${person}@self)`],
    [`emergency.${person}@self`],
    [`a@x or emergency.${person}@self`],
    ["bob@self"],
    [`a@x or ${person.slice(1)}@self`],
    [`${person}.${person}@self`.slice(17)],
  ])("%s is input-invalid", (text) => {
    expect(codeOf(() => checkWritten(parsePolicy(text)))).toBe("input-invalid");
    expect(codeOf(() => sealedPolicy(parsePolicy(text), owner))).toBe("input-invalid");
    expect(codeOf(() => signingPolicy(parsePolicy(text)))).toBe("input-invalid");
  });

  test("are what the signing policy leaves out and what persons are", () => {
    const policy = parsePolicy(`${person}@self or a@x and b@x or ${other}@self`);
    expect(signingPolicy(policy)?.text).toBe("a@x and b@x");
    expect(personsOf(policy)).toEqual([person, other]);
    expect(signingPolicy(parsePolicy(`${person}@self or ${other}@self`))).toBeUndefined();
    expect(signingPolicy(parsePolicy("a@x or b@x"))?.text).toBe("a@x or b@x");
    expect(personsOf(parsePolicy("a@x or b@x"))).toEqual([]);
  });
});

test("an author policy is of one namespace and names no person", () => {
  expect(codeOf(() => checkAuthorPolicy(parsePolicy("a@x and b@x"), "x"))).toBe("none");
  expect(codeOf(() => checkAuthorPolicy(parsePolicy("a@x and b@y"), "x"))).toBe("input-invalid");
  expect(codeOf(() => checkAuthorPolicy(parsePolicy(`a@x or ${person}@self`), "x"))).toBe("input-invalid");
  expect(codeOf(() => checkAuthorPolicy(parsePolicy(`${person}@self`), "self"))).toBe("input-invalid");
});

describe("a record's policy under a rule", () => {
  test.each([
    ["a@x", "a@x", true],
    ["(a@x)", "a@x", true],
    ["a@x and b@x", "a@x", true],
    ["a@x or b@x", "a@x", false],
    ["b@x and a@x", "a@x", false],
    ["a@x and b@x and c@x", "a@x and b@x", true],
    ["b@x and a@x and c@x", "a@x and b@x", false],
    ["a@x", "a@x and b@x", false],
    ["(a@x or b@x) and c@x", "a@x or b@x", true],
    ["(b@x or a@x) and c@x", "a@x or b@x", false],
    ["a@x or b@x and c@x", "a@x or b@x", false],
    ["(a@x or b@x or z@x) and c@x", "a@x or b@x", false],
    ["2 of (a@x, b@x, c@x) and d@x", "2 of (a@x, b@x, c@x)", true],
    ["2 of (a@x, b@x, c@x, d@x)", "2 of (a@x, b@x, c@x)", false],
    [`a@x and ${person}@self`, "a@x", false],
    [`a@x and (b@x or ${person}@self)`, "a@x", false],
    [`a@x and b@x and ${person}@self`, "a@x", false],
    ["a@xy", "a@x", false],
    ["a@x and b@x", "a@x and b@x and c@x", false],
  ])("%s under %s: %s", (record, rule, allowed) => {
    expect(extendsRule(parsePolicy(record), parsePolicy(rule))).toBe(allowed);
  });

  test("never opens for anyone whom the rule shuts out", () => {
    fc.assert(
      fc.property(plainPolicy(), plainPolicy(), fc.nat(63), (first, second, mask) => {
        const rule = parsePolicy(plainText(first));
        const record = parsePolicy(`(${plainText(first)}) and (${plainText(second)})`, {
          ...sealedLimits,
          occurrencesMax: 64,
        });
        expect(extendsRule(record, rule)).toBe(true);
        const held = new Set(attributePool.filter((_, i) => (mask >> i) & 1));
        if (satisfies(record.tree, held)) expect(satisfies(rule.tree, held)).toBe(true);
        const unrelated = parsePolicy(plainText(second));
        if (extendsRule(unrelated, rule) && plainTruth(second, held))
          expect(plainTruth(first, held)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

describe("what is missing", () => {
  const want = (text: string, ...held: string[]) => missing(parsePolicy(text).tree, new Set(held));
  test("is listed as minimal alternatives, the shortest first", () => {
    expect(want("a@x", "a@x")).toEqual([]);
    expect(want("a@x and b@x", "a@x")).toEqual([["b@x"]]);
    expect(want("a@x and b@x or c@x", "a@x")).toEqual([["b@x"], ["c@x"]]);
    expect(want("2 of (a@x, b@x, c@x)", "a@x")).toEqual([["b@x"], ["c@x"]]);
    expect(want("2 of (a@x, a@x, b@x)")).toEqual([["a@x"]]);
    expect(want("(a@x or b@x) and (a@x or c@x)")).toEqual([["a@x"], ["b@x", "c@x"]]);
  });

  test("always suffices and holds nothing idle, for random policies", () => {
    fc.assert(
      fc.property(plainPolicy(), fc.nat(63), (plain, mask) => {
        const { tree } = parsePolicy(plainText(plain));
        const held = new Set<string>(attributePool.filter((_, i) => (mask >> i) & 1));
        const sets = missing(tree, held);
        expect(sets.length === 0).toBe(plainTruth(plain, held));
        for (const set of sets) {
          expect(plainTruth(plain, new Set([...held, ...set]))).toBe(true);
          for (const attribute of set) {
            const less = new Set([...held, ...set.filter((one) => one !== attribute)]);
            expect(plainTruth(plain, less)).toBe(false);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test("is minimal even where alternatives were left out on the way", () => {
    const wide = Array.from({ length: 70 }, (_, i) => `a${i}@x`).join(" or ");
    const sets = want(`(${wide}) and (a69@x or b@x and c@x)`);
    expect(sets[0]).toEqual(["a69@x"]);
    expect(sets.filter((set) => set.includes("a69@x"))).toHaveLength(1);
  });

  test("of the widest threshold is bounded and quick", () => {
    const leaves = Array.from({ length: 256 }, (_, i) => ({ kind: "leaf", attribute: `a${i}@x` }) as const);
    const wide = policyOf({ kind: "threshold", k: 4, children: leaves });
    const started = performance.now();
    expect(missing(wide.tree, new Set())).toHaveLength(64);
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

describe("warnings", () => {
  const kinds = (text: string, holders?: [string, number][]) =>
    warnings(parsePolicy(text), {
      written: text,
      ...(holders === undefined ? {} : { holders: new Map(holders) }),
    }).map(({ kind, part }) => [kind, part]);

  test.each<[string, [string, string][]]>([
    ["a@x and (b@x or c@x)", []],
    ["2 of (a@x, b@x, c@x)", []],
    ["2 of (a@x and b@x, b@x and c@x, d@x)", []],
    ["a@x or a@x", [["tautology", "a@x"]]],
    ["a@x and a@x", [["tautology", "a@x"]]],
    ["a@x or a@x and b@x", [["tautology", "a@x and b@x"]]],
    ["a@x and (a@x or b@x)", [["tautology", "a@x or b@x"]]],
    ["2 of (a@x, b@x, c@x) or a@x and b@x and c@x", [["tautology", "a@x and b@x and c@x"]]],
    [
      "2 of (a@x, a@x, b@x)",
      [
        ["threshold-shared", "2 of (a@x, a@x, b@x)"],
        ["simplifiable", "2 of (a@x, a@x, b@x)"],
      ],
    ],
    ["1 of (a@x, b@x)", [["simplifiable", "a@x or b@x"]]],
    ["2 of (a@x, b@x) or c@x", [["simplifiable", "a@x and b@x"]]],
  ])("for %s", (text, expected) => expect(kinds(text)).toEqual(expected));

  test("name attributes that few hold, and none where many do", () => {
    const holders: [string, number][] = [
      ["nurse@x", 3],
      ["chief@x", 1],
    ];
    expect(kinds("nurse@x", holders)).toEqual([]);
    expect(kinds("nurse@x and chief@x or new@x", holders)).toEqual([
      ["few-holders", "chief@x"],
      ["few-holders", "new@x"],
    ]);
    expect(kinds(`nurse@x or ${person}@self`, holders)).toEqual([]);
  });

  test("a part called idle can be dropped without changing anybody's access", () => {
    fc.assert(
      fc.property(plainPolicy(), (plain) => {
        const policy = parsePolicy(plainText(plain));
        const idle = warnings(policy).filter(({ kind }) => kind === "tautology");
        const top = policy.tree;
        if (top.kind === "leaf" || top.kind === "threshold" || idle.length === 0) return;
        for (const { part } of idle) {
          const at = top.children.findIndex((child) => policyOf(child).text === part);
          if (
            at < 0 ||
            !warnings(policyOf({ kind: top.kind, children: top.children })).some((w) => w.part === part)
          )
            continue;
          const inner = top.children.some((child) => warnings(policyOf(child)).some((w) => w.part === part));
          if (inner) continue;
          const rest = policyOf({ kind: top.kind, children: top.children.filter((_, i) => i !== at) });
          for (let mask = 0; mask < 64; mask++) {
            const held = new Set(attributePool.filter((_, i) => (mask >> i) & 1));
            expect(satisfies(rest.tree, held)).toBe(satisfies(top, held));
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test("of the largest policy are found quickly", () => {
    const pairs = Array.from({ length: 128 }, (_, i) => `(a${i}@x and b${i}@x)`).join(" or ");
    const started = performance.now();
    expect(warnings(parsePolicy(pairs))).toEqual([]);
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
