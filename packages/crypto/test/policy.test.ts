// The grammar, the canonical form and the limits of policies (CRYPTO §1, CONTRACT Limits).
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ChartsealError } from "../src/errors.ts";
import { parseAttribute, parseSigningAttribute, signingAttribute } from "../src/policy/attribute.ts";
import { sealedLimits } from "../src/policy/limits.ts";
import { parsePolicy, policyOf } from "../src/policy/policy.ts";
import { entryCounts, type PolicyNode } from "../src/policy/tree.ts";
import { policyText } from "./policy-fixtures.ts";

function failure(run: () => unknown): { code: string; position: unknown } {
  try {
    run();
  } catch (error) {
    if (error instanceof ChartsealError) return { code: error.code, position: error.data.position };
    throw error;
  }
  return { code: "none", position: undefined };
}

const leaves = (count: number): string[] => Array.from({ length: count }, (_, i) => `a${i}@x`);

describe("canonical form", () => {
  test.each([
    ["a@x", "a@x"],
    ["((a@x))", "a@x"],
    ["a@x AND b@x Or c@x", "a@x and b@x or c@x"],
    ["a@x or b@x and c@x", "a@x or b@x and c@x"],
    ["(a@x or b@x) and c@x", "(a@x or b@x) and c@x"],
    ["(a@x and b@x) or c@x", "a@x and b@x or c@x"],
    ["a@x and (b@x and (c@x and d@x))", "a@x and b@x and c@x and d@x"],
    ["1 of (a@x, b@x) and c@x", "(a@x or b@x) and c@x"],
    ["2 of (a@x, b@x) and c@x", "a@x and b@x and c@x"],
    ["2 of (2 of (a@x, b@x), c@x)", "a@x and b@x and c@x"],
    ["1 of (a@x)", "a@x"],
    ["2 OF(a@x,a@x,b@x)", "2 of (a@x, a@x, b@x)"],
    [
      "\n2 of ( (a@x or b@x) ,\tc@x and d@x, 2 of (e@x,f@x,g@x))\r\n",
      "2 of (a@x or b@x, c@x and d@x, 2 of (e@x, f@x, g@x))",
    ],
    ["a@x or a@x", "a@x or a@x"],
    ["a.b_c:d+e-f@x-y", "a.b_c:d+e-f@x-y"],
    ["and@of or 2@2", "and@of or 2@2"],
  ])("%j is %j", (written, canonical) => {
    const policy = parsePolicy(written);
    expect(policy.text).toBe(canonical);
    expect(parsePolicy(canonical)).toEqual(policy);
    expect(policyOf(policy.tree)).toEqual(policy);
  });

  test("parsing the canonical text again gives the same tree, for any policy", () => {
    fc.assert(
      fc.property(policyText(), (text) => {
        const policy = parsePolicy(text);
        expect(parsePolicy(policy.text)).toEqual(policy);
        expect(policyOf(policy.tree)).toEqual(policy);
      }),
      { numRuns: 500 },
    );
  });

  test("the canonical text never nests deeper than what was written", () => {
    expect(parsePolicy(`${"1 of (".repeat(32)}a@x or b@x and c@x${")".repeat(32)}`).text).toBe(
      "a@x or b@x and c@x",
    );
  });
});

