/**
 * The files of a CometBFT node: its genesis, which carries ours, its keys and its configuration. What a consortium must agree
 * on stands in the genesis; all validators write the same bytes.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ed25519KeyPairFromSeed, toHex } from "@chartseal/crypto";
import { cometValidators, type StakedValidator } from "../commit.ts";
import { cometAddress } from "../light/hashes.ts";
import { formatTime } from "../light/time.ts";
import { cometChainId } from "../light/types.ts";
import { blockBytesMax } from "./application.ts";
import { broadcastMax } from "./rpc.ts";

export interface CometGenesis {
  readonly chainId: Uint8Array;
  readonly genesis: Uint8Array;
  readonly createdMs: number;
  readonly validators: readonly StakedValidator[];
}

export interface NodeSettings {
  readonly moniker: string;
  readonly rpcPort: number;
  readonly p2pPort: number;
  /** The address on which other nodes reach this one; loopback where it is left out. Its RPC stays on loopback. */
  readonly p2pHost?: string;
  /** Other nodes, as NODE-ID@HOST:PORT. */
  readonly peers: readonly string[];
  /** How long a block waits for the votes of those who are late. */
  readonly commitMs: number;
  /** How often there is a block though nothing happened, so that the chain's time goes on; 0 for never. */
  readonly emptyBlocksMs: number;
  /** CometBFT's own metrics for Prometheus, on loopback; not served where it is left out. */
  readonly metricsPort?: number;
  /** A new node fetches a snapshot from its peers instead of playing all blocks. Of no effect once it holds a height. */
  readonly stateSync?: StateSyncSettings | undefined;
}

export interface StateSyncSettings {
  /** RPC of other nodes for CometBFT's light client, at least two, or one twice. */
  readonly rpcUrls: readonly [string, string, ...string[]];
  /** From `trustFromGenesis`. */
  readonly trustHeight: number;
  readonly trustHash: Uint8Array;
}

/** Institutions that dial this node: all of a large consortium's, and those that came later, whom it does not know. */
const inboundPeersMax = 256;

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
const upperHex = (bytes: Uint8Array) => toHex(bytes).toUpperCase();

/**
 * How long a node waits before it looks again for what a peer lacks, and before it sends what is not yet a packet's worth.
 * CometBFT's own 100 ms each lie before every proposal and vote, and a transaction is final after two heights of them.
 */
const gossipMs = 25;
const flushMs = 10;

/** Days for which two votes of a validator can be shown, and with them the trust period of light clients. */
const evidenceDays = 14;
export const trustPeriodMs = evidenceDays * 86_400_000;

export function cometGenesisJson({ chainId, genesis, createdMs, validators }: CometGenesis): object {
  return {
    genesis_time: formatTime({
      seconds: Math.floor(createdMs / 1_000),
      nanos: (createdMs % 1_000) * 1_000_000,
    }),
    chain_id: cometChainId(toHex(chainId)),
    initial_height: "1",
    consensus_params: {
      // Room for the header, the commit and the encoding beside the transactions.
      block: { max_bytes: String(blockBytesMax + 256 * 1024), max_gas: "-1" },
      evidence: {
        max_age_num_blocks: "1000000",
        max_age_duration: String(trustPeriodMs * 1_000_000),
        max_bytes: "65536",
      },
      validator: { pub_key_types: ["ed25519"] },
      version: { app: "1" },
      abci: { vote_extensions_enable_height: "0" },
    },
    validators: cometValidators(validators).map(({ publicKey, power }) => ({
      address: upperHex(cometAddress(publicKey)),
      pub_key: { type: "tendermint/PubKeyEd25519", value: base64(publicKey) },
      power: String(power),
      name: "",
    })),
    app_hash: "",
    app_state: { genesis: toHex(genesis) },
  };
}

/** A node's name among its peers. */
export function nodeIdOf(nodeSeed: Uint8Array): string {
  return toHex(cometAddress(ed25519KeyPairFromSeed(nodeSeed).publicKey));
}

