/** A home's ledger as files, for who checks it, explains damage or repairs what lies beside it: by the engine whose file is there. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ChainReport, Ledger, Rules } from "@chartseal/ledger";
import { openEmbeddedReader, openSalvage, type Salvage, verifyEmbedded } from "@chartseal/ledger/embedded";
import type { HomePaths } from "../home/paths.ts";

export interface LedgerFiles {
  /** Undefined where there is no database to read. @throws ChartsealError `home-missing`, `home-busy`, `ledger-unreachable` */
  salvage(): Salvage | undefined;
  /** Changes no byte; damage is in the report. */
  verify(rules: Rules): Promise<ChainReport>;
  /** @throws ChartsealError `home-missing`, `chain-altered`, `home-busy` */
  reader(rules: Rules): Ledger;
}

const cometFile = ({ ledger }: Pick<HomePaths, "ledger">): string => join(ledger, "comet.sqlite");

/** Whether an institution's ledger is there. */
export function isOverComet(paths: Pick<HomePaths, "ledger">): boolean {
  return existsSync(cometFile(paths));
}

/** The ledger's own file. */
export function ledgerFileOf(paths: Pick<HomePaths, "ledger">): string {
  return isOverComet(paths) ? cometFile(paths) : join(paths.ledger, "ledger.sqlite");
}

export async function ledgerFiles(paths: Pick<HomePaths, "root" | "ledger">): Promise<LedgerFiles> {
  const { root: directory } = paths;
  if (!isOverComet(paths)) {
    return {
      salvage: () => openSalvage(directory),
      verify: (rules) => verifyEmbedded({ directory, rulesOf: () => rules }),
      reader: (rules) => openEmbeddedReader({ directory, rulesOf: () => rules }),
    };
  }
  const { openCometReader, openCometSalvage, verifyComet } = await import("@chartseal/ledger/comet");
  return {
    salvage: () => openCometSalvage(directory),
    verify: (rules) => verifyComet({ directory, rules }),
    reader: (rules) => openCometReader({ directory, rules }),
  };
}
