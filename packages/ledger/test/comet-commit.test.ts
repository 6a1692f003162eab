/**
 * Blocks under CometBFT's commits (CONTRACT, Blocks), checked as a stranger does: from the genesis and an export. Four
 * validators, of whom one forges.
 */
import { loadPairing, sha256, toHex, utf8 } from "@chartseal/crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { type Block, encodeHeader, hashHeader, headOf, isEquivocation, signBlock } from "../src/block.ts";
import { exportLine, verifyChain } from "../src/chain-check.ts";
import {
  type Commit,
  commitsAlone,
  decodeCommit,
  encodeCommit,
  isCometCommit,
  signersOfBoth,
  validatorSetHash,
} from "../src/commit.ts";
import { ledgerRules } from "../src/ledger-rules.ts";
import { cometChainId, type LightBlock } from "../src/light/types.ts";
import { executeBlock, genesisHead, type Rules } from "../src/machine.ts";
import { MemoryNodes } from "../src/state-tree.ts";
import { type CometKey, cometKey, lightBlock, type Wanted } from "./comet-fixture.ts";
import { startMs } from "./world.ts";
import { genesisBytes } from "./world-build.ts";

const keys = ["a", "b", "c", "d"].map((label) => cometKey(label, 10));
const strangers = ["e", "f", "g", "h"].map((label) => cometKey(label, 10));
const genesis = genesisBytes({
  validators: keys.map(({ publicKey, power }) => ({ publicKey, stake: power })),
});
const at = (height: number): number => Math.floor(startMs / 1000) + height;

let rules: Rules;
let blocks: Block[];
beforeAll(async () => {
  rules = ledgerRules(await loadPairing(), genesis);
  blocks = chainOf(3);
});

function commitFor(hash: Uint8Array, height: number, changes: Partial<Wanted> = {}): LightBlock {
  const chainId = cometChainId(toHex(rules.chainId));
  return lightBlock({ chainId, height, validators: keys, appHash: hash, seconds: at(height), ...changes });
}

/** Blocks that hold no transaction: what stands in them is not what this is about. Made at CometBFT's heights 3, 6, 9 … */
function chainOf(count: number): Block[] {
  const nodes = new MemoryNodes();
  const { head, update } = genesisHead(rules);
  nodes.add(update.added);
  let previous = head;
  return Array.from({ length: count }, (_, index) => {
    const proposer = keys[index % 4]!.publicKey;
    const timestampMs = startMs + index;
    const made = executeBlock({ nodes, previous, rules, timestampMs, proposer, transactions: [] });
    nodes.add(made.update.added);
    previous = headOf(made);
    return { ...made, commit: commitFor(made.hash, 3 * index + 4) };
  });
}

async function findings(changed: readonly Block[]): Promise<string[]> {
  const lines = changed.map((block) => JSON.parse(JSON.stringify(exportLine(block))));
  const report = await verifyChain({ rules, lines });
  return report.findings.map(({ height, field }) => `${height} ${field}`);
}

const withCommit = (index: number, commit: Commit): Block[] =>
  blocks.map((block, one) => (one === index ? { ...block, commit } : block));

describe("an export under CometBFT's commits", () => {
  test("holds, and its commits come back from a store as they were", async () => {
    expect(await findings(blocks)).toEqual([]);
    for (const { commit } of blocks) expect(decodeCommit(encodeCommit(commit))).toEqual(commit);
  });

  test("does not hold where the commit is for another block", async () => {
    expect(await findings(withCommit(1, blocks[0]!.commit))).toEqual(["2 commit"]);
  });

  test("does not hold under another chain's commit, by the same validators over the same hash", async () => {
    const other = commitFor(blocks[1]!.hash, 7, { chainId: cometChainId("00".repeat(32)) });
    expect(await findings(withCommit(1, other))).toEqual(["2 commit"]);
  });

  test("does not hold where two of four signed", async () => {
    const half = commitFor(blocks[1]!.hash, 7, { signers: keys.slice(2) });
    expect(await findings(withCommit(1, half))).toEqual(["2 commit"]);
  });

  test("does not hold under validators of somebody's own, who all signed", async () => {
    const forged = commitFor(blocks[0]!.hash, 4, { validators: strangers });
    // The first commit's validators are not the genesis', and what it names next is not what the state holds.
    expect(await findings(withCommit(0, forged))).toEqual(["1 commit", "1 commit", "2 commit"]);
    const later = commitFor(blocks[1]!.hash, 7, { validators: strangers, next: keys });
    expect(await findings(withCommit(1, later))).toEqual(["2 commit"]);
  });

  test("does not hold where a commit names next validators that no transaction made", async () => {
    const next: CometKey[] = [...keys.slice(1), cometKey("e", 10)];
    const named = commitFor(blocks[2]!.hash, 10, { next });
    expect(await findings(withCommit(2, named))).toEqual(["3 commit"]);
  });

  // One genesis serves both engines. A validator of four signs a block of its own as an embedded engine would.
  test("does not take one validator's own signature for an embedded commit", async () => {
    const { header, hash } = blocks[2]!;
    const forger = keys[2]!;
    const signature = signBlock(rules.chainId, header.height, hash, forger.seed);
    const forged = withCommit(2, [{ publicKey: forger.publicKey, signature }]);
    expect(await findings(forged)).toEqual(["3 commit"]);
    const stakes = keys.map(({ publicKey, power }) => ({ publicKey, stake: power }));
    expect(commitsAlone(stakes, forger.publicKey)).toBe(false);
    const heavy = stakes.map((one, index) => ({ ...one, stake: index === 2 ? 60 : 10 }));
    expect(commitsAlone(heavy, forger.publicKey)).toBe(false);
    expect(
      commitsAlone([...heavy.slice(0, 2), { ...heavy[2]!, stake: 61 }, heavy[3]!], forger.publicKey),
    ).toBe(true);
  });
});

test("two commits of one height prove against everyone who signed both, and nobody else", () => {
  const [, block] = blocks as [Block, Block];
  const other = { ...block.header, timestampMs: block.header.timestampMs + 1 };
  const hash = hashHeader(other);
  const fork = (signers: readonly CometKey[]): Block => ({
    ...block,
    header: other,
    hash,
    commit: commitFor(hash, 7, { signers }),
  });
  expect(isEquivocation(block, fork(keys.slice(1)), rules.chainId)).toBe(true);
  const twice = signersOfBoth(block.commit, fork(keys.slice(1)).commit)
    .map(toHex)
    .sort();
  expect(twice).toEqual(
    keys
      .slice(1)
      .map(({ publicKey }) => toHex(publicKey))
      .sort(),
  );
  // Too few signed the other: it is no commit, and proves nothing.
  expect(isEquivocation(block, fork(keys.slice(2)), rules.chainId)).toBe(false);
  expect(isEquivocation(block, block, rules.chainId)).toBe(false);
});

test("a stored commit that was cut or altered is refused, never read as another", () => {
  const { commit, header } = blocks[0]!;
  expect(isCometCommit(commit)).toBe(true);
  const bytes = encodeCommit(commit);
  expect(() => decodeCommit(bytes.slice(0, -1))).toThrow();
  expect(() => decodeCommit(encodeHeader(header))).toThrow();
  expect(() => decodeCommit(sha256(utf8("noise")))).toThrow();
});

test("stakes hash in CometBFT's order, whatever order the genesis has", () => {
  const stakes = keys.map(({ publicKey }, index) => ({ publicKey, stake: index + 1 }));
  expect(validatorSetHash([...stakes].reverse())).toEqual(validatorSetHash(stakes));
});