describe("what the grammar refuses", () => {
  test.each([
    ["", 0],
    ["   ", 3],
    ["()", 1],
    ["a@x or", 6],
    ["or a@x", 0],
    ["a@x b@x", 4],
    ["a@x and and b@x", 8],
    ["(a@x", 4],
    ["a@x)", 3],
    ["a@x, b@x", 3],
    ["2 of a@x", 5],
    ["2 (a@x)", 2],
    ["2 of ()", 6],
    ["2 of (a@x,)", 10],
    ["3 of (a@x, b@x)", 0],
    ["0 of (a@x)", 0],
    ["01 of (a@x)", 0],
    ["-1 of (a@x)", 0],
    ["9".repeat(400).concat(" of (a@x)"), 0],
    ["2of (a@x, b@x)", 0],
    ["Cardiologist@cedars", 0],
    ["a@x and b@Cedars", 8],
    ["a@x and b", 8],
    ["a@@x", 0],
    ["a@x@y", 0],
    ["@x", 0],
    ["a@", 0],
    ["_a@x", 0],
    ["a@-x", 0],
    ["a@x_y", 0],
    [`${"a".repeat(65)}@x`, 0],
    [`a@${"x".repeat(33)}`, 0],
    ["a@x#2026q4", 3],
    ["a@x & b@x", 4],
    ["a@x or é@x", 7],
    ["a@x\u00a0or b@x", 3],
    ["a@x\u2003or b@x", 3],
    ["a@x\u0000", 3],
    ["\ud800", 0],
  ])("%j is policy-syntax at %d", (text, position) => {
    expect(failure(() => parsePolicy(text))).toEqual({ code: "policy-syntax", position });
  });

  test("the longest name and namespace pass", () => {
    const text = `${"a".repeat(64)}@${"x".repeat(32)}`;
    expect(parsePolicy(text).text).toBe(text);
  });

  test("any input gives a policy or one of the two codes, with a position inside it", () => {
    const pieces = fc.constantFrom(
      "a@x",
      "b@y",
      "(",
      ")",
      ",",
      " and ",
      " or ",
      "2 of (",
      "1 of (",
      " ",
      "é",
      "3",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
        const text = parts.join("");
        const { code, position } = failure(() => parsePolicy(text));
        expect(["none", "policy-syntax", "policy-limit"]).toContain(code);
        if (code !== "none") expect(Number(position) >= 0 && Number(position) <= text.length).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("limits, at them and one past", () => {
  test("32 nested parentheses pass, redundant ones too, and the 33rd is named", () => {
    const nested = (depth: number) => `${"(".repeat(depth)}a@x${")".repeat(depth)}`;
    expect(parsePolicy(nested(32)).text).toBe("a@x");
    expect(failure(() => parsePolicy(nested(33)))).toEqual({ code: "policy-limit", position: 32 });
  });

  test("the parentheses of `k of` count as well", () => {
    const nested = (depth: number) => `${"1 of (".repeat(depth)}a@x${")".repeat(depth)}`;
    expect(parsePolicy(nested(32)).text).toBe("a@x");
    expect(failure(() => parsePolicy(nested(33)))).toEqual({ code: "policy-limit", position: 32 * 6 + 5 });
  });

  test("100,000 parentheses, operators or digits exhaust no stack", () => {
    for (const text of ["(", "1 of (", "(a@x or ", "(a@x and ", "2 of (a@x,"]) {
      expect(failure(() => parsePolicy(text.repeat(100_000))).code).toBe("policy-limit");
    }
    for (const text of [")", " ", "1", "a", "@", ",", "of "]) {
      expect(failure(() => parsePolicy(text.repeat(100_000))).code).toBe("policy-syntax");
    }
  });

  test("256 leaves pass and the 257th is named", () => {
    const text = leaves(257).join(" or ");
    expect(parsePolicy(leaves(256).join(" and ")).attributes).toHaveLength(256);
    expect(failure(() => parsePolicy(text))).toEqual({
      code: "policy-limit",
      position: text.lastIndexOf("a256"),
    });
  });

  test("one attribute in 8 leaves passes and in 9 does not", () => {
    const text = (count: number) => Array.from({ length: count }, () => "a@x").join(" or ");
    expect(parsePolicy(text(8)).attributes).toHaveLength(8);
    expect(failure(() => parsePolicy(text(9)))).toEqual({ code: "policy-limit", position: 8 * 7 });
  });

  test("1,024 non-zero entries pass and 1,025 do not", () => {
    const square = `16 of (${leaves(64).join(", ")})`;
    const entries = entryCounts(parsePolicy(square).tree);
    expect(entries.reduce((sum, count) => sum + count)).toBe(1024);
    expect(failure(() => parsePolicy(`${square} or z@x`))).toEqual({
      code: "policy-limit",
      position: square.length + 4,
    });
  });

  test("a sealed policy may be two leaves, two entries and one occurrence larger", () => {
    expect(parsePolicy(leaves(258).join(" or "), sealedLimits).attributes).toHaveLength(258);
    expect(failure(() => parsePolicy(leaves(259).join(" or "), sealedLimits)).code).toBe("policy-limit");
  });

  test("a tree made by a program is held to the same limits", () => {
    const wide = leaves(257).map((attribute) => ({ kind: "leaf", attribute }) as const);
    expect(failure(() => policyOf({ kind: "or", children: wide })).code).toBe("policy-limit");
    expect(policyOf({ kind: "or", children: wide.slice(1) }).attributes).toHaveLength(256);
    const same = Array.from({ length: 9 }, () => ({ kind: "leaf", attribute: "a@x" }) as const);
    expect(failure(() => policyOf({ kind: "or", children: same })).code).toBe("policy-limit");
    expect(failure(() => policyOf({ kind: "threshold", k: 17, children: wide.slice(0, 64) })).code).toBe(
      "policy-limit",
    );
    expect(failure(() => policyOf({ kind: "threshold", k: 3, children: same.slice(0, 2) })).code).toBe(
      "input-invalid",
    );
    expect(failure(() => policyOf({ kind: "threshold", k: 1.5, children: same.slice(0, 2) })).code).toBe(
      "input-invalid",
    );
    expect(failure(() => policyOf({ kind: "and", children: [] })).code).toBe("input-invalid");
    expect(failure(() => policyOf({ kind: "leaf", attribute: "A@x" })).code).toBe("input-invalid");
  });

  test("a hostile tree exhausts no stack", () => {
    let tree: PolicyNode = { kind: "leaf", attribute: "a@x" };
    for (let i = 0; i < 100_000; i++) tree = { kind: "and", children: [tree] };
    expect(failure(() => policyOf(tree)).code).toBe("policy-limit");
  });

  test("parentheses that only the canonical text of a tree needs are counted", () => {
    const nested = (depth: number): PolicyNode => {
      let tree: PolicyNode = { kind: "leaf", attribute: "z@x" };
      for (let i = 0; i < depth; i++) {
        const leaf = { kind: "leaf", attribute: `a${i}@x` } as const;
        const or: PolicyNode = { kind: "or", children: [leaf, tree] };
        tree = { kind: "and", children: [{ kind: "leaf", attribute: `b${i}@x` }, or] };
      }
      return tree;
    };
    const deepest = policyOf(nested(32));
    expect(parsePolicy(deepest.text)).toEqual(deepest);
    expect(failure(() => policyOf(nested(33))).code).toBe("policy-limit");
  });
});

describe("attributes outside a policy", () => {
  test("malformed ones are input-invalid", () => {
    expect(parseAttribute("a.b@cedars")).toEqual({ name: "a.b", namespace: "cedars" });
    for (const text of ["", "a", "A@x", "a@x@y", "a@x\n", " a@x", "a@x#1"]) {
      expect(failure(() => parseAttribute(text)).code).toBe("input-invalid");
    }
  });

  test("a signing attribute carries its period", () => {
    expect(signingAttribute("a@x", "2026q4.1")).toBe("a@x#2026q4.1");
    expect(parseSigningAttribute("a@x#2026q4.1")).toEqual({
      attribute: "a@x",
      namespace: "x",
      period: "2026q4.1",
    });
    for (const text of [
      "a@x",
      "a@x#",
      "a@x#2026 q4",
      "a@x#2026Q4",
      "#2026q4",
      "a@x#1#2",
      `a@x#${"1".repeat(33)}`,
    ]) {
      expect(failure(() => parseSigningAttribute(text)).code).toBe("input-invalid");
    }
  });
});
