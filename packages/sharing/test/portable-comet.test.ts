/**
 * Evidence under CometBFT's commits, offline: from a genesis or a trusted set of validators to a block that others signed,
 * and what must not carry trust. The validators change twice, all of them in the end.
 */
import { toHex } from "@chartseal/crypto";
import {
  type BlockHeader,
  type CometCommit,
  chainIdOf,
  cometChainId,
  commitJson,
  defaultParameters,
  encodeGenesis,
  encodeHeader,
  hashHeader,
  type Ledger,
  signBlock,
} from "@chartseal/ledger";
import { describe, expect, test } from "vitest";
import { type CometKey, cometKey, lightBlock, type Wanted } from "../../ledger/test/comet-fixture.ts";
import { bridgeCommits } from "../src/portable/bridge-commits.ts";
import { type CommittedHeader, type Evidence, evidenceFaults } from "../src/portable/evidence.ts";
import { evidenceJson, parseEvidence } from "../src/portable/evidence-json.ts";
import { decodeReceipt, encodeReceipt } from "../src/portable/receipt.ts";

const [a, b, c, d, e, f, g, h] = [..."abcdefgh"].map((label) => cometKey(label)) as [
  CometKey,
  CometKey,
  CometKey,
  CometKey,
  CometKey,
  CometKey,
  CometKey,
  CometKey,
];
const first = [a, b, c, d];
const second = [c, d, e, f];
const third = [e, f, g, h];
const genesis = encodeGenesis({
  name: "consortium",
  createdMs: 1_700_000_000_000,
  parameters: defaultParameters,
  validators: first.map(({ publicKey, power }) => ({ publicKey, stake: power })),
  providers: [a.publicKey],
  nodes: [b.publicKey],
  threshold: 1,
});
const chainId = chainIdOf(genesis);
const startSeconds = 1_700_000_000;
const daySeconds = 86_400;

function headerOf(height: number, changes: Partial<BlockHeader> = {}): BlockHeader {
  return {
    version: 1,
    height,
    previousHash: new Uint8Array(32),
    merkleRoot: new Uint8Array(32),
    stateRoot: new Uint8Array(32),
    timestampMs: 1000 * (startSeconds + height),
    size: 0,
    transactionCount: 0,
    proposer: a.publicKey,
    ...changes,
  };
}

/** Our block of that height; a day passes from one to the next, and CometBFT makes ten blocks meanwhile. */
function committed(
  height: number,
  validators: readonly CometKey[],
  changes: Partial<Wanted> = {},
  header = headerOf(height),
): CommittedHeader & { commit: CometCommit } {
  const commit = lightBlock({
    chainId: cometChainId(toHex(chainId)),
    height: 10 * height,
    seconds: startSeconds + height * daySeconds,
    validators,
    appHash: hashHeader(header),
    ...changes,
  });
  return { header: encodeHeader(header), commit };
}

/** Blocks 1 … 9: the set changes after the third and after the sixth. */
const chain = Array.from({ length: 9 }, (_, index) => {
  const height = index + 1;
  const setAt = (one: number) => (one <= 3 ? first : one <= 6 ? second : third);
  return committed(height, setAt(height), { next: setAt(height + 1) });
});
const at = (height: number) => chain[height - 1]!;
const evidence = (...blocks: readonly CommittedHeader[]): Evidence => ({
  blocks,
  transactions: [],
  states: [],
});
const faults = (blocks: readonly CommittedHeader[], trust = {}) =>
  evidenceFaults(evidence(...blocks), genesis, trust).map(({ kind, height }) => `${kind} ${height}`);
const ms = (height: number) => 1000 * (startSeconds + height * daySeconds);

