/** Mappings: what is one, what each operator takes, what no claim of any shape can bring. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { root } from "../../../test/tidy/tree.ts";
import { applyMapping, mappingJson, matchText, parseMapping } from "../src/index.ts";
import { operators, rulesMax } from "../src/vouching/mapping.ts";
import { failure } from "./world.ts";

const rule = { claim: "groups", operator: "contains", value: "doctors", attributes: ["doctor@cedars"] };
const mapping = (...rules: object[]) => ({ version: 1, rules: rules.map((one) => ({ ...rule, ...one })) });
const parsed = (...rules: object[]) => parseMapping(mapping(...rules), "cedars");
const brought = (claims: object, ...rules: object[]) =>
  [...applyMapping(parsed(...rules), claims as Record<string, unknown>).keys()].sort();

describe("a mapping", () => {
  test("is read, shown and read again as it was written", () => {
    const written = mapping(
      {},
      {
        claim: ["a", "b.c"],
        operator: "one-of",
        value: [1, "x", true],
        attributes: ["a@cedars", "b@cedars"],
      },
    );
    expect(mappingJson(parseMapping(written, "cedars"))).toEqual(written);
  });

  test("fits the schema that is published: the same fields, operators and limits", () => {
    const schema = JSON.parse(readFileSync(join(root, "spec/vectors/oidc-mapping.schema.json"), "utf8"));
    const { properties } = schema.properties.rules.items;
    expect(Object.keys(properties).sort()).toEqual(["attributes", "claim", "operator", "value"]);
    expect(properties.operator.enum).toEqual([...operators]);
    expect(schema.properties.rules.maxItems).toBe(rulesMax);
    expect(schema.properties.version.const).toBe(1);
    for (const { additionalProperties } of [schema, schema.properties.rules.items])
      expect(additionalProperties).toBe(false);
  });

  test.each([
    ["no object", null, undefined],
    ["a list", [], undefined],
    ["another version", { ...mapping({}), version: 2 }, undefined],
    ["no rules", { version: 1, rules: [] }, undefined],
    ["too many rules", { version: 1, rules: Array.from({ length: 257 }, () => rule) }, undefined],
    ["a field more", { ...mapping({}), more: 1 }, undefined],
    ["a rule with a field more", mapping({}, { default: true }), 1],
    ["a rule that is no object", { version: 1, rules: [rule, "x"] }, 1],
    ["a rule without a value", { version: 1, rules: [rule, { ...rule, value: undefined }] }, 1],
    ["an empty claim", mapping({ claim: "" }), 0],
    ["an empty path", mapping({ claim: [] }), 0],
    ["a path of numbers", mapping({ claim: ["a", 1] }), 0],
    ["a path that is too long", mapping({ claim: Array.from({ length: 9 }, () => "a") }), 0],
    ["another operator", mapping({}, {}, { operator: "matches" }), 2],
    ["a value that is an object", mapping({ value: {} }), 0],
    ["null as a value", mapping({ value: null }), 0],
    ["a list where one value is asked", mapping({ value: ["doctors"] }), 0],
    ["one value where a list is asked", mapping({ operator: "one-of" }), 0],
    ["an empty list of values", mapping({ operator: "one-of", value: [] }), 0],
    ["no attribute", mapping({ attributes: [] }), 0],
    ["an attribute twice", mapping({ attributes: ["a@cedars", "a@cedars"] }), 0],
    ["another hospital's attribute", mapping({}, { attributes: ["doctor@mercy"] }), 1],
    ["an attribute of self", mapping({ attributes: ["emergency.x@self"] }), 0],
    ["an attribute with a capital", mapping({ attributes: ["Doctor@cedars"] }), 0],
    ["a bare name", mapping({ attributes: ["doctor"] }), 0],
  ])("with %s is refused, with the rule's index", async (_what, bad, at) => {
    const error = await failure("input-invalid", () => parseMapping(bad, "cedars"));
    expect(error.data.rule).toBe(at);
    if (at !== undefined) expect(error.message).toContain(`rule ${at}`);
  });
});

describe("a rule", () => {
  test("equals one value of the same type", () => {
    const equals = { operator: "equals", value: 1 };
    expect(brought({ groups: 1 }, equals)).toEqual(["doctor@cedars"]);
    for (const groups of ["1", true, [1], { 1: 1 }, null, undefined, Number.NaN])
      expect(brought({ groups }, equals)).toEqual([]);
  });

  test("contains takes a list alone, never a part of a text", () => {
    expect(brought({ groups: ["x", "doctors"] }, {})).toEqual(["doctor@cedars"]);
    for (const groups of ["doctors", "the doctors", ["Doctors"], [["doctors"]], { 0: "doctors" }, {}]) {
      expect(brought({ groups }, {})).toEqual([]);
    }
  });

  test("one-of takes one of the values, and no list", () => {
    const oneOf = { operator: "one-of", value: ["icu", "er"] };
    expect(brought({ groups: "er" }, oneOf)).toEqual(["doctor@cedars"]);
    expect(brought({ groups: ["er"] }, oneOf)).toEqual([]);
  });

  test("reads a path of names, dots and all, and nothing that an object inherits", () => {
    const path = { claim: ["https://x.example/roles", "constructor"], operator: "equals", value: "chief" };
    expect(brought({ "https://x.example/roles": { constructor: "chief" } }, path)).toEqual(["doctor@cedars"]);
    expect(brought({ "https://x.example/roles": {} }, path)).toEqual([]);
    expect(brought({}, { claim: ["__proto__", "x"], operator: "equals", value: "y" })).toEqual([]);
    expect(
      brought({ groups: ["doctors"] }, { claim: ["groups", "0"], operator: "equals", value: "doctors" }),
    ).toEqual([]);
  });

  test("that comes first is the one that is named", () => {
    const rules = [
      { value: "x" },
      { value: "y" },
      { value: "z", attributes: ["doctor@cedars", "chief@cedars"] },
    ];
    const mapped = applyMapping(parsed(...rules), { groups: ["z", "y"] });
    expect(mapped.get("doctor@cedars")).toMatchObject({ rule: 1, value: "y" });
    expect(matchText(mapped.get("chief@cedars")!)).toBe("rule 2: groups contains z");
  });
});

test("claims of any shape bring nothing but attributes that the mapping names, and never throw", () => {
  const all = parsed(
    {},
    { claim: ["a", "b"], operator: "one-of", value: [1, "1", true], attributes: ["x@cedars", "y@cedars"] },
  );
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom("groups", "a", "b", "__proto__"), fc.anything()), (claims) => {
      const mapped = applyMapping(all, claims);
      for (const attribute of mapped.keys())
        expect(["doctor@cedars", "x@cedars", "y@cedars"]).toContain(attribute);
    }),
    { numRuns: 500 },
  );
});
