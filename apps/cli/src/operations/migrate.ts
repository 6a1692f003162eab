/**
 * migrate: brings a home that an earlier version wrote to the formats of this one. So far the ledger's store alone had an
 * earlier format; chain, keys and objects are what they were. Needs no passphrase: nothing is signed anew.
 */
import { fromHex, loadPairing } from "@chartseal/crypto";
import { ledgerRules } from "@chartseal/ledger";
import { migrateEmbedded } from "@chartseal/ledger/embedded";
import { openHome } from "../home/home.ts";

export interface HomeMigrated {
  /** False where the home was current. */
  readonly migrated: boolean;
  /** Formats of the ledger's store, before and now. */
  readonly from: number;
  readonly to: number;
  readonly height: number;
  /** The old file, which stays; null where none was replaced. */
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
  const pairing = await loadPairing();
  const { from, to, height, kept } = await migrateEmbedded({
    ...options,
    directory: home.paths.root,
    rulesOf: (genesis) => ledgerRules(pairing, genesis),
    chainId: fromHex(home.config.chainId, 32),
  });
  return { migrated: from !== to, from, to, height, kept };
}
