/** An embedded ledger behind a real server on loopback, and clients of it, for tests. */
import type { Ledger, Rules } from "@chartseal/ledger";
import { Connection, HttpLedger, type HttpLedgerOptions, type Transport } from "../src/client/index.ts";
import { nodeTransport } from "../src/client/node-transport.ts";
import { type Host, type LedgerRoleOptions, ledgerRole, parseConfig, startHost } from "../src/index.ts";

export const noLimits = {
  anonymous: { perSecond: 1e6, burst: 1e7 },
  signed: { perSecond: 1e6, burst: 1e7 },
};

export async function serveLedger(options: LedgerRoleOptions): Promise<Host> {
  return await startHost({
    config: parseConfig({ roles: ["ledger"], limits: noLimits }),
    roles: [ledgerRole(options)],
    version: "0",
    accountKey: async () => undefined,
    now: Date.now,
  });
}

export interface Client {
  readonly ledger: HttpLedger;
  readonly transport: Transport;
}

/** A client that trusts these rules and nothing else. */
export function clientOf(
  url: string,
  rules: Rules,
  more: Pick<HttpLedgerOptions, "transactions"> & { readonly transport?: Transport } = {},
): HttpLedger {
  const { transport = nodeTransport(), ...options } = more;
  const connection = new Connection({ url, transport, now: Date.now, unreachable: "ledger-unreachable" });
  return new HttpLedger({ connection, rules, ...options });
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

export type { Ledger };
