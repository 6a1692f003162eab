/**
 * Courtesies around a policy (CRYPTO §1): is it satisfied, what is missing. They give clear errors and explanations and
 * are never the lock: the lock is the mathematics of the ciphertext and of the signature.
 */
import { type GateNode, leavesOf, type PolicyNode, type ThresholdNode } from "./tree.ts";

/** How many alternatives are kept at each node: a threshold of 256 leaves has more than there are atoms. */
const alternativesMax = 64;

/** True where the attributes satisfy the tree. */
export function satisfies(tree: PolicyNode, attributes: ReadonlySet<string>): boolean {
  if (tree.kind === "leaf") return attributes.has(tree.attribute);
  const needed = neededOf(tree);
  let satisfied = 0;
  for (const child of tree.children) if (satisfies(child, attributes)) satisfied++;
  return satisfied >= needed;
}

/**
 * What is missing: minimal sets of attributes, any one of which would do, smallest first, each sorted, at most 64.
 * Empty where nothing is missing. No attribute can be taken out of a set; where the policy has more than 64
 * alternatives the rest is left out.
 */
export function missing(tree: PolicyNode, attributes: ReadonlySet<string>): readonly (readonly string[])[] {
  if (satisfies(tree, attributes)) return [];
  const minimal = alternatives(tree, attributes).map((set) => minimise(tree, attributes, set));
  return keepSmallest(minimal).map((set) => [...set].sort());
}

type Alternative = ReadonlySet<string>;

/** How many children open a gate. */
function neededOf(node: GateNode | ThresholdNode): number {
  if (node.kind === "threshold") return node.k;
  return node.kind === "and" ? node.children.length : 1;
}

function union(a: Alternative, b: Alternative): Alternative {
  return new Set([...a, ...b]);
}

function isSubset(small: Alternative, large: Alternative): boolean {
  for (const attribute of small) if (!large.has(attribute)) return false;
  return true;
}

function alternatives(node: PolicyNode, held: ReadonlySet<string>): Alternative[] {
  if (node.kind === "leaf") return [new Set(held.has(node.attribute) ? [] : [node.attribute])];
  const children = node.children.map((child) => alternatives(child, held));
  if (node.kind === "or") return keepSmallest(children.flat());
  const k = neededOf(node);
  // chosen[j]: the best ways to open j of the children seen so far.
  const chosen: Alternative[][] = [[new Set()], ...Array.from({ length: k }, () => [])];
  for (const [seen, child] of children.entries()) {
    for (let j = Math.min(k, seen + 1); j >= 1; j--) {
      const joined = (chosen[j - 1] ?? []).flatMap((set) => child.map((more) => union(set, more)));
      chosen[j] = keepSmallest([...(chosen[j] ?? []), ...joined]);
    }
  }
  return chosen[k] ?? [];
}

/** The smallest sets, without supersets of others. */
function keepSmallest(sets: readonly Alternative[]): Alternative[] {
  const kept: Alternative[] = [];
  for (const set of [...sets].sort((a, b) => a.size - b.size)) {
    if (kept.length === alternativesMax) break;
    if (!kept.some((smaller) => isSubset(smaller, set))) kept.push(set);
  }
  return kept;
}

/** Takes out of a sufficient set whatever it does not need. */
function minimise(tree: PolicyNode, held: ReadonlySet<string>, set: Alternative): Alternative {
  const needed = new Set(set);
  for (const attribute of set) {
    needed.delete(attribute);
    if (!satisfies(tree, union(held, needed))) needed.add(attribute);
  }
  return needed;
}

/** The distinct attributes of a tree, text order. */
export function distinctAttributes(tree: PolicyNode): string[] {
  return [...new Set(leavesOf(tree))];
}
