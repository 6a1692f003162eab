/**
 * One validator's application in a process of its own, of which the node is this process: it is asked over its socket what a
 * node asks, without a node's own work and waiting.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AbciClient } from "./abci-client.ts";
import { MemberProcess } from "./member-process.ts";
import type { ChainStart } from "./nodes.ts";

/** What it is opened with again and again. */
export interface LoneMemberOptions {
  readonly directory: string;
  readonly rpcUrl: string;
  readonly start: ChainStart;
}

export interface OpenMember {
  readonly node: AbciClient;
  close(): Promise<void>;
}

/** `snapshotBlocks`: from one snapshot to the next, 0 for none. */
export async function openMember(options: LoneMemberOptions, snapshotBlocks: number): Promise<OpenMember> {
  const { directory, rpcUrl, start } = options;
  const member = new MemberProcess();
  try {
    const port = await member.open("ours", { directory, rpcUrl, genesis: start.genesis, snapshotBlocks });
    const node = await AbciClient.connect(Number(port));
    const close = async (): Promise<void> => {
      node.close();
      await member.close();
    };
    return { node, close };
  } catch (error) {
    await member.close();
    throw error;
  }
}

export interface SnapshotTimes {
  readonly takingMs: number;
  /** Into an application that has nothing, every chunk and the state root checked. */
  readonly loadingMs: number;
  readonly bytes: number;
}

/** Takes a snapshot of a closed member's state and loads it into a new one in `folder`, chunk by chunk, as state sync does. */
export async function throughSnapshot(options: LoneMemberOptions, folder: string): Promise<SnapshotTimes> {
  const from = await openMember(options, 1);
  const into = await openMember({ ...options, directory: join(folder, "joined") }, 0);
  try {
    const start = performance.now();
    const info = (await from.node.ask({ info: {} })).info!;
    const snapshot = await newest(from.node, info.lastBlockHeight);
    const takingMs = performance.now() - start;
    let bytes = 0;
    const before = performance.now();
    const offered = await into.node.ask({ offerSnapshot: { snapshot, appHash: info.lastBlockAppHash } });
    demand(offered.offerSnapshot?.result === 1, "a snapshot is accepted");
    for (let chunk = 0; chunk < snapshot.chunks; chunk++) {
      const { height, format } = snapshot;
      const { loadSnapshotChunk } = await from.node.ask({ loadSnapshotChunk: { height, format, chunk } });
      bytes += loadSnapshotChunk!.chunk.length;
      const asked = { index: chunk, chunk: loadSnapshotChunk!.chunk, sender: "" };
      const { applySnapshotChunk } = await into.node.ask({ applySnapshotChunk: asked });
      demand(applySnapshotChunk?.result === 1, "a chunk is accepted");
    }
    const loadingMs = performance.now() - before;
    const joined = (await into.node.ask({ info: {} })).info!;
    demand(joined.lastBlockHeight === info.lastBlockHeight, "the new member is where the other one is");
    return { takingMs, loadingMs, bytes };
  } finally {
    await from.close();
    await into.close();
  }
}

async function newest(node: AbciClient, height: bigint) {
  for (;;) {
    const { listSnapshots } = await node.ask({ listSnapshots: {} });
    const snapshot = listSnapshots?.snapshots.find((one) => one.height === height);
    if (snapshot !== undefined) return snapshot;
    await sleep(20);
  }
}

export function demand(holds: boolean, sentence: string): asserts holds {
  if (!holds) throw new Error(`the measurement is not what it should be: ${sentence} does not hold`);
}
