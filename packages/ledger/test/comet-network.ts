/** Real CometBFT nodes on loopback, each with the application in this process: what the tests of the consortium's engine run on. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ed25519KeyPairFromSeed, sha256, utf8 } from "@chartseal/crypto";
import { freePort } from "@chartseal/lab";
import {
  type CometNode,
  type CometOptions,
  CometRpc,
  type DutyReport,
  type NodeSettings,
  nodeIdOf,
  type OpenedComet,
  openComet,
  type SnapshotOptions,
  startNode,
  writeNodeFiles,
  writeSettings,
} from "../src/comet/index.ts";
import type { Rules } from "../src/index.ts";

export interface Validator {
  readonly seed: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly stake: number;
}

export function validatorsOf(stakes: readonly number[]): Validator[] {
  return stakes.map((stake, at) => {
    const seed = sha256(utf8(`validator ${at}`));
    return { seed, publicKey: ed25519KeyPairFromSeed(seed).publicKey, stake };
  });
}

export interface Member {
  readonly directory: string;
  readonly rpc: CometRpc;
  readonly failures: unknown[];
  readonly reports: DutyReport[];
  /** Snapshots that were refused, and why. */
  readonly refused: unknown[];
  opened: OpenedComet | undefined;
  node: CometNode | undefined;
}

export interface NetworkOptions {
  readonly program: string;
  readonly rules: Rules;
  readonly validators: readonly Validator[];
  readonly now?: () => number;
  /** How often there is an empty block; default never. */
  readonly emptyBlocksMs?: number;
  /** Keys of further nodes: of no validator, or of one that then runs twice. */
  readonly further?: readonly Uint8Array[];
  /** Every validator's process does its duties. */
  readonly duties?: boolean;
  /** How long a submit waits for its block. */
  readonly waitMs?: number;
  readonly snapshots?: SnapshotOptions;
  /** Where the members' folders are; default a new folder, which is removed at the end. */
  readonly root?: string;
  /** How long a block waits for the votes of those who are late; default 20. */
  readonly commitMs?: number;
  /** How long the others wait for a proposer, so that a machine that is busy skips none; default as settings have it. */
  readonly proposeMs?: number;
}

/** What is otherwise with a member that comes up. */
export interface Otherwise {
  readonly now?: () => number;
  readonly program?: string;
  readonly settings?: Partial<NodeSettings>;
  readonly open?: (options: CometOptions) => Promise<OpenedComet>;
}

/** All validators' folders, nothing of them begun. */
export class CometNetwork {
  readonly members: Member[] = [];
  readonly #options: NetworkOptions;
  readonly #root: string;
  readonly #ports: { rpcPort: number; p2pPort: number }[] = [];

  private constructor(options: NetworkOptions) {
    this.#options = options;
    this.#root = options.root ?? mkdtempSync(join(tmpdir(), "chartseal-comet-"));
  }

  static async make(options: NetworkOptions): Promise<CometNetwork> {
    const network = new CometNetwork(options);
    const seeds = network.#seeds();
    for (const at of seeds.keys()) {
      network.#ports.push({ rpcPort: await freePort(), p2pPort: await freePort() });
      const directory = join(network.#root, `node-${at}`);
      const rpc = new CometRpc(network.rpcUrl(at));
      const lists = { failures: [], reports: [], refused: [] };
      network.members.push({ directory, rpc, ...lists, opened: undefined, node: undefined });
    }
    for (const [at, seed] of seeds.entries()) {
      const { chainId, genesis, createdMs } = options.rules;
      writeNodeFiles(network.members[at]!.directory, {
        genesis: { chainId, genesis, createdMs, validators: options.validators },
        settings: network.#settings(at),
        validatorSeed: seed,
        nodeSeed: network.#nodeSeed(at),
      });
    }
    return network;
  }

  #seeds(): Uint8Array[] {
    return [...this.#options.validators.map(({ seed }) => seed), ...(this.#options.further ?? [])];
  }

  #nodeSeed(at: number): Uint8Array {
    return sha256(utf8(`node ${at}`));
  }

