/**
 * migrate: brings a home that an earlier version wrote to the formats of this one. So far the ledger's store alone had an
 * earlier format; chain, keys and objects are what they were. Needs no passphrase: nothing is signed anew.
 */
import { ChartsealError, fromHex, loadPairing } from "@chartseal/crypto";
import { ledgerRules } from "@chartseal/ledger";
import { migrateEmbedded } from "@chartseal/ledger/embedded";
import { openHome } from "../home/home.ts";
import type { HomePaths } from "../home/paths.ts";
import { isOverComet, ledgerFiles } from "../services/ledger-files.ts";

export interface HomeMigrated {
  /** False where the home is read as it is. */
  readonly migrated: boolean;
  /** Formats of the ledger's store, before and now. */
  readonly from: number;
  readonly to: number;
  readonly height: number;
  /** The old file, which stays; null where there was nothing to do. */
  readonly kept: string | null;
}

/** @throws ChartsealError `home-missing`, `home-busy`, `chain-altered` where the chain does not hold together */
export async function migrateHome(
  folder: string,
  options: {
    readonly waitMs: number;
    readonly progress?: (height: number, last: number) => void;
  },
): Promise<HomeMigrated> {
  const home = openHome(folder);
  if (isOverComet(home.paths)) return await asItIs(home.paths);
  const pairing = await loadPairing();
  const { from, to, height, kept } = await migrateEmbedded({
    ...options,
    directory: home.paths.root,
    rulesOf: (genesis) => ledgerRules(pairing, genesis),
    chainId: fromHex(home.config.chainId, 32),
  });
  return { migrated: kept !== null, from, to, height, kept };
}

/** An institution's ledger never had a format that has to be brought over. */
async function asItIs(paths: HomePaths): Promise<HomeMigrated> {
  const salvage = (await ledgerFiles(paths)).salvage();
  if (salvage === undefined) throw new ChartsealError("chain-altered", "the ledger's store cannot be read");
  try {
    const { format } = salvage;
    return { migrated: false, from: format, to: format, height: salvage.height(), kept: null };
  } finally {
    salvage.close();
  }
}
