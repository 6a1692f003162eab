/**
 * network.json of an institution's home: where its own services listen, and who the other institutions are. Nothing in it
 * is secret: keys lie in the vault, and in the files of the CometBFT node, which needs its own unlocked.
 */
import { ChartsealError } from "@chartseal/crypto";
import { readJson, writeJson } from "./files.ts";
import type { HomePaths } from "./paths.ts";

export interface Institution {
  readonly name: string;
  /** Origin of its server. */
  readonly url: string;
  /** Of its CometBFT node among its peers, 40 hex, and where that listens. */
  readonly nodeId: string;
  readonly p2pHost: string;
  readonly p2pPort: number;
  /** Ed25519 keys, 64 hex. */
  readonly validator: string;
  readonly provider: string;
  /** Null where it runs no node of the authority's committee. */
  readonly authority: string | null;
}

export interface NetworkFile {
  readonly version: 1;
  /** This institution's name among them. */
  readonly name: string;
  /** Where its server and its node listen for others: an address of this machine. */
  readonly listen: string;
  readonly serverPort: number;
  readonly p2pPort: number;
  /** Of the node, on loopback always. */
  readonly rpcPort: number;
  readonly metricsPort: number;
  /** Whose provider this institution's members use. */
  readonly provider: string;
  /** Blocks of the ledger from one snapshot to the next; alike at all institutions. */
  readonly snapshotBlocks: number;
  /** Of one that joined by a snapshot: whom its node asked for headers, and what it trusted from the genesis on. */
  readonly stateSync?: {
    readonly rpcUrls: readonly string[];
    readonly trustHeight: number;
    /** 64 hex. */
    readonly trustHash: string;
  };
  readonly institutions: readonly Institution[];
}

const textForms: Readonly<Record<string, RegExp>> = {
  name: /^[a-z0-9][a-z0-9-]{0,62}$/,
  url: /^https?:\/\/[A-Za-z0-9.:[\]-]{1,253}$/,
  nodeId: /^[0-9a-f]{40}$/,
  p2pHost: /^[A-Za-z0-9.:[\]-]{1,253}$/,
  validator: /^[0-9a-f]{64}$/,
  provider: /^[0-9a-f]{64}$/,
};
const portFields = ["serverPort", "p2pPort", "rpcPort", "metricsPort"] as const;

const isPort = (value: unknown): boolean =>
  Number.isInteger(value) && Number(value) > 0 && Number(value) < 65_536;

function isInstitution(value: unknown): value is Institution {
  if (typeof value !== "object" || value === null) return false;
  const fields = value as Readonly<Record<string, unknown>>;
  const texts = Object.entries(textForms).every(([name, form]) => form.test(String(fields[name])));
  const { authority } = fields;
  return (
    texts && isPort(fields.p2pPort) && (authority === null || textForms.validator!.test(String(authority)))
  );
}

function isStateSync(value: unknown): boolean {
  if (value === undefined) return true;
  if (typeof value !== "object" || value === null) return false;
  const { rpcUrls, trustHeight, trustHash } = value as Readonly<Record<string, unknown>>;
  const urls =
    Array.isArray(rpcUrls) && rpcUrls.length > 1 && rpcUrls.every((url) => URL.canParse(String(url)));
  return urls && Number.isSafeInteger(trustHeight) && textForms.validator!.test(String(trustHash));
}

function isSound(value: unknown): value is NetworkFile {
  if (typeof value !== "object" || value === null) return false;
  const fields = value as Readonly<Record<string, unknown>>;
  const { institutions } = fields;
  if (fields.version !== 1 || !Array.isArray(institutions) || !institutions.every(isInstitution))
    return false;
  const names = institutions.map(({ name }) => name);
  return (
    new Set(names).size === names.length &&
    [fields.name, fields.provider].every((name) => names.includes(String(name))) &&
    textForms.p2pHost!.test(String(fields.listen)) &&
    Number.isSafeInteger(fields.snapshotBlocks) &&
    Number(fields.snapshotBlocks) > 0 &&
    isStateSync(fields.stateSync) &&
    portFields.every((name) => isPort(fields[name]))
  );
}

/** One that another institution gave, as its operator named it. @throws ChartsealError `input-invalid` */
export function readGivenNetwork(path: string): NetworkFile {
  const value: unknown = readJson(path);
  if (isSound(value)) return value;
  throw new ChartsealError("input-invalid", `${path} is no network.json of an institution`);
}

/** @throws ChartsealError `chain-altered` where the file is missing or damaged */
export function readNetworkFile({ network }: Pick<HomePaths, "network">): NetworkFile {
  const value: unknown = readJson(network);
  if (isSound(value)) return value;
  throw new ChartsealError("chain-altered", "network.json is missing or damaged", {
    hint: "Restore it from a backup.",
  });
}

export function writeNetworkFile({ network }: Pick<HomePaths, "network">, file: NetworkFile): void {
  writeJson(network, file);
}

/** The institution of that name. @throws ChartsealError `chain-altered` */
export function institutionOf(
  { institutions }: Pick<NetworkFile, "institutions">,
  name: string,
): Institution {
  const found = institutions.find((one) => one.name === name);
  if (found !== undefined) return found;
  throw new ChartsealError("chain-altered", `network.json names no institution ${name}`);
}
