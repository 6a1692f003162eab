/**
 * kill -9 of one of four nodes at random moments, ten rounds, while transactions go on: nothing acknowledged is lost, the
 * others go on, the killed node comes back, and no two nodes ever hold different blocks at a height.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { sha256, toHex } from "@chartseal/crypto";
import { expect, it } from "vitest";
import { describeTool } from "../../../test/tools.ts";
import type { Block, Submitted } from "../src/index.ts";
import { CometNetwork, validatorsOf } from "./comet-network.ts";
import { toyGenesis, toyRules, toyTransaction } from "./toy-rules.ts";

const rounds = 10;

/** The same numbers in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

async function heldBy(network: CometNetwork, at: number): Promise<Block[]> {
  const blocks: Block[] = [];
  for await (const block of network.members[at]!.opened!.ledger.blocks(1)) blocks.push(block);
  return blocks;
}

describeTool("cometbft", "one of four killed", (program) => {
  it("loses nothing that was acknowledged and never forks", { timeout: 240_000 }, async () => {
    const validators = validatorsOf([10, 10, 10, 10]);
    const rules = { ...toyRules(toyGenesis(validators[0]!.publicKey)), mayPropose: () => true };
    const network = await CometNetwork.make({ program, rules, validators });
    const random = seeded(20_261_125);
    try {
      await network.allUp();
      const acknowledged: Submitted[] = [];
      let nonce = 0;
      for (let round = 0; round < rounds; round++) {
        const victim = Math.floor(random() * 4);
        const through = network.members[(victim + 1 + Math.floor(random() * 3)) % 4]!.opened!.ledger;
        const submits = Array.from({ length: 5 }, () =>
          through.submit(toyTransaction(nonce++, ["give", round, 1])),
        );
        await sleep(random() * 150);
        await network.members[victim]!.node!.kill();
        acknowledged.push(...(await Promise.all(submits)));
        acknowledged.push(await through.submit(toyTransaction(nonce++, ["give", round, 1])));
        network.restart(victim);
        await network.ready(victim);
      }
      const height = Math.max(...acknowledged.map((one) => one.height));
      await network.level(height);
      const chains = await Promise.all(network.members.map((_, at) => heldBy(network, at)));
      expect(acknowledged).toHaveLength(6 * rounds);
      for (const chain of chains) {
        for (const { height: where, index, identifier, blockHash } of acknowledged) {
          const block = chain[where - 1]!;
          expect(toHex(block.hash)).toBe(toHex(blockHash));
          expect(toHex(sha256(block.transactions[index]!))).toBe(toHex(identifier));
        }
        const common = Math.min(chain.length, chains[0]!.length);
        expect(chain.slice(0, common).map(({ hash }) => toHex(hash))).toEqual(
          chains[0]!.slice(0, common).map(({ hash }) => toHex(hash)),
        );
      }
      expect(network.members.flatMap(({ failures }) => failures)).toEqual([]);
    } finally {
      await network.dispose();
    }
  });
});
