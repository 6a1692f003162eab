/** A network of real nodes with the toy rules, whose applications are in this process, as the faults take it. */
import { CometNetwork, type NetworkOptions, validatorsOf } from "../comet-network.ts";
import { toyGenesis, toyRules } from "../toy-rules.ts";
import { type Chain, cometHeldBy, heldBy } from "./chain-check.ts";
import type { Network } from "./play.ts";

/** The rules of all faults' networks: every validator may propose. */
export function faultRules() {
  const validators = validatorsOf([10, 10, 10, 10]);
  const rules = { ...toyRules(toyGenesis(validators[0]!.publicKey)), mayPropose: () => true };
  return { validators, rules };
}

export class ToyNetwork implements Network {
  readonly comet: CometNetwork;

  constructor(comet: CometNetwork) {
    this.comet = comet;
  }

  /** Four validators, all up. */
  static async make(program: string, options: Partial<NetworkOptions> = {}): Promise<ToyNetwork> {
    const comet = await CometNetwork.make({ program, ...faultRules(), ...options });
    try {
      await comet.allUp();
    } catch (error) {
      await comet.dispose();
      throw error;
    }
    return new ToyNetwork(comet);
  }

  ledger(at: number) {
    return this.comet.members[at]!.opened!.ledger;
  }

  /** Those that are up. */
  #up() {
    return this.comet.members.flatMap((member, at) =>
      member.opened === undefined ? [] : [{ at, url: this.comet.rpcUrl(at), ledger: member.opened.ledger }],
    );
  }

  level(height: number): Promise<void> {
    return this.comet.level(height);
  }

  chains(from: number, cometFrom: number): Promise<Chain[]> {
    return Promise.all(
      this.#up().map(async ({ at, url, ledger }) => ({
        node: `node ${at}`,
        blocks: await heldBy(ledger, from),
        comet: await cometHeldBy(url, cometFrom),
      })),
    );
  }

  dispose(): Promise<void> {
    return this.comet.dispose();
  }
}

/** A number below `count`. */
export function draw(random: () => number, count: number): number {
  return Math.floor(random() * count);
}

/** The numbers below `count` in an order by chance. */
export function shuffled(random: () => number, count: number): number[] {
  const numbers = Array.from({ length: count }, (_, at) => at);
  for (let last = count - 1; last > 0; last--) {
    const other = draw(random, last + 1);
    [numbers[last], numbers[other]] = [numbers[other]!, numbers[last]!];
  }
  return numbers;
}
