/** Blocks, transaction trees and the state tree against vectors made by another program; attacks on trees and commits. */
import { readFileSync } from "node:fs";
import {
  concat,
  doubleSha256,
  ed25519KeyPairFromSeed,
  fixed,
  fromHex,
  hash,
  sha256,
  toHex,
  u32,
} from "@chartseal/crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describeShared, sharedBytes } from "../../../test/shared-data.ts";
import type { EmbeddedCommit } from "../src/commit.ts";
import {
  type Block,
  type BlockHeader,
  blockFaults,
  checkBlock,
  decodeHeader,
  encodeHeader,
  type Head,
  hashHeader,
  isEquivocation,
  parseExportLine,
  proveTransaction,
  signBlock,
  transactionRoot,
  verifyStateProof,
  verifyTransactionProof,
} from "../src/index.ts";
import { proveState } from "../src/state-proof.ts";
import { emptyRoot, MemoryNodes, statePath, updateState } from "../src/state-tree.ts";

interface Vectors {
  genesis: string;
  chainId: string;
  proposerSeed: string;
  proposer: string;
  transactionTrees: { count: number; root: string; index: number; proof: string[] }[];
  blocks: { height: number; timestampMs: number; stateRoot: string; header: string; hash: string }[];
  states: {
    count: number;
    root: string;
    proofs: { kind: number; key: string; path: string; value: string | null; proof: string }[];
  }[];
}

