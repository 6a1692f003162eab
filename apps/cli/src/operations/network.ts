/**
 * network: a consortium of institutions, each with a home of its own: made in one go on one machine, started, looked at
 * and stopped there. Each home can be carried to its institution's machine: nothing in it names another's folder.
 */
import { existsSync, readdirSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ChartsealError, ed25519KeyPairFromSeed, fromHex, randomBytes, toHex } from "@chartseal/crypto";
import { accountOf, chainIdOf, defaultParameters, encodeGenesis } from "@chartseal/ledger";
import { type IdentitySeeds, newIdentitySeeds } from "@chartseal/sharing";
import { makeFolder, writeJson, writeSmallFile } from "../home/files.ts";
import type { HomeConfig } from "../home/home.ts";
import { KeyVault } from "../home/key-vault.ts";
import { type Institution, type NetworkFile, writeNetworkFile } from "../home/network-file.ts";
import { homePaths } from "../home/paths.ts";
import { saveAddresses } from "../services/authority-nodes.ts";
import { settingsOf } from "../services/consortium-node.ts";
import { openObjectStores } from "../services/provider-stores.ts";
import { dropFirstShares, saveProviderSeeds, saveValidatorSeed } from "../services/service-keys.ts";
import { checkNewHome } from "./init.ts";

/** Ports of each institution where all are on one machine: server, node among nodes, its RPC, its metrics. */
const portsEach = 4;
/** Where each has a machine: as CometBFT's own defaults, and the server's. */
const hostPorts = { serverPort: 8080, p2pPort: 26_656, rpcPort: 26_657, metricsPort: 26_660 };
export const basePortDefault = 26_600;
export const snapshotBlocksDefault = 1_000;

export interface NetworkInit {
  readonly name: string;
  /** Stake of each institution's validator; as many as there are institutions. */
  readonly stakes: readonly number[];
  /** Institutions of the first ones that run a node of the committee, and how many of those issue a key together. */
  readonly nodes: number;
  readonly threshold: number;
  /** Where each one's machine is reached; none: all on this one. */
  readonly hosts?: readonly string[];
  readonly basePort: number;
  /** Blocks from one snapshot to the next. */
  readonly snapshotBlocks: number;
  readonly passphrase: string;
  readonly now: () => number;
}

export interface NetworkMade {
  readonly consortium: string;
  readonly chainId: string;
  readonly institutions: readonly { readonly name: string; readonly home: string; readonly url: string }[];
}

/** @throws ChartsealError `input-invalid`, before anything is made */
export function checkNetworkInit(wanted: Omit<NetworkInit, "passphrase" | "now">): void {
  const refuse = (message: string): never => {
    throw new ChartsealError("input-invalid", message);
  };
  const { name, stakes, nodes, threshold, hosts, basePort, snapshotBlocks } = wanted;
  if (name.length < 1 || name.length > 128 || !name.isWellFormed()) {
    refuse("a consortium's name has 1 to 128 characters");
  }
  if (snapshotBlocks < 1 || snapshotBlocks > 1_000_000) refuse("--snapshot-blocks takes 1 to 1000000");
  if (stakes.length < 1 || stakes.length > 64) refuse("a network has 1 to 64 validators");
  if (!stakes.every((stake) => Number.isSafeInteger(stake) && stake > 0 && stake <= 1_000_000_000)) {
    refuse("a stake is a whole number from 1 to 1000000000");
  }
  if (nodes < 1 || nodes > stakes.length || threshold < 1 || threshold > nodes) {
    refuse("the authority has 1 to as many nodes as there are institutions, and a threshold of 1 to that");
  }
  if (hosts !== undefined) {
    if (hosts.length !== stakes.length) refuse("--hosts takes one host for each validator");
    if (!hosts.every((host) => /^[A-Za-z0-9.:[\]-]{1,253}$/.test(host)))
      refuse("--hosts takes names or addresses");
  }
  if (basePort < 1 || basePort + portsEach * stakes.length > 65_536)
    refuse("--base-port leaves no room for all ports");
}

interface Draft {
  readonly institution: Institution;
  readonly file: Omit<NetworkFile, "institutions">;
  readonly stake: number;
  readonly validatorSeed: Uint8Array;
  readonly nodeSeed: Uint8Array;
  readonly providerSeeds: IdentitySeeds;
  /** Undefined where it runs no node of the committee. */
  readonly authoritySeed: Uint8Array | undefined;
}

/** @throws ChartsealError `home-exists`, `input-invalid` */
export async function initNetwork(folder: string, options: NetworkInit): Promise<NetworkMade> {
  checkNewHome(folder);
  checkNetworkInit(options);
  const draft = join(dirname(folder), `.${basename(folder)}.${process.pid}.init`);
  try {
    rmSync(draft, { recursive: true, force: true });
    makeFolder(draft);
  } catch (cause) {
    throw new ChartsealError("input-invalid", `no folder can be made in ${dirname(folder)}`, { cause });
  }
  try {
    const made = await build(draft, options);
    if (existsSync(folder)) rmdirSync(folder);
    renameSync(draft, folder);
    const institutions = made.institutions.map((one) => ({ ...one, home: join(folder, one.name) }));
    return { ...made, institutions };
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    throw error;
  }
}

