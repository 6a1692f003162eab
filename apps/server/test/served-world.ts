/** A consortium behind a real server on loopback: the roles' parties are the world's, the clients reach them by HTTP. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toHex } from "@chartseal/crypto";
import { FaultyProxy } from "@chartseal/lab";
import { ledgerRules } from "@chartseal/ledger";
import { type Identity, type ProviderStores, readAccount, type Surroundings } from "@chartseal/sharing";
import { type Member, World } from "../../../packages/sharing/test/world.ts";
import {
  Connection,
  HttpLedger,
  HttpNamespace,
  HttpProvider,
  type RequestSigner,
  type SendingOptions,
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
  Staging,
  startHost,
} from "../src/index.ts";
import { noLimits } from "./ledger-server.ts";

export interface ServedOptions {
  readonly provider?: ProviderRoleOptions["limits"];
  readonly limits?: HostConfigInput["limits"];
  readonly authorities?: readonly string[];
  readonly localKey?: Uint8Array;
  readonly identity?: (world: World) => IdentityOf;
  readonly log?: { write(line: string): void };
  /** The provider's, instead of those in memory. */
  readonly stores?: (world: World) => ProviderStores;
}

export class ServedWorld {
  readonly world: World;
  readonly transport: Transport = nodeTransport();

  readonly proxy: FaultyProxy;
  readonly folder: string;
  readonly #options: ServedOptions;
  #host: Host | undefined;
  #staging!: Staging;

  private constructor(world: World, proxy: FaultyProxy, options: ServedOptions) {
    this.world = world;
    this.proxy = proxy;
    this.#options = options;
    this.folder = mkdtempSync(join(tmpdir(), "chartseal-served-"));
  }

  get host(): Host {
    return this.#host!;
  }

  /** Uploads that are under way. */
  get staging(): Staging {
    return this.#staging;
  }

  static async create(options: ServedOptions = {}): Promise<ServedWorld> {
    const world = await World.create();
    if (options.stores !== undefined) world.provider = world.newProvider(options.stores(world));
    const served = new ServedWorld(world, await FaultyProxy.start({ port: 0 }), options);
    await served.start();
    return served;
  }

  /** A server as a process begins; the one before was closed or is forgotten. */
  async start(): Promise<void> {
    const { world, proxy } = this;
    const { now, hospitals } = world;
    // Clients have seen by then that their idle connections are gone.
    if (this.#host !== undefined) await new Promise((resolve) => setTimeout(resolve, 50));
    const { provider: limits, localKey, identity, log = process.stderr } = this.#options;
    const folder = join(this.folder, "uploads");
    this.#staging = new Staging({ folder, now, graceMs: 86_400_000, uploadsMax: 16, bytesMax: 2 ** 30 });
    this.#host = await startHost({
      config: parseConfig({
        roles: ["ledger", "provider", "namespace"],
        listen: { port: this.#host?.port ?? 0 },
        limits: { ...noLimits, shutdownMs: 500, ...this.#options.limits },
        authorities: [proxy.authority, ...(this.#options.authorities ?? [])],
      }),
      roles: [
        ledgerRole({ ledger: world.ledger }),
        providerRole({
          provider: world.provider,
          now,
          ledger: world.ledger,
          staging: this.#staging,
          check: () => world.provider.check(),
          usage: () => world.provider.usage(),
          ...(limits === undefined ? {} : { limits }),
        }),
        namespaceRole({
          namespace: async (name) => hospitals.get(name),
          names: async () => [...hospitals.keys()],
          ...(identity === undefined ? {} : { identity: identity(world) }),
        }),
      ],
      version: "0",
      // What fails in the server is seen by who runs the test.
      log,
      logLevel: "error",
      accountKey: async (account) => (await readAccount(world.ledger, account))?.publicKey,
      now,
      ...(localKey === undefined ? {} : { localKey }),
    });
    proxy.target = { port: this.#host.port };
  }

  async close(): Promise<void> {
    this.transport.close();
    await this.proxy.stop();
    await this.host.close();
    await this.world.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  connection(signer?: RequestSigner, through: "directly" | "proxy" = "directly"): Connection {
    const { transport, host, world } = this;
    const url = through === "proxy" ? `http://${this.proxy.authority}` : host.url;
    const signs = signer === undefined ? {} : { signer };
    return new Connection({
      url,
      transport,
      now: world.now,
      unreachable: "provider-unreachable",
      ...signs,
    });
  }

  /** What a client on another machine has: its keys, the genesis, the server's address. */
  client(
    member?: Identity,
    options: { readonly through?: "directly" | "proxy"; readonly sending?: SendingOptions } = {},
  ): Surroundings & { readonly provider: HttpProvider; readonly ledger: HttpLedger } {
    const { pairing, now, ledger: own, providerIdentity } = this.world;
    const { through, sending } = options;
    const connection = this.connection(undefined, through);
    const rules = ledgerRules(pairing, own.genesis);
    const ledger = new HttpLedger({ connection: this.connection().as("ledger-unreachable"), rules });
    const signer = member === undefined ? {} : { signer: signerOf(member) };
    const provider = new HttpProvider({
      connection,
      account: providerIdentity.account,
      ledger,
      sending: { pauseMs: 5, ...sending },
      ...signer,
    });
    return { pairing, now, ledger, provider };
  }

  namespace(name: string, member: Member): HttpNamespace {
    return new HttpNamespace({ connection: this.connection(), name, signerOf: () => signerOf(member) });
  }
}

export function signerOf({ account, seed }: Identity): RequestSigner {
  return { keyId: toHex(account), seed };
}
