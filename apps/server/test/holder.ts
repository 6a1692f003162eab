/** A holder of other providers' objects behind a real server on loopback, its peers' keys, and a proxy that can cut. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ed25519KeyPairFromSeed, fromHex, toHex } from "@chartseal/crypto";
import { FaultyProxy } from "@chartseal/lab";
import { accountOf } from "@chartseal/ledger";
import { openFilesystemStore } from "@chartseal/storage";
import { HttpObjectStore, type HttpObjectStoreOptions } from "../src/client/http-object-store.ts";
import { Connection, type RequestSigner } from "../src/client/index.ts";
import { nodeTransport } from "../src/client/node-transport.ts";
import {
  type Host,
  type ObjectsRoleOptions,
  objectsRole,
  parseConfig,
  Staging,
  startHost,
} from "../src/index.ts";
import { noLimits } from "./ledger-server.ts";

export function peerSigner(seedByte: number): RequestSigner {
  const seed = new Uint8Array(32).fill(seedByte);
  return { keyId: toHex(accountOf(ed25519KeyPairFromSeed(seed).publicKey)), seed };
}

export const peers = [peerSigner(11), peerSigner(12)] as const;
/** Has an account on the ledger and is nobody's peer. */
export const stranger = peerSigner(13);

export class Holder {
  readonly folder = mkdtempSync(join(tmpdir(), "chartseal-holder-"));
  readonly transport = nodeTransport();
  readonly proxy: FaultyProxy;
  readonly quotaBytes: number;
  readonly clock = { nowMs: Date.now() };
  host!: Host;
  staging!: Staging;

  private constructor(proxy: FaultyProxy, quotaBytes: number) {
    this.proxy = proxy;
    this.quotaBytes = quotaBytes;
  }

  static async create(
    options: { readonly quotaBytes?: number; readonly attest?: ObjectsRoleOptions["attest"] } = {},
  ): Promise<Holder> {
    const holder = new Holder(await FaultyProxy.start({ port: 0 }), options.quotaBytes ?? 2 ** 30);
    await holder.start(options.attest);
    return holder;
  }

  /** A server as a process begins, on the same folder. */
  async start(attest?: ObjectsRoleOptions["attest"]): Promise<void> {
    const now = (): number => this.clock.nowMs;
    const staging = { folder: join(this.folder, "uploads"), now, graceMs: 3_600_000, uploadsMax: 64 };
    this.staging = new Staging({ ...staging, bytesMax: 2 ** 30 });
    const keys = new Map(
      [...peers, stranger].map(({ keyId, seed }) => [keyId, ed25519KeyPairFromSeed(seed).publicKey]),
    );
    this.host = await startHost({
      config: parseConfig({
        roles: ["objects"],
        limits: { ...noLimits, shutdownMs: 100 },
        authorities: [this.proxy.authority],
      }),
      roles: [
        objectsRole({
          peers: peers.map(({ keyId }) => ({ account: keyId, quotaBytes: this.quotaBytes })),
          storeOf: (account) => openFilesystemStore(join(this.folder, "held", account)),
          staging: this.staging,
          account: fromHex(peerSigner(1).keyId, 20),
          attest: attest ?? (() => Promise.reject(new Error("no ledger here"))),
        }),
      ],
      version: "0",
      log: process.stderr,
      logLevel: "error",
      accountKey: async (account) => keys.get(toHex(account)),
      now: Date.now,
    });
    this.proxy.target = { port: this.host.port };
  }

  connection(signer: RequestSigner, through: "proxy" | "directly" = "directly"): Connection {
    const url = through === "proxy" ? `http://${this.proxy.authority}` : this.host.url;
    const { transport } = this;
    return new Connection({ url, transport, now: Date.now, unreachable: "provider-unreachable", signer });
  }

  store(
    signer: RequestSigner = peers[0],
    options: Omit<HttpObjectStoreOptions, "connection"> & { readonly through?: "proxy" | "directly" } = {},
  ): HttpObjectStore {
    const { through, ...more } = options;
    return new HttpObjectStore({ connection: this.connection(signer, through), pauseMs: 1, ...more });
  }

  async close(): Promise<void> {
    this.transport.close();
    await this.proxy.stop();
    await this.host.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