async function build(folder: string, options: NetworkInit): Promise<NetworkMade> {
  const { nodeIdOf } = await import("@chartseal/ledger/comet");
  const { name, now, threshold } = options;
  const drafts = options.stakes.map((stake, at) => draftOf(at, stake, options, nodeIdOf));
  const createdMs = now();
  const genesis = encodeGenesis({
    name,
    createdMs,
    parameters: defaultParameters,
    validators: drafts.map(({ validatorSeed, stake }) => ({ publicKey: publicKeyOf(validatorSeed), stake })),
    providers: drafts.map(({ providerSeeds }) => publicKeyOf(providerSeeds.seed)),
    nodes: drafts.flatMap(({ authoritySeed }) =>
      authoritySeed === undefined ? [] : [publicKeyOf(authoritySeed)],
    ),
    threshold,
  });
  const institutions = drafts.map(({ institution }) => institution);
  writeSmallFile(join(folder, "genesis.cbor"), genesis);
  for (const draft of drafts) {
    await writeInstitution(join(folder, draft.institution.name), draft, {
      ...options,
      genesis,
      institutions,
      createdMs,
    });
  }
  return {
    consortium: name,
    chainId: toHex(chainIdOf(genesis)),
    institutions: institutions.map(({ name: own, url }) => ({ name: own, home: "", url })),
  };
}

const publicKeyOf = (seed: Uint8Array): Uint8Array => ed25519KeyPairFromSeed(seed).publicKey;

function draftOf(
  at: number,
  stake: number,
  { hosts, basePort, nodes, snapshotBlocks }: NetworkInit,
  nodeIdOf: (seed: Uint8Array) => string,
): Draft {
  const name = `institution-${at + 1}`;
  const first = basePort + portsEach * at;
  const own = { serverPort: first, p2pPort: first + 1, rpcPort: first + 2, metricsPort: first + 3 };
  const host = hosts?.[at];
  const ports = host === undefined ? own : hostPorts;
  const [validatorSeed, nodeSeed] = [randomBytes(32), randomBytes(32)];
  const providerSeeds = newIdentitySeeds();
  const authoritySeed = at < nodes ? randomBytes(32) : undefined;
  const reached = host ?? "127.0.0.1";
  const institution: Institution = {
    name,
    url: `http://${reached}:${ports.serverPort}`,
    nodeId: nodeIdOf(nodeSeed),
    p2pHost: reached,
    p2pPort: ports.p2pPort,
    validator: toHex(publicKeyOf(validatorSeed)),
    provider: toHex(publicKeyOf(providerSeeds.seed)),
    authority: authoritySeed === undefined ? null : toHex(publicKeyOf(authoritySeed)),
  };
  const listen = host === undefined ? "127.0.0.1" : "0.0.0.0";
  // One provider keeps all members' transform keys: a reader has one, wherever the record came from.
  const file = { version: 1, name, listen, ...ports, provider: "institution-1", snapshotBlocks } as const;
  return { institution, file, stake, validatorSeed, nodeSeed, providerSeeds, authoritySeed };
}

async function writeInstitution(
  folder: string,
  draft: Draft,
  shared: NetworkInit & {
    readonly genesis: Uint8Array;
    readonly institutions: readonly Institution[];
    readonly createdMs: number;
  },
): Promise<void> {
  const { writeNodeFiles } = await import("@chartseal/ledger/comet");
  const { genesis, institutions, createdMs, name: consortium, nodes, threshold, passphrase } = shared;
  const paths = homePaths(folder);
  makeFolder(folder);
  const vault = await KeyVault.create(paths.service, passphrase);
  await saveValidatorSeed(vault, draft.validatorSeed);
  await saveProviderSeeds(vault, draft.providerSeeds);
  const { authoritySeed, file } = draft;
  if (authoritySeed !== undefined) {
    const number = institutions.findIndex(({ name }) => name === draft.institution.name) + 1;
    const publicKey = publicKeyOf(authoritySeed);
    await dropFirstShares(vault, number, { seed: authoritySeed, publicKey, account: accountOf(publicKey) });
  }
  saveAddresses(
    { paths },
    institutions.flatMap(({ name, authority, url }) =>
      authority === null || name === file.name ? [] : [{ publicKey: fromHexKey(authority), url }],
    ),
  );
  const network: NetworkFile = { ...file, institutions };
  writeNetworkFile(paths, network);
  writeNodeFiles(paths.comet, {
    genesis: {
      chainId: chainIdOf(genesis),
      genesis,
      createdMs,
      validators: institutions.map(({ validator }, at) => ({
        publicKey: fromHexKey(validator),
        stake: shared.stakes[at]!,
      })),
    },
    settings: settingsOf(network),
    validatorSeed: draft.validatorSeed,
    nodeSeed: draft.nodeSeed,
  });
  await openObjectStores(paths);
  writeSmallFile(paths.genesis, genesis);
  const chainId = toHex(chainIdOf(genesis));
  writeJson(paths.config, {
    version: 1,
    consortium,
    chainId,
    nodes,
    threshold,
    engine: "comet",
  } satisfies HomeConfig);
}

export const fromHexKey = (hex: string): Uint8Array => fromHex(hex, 32);

/** Homes of a network's folder, by name. @throws ChartsealError `home-missing` */
export function institutionsIn(folder: string): { readonly name: string; readonly home: string }[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const found = names
    .filter((name) => existsSync(homePaths(join(folder, name)).network))
    .map((name) => ({ name, home: join(folder, name) }))
    .sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  if (found.length > 0) return found;
  throw new ChartsealError("home-missing", `there is no network in ${folder}`, {
    hint: "Run chartseal network init, or give --dir.",
  });
}
