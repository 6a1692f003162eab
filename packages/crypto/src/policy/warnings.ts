/**
 * What `policy check` warns about (CRYPTO §1): parts that change nothing, thresholds that one attribute opens several
 * times over, `k of` that can be said more simply, attributes that so few hold that they name a person. A warning
 * never refuses a policy.
 */
import { isSelf } from "./attribute.ts";
import { type Policy, parseWrittenTree } from "./policy.ts";
import { distinctAttributes, missing } from "./satisfy.ts";
import { canonicalTree, childrenOf, formatPolicy, type PolicyNode } from "./tree.ts";

export interface PolicyWarning {
  readonly kind: "tautology" | "threshold-shared" | "simplifiable" | "few-holders";
  /** One sentence. */
  readonly message: string;
  /** The canonical text of the part it is about. */
  readonly part: string;
}

/** Fewer holders than this and the attribute points at a person. */
export const fewHolders = 3;

export interface WarningOptions {
  /** The text as the user wrote it: the canonical form no longer shows `1 of` and `n of`. */
  readonly written?: string;
  /** How many hold each attribute; one that is not in it is held by nobody. */
  readonly holders?: ReadonlyMap<string, number>;
}

/** @throws ChartsealError as `parsePolicy` if `written` is not a policy */
export function warnings(policy: Policy, options: WarningOptions = {}): PolicyWarning[] {
  const found: PolicyWarning[] = [];
  const implication = new Implication();
  visit(policy.tree, (node) => {
    if (node.kind === "threshold") found.push(...sharedThreshold(node), ...repeatedChild(node));
    else if (node.kind !== "leaf") found.push(...redundant(node, implication));
  });
  if (options.written !== undefined)
    visit(parseWrittenTree(options.written), (node) => found.push(...spelled(node)));
  if (options.holders !== undefined) found.push(...rare(policy, options.holders));
  return found;
}

function visit(node: PolicyNode, see: (node: PolicyNode) => void): void {
  see(node);
  for (const child of childrenOf(node)) visit(child, see);
}

/** A child of `or` that implies another child opens nothing new; a child of `and` that another implies asks nothing. */
function redundant(node: PolicyNode, implication: Implication): PolicyWarning[] {
  const children = childrenOf(node);
  const dropped = new Set<number>();
  for (const [i, child] of children.entries()) {
    for (const [j, other] of children.entries()) {
      if (i === j || dropped.has(j)) continue;
      const idle = node.kind === "or" ? implication.holds(child, other) : implication.holds(other, child);
      if (!idle) continue;
      dropped.add(i);
      break;
    }
  }
  return [...dropped].map((i) => {
    const part = formatPolicy(children[i] as PolicyNode);
    return { kind: "tautology", part, message: `\`${part}\` changes nothing where it stands.` };
  });
}

function sharedThreshold(node: PolicyNode & { kind: "threshold" }): PolicyWarning[] {
  const smallest = missing(node, new Set())[0] ?? [];
  if (smallest.length >= node.k) return [];
  const part = formatPolicy(node);
  return [
    { kind: "threshold-shared", part, message: `\`${part}\` opens with ${smallest.join(", ")} alone.` },
  ];
}

function repeatedChild(node: PolicyNode & { kind: "threshold" }): PolicyWarning[] {
  const texts = node.children.map((child) => formatPolicy(child));
  if (new Set(texts).size === texts.length) return [];
  const part = formatPolicy(node);
  return [{ kind: "simplifiable", part, message: `\`${part}\` counts one child more than once.` }];
}

function spelled(node: PolicyNode): PolicyWarning[] {
  if (node.kind !== "threshold") return [];
  if (node.k !== 1 && node.k !== node.children.length) return [];
  const part = formatPolicy(canonicalTree(node));
  const text = `${node.k} of ${node.children.length}`;
  return [{ kind: "simplifiable", part, message: `This ${text} is simply \`${part}\`.` }];
}

function rare(policy: Policy, holders: ReadonlyMap<string, number>): PolicyWarning[] {
  return distinctAttributes(policy.tree).flatMap((part): PolicyWarning[] => {
    const count = holders.get(part) ?? 0;
    if (isSelf(part) || count >= fewHolders) return [];
    if (count === 0) return [{ kind: "few-holders", part, message: `Nobody holds ${part} yet.` }];
    const who = count === 1 ? "one member holds" : `${count} members hold`;
    return [{ kind: "few-holders", part, message: `Only ${who} ${part}: it nearly names a person.` }];
  });
}

/** Does a imply b, for monotone trees: sound but not complete, and polynomial, since pairs are remembered. */
class Implication {
  private readonly known = new Map<PolicyNode, Map<PolicyNode, boolean>>();

  holds(a: PolicyNode, b: PolicyNode): boolean {
    let row = this.known.get(a);
    if (row === undefined) {
      row = new Map();
      this.known.set(a, row);
    }
    let answer = row.get(b);
    if (answer === undefined) {
      answer = this.decide(a, b);
      row.set(b, answer);
    }
    return answer;
  }

  private decide(a: PolicyNode, b: PolicyNode): boolean {
    if (a.kind === "leaf" && b.kind === "leaf") return a.attribute === b.attribute;
    if (a.kind === "or") return a.children.every((child) => this.holds(child, b));
    if (b.kind === "and") return b.children.every((child) => this.holds(a, child));
    if (b.kind === "or" && b.children.some((child) => this.holds(a, child))) return true;
    if (a.kind === "and" && a.children.some((child) => this.holds(child, b))) return true;
    if (b.kind === "threshold") {
      if (b.children.filter((child) => this.holds(a, child)).length >= b.k) return true;
      return a.kind === "threshold" && this.thresholds(a, b);
    }
    // Of n children, any n − k + 1 hold one that is open: enough of them implying b makes b sure.
    if (a.kind !== "threshold") return false;
    return a.children.filter((child) => this.holds(child, b)).length > a.children.length - a.k;
  }

  /** j of these children implies k of those, j ≥ k, where each child implies the one at its place. */
  private thresholds(a: PolicyNode & { kind: "threshold" }, b: PolicyNode & { kind: "threshold" }): boolean {
    if (a.k < b.k || a.children.length > b.children.length) return false;
    return a.children.every((child, i) => this.holds(child, b.children[i] as PolicyNode));
  }
}
