/**
 * A consortium for `bench authority`: an embedded ledger behind a real server on loopback, and n committee nodes, each
 * with a connection of its own that believes nothing the server says. They generate their keys and issue as they would
 * on machines of their own, but share this process and its cores.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ed25519KeyPairFromSeed, loadPairing, type Pairing, randomBytes } from "@chartseal/crypto";
import { defaultParameters, encodeGenesis, type Ledger, ledgerRules } from "@chartseal/ledger";
import { type EmbeddedLedger, openEmbedded } from "@chartseal/ledger/embedded";
import { type Host, ledgerRole, parseConfig, startHost } from "@chartseal/server";
import { Connection, HttpLedger, type Transport } from "@chartseal/server/client";
import { nodeTransport } from "@chartseal/server/client-node";
import {
  AccountWriter,
  type AuthorityNode,
  enrol,
  HospitalNamespace,
  type Identity,
  identityOf,
  type MemberKeys,
  MemoryNodeStore,
  NodeDriver,
  newIdentitySeeds,
  registerNamespace,
  renewTransformKey,
  StorageProvider,
  type Surroundings,
} from "@chartseal/sharing";
import { custodyOnly } from "./custody.ts";

export interface Sizes {
  readonly nodes: number;
  readonly threshold: number;
}

const noLimit = { perSecond: 1e6, burst: 1e7 };
const hospital = "cedars";

/** One committee, from its genesis on. */
export class Committee {
  readonly #pairing: Pairing;
  readonly #folder: string;
  readonly #validatorSeed: Uint8Array;
  readonly #embedded: EmbeddedLedger;
  readonly #host: Host;
  readonly #provider: Identity;
  readonly #drivers: readonly NodeDriver[];
  readonly #open: { readonly ledger: Ledger; readonly transport: Transport }[];

  private constructor(parts: {
    pairing: Pairing;
    folder: string;
    validatorSeed: Uint8Array;
    embedded: EmbeddedLedger;
    host: Host;
    provider: Identity;
    nodes: readonly Identity[];
  }) {
    this.#pairing = parts.pairing;
    this.#folder = parts.folder;
    this.#validatorSeed = parts.validatorSeed;
    this.#embedded = parts.embedded;
    this.#host = parts.host;
    this.#provider = parts.provider;
    this.#open = parts.nodes.map(() => this.#connect());
    this.#drivers = parts.nodes.map((identity, at) => {
      const surroundings = this.#surroundings(this.#open[at]!.ledger);
      return new NodeDriver(surroundings, { identity, store: new MemoryNodeStore() });
    });
  }

  static async create({ nodes: n, threshold }: Sizes): Promise<Committee> {
    const pairing = await loadPairing();
    const identity = (): Promise<Identity> => identityOf(newIdentitySeeds());
    const nodes = await Promise.all(Array.from({ length: n }, identity));
    const provider = await identity();
    const validatorSeed = randomBytes(32);
    const folder = mkdtempSync(join(tmpdir(), "chartseal-bench-"));
    const embedded = await openEmbedded({
      directory: folder,
      rulesOf: (bytes) => ledgerRules(pairing, bytes),
      proposerSeed: validatorSeed,
      now: Date.now,
      waitMs: 0,
      create: encodeGenesis({
        name: "benchmark",
        createdMs: Date.now(),
        parameters: defaultParameters,
        validators: [{ publicKey: ed25519KeyPairFromSeed(validatorSeed).publicKey, stake: 1 }],
        providers: [provider.publicKey],
        nodes: nodes.map(({ publicKey }) => publicKey),
        threshold,
      }),
    });
    const host = await startHost({
      config: parseConfig({ roles: ["ledger"], limits: { anonymous: noLimit, signed: noLimit } }),
      roles: [ledgerRole({ ledger: embedded })],
      version: "0",
      accountKey: async () => undefined,
      now: Date.now,
    });
    return new Committee({ pairing, folder, validatorSeed, embedded, host, provider, nodes });
  }

  #connect(): { ledger: Ledger; transport: Transport } {
    const transport = nodeTransport();
    const { url } = this.#host;
    const connection = new Connection({ url, transport, now: Date.now, unreachable: "ledger-unreachable" });
    const rules = ledgerRules(this.#pairing, this.#embedded.genesis);
    return { ledger: new HttpLedger({ connection, rules }), transport };
  }

  #surroundings(ledger: Ledger): Surroundings {
    return { pairing: this.#pairing, ledger, now: Date.now };
  }

  /** All rounds of all three keys, until every node has its shares. */
  async generateKeys(): Promise<void> {
    for (let moved = true; moved; ) {
      moved = (await Promise.all(this.#drivers.map((driver) => driver.step()))).includes(true);
    }
    await Promise.all(this.#drivers.map((driver) => driver.shares()));
  }

  /** A provider, a hospital and a member who is vouched for `count` attributes: what an issue needs. */
  async prepareIssue(count: number): Promise<() => Promise<void>> {
    const surroundings = this.#surroundings(this.#open[0]!.ledger);
    const { publicKey, hpkePublic: hpkeKey } = this.#provider;
    const writer = new AccountWriter(surroundings, this.#provider);
    await writer.submit({ kind: "register-provider", publicKey, hpkeKey });
    const identity = await identityOf(newIdentitySeeds());
    const secret = await registerNamespace(surroundings, {
      name: hospital,
      identity,
      admittedBy: [this.#validatorSeed],
      saved: async () => {},
    });
    const member: MemberKeys = {
      ...(await identityOf(newIdentitySeeds())),
      recoveryKey: null,
      transformKeyId: null,
      baseKey: null,
      signingKeys: new Map(),
    };
    await enrol(surroundings, member);
    // With the member's own ACCOUNT@self it is `count` in all.
    const attributes = Array.from({ length: count - 1 }, (_, at) => `attribute-${at}@${hospital}`);
    await new HospitalNamespace(surroundings, { identity, secret }).vouch(member.account, attributes);
    const provider = new StorageProvider({ surroundings, identity: this.#provider, stores: custodyOnly() });
    const nodes = this.#drivers.map((driver, at): AuthorityNode => {
      const index = at + 1;
      return {
        index,
        answer: (requestId) => driver.answer(requestId),
        basePartial: (account) => driver.basePartial(account),
      };
    });
    return async () => {
      await renewTransformKey(surroundings, { member, nodes, provider, saved: async () => {} });
    };
  }

  async close(): Promise<void> {
    for (const { ledger, transport } of this.#open) {
      await ledger.close();
      transport.close();
    }
    await this.#host.close();
    await this.#embedded.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
