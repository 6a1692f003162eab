/**
 * The ledger's own rules on four real nodes: what a transaction takes from a validator's stake, CometBFT takes from its
 * power, and a stranger with the genesis alone follows the commits across it.
 */
import { toHex } from "@chartseal/crypto";
import { expect, it } from "vitest";
import { describeTool } from "../../../test/tools.ts";
import { exportLine, isCometCommit, ledgerRules, type Submitted, verifyChain } from "../src/index.ts";
import { validatorsInForce } from "../src/rules/validators.ts";
import { CometNetwork } from "./comet-network.ts";
import { stakeWorld, validators } from "./stake-world.ts";

describeTool("cometbft", "stake under CometBFT", (program) => {
  it("changes the powers that sign, as the blocks say and no other way", { timeout: 120_000 }, async () => {
    const world = await stakeWorld([10, 10, 10, 10]);
    const rules = ledgerRules(world.pairing, world.genesis);
    const four = validatorsInForce(world.state).map((one) => {
      const { seed } = validators.find(({ publicKey }) => toHex(publicKey) === toHex(one.publicKey))!;
      return { ...one, seed };
    });
    const network = await CometNetwork.make({ program, rules, validators: four });
    try {
      await network.allUp();
      const [ledger, other] = network.members.map((member) => member.opened!.ledger);
      const sent: Submitted[] = [];
      for (const [at, by] of validators.slice(0, 3).entries()) {
        const { height, hash } = await ledger!.head();
        const head = height === 0 ? { height, hash: world.chainId } : { height, hash };
        const action = { kind: "unbond", validator: by.publicKey, amount: at + 1 } as const;
        const body = world.body(action, { head, lastValidMs: Date.now() + 600_000 });
        sent.push(await ledger!.submit(world.signed(by, action, { body })));
      }
      await network.level(sent.at(-1)!.height);
      const lines: unknown[] = [];
      const powers: number[][] = [];
      for await (const block of other!.blocks(1)) {
        lines.push(JSON.parse(JSON.stringify(exportLine(block))));
        if (!isCometCommit(block.commit)) throw new Error("the commit is CometBFT's");
        powers.push(block.commit.validators.map(({ power }) => power).sort((a, b) => a - b));
      }
      expect(powers[0]).toEqual([10, 10, 10, 10]);
      const strangers = ledgerRules(world.pairing, world.genesis);
      const report = await verifyChain({ rules: strangers, lines, trusted: await ledger!.head() });
      expect(report).toMatchObject({ ok: true, findings: [], transactions: 3, stateCheckedTo: lines.length });
      // CometBFT follows a change two heights later: the last commit is by the powers that the first two left.
      expect(powers.at(-1)).toEqual([8, 9, 10, 10]);
      expect(network.members.flatMap(({ failures }) => failures)).toEqual([]);
    } finally {
      await network.dispose();
    }
  });
});