const file = new URL("../../../spec/vectors/ledger-blocks.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as Vectors;
const bytes = (text: string) => new TextEncoder().encode(text);
const chainId = fromHex(vectors.chainId);
const seed = fromHex(vectors.proposerSeed);

/** Transaction i of the vectors: 0x82 and one to three times a hash. */
function vectorTransaction(i: number): Uint8Array {
  const part = sha256(bytes("vector transaction"), u32(i));
  return concat(Uint8Array.of(0x82), ...Array.from({ length: 1 + (i % 3) }, () => part));
}

function vectorEntry(i: number) {
  const value = concat(...Array.from({ length: i % 4 }, () => bytes("vector value")));
  return { kind: 1 + (i % 3), key: concat(bytes("vector key"), u32(i)), value };
}

const upTo = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

const embedded = ({ commit }: Block) => commit as EmbeddedCommit;

describe("the published vectors of blocks", () => {
  it("have our chain id, headers, hashes and commits, from their fields alone", () => {
    expect(toHex(hash("ledger/genesis", fixed(fromHex(vectors.genesis))))).toBe(vectors.chainId);
    let previous: Head = { height: 0, hash: new Uint8Array(32), stateRoot: emptyRoot, timestampMs: 0 };
    for (const line of vectors.blocks) {
      const block = parseExportLine(line);
      const header: BlockHeader = {
        version: 1,
        height: line.height,
        previousHash: previous.hash,
        merkleRoot: transactionRoot(block.transactions),
        stateRoot: fromHex(line.stateRoot),
        timestampMs: line.timestampMs,
        size: block.transactions.reduce((sum, { length }) => sum + length, 0),
        transactionCount: block.transactions.length,
        proposer: fromHex(vectors.proposer),
      };
      expect(toHex(encodeHeader(header))).toBe(line.header);
      expect(decodeHeader(fromHex(line.header))).toEqual(header);
      expect(toHex(hashHeader(header))).toBe(line.hash);
      expect(blockFaults(block, chainId, previous)).toEqual([]);
      const signature = signBlock(chainId, line.height, block.hash, seed);
      expect(block.commit).toEqual([{ publicKey: header.proposer, signature }]);
      previous = { ...header, hash: block.hash };
    }
  });

  it("have our transaction trees and proofs", () => {
    for (const { count, root, index, proof } of vectors.transactionTrees) {
      const transactions = upTo(count, vectorTransaction);
      expect(toHex(transactionRoot(transactions))).toBe(root);
      if (count === 0) expect(root).toBe(toHex(doubleSha256()));
      else expect(proveTransaction(transactions, index).map(toHex)).toEqual(proof);
    }
  });

  it("have our state roots and proofs", () => {
    for (const { count, root, proofs } of vectors.states) {
      const nodes = new MemoryNodes();
      const update = updateState(nodes, emptyRoot, upTo(count, vectorEntry));
      nodes.add(update.added);
      expect(toHex(update.root)).toBe(root);
      for (const { kind, key, path, value, proof } of proofs) {
        expect(toHex(statePath(kind, fromHex(key)))).toBe(path);
        const proved = proveState(nodes, update.root, kind, fromHex(key));
        expect([proved.value && toHex(proved.value), toHex(proved.proof)]).toEqual([value, proof]);
        expect(verifyStateProof(fromHex(root), kind, fromHex(key), proved.value, fromHex(proof))).toBe(true);
      }
    }
  });
});

describeShared("Bitcoin's headers", () => {
  it("hash by the same double SHA-256: each names the one before", () => {
    const lines = new TextDecoder().decode(
      sharedBytes("vectors", "bitcoin", "blockheaders-mainnet-1-11.txt"),
    );
    const headers = lines
      .trim()
      .split("\n")
      .map((line) => fromHex(line.trim()));
    expect(headers).toHaveLength(11);
    for (let i = 1; i < headers.length; i++) {
      expect(headers[i]!.slice(4, 36)).toEqual(doubleSha256(headers[i - 1]!));
    }
  });
});

describe("the transaction tree", () => {
  it("proves every place of every list, and no other place, count or transaction", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.nat(), fc.nat(), (count, at, other) => {
        const transactions = upTo(count, vectorTransaction);
        const index = at % count;
        const proof = proveTransaction(transactions, index);
        const claim = {
          root: transactionRoot(transactions),
          count,
          index,
          proof,
          transaction: transactions[index]!,
        };
        expect(verifyTransactionProof(claim)).toBe(true);
        const elsewhere = other % count;
        if (elsewhere !== index) {
          expect(verifyTransactionProof({ ...claim, index: elsewhere })).toBe(false);
          expect(verifyTransactionProof({ ...claim, transaction: transactions[elsewhere]! })).toBe(false);
        }
        expect(verifyTransactionProof({ ...claim, index: count })).toBe(false);
        expect(verifyTransactionProof({ ...claim, proof: [...proof, emptyRoot] })).toBe(false);
        expect(verifyTransactionProof({ ...claim, proof: proof.slice(1) })).toBe(count === 1);
      }),
      { numRuns: 200 },
    );
    expect(() => proveTransaction([], 0)).toThrow(expect.objectContaining({ code: "input-invalid" }));
  });

  it("gives no two lists one root, as Bitcoin's rule does (CVE-2012-2459)", () => {
    const [a, b, c] = upTo(3, vectorTransaction) as [Uint8Array, Uint8Array, Uint8Array];
    expect(toHex(bitcoinRoot([a, b, c]))).toBe(toHex(bitcoinRoot([a, b, c, c])));
    expect(toHex(transactionRoot([a, b, c]))).not.toBe(toHex(transactionRoot([a, b, c, c])));
  });

  it("takes no inner node for a transaction, which it would without the prefixes", () => {
    const transactions = upTo(4, vectorTransaction);
    const bare = transactions.map((transaction) => doubleSha256(transaction));
    const forged = concat(bare[0]!, bare[1]!);
    const weakRoot = doubleSha256(doubleSha256(forged), doubleSha256(bare[2]!, bare[3]!));
    expect(toHex(weakRoot)).toBe(toHex(bitcoinRoot(transactions)));
    const leaves = transactions.map((transaction) => doubleSha256(Uint8Array.of(0), transaction));
    const fake = concat(leaves[0]!, leaves[1]!);
    const sibling = doubleSha256(Uint8Array.of(1), leaves[2]!, leaves[3]!);
    const claim = {
      root: transactionRoot(transactions),
      count: 2,
      index: 0,
      transaction: fake,
      proof: [sibling],
    };
    expect(verifyTransactionProof(claim)).toBe(false);
  });
});

/** Bitcoin's tree: no prefixes, and the last of an odd number is paired with itself. */
function bitcoinRoot(transactions: readonly Uint8Array[]): Uint8Array {
  let level = transactions.map((transaction) => doubleSha256(transaction));
  while (level.length > 1) {
    const pairs = Math.ceil(level.length / 2);
    level = upTo(pairs, (i) => doubleSha256(level[2 * i]!, level[2 * i + 1] ?? level[2 * i]!));
  }
  return level[0]!;
}

