/**
 * A session through the server that runs on the home: ledger, provider, authority nodes and hospitals are reached by HTTP
 * with the machine's token; the members' keys stay in this process. The ledger's answers are checked against the home's
 * own genesis, as on any other machine.
 */
import { ChartsealError, fromHex, loadPairing } from "@chartseal/crypto";
import { type Action, accountOf, decodeGenesis } from "@chartseal/ledger";
import { HttpLedger, HttpProvider, homeClient } from "@chartseal/server/client";
import { nodeTransport } from "@chartseal/server/client-node";
import { currentBody, type Hospital, Operator, readNodes } from "@chartseal/sharing";
import { type Home, isOfConsortium } from "../home/home.ts";
import { institutionOf, readNetworkFile } from "../home/network-file.ts";
import { hospitalElsewhere, providerElsewhere } from "./elsewhere.ts";
import { rulesOfHome } from "./home-ledger.ts";
import { takeMembers } from "./home-lock.ts";
import type { LiveServer } from "./server-file.ts";
import { loadProvider } from "./service-keys.ts";
import { openMembers, rememberHead, type Session, type SessionOptions, vaultsFor } from "./session.ts";
import { asksElsewhere, openAll } from "./vaults.ts";

/** The services' vault is opened where another institution is asked in their name, else the members' alone. @throws ChartsealError `passphrase-wrong`, `chain-altered`, … */
export async function openServedSession(
  home: Home,
  { connection, close: disconnect }: LiveServer,
  options: SessionOptions,
): Promise<Session> {
  const { members: names = [] } = options;
  const now = (): number => Date.now();
  let held: { release(): void } | undefined;
  const release = (): void => {
    held?.release();
    disconnect();
  };
  try {
    const given = vaultsFor(home, options);
    const opened = asksElsewhere(home)
      ? openAll(given)
      : given.members().then((own) => [undefined, own] as const);
    const [pairing, [ownVault, vaults]] = await Promise.all([loadPairing(), opened]);
    held = await takeMembers(home.paths, names, options.waitMs);
    const rules = rulesOfHome(pairing, home);
    const ledger = new HttpLedger({ connection: connection.as("ledger-unreachable"), rules });
    const own = new HttpProvider({
      connection,
      account: providerOf(home),
      ledger,
      // On one machine nothing between the two breaks, and a payload need not be written twice.
      sending: { resumable: false },
    });
    const client = homeClient(connection, { nodes: (await readNodes(ledger)).nodes.length });
    const { nodes, validator, addNamespace, submitAudit, submitOperation } = client;
    const members = await openMembers(home, { pairing, ledger, names, vaults });
    const elsewhere = isOfConsortium(home)
      ? { network: readNetworkFile(home.paths), transport: nodeTransport(), ledger, members, now }
      : undefined;
    const asker = ownVault && (await loadProvider(ownVault));
    const provider = (elsewhere && asker && providerElsewhere(elsewhere, asker)) ?? own;
    const namespace = async (name: string): Promise<Hospital | undefined> =>
      (await client.namespace(name)) ?? (elsewhere && (await hospitalElsewhere(elsewhere, name)));
    const close = async (): Promise<void> => {
      try {
        // The head that was verified last: a server that went away meanwhile hides no other failure.
        rememberHead(home, ledger.verifiedHead, names);
      } finally {
        await ledger.close();
        elsewhere?.transport.close();
        release();
      }
    };
    const submit = async (action: Action) => await submitAudit(await currentBody({ ledger, now }, action));
    const auditor = { account: own.account, writer: { submit } };
    const operating = {
      account: accountOf(validatorOf(home)),
      submit: async (action: Action) => await submitOperation(await currentBody({ ledger, now }, action)),
    };
    const operator = new Operator({ ledger, now }, operating);
    const services = {
      provider,
      auditor,
      operator,
      operating,
      nodes,
      namespace,
      addNamespace,
      validators: [validator],
    };
    return { home, pairing, ledger, now, members, close, ...services };
  } catch (error) {
    release();
    throw error;
  }
}

/** The home's own provider. */
function providerOf(home: Home): Uint8Array {
  const { genesis, paths } = home;
  if (isOfConsortium(home)) {
    const network = readNetworkFile(paths);
    return accountOf(fromHex(institutionOf(network, network.name).provider, 32));
  }
  const [publicKey] = decodeGenesis(genesis).providers;
  if (publicKey === undefined) throw new ChartsealError("chain-altered", "the genesis names no provider");
  return accountOf(publicKey);
}

/** The home's own validator: the only one of an embedded ledger. */
function validatorOf(home: Home): Uint8Array {
  if (isOfConsortium(home)) {
    const network = readNetworkFile(home.paths);
    return fromHex(institutionOf(network, network.name).validator, 32);
  }
  const [validator] = decodeGenesis(home.genesis).validators;
  if (validator === undefined) throw new ChartsealError("chain-altered", "the genesis names no validator");
  return validator.publicKey;
}
