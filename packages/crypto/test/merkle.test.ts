import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describeShared, sharedFiles, sharedJson } from "../../../test/shared-data.ts";
import { concat, toHex, u32, utf8 } from "../src/bytes.ts";
import { doubleSha256Tree, type MerkleTree, sha256Tree } from "../src/file/merkle.ts";
import { doubleSha256, sha256 } from "../src/hash.ts";

const bytes = (base64: string): Uint8Array => Uint8Array.from(Buffer.from(base64, "base64"));
const leavesOf = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => sha256Tree.leafHash(u32(i)));

/** MTH of RFC 6962 §2.1, written from its recursion and nothing else. */
function recursive(hash: (data: Uint8Array) => Uint8Array, data: readonly Uint8Array[]): Uint8Array {
  if (data.length === 0) return hash(new Uint8Array(0));
  if (data.length === 1) return hash(concat(Uint8Array.of(0), data[0]!));
  let k = 1;
  while (2 * k < data.length) k *= 2;
  return hash(concat(Uint8Array.of(1), recursive(hash, data.slice(0, k)), recursive(hash, data.slice(k))));
}

/** Bitcoin's tree, which pairs an odd node with itself: CVE-2012-2459. */
function bitcoinRoot(hashes: readonly Uint8Array[]): Uint8Array {
  if (hashes.length === 1) return hashes[0]!;
  const up: Uint8Array[] = [];
  for (let i = 0; i < hashes.length; i += 2) up.push(doubleSha256(hashes[i]!, hashes[i + 1] ?? hashes[i]!));
  return bitcoinRoot(up);
}

describe("the Merkle tree", () => {
  const trees: readonly (readonly [string, MerkleTree, (data: Uint8Array) => Uint8Array])[] = [
    ["SHA-256", sha256Tree, sha256],
    ["double SHA-256", doubleSha256Tree, doubleSha256],
  ];
  for (const [name, tree, hash] of trees) {
    it(`gives RFC 6962's root over ${name} for 0 to 70 leaves`, () => {
      for (let count = 0; count <= 70; count++) {
        const data = Array.from({ length: count }, (_, i) => u32(i));
        const leafHashes = data.map((item) => tree.leafHash(item));
        expect(toHex(tree.root(leafHashes))).toBe(toHex(recursive(hash, data)));
      }
    });

    it(`proves every leaf of every size over ${name}, and no leaf at another index, of another size`, () => {
      for (let size = 1; size <= 33; size++) {
        const leafHashes = Array.from({ length: size }, (_, i) => tree.leafHash(u32(i)));
        const root = tree.root(leafHashes);
        for (let index = 0; index < size; index++) {
          const proof = tree.inclusionProof(leafHashes, index);
          const claim = { leafHash: leafHashes[index]!, index, size, proof, root };
          expect(tree.verifyInclusion(claim)).toBe(true);
          for (let other = -1; other <= size; other++) {
            if (other !== index) expect(tree.verifyInclusion({ ...claim, index: other })).toBe(false);
          }
          expect(tree.verifyInclusion({ ...claim, size: 2 * size + 1 })).toBe(false);
          expect(tree.verifyInclusion({ ...claim, proof: [...proof, root] })).toBe(false);
          if (size > 1) expect(tree.verifyInclusion({ ...claim, proof: proof.slice(1) })).toBe(false);
        }
      }
    });

    it(`proves over ${name} that each prefix is one, and nothing else`, () => {
      for (let size2 = 1; size2 <= 24; size2++) {
        const leafHashes = Array.from({ length: size2 }, (_, i) => tree.leafHash(u32(i)));
        const root2 = tree.root(leafHashes);
        for (let size1 = 1; size1 <= size2; size1++) {
          const root1 = tree.root(leafHashes.slice(0, size1));
          const claim = { size1, size2, root1, root2, proof: tree.consistencyProof(leafHashes, size1) };
          expect(tree.verifyConsistency(claim)).toBe(true);
          const forged = tree.root([...leafHashes.slice(0, size1 - 1), tree.leafHash(utf8("forged"))]);
          expect(tree.verifyConsistency({ ...claim, root1: forged })).toBe(false);
          expect(tree.verifyConsistency({ ...claim, root2: forged })).toBe(false);
          expect(tree.verifyConsistency({ ...claim, proof: [...claim.proof, root1] })).toBe(false);
        }
      }
    });
  }

  it("has the published roots of zero and one empty leaf", () => {
    expect(toHex(sha256Tree.root([]))).toBe(
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    );
    expect(toHex(sha256Tree.leafHash(new Uint8Array(0)))).toBe(
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    );
    expect(toHex(doubleSha256Tree.root([]))).toBe(
      "5df6e0e2761359d30a8275058e299fcc0381534545f55cf43e41983f5d4c9456",
    );
  });

  it("gives its root at any moment while it grows", () => {
    const builder = sha256Tree.builder();
    const leafHashes = leavesOf(40);
    for (const [i, leafHash] of leafHashes.entries()) {
      builder.append(leafHash);
      expect(builder.size).toBe(i + 1);
      expect(toHex(builder.root())).toBe(toHex(sha256Tree.root(leafHashes.slice(0, i + 1))));
    }
  });

  it("has no two lists with one root where Bitcoin's rule has them (CVE-2012-2459)", () => {
    const three = leavesOf(3);
    const four = [...three, three[2]!];
    expect(toHex(bitcoinRoot(three))).toBe(toHex(bitcoinRoot(four)));
    expect(toHex(doubleSha256Tree.root(three))).not.toBe(toHex(doubleSha256Tree.root(four)));
  });

  it("takes no inner node for a leaf, which a tree without prefixes does", () => {
    const four = leavesOf(4);
    const left = sha256Tree.root(four.slice(0, 2));
    const right = sha256Tree.root(four.slice(2));
    const bare = (a: Uint8Array, b: Uint8Array): Uint8Array => sha256(a, b);
    const bareNode = concat(bare(four[0]!, four[1]!), bare(four[2]!, four[3]!));
    expect(toHex(sha256(bareNode))).toBe(toHex(bare(bare(four[0]!, four[1]!), bare(four[2]!, four[3]!))));
    expect(toHex(sha256Tree.leafHash(concat(left, right)))).not.toBe(toHex(sha256Tree.root(four)));
  });

  it("refuses a path longer than the size allows, and a tree of no leaves as a prefix", () => {
    const two = leavesOf(2);
    const root = sha256Tree.root(two);
    const long = { leafHash: two[1]!, index: 0, size: 1, proof: [two[0]!], root };
    expect(sha256Tree.verifyInclusion(long)).toBe(false);
    const none = { size1: 0, size2: 1, root1: root, root2: root, proof: [root] };
    expect(sha256Tree.verifyConsistency(none)).toBe(false);
  });

  it("refuses proofs whose nodes are not 32 bytes, whatever they are", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 70 }), { maxLength: 6 }), fc.nat(9), (proof, index) => {
        const root = sha256Tree.root(leavesOf(9));
        const claim = { leafHash: leavesOf(1)[0]!, index, size: 9, proof, root };
        expect(sha256Tree.verifyInclusion(claim)).toBe(false);
        const consistency = { size1: index, size2: 9, root1: root, root2: root, proof };
        expect(sha256Tree.verifyConsistency(consistency)).toBe(index === 9 && proof.length === 0);
      }),
    );
  });
});

