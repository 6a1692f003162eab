/**
 * network join: a home for an institution that comes later, with keys that it makes itself. Its node begins with a snapshot
 * where the chain is long enough to have one, checked from the genesis on, and else plays all blocks. It follows and serves
 * the ledger from then on; a vote makes it a validator.
 */
import { ChartsealError, toHex } from "@chartseal/crypto";
import { chainIdOf } from "@chartseal/ledger";
import { checkNewHome, drafted } from "../home/draft.ts";
import type { NetworkFile } from "../home/network-file.ts";
import { introduced, listensAt, newInstitutionKeys, writeInstitutionHome } from "./institution-home.ts";
import { portsFrom } from "./network.ts";
import { snapshotTrust } from "./snapshot-trust.ts";

export interface JoinOptions {
  /** Another institution's, and the genesis that it works by. */
  readonly network: NetworkFile;
  readonly genesis: Uint8Array;
  readonly name: string;
  /** Where this one is reached; undefined: this machine alone. */
  readonly host?: string;
  readonly basePort: number;
  /** Where the headers are asked for that a snapshot is checked by, CometBFT's RPC; default: the others' servers. */
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
  const { network, genesis, name, host, basePort, passphrase } = options;
  const { institutions, snapshotBlocks } = network;
  const stateSync = await snapshotTrust({ ...options, institutions, snapshotBlocks });
  const keys = newInstitutionKeys({ hasNode: false });
  const ports = portsFrom(basePort);
  const own = await introduced(keys, { name, host, ...ports });
  const file: NetworkFile = {
    version: 1,
    name,
    listen: listensAt(host),
    ...ports,
    provider: network.provider,
    snapshotBlocks: network.snapshotBlocks,
    institutions: [...network.institutions, own],
    ...(stateSync === undefined ? {} : { stateSync }),
  };
  await drafted(folder, (draft) => writeInstitutionHome(draft, { keys, network: file, genesis, passphrase }));
  const { url, validator } = own;
  const chainId = toHex(chainIdOf(genesis));
  return { name, home: folder, url, chainId, validator, snapshot: stateSync !== undefined };
}
