/**
 * Where a reader's leaf hashes come from: an untrusted provider, so nothing counts before it gives the payload digest.
 *
 * Two forms: the whole list (at most 2^16 leaves, 2 MiB), or spans of 4,096 with their proofs (span-tree.ts), for longer
 * payloads and for ranges; one span is held at a time.
 */
import { equalBytes } from "../bytes.ts";
import { ChartsealError } from "../errors.ts";
import { sha256Tree } from "./merkle.ts";
import { type Span, spanLeaves, splitHashes, verifySpan } from "./span-tree.ts";

/** The most leaves that are taken as one list. */
export const listLeavesMax = 65_536;
const hashBytes = 32;

export type LeafSource =
  /** All leaf hashes joined. */
  | { readonly list: Uint8Array }
  /** Fetches the span of that index. */
  | { readonly span: (index: number) => Promise<Span> };

/** Gives the leaf hash of a chunk, checked against the payload digest. */
export type VerifiedLeaves = (chunk: number) => Promise<Uint8Array>;

/**
 * Checks a whole list at once, spans as they are needed.
 * @throws ChartsealError `object-altered` with data `{part: "leaf-hashes", span?}` from here or from the function given
 */
export async function verifiedLeaves(
  source: LeafSource,
  payload: { readonly leaves: number; readonly digest: Uint8Array },
): Promise<VerifiedLeaves> {
  const { leaves, digest } = payload;
  if ("list" in source) {
    const { list } = source;
    if (leaves > listLeavesMax) {
      throw new ChartsealError("input-invalid", "leaf hashes of so many chunks are read by spans");
    }
    const complete = list.length === hashBytes * leaves;
    if (!complete || !equalBytes(sha256Tree.root(splitHashes(list)), digest)) throw altered({});
    return async (chunk) => list.subarray(hashBytes * chunk, hashBytes * (chunk + 1));
  }
  let held = -1;
  let hashes: Uint8Array = new Uint8Array(0);
  return async (chunk) => {
    const index = Math.floor(chunk / spanLeaves);
    if (index !== held) {
      const span = await source.span(index);
      if (!verifySpan(span, { index, leaves, digest })) throw altered({ span: index });
      held = index;
      hashes = span.leafHashes;
    }
    const at = hashBytes * (chunk - spanLeaves * index);
    return hashes.subarray(at, at + hashBytes);
  };
}

function altered(data: { span?: number }): ChartsealError {
  return new ChartsealError("object-altered", "the leaf hashes do not give the payload digest", {
    data: { part: "leaf-hashes", ...data },
  });
}