describe("a block", () => {
  const block = parseExportLine(vectors.blocks[2]);
  const previous = { ...parseExportLine(vectors.blocks[1]).header, hash: fromHex(vectors.blocks[1]!.hash) };
  const fieldsOf = (altered: Block) => blockFaults(altered, chainId, previous).map(({ field }) => field);

  it("shows which field was altered, even where the forger makes the hash fit again", () => {
    const alter = (change: Partial<BlockHeader>): Block => {
      const header = { ...block.header, ...change };
      return { ...block, header, hash: hashHeader(header) };
    };
    const other = sha256(bytes("other"));
    expect(fieldsOf(alter({ version: 2 }))).toEqual(["version", "commit"]);
    expect(fieldsOf(alter({ merkleRoot: other }))).toEqual(["merkleRoot", "commit"]);
    expect(fieldsOf(alter({ transactionCount: 4 }))).toEqual(["transactionCount", "commit"]);
    expect(fieldsOf(alter({ size: block.header.size + 1 }))).toEqual(["size", "commit"]);
    expect(fieldsOf(alter({ height: 4 }))).toEqual(["commit", "height"]);
    expect(fieldsOf(alter({ previousHash: other }))).toEqual(["commit", "previousHash"]);
    expect(fieldsOf(alter({ timestampMs: previous.timestampMs - 1 }))).toEqual(["commit", "timestampMs"]);
    expect(fieldsOf({ ...block, header: { ...block.header, stateRoot: other } })).toEqual(["hash"]);
    expect(fieldsOf({ ...block, transactions: block.transactions.slice(1) })).toEqual([
      "merkleRoot",
      "transactionCount",
      "size",
    ]);
    expect(fieldsOf({ ...block, transactions: [...block.transactions].reverse() })).toEqual(["merkleRoot"]);
    expect(() => checkBlock(alter({ height: 4 }), chainId)).toThrow(
      expect.objectContaining({ code: "chain-altered", data: { height: 4, field: "commit" } }),
    );
    expect(fieldsOf(block)).toEqual([]);
  });

  it("counts only with one signature by its own proposer, for its chain, height and hash", () => {
    const mallory = ed25519KeyPairFromSeed(new Uint8Array(32).fill(66));
    const { height } = block.header;
    const commit = (publicKey: Uint8Array, signature: Uint8Array) =>
      fieldsOf({ ...block, commit: [{ publicKey, signature }] });
    const { proposer } = block.header;
    expect(commit(proposer, signBlock(chainId, height, block.hash, seed))).toEqual([]);
    expect(commit(proposer, signBlock(sha256(chainId), height, block.hash, seed))).toEqual(["commit"]);
    expect(commit(proposer, signBlock(chainId, height + 1, block.hash, seed))).toEqual(["commit"]);
    expect(commit(proposer, signBlock(chainId, height, sha256(block.hash), seed))).toEqual(["commit"]);
    expect(commit(mallory.publicKey, signBlock(chainId, height, block.hash, mallory.seed))).toEqual([
      "commit",
    ]);
    expect(fieldsOf({ ...block, commit: [] })).toEqual(["commit"]);
    expect(fieldsOf({ ...block, commit: [...embedded(block), ...embedded(block)] })).toEqual(["commit"]);
  });

  it("proves with a second one of its height that its proposer wrote two histories", () => {
    const sign = (header: BlockHeader, by = seed): Block => {
      const signature = signBlock(chainId, header.height, hashHeader(header), by);
      return {
        ...block,
        header,
        hash: hashHeader(header),
        commit: [{ publicKey: header.proposer, signature }],
      };
    };
    const later = { ...block.header, timestampMs: block.header.timestampMs + 1 };
    expect(isEquivocation(block, sign(later), chainId)).toBe(true);
    expect(isEquivocation(block, block, chainId)).toBe(false);
    expect(isEquivocation(block, sign({ ...later, height: later.height + 1 }), chainId)).toBe(false);
    expect(isEquivocation(block, sign(later, sha256(seed)), chainId)).toBe(false);
    expect(isEquivocation(block, { ...sign(later), header: block.header }, chainId)).toBe(false);
    expect(isEquivocation(block, sign(later), sha256(chainId))).toBe(false);
    const other = ed25519KeyPairFromSeed(sha256(seed));
    expect(isEquivocation(block, sign({ ...later, proposer: other.publicKey }, other.seed), chainId)).toBe(
      false,
    );
  });

  it("has a header of 156 bytes and nothing else", () => {
    for (const size of [0, 155, 157]) {
      expect(() => decodeHeader(new Uint8Array(size))).toThrow(
        expect.objectContaining({ code: "encoding-invalid" }),
      );
    }
    const huge = encodeHeader(block.header);
    huge[4] = 0xff;
    expect(() => decodeHeader(huge)).toThrow(expect.objectContaining({ code: "encoding-invalid" }));
  });
});
