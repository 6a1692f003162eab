/**
 * Policy → span program over Z_p (CRYPTO §1; Lewko, Waters, EUROCRYPT 2011, appendix G; thresholds by Shamir). The
 * matrix decides every ciphertext and signature; spec/vectors/policy.json fixes it. Rows are the leaves in text order,
 * entries are reduced mod p, the target is (1,0,…,0).
 */
import { order } from "../pairing/pairing.ts";
import { multiplyMod } from "../pairing/scalar.ts";
import { lagrangeAtZero } from "./lagrange.ts";
import type { Policy } from "./policy.ts";
import type { PolicyNode } from "./tree.ts";

/** A non-zero entry of a row. Columns count from 0. */
export type Entry = readonly [column: number, value: bigint];

export interface SpanProgramRow {
  readonly attribute: string;
  /** Non-zero entries, columns ascending. */
  readonly entries: readonly Entry[];
}

export interface SpanProgram {
  readonly columns: number;
  readonly rows: readonly SpanProgramRow[];
}

/** The smallest set of rows, ascending, with Σ coefficients · row = target. */
export interface Selection {
  readonly rows: readonly number[];
  readonly coefficients: readonly bigint[];
}

/** The matrix M and the map ρ from rows to attributes. At most 258 rows and as many columns, 1,026 entries. */
export function spanProgram(policy: Policy): SpanProgram {
  const rows: SpanProgramRow[] = [];
  let columns = 1;
  const visit = (node: PolicyNode, vector: readonly Entry[]): void => {
    if (node.kind === "leaf") {
      rows.push({ attribute: node.attribute, entries: vector });
      return;
    }
    if (node.kind === "or") {
      for (const child of node.children) visit(child, vector);
      return;
    }
    if (node.kind === "threshold") {
      // All k − 1 columns are allotted before any child is visited.
      const first = columns;
      columns += node.k - 1;
      for (const [at, child] of node.children.entries()) {
        visit(child, [...vector, ...powers(BigInt(at + 1), first, node.k - 1)]);
      }
      return;
    }
    let rest = vector;
    for (const [at, child] of node.children.entries()) {
      if (at === node.children.length - 1) {
        visit(child, rest);
        return;
      }
      const column = columns++;
      visit(child, [...rest, [column, 1n]]);
      rest = [[column, order - 1n]];
    }
  };
  visit(policy.tree, [[0, 1n]]);
  return { columns, rows };
}

/** (i, i², …, i^count) mod p in the columns from `first` on. */
function powers(i: bigint, first: number, count: number): Entry[] {
  const entries: Entry[] = [];
  let power = 1n;
  for (let j = 0; j < count; j++) {
    power = multiplyMod(power, i);
    entries.push([first + j, power]);
  }
  return entries;
}

/** One way to satisfy a node: how many rows it takes and how to list them. */
interface Choice {
  readonly cost: number;
  collect(factor: bigint, into: Map<number, bigint>): void;
}

/**
 * The smallest set of rows that the attributes open, and γ; of equal sets the earliest in text order. With `and` and
 * `or` alone every γ is 1. Undefined where the attributes do not satisfy the policy: a courtesy, never the lock.
 */
export function select(policy: Policy, attributes: ReadonlySet<string>): Selection | undefined {
  let row = 0;
  const choose = (node: PolicyNode): Choice | undefined => {
    if (node.kind === "leaf") {
      const own = row++;
      if (!attributes.has(node.attribute)) return undefined;
      return { cost: 1, collect: (factor, into) => void into.set(own, factor) };
    }
    const choices = node.children.map(choose);
    if (node.kind === "threshold") return cheapest(choices, node.k);
    const wanted = node.kind === "and" ? choices.length : 1;
    return cheapest(choices, wanted, { additive: true });
  };
  const choice = choose(policy.tree);
  if (choice === undefined) return undefined;
  const chosen = new Map<number, bigint>();
  choice.collect(1n, chosen);
  const rows = [...chosen.keys()].sort((a, b) => a - b);
  return { rows, coefficients: rows.map((at) => chosen.get(at) ?? 0n) };
}

/** The k cheapest children, first ones first where they cost the same; weighted by Lagrange unless additive. */
function cheapest(
  choices: readonly (Choice | undefined)[],
  k: number,
  options: { additive?: boolean } = {},
): Choice | undefined {
  const open = choices.flatMap((choice, at) => (choice === undefined ? [] : [{ choice, at }]));
  if (open.length < k) return undefined;
  open.sort((a, b) => a.choice.cost - b.choice.cost || a.at - b.at);
  const taken = open.slice(0, k);
  const weights =
    options.additive === true ? taken.map(() => 1n) : lagrangeAtZero(taken.map(({ at }) => at + 1));
  return {
    cost: taken.reduce((sum, { choice }) => sum + choice.cost, 0),
    collect(factor, into) {
      for (const [i, { choice }] of taken.entries()) {
        choice.collect(multiplyMod(factor, weights[i] ?? 0n), into);
      }
    },
  };
}
