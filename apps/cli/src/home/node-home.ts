/**
 * The home of one authority node, at its own institution: its key and its shares sealed under a passphrase, and which
 * ledger it works for. It is no consortium's home, and one folder is never both.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ChartsealError, ed25519KeyPairFromSeed, fromHex, randomBytes, toHex } from "@chartseal/crypto";
import { accountOf } from "@chartseal/ledger";
import type { NodeAccount } from "@chartseal/sharing";
import { readJson, readSmallFile, writeJson, writeSmallFile } from "./files.ts";
import { KeyVault } from "./key-vault.ts";

interface NodeFile {
  readonly version: 1;
  readonly account: string;
  readonly publicKey: string;
  /** Where its ledger is reached; null before it was first served. */
  readonly ledger: string | null;
}

export interface NodeHome {
  readonly folder: string;
  readonly account: string;
  readonly publicKey: string;
  readonly ledger: string | null;
  readonly genesis: Uint8Array | undefined;
}

const nodeFile = (folder: string): string => join(folder, "node.json");
const genesisFile = (folder: string): string => join(folder, "genesis.cbor");
const keysFolder = (folder: string): string => join(folder, "keys");
const keyFile = "node.sealed";

export function nodeHomeExists(folder: string): boolean {
  return existsSync(nodeFile(folder));
}

/** Makes a node's key in a folder that is empty or not there. */
export async function makeNodeHome(folder: string, passphrase: string): Promise<NodeHome> {
  const seed = randomBytes(32);
  const publicKey = ed25519KeyPairFromSeed(seed).publicKey;
  const vault = await KeyVault.create(keysFolder(folder), passphrase);
  await vault.save(keyFile, seed);
  const file: NodeFile = {
    version: 1,
    account: toHex(accountOf(publicKey)),
    publicKey: toHex(publicKey),
    ledger: null,
  };
  // Last: what has no node.json is no node's home yet.
  writeJson(nodeFile(folder), file);
  return { folder, ...file, genesis: undefined };
}

/** @throws ChartsealError `home-missing`; `chain-altered` where its file is damaged */
export function openNodeHome(folder: string): NodeHome {
  const file = readJson(nodeFile(folder)) as NodeFile | undefined;
  if (file === undefined) {
    throw new ChartsealError("home-missing", `there is no authority node in ${folder}`, {
      hint: "Run chartseal authority init, or give --home.",
    });
  }
  const sound =
    file.version === 1 && /^[0-9a-f]{40}$/.test(file.account) && /^[0-9a-f]{64}$/.test(file.publicKey);
  if (!sound) {
    throw new ChartsealError("chain-altered", `the files of the authority node ${folder} are damaged`, {
      hint: "Restore node.json from a backup.",
    });
  }
  const { account, publicKey, ledger } = file;
  return { folder, account, publicKey, ledger, genesis: readSmallFile(genesisFile(folder)) };
}

/** Which ledger the node works for, from now on. */
export function saveNodeLedger(home: NodeHome, ledger: string, genesis: Uint8Array): void {
  writeSmallFile(genesisFile(home.folder), genesis);
  const { account, publicKey } = home;
  writeJson(nodeFile(home.folder), { version: 1, account, publicKey, ledger } satisfies NodeFile);
}

/** @throws ChartsealError `passphrase-wrong`; `chain-altered` where the key is missing or another node's */
export async function openNodeKeys(
  home: NodeHome,
  passphrase: string,
): Promise<{ readonly identity: NodeAccount; readonly vault: KeyVault }> {
  const vault = await KeyVault.open(keysFolder(home.folder), passphrase);
  const seed = await vault.load(keyFile);
  if (seed instanceof Uint8Array && seed.length === 32) {
    const { publicKey } = ed25519KeyPairFromSeed(seed);
    if (toHex(publicKey) === home.publicKey) {
      return { identity: { account: fromHex(home.account, 20), seed, publicKey }, vault };
    }
  }
  throw new ChartsealError("chain-altered", "the authority node's key is missing or damaged", {
    hint: "Restore the node's folder from a backup.",
  });
}
