/**
 * One authority node's process: its host, its ledger over HTTP, and its driver at work, until it is told to stop. It
 * trusts the genesis that its institution was given and nothing that the ledger's server says without a proof.
 */
import { readFileSync } from "node:fs";
import { ChartsealError, equalBytes, loadPairing } from "@chartseal/crypto";
import { decodeGenesis, ledgerRules } from "@chartseal/ledger";
import { takeHomeLock } from "@chartseal/ledger/embedded";
import { NodeDriver, readAccount } from "@chartseal/sharing";
import { type NodeHome, openNodeKeys, saveNodeLedger } from "../home/node-home.ts";
import { VaultNodeStore } from "../services/node-store.ts";

export interface ServeNodeOptions {
  readonly passphrase: string;
  /** Address of the ledger, and the genesis; both may be left out where they were given before. */
  readonly ledger?: string;
  readonly genesis?: Uint8Array;
  readonly host?: string;
  readonly port?: number;
  readonly version: string;
  readonly waitMs: number;
  readonly log: { write(line: string): void };
}

export interface ServingNode {
  readonly address: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** @throws ChartsealError `input-invalid` for a file that cannot be read, or is no genesis */
export function readGenesisFile(file: string): Uint8Array {
  try {
    const bytes = Uint8Array.from(readFileSync(file));
    decodeGenesis(bytes);
    return bytes;
  } catch (cause) {
    throw new ChartsealError("input-invalid", `${file} is no genesis that can be read`, { cause });
  }
}

/** Where the node's ledger is. @throws ChartsealError `input-invalid` for none, or another chain than before */
export function ledgerOf(
  home: NodeHome,
  given: Pick<ServeNodeOptions, "ledger" | "genesis">,
): { readonly ledger: string; readonly genesis: Uint8Array } {
  const ledger = given.ledger ?? home.ledger;
  const genesis = given.genesis ?? home.genesis;
  if (ledger === null || genesis === undefined) {
    throw new ChartsealError("input-invalid", "the node was not told its ledger yet", {
      hint: "Give --ledger URL and --genesis FILE, the consortium's genesis.cbor.",
    });
  }
  if (home.genesis !== undefined && !equalBytes(home.genesis, genesis)) {
    throw new ChartsealError("input-invalid", "this node works for another consortium", {
      hint: "Make a node of its own for each, with chartseal authority init.",
    });
  }
  return { ledger, genesis };
}

export async function serveNode(home: NodeHome, options: ServeNodeOptions): Promise<ServingNode> {
  const { passphrase, version, waitMs, log } = options;
  const { ledger: url, genesis } = ledgerOf(home, options);
  const lock = await takeHomeLock(home.folder, waitMs);
  try {
    const [pairing, keys] = await Promise.all([loadPairing(), openNodeKeys(home, passphrase)]);
    saveNodeLedger(home, url, genesis);
    const [{ Connection, HttpLedger }, { nodeTransport }, server] = await Promise.all([
      import("@chartseal/server/client"),
      import("@chartseal/server/client-node"),
      import("@chartseal/server"),
    ]);
    const now = (): number => Date.now();
    const transport = nodeTransport();
    const connection = new Connection({ url, transport, now, unreachable: "ledger-unreachable" });
    const ledger = new HttpLedger({ connection, rules: ledgerRules(pairing, genesis) });
    const store = new VaultNodeStore(keys.vault, "store");
    const driver = new NodeDriver({ pairing, ledger, now }, { identity: keys.identity, store });
    const { host, port } = options;
    const listen = { ...(host === undefined ? {} : { host }), ...(port === undefined ? {} : { port }) };
    const served = await server.startHost({
      config: server.parseConfig({ roles: ["authority"], listen }),
      roles: [server.authorityRole({ nodes: [driver] })],
      version,
      log,
      logLevel: "warn",
      logStacks: process.env.CHARTSEAL_DEBUG === "1",
      accountKey: async (account) => (await readAccount(ledger, account))?.publicKey,
      now,
    });
    const stopping = new AbortController();
    const failed = reporter(log);
    const driving = server.driveNode({ driver, ledger, signal: stopping.signal, failed });
    return {
      address: served.url,
      port: served.port,
      async stop() {
        stopping.abort();
        await served.close();
        await driving;
        await ledger.close();
        transport.close();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** One line where a thing fails anew; a ledger that stays away is said once. */
function reporter(log: ServeNodeOptions["log"]): (error: unknown) => void {
  let last = "";
  return (error) => {
    const code = error instanceof ChartsealError ? error.code : "defect";
    const detail = error instanceof ChartsealError ? error.message : "unexpected";
    if (`${code} ${detail}` === last) return;
    last = `${code} ${detail}`;
    log.write(`${JSON.stringify({ level: 40, time: Date.now(), msg: "the node waits", code, detail })}\n`);
  };
}
