/**
 * Opens the ledger of a validator's folder: the application listens for its CometBFT node, and the ledger is answered as
 * soon as the node is there. The node is another process, begun after this (node-process.ts).
 */
import { ChartsealError } from "@chartseal/crypto";
import { type Rules, stateAt } from "../machine.ts";
import { type HomeLock, tryHomeLock } from "../store/lock.ts";
import { serveAbci } from "./abci-server.ts";
import { Application } from "./application.ts";
import { CometStore } from "./comet-store.ts";
import { Duties, type DutiesParts } from "./duties.ts";
import { CometLedger } from "./ledger.ts";
import { CometRpc } from "./rpc.ts";
import type { SnapshotOptions } from "./snapshots.ts";

export interface CometOptions {
  /** Holds `ledger/comet.sqlite`. */
  readonly directory: string;
  /** Of the genesis that the node's own carries. */
  readonly rules: Rules;
  /** The node's RPC, e.g. http://127.0.0.1:26657. */
  readonly rpcUrl: string;
  /** Where the application listens for its node, on loopback; 0 for any free port. */
  readonly abciPort: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Learns why the node was stopped, where it was. */
  readonly failed: (error: unknown) => void;
  /** The lock of `directory`, where the caller holds it and keeps it afterwards. */
  readonly lock?: HomeLock;
  /** How long a submit waits for its block: default 60 s. */
  readonly waitMs?: number;
  /** Given for a ledger with the rules of stake: this process does a validator's duties (duties.ts). */
  readonly snapshots?: SnapshotOptions;
  readonly duties?: Pick<DutiesParts, "seed" | "report">;
}

export interface OpenedComet {
  readonly ledger: CometLedger;
  readonly abciPort: number;
  /** CometBFT's height that is on this node's disk. */
  cometHeight(): number;
}

/** @throws ChartsealError `chain-altered`, `home-busy`, `ledger-unreachable` */
export async function openComet(options: CometOptions): Promise<OpenedComet> {
  const own = options.lock === undefined ? tryHomeLock(options.directory) : undefined;
  if (options.lock === undefined && own === undefined) {
    throw new ChartsealError("home-busy", "another process runs this ledger");
  }
  try {
    return await openLocked(options, () => own?.release());
  } catch (error) {
    own?.release();
    throw error;
  }
}

async function openLocked(options: CometOptions, release: () => void): Promise<OpenedComet> {
  const { directory, rules, now, failed } = options;
  const store = CometStore.open(directory, rules);
  try {
    // The application speaks only once its node connects, which is after all of this.
    const rpc = new CometRpc(options.rpcUrl);
    const duties =
      options.duties &&
      new Duties({
        ...options.duties,
        chainId: rules.chainId,
        rpc,
        now,
        state: (head) => stateAt(store.chain.tree(head.height), head),
        head: () => application.head,
        submit: (transaction) => ledger.submit(transaction),
      });
    const application: Application = new Application(
      { store, rules, now, snapshots: options.snapshots },
      {
        committed: (_, made) => ledger.committed(made),
        refused: (key, reason) => ledger.refused(key, reason),
        ...(duties && {
          observed: (seen) => duties.observed(seen),
          attested: (message) => duties.attested(message),
          isWanted: (message) => duties.isWanted(message),
        }),
        restored: () => ledger.committed(undefined),
      },
    );
    const handle = (request: Parameters<Application["handle"]>[0]) => application.handle(request);
    const server = await serveAbci({
      port: options.abciPort,
      handle,
      failed,
      connected: () => application.connected(),
    });
    const ledger: CometLedger = new CometLedger({
      store,
      rules,
      application,
      rpc,
      waitMs: options.waitMs ?? 60_000,
      release: async () => {
        duties?.close();
        await server.close();
        await application.close();
        release();
      },
    });
    return { ledger, abciPort: server.port, cometHeight: () => store.cometHeight() };
  } catch (error) {
    store.close();
    throw error;
  }
}
