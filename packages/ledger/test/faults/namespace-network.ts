/** Four members in four network namespaces, each application and node in processes of their own (member-child.ts). */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ChartsealError, type ErrorCode, sha256, utf8 } from "@chartseal/crypto";
import { nodeIdOf, writeNodeFiles } from "../../src/comet/index.ts";
import type { Submitted } from "../../src/index.ts";
import type { Chain } from "./chain-check.ts";
import type { Answer, ChildSettings, Questions } from "./member-messages.ts";
import { Namespaces } from "./namespaces.ts";
import type { Network, Taker } from "./play.ts";
import { faultRules } from "./toy-network.ts";

const child = fileURLToPath(new URL("./member-child.ts", import.meta.url));
const ports = { rpcPort: 26_657, p2pPort: 26_656 };
const endMsMax = 15_000;

class ChildMember implements Taker {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #next = 0;

  constructor(namespace: string, settings: ChildSettings) {
    const args = ["netns", "exec", namespace, process.execPath];
    const options = ["--conditions=chartseal-source", child, JSON.stringify(settings)];
    this.#process = spawn("ip", [...args, ...options], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      serialization: "advanced",
    });
    this.#ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.on("message", (answer: Answer) => this.#waiting.get(answer.id)?.(answer));
    const gone = { code: "defect", message: "the member's process has ended", data: {} };
    void this.#ended.then(() => {
      for (const [id, take] of this.#waiting) take({ id, error: gone });
    });
  }

  async ask<K extends keyof Questions>(
    kind: K,
    asked: Questions[K]["asked"],
  ): Promise<Questions[K]["answer"]> {
    const id = this.#next++;
    const { answer, error } = await new Promise<Answer>((resolve, reject) => {
      this.#waiting.set(id, resolve);
      this.#process.send({ id, kind, asked }, (failure) => failure && reject(failure));
    });
    this.#waiting.delete(id);
    if (error !== undefined)
      throw new ChartsealError(error.code as ErrorCode, error.message, { data: error.data });
    return answer as Questions[K]["answer"];
  }

  submit(transaction: Uint8Array): Promise<Submitted> {
    return this.ask("submit", transaction);
  }

  /** Ends application and node at once, as a power cut would. */
  async kill(): Promise<void> {
    const pid = await this.ask("pid", null);
    this.#process.kill("SIGKILL");
    process.kill(pid, "SIGKILL");
    await this.#ended;
    // Its ports and its lock are free when it is gone, which nobody waits for but its parent.
    while (existsSync(`/proc/${pid}`)) await sleep(10);
  }

  async end(): Promise<void> {
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), endMsMax);
    await this.ask("end", null).catch(() => this.#process.kill("SIGKILL"));
    await this.#ended;
    clearTimeout(timer);
  }
}

export class NamespaceNetwork implements Network {
  readonly spaces: Namespaces;
  readonly members: ChildMember[] = [];
  readonly #root = mkdtempSync(join(tmpdir(), "chartseal-faults-"));

  readonly #settings: Pick<ChildSettings, "program" | "waitMs">;

  private constructor(spaces: Namespaces, settings: Pick<ChildSettings, "program" | "waitMs">) {
    this.spaces = spaces;
    this.#settings = settings;
  }

  static async make(program: string, waitMs: number): Promise<NamespaceNetwork> {
    const { validators } = faultRules();
    const network = new NamespaceNetwork(new Namespaces(validators.length), { program, waitMs });
    try {
      for (const at of validators.keys()) {
        network.#writeFiles(at);
        network.begin(at);
      }
      await network.until("all are up", ({ ready }) => ready);
      return network;
    } catch (error) {
      await network.dispose();
      throw error;
    }
  }

  #directory(at: number): string {
    return join(this.#root, `node-${at}`);
  }

  /** A member's processes, with the folder that is there. */
  begin(at: number): void {
    const settings = { ...this.#settings, directory: this.#directory(at), rpcPort: ports.rpcPort };
    this.members[at] = new ChildMember(this.spaces.name(at), settings);
  }

  #writeFiles(at: number): void {
    const { validators, rules } = faultRules();
    const { chainId, genesis, createdMs } = rules;
    const nodeSeed = (one: number) => sha256(utf8(`node ${one}`));
    const others = [...validators.keys()].filter((other) => other !== at);
    const peers = others.map(
      (other) => `${nodeIdOf(nodeSeed(other))}@${this.spaces.address(other)}:${ports.p2pPort}`,
    );
    const p2pHost = this.spaces.address(at);
    writeNodeFiles(this.#directory(at), {
      genesis: { chainId, genesis, createdMs, validators },
      settings: { moniker: `node-${at}`, ...ports, p2pHost, peers, commitMs: 20, emptyBlocksMs: 0 },
      validatorSeed: validators[at]!.seed,
      nodeSeed: nodeSeed(at),
    });
  }

  /** Until that holds of every member. */
  async until(what: string, holds: (where: Questions["where"]["answer"]) => boolean): Promise<void> {
    for (const [at, member] of this.members.entries()) {
      for (let tries = 0; !holds(await member.ask("where", null)); tries++) {
        if (tries === 1_200) throw new Error(`member ${at}: ${what} does not come to be`);
        await sleep(50);
      }
    }
  }

  level(height: number): Promise<void> {
    return this.until(`block ${height}`, (where) => where.height >= height);
  }

  chains(from: number, cometFrom: number): Promise<Chain[]> {
    return Promise.all(
      this.members.map(async (member, at) => ({
        node: `node ${at}`,
        blocks: await member.ask("held", from),
        comet: await member.ask("comet", cometFrom),
      })),
    );
  }

  async failures(): Promise<string[]> {
    return (await Promise.all(this.members.map((member) => member.ask("failures", null)))).flat();
  }

  async dispose(): Promise<void> {
    await Promise.all(this.members.map((member) => member.end()));
    this.spaces.remove();
    rmSync(this.#root, { recursive: true, force: true });
  }
}
