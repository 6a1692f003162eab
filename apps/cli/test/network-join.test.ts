/**
 * Joining from another machine: four institutions, each by the real command line in a network namespace of its own, where its
 * CometBFT node's RPC is on loopback and nobody else's. A fifth, in a fifth namespace, has what the guide says that it needs:
 * two files, the others' servers and their nodes' ports. It comes to the same head by a snapshot; liars are found out.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { fromHex, toHex } from "@chartseal/crypto";
import { decodeTransaction } from "@chartseal/ledger";
import { afterAll, expect, it } from "vitest";
import { Namespaces } from "../../../packages/ledger/test/faults/namespaces.ts";
import { describeTool, describeUnlessLacking } from "../../../test/tools.ts";
import { runShell } from "./transcript.ts";

const program = fileURLToPath(new URL("../bin/chartseal.js", import.meta.url));
const liar = fileURLToPath(new URL("./lying-window-child.ts", import.meta.url));
const isRoot = process.platform === "linux" && process.getuid?.() === 0;

const joiner = 4;
const untilMs = 240_000;

interface Health {
  readonly height: number;
  readonly hash: string;
  readonly peers: number;
  readonly catchingUp: boolean;
}

/** The institutions' machines: what runs on each, and what a command there prints. */
class Machines {
  readonly folder = mkdtempSync(join(tmpdir(), "chartseal-join-"));
  readonly spaces = new Namespaces(5);
  readonly #environment: Record<string, string>;
  readonly #running = new Map<number, ChildProcess[]>();

  constructor(cometbft: string) {
    this.#environment = { CHARTSEAL_PASSPHRASE: "test", CHARTSEAL_COMETBFT: cometbft };
  }

