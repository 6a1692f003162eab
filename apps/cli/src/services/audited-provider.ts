/**
 * The provider that an audit asks: the home's own, read as it lies on its disk with no key; or another one at its address,
 * with the home's ledger, or with a genesis alone and the ledger over HTTP, checked by it.
 */
import { ChartsealError, fromHex, loadPairing, toHex } from "@chartseal/crypto";
import { accountOf, decodeGenesis, type Ledger, ledgerRules, roles } from "@chartseal/ledger";
import {
  answerAudit,
  checkShards,
  checkStoredHeader,
  type Provider,
  readAccount,
  type Surroundings,
} from "@chartseal/sharing";
import { scratchLeaves } from "./scratch-leaves.ts";
import type { ReadSession } from "./session.ts";
import { openStoredObjects } from "./stored-objects.ts";

export interface AuditedProvider {
  readonly provider: Pick<Provider, "audit" | "account">;
  /** Of the home's own provider: header and shards. */
  readonly checkOwn?: (recordId: Uint8Array) => Promise<void>;
  close(): Promise<void>;
}

/** Changes no byte below DIR. @throws ChartsealError `provider-unreachable` */
export async function ownProvider({ home, ledger }: ReadSession): Promise<AuditedProvider> {
  const { objects, placed, leaves } = await openStoredObjects(home.paths);
  const [publicKey] = decodeGenesis(home.genesis).providers;
  if (publicKey === undefined) throw new ChartsealError("chain-altered", "the genesis names no provider");
  const account = accountOf(publicKey);
  const self = {
    surroundings: { ledger },
    identity: { account },
    stores: { objects, placed, leaves: scratchLeaves(leaves) },
  };
  return {
    provider: { account, audit: (challenge) => answerAudit(self, challenge) },
    checkOwn: async (recordId) => {
      await checkStoredHeader(self, recordId);
      await checkShards(self, recordId);
    },
    close: async () => {},
  };
}

/** @throws ChartsealError `input-invalid` for what is no address of a registered provider, `provider-unreachable` */
export async function providerAt(
  url: string,
  { ledger }: { readonly ledger: Ledger },
): Promise<AuditedProvider> {
  const { connection, close } = await connect(url);
  try {
    const { HttpProvider } = await import("@chartseal/server/client");
    const said = (await connection.json({ target: "/v1/provider" })).account;
    const account = typeof said === "string" && /^[0-9a-f]{40}$/.test(said) ? fromHex(said, 20) : undefined;
    const value = account === undefined ? undefined : await readAccount(ledger, account);
    if (account === undefined || value === undefined || (value.roles & roles.provider) === 0) {
      throw new ChartsealError("input-invalid", `at ${url} there is no provider that the ledger knows`);
    }
    return { provider: new HttpProvider({ connection, account, ledger }), close: async () => close() };
  } catch (error) {
    close();
    throw error;
  }
}

/** For who has no home: a ledger over HTTP, of which nothing is believed that the genesis does not prove. */
export async function ledgerAt(
  url: string,
  genesis: Uint8Array,
): Promise<Surroundings & { close(): Promise<void> }> {
  const { connection, close } = await connect(url);
  const { HttpLedger } = await import("@chartseal/server/client");
  const pairing = await loadPairing();
  const ledger = new HttpLedger({
    connection: connection.as("ledger-unreachable"),
    rules: ledgerRules(pairing, genesis),
  });
  return {
    pairing,
    ledger,
    now: Date.now,
    close: async () => {
      await ledger.close();
      close();
    },
  };
}

async function connect(url: string) {
  let origin: URL;
  try {
    origin = new URL(url);
  } catch {
    throw new ChartsealError("input-invalid", `${JSON.stringify(url)} is no address`);
  }
  if (origin.protocol !== "http:" && origin.protocol !== "https:")
    throw new ChartsealError("input-invalid", `${JSON.stringify(url)} is no address of a server`, {
      hint: "Write it as http://HOST:PORT.",
    });
  const [{ Connection }, { nodeTransport }] = await Promise.all([
    import("@chartseal/server/client"),
    import("@chartseal/server/client-node"),
  ]);
  const transport = nodeTransport();
  const unreachable = "provider-unreachable" as const;
  const connection = new Connection({ url, transport, now: Date.now, unreachable });
  return { connection, close: () => transport.close() };
}

/** In hex, for people and scripts. */
export function providerName({ provider }: AuditedProvider): string {
  return toHex(provider.account);
}
