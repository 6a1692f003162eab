/**
 * Proofs of the state tree (CRYPTO §5): that a key has a value under a root, or that it has none.
 *
 * Encoding: deterministic CBOR [siblings, other]: the siblings from the root down, 32 bytes each, at most 256; `other`
 * is null, or, where a key is absent because another key's leaf stands in its place, [that path, SHA-256(its value)].
 * Key, value and root come from the verifier, never from the proof; one proof exists for each (root, key).
 */
import { type CborValue, ChartsealError, decode, encode, equalBytes, sha256 } from "@chartseal/crypto";
import type { StateKind } from "./state.ts";
import {
  bitAt,
  type Child,
  childOf,
  emptyRoot,
  innerHash,
  isEmptyHash,
  leafHash,
  type NodeSource,
  positionBelow,
  rootPosition,
  statePath,
} from "./state-tree.ts";

/** Largest proof in bytes: 256 siblings and the other leaf. */
export const stateProofBytesMax = 9_000;

export interface ProvedValue {
  /** null where the key is absent. */
  readonly value: Uint8Array | null;
  readonly proof: Uint8Array;
}

interface Proof {
  readonly siblings: readonly Uint8Array[];
  readonly other: readonly [path: Uint8Array, valueHash: Uint8Array] | null;
}

/** Proves a key's value, or its absence, under a root. @throws ChartsealError `chain-altered` for a damaged store */
export function proveState(
  nodes: NodeSource,
  root: Uint8Array,
  kind: StateKind,
  key: Uint8Array,
): ProvedValue {
  const path = statePath(kind, key);
  const siblings: Uint8Array[] = [];
  let next: Child = { hash: root, at: undefined };
  let position = rootPosition;
  while (!isEmptyHash(next.hash)) {
    const node = nodes.load(next.hash, next.at, position);
    if (node.type === "leaf") {
      if (equalBytes(node.path, path)) return { value: node.value, proof: encode([siblings, null]) };
      return { value: null, proof: encode([siblings, [node.path, sha256(node.value)]]) };
    }
    const side = bitAt(path, siblings.length);
    siblings.push(side === 0 ? node.right : node.left);
    next = childOf(node, side);
    position = positionBelow(position, side);
    if (siblings.length > 256)
      throw new ChartsealError("chain-altered", "the state tree is deeper than it can be");
  }
  return { value: null, proof: encode([siblings, null]) };
}

/**
 * Whether the proof shows that (kind, key) has this value under the root, or, with `null`, that it has none.
 * False for anything malformed; never throws on a proof's bytes.
 */
export function verifyStateProof(
  root: Uint8Array,
  kind: StateKind,
  key: Uint8Array,
  value: Uint8Array | null,
  proof: Uint8Array,
): boolean {
  const parsed = parseProof(proof);
  if (parsed === undefined || root.length !== 32) return false;
  const path = statePath(kind, key);
  const start = startOf(parsed, path, value);
  if (start === undefined) return false;
  let at = start;
  for (let depth = parsed.siblings.length - 1; depth >= 0; depth--) {
    const sibling = parsed.siblings[depth]!;
    at = bitAt(path, depth) === 0 ? innerHash(at, sibling) : innerHash(sibling, at);
  }
  return equalBytes(at, root);
}

/** What the proof says stands at the end of the path, or undefined if that does not answer the question. */
function startOf(proof: Proof, path: Uint8Array, value: Uint8Array | null): Uint8Array | undefined {
  if (value !== null) return proof.other === null ? leafHash(path, sha256(value)) : undefined;
  if (proof.other === null) return emptyRoot;
  const [otherPath, otherHash] = proof.other;
  if (equalBytes(otherPath, path)) return undefined;
  for (let depth = 0; depth < proof.siblings.length; depth++) {
    if (bitAt(otherPath, depth) !== bitAt(path, depth)) return undefined;
  }
  return leafHash(otherPath, otherHash);
}

function parseProof(bytes: Uint8Array): Proof | undefined {
  let parsed: CborValue;
  try {
    parsed = decode(bytes, { sizeMax: stateProofBytesMax });
  } catch {
    return undefined;
  }
  if (!isList(parsed) || parsed.length !== 2) return undefined;
  const [siblings, other] = parsed;
  if (!isList(siblings) || siblings.length > 256 || !siblings.every(isHash)) return undefined;
  if (other === null) return { siblings, other };
  if (!isList(other) || other.length !== 2 || !isHash(other[0]) || !isHash(other[1])) return undefined;
  return { siblings, other: [other[0], other[1]] };
}

function isList(value: CborValue | undefined): value is readonly CborValue[] {
  return Array.isArray(value);
}

function isHash(value: CborValue | undefined): value is Uint8Array {
  return value instanceof Uint8Array && value.length === 32;
}
