/**
 * The tree of a policy and its canonical form (CRYPTO §1): nested nodes of one operator are flattened, `1 of` is `or`,
 * `n of` is `and`, a node with one child is that child; text order and duplicates stay. The canonical text has
 * lower-case operators, single spaces and only the parentheses that precedence needs.
 */
import { ChartsealError } from "../errors.ts";

export interface LeafNode {
  readonly kind: "leaf";
  readonly attribute: string;
}
export interface GateNode {
  readonly kind: "and" | "or";
  readonly children: readonly PolicyNode[];
}
export interface ThresholdNode {
  readonly kind: "threshold";
  readonly k: number;
  readonly children: readonly PolicyNode[];
}
export type PolicyNode = LeafNode | GateNode | ThresholdNode;

/** A canonical tree is never deeper: at most an operator inside a threshold inside each pair of parentheses. */
const treeDepthMax = 128;

/** The children of a gate; none of a leaf. */
export function childrenOf(node: PolicyNode): readonly PolicyNode[] {
  return node.kind === "leaf" ? [] : node.children;
}

/**
 * The canonical tree of any tree.
 * @throws ChartsealError `policy-limit` deeper than any text may be; `input-invalid` for k outside 1…n or no child
 */
export function canonicalTree(node: PolicyNode, depth = 0): PolicyNode {
  if (depth > treeDepthMax) throw new ChartsealError("policy-limit", "the policy is nested too deeply");
  if (node.kind === "leaf") return { kind: "leaf", attribute: node.attribute };
  const children = node.children.map((child) => canonicalTree(child, depth + 1));
  if (node.kind !== "threshold") return gate(node.kind, children);
  const { k } = node;
  if (!Number.isInteger(k) || k < 1 || k > children.length) {
    throw new ChartsealError("input-invalid", "k of n needs 1 ≤ k ≤ n");
  }
  if (k === 1) return gate("or", children);
  if (k === children.length) return gate("and", children);
  return { kind: "threshold", k, children };
}

/** A flattened gate of canonical children. */
function gate(kind: "and" | "or", children: readonly PolicyNode[]): PolicyNode {
  const flat = children.flatMap((child) => (child.kind === kind ? child.children : [child]));
  const first = flat[0];
  if (first === undefined) throw new ChartsealError("input-invalid", "an operator needs something to join");
  return flat.length === 1 ? first : { kind, children: flat };
}

/** The text of a canonical tree; `leafText` may add to a leaf, as its period in what is signed. */
export function formatPolicy(
  tree: PolicyNode,
  leafText: (attribute: string) => string = (attribute) => attribute,
): string {
  if (tree.kind === "leaf") return leafText(tree.attribute);
  const texts = tree.children.map((child) => {
    const text = formatPolicy(child, leafText);
    return tree.kind === "and" && child.kind === "or" ? `(${text})` : text;
  });
  if (tree.kind === "threshold") return `${tree.k} of (${texts.join(", ")})`;
  return texts.join(` ${tree.kind} `);
}

/** The attributes of the leaves, text order, duplicates kept: the rows of the matrix. */
export function leavesOf(tree: PolicyNode): string[] {
  return tree.kind === "leaf" ? [tree.attribute] : tree.children.flatMap(leavesOf);
}

/** Equality of canonical trees. */
export function sameTree(a: PolicyNode, b: PolicyNode): boolean {
  if (a.kind === "leaf" || b.kind === "leaf") {
    return a.kind === "leaf" && b.kind === "leaf" && a.attribute === b.attribute;
  }
  if (a.kind !== b.kind || a.children.length !== b.children.length) return false;
  if (a.kind === "threshold" && b.kind === "threshold" && a.k !== b.k) return false;
  return a.children.every((child, i) => sameTree(child, b.children[i] as PolicyNode));
}

/** How deep parentheses nest in the canonical text. */
export function parenthesisDepth(tree: PolicyNode): number {
  if (tree.kind === "leaf") return 0;
  const own = tree.kind === "threshold" ? 1 : 0;
  let deepest = 0;
  for (const child of tree.children) {
    const wrapped = tree.kind === "and" && child.kind === "or" ? 1 : 0;
    deepest = Math.max(deepest, parenthesisDepth(child) + wrapped);
  }
  return own + deepest;
}

/**
 * Non-zero entries of each row of the matrix, in row order (CRYPTO §1): `width` is how many the node's vector has.
 */
export function entryCounts(tree: PolicyNode, width = 1): number[] {
  if (tree.kind === "leaf") return [width];
  if (tree.kind === "or") return tree.children.flatMap((child) => entryCounts(child, width));
  if (tree.kind === "threshold") {
    return tree.children.flatMap((child) => entryCounts(child, width + tree.k - 1));
  }
  const last = tree.children.length - 1;
  return tree.children.flatMap((child, i) =>
    entryCounts(child, (i === 0 ? width : 1) + (i === last ? 0 : 1)),
  );
}
