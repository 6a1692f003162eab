/**
 * network join: a home for an institution that comes later, with keys that it makes itself. Its node begins with a snapshot
 * where the chain is long enough to have one, checked from the genesis on, and else plays all blocks. It follows and serves
 * the ledger from then on; a vote makes it a validator.
 */
import { existsSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ChartsealError, ed25519KeyPairFromSeed, randomBytes, toHex } from "@chartseal/crypto";
import { chainIdOf, decodeGenesis } from "@chartseal/ledger";
import { newIdentitySeeds } from "@chartseal/sharing";
import { makeFolder, writeJson, writeSmallFile } from "../home/files.ts";
import type { HomeConfig } from "../home/home.ts";
import { KeyVault } from "../home/key-vault.ts";
import { type Institution, type NetworkFile, writeNetworkFile } from "../home/network-file.ts";
import { homePaths } from "../home/paths.ts";
import { saveAddresses } from "../services/authority-nodes.ts";
import { settingsOf } from "../services/consortium-node.ts";
import { openObjectStores } from "../services/provider-stores.ts";
import { saveProviderSeeds, saveValidatorSeed } from "../services/service-keys.ts";
import { checkNewHome } from "./init.ts";
import { fromHexKey } from "./network.ts";

export interface JoinOptions {
  /** Another institution's, and the genesis that it works by. */
  readonly network: NetworkFile;
  readonly genesis: Uint8Array;
  readonly name: string;
  /** Where this one is reached; undefined: this machine alone. */
  readonly host?: string;
  readonly basePort: number;
  /** RPC of other institutions' nodes, for the headers that a snapshot is checked by; default: beside their p2p ports. */
  readonly rpcUrls?: readonly string[];
  readonly passphrase: string;
  readonly now: () => number;
}

export interface Joined {
  readonly name: string;
  readonly home: string;
  readonly url: string;
  readonly chainId: string;
  /** Its validator's key, which a vote admits. */
  readonly validator: string;
  /** Whether its node begins with a snapshot. */
  readonly snapshot: boolean;
}

/** @throws ChartsealError `input-invalid`, before anything is made */
export function checkJoin({
  network,
  name,
  basePort,
}: Pick<JoinOptions, "network" | "name" | "basePort">): void {
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(name)) {
    throw new ChartsealError("input-invalid", "--name takes lower-case letters, digits and hyphens");
  }
  if (network.institutions.some((one) => one.name === name)) {
    throw new ChartsealError("input-invalid", `there is an institution ${name} already`);
  }
  if (basePort < 1 || basePort > 65_531)
    throw new ChartsealError("input-invalid", "--base-port leaves no room");
}

/** @throws ChartsealError `home-exists`, `input-invalid`, `chain-altered`, `ledger-unreachable` where nobody answers */
export async function joinNetwork(folder: string, options: JoinOptions): Promise<Joined> {
  checkNewHome(folder);
  checkJoin(options);
  const stateSync = await snapshotTrust(options);
  const draft = join(dirname(folder), `.${basename(folder)}.${process.pid}.init`);
  rmSync(draft, { recursive: true, force: true });
  makeFolder(draft);
  try {
    const made = await build(draft, options, stateSync);
    if (existsSync(folder)) rmdirSync(folder);
    renameSync(draft, folder);
    return { ...made, home: folder };
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    throw error;
  }
}

/** What the node's state sync may trust; undefined while the chain is too short to have a snapshot at every node. */
async function snapshotTrust(options: JoinOptions): Promise<NetworkFile["stateSync"]> {
  const { network, genesis, now } = options;
  const { trustFromGenesis } = await import("@chartseal/ledger/comet");
  const heights = await Promise.all(network.institutions.map(({ url }) => heightOf(url)));
  const height = Math.max(0, ...heights.flatMap((one) => one ?? []));
  if (height === 0) {
    throw new ChartsealError("ledger-unreachable", "no institution of the network answers", {
      hint: "Start them, or ask their operators; their addresses are in the network.json that was given.",
    });
  }
  if (height < 2 * network.snapshotBlocks) return undefined;
  const beside = network.institutions.map(({ p2pHost, p2pPort }) => `http://${p2pHost}:${p2pPort + 1}`);
  const [first, second = first, ...others] = options.rpcUrls ?? beside;
  const rpcUrls = [first!, second!, ...others];
  const { validators } = decodeGenesis(genesis);
  const chainId = chainIdOf(genesis);
  const trust = await trustFromGenesis({ chainId, validators, rpcUrls: [...new Set(rpcUrls)], nowMs: now() });
  return { rpcUrls, trustHeight: trust.height, trustHash: toHex(trust.hash) };
}

async function heightOf(url: string): Promise<number | undefined> {
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(5_000) });
    const { roles } = (await response.json()) as { roles?: { ledger?: { height?: unknown } } };
    const height = roles?.ledger?.height;
    return typeof height === "number" ? height : undefined;
  } catch {
    return undefined;
  }
}

async function build(
  folder: string,
  options: JoinOptions,
  stateSync: NetworkFile["stateSync"],
): Promise<Omit<Joined, "home">> {
  const { nodeIdOf, writeNodeFiles } = await import("@chartseal/ledger/comet");
  const { network, genesis, name, host, basePort, passphrase } = options;
  const paths = homePaths(folder);
  const [validatorSeed, nodeSeed, providerSeeds] = [randomBytes(32), randomBytes(32), newIdentitySeeds()];
  const keyOf = (seed: Uint8Array): string => toHex(ed25519KeyPairFromSeed(seed).publicKey);
  const own: Institution = {
    name,
    url: `http://${host ?? "127.0.0.1"}:${basePort}`,
    nodeId: nodeIdOf(nodeSeed),
    p2pHost: host ?? "127.0.0.1",
    p2pPort: basePort + 1,
    validator: keyOf(validatorSeed),
    provider: keyOf(providerSeeds.seed),
    authority: null,
  };
  const file: NetworkFile = {
    version: 1,
    name,
    listen: host === undefined ? "127.0.0.1" : "0.0.0.0",
    serverPort: basePort,
    p2pPort: basePort + 1,
    rpcPort: basePort + 2,
    metricsPort: basePort + 3,
    provider: network.provider,
    snapshotBlocks: network.snapshotBlocks,
    institutions: [...network.institutions, own],
    ...(stateSync === undefined ? {} : { stateSync }),
  };
  const { name: consortium, createdMs, validators, nodeCount: nodes, threshold } = decodeGenesis(genesis);
  const vault = await KeyVault.create(paths.service, passphrase);
  await saveValidatorSeed(vault, validatorSeed);
  await saveProviderSeeds(vault, providerSeeds);
  saveAddresses(
    { paths },
    network.institutions.flatMap(({ authority, url }) =>
      authority === null ? [] : [{ publicKey: fromHexKey(authority), url }],
    ),
  );
  writeNetworkFile(paths, file);
  const chainId = chainIdOf(genesis);
  writeNodeFiles(paths.comet, {
    genesis: { chainId, genesis, createdMs, validators },
    settings: settingsOf(file),
    validatorSeed,
    nodeSeed,
  });
  await openObjectStores(paths);
  writeSmallFile(paths.genesis, genesis);
  const config = {
    version: 1,
    consortium,
    chainId: toHex(chainId),
    nodes,
    threshold,
    engine: "comet",
  } as const;
  writeJson(paths.config, config satisfies HomeConfig);
  const { url, validator } = own;
  return { name, url, chainId: toHex(chainId), validator, snapshot: stateSync !== undefined };
}
