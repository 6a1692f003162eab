/**
 * The authority at three hospitals: one process each, with a folder and keys of its own, which the demo starts, kills and
 * starts again. The demo's own process serves the ledger to them; they believe none of its answers without a proof.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ChartsealError, fromHex, hasCode } from "@chartseal/crypto";
import type { Ledger } from "@chartseal/ledger";
import type { Host } from "@chartseal/server";
import { readAccount, readCommittee, type Surroundings } from "@chartseal/sharing";
import { makeNodeHome, type NodeHome } from "../home/node-home.ts";
import { programVersion } from "../program-version.ts";
import type { AuthorityAddress } from "../services/authority-nodes.ts";
import { demoPassphrase } from "./world.ts";

const readyMsMax = 120_000;
const pollMs = 100;
const program = fileURLToPath(new URL("../../bin/chartseal.js", import.meta.url));

interface Node {
  readonly hospital: string;
  readonly home: NodeHome;
  readonly port: number;
  process: ChildProcess | undefined;
}

export class Authorities {
  readonly #folder: string;
  readonly #nodes: readonly Node[];
  readonly #ledgerPort: number;
  #host: Host | undefined;

  private constructor(folder: string, nodes: readonly Node[], ledgerPort: number) {
    this.#folder = folder;
    this.#nodes = nodes;
    this.#ledgerPort = ledgerPort;
    // However this process ends, its children do not stay: a pipe that was closed, an interrupt.
    process.once("exit", () => {
      for (const node of nodes) node.process?.kill("SIGKILL");
    });
  }

  /** A folder with keys for each hospital's node; nothing runs yet. */
  static async make(folder: string, hospitals: readonly string[]): Promise<Authorities> {
    const ports = await freePorts(hospitals.length + 1);
    const homes = hospitals.map((hospital) =>
      makeNodeHome(join(folder, nodeFolder(hospital)), demoPassphrase),
    );
    const nodes = (await Promise.all(homes)).map((home, at): Node => {
      return { hospital: hospitals[at]!, home, port: ports[at]!, process: undefined };
    });
    return new Authorities(folder, nodes, ports.at(-1)!);
  }

  get addresses(): AuthorityAddress[] {
    return this.#nodes.map(({ home, port }) => ({
      publicKey: fromHex(home.publicKey, 32),
      url: `http://127.0.0.1:${port}`,
    }));
  }

  /** Lets the nodes reach a ledger that this process has opened. */
  async serve(ledger: Ledger): Promise<void> {
    const { ledgerRole, parseConfig, startHost } = await import("@chartseal/server");
    this.#host = await startHost({
      // The three hospitals share one address here, and would share one address's allowance.
      config: parseConfig({
        roles: ["ledger"],
        listen: { port: this.#ledgerPort },
        limits: { anonymous: { perSecond: 10_000, burst: 100_000 } },
      }),
      roles: [ledgerRole({ ledger })],
      version: programVersion(),
      accountKey: async (account) => (await readAccount(ledger, account))?.publicKey,
      now: Date.now,
    });
  }

  /** Before the ledger is closed; the nodes wait for it. */
  async unserve(): Promise<void> {
    await this.#host?.close();
    this.#host = undefined;
  }

  start(hospital: string, genesisFile: string): void {
    const node = this.#node(hospital);
    const log = openSync(join(this.#folder, `${nodeFolder(hospital)}.log`), "a");
    const ledger = `http://127.0.0.1:${this.#ledgerPort}`;
    node.process = spawn(
      process.execPath,
      [
        ...[program, "--home", node.home.folder, "authority", "serve"],
        ...["--ledger", ledger, "--genesis", genesisFile, "--port", String(node.port)],
      ],
      { stdio: ["ignore", "ignore", log], env: { ...process.env, CHARTSEAL_PASSPHRASE: demoPassphrase } },
    );
    closeSync(log);
  }

  /** The number of a node's process. */
  processOf(hospital: string): number {
    const pid = this.#node(hospital).process?.pid;
    if (pid === undefined) throw new ChartsealError("defect", `no process of ${hospital} runs`);
    return pid;
  }

  /** The end of a process as a power cut would have it. */
  async kill(hospital: string): Promise<void> {
    const node = this.#node(hospital);
    const { process: child } = node;
    if (child === undefined) throw new ChartsealError("defect", `no process of ${hospital} runs`);
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    node.process = undefined;
  }

  /** Until the nodes have made all three keys. */
  async keysMade({ ledger, pairing }: Surroundings): Promise<void> {
    await this.#until(async () => {
      try {
        await readCommittee(ledger, pairing);
        return true;
      } catch (error) {
        if (hasCode(error, "issue-refused")) return false;
        throw error;
      }
    });
  }

  /** Until a node that was started answers again. */
  async answers(hospital: string): Promise<void> {
    const { port, home } = this.#node(hospital);
    const url = `http://127.0.0.1:${port}/v1/authority/${home.account}/status`;
    await this.#until(async () => {
      const response = await fetch(url).catch(() => undefined);
      const status = response?.ok === true ? ((await response.json()) as { hasShares: boolean }) : undefined;
      return status?.hasShares === true;
    });
  }

  async #until(isSo: () => Promise<boolean>): Promise<void> {
    for (const start = Date.now(); !(await isSo()); ) {
      const gone = this.#nodes.find((node) => node.process !== undefined && node.process.exitCode !== null);
      if (gone !== undefined || Date.now() > start + readyMsMax) {
        const which = gone === undefined ? "The nodes are not ready" : `The node of ${gone.hospital} ended`;
        throw new ChartsealError("defect", `${which}; see ${this.#folder}/*.log`);
      }
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }

  /** Ends every process that this demo started. */
  async stop(): Promise<void> {
    await this.unserve();
    const running = this.#nodes.flatMap(({ process: child }) => (child?.exitCode === null ? [child] : []));
    const ended = running.map((child) => once(child, "exit"));
    for (const child of running) child.kill("SIGTERM");
    await Promise.all(ended);
  }

  #node(hospital: string): Node {
    const node = this.#nodes.find((one) => one.hospital === hospital);
    if (node === undefined) throw new ChartsealError("defect", `no node of ${hospital}`);
    return node;
  }
}

export const nodeFolder = (hospital: string): string => `node-${hospital}`;

/** Ports that nothing listens on; another program may take one meanwhile, and then the node says so. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
