// Random policies as texts, with redundant parentheses, mixed case and `k of` of every k, and as plain trees that are
// evaluated without the code under test.
import fc from "fast-check";

export type Plain =
  | { readonly leaf: string }
  | { readonly gate: "and" | "or"; readonly children: readonly Plain[] }
  | { readonly k: number; readonly children: readonly Plain[] };

/** Few attributes, so that they repeat and so that a truth table stays small. */
export const attributePool = ["a@x", "b@x", "c@x", "d@y", "e@y", "f@y"] as const;

export function plainPolicy(): fc.Arbitrary<Plain> {
  const leaf = fc.constantFrom(...attributePool).map((attribute): Plain => ({ leaf: attribute }));
  const { tree } = fc.letrec<{ tree: Plain }>((tie) => {
    const children = fc.array(tie("tree"), { minLength: 1, maxLength: 4 });
    const gate = fc
      .tuple(fc.constantFrom<"and" | "or">("and", "or"), children)
      .map(([kind, list]): Plain => ({ gate: kind, children: list }));
    const threshold = fc
      .tuple(fc.nat(), children)
      .map(([at, list]): Plain => ({ k: 1 + (at % list.length), children: list }));
    return { tree: fc.oneof({ maxDepth: 3, depthSize: "small" }, leaf, gate, threshold) };
  });
  return tree.filter((plain) => attributePool.every((attribute) => occurrences(plain, attribute) <= 8));
}

function occurrences(plain: Plain, attribute: string): number {
  if ("leaf" in plain) return plain.leaf === attribute ? 1 : 0;
  return plain.children.reduce((sum, child) => sum + occurrences(child, attribute), 0);
}

/** The text of a plain tree, every child in parentheses of its own. */
export function plainText(plain: Plain): string {
  if ("leaf" in plain) return plain.leaf;
  const texts = plain.children.map((child) => `(${plainText(child)})`);
  return "k" in plain
    ? `${plain.k} Of (${texts.join(" , ")})`
    : texts.join(plain.gate === "and" ? " AND " : "  or ");
}

/** The truth of a plain tree. */
export function plainTruth(plain: Plain, held: ReadonlySet<string>): boolean {
  if ("leaf" in plain) return held.has(plain.leaf);
  const open = plain.children.filter((child) => plainTruth(child, held)).length;
  if ("k" in plain) return open >= plain.k;
  return plain.gate === "and" ? open === plain.children.length : open > 0;
}

export function policyText(): fc.Arbitrary<string> {
  return plainPolicy().map(plainText);
}