interface Published {
  readonly leafIdx: number;
  readonly treeSize: number;
  readonly root: string;
  readonly leafHash: string;
  readonly size1: number;
  readonly size2: number;
  readonly root1: string;
  readonly root2: string;
  readonly proof: readonly string[] | null;
  readonly wantErr: boolean;
}

describeShared("the published RFC 6962 vectors", () => {
  const folder = ["vectors", "merkle-rfc6962"];
  const all = (kind: string): [string, Published][] =>
    sharedFiles(...folder, kind).flatMap((part) =>
      sharedFiles(...folder, kind, part).map((file): [string, Published] => [
        `${part}/${file}`,
        sharedJson(...folder, kind, part, file) as Published,
      ]),
    );

  it("of inclusion are answered as published", () => {
    const cases = all("inclusion");
    expect(cases.length).toBeGreaterThan(50);
    for (const [name, vector] of cases) {
      const claim = {
        leafHash: bytes(vector.leafHash ?? ""),
        index: vector.leafIdx,
        size: vector.treeSize,
        proof: (vector.proof ?? []).map(bytes),
        root: bytes(vector.root ?? ""),
      };
      expect([name, sha256Tree.verifyInclusion(claim)]).toEqual([name, !vector.wantErr]);
    }
  });

  it("of consistency are answered as published", () => {
    const cases = all("consistency");
    expect(cases.length).toBeGreaterThan(40);
    for (const [name, vector] of cases) {
      const claim = {
        size1: vector.size1,
        size2: vector.size2,
        root1: bytes(vector.root1 ?? ""),
        root2: bytes(vector.root2 ?? ""),
        proof: (vector.proof ?? []).map(bytes),
      };
      expect([name, sha256Tree.verifyConsistency(claim)]).toEqual([name, !vector.wantErr]);
    }
  });
});
