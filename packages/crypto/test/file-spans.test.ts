import { beforeAll, describe, expect, it, vi } from "vitest";
import { concat, toHex, u32 } from "../src/bytes.ts";
import { hasCode } from "../src/errors.ts";
import { listLeavesMax, verifiedLeaves } from "../src/file/leaves.ts";
import { sha256Tree } from "../src/file/merkle.ts";
import {
  decodeSpan,
  decodeSpanTree,
  encodeSpan,
  encodeSpanTree,
  type Span,
  SpanTreeBuilder,
  spanLeaves,
  spanProof,
  spanTreeDigest,
  verifySpan,
} from "../src/file/span-tree.ts";
import { open, pattern, type Sealed, seal, spansOf } from "./file-fixtures.ts";

const altered = (error: unknown): boolean => hasCode(error, "object-altered");

function leavesOf(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => sha256Tree.leafHash(u32(i)));
}

function treeOf(leaves: readonly Uint8Array[]) {
  const builder = new SpanTreeBuilder();
  for (const leaf of leaves) builder.append(leaf);
  return builder.finish();
}

describe("spans of leaf hashes", () => {
  it("are nodes of the payload's own tree, whatever the number of leaves", () => {
    for (const count of [1, 2, 4096, 4097, 8192, 12_289]) {
      const leaves = leavesOf(count);
      const digest = sha256Tree.root(leaves);
      const tree = treeOf(leaves);
      expect(toHex(spanTreeDigest(tree))).toBe(toHex(digest));
      expect(tree.nodes).toHaveLength(Math.ceil(count / spanLeaves));
      for (let index = 0; index < tree.nodes.length; index++) {
        const slice = leaves.slice(spanLeaves * index, spanLeaves * (index + 1));
        const span = { leafHashes: concat(...slice), proof: spanProof(tree, index) };
        expect(verifySpan(span, { index, leaves: count, digest })).toBe(true);
        expect(verifySpan(span, { index: index + 1, leaves: count, digest })).toBe(false);
        expect(verifySpan(span, { index, leaves: count + 1, digest })).toBe(
          index < tree.nodes.length - 1 && count % 4096 !== 0,
        );
      }
    }
  });

  it("are refused altered, from another place, cut or with another proof", () => {
    const leaves = leavesOf(10_000);
    const place = { index: 1, leaves: 10_000, digest: sha256Tree.root(leaves) };
    const tree = treeOf(leaves);
    const leafHashes = concat(...leaves.slice(4096, 8192));
    const proof = spanProof(tree, 1);
    expect(verifySpan({ leafHashes, proof }, place)).toBe(true);
    const flipped = Uint8Array.from(leafHashes);
    flipped[100]! ^= 1;
    const spoilt: Span[] = [
      { leafHashes: flipped, proof },
      { leafHashes: concat(...leaves.slice(0, 4096)), proof },
      { leafHashes: leafHashes.subarray(32), proof },
      { leafHashes: concat(leafHashes, leafHashes.subarray(0, 32)), proof },
      { leafHashes: tree.nodes[1]!, proof },
      { leafHashes, proof: proof.slice(1) },
      { leafHashes, proof: [...proof, proof[0]!] },
      { leafHashes, proof: proof.toReversed() },
      { leafHashes, proof: [] },
    ];
    for (const span of spoilt) expect(verifySpan(span, place)).toBe(false);
    expect(verifySpan({ leafHashes, proof }, { ...place, digest: tree.nodes[1]! })).toBe(false);
  });

  it("and the tree of their nodes have one encoding", () => {
    const tree = treeOf(leavesOf(9000));
    expect(decodeSpanTree(encodeSpanTree(tree))).toEqual(tree);
    const span = { leafHashes: pattern(32 * 4096), proof: spanProof(tree, 2) };
    expect(decodeSpan(encodeSpan(span))).toEqual(span);
    expect(() => decodeSpanTree(encodeSpanTree({ ...tree, leaves: 4096 }))).toThrow("span");
    expect(() => decodeSpanTree(encodeSpanTree({ leaves: 0, nodes: [] }))).toThrow("span");
  });

  it("must be used above 65,536 leaves, where a whole list is not taken", async () => {
    const list = new Uint8Array(32 * (listLeavesMax + 1));
    const run = verifiedLeaves({ list }, { leaves: listLeavesMax + 1, digest: pattern(32) });
    await expect(run).rejects.toSatisfy((error) => hasCode(error, "input-invalid"));
  });
});

describe("a payload read by spans", () => {
  const plaintext = pattern(64 * 4096 * 2 + 100);
  let sealed: Sealed;
  beforeAll(async () => {
    sealed = await seal(plaintext, { sizes: [65_536] });
  });

  it("opens whole, fetching each span once", async () => {
    const span = vi.fn(spansOf(sealed.leaves));
    expect(Buffer.compare(await open(sealed, { leaves: { span } }), plaintext)).toBe(0);
    expect(span.mock.calls).toEqual([[0], [1], [2]]);
  });

  it("gives ranges across a span's border, fetching those spans only", async () => {
    const border = 64 * 4096;
    for (const [from, to, spans] of [
      [0, 0, [0]],
      [border - 1, border - 1, [0]],
      [border - 1, border, [0, 1]],
      [border, border + 70, [1]],
      [2 * border - 1, plaintext.length - 1, [1, 2]],
    ] as const) {
      const span = vi.fn(spansOf(sealed.leaves));
      const opened = await open(sealed, { leaves: { span }, range: { from, to } });
      expect(toHex(opened)).toBe(toHex(plaintext.subarray(from, to + 1)));
      expect(span.mock.calls.map(([index]) => index)).toEqual(spans);
    }
  });

  it("refuses a span that does not prove itself before it decrypts a chunk of it, and names it", async () => {
    const honest = spansOf(sealed.leaves);
    const forged = Uint8Array.from(sealed.leaves);
    forged[32 * 5000]! ^= 1;
    for (const span of [
      async (index: number) => honest(index === 1 ? 0 : index),
      spansOf(forged),
      async (index: number) => ({ ...(await honest(index)), proof: [] }),
    ]) {
      const run = open(sealed, { leaves: { span }, range: { from: 64 * 4990, to: 64 * 5001 } });
      await expect(run).rejects.toSatisfy(altered);
      await expect(run).rejects.toMatchObject({ data: { part: "leaf-hashes", span: 1 } });
    }
  });

  it("refuses an altered chunk in a range", async () => {
    const ciphertext = Uint8Array.from(sealed.ciphertext);
    ciphertext[80 * 5000 + 3]! ^= 1;
    const source = (offset: number, length: number): Uint8Array[] => [
      ciphertext.subarray(offset, offset + length),
    ];
    const changes = { leaves: { span: spansOf(sealed.leaves) }, source };
    const run = open(sealed, { ...changes, range: { from: 64 * 5000, to: 64 * 5000 } });
    await expect(run).rejects.toMatchObject({
      code: "object-altered",
      data: { chunk: 5000, offset: 400_000, reason: "altered" },
    });
    await open(sealed, { ...changes, range: { from: 64 * 4990, to: 64 * 5000 - 1 } });
  });
});
