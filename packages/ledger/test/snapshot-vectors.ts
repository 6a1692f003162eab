/** The published vectors of what nodes of a consortium send each other: a snapshot, and an attestation (spec/6-ledger.md). */
import { ed25519KeyPairFromSeed, encode, fromHex, sha256, toHex, utf8 } from "@chartseal/crypto";
import { signAdmission } from "../src/authorisation.ts";
import { type BlockHeader, encodeHeader, hashHeader } from "../src/block.ts";
import { encodeAttestation } from "../src/comet/attestations.ts";
import { encodeBlockRecord, encodeMetadata, framedRecord } from "../src/comet/snapshot-format.ts";
import { transactionRoot } from "../src/merkle.ts";
import { emptyRoot, encodeNode, MemoryNodes, updateState, walkState } from "../src/state-tree.ts";
import { encodeBody } from "../src/transaction.ts";

const chainIdHex = "c5".repeat(32);
const chunkBytes = 1_024;

/** The whole file, hex for bytes. */
export function snapshotVectors(): Record<string, unknown> {
  const entries = Array.from({ length: 12 }, (_, i) => ({
    kind: i % 3,
    key: utf8(`key ${i}`),
    value: new Uint8Array(100 + i).fill(i),
  }));
  const nodes = new MemoryNodes();
  const { root, added } = updateState(nodes, emptyRoot, entries);
  nodes.add(added);
  const transactions = [encode([1, "one"]), encode([2, "two"])];
  const header: BlockHeader = {
    version: 1,
    height: 1_000,
    previousHash: sha256(utf8("block 999")),
    merkleRoot: transactionRoot(transactions),
    stateRoot: root,
    timestampMs: 1_700_000_000_000,
    size: transactions.reduce((sum, { length }) => sum + length, 0),
    transactionCount: transactions.length,
    proposer: ed25519KeyPairFromSeed(sha256(utf8("validator"))).publicKey,
  };
  const leaves = [...walkState(nodes, root)].map((leaf) => encodeNode(leaf));
  const records = [encodeBlockRecord({ header, transactions }), ...leaves].map(framedRecord);
  const stream = new Uint8Array(Buffer.concat(records));
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < stream.length; at += chunkBytes) chunks.push(stream.subarray(at, at + chunkBytes));
  const metadata = encodeMetadata({
    chainId: fromHex(chainIdHex),
    height: header.height,
    blockHash: hashHeader(header),
    cometHeight: 2_345,
    chunkBytes,
    streamBytes: stream.length,
    leafCount: leaves.length,
    chunks: chunks.map((chunk) => sha256(chunk)),
  });
  return {
    about: "Recipe: spec/6-ledger.md, Snapshots and Attestations. Byte strings are lower-case hex.",
    chainId: chainIdHex,
    entries: entries.map(({ kind, key, value }) => [kind, toHex(key), toHex(value)]),
    header: toHex(encodeHeader(header)),
    stream: toHex(stream),
    metadata: toHex(metadata),
    hash: toHex(sha256(metadata)),
    attestation: attestation(),
  };
}

function attestation(): Record<string, string> {
  const seed = sha256(utf8("validator"));
  const validator = ed25519KeyPairFromSeed(sha256(utf8("absent"))).publicKey;
  const body = encodeBody({
    chainId: fromHex(chainIdHex),
    era: 0,
    lastValidMs: 1_700_003_600_000,
    head: { height: 9, hash: sha256(utf8("block 9")) },
    action: { kind: "jail-absent", validator, fromHeight: 1_001, toHeight: 2_000, missed: 600 },
  });
  const message = encodeAttestation({ body, admission: signAdmission(seed, body) });
  return { seed: toHex(seed), body: toHex(body), message: toHex(message) };
}