  /** A command on a machine, to its end. */
  command(at: number, line: string) {
    const shell = `ip netns exec ${this.spaces.name(at)} ${line}`;
    return runShell(shell, this.folder, this.#environment, 120_000);
  }

  play(at: number, line: string): Record<string, unknown> {
    const ran = this.command(at, `chartseal ${line} --json`);
    expect(`${line}: ${ran.exitCode} ${ran.exitCode === 0 ? "" : ran.errors}`).toBe(`${line}: 0 `);
    return JSON.parse(ran.output) as Record<string, unknown>;
  }

  /** Something that goes on running there. */
  begin(at: number, args: readonly string[]): ChildProcess {
    const env = { ...process.env, ...this.#environment };
    const child = spawn("ip", ["netns", "exec", this.spaces.name(at), process.execPath, ...args], {
      cwd: this.folder,
      env,
      stdio: "ignore",
    });
    this.#running.set(at, [...(this.#running.get(at) ?? []), child]);
    return child;
  }

  serve(at: number, home: string): void {
    this.begin(at, [program, "--home", home, "serve"]);
  }

  /** What a server says of its ledger, asked from a machine. */
  health(from: number, url: string): Health | undefined {
    const script = `fetch("${url}/health").then((one) => one.text()).then((text) => console.log(text))`;
    const { exitCode, output } = this.command(from, `node -e '${script}'`);
    if (exitCode !== 0) return undefined;
    const { roles } = JSON.parse(output) as { roles: { ledger: Health & { ok: boolean } } };
    return roles.ledger.ok ? roles.ledger : undefined;
  }

  async until(what: string, from: number, url: string, holds: (health: Health) => boolean): Promise<Health> {
    let health: Health | undefined;
    for (const startMs = performance.now(); performance.now() < startMs + untilMs; await sleep(1_000)) {
      health = this.health(from, url);
      if (health !== undefined && holds(health)) return health;
    }
    throw new Error(`${what}: it did not come to that; ${JSON.stringify(health)}`);
  }

  async end(): Promise<void> {
    const children = [...this.#running.values()].flat();
    await Promise.all(
      children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGTERM");
        const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
        await ended;
        clearTimeout(timer);
      }),
    );
    this.spaces.remove();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

describeTool("cometbft", "an institution on another machine", (cometbft) => {
  describeUnlessLacking("in network namespaces", isRoot ? undefined : "it needs root on Linux", () => {
    let machines: Machines | undefined;
    afterAll(async () => {
      await machines?.end();
    }, 60_000);

    it("joins with two files and the others' public addresses, by a snapshot, and comes to the same head", {
      timeout: 600_000,
    }, async () => {
      machines = new Machines(cometbft);
      const { spaces, folder } = machines;
      const hosts = [0, 1, 2, 3].map((at) => spaces.address(at));
      const four = "--validators 4 --authority-nodes 1 --threshold 1 --snapshot-blocks 2";
      machines.play(0, `network init --out metro ${four} --hosts ${hosts.join(",")}`);
      for (const at of hosts.keys()) machines.serve(at, `metro/institution-${at + 1}`);
      const urls = hosts.map((host) => `http://${host}:8080`);
      // Four providers registered, and the committee's keys.
      for (const url of urls) {
        await machines.until("four institutions work", joiner, url, ({ height }) => height >= 4);
      }
      // Nothing of a node but its p2p port is there for others.
      const rpc = machines.command(joiner, `node -e 'fetch("http://${hosts[0]}:26657/status")'`);
      expect([rpc.exitCode === 0, rpc.errors]).toEqual([false, expect.stringContaining("ECONNREFUSED")]);

      const given = "--network metro/institution-1/network.json --genesis metro/genesis.cbor --name oak";
      machines.begin(joiner, [
        "--conditions=chartseal-source",
        liar,
        `${urls[1]}/v1/ledger/light-rpc`,
        "9000",
      ]);
      await machines.until("the liar listens", joiner, "http://127.0.0.1:9000", () => true);
      const windows = [`${urls[0]}/v1/ledger/light-rpc`, "http://127.0.0.1:9000"];
      for (const asked of [windows, [...windows].reverse()]) {
        const lied = machines.command(
          joiner,
          `chartseal network join ${given} --out lied --host ${spaces.address(joiner)} --rpc ${asked.join(",")}`,
        );
        expect([lied.exitCode, lied.errors]).toEqual([4, expect.stringContaining("chain-altered")]);
      }

      const joined = machines.play(
        joiner,
        `network join ${given} --out oak --host ${spaces.address(joiner)} --base-port 26700`,
      );
      expect(joined).toMatchObject({ name: "oak", snapshot: true });
      const { stateSync } = JSON.parse(readFileSync(join(folder, "oak/network.json"), "utf8")) as {
        stateSync: { rpcUrls: string[] };
      };
      expect(stateSync.rpcUrls).toEqual(urls.map((url) => `${url}/v1/ledger/light-rpc`));
      machines.serve(joiner, "oak");
      const own = `http://${spaces.address(joiner)}:26700`;
      await machines.until("oak follows", 0, own, ({ height, catchingUp }) => height >= 4 && !catchingUp);
      // One more block, which it takes with the others.
      machines.play(0, "--home metro/institution-1 member add amy");
      const { height, hash } = machines.health(0, urls[0]!)!;
      const level = await machines.until("oak is level", 0, own, (health) => health.height >= height);
      expect(level.peers).toBe(4);
      if (level.height === height) expect(level.hash).toBe(hash);
      // By a snapshot: what lies before is not there, and what is there is checked, beside the server too.
      const verified = machines.play(joiner, "--home oak verify");
      expect(verified).toMatchObject({ ok: true, findings: [] });
      expect(Number(verified.from)).toBeGreaterThan(1);
      expect(Number(verified.from) + Number(verified.blocks) - 1).toBeGreaterThanOrEqual(height);
      const text = machines.command(joiner, "chartseal --home oak verify").output;
      expect(text).toContain(`Checked from block ${verified.from} on`);
      // What its provider did for a transaction from before is known from the state; for one that never was, it is a finding.
      const line = machines
        .command(0, "chartseal --home metro/institution-1 ledger export")
        .output.split("\n")[0]!;
      const { transactions } = JSON.parse(line) as { transactions: string[] };
      const early = toHex(decodeTransaction(fromHex(transactions[0]!)).identifier);
      const erasedFor = (transaction: string) => {
        const tombstone = {
          kind: "erased",
          recordId: "ab".repeat(32),
          address: "cd".repeat(32),
          transaction,
        };
        mkdirSync(join(folder, "oak/provider/tombstones"), { recursive: true });
        appendFileSync(
          join(folder, "oak/provider/tombstones/tombstones.jsonl"),
          `${JSON.stringify(tombstone)}\n`,
        );
      };
      erasedFor(early);
      expect(machines.play(joiner, "--home oak verify")).toMatchObject({ ok: true, findings: [] });
      erasedFor("ef".repeat(32));
      const lost = machines.command(joiner, "chartseal --home oak forensics --out report --json");
      expect(lost.exitCode).toBe(4);
      const { findings, chain } = JSON.parse(readFileSync(join(folder, "report/report.json"), "utf8"));
      expect(findings).toMatchObject([{ kind: "chain-rollback" }]);
      expect(chain[0]).toMatchObject({ from: verified.from, state: "good" });
      expect(readFileSync(join(folder, "report/report.html"), "utf8")).toContain("begins with a snapshot");
      const exported = machines.command(joiner, "chartseal --home oak ledger export");
      expect([exported.exitCode, exported.errors]).toEqual([2, expect.stringContaining("begins with block")]);
      const log = readFileSync(join(folder, "oak/comet/node.log"), "utf8");
      expect(log).toContain("Snapshot restored");
    });
  });
});
