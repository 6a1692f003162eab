/**
 * Two nodes with one validator's key: a backup that was begun beside the original. Both propose and vote in its name, for
 * different blocks when its turn comes. The chain does not fork and goes on, and the evidence of two votes comes into a block.
 */
import { expect } from "vitest";
import { askNode } from "./chain-check.ts";
import { testFault } from "./play.ts";
import { draw, faultRules, ToyNetwork } from "./toy-network.ts";

const doubled = 3;
const twin = 4;

interface Evidence {
  readonly block: { readonly evidence: { readonly evidence: readonly { readonly type: string }[] } };
}

class TwinNetwork extends ToyNetwork {
  #looked = 0;

  /** The evidence in the blocks of CometBFT that were not looked at before. */
  async evidence(): Promise<readonly { readonly type: string }[]> {
    const found: { readonly type: string }[] = [];
    const last = this.comet.members[0]!.opened!.cometHeight();
    while (this.#looked < last) {
      const url = `${this.comet.rpcUrl(0)}/block?height=${++this.#looked}`;
      found.push(...((await askNode(url)) as Evidence).block.evidence.evidence);
    }
    return found;
  }
}

testFault({
  name: "twin-key",
  what: "two nodes have one validator's key",
  make: async (program: string) =>
    new TwinNetwork(
      (await ToyNetwork.make(program, { further: [faultRules().validators[doubled]!.seed] })).comet,
    ),
  async round(network, random, _, sent) {
    for (let tries = 0; ; tries++) {
      if (tries === 60) throw new Error("two nodes sign with one key, and no evidence came into a block");
      // What the two have to propose differs while each has heard of its own first.
      const both = [doubled, twin].map((at) => sent.submitMany(network.ledger(at), 2));
      const others = sent.submit(network.ledger(draw(random, doubled)));
      await Promise.all([...both, others]);
      const evidence = await network.evidence();
      if (evidence.length === 0) continue;
      for (const { type } of evidence) expect(type).toBe("tendermint/DuplicateVoteEvidence");
      return;
    }
  },
});
