/**
 * What stands beside a node in a member's process: our application, one that does nothing over the same socket server, or
 * only the client of the application that CometBFT has built in. All are handed transactions in the same way.
 */
import { loadPairing } from "@chartseal/crypto";
import { ledgerRules } from "@chartseal/ledger";
import { type AbciHandler, openComet, serveAbci } from "@chartseal/ledger/comet";
import { Response, ResponseProcessProposal_ProposalStatus } from "cosmjs-types/tendermint/abci/types";
import { Broadcaster } from "./broadcaster.ts";

export const sides = ["ours", "noop", "kvstore"] as const;
export type Side = (typeof sides)[number];

export interface PeerOptions {
  readonly directory: string;
  readonly rpcUrl: string;
  readonly genesis: Uint8Array;
  /** Blocks from one snapshot to the next; default the engine's own. */
  readonly snapshotBlocks?: number;
}

export interface Peer {
  /** Where its node finds its application. */
  readonly application: number | "kvstore";
  /** Once the node is there. */
  connect(): Promise<void>;
  /** Resolves when the transaction is acknowledged as final. */
  submit(transaction: Uint8Array): Promise<unknown>;
  close(): Promise<void>;
}

/** A node that stops because of its application ends the measurement. */
function failed(error: unknown): never {
  throw error;
}

export const openPeer: Readonly<Record<Side, (options: PeerOptions) => Promise<Peer>>> = {
  /** Acknowledged when the block is on the disk together with CometBFT's commit for it, one height later. */
  async ours({ directory, rpcUrl, genesis, snapshotBlocks: blocks }) {
    const rules = ledgerRules(await loadPairing(), genesis);
    const opened = await openComet({
      directory,
      rules,
      rpcUrl,
      abciPort: 0,
      now: Date.now,
      failed,
      waitMs: 600_000,
      ...(blocks === undefined ? {} : { snapshots: { blocks } }),
    });
    return {
      application: opened.abciPort,
      connect: async () => {},
      submit: (transaction) => opened.ledger.submit(transaction),
      close: () => opened.ledger.close(),
    };
  },

  /** Takes every transaction unread, keeps nothing, and acknowledges in Commit. */
  async noop({ rpcUrl }) {
    const client = new Broadcaster(rpcUrl);
    const server = await serveAbci({
      port: 0,
      handle: noopHandler((transactions) => client.committed(transactions)),
      failed,
      connected: () => {},
    });
    return {
      application: server.port,
      connect: async () => {},
      submit: (transaction) => client.submit(transaction),
      close: () => server.close(),
    };
  },

  /** CometBFT's own example in the node's process; acknowledged when the node says that the block is there. */
  async kvstore({ rpcUrl }) {
    const client = new Broadcaster(rpcUrl);
    let socket: WebSocket | undefined;
    return {
      application: "kvstore",
      connect: async () => {
        socket = await newBlocks(rpcUrl, (transactions) => client.committed(transactions));
      },
      submit: (transaction) => client.submit(transaction),
      close: async () => socket?.close(),
    };
  },
};

function noopHandler(committed: (transactions: readonly Uint8Array[]) => void): AbciHandler {
  let height = 0n;
  let decided: readonly Uint8Array[] = [];
  return (request) => {
    if (request.info !== undefined) return Response.fromPartial({ info: { lastBlockHeight: height } });
    if (request.initChain !== undefined) return Response.fromPartial({ initChain: {} });
    if (request.checkTx !== undefined) return Response.fromPartial({ checkTx: { code: 0 } });
    if (request.prepareProposal !== undefined) {
      return Response.fromPartial({ prepareProposal: { txs: request.prepareProposal.txs } });
    }
    if (request.processProposal !== undefined) {
      const status = ResponseProcessProposal_ProposalStatus.ACCEPT;
      return Response.fromPartial({ processProposal: { status } });
    }
    if (request.finalizeBlock !== undefined) {
      height = request.finalizeBlock.height;
      decided = request.finalizeBlock.txs;
      return Response.fromPartial({ finalizeBlock: { txResults: decided.map(() => ({ code: 0 })) } });
    }
    if (request.commit !== undefined) {
      committed(decided);
      return Response.fromPartial({ commit: {} });
    }
    throw new Error("CometBFT asks for what an application that does nothing does not do");
  };
}

interface BlockEvent {
  readonly error?: unknown;
  readonly result?: {
    readonly data?: { readonly value?: { readonly block?: { readonly data?: { txs?: string[] } } } };
  };
}

/** Follows the blocks of a node; resolves when it has said that it will tell of each. */
async function newBlocks(
  rpcUrl: string,
  committed: (transactions: readonly Uint8Array[]) => void,
): Promise<WebSocket> {
  const socket = new WebSocket(`${rpcUrl.replace("http:", "ws:")}/websocket`);
  await new Promise<void>((resolve, reject) => {
    socket.onerror = () => reject(new Error("the node's events cannot be followed"));
    socket.onopen = () => {
      const params = { query: "tm.event='NewBlock'" };
      socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "subscribe", params }));
    };
    socket.onmessage = ({ data }) => {
      const { result, error } = JSON.parse(String(data)) as BlockEvent;
      if (error !== undefined) reject(new Error("the node does not tell of its blocks"));
      resolve();
      committed((result?.data?.value?.block?.data?.txs ?? []).map((tx) => Buffer.from(tx, "base64")));
    };
  });
  return socket;
}
