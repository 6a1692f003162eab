/**
 * CometBFT nodes on loopback with the settings of our own engine, whatever application they have: folders, ports, keys,
 * processes. They never outlive this process.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { compareBytes, ed25519KeyPairFromSeed, randomBytes } from "@chartseal/crypto";
import { freePort } from "@chartseal/lab";
import {
  type CometNode,
  CometRpc,
  type NodeSettings,
  nodeIdOf,
  startNode,
  writeNodeFiles,
} from "@chartseal/ledger/comet";

/** How long a block waits for late votes, as in the engine's own tests. */
const commitMs = 20;

/** Seeds of the validators' keys, by rising key: the order in which admissions stand. */
export function newValidators(count: number): Uint8Array[] {
  const pairs = Array.from({ length: count }, () => {
    const seed = randomBytes(32);
    return { seed, publicKey: ed25519KeyPairFromSeed(seed).publicKey };
  });
  return pairs.sort((a, b) => compareBytes(a.publicKey, b.publicKey)).map(({ seed }) => seed);
}

/** The chain that all nodes begin with. */
export interface ChainStart {
  readonly chainId: Uint8Array;
  readonly genesis: Uint8Array;
  readonly createdMs: number;
}

export class CometNodes {
  readonly directories: readonly string[];
  readonly rpcUrls: readonly string[];
  readonly #program: string;
  readonly #running = new Map<number, CometNode>();
  readonly #lost = Promise.withResolvers<never>();
  #stopping = false;
  readonly #atExit = (): void => {
    for (const { pid } of this.#running.values()) if (pid > 0) process.kill(pid, "SIGKILL");
  };

  private constructor(program: string, directories: readonly string[], rpcPorts: readonly number[]) {
    this.#program = program;
    this.directories = directories;
    this.rpcUrls = rpcPorts.map((port) => `http://127.0.0.1:${port}`);
    process.once("exit", this.#atExit);
    this.#lost.promise.catch(() => {});
  }

  /** Rejects when a node ends that nobody stopped: what waits for it would wait for ever. */
  get lost(): Promise<never> {
    return this.#lost.promise;
  }

  /** Their folders below `folder`, nothing begun. */
  static async make(options: {
    readonly program: string;
    readonly folder: string;
    readonly validatorSeeds: readonly Uint8Array[];
    readonly chain: ChainStart;
  }): Promise<CometNodes> {
    const { program, folder, validatorSeeds, chain } = options;
    const nodeSeeds = validatorSeeds.map(() => randomBytes(32));
    const ports: { rpcPort: number; p2pPort: number }[] = [];
    for (const _ of validatorSeeds) ports.push({ rpcPort: await freePort(), p2pPort: await freePort() });
    const addresses = ports.map(({ p2pPort }, at) => `${nodeIdOf(nodeSeeds[at]!)}@127.0.0.1:${p2pPort}`);
    const validators = validatorSeeds.map((seed) => ({
      publicKey: ed25519KeyPairFromSeed(seed).publicKey,
      stake: 1,
    }));
    const directories = validatorSeeds.map((validatorSeed, at) => {
      const directory = join(folder, `node-${at}`);
      const settings: NodeSettings = {
        moniker: `node-${at}`,
        ...ports[at]!,
        peers: addresses.filter((_, other) => other !== at),
        commitMs,
        emptyBlocksMs: 0,
      };
      const genesis = { ...chain, validators };
      writeNodeFiles(directory, { genesis, settings, validatorSeed, nodeSeed: nodeSeeds[at]! });
      return directory;
    });
    return new CometNodes(
      program,
      directories,
      ports.map(({ rpcPort }) => rpcPort),
    );
  }

  /** Begins all nodes, each beside its application, and waits until they are at one height at least. */
  async start(applications: readonly (number | "kvstore")[]): Promise<void> {
    this.#stopping = false;
    for (const [at, abciPort] of applications.entries()) {
      const node = startNode({ program: this.#program, directory: this.directories[at]!, abciPort });
      this.#running.set(at, node);
      void node.ended.then((how) => {
        this.#running.delete(at);
        if (!this.#stopping) this.#lost.reject(new Error(`CometBFT node ${at} ended by itself: ${how}`));
      });
    }
    await Promise.all(this.rpcUrls.map((url) => this.#ready(new CometRpc(url))));
  }

  async #ready(rpc: CometRpc): Promise<void> {
    for (let tries = 0; tries < 1200; tries++) {
      const status = await rpc.status().catch(() => undefined);
      if (status !== undefined && status.height >= 1 && !status.catchingUp) return;
      if (this.#running.size < this.directories.length) break;
      await sleep(50);
    }
    throw new Error(`a CometBFT node did not come up; its log is node.log in ${this.directories.join(", ")}`);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all([...this.#running.values()].map((node) => node.stop()));
    process.off("exit", this.#atExit);
  }
}
