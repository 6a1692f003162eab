/**
 * Who proposes, on four real nodes with unequal stake: of CometBFT's heights each validator's share is its stake's, and in a
 * long run of our blocks too. CHARTSEAL_PROPOSER_BLOCKS says how many; docs/decisions/stake.md has what 2,000 gave.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { toHex } from "@chartseal/crypto";
import { expect, it } from "vitest";
import { describeTool } from "../../../test/tools.ts";
import { cometAddress } from "../src/light/hashes.ts";
import { CometNetwork, type Validator, validatorsOf } from "./comet-network.ts";
import { toyGenesis, toyRules, toyTransaction } from "./toy-rules.ts";

const blocksWanted = Number(process.env.CHARTSEAL_PROPOSER_BLOCKS ?? 100);
const stakes = [40, 30, 20, 10];
/** In hundredths: how far a share may be from its stake's. */
const pointsMax = 2;
const pauseMs = 30;
const openMax = 400;
/** Which heights carry a block of ours is a matter of moments: their shares need more of them. */
const blocksForShares = 1_000;
const timeoutMs = 120_000 + 2_000 * blocksWanted;

interface Heights {
  /** By whom each of CometBFT's heights was proposed: its address, hex. */
  readonly proposers: readonly string[];
  /** How many of them took more than one round, where another than the one in turn proposed. */
  readonly late: number;
}

async function readHeights(network: CometNetwork, count: number): Promise<Heights> {
  const proposers: string[] = [];
  let late = 0;
  for (let height = 1; height <= count; height++) {
    const { signedHeader } = await network.members[0]!.rpc.lightBlock(height);
    proposers.push(toHex(signedHeader.header.proposerAddress));
    if (signedHeader.commit.round > 0) late++;
  }
  return { proposers, late };
}

/** In hundredths, in the order of the validators. */
function sharesOf(validators: readonly Validator[], proposers: readonly string[]): number[] {
  const count = (wanted: string): number => proposers.filter((one) => one === wanted).length;
  return validators.map(({ publicKey }) => {
    const made = count(toHex(publicKey)) + count(toHex(cometAddress(publicKey)));
    return (100 * made) / proposers.length;
  });
}

/** Transactions at a steady pace, each through another node, whether the ones before are answered or not. */
async function keepBusy(network: CometNetwork): Promise<void> {
  const ledgers = network.members.map(({ opened }) => opened!.ledger);
  const open = new Set<Promise<unknown>>();
  for (let nonce = 0; (await ledgers[0]!.head()).height < blocksWanted; nonce++) {
    const sent = ledgers[nonce % ledgers.length]!.submit(toyTransaction(nonce, ["give", 1, 1]));
    open.add(sent);
    void sent.finally(() => open.delete(sent)).catch(() => {});
    await sleep(pauseMs);
    while (open.size > openMax) await Promise.race(open);
  }
  await Promise.all(open);
}

describeTool("cometbft", "proposers under CometBFT", (program) => {
  it("propose in proportion to their stake", { timeout: timeoutMs }, async () => {
    const validators = validatorsOf(stakes);
    const rules = { ...toyRules(toyGenesis(validators[0]!.publicKey)), mayPropose: () => true };
    const network = await CometNetwork.make({ program, rules, validators, commitMs: 0, proposeMs: 10_000 });
    try {
      await network.allUp();
      await keepBusy(network);
      const ours: string[] = [];
      for await (const { header } of network.members[0]!.opened!.ledger.blocks(1)) {
        ours.push(toHex(header.proposer));
      }
      const { height } = await network.members[0]!.rpc.status();
      const heights = await readHeights(network, height);
      const shares = { heights: sharesOf(validators, heights.proposers), ours: sharesOf(validators, ours) };
      const shown = (values: readonly number[]): string => values.map((one) => one.toFixed(2)).join(" / ");
      process.stderr.write(
        `${heights.proposers.length} heights, ${heights.late} of more than one round: ${shown(shares.heights)} %; ` +
          `${ours.length} blocks: ${shown(shares.ours)} %\n`,
      );
      expect(ours.length).toBeGreaterThanOrEqual(blocksWanted);
      for (const [at, stake] of stakes.entries()) {
        expect(Math.abs(shares.heights[at]! - stake)).toBeLessThanOrEqual(pointsMax);
        if (ours.length < blocksForShares) continue;
        expect(Math.abs(shares.ours[at]! - stake)).toBeLessThanOrEqual(pointsMax);
      }
      expect(network.members.flatMap(({ failures }) => failures)).toEqual([]);
    } finally {
      await network.dispose();
    }
  });
});
