/** A consortium behind a real server on loopback: the roles' parties are the world's, the clients reach them by HTTP. */
import { toHex } from "@chartseal/crypto";
import { ledgerRules } from "@chartseal/ledger";
import { type Identity, type ProviderStores, readAccount, type Surroundings } from "@chartseal/sharing";
import { type Member, World } from "../../../packages/sharing/test/world.ts";
import {
  Connection,
  HttpLedger,
  HttpNamespace,
  HttpProvider,
  type RequestSigner,
  type Transport,
} from "../src/client/index.ts";
import { nodeTransport } from "../src/client/node-transport.ts";
import {
  type Host,
  type HostConfigInput,
  type IdentityOf,
  ledgerRole,
  namespaceRole,
  type ProviderRoleOptions,
  parseConfig,
  providerRole,
  startHost,
} from "../src/index.ts";
import { noLimits } from "./ledger-server.ts";

export class ServedWorld {
  readonly world: World;
  readonly host: Host;
  readonly transport: Transport = nodeTransport();

  private constructor(world: World, host: Host) {
    this.world = world;
    this.host = host;
  }

  static async create(
    options: {
      readonly provider?: ProviderRoleOptions["limits"];
      readonly limits?: HostConfigInput["limits"];
      readonly localKey?: Uint8Array;
      readonly identity?: (world: World) => IdentityOf;
      /** The provider's, instead of those in memory. */
      readonly stores?: (world: World) => ProviderStores;
    } = {},
  ): Promise<ServedWorld> {
    const world = await World.create();
    if (options.stores !== undefined) world.provider = world.newProvider(options.stores(world));
    const { now, hospitals } = world;
    const provider = options.provider === undefined ? {} : { limits: options.provider };
    const host = await startHost({
      config: parseConfig({
        roles: ["ledger", "provider", "namespace"],
        limits: { ...noLimits, ...options.limits },
      }),
      roles: [
        ledgerRole({ ledger: world.ledger }),
        providerRole({ provider: world.provider, now, ledger: world.ledger, ...provider }),
        namespaceRole({
          namespace: async (name) => hospitals.get(name),
          names: async () => [...hospitals.keys()],
          ...(options.identity === undefined ? {} : { identity: options.identity(world) }),
        }),
      ],
      version: "0",
      // What fails in the server is seen by who runs the test.
      log: process.stderr,
      logLevel: "error",
      accountKey: async (account) => (await readAccount(world.ledger, account))?.publicKey,
      now,
      ...(options.localKey === undefined ? {} : { localKey: options.localKey }),
    });
    return new ServedWorld(world, host);
  }

  async close(): Promise<void> {
    this.transport.close();
    await this.host.close();
    await this.world.close();
  }

  connection(signer?: RequestSigner): Connection {
    const { transport, host, world } = this;
    const signs = signer === undefined ? {} : { signer };
    return new Connection({
      url: host.url,
      transport,
      now: world.now,
      unreachable: "provider-unreachable",
      ...signs,
    });
  }

  /** What a client on another machine has: its keys, the genesis, the server's address. */
  client(member?: Identity): Surroundings & { readonly provider: HttpProvider; readonly ledger: HttpLedger } {
    const { pairing, now, ledger: own, providerIdentity } = this.world;
    const connection = this.connection();
    const rules = ledgerRules(pairing, own.genesis);
    const ledger = new HttpLedger({ connection: connection.as("ledger-unreachable"), rules });
    const signer = member === undefined ? {} : { signer: signerOf(member) };
    const provider = new HttpProvider({ connection, account: providerIdentity.account, ledger, ...signer });
    return { pairing, now, ledger, provider };
  }

  namespace(name: string, member: Member): HttpNamespace {
    return new HttpNamespace({ connection: this.connection(), name, signerOf: () => signerOf(member) });
  }
}

export function signerOf({ account, seed }: Identity): RequestSigner {
  return { keyId: toHex(account), seed };
}
