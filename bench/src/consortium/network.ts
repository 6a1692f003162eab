/** One side of the comparison: the nodes, as many members' processes, and a load on all of them at once. */
import { median } from "../measure.ts";
import type { Loaded } from "./load.ts";
import { MemberProcess } from "./member-process.ts";
import type { CometNodes } from "./nodes.ts";
import type { Side } from "./peers.ts";

/** What a load on all members came to. */
export interface Outcome {
  /** Acknowledged a second, from the first that was handed over to the last that was acknowledged. */
  readonly perSecond: number;
  readonly latenciesMs: readonly number[];
}

/** The smallest value that is not below so much of all of them. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export function outcomeOf(loads: readonly Loaded[]): Outcome {
  const latenciesMs = loads.flatMap((load) => load.latenciesMs);
  const start = Math.min(...loads.map(({ startMs }) => startMs));
  const end = Math.max(...loads.map(({ endMs }) => endMs));
  return { perSecond: latenciesMs.length / ((end - start) / 1000), latenciesMs };
}

export function finalityOf(outcomes: readonly Outcome[]): { medianMs: number; p95Ms: number } {
  const all = outcomes.flatMap(({ latenciesMs }) => latenciesMs);
  return { medianMs: median(all), p95Ms: percentile(all, 0.95) };
}

export class Network {
  readonly #nodes: CometNodes;
  readonly #members: readonly MemberProcess[];

  private constructor(nodes: CometNodes, members: readonly MemberProcess[]) {
    this.#nodes = nodes;
    this.#members = members;
  }

  /** Brings a side up on nodes that were made for it and are not running. */
  static async up(nodes: CometNodes, side: Side, genesis: Uint8Array, profiles?: string): Promise<Network> {
    const execArgv = profiles === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profiles}`];
    const members = nodes.directories.map(() => new MemberProcess({ execArgv }));
    const network = new Network(nodes, members);
    try {
      const applications = await Promise.all(
        members.map((member, at) =>
          member.open(side, { directory: nodes.directories[at]!, rpcUrl: nodes.rpcUrls[at]!, genesis }),
        ),
      );
      await nodes.start(applications);
      await Promise.all(members.map((member) => member.connect()));
      return network;
    } catch (error) {
      await network.down();
      throw error;
    }
  }

  /** Each member is handed its own transactions. */
  async load(transactions: readonly (readonly Uint8Array[])[], window: number): Promise<Outcome> {
    const loads = this.#members.map((member, at) => member.load({ transactions: transactions[at]!, window }));
    return outcomeOf(await Promise.race([Promise.all(loads), this.#nodes.lost]));
  }

  async down(): Promise<void> {
    await this.#nodes.stop();
    await Promise.all(this.#members.map((member) => member.close()));
  }
}
