/**
 * migrate: brings a home that an earlier version wrote to the formats of this one. So far the ledger's store alone had an
 * earlier format; chain, keys and objects are what they were. Needs no passphrase: nothing is signed anew.
 */
import { fromHex, loadPairing } from "@chartseal/crypto";
import { ledgerRules } from "@chartseal/ledger";
import { migrateEmbedded } from "@chartseal/ledger/embedded";
import { type Home, isOfConsortium, openHome } from "../home/home.ts";
import { noLedgerYet } from "../services/home-ledger.ts";
import { isOverComet } from "../services/ledger-files.ts";

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

/**
 * @throws ChartsealError `home-missing`, `home-busy`, `chain-altered` where the chain does not hold together, `ledger-unreachable`
 * for an institution that never ran
 */
export async function migrateHome(
  folder: string,
  options: {
    readonly waitMs: number;
    readonly progress?: (height: number, last: number) => void;
  },
): Promise<HomeMigrated> {
  const home = openHome(folder);
  if (isOfConsortium(home)) return await asItIs(home);
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
async function asItIs({ paths }: Home): Promise<HomeMigrated> {
  if (!isOverComet(paths)) throw noLedgerYet();
  const { lookAtComet } = await import("@chartseal/ledger/comet");
  const { format, height } = lookAtComet(paths.root);
  return { migrated: false, from: format, to: format, height, kept: null };
}
