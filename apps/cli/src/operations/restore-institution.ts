/**
 * restore of an institution's home: its keys, its members and what its provider keeps come back; the ledger comes from the
 * others when it is started. What its validator signed last never goes back. What was erased since the backup and is known
 * here goes at once, the rest when its node has caught up (packages/sharing, provider/restored.ts).
 */
import { existsSync } from "node:fs";
import { ChartsealError, isFamily, loadPairing } from "@chartseal/crypto";
import { type Home, openHome } from "../home/home.ts";
import { type NetworkFile, readNetworkFile, writeNetworkFile } from "../home/network-file.ts";
import { type HomePaths, homePaths } from "../home/paths.ts";
import { rulesOfHome } from "../services/home-ledger.ts";
import { takeOwnHome } from "../services/home-lock.ts";
import { openTombstones } from "../services/provider-stores.ts";
import { copyHome, withDraft } from "./backup.ts";
import { isSound } from "./loss.ts";
import { emptyNode, expectLedger, isOfNode, withStateSync } from "./node-anew.ts";
import type { RestoreOptions } from "./restore.ts";
import { destroyErased, keepSeenHeads, mergeTombstones, swap } from "./restored-home.ts";
import { snapshotTrust } from "./snapshot-trust.ts";

export interface RestoredInstitution {
  readonly home: string;
  readonly chainId: string;
  readonly institution: string;
  /** Whether its node begins with a snapshot, as the one of the backup did, or plays all blocks. */
  readonly snapshot: boolean;
  /** The height that its validator signed last, of CometBFT, as far as backup and replaced home know. */
  readonly signedHeight: string;
  readonly tombstones: number;
  readonly replaced: string | null;
}

/** @throws ChartsealError `input-invalid`, `home-busy`, `chain-altered` for a damaged backup */
export async function restoreInstitution(
  options: Pick<RestoreOptions, "folder" | "exported" | "acceptLoss" | "waitMs">,
  { source, isReplaced }: { readonly source: Home; readonly isReplaced: boolean },
): Promise<RestoredInstitution> {
  const { folder } = options;
  if (options.acceptLoss || options.exported !== undefined) {
    throw new ChartsealError(
      "input-invalid",
      "of an institution's ledger nothing is lost: the others have it",
      {
        hint: "Leave --accept-loss and --export away.",
      },
    );
  }
  const network = readNetworkFile(source.paths);
  rulesOfHome(await loadPairing(), source);
  const before = isReplaced ? homePaths(folder) : undefined;
  if (before !== undefined) demandSameInstitution(network, before);
  const hasHome = before !== undefined && existsSync(before.config);
  const lock = hasHome ? await takeOwnHome(folder, options.waitMs) : null;
  try {
    return await withDraft(folder, "restore", async (draft) => {
      const made = await prepare(draft, { source, network, before });
      const replaced = swap(draft, folder);
      return { home: folder, chainId: source.config.chainId, institution: network.name, ...made, replaced };
    });
  } finally {
    lock?.release();
  }
}

/** Another institution's keys in this one's place would have two run with the same. */
function demandSameInstitution({ name }: NetworkFile, before: HomePaths): void {
  let there: string;
  try {
    there = readNetworkFile(before).name;
  } catch {
    // Damaged: that may be why it is replaced.
    return;
  }
  if (there === name) return;
  throw new ChartsealError("input-invalid", "the backup is of another institution than the home", {
    data: { home: there, backup: name },
  });
}

async function prepare(
  draft: string,
  from: { readonly source: Home; readonly network: NetworkFile; readonly before: HomePaths | undefined },
): Promise<Pick<RestoredInstitution, "snapshot" | "signedHeight" | "tombstones">> {
  const { source, network, before } = from;
  await copyHome(source.paths.root, draft, (path) => !isOfNode(path));
  const home = openHome(draft);
  const replaced = before === undefined ? [] : [before];
  const signedHeight = emptyNode(home.paths, [source.paths, ...replaced]);
  const stateSync = await freshTrust(source, network);
  writeNetworkFile(home.paths, withStateSync(network, stateSync));
  const known = await Promise.all([source.paths, ...replaced].map((paths) => openTombstones(paths).list()));
  await mergeTombstones(home, known.flat().filter(isSound));
  const tombstones = await openTombstones(home.paths).list();
  await destroyErased(home, tombstones.filter(isSound));
  if (before !== undefined) keepSeenHeads(home, before);
  await expectLedger(home, [source.paths.root, ...replaced.map(({ root }) => root)]);
  return { snapshot: stateSync !== undefined, signedHeight, tombstones: tombstones.length };
}

/** For one that had joined by a snapshot: what it trusted then is too old. Where nobody answers it plays all blocks. */
async function freshTrust({ genesis }: Home, network: NetworkFile): Promise<NetworkFile["stateSync"]> {
  const { name, stateSync, institutions, snapshotBlocks } = network;
  if (stateSync === undefined) return undefined;
  const others = institutions.filter((one) => one.name !== name);
  const { rpcUrls } = stateSync;
  try {
    return await snapshotTrust({ institutions: others, snapshotBlocks, genesis, rpcUrls, now: Date.now });
  } catch (error) {
    if (isFamily(error, "unavailable")) return undefined;
    throw error;
  }
}
