/**
 * Evidence against a genesis: blocks made by hand with a validator's key, and the attacks that CRYPTO §5 speaks of. Each
 * would pass a check that left out what the test's name says.
 */
import { ed25519KeyPairFromSeed, sha256, utf8 } from "@chartseal/crypto";
import {
  type BlockHeader,
  chainIdOf,
  defaultParameters,
  encodeGenesis,
  encodeHeader,
  hashHeader,
  proveTransaction,
  signBlock,
  transactionRoot,
} from "@chartseal/ledger";
import { describe, expect, test } from "vitest";
import { type Evidence, evidenceFaults } from "../src/portable/evidence.ts";

const keyOf = (name: string) => ed25519KeyPairFromSeed(sha256(utf8(name)));
const validator = keyOf("validator");
const stranger = keyOf("stranger");

function genesisFor(name: string): Uint8Array {
  return encodeGenesis({
    name,
    createdMs: 1,
    parameters: defaultParameters,
    validators: [{ publicKey: validator.publicKey, stake: 1 }],
    providers: [keyOf("provider").publicKey],
    nodes: [keyOf("node").publicKey],
    threshold: 1,
  });
}

const genesis = genesisFor("tests");
const chainId = chainIdOf(genesis);
const transactions = [Uint8Array.of(0x81, 1), Uint8Array.of(0x81, 2), Uint8Array.of(0x81, 3)];

function headerOf(height: number, changes: Partial<BlockHeader> = {}): BlockHeader {
  return {
    version: 1,
    height,
    previousHash: new Uint8Array(32),
    merkleRoot: transactionRoot(transactions),
    stateRoot: new Uint8Array(32),
    timestampMs: 1000 + height,
    size: 6,
    transactionCount: 3,
    proposer: validator.publicKey,
    ...changes,
  };
}

function committed(header: BlockHeader, signer = validator, chain = chainId): Evidence["blocks"][number] {
  const signature = signBlock(chain, header.height, hashHeader(header), signer.seed);
  return { header: encodeHeader(header), commit: [{ publicKey: signer.publicKey, signature }] };
}

const proved = (index: number, height = 7): Evidence["transactions"][number] => ({
  bytes: transactions[index]!,
  height,
  index,
  proof: proveTransaction(transactions, index),
});

const evidence = (parts: Partial<Evidence>): Evidence => ({
  blocks: [],
  transactions: [],
  states: [],
  ...parts,
});
const kinds = (parts: Partial<Evidence>): string[] =>
  evidenceFaults(evidence(parts), genesis).map(({ kind }) => kind);

describe("evidence", () => {
  test("of a committed block and its transactions holds", () => {
    expect(
      kinds({ blocks: [committed(headerOf(7))], transactions: [proved(0), proved(1), proved(2)] }),
    ).toEqual([]);
  });

  test("whose commit is by nobody of the genesis does not hold, however well signed", () => {
    const foreign = committed(headerOf(7, { proposer: stranger.publicKey }), stranger);
    expect(kinds({ blocks: [foreign] })).toEqual(["commit"]);
    expect(kinds({ blocks: [committed(headerOf(7), stranger)] })).toEqual(["commit"]);
  });

  test("signed for another chain by the same validator does not hold", () => {
    const other = chainIdOf(genesisFor("another"));
    expect(kinds({ blocks: [committed(headerOf(7), validator, other)] })).toEqual(["commit"]);
    expect(
      evidenceFaults(evidence({ blocks: [committed(headerOf(7))] }), genesisFor("another")),
    ).toMatchObject([{ kind: "commit", height: 7 }]);
  });

  test("of two headers of one height is proof against their signer", () => {
    const blocks = [committed(headerOf(7)), committed(headerOf(7, { timestampMs: 5000 }))];
    expect(evidenceFaults(evidence({ blocks }), genesis)).toMatchObject([
      { kind: "two-commits", height: 7, detail: expect.stringContaining("proof against it") },
    ]);
    expect(kinds({ blocks: [blocks[0]!, blocks[0]!] })).toEqual([]);
  });

  test("of neighbours that do not link, or of time that goes back, does not hold", () => {
    const first = headerOf(7);
    const linked = headerOf(8, { previousHash: hashHeader(first) });
    expect(kinds({ blocks: [committed(first), committed(linked)] })).toEqual([]);
    expect(kinds({ blocks: [committed(first), committed(headerOf(8))] })).toEqual(["block"]);
    expect(kinds({ blocks: [committed(first), committed(headerOf(9, { timestampMs: 1 }))] })).toEqual([
      "block",
    ]);
  });

  test("of a transaction at another place, of another block or of none does not hold", () => {
    const blocks = [committed(headerOf(7))];
    expect(kinds({ blocks, transactions: [{ ...proved(1), index: 2 }] })).toEqual(["transaction"]);
    expect(kinds({ blocks, transactions: [{ ...proved(1), bytes: Uint8Array.of(0x81, 9) }] })).toEqual([
      "transaction",
    ]);
    expect(kinds({ blocks, transactions: [proved(1, 8)] })).toEqual(["transaction"]);
    expect(
      kinds({ blocks: [committed(headerOf(7, { transactionCount: 2 }))], transactions: [proved(2)] }),
    ).toEqual(["transaction"]);
  });

  test("of a value without a proof, or under another block's root, does not hold", () => {
    const state = {
      kind: 22,
      key: new Uint8Array(32),
      height: 7,
      value: Uint8Array.of(1),
      proof: Uint8Array.of(0x80),
    };
    expect(kinds({ blocks: [committed(headerOf(7))], states: [state] })).toEqual(["state"]);
    expect(kinds({ states: [state] })).toEqual(["state"]);
  });

  test("of malformed headers, or against a malformed genesis, is a finding and no crash", () => {
    expect(kinds({ blocks: [{ header: new Uint8Array(3), commit: [] }] })).toEqual(["block"]);
    expect(evidenceFaults(evidence({}), Uint8Array.of(1, 2, 3))).toMatchObject([{ kind: "genesis" }]);
  });
});
