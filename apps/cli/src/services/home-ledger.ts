/**
 * The ledger of a home, by its engine: embedded, in this process; or one of a consortium's, whose node runs beside the one
 * process that writes. Who only reads asks the server that runs on such a home, and the files where none does.
 */
import { existsSync } from "node:fs";
import { ChartsealError, equalBytes, fromHex, type Pairing } from "@chartseal/crypto";
import { chainIdOf, type Ledger, ledgerRules, type Rules } from "@chartseal/ledger";
import { type HomeLock, openEmbedded, openEmbeddedReader } from "@chartseal/ledger/embedded";
import { type Home, isOfConsortium } from "../home/home.ts";
import type { ConsortiumNode } from "./consortium-node.ts";
import { ledgerFileOf } from "./ledger-files.ts";
import { findServer } from "./server-file.ts";

export interface HomeLedger {
  readonly ledger: Ledger;
  /** What GET /health says of the engine beside the ledger's own. */
  readonly health?: () => Promise<Readonly<Record<string, number | boolean | string>>>;
  /** A consortium's node, for those who ask this home's server for headers. */
  readonly askNode?: ConsortiumNode["askNode"];
  close(): Promise<void>;
}

export interface WriterParts {
  readonly pairing: Pairing;
  readonly validatorSeed: Uint8Array;
  readonly now: () => number;
  readonly lock: HomeLock;
  /** Told why a consortium's node ended, or was stopped; default: nobody. */
  readonly failed?: (error: unknown) => void;
}

/** For the home's one writer. @throws ChartsealError `home-busy`, `chain-altered`, `ledger-unreachable`, `tool-missing` */
export async function openHomeLedger(home: Home, parts: WriterParts): Promise<HomeLedger> {
  const { pairing, validatorSeed, now, lock, failed = () => {} } = parts;
  if (!isOfConsortium(home)) {
    const ledger = await openEmbedded({
      directory: home.paths.root,
      rulesOf: (genesis) => ledgerRules(pairing, genesis),
      chainId: fromHex(home.config.chainId, 32),
      proposerSeed: validatorSeed,
      now,
      lock,
    });
    return { ledger, close: () => ledger.close() };
  }
  const { startConsortiumNode } = await import("./consortium-node.ts");
  const rules = rulesOfHome(pairing, home);
  const { ledger, health, askNode, stop } = await startConsortiumNode({
    home,
    rules,
    validatorSeed,
    now,
    lock,
    failed,
  });
  return { ledger, health, askNode, close: stop };
}

/** No key, no lock, no byte changed. @throws ChartsealError `chain-altered`, `home-busy`, `ledger-unreachable` */
export async function openLedgerForReading(
  home: Home,
  pairing: Pairing,
): Promise<{ readonly ledger: Ledger; close(): Promise<void> }> {
  if (!isOfConsortium(home)) {
    const ledger = openEmbeddedReader({
      directory: home.paths.root,
      rulesOf: (genesis) => ledgerRules(pairing, genesis),
      chainId: fromHex(home.config.chainId, 32),
    });
    return { ledger, close: () => ledger.close() };
  }
  const rules = rulesOfHome(pairing, home);
  const server = await findServer(home.paths);
  if (server === undefined) {
    // One that never ran has no file yet; that is no damage.
    if (!existsSync(ledgerFileOf(home.paths))) {
      throw noLedgerYet();
    }
    const { openCometReader } = await import("@chartseal/ledger/comet");
    const ledger = openCometReader({ directory: home.paths.root, rules });
    return { ledger, close: () => ledger.close() };
  }
  const { HttpLedger } = await import("@chartseal/server/client");
  const ledger = new HttpLedger({ connection: server.connection.as("ledger-unreachable"), rules });
  return {
    ledger,
    async close() {
      await ledger.close();
      server.close();
    },
  };
}

/** An institution that never ran. */
export function noLedgerYet(): ChartsealError {
  return new ChartsealError("ledger-unreachable", "this institution has no ledger here yet", {
    hint: "Start it with chartseal serve, or chartseal network up where all are on this machine.",
  });
}

/** Of the genesis that the home was made with. @throws ChartsealError `chain-altered` */
export function rulesOfHome(pairing: Pairing, { genesis, config }: Home): Rules {
  if (equalBytes(chainIdOf(genesis), fromHex(config.chainId, 32))) return ledgerRules(pairing, genesis);
  throw new ChartsealError("chain-altered", "the home's genesis is not that of its chain", {
    hint: "Restore config.json and genesis.cbor from a backup.",
  });
}
