/**
 * That the common check of the faults bites: chains of real nodes hold; the same chains with one node's block altered, with an
 * acknowledged transaction gone, or with one twice, do not.
 */
import { join } from "node:path";
import { ChartsealError } from "@chartseal/crypto";
import Database from "better-sqlite3";
import { expect, it } from "vitest";
import { describeTool } from "../../../../test/tools.ts";
import { consensusWatch } from "../../src/comet/node-process.ts";
import { type Chain, findings, heldBy } from "./chain-check.ts";
import { Sent } from "./play.ts";
import { ToyNetwork } from "./toy-network.ts";

const held = (height: number, hash: string, ...transactions: string[]) => ({
  height,
  hash,
  stateRoot: "r",
  transactions,
});

it("finds two blocks at a height by hash or state root, ours and CometBFT's, and a transaction twice", () => {
  const chain: Chain = {
    node: "a",
    blocks: [held(1, "x", "t"), held(2, "y", "u")],
    comet: [{ height: 1, hash: "c", appHash: "d", timeMs: 0 }],
  };
  const forks = (other: Partial<Chain>) => findings([chain, { ...chain, node: "b", ...other }], []).forks;
  expect(forks({})).toEqual([]);
  expect(forks({ blocks: chain.blocks.slice(1) })).toEqual([]);
  expect(forks({ blocks: [held(1, "x", "t"), held(2, "z", "u")] })).toHaveLength(1);
  expect(forks({ blocks: [{ ...held(1, "x", "t"), stateRoot: "other" }] })).toHaveLength(1);
  expect(forks({ comet: [{ height: 1, hash: "other", appHash: "d", timeMs: 0 }] })).toHaveLength(1);
  expect(findings([{ ...chain, blocks: [...chain.blocks, held(3, "z", "t")] }], []).twice).toHaveLength(1);
});

it("sees a failed consensus in a log that is cut anywhere, once, and nothing in another", () => {
  const line = `${JSON.stringify({ _msg: "CONSENSUS FAILURE!!!", err: "no space left", stack: "s" })}\n`;
  const log = Buffer.from(`{"_msg":"finalized block"}\n${line}{"_msg":"service stop"}\n`);
  for (const cut of [1, 7, log.length]) {
    const reasons: string[] = [];
    const watch = consensusWatch((reason) => reasons.push(reason));
    for (let at = 0; at < log.length; at += cut) watch(log.subarray(at, at + cut));
    expect(reasons).toEqual(["no space left"]);
  }
  const nothing = consensusWatch(() => expect.unreachable());
  nothing(Buffer.from('{"_msg":"finalized block"}\n'));
});

describeTool("cometbft", "the common check, on real nodes", (program) => {
  it("holds, and does not where one node's stored block is altered or gone", async () => {
    const network = await ToyNetwork.make(program);
    try {
      const sent = new Sent();
      for (let block = 0; block < 3; block++) await sent.submit(network.ledger(block));
      await network.level(sent.height());
      const chains = await network.chains(1, 1);
      const found = findings(chains, sent.acknowledged);
      expect(sent.acknowledged).toHaveLength(3);
      expect(found).toEqual({ lost: [], forks: [], twice: [] });
      // The last block of one node is not there: what was acknowledged in it is lost.
      const [first, ...others] = chains as [Chain, ...Chain[]];
      const shorter = { ...first, blocks: first.blocks.slice(0, -1) };
      expect(findings([shorter, ...others], sent.acknowledged).lost).toHaveLength(1);
      // Another transaction stands in a block on one node's disk, and another hash in another's.
      const { directory } = network.comet.members[1]!;
      await network.comet.down(1);
      const database = new Database(join(directory, "ledger", "comet.sqlite"));
      database
        .prepare(
          "UPDATE blocks SET transactions = (SELECT transactions FROM blocks WHERE height = 2) WHERE height = 1",
        )
        .run();
      database.close();
      await network.comet.up(1);
      await network.comet.ready(1);
      await expect(heldBy(network.ledger(1), 1)).rejects.toThrow(ChartsealError);
      const forged = first.blocks.map((block) => (block.height === 2 ? { ...block, hash: "00" } : block));
      const altered = findings([{ ...first, blocks: forged }, ...others], sent.acknowledged);
      expect([altered.lost.length, altered.forks.length]).toEqual([1, others.length]);
    } finally {
      await network.dispose();
    }
  });
});
