/**
 * An institution's node that gets its chain from the others again: after a restore, since an old ledger is of no use and the
 * node's old memory of a vote is a danger; and where its database is damaged. What it signed last stays, and never goes back.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join, sep } from "node:path";
import { ChartsealError } from "@chartseal/crypto";
import { expectHeight } from "@chartseal/sharing";
import { makeFolder, readJson, syncFolder } from "../home/files.ts";
import { type Home, isOfConsortium, openHome } from "../home/home.ts";
import { newestSigned, nodeData, readLastSigned, writeLastSigned } from "../home/last-signed.ts";
import { type NetworkFile, readNetworkFile, writeNetworkFile } from "../home/network-file.ts";
import type { HomePaths } from "../home/paths.ts";
import { takeOwnHome } from "../services/home-lock.ts";
import { openObjectStores } from "../services/provider-stores.ts";
import { openDamaged } from "./restored-home.ts";
import { snapshotTrust } from "./snapshot-trust.ts";

const nodeParts: readonly string[] = [
  "ledger",
  ...["data", "data.next", "node.log"].map((name) => join("comet", name)),
];
const keptPrefix = "replaced-";

/** Whether a path below a home is what its node gets from the others, its log, or what an earlier resync moved aside. */
export function isOfNode(path: string): boolean {
  if (path.startsWith(keptPrefix)) return true;
  return nodeParts.some((part) => path === part || path.startsWith(`${part}${sep}`));
}

/**
 * Tells the home's provider not to judge what lies here by a ledger that is older than one that the home had: those of these
 * folders, as far as they can be read, and what its members saw.
 */
export async function expectLedger(home: Home, folders: readonly string[]): Promise<void> {
  const heights = seenHeights(home.paths);
  for (const folder of folders) heights.push(await heightOf(folder));
  const { pending } = await openObjectStores(home.paths);
  await expectHeight(pending, Math.max(0, ...heights));
}

async function heightOf(folder: string): Promise<number> {
  const session = await openDamaged(folder);
  try {
    return (await session?.ledger.head())?.height ?? 0;
  } catch {
    // What cannot be read says nothing; that is why it is fetched again.
    return 0;
  } finally {
    await session?.close();
  }
}

function seenHeights({ members }: HomePaths): number[] {
  return (existsSync(members) ? readdirSync(members) : []).map((name) => {
    try {
      const seen = readJson(join(members, name, "head.json")) as { height?: unknown } | undefined;
      return typeof seen?.height === "number" ? seen.height : 0;
    } catch {
      return 0;
    }
  });
}

export interface ResyncOptions {
  readonly waitMs: number;
  /** Plays all blocks, however long the chain is. */
  readonly replay: boolean;
  readonly rpcUrls?: readonly string[];
  readonly now: () => number;
}

export interface Resynced {
  readonly name: string;
  /** Whether its node begins with a snapshot, or plays all blocks. */
  readonly snapshot: boolean;
  /** The height that its validator signed last, of CometBFT. */
  readonly signedHeight: string;
  /** Where the old ledger and the node's old files are now. */
  readonly kept: string;
}

/**
 * Moves the ledger and the node's files aside; begun again, the node gets all of it from the others.
 * @throws ChartsealError `input-invalid`, `home-busy`, `chain-altered` where nothing says what the validator signed last,
 *   `ledger-unreachable` where nobody is there to ask for a snapshot: nothing was changed then
 */
export async function resyncNode(folder: string, options: ResyncOptions): Promise<Resynced> {
  const home = openHome(folder);
  checkInstitution(home);
  const { paths } = home;
  const network = readNetworkFile(paths);
  const lock = await takeOwnHome(paths.root, options.waitMs);
  try {
    const signed = newestSigned([nodeData(paths), nextData(paths)].map(readLastSigned));
    if (signed === undefined) {
      throw new ChartsealError("chain-altered", "nothing says what this validator signed last", {
        hint: "Restore the institution from a backup.",
      });
    }
    const stateSync = wantsSnapshot(network, options) ? await trustOf(home, network, options) : undefined;
    await expectLedger(home, [paths.root]);
    writeNetworkFile(paths, withStateSync(network, stateSync));
    const kept = moveAside(paths, () => writeLastSigned(nextData(paths), signed));
    const { name } = network;
    return { name, snapshot: stateSync !== undefined, signedHeight: String(signed.height), kept };
  } finally {
    lock.release();
  }
}

/** @throws ChartsealError `input-invalid` */
export function checkInstitution(home: Home): void {
  if (isOfConsortium(home)) return;
  throw new ChartsealError("input-invalid", "this home is no institution's: nobody else has its ledger", {
    hint: "See chartseal verify, and restore a backup.",
  });
}

/** The provider that holds the members' records needs every block: erasing one finds what to destroy in the old ones. */
function wantsSnapshot({ name, provider }: NetworkFile, { replay }: ResyncOptions): boolean {
  return !replay && name !== provider;
}

async function trustOf(
  { genesis }: Home,
  { name, institutions, snapshotBlocks }: NetworkFile,
  { rpcUrls, now }: ResyncOptions,
): Promise<NetworkFile["stateSync"]> {
  const others = institutions.filter((one) => one.name !== name);
  const given = rpcUrls === undefined ? {} : { rpcUrls };
  return await snapshotTrust({ institutions: others, snapshotBlocks, genesis, now, ...given });
}

export function withStateSync(network: NetworkFile, stateSync: NetworkFile["stateSync"]): NetworkFile {
  const { stateSync: _, ...plain } = network;
  return stateSync === undefined ? plain : { ...plain, stateSync };
}

const nextData = ({ comet }: Pick<HomePaths, "comet">): string => join(comet, "data.next");

/** In an order in which a kill leaves no node that could begin without what it signed last. */
function moveAside(paths: HomePaths, prepareNext: () => void): string {
  rmSync(nextData(paths), { recursive: true, force: true });
  prepareNext();
  const kept = join(paths.root, `${keptPrefix}${Date.now()}`);
  mkdirSync(kept, { mode: 0o700 });
  if (existsSync(paths.ledger)) renameSync(paths.ledger, join(kept, "ledger"));
  if (existsSync(nodeData(paths))) renameSync(nodeData(paths), join(kept, "comet-data"));
  renameSync(nextData(paths), nodeData(paths));
  for (const folder of [kept, paths.comet, paths.root]) syncFolder(folder);
  return kept;
}

/** The node's folder of a home that is made from a copy: the newest of what its validator signed last, and nothing else. */
export function emptyNode(paths: HomePaths, from: readonly HomePaths[]): string {
  const [backup, ...others] = from.map((one, at) =>
    at === 0 ? readLastSigned(nodeData(one)) : lenient(one),
  );
  if (backup === undefined) {
    throw new ChartsealError("chain-altered", "the backup does not say what its validator signed last", {
      hint: "It lacks comet/data/priv_validator_state.json: take a backup that has it.",
    });
  }
  const signed = newestSigned([backup, ...others])!;
  makeFolder(nodeData(paths));
  writeLastSigned(nodeData(paths), signed);
  return String(signed.height);
}

/** Of a home that may be damaged, since that may be why it is replaced. */
function lenient(paths: HomePaths): ReturnType<typeof readLastSigned> {
  try {
    return newestSigned([nodeData(paths), nextData(paths)].map(readLastSigned));
  } catch {
    return undefined;
  }
}