  #settings(at: number) {
    const peers = this.#ports.flatMap(({ p2pPort }, other) =>
      other === at ? [] : [`${nodeIdOf(this.#nodeSeed(other))}@127.0.0.1:${p2pPort}`],
    );
    const { commitMs = 20, emptyBlocksMs = 0 } = this.#options;
    return { moniker: `node-${at}`, ...this.#ports[at]!, peers, commitMs, emptyBlocksMs };
  }

  rpcUrl(at: number): string {
    return `http://127.0.0.1:${this.#ports[at]!.rpcPort}`;
  }

  /** The settings of a member's node, with these in place of its own. */
  write(at: number, settings: Partial<NodeSettings>): void {
    writeSettings(this.members[at]!.directory, { ...this.#settings(at), ...settings });
  }

  /** Begins a member's application and its node. */
  async up(
    at: number,
    { now, program, settings = {}, open = openComet }: Otherwise = {},
  ): Promise<OpenedComet> {
    const member = this.members[at]!;
    const { waitMs, snapshots } = this.#options;
    const opened = await open({
      directory: member.directory,
      rules: this.#options.rules,
      ...(waitMs === undefined ? {} : { waitMs }),
      rpcUrl: this.rpcUrl(at),
      abciPort: 0,
      ...(snapshots && { snapshots: { ...snapshots, failed: (error) => member.refused.push(error) } }),
      now: now ?? this.#options.now ?? Date.now,
      failed: (error) => member.failures.push(error),
      ...(this.#options.duties === true && {
        duties: { seed: this.#seeds()[at]!, report: (report) => member.reports.push(report) },
      }),
    });
    this.write(at, settings);
    this.#setPatience(member.directory);
    member.opened = opened;
    this.restart(at, program);
    return opened;
  }

  #setPatience(directory: string): void {
    if (this.#options.proposeMs === undefined) return;
    const path = join(directory, "config", "config.toml");
    const line = `timeout_propose = "${this.#options.proposeMs}ms"`;
    writeFileSync(path, readFileSync(path, "utf8").replace(/^timeout_propose = .*$/m, line));
  }

  /** A node again, for the application that is there still. */
  restart(at: number, program = this.#options.program, abciPort = this.members[at]!.opened!.abciPort): void {
    const { directory, failures } = this.members[at]!;
    const failed = (error: unknown) => failures.push(error);
    this.members[at]!.node = startNode({ program, directory, abciPort, failed });
  }

  /** Until every member that is up holds our block of that height, with its commit. */
  async level(height: number): Promise<void> {
    for (const [at, { opened }] of this.members.entries()) {
      if (opened === undefined) continue;
      for (let tries = 0; (await opened.ledger.head()).height < height; tries++) {
        if (tries === 600) throw new Error(`member ${at} did not come to block ${height}`);
        await sleep(50);
      }
    }
  }

  async allUp(): Promise<OpenedComet[]> {
    const opened = await Promise.all(this.members.map((_, at) => this.up(at)));
    await Promise.all(this.members.map((_, at) => this.ready(at)));
    return opened;
  }

  /** Until the node has its first height: the block of the genesis. */
  async ready(at: number, height = 1): Promise<void> {
    const member = this.members[at]!;
    for (let tries = 0; tries < 600; tries++) {
      const status = await member.rpc.status().catch(() => undefined);
      if (status !== undefined && status.height >= height && !status.catchingUp) return;
      await sleep(50);
    }
    throw new Error(`node ${at} did not come up; its failures: ${String(member.failures)}`);
  }

  /** The node first, then the application. */
  async down(at: number): Promise<void> {
    const member = this.members[at]!;
    await member.node?.stop();
    await member.opened?.ledger.close();
    member.node = undefined;
    member.opened = undefined;
  }

  async dispose(): Promise<void> {
    await Promise.all(
      this.members.map(async ({ node, opened }) => {
        await node?.kill();
        await opened?.ledger.close();
      }),
    );
    rmSync(this.#root, { recursive: true, force: true });
  }
}
