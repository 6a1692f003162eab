/**
 * The demo's consortium of four institutions under CometBFT: the first one's services run in the demo's own process, the
 * others' in processes of their own, one of which is killed in the middle and comes back.
 */

import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { ChartsealError, equalBytes, hasCode } from "@chartseal/crypto";
import { readCommittee } from "@chartseal/sharing";
import { openHome } from "../home/home.ts";
import { homePaths } from "../home/paths.ts";
import { initNetwork, snapshotBlocksDefault } from "../operations/network.ts";
import { networkDown, networkUp } from "../operations/network-run.ts";
import { isAlive } from "../services/process-life.ts";
import { registerOwnProvider } from "../services/registering.ts";
import { readServerFile } from "../services/server-file.ts";
import { loadProvider } from "../services/service-keys.ts";
import type { OwnSession } from "../services/session.ts";
import { openForWriting } from "../services/writing-session.ts";
import { demoPassphrase } from "./world.ts";

export const institutions = ["institution-1", "institution-2", "institution-3", "institution-4"] as const;
const others = institutions.slice(1);
/** Who votes beside the first: with it they are three of four. */
const voters = others.slice(0, 2);
/** Whose processes are killed. */
export const fallenInstitution = "institution-3";

const readyMsMax = 180_000;
const pollMs = 100;

export class Institutions {
  readonly folder: string;
  #driving: { readonly stop: AbortController; readonly done: Promise<unknown> } | undefined;

  constructor(folder: string) {
    this.folder = join(folder, "network");
    process.once("exit", () => {
      for (const name of others) this.#signal(name, "SIGKILL");
    });
  }

  homeOf(name: string): string {
    return join(this.folder, name);
  }

  /** `chartseal network init`. */
  async make(): Promise<void> {
    await initNetwork(this.folder, {
      name: "metro",
      stakes: institutions.map(() => 10),
      nodes: institutions.length,
      threshold: 3,
      basePort: await freePorts(4 * institutions.length),
      snapshotBlocks: snapshotBlocksDefault,
      passphrase: demoPassphrase,
      now: Date.now,
    });
  }

  /** `chartseal network up` for those that are not this process. */
  async startOthers(only: readonly string[] = others): Promise<void> {
    await networkUp(this.folder, { passphrase: demoPassphrase, only, timeoutMs: readyMsMax, note: () => {} });
  }

  /** What `chartseal serve` does beside answering: the committee's node works, the provider registers itself. */
  async work(session: OwnSession): Promise<void> {
    const { driveNode } = await import("@chartseal/server");
    const stop = new AbortController();
    const { ledger, drivers } = session;
    const failed = (): void => {};
    const drive = (driver: (typeof drivers)[number]) =>
      driveNode({ driver, ledger, signal: stop.signal, failed });
    this.#driving = { stop, done: Promise.all(drivers.map(drive)) };
    await registerOwnProvider(session, await loadProvider(session.vault));
  }

  async rest(): Promise<void> {
    this.#driving?.stop.abort();
    await this.#driving?.done;
    this.#driving = undefined;
  }

  /** Until the nodes have made all three keys. */
  async keysMade({ ledger, pairing }: Pick<OwnSession, "ledger" | "pairing">): Promise<void> {
    for (const start = Date.now(); Date.now() < start + readyMsMax; ) {
      try {
        await readCommittee(ledger, pairing);
        return;
      } catch (error) {
        if (!hasCode(error, "issue-refused")) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
    throw new ChartsealError("defect", `the committee has no keys; see ${this.folder}/*/run/server.log`);
  }

  /** Two others vote for these proposals: `chartseal consortium vote`. */
  async vote(proposals: readonly Uint8Array[]): Promise<void> {
    await Promise.all(
      voters.map(async (name) => {
        const home = openHome(this.homeOf(name));
        const session = await openForWriting(home, { passphrase: demoPassphrase, waitMs: 0 });
        try {
          for (const proposal of proposals) await session.operator.vote(proposal, true);
        } finally {
          await session.close();
        }
      }),
    );
  }

  processOf(name: string): number {
    const pid = readServerFile(homePaths(this.homeOf(name)))?.pid;
    if (pid === undefined) throw new ChartsealError("defect", `no process of ${name} runs`);
    return pid;
  }

  /** The end of a server and its node as a power cut would have it. */
  async kill(name: string): Promise<void> {
    const pid = this.processOf(name);
    this.#signal(name, "SIGKILL");
    for (let tries = 0; tries < 100 && isAlive(pid); tries++) {
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }

  /** Until an institution that came back holds the block that this one has at its head, with the same hash. */
  async hasCaughtUp(name: string, { ledger }: Pick<OwnSession, "ledger">): Promise<number> {
    const { height, hash } = await ledger.head();
    const home = openHome(this.homeOf(name));
    const session = await openForWriting(home, { passphrase: demoPassphrase, waitMs: 0 });
    try {
      for (const start = Date.now(); Date.now() < start + readyMsMax; ) {
        const theirs = await session.ledger.block(height).catch(() => undefined);
        if (theirs !== undefined) {
          if (equalBytes(theirs.hash, hash)) return height;
          throw new ChartsealError("defect", `${name} holds another block ${height}`);
        }
        await new Promise((resolve) => setTimeout(resolve, pollMs));
      }
    } finally {
      await session.close();
    }
    throw new ChartsealError("defect", `${name} did not catch up`);
  }

  async stop(): Promise<void> {
    await this.rest();
    await networkDown(this.folder, { only: others, timeoutMs: 30_000 });
  }

  /** To the server and its node: each server leads a group of its own. */
  #signal(name: string, signal: NodeJS.Signals): void {
    const pid = readServerFile(homePaths(this.homeOf(name)))?.pid;
    if (pid === undefined || !isAlive(pid)) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // It ended meanwhile.
    }
  }
}

/** The first of as many ports in a row that nothing listens on; another program may take one meanwhile. */
async function freePorts(count: number): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const first =
      20_000 + (Math.floor(performance.now() * 7919 + process.pid * 104_729) % 10_000) + tries * count;
    const servers = await Promise.all(Array.from({ length: count }, (_, at) => listening(first + at)));
    await Promise.all(servers.map(async (server) => server && (await once(server.close(), "close"))));
    if (servers.every((server) => server !== undefined)) return first;
  }
  throw new ChartsealError("defect", "no free ports in a row");
}

async function listening(port: number): Promise<Server | undefined> {
  const server = createServer();
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return server;
  } catch {
    return undefined;
  }
}
