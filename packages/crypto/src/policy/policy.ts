/**
 * A policy: who may read or sign, as a canonical tree over attributes (CRYPTO §1; limits of CONTRACT). The canonical
 * text stands in every ciphertext and signature, so two texts with one tree are one policy.
 */
import { ChartsealError } from "../errors.ts";
import { isAttribute } from "./attribute.ts";
import { type PolicyLimits, writtenLimits } from "./limits.ts";
import { parse } from "./parser.ts";
import {
  canonicalTree,
  entryCounts,
  formatPolicy,
  leavesOf,
  type PolicyNode,
  parenthesisDepth,
} from "./tree.ts";

export { parseAttribute } from "./attribute.ts";
export { formatPolicy, type PolicyNode } from "./tree.ts";

export interface Policy {
  /** The canonical text. */
  readonly text: string;
  /** The canonical tree. */
  readonly tree: PolicyNode;
  /** The attribute of each leaf, text order, duplicates kept: the rows of the matrix. */
  readonly attributes: readonly string[];
}

/**
 * Parses a policy's text; give `sealedLimits` for a sealed one.
 * @throws ChartsealError `policy-syntax`, `policy-limit`, both with `position`, the index of the offending character
 */
export function parsePolicy(text: string, limits: PolicyLimits = writtenLimits): Policy {
  const { tree, positions } = parse(text, limits);
  const canonical = canonicalTree(tree);
  checkEntries(canonical, limits, positions);
  return { text: formatPolicy(canonical), tree: canonical, attributes: leavesOf(canonical) };
}

/** The tree as written, before it is made canonical: what warnings speak about. @throws as `parsePolicy` */
export function parseWrittenTree(text: string, limits: PolicyLimits = writtenLimits): PolicyNode {
  return parse(text, limits).tree;
}

/**
 * The policy of a tree made by a program, brought to canonical form and held to the same limits.
 * @throws ChartsealError `policy-limit`; `input-invalid` for a malformed attribute or gate
 */
export function policyOf(tree: PolicyNode, limits: PolicyLimits = writtenLimits): Policy {
  const canonical = canonicalTree(tree);
  const attributes = leavesOf(canonical);
  const occurrences = new Map<string, number>();
  for (const attribute of attributes) {
    if (!isAttribute(attribute)) {
      throw new ChartsealError("input-invalid", "an attribute is written name@namespace in lower case");
    }
    occurrences.set(attribute, (occurrences.get(attribute) ?? 0) + 1);
  }
  if (attributes.length > limits.leavesMax) tooLarge(`a policy has at most ${limits.leavesMax} leaves`);
  if (parenthesisDepth(canonical) > limits.depthMax) {
    tooLarge(`parentheses nest at most ${limits.depthMax} deep`);
  }
  if (Math.max(...occurrences.values()) > limits.occurrencesMax) {
    tooLarge(`one attribute has at most ${limits.occurrencesMax} leaves`);
  }
  checkEntries(canonical, limits);
  return { text: formatPolicy(canonical), tree: canonical, attributes };
}

function checkEntries(tree: PolicyNode, limits: PolicyLimits, positions: readonly number[] = []): void {
  let total = 0;
  for (const [row, count] of entryCounts(tree).entries()) {
    total += count;
    if (total > limits.entriesMax) {
      tooLarge(`the policy's matrix has at most ${limits.entriesMax} non-zero entries`, positions[row]);
    }
  }
}

function tooLarge(message: string, position?: number): never {
  if (position === undefined) throw new ChartsealError("policy-limit", message);
  throw new ChartsealError("policy-limit", `${message} (at ${position})`, { data: { position } });
}
