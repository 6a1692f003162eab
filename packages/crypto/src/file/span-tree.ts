/**
 * Leaf hashes by spans of 4,096, each with its proof, for ranges and for payloads of more than 2^16 chunks (CRYPTO §4).
 *
 * RFC 6962 splits at powers of two, so the hash of leaves 4096·s … is a node of the payload's own tree, and the tree
 * over those nodes has the payload digest for its root: a span's proof is an inclusion proof one floor up. The provider
 * keeps the nodes (32 bytes a span, 32 KiB for 1 TiB) beside the leaf hashes; a reader fetches 128 KiB a span.
 */
import { concat } from "../bytes.ts";
import { type CborValue, decode, encode } from "../encoding.ts";
import { assert, ChartsealError } from "../errors.ts";
import { type MerkleBuilder, sha256Tree } from "./merkle.ts";
import { chunksMax, formatVersion } from "./payload.ts";

export const spanLeaves = 4096;
const hashBytes = 32;
const spansMax = chunksMax / spanLeaves;

/** What the provider keeps beside the leaf hashes: the number of leaves and one node a span. */
export interface SpanTree {
  readonly leaves: number;
  readonly nodes: readonly Uint8Array[];
}

/** The leaf hashes of one span, joined, and the proof of their node. */
export interface Span {
  readonly leafHashes: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/** Leaves of span `index` in a payload of `leaves` chunks: 4,096, but for the last. */
export function spanSize(leaves: number, index: number): number {
  return Math.min(spanLeaves, leaves - spanLeaves * index);
}

/** Collects a span tree leaf by leaf; memory: one node for 4,096 leaves. */
export class SpanTreeBuilder {
  readonly #nodes: Uint8Array[] = [];
  #span: MerkleBuilder = sha256Tree.builder();

  /** Appends a leaf's hash. */
  append(leafHash: Uint8Array): void {
    this.#span.append(leafHash);
    if (this.#span.size < spanLeaves) return;
    this.#nodes.push(this.#span.root());
    this.#span = sha256Tree.builder();
  }

  finish(): SpanTree {
    const open = this.#span.size > 0 ? [this.#span.root()] : [];
    return { leaves: spanLeaves * this.#nodes.length + this.#span.size, nodes: [...this.#nodes, ...open] };
  }
}

/** The payload digest that the nodes give. */
export function spanTreeDigest(tree: SpanTree): Uint8Array {
  return sha256Tree.root(tree.nodes);
}

/** The proof that goes with the leaf hashes of span `index`. */
export function spanProof(tree: SpanTree, index: number): Uint8Array[] {
  return sha256Tree.inclusionProof(tree.nodes, index);
}

/**
 * Whether these are the leaf hashes of span `index` of the payload of `leaves` chunks that has that digest.
 * Index and number come from the header's payload length, never from the provider.
 */
export function verifySpan(
  span: Span,
  place: { readonly index: number; readonly leaves: number; readonly digest: Uint8Array },
): boolean {
  const { index, leaves, digest } = place;
  const size = Math.ceil(leaves / spanLeaves);
  if (span.leafHashes.length !== hashBytes * spanSize(leaves, index)) return false;
  const node = sha256Tree.root(splitHashes(span.leafHashes));
  return sha256Tree.verifyInclusion({ leafHash: node, index, size, proof: span.proof, root: digest });
}

/** Views of the 32-byte hashes in a joined list. @throws ChartsealError `encoding-invalid` if it is no such list */
export function splitHashes(joined: Uint8Array): Uint8Array[] {
  if (joined.length % hashBytes !== 0) throw new ChartsealError("encoding-invalid", "not a list of hashes");
  return Array.from({ length: joined.length / hashBytes }, (_, i) =>
    joined.subarray(hashBytes * i, hashBytes * (i + 1)),
  );
}

/** Deterministic CBOR [version, leaves, nodes joined]. */
export function encodeSpanTree(tree: SpanTree): Uint8Array {
  return encode([formatVersion, tree.leaves, concat(...tree.nodes)]);
}

/** @throws ChartsealError `encoding-invalid` */
export function decodeSpanTree(bytes: Uint8Array): SpanTree {
  const [leaves, joined] = fields(decode(bytes, { sizeMax: hashBytes * spansMax + 32 }));
  if (typeof leaves !== "number" || leaves < 1 || leaves > chunksMax) throw malformed();
  const nodes = splitHashes(bytesOf(joined));
  if (nodes.length !== Math.ceil(leaves / spanLeaves)) throw malformed();
  return { leaves, nodes };
}

/** Deterministic CBOR [version, leaf hashes joined, proof joined]. */
export function encodeSpan(span: Span): Uint8Array {
  assert(span.leafHashes.length <= hashBytes * spanLeaves, "a span has at most 4,096 leaves");
  return encode([formatVersion, span.leafHashes, concat(...span.proof)]);
}

/** @throws ChartsealError `encoding-invalid` */
export function decodeSpan(bytes: Uint8Array): Span {
  const [leafHashes, proof] = fields(decode(bytes, { sizeMax: hashBytes * (spanLeaves + 32) + 32 }));
  return { leafHashes: concat(...splitHashes(bytesOf(leafHashes))), proof: splitHashes(bytesOf(proof)) };
}

function fields(value: CborValue): readonly [CborValue | undefined, CborValue | undefined] {
  if (!Array.isArray(value) || value.length !== 3 || value[0] !== formatVersion) throw malformed();
  const [, first, second] = value as readonly CborValue[];
  return [first, second];
}

function bytesOf(value: CborValue | undefined): Uint8Array {
  if (!(value instanceof Uint8Array)) throw malformed();
  return value;
}

function malformed(): ChartsealError {
  return new ChartsealError("encoding-invalid", "not the encoding of a span of leaf hashes");
}
