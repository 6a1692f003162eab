/** The consortium's engine on real CometBFT nodes: the conformance of every engine, with one validator and with four. */
import { describeTool } from "../../../test/tools.ts";
import { CometNetwork, validatorsOf } from "./comet-network.ts";
import { conformance } from "./conformance.ts";
import { toyGenesis, toyRules } from "./toy-rules.ts";

function factory(program: string, count: number) {
  return {
    async make() {
      const validators = validatorsOf(Array.from({ length: count }, () => 10));
      const rules = { ...toyRules(toyGenesis(validators[0]!.publicKey)), mayPropose: () => true };
      const network = await CometNetwork.make({ program, rules, validators });
      const [first] = await network.allUp();
      return {
        ledger: first!.ledger,
        rules,
        async reopen() {
          await network.down(0);
          const { ledger } = await network.up(0);
          await network.ready(0);
          return ledger;
        },
        dispose: () => network.dispose(),
      };
    },
  };
}

describeTool("cometbft", "the ledger over CometBFT", (program) => {
  conformance("one validator", factory(program, 1));
  conformance("four validators", factory(program, 4));
});
