/**
 * The group operations that a key generation and an issue cannot do without, counted over all who take part: dealers,
 * receivers, the ledger's machine, provider and reader. Envelopes, Ed25519, CBOR, blocks and HTTP are what is above them.
 */
import {
  auditKeySpace,
  committeeBase,
  type KeySpace,
  type Pairing,
  randomScalar,
  readingKeySpace,
  signingKeySpace,
} from "@chartseal/crypto";
import type { Side } from "../measure.ts";
import { multiplications, type Needs, sum } from "../schemes/primitives.ts";

export type SessionName = "reading" | "signing" | "audit";
export const sessions: readonly SessionName[] = ["reading", "signing", "audit"];

/** In a session's group: one multiplication, a long-term secret's split one, C(i) of t commitments, strict decoding. */
type GroupOperation = "multiply" | "split" | "evaluate" | "decode";
export type SessionOperation = `${SessionName} ${GroupOperation}`;

/** How often each operation of a session's group is done in a key generation of n nodes, t of which issue. */
export function generationNeeds(
  session: SessionName,
  { nodes: n, threshold: t }: { readonly nodes: number; readonly threshold: number },
): Readonly<Partial<Record<SessionOperation, number>>> {
  return {
    // Each dealer's proof; the machine's check of it is two terms.
    [`${session} multiply`]: 3 * n,
    // Each dealer's t commitments; each receiver's image of n shares and of its own.
    [`${session} split`]: n * t + n * n + n,
    // What a share must fit, n² times, and the machine's C_1 … C_n.
    [`${session} evaluate`]: n * n + n,
    // Every commitment, by the machine and by the receivers: those of one process decode it once.
    [`${session} decode`]: 2 * n * t,
  };
}

/** One issue of a key over `count` attributes by t nodes, all checks of it included. */
export function issueNeeds({
  threshold: t,
  attributes: count,
}: {
  threshold: number;
  attributes: number;
}): Needs {
  const rows = count + 1;
  const reader: Needs = { E1x1: 2 };
  // The machine and every node check the proof of z.
  const proofs: Needs = { E1x2: t + 1 };
  const node = sum(multiplications("E1", Array(rows).fill(1)), { E1x2: 1, E2x1: 1, P1: 2, ETx2: 1, ETx1: 2 });
  const check = sum(
    multiplications("E1", [rows, rows]),
    { "G1 decode": rows, "G2 decode": 1 },
    {
      "GT decode": 1,
      P1: 1,
      P2: 1,
      ETx2: 2,
    },
  );
  const combine = sum(multiplications("E1", Array(rows).fill(t)), multiplications("E2", [t]));
  const perNode = sum(...Array.from({ length: t }, () => sum(node, check)));
  return sum(reader, proofs, perNode, combine);
}

function sidesOf<P>(
  space: KeySpace<P>,
  session: SessionName,
  { nodes, threshold }: { readonly nodes: number; readonly threshold: number },
): Record<string, Side> {
  const { group, base } = space;
  const element = (): P => group.combine([{ point: base, scalar: randomScalar({ nonZero: true }) }]);
  const [one, scalar] = [element(), randomScalar({ nonZero: true })];
  const commitments = Array.from({ length: threshold }, (_, k) => ({
    point: element(),
    scalar: BigInt(nodes) ** BigInt(k),
  }));
  const bytes = group.encode(one);
  const operations: Record<GroupOperation, () => unknown> = {
    multiply: () => group.combine([{ point: one, scalar }]),
    split: () => group.multiplySplit(one, scalar),
    evaluate: () => group.combine(commitments),
    decode: () => group.decode(bytes),
  };
  return Object.fromEntries(
    Object.entries(operations).map(([name, once]) => [`${session} ${name}`, { run: once }]),
  );
}

/** Every operation of every session, as sides of a comparison. */
export function sessionSides(
  pairing: Pairing,
  sizes: { readonly nodes: number; readonly threshold: number },
): Record<string, Side> {
  return {
    ...sidesOf(readingKeySpace(pairing), "reading", sizes),
    ...sidesOf(signingKeySpace(pairing, committeeBase(pairing)), "signing", sizes),
    ...sidesOf(auditKeySpace(pairing), "audit", sizes),
  };
}