/** Writes `config/` and `data/` below a folder that has none. The keys' files are the owner's alone. */
export function writeNodeFiles(
  directory: string,
  node: {
    readonly genesis: CometGenesis;
    readonly settings: NodeSettings;
    readonly validatorSeed: Uint8Array;
    readonly nodeSeed: Uint8Array;
  },
): void {
  for (const folder of ["config", "data"])
    mkdirSync(join(directory, folder), { recursive: true, mode: 0o700 });
  const write = (path: string, value: object) =>
    writeFileSync(join(directory, path), `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600, flag: "wx" });
  const { publicKey } = ed25519KeyPairFromSeed(node.validatorSeed);
  write("config/priv_validator_key.json", {
    address: upperHex(cometAddress(publicKey)),
    pub_key: { type: "tendermint/PubKeyEd25519", value: base64(publicKey) },
    priv_key: privateKey(node.validatorSeed),
  });
  write("config/node_key.json", { priv_key: privateKey(node.nodeSeed) });
  write("config/genesis.json", cometGenesisJson(node.genesis));
  write("data/priv_validator_state.json", { height: "0", round: 0, step: 0 });
  writeSettings(directory, node.settings);
}

function privateKey(seed: Uint8Array): object {
  const { publicKey } = ed25519KeyPairFromSeed(seed);
  return { type: "tendermint/PrivKeyEd25519", value: base64(Buffer.concat([seed, publicKey])) };
}

/** What a node needs that differs from CometBFT's own defaults; may be written again while the node is down. */
export function writeSettings(directory: string, settings: NodeSettings): void {
  const {
    moniker,
    rpcPort,
    p2pPort,
    p2pHost = "127.0.0.1",
    peers,
    commitMs,
    emptyBlocksMs,
    metricsPort,
  } = settings;
  const text = `# Written by chartseal; what is not here is CometBFT's own default.
moniker = ${JSON.stringify(moniker)}
log_level = "info"
log_format = "json"

[rpc]
laddr = "tcp://127.0.0.1:${rpcPort}"
max_request_batch_size = ${broadcastMax}

[p2p]
laddr = "tcp://${p2pHost}:${p2pPort}"
persistent_peers = ${JSON.stringify(peers.join(","))}
addr_book_strict = false
allow_duplicate_ip = true
max_num_inbound_peers = ${inboundPeersMax}
pex = false
flush_throttle_timeout = "${flushMs}ms"

[mempool]
size = 20000
max_tx_bytes = 262144
max_txs_bytes = 67108864

[consensus]
timeout_propose = "1s"
timeout_propose_delta = "500ms"
timeout_prevote = "500ms"
timeout_precommit = "500ms"
timeout_commit = "${commitMs}ms"
# Nobody is waited for where all have voted.
skip_timeout_commit = true
peer_gossip_sleep_duration = "${gossipMs}ms"
create_empty_blocks = ${emptyBlocksMs > 0}
create_empty_blocks_interval = "${emptyBlocksMs}ms"

${stateSyncText(settings.stateSync)}
[tx_index]
indexer = "null"

[instrumentation]
prometheus = ${metricsPort !== undefined}
prometheus_listen_addr = "127.0.0.1:${metricsPort ?? 0}"
`;
  writeFileSync(join(directory, "config", "config.toml"), text, { mode: 0o600 });
}

function stateSyncText(stateSync: StateSyncSettings | undefined): string {
  if (stateSync === undefined) return "[statesync]\nenable = false\n";
  const { rpcUrls, trustHeight, trustHash } = stateSync;
  return `[statesync]
enable = true
rpc_servers = ${JSON.stringify(rpcUrls.join(","))}
trust_height = ${trustHeight}
trust_hash = "${upperHex(trustHash)}"
trust_period = "${evidenceDays * 24}h0m0s"
discovery_time = "5s"
chunk_request_timeout = "10s"
chunk_fetchers = "4"
`;
}
