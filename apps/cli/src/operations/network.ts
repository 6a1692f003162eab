/**
 * network: a consortium of institutions, each with a home of its own: made in one go on one machine, started, looked at
 * and stopped there. Each home can be carried to its institution's machine: nothing in it names another's folder.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ChartsealError, toHex } from "@chartseal/crypto";
import { chainIdOf, defaultParameters, encodeGenesis } from "@chartseal/ledger";
import { drafted } from "../home/draft.ts";
import { writeSmallFile } from "../home/files.ts";
import type { Institution, NetworkFile } from "../home/network-file.ts";
import { homePaths } from "../home/paths.ts";
import {
  introduced,
  listensAt,
  newInstitutionKeys,
  publicKeyOf,
  writeInstitutionHome,
} from "./institution-home.ts";
import { asideName } from "./restored-home.ts";

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

/** @throws ChartsealError `home-exists`, `input-invalid` */
export async function initNetwork(folder: string, options: NetworkInit): Promise<NetworkMade> {
  checkNetworkInit(options);
  const { consortium, chainId, institutions } = await drafted(folder, (draft) => build(draft, options));
  const homes = institutions.map(({ name, url }) => ({ name, home: join(folder, name), url }));
  return { consortium, chainId, institutions: homes };
}

async function build(
  folder: string,
  options: NetworkInit,
): Promise<{ consortium: string; chainId: string; institutions: readonly Institution[] }> {
  const { name, now, stakes, nodes, threshold, passphrase } = options;
  const founders = stakes.map((stake, at) => ({ stake, keys: newInstitutionKeys({ hasNode: at < nodes }) }));
  const genesis = encodeGenesis({
    name,
    createdMs: now(),
    parameters: defaultParameters,
    validators: founders.map(({ stake, keys }) => ({ publicKey: publicKeyOf(keys.validatorSeed), stake })),
    providers: founders.map(({ keys }) => publicKeyOf(keys.providerSeeds.seed)),
    nodes: founders.flatMap(({ keys }) =>
      keys.authoritySeed === undefined ? [] : [publicKeyOf(keys.authoritySeed)],
    ),
    threshold,
  });
  const places = founders.map((_, at) => placeOf(at, options));
  const institutions = await Promise.all(founders.map(({ keys }, at) => introduced(keys, places[at]!)));
  writeSmallFile(join(folder, "genesis.cbor"), genesis);
  for (const [at, { keys }] of founders.entries()) {
    const { host, ...place } = places[at]!;
    const network: NetworkFile = {
      version: 1,
      ...place,
      listen: listensAt(host),
      // One provider keeps all members' transform keys: a reader has one, wherever the record came from.
      provider: institutions[0]!.name,
      snapshotBlocks: options.snapshotBlocks,
      institutions,
    };
    await writeInstitutionHome(join(folder, place.name), { keys, network, genesis, passphrase });
  }
  return { consortium: name, chainId: toHex(chainIdOf(genesis)), institutions };
}

function placeOf(at: number, { hosts, basePort }: Pick<NetworkInit, "hosts" | "basePort">) {
  const host = hosts?.[at];
  const ports = host === undefined ? portsFrom(basePort + portsEach * at) : hostPorts;
  return { name: `institution-${at + 1}`, host, ...ports };
}

/** An institution's four ports in a row. */
export function portsFrom(first: number) {
  return { serverPort: first, p2pPort: first + 1, rpcPort: first + 2, metricsPort: first + 3 };
}

/** Homes of a network's folder, by name. @throws ChartsealError `home-missing` */
export function institutionsIn(folder: string): { readonly name: string; readonly home: string }[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const found = names
    // What `restore` put aside has the keys of the home in its place.
    .filter((name) => !asideName.test(name) && existsSync(homePaths(join(folder, name)).network))
    .map((name) => ({ name, home: join(folder, name) }))
    .sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  if (found.length > 0) return found;
  throw new ChartsealError("home-missing", `there is no network in ${folder}`, {
    hint: "Run chartseal network init, or give --dir.",
  });
}
