/**
 * What a node may trust that begins with a snapshot of the others: a recent header, followed from the genesis on. For one that
 * joins, and for one that begins anew.
 */
import { ChartsealError, toHex } from "@chartseal/crypto";
import { chainIdOf, decodeGenesis } from "@chartseal/ledger";
import type { NetworkFile } from "../home/network-file.ts";
import { healthAt, numberOr } from "./network-run.ts";

export interface SnapshotTrustOptions {
  /** The institutions that are asked: not the node's own. */
  readonly institutions: NetworkFile["institutions"];
  readonly snapshotBlocks: number;
  readonly genesis: Uint8Array;
  /** Where the headers are asked for that a snapshot is checked by, CometBFT's RPC; default: the others' servers. */
  readonly rpcUrls?: readonly string[];
  readonly now: () => number;
}

/**
 * Undefined while the chain is too short to have a snapshot at every node.
 * @throws ChartsealError `ledger-unreachable` where nobody answers, `chain-altered` where it does not follow from the genesis
 */
export async function snapshotTrust(options: SnapshotTrustOptions): Promise<NetworkFile["stateSync"]> {
  const { institutions, snapshotBlocks, genesis, now } = options;
  const { trustFromGenesis } = await import("@chartseal/ledger/comet");
  const answers = await Promise.all(institutions.map(({ url }) => healthAt(url)));
  const height = Math.max(0, ...answers.map((one) => numberOr(one?.roles?.ledger?.height) ?? 0));
  if (height === 0) {
    throw new ChartsealError("ledger-unreachable", "no institution of the network answers", {
      hint: "Start them, or ask their operators; their addresses are in the network.json that was given.",
    });
  }
  if (height < 2 * snapshotBlocks) return undefined;
  // Their servers' window on their nodes' headers; the nodes' own RPC is on loopback.
  const windows = institutions.flatMap(({ url }, at) =>
    answers[at] === undefined ? [] : [`${url}/v1/ledger/light-rpc`],
  );
  const { validators } = decodeGenesis(genesis);
  const asked = {
    chainId: chainIdOf(genesis),
    validators,
    rpcUrls: options.rpcUrls ?? windows,
    nowMs: now(),
  };
  const { height: trustHeight, hash, rpcUrls } = await trustFromGenesis(asked);
  // CometBFT's light client wants a second to compare with, be it the same.
  const [first, second = first] = rpcUrls;
  return { rpcUrls: [first!, second!, ...rpcUrls.slice(2)], trustHeight, trustHash: toHex(hash) };
}