describe("from the genesis", () => {
  test("a block of its own validators holds, and a later one by a set that kept two of four", () => {
    expect(faults([at(2)])).toEqual([]);
    expect(faults([at(5)])).toEqual([]);
  });

  test("a block of others alone does not, and holds with one in between", () => {
    expect(faults([at(9)])).toEqual(["commit 9"]);
    expect(faults([at(9), at(5)])).toEqual([]);
    expect(faults([at(3), at(9)])).toEqual(["commit 9"]);
  });

  test("what a ledger proves brings the blocks in between along", async () => {
    const ledger = {
      chainId,
      genesis,
      block: async (height: number) => {
        const header = headerOf(height);
        return { header, hash: hashHeader(header), transactions: [], commit: at(height).commit };
      },
    } as unknown as Ledger;
    const between = await bridgeCommits(ledger, [at(9)]);
    const blocks = between.map(({ header, commit }) => ({ header: encodeHeader(header), commit }));
    expect(blocks.length).toBeGreaterThan(0);
    expect(faults([at(9), ...blocks])).toEqual([]);
    expect(await bridgeCommits(ledger, [at(2)])).toEqual([]);
  });

  test("a forged commit does not: by strangers, by two of four, for another chain, over another header", () => {
    const strangers = ["w", "x", "y", "z"].map((label) => cometKey(label));
    expect(faults([committed(2, strangers)])).toEqual(["commit 2"]);
    expect(faults([committed(2, first, { signers: [a, b] })])).toEqual(["commit 2"]);
    expect(faults([committed(2, first, { chainId: "cs-other" })])).toEqual(["commit 2"]);
    expect(faults([{ ...at(2), header: encodeHeader(headerOf(2, { size: 1 })) }])).toEqual(["commit 2"]);
  });

  // The genesis says nothing of the engine, so that a signature as the embedded engine makes it is tried too.
  test("one validator's own signature is no commit", () => {
    const header = headerOf(2);
    const signature = signBlock(chainId, 2, hashHeader(header), a.seed);
    const forged = { header: encodeHeader(header), commit: [{ publicKey: a.publicKey, signature }] };
    expect(faults([forged])).toEqual(["commit 2"]);
  });

  test("two commits of one height name all who signed both", () => {
    const other = committed(2, first, { signers: [b, c, d] }, headerOf(2, { size: 1 }));
    const [fault, ...rest] = evidenceFaults(evidence(at(2), other), genesis);
    expect(rest).toEqual([]);
    expect(fault).toMatchObject({ kind: "two-commits", height: 2 });
    expect([...fault!.publicKeys!].sort()).toEqual([b, c, d].map((one) => toHex(one.publicKey)).sort());
  });
});

describe("trust", () => {
  test("expires: what is older than the trust period carries none", () => {
    const periodMs = 5 * daySeconds * 1000;
    expect(faults([at(3)], { nowMs: ms(4), trustPeriodMs: periodMs })).toEqual([]);
    expect(faults([at(3)], { nowMs: ms(6), trustPeriodMs: periodMs })).toEqual(["commit 3"]);
    expect(faults([at(3)], { nowMs: ms(6) })).toEqual([]);
  });

  test("takes no header from the future", () => {
    expect(faults([at(3)], { nowMs: ms(3) - 60_000 })).toEqual(["commit 3"]);
  });

  test("starts at a set of validators that the checker knows, and at no other", () => {
    const { validatorsHash } = at(5).commit.signedHeader.header;
    expect(faults([at(9)], { validatorsHash })).toEqual(["commit 9"]);
    expect(faults([at(5), at(9)], { validatorsHash })).toEqual([]);
    expect(faults([at(2), at(5)], { validatorsHash })).toEqual(["commit 2"]);
    const periodMs = 3 * daySeconds * 1000;
    const old = { validatorsHash, trustPeriodMs: periodMs, nowMs: ms(9) };
    expect(faults([at(5)], old)).toEqual(["commit 5"]);
    expect(faults([at(5)], { ...old, nowMs: ms(7) })).toEqual([]);
  });
});

test("evidence comes back from JSON and from a portable receipt as it was", () => {
  const whole = evidence(at(2), at(5));
  expect(parseEvidence(JSON.parse(JSON.stringify(evidenceJson(whole))))).toEqual(whole);
  const receipt = { chainId, recordId: chainId, evidence: whole };
  expect(decodeReceipt(encodeReceipt(receipt))).toEqual(receipt);
  const json = JSON.stringify(commitJson(at(2).commit));
  // Every byte string is lower-case hex (CONTRACT, Blocks).
  expect(json).not.toMatch(/"[0-9A-F]{40,}"|[A-Za-z0-9+/]{20,}={1,2}"/);
});
