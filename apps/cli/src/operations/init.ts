/**
 * init: makes an embedded consortium in a folder (DESIGN decision 1). Everything is made in a folder beside it and moved
 * into place at the end, so that an interrupted init leaves no half of a home.
 */
import { ChartsealError, ed25519KeyPairFromSeed, loadPairing, randomBytes, toHex } from "@chartseal/crypto";
import { chainIdOf, defaultParameters, encodeGenesis, ledgerRules } from "@chartseal/ledger";
import { openEmbedded } from "@chartseal/ledger/embedded";
import {
  generateCommitteeKeys,
  type IdentitySeeds,
  identityOf,
  newIdentitySeeds,
  type Surroundings,
} from "@chartseal/sharing";
import { drafted } from "../home/draft.ts";
import { writeJson, writeSmallFile } from "../home/files.ts";
import type { HomeConfig } from "../home/home.ts";
import { KeyVault } from "../home/key-vault.ts";
import { type HomePaths, homePaths } from "../home/paths.ts";
import { type AuthorityAddress, saveAddresses } from "../services/authority-nodes.ts";
import { openObjectStores } from "../services/provider-stores.ts";
import { registerOwnProvider } from "../services/registering.ts";
import { saveNode, saveProviderSeeds, saveValidatorSeed } from "../services/service-keys.ts";

export interface InitOptions {
  readonly name: string;
  readonly nodes: number;
  readonly threshold: number;
  /** Nodes of other institutions, who make the keys when this ledger is served; none: `nodes` of this home's own. */
  readonly authority?: readonly AuthorityAddress[];
  readonly passphrase: string;
  readonly now: () => number;
  /** Weight of its one validator; default 1, beside which no other weight is safe (docs/decisions/stake.md). */
  readonly stake?: number;
}

export interface Initialised {
  readonly consortium: string;
  readonly chainId: string;
  readonly height: number;
}

/** Most authority nodes that one process runs. */
export const nodesMax = 32;

/** @throws ChartsealError `input-invalid`, before anything is made */
export function checkInit(options: Pick<InitOptions, "name" | "nodes" | "threshold">): void {
  const { name, nodes, threshold } = options;
  if (name.length < 1 || name.length > 128 || !name.isWellFormed()) {
    throw new ChartsealError("input-invalid", "a consortium's name has 1 to 128 characters");
  }
  const whole = Number.isInteger(nodes) && Number.isInteger(threshold);
  if (!whole || nodes < 1 || nodes > nodesMax || threshold < 1 || threshold > nodes) {
    throw new ChartsealError(
      "input-invalid",
      `an authority has 1 to ${nodesMax} nodes and a threshold of 1 to that`,
    );
  }
}

export async function init(folder: string, options: InitOptions): Promise<Initialised> {
  checkInit(options);
  return await drafted(folder, (draft) => build(homePaths(draft), options));
}

async function build(paths: HomePaths, options: InitOptions): Promise<Initialised> {
  const { name, nodes, threshold, passphrase, now } = options;
  const [pairing, vault] = await Promise.all([loadPairing(), KeyVault.create(paths.service, passphrase)]);
  const validatorSeed = randomBytes(32);
  const providerSeeds = newIdentitySeeds();
  const others = options.authority ?? [];
  const nodeSeeds = others.length > 0 ? [] : Array.from({ length: nodes }, newIdentitySeeds);
  const publicKey = (seeds: IdentitySeeds): Uint8Array => ed25519KeyPairFromSeed(seeds.seed).publicKey;
  const genesis = encodeGenesis({
    name,
    createdMs: now(),
    parameters: defaultParameters,
    validators: [{ publicKey: ed25519KeyPairFromSeed(validatorSeed).publicKey, stake: options.stake ?? 1 }],
    providers: [publicKey(providerSeeds)],
    nodes: others.length > 0 ? others.map((one) => one.publicKey) : nodeSeeds.map(publicKey),
    threshold,
  });
  const chainId = toHex(chainIdOf(genesis));
  await saveValidatorSeed(vault, validatorSeed);
  await saveProviderSeeds(vault, providerSeeds);
  const ledger = await openEmbedded({
    directory: paths.root,
    rulesOf: (bytes) => ledgerRules(pairing, bytes),
    proposerSeed: validatorSeed,
    now,
    create: genesis,
    waitMs: 0,
  });
  try {
    const surroundings: Surroundings = { pairing, ledger, now };
    if (others.length > 0) saveAddresses({ paths }, others);
    else await generateKeys(surroundings, { vault, nodeSeeds });
    await registerOwnProvider(surroundings, await identityOf(providerSeeds));
    const { height } = await ledger.head();
    await openObjectStores(paths);
    writeSmallFile(paths.genesis, genesis);
    const config: HomeConfig = { version: 1, consortium: name, chainId, nodes, threshold };
    writeJson(paths.config, config);
    return { consortium: name, chainId, height };
  } finally {
    await ledger.close();
  }
}

async function generateKeys(
  surroundings: Surroundings,
  options: {
    readonly vault: KeyVault;
    readonly nodeSeeds: readonly IdentitySeeds[];
  },
): Promise<void> {
  const { vault, nodeSeeds } = options;
  const identities = await Promise.all(
    nodeSeeds.map(async (seeds, at) => ({ ...(await identityOf(seeds)), index: at + 1 })),
  );
  const shares = await generateCommitteeKeys(surroundings, { identities });
  for (const [at, seeds] of nodeSeeds.entries()) {
    await saveNode(vault, { index: at + 1, seeds, shares: shares[at]! });
  }
}
