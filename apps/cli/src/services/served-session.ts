/**
 * A session through the server that runs on the home: ledger, provider, authority nodes and hospitals are reached by HTTP
 * with the machine's token; the members' keys stay in this process. The ledger's answers are checked against the home's
 * own genesis, as on any other machine.
 */
import { ChartsealError, equalBytes, fromHex, loadPairing } from "@chartseal/crypto";
import { type Action, accountOf, chainIdOf, decodeGenesis, ledgerRules } from "@chartseal/ledger";
import { HttpLedger, HttpProvider, homeClient } from "@chartseal/server/client";
import { currentBody, readNodes } from "@chartseal/sharing";
import type { Home } from "../home/home.ts";
import { takeMembers } from "./home-lock.ts";
import type { LiveServer } from "./server-file.ts";
import { openMembers, openVaults, rememberHead, type Session, type SessionOptions } from "./session.ts";

/** Vaults as `openVaults` gives them, the services' first. @throws ChartsealError `passphrase-wrong`, `chain-altered`, … */
export async function openServedSession(
  home: Home,
  { connection, close: disconnect }: LiveServer,
  options: SessionOptions,
): Promise<Session> {
  const { passphrase, members: names = [] } = options;
  const now = (): number => Date.now();
  let held: { release(): void } | undefined;
  const release = (): void => {
    held?.release();
    disconnect();
  };
  try {
    const opened = options.vaults ?? openVaults(home, passphrase, names);
    const [pairing, [, ...vaults]] = await Promise.all([loadPairing(), opened]);
    held = await takeMembers(home.paths, names, options.waitMs);
    const rules = ledgerRules(pairing, ownGenesis(home));
    const ledger = new HttpLedger({ connection: connection.as("ledger-unreachable"), rules });
    const provider = new HttpProvider({
      connection,
      account: providerOf(home),
      ledger,
      // On one machine nothing between the two breaks, and a payload need not be written twice.
      sending: { resumable: false },
    });
    const { nodes, validator, namespace, addNamespace, submitAudit } = homeClient(connection, {
      nodes: (await readNodes(ledger)).nodes.length,
    });
    const members = await openMembers(home, { pairing, ledger, names, vaults });
    const close = async (): Promise<void> => {
      try {
        // The head that was verified last: a server that went away meanwhile hides no other failure.
        rememberHead(home, ledger.verifiedHead, names);
      } finally {
        await ledger.close();
        release();
      }
    };
    const submit = async (action: Action) => await submitAudit(await currentBody({ ledger, now }, action));
    const auditor = { account: provider.account, writer: { submit } };
    const services = { provider, auditor, nodes, namespace, addNamespace, validators: [validator] };
    return { home, pairing, ledger, now, members, close, ...services };
  } catch (error) {
    release();
    throw error;
  }
}

/** The genesis that the home was made with. @throws ChartsealError `chain-altered` */
function ownGenesis({ genesis, config }: Home): Uint8Array {
  if (equalBytes(chainIdOf(genesis), fromHex(config.chainId, 32))) return genesis;
  throw new ChartsealError("chain-altered", "the home's genesis is not that of its chain", {
    hint: "Restore config.json and genesis.cbor from a backup.",
  });
}

function providerOf({ genesis }: Home): Uint8Array {
  const [publicKey] = decodeGenesis(genesis).providers;
  if (publicKey === undefined) throw new ChartsealError("chain-altered", "the genesis names no provider");
  return accountOf(publicKey);
}
