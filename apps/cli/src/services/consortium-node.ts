/**
 * The ledger of an institution's home: the application in this process, and its CometBFT node as a child, begun with it
 * and ended with it. A node that dies is started again, a few times; one that its application stopped is not.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ChartsealError, fromHex } from "@chartseal/crypto";
import type { Ledger, Rules } from "@chartseal/ledger";
import type { CometNode, CometRpc, OpenedComet } from "@chartseal/ledger/comet";
import type { HomeLock } from "@chartseal/ledger/embedded";
import type { Home } from "../home/home.ts";
import { type NetworkFile, readNetworkFile } from "../home/network-file.ts";
import { findCometbft } from "./cometbft.ts";

/** Waiting for late votes, and the time of a chain on which nothing happens (docs/decisions/comet-engine.md). */
export const networkTimes = { commitMs: 100, emptyBlocksMs: 5_000 };

/** Of what others ask the node for: 256 validators' signatures have some 64 KiB. */
const windowLimits = { msMax: 4_000, bytesMax: 1024 * 1024 };

const readyMsMax = 60_000;
const pollMs = 50;
const restartMs = 1_000;
/** Ends of the node within a minute after which it stays down. */
const endsMax = 5;

export interface ConsortiumNode {
  readonly ledger: Ledger;
  /** For GET /health: how far the node is, and with whom it speaks. */
  health(): Promise<Readonly<Record<string, number | boolean | string>>>;
  /** Asks the node's RPC, within what the server may wait for and hold. @throws ChartsealError `ledger-unreachable` */
  readonly askNode: CometRpc["ask"];
  /** Ends the node; the ledger is closed with it. */
  stop(): Promise<void>;
}

export interface ConsortiumNodeOptions {
  readonly home: Home;
  readonly rules: Rules;
  readonly now: () => number;
  /** The validator's key, which its duties are signed with: evidence of two votes, long absences. */
  readonly validatorSeed: Uint8Array;
  /** Of the home; the caller's. */
  readonly lock: HomeLock;
  /** Told why a node ended, or why its application stopped it. */
  readonly failed: (error: unknown) => void;
}

/** @throws ChartsealError `chain-altered`, `home-busy`; `ledger-unreachable` where the node does not come up */
export async function startConsortiumNode(options: ConsortiumNodeOptions): Promise<ConsortiumNode> {
  const { home, rules, now, lock, failed } = options;
  const network = readNetworkFile(home.paths);
  const program = await findCometbft({ install: true });
  const { CometRpc, openComet, startNode, writeSettings } = await import("@chartseal/ledger/comet");
  const rpcUrl = `http://127.0.0.1:${network.rpcPort}`;
  let stopped = false;
  let broken: unknown;
  const opened = await openComet({
    directory: home.paths.root,
    rules,
    rpcUrl,
    abciPort: 0,
    now,
    lock,
    duties: { seed: options.validatorSeed },
    snapshots: { blocks: network.snapshotBlocks, failed },
    failed: (error) => {
      broken = error;
      failed(error);
    },
  });
  const rpc = new CometRpc(rpcUrl);
  const window = new CometRpc(rpcUrl, windowLimits);
  const { abciPort } = opened;
  const start = (): CometNode => startNode({ program, directory: home.paths.comet, abciPort, failed });
  writeSettings(home.paths.comet, settingsOf(network));
  let node = start();
  const keepUp = async (): Promise<void> => {
    const ends: number[] = [];
    for (;;) {
      const end = await node.ended;
      if (stopped || broken !== undefined) return;
      failed(new ChartsealError("ledger-unreachable", `the CometBFT node ended (${end})`));
      ends.push(performance.now());
      if (ends.filter((at) => at > performance.now() - 60_000).length >= endsMax) return;
      await sleep(restartMs);
      if (!stopped) node = start();
    }
  };
  const kept = keepUp();
  const stop = async (): Promise<void> => {
    stopped = true;
    await node.stop();
    await kept;
    await opened.ledger.close();
  };
  try {
    await ready(rpc, { node, broken: () => broken });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ledger: opened.ledger,
    stop,
    health: () => healthOf(opened, rpc, () => broken),
    askNode: (method, parameters) => window.ask(method, parameters),
  };
}

/** Until the node answers: with its peers away it waits for them, and this does not. */
async function ready(
  rpc: { status(): Promise<unknown> },
  at: { readonly node: CometNode; readonly broken: () => unknown },
): Promise<void> {
  let gone: number | NodeJS.Signals | undefined;
  void at.node.ended.then((end) => {
    gone = end;
  });
  for (const startMs = performance.now(); performance.now() < startMs + readyMsMax; await sleep(pollMs)) {
    const broken = at.broken();
    if (broken !== undefined) throw broken;
    if (gone !== undefined) break;
    if ((await rpc.status().catch(() => undefined)) !== undefined) return;
  }
  throw new ChartsealError("ledger-unreachable", "the CometBFT node does not come up", {
    hint: "See comet/node.log in the institution's folder; another program may use its ports.",
  });
}

async function healthOf(
  { ledger, cometHeight }: OpenedComet,
  rpc: { status(): Promise<{ catchingUp: boolean }>; peers(): Promise<number> },
  broken: () => unknown,
): Promise<Record<string, number | boolean | string>> {
  const stopped = broken();
  if (stopped !== undefined) throw stopped;
  const [{ catchingUp }, peers, { timestampMs }] = await Promise.all([
    rpc.status(),
    rpc.peers(),
    ledger.head(),
  ]);
  return { engine: "comet", cometHeight: cometHeight(), peers, catchingUp, timestampMs };
}

/** What the node is told, from network.json; its peers are all other institutions. */
export function settingsOf(network: NetworkFile) {
  const { name, listen, p2pPort, rpcPort, metricsPort, institutions } = network;
  const peers = institutions.flatMap((one) =>
    one.name === name ? [] : [`${one.nodeId}@${one.p2pHost}:${one.p2pPort}`],
  );
  const { stateSync } = network;
  const own = { moniker: name, p2pHost: listen, p2pPort, rpcPort, metricsPort, peers, ...networkTimes };
  if (stateSync === undefined) return own;
  const { trustHeight, trustHash, rpcUrls } = stateSync;
  const [first, second, ...others] = rpcUrls as [string, string, ...string[]];
  const urls: readonly [string, string, ...string[]] = [first, second, ...others];
  return { ...own, stateSync: { rpcUrls: urls, trustHeight, trustHash: fromHex(trustHash, 32) } };
}
