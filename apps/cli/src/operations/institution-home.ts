/** The home of one institution of a consortium, with keys that are made here: the same for a founder and for one that comes later. */
import { ed25519KeyPairFromSeed, equalBytes, fromHex, randomBytes, toHex } from "@chartseal/crypto";
import { accountOf, chainIdOf, decodeGenesis } from "@chartseal/ledger";
import { type IdentitySeeds, newIdentitySeeds } from "@chartseal/sharing";
import { writeJson, writeSmallFile } from "../home/files.ts";
import type { HomeConfig } from "../home/home.ts";
import { KeyVault } from "../home/key-vault.ts";
import { type Institution, type NetworkFile, writeNetworkFile } from "../home/network-file.ts";
import { homePaths } from "../home/paths.ts";
import { saveAddresses } from "../services/authority-nodes.ts";
import { settingsOf } from "../services/consortium-node.ts";
import { openObjectStores } from "../services/provider-stores.ts";
import { dropFirstShares, saveProviderSeeds, saveValidatorSeed } from "../services/service-keys.ts";

export interface InstitutionKeys {
  readonly validatorSeed: Uint8Array;
  /** Of its CometBFT node among its peers. */
  readonly nodeSeed: Uint8Array;
  readonly providerSeeds: IdentitySeeds;
  /** Undefined where it runs no node of the committee. */
  readonly authoritySeed: Uint8Array | undefined;
}

export function newInstitutionKeys({ hasNode }: { readonly hasNode: boolean }): InstitutionKeys {
  return {
    validatorSeed: randomBytes(32),
    nodeSeed: randomBytes(32),
    providerSeeds: newIdentitySeeds(),
    authoritySeed: hasNode ? randomBytes(32) : undefined,
  };
}

export const publicKeyOf = (seed: Uint8Array): Uint8Array => ed25519KeyPairFromSeed(seed).publicKey;

/** What the others are told of it. `host` undefined: all are on this machine. */
export async function introduced(
  keys: InstitutionKeys,
  at: {
    readonly name: string;
    readonly host: string | undefined;
    readonly serverPort: number;
    readonly p2pPort: number;
  },
): Promise<Institution> {
  const { nodeIdOf } = await import("@chartseal/ledger/comet");
  const { name, host = "127.0.0.1", serverPort, p2pPort } = at;
  const { validatorSeed, nodeSeed, providerSeeds, authoritySeed } = keys;
  return {
    name,
    url: `http://${host}:${serverPort}`,
    nodeId: nodeIdOf(nodeSeed),
    p2pHost: host,
    p2pPort,
    validator: toHex(publicKeyOf(validatorSeed)),
    provider: toHex(publicKeyOf(providerSeeds.seed)),
    authority: authoritySeed === undefined ? null : toHex(publicKeyOf(authoritySeed)),
  };
}

/** Where it listens: for this machine alone, or where others must reach it. */
export function listensAt(host: string | undefined): string {
  return host === undefined ? "127.0.0.1" : "0.0.0.0";
}

export async function writeInstitutionHome(
  folder: string,
  made: {
    readonly keys: InstitutionKeys;
    readonly network: NetworkFile;
    readonly genesis: Uint8Array;
    readonly passphrase: string;
  },
): Promise<void> {
  const { writeNodeFiles } = await import("@chartseal/ledger/comet");
  const { keys, network, genesis, passphrase } = made;
  const { validatorSeed, nodeSeed, providerSeeds, authoritySeed } = keys;
  const { name: consortium, createdMs, validators, nodes, threshold } = decodeGenesis(genesis);
  const chainId = chainIdOf(genesis);
  const paths = homePaths(folder);
  const vault = await KeyVault.create(paths.service, passphrase);
  await saveValidatorSeed(vault, validatorSeed);
  await saveProviderSeeds(vault, providerSeeds);
  if (authoritySeed !== undefined) {
    const publicKey = publicKeyOf(authoritySeed);
    const number = nodes.findIndex((key) => equalBytes(key, publicKey)) + 1;
    await dropFirstShares(vault, number, { seed: authoritySeed, publicKey, account: accountOf(publicKey) });
  }
  const others = network.institutions.filter(({ name }) => name !== network.name);
  saveAddresses(
    { paths },
    others.flatMap(({ authority, url }) =>
      authority === null ? [] : [{ publicKey: fromHex(authority, 32), url }],
    ),
  );
  writeNetworkFile(paths, network);
  writeNodeFiles(paths.comet, {
    genesis: { chainId, genesis, createdMs, validators },
    settings: settingsOf(network),
    validatorSeed,
    nodeSeed,
  });
  await openObjectStores(paths);
  writeSmallFile(paths.genesis, genesis);
  const committee = { nodes: nodes.length, threshold };
  const config: HomeConfig = {
    version: 1,
    consortium,
    chainId: toHex(chainId),
    ...committee,
    engine: "comet",
  };
  writeJson(paths.config, config);
}
