/**
 * A small consortium with real cryptography: an embedded ledger in a temporary folder, a provider with its stores in
 * memory, an authority, hospitals, and a clock that stands still until a test moves it.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type ChartsealError,
  concat,
  type ErrorCode,
  ed25519KeyPairFromSeed,
  hasCode,
  loadPairing,
  type NamespaceSecret,
  type Pairing,
  parsePolicy,
  randomBytes,
  utf8,
} from "@chartseal/crypto";
import { defaultParameters, encodeGenesis, type Ledger, ledgerRules } from "@chartseal/ledger";
import { openEmbedded } from "@chartseal/ledger/embedded";
import type { Placement } from "@chartseal/storage";
import { expect } from "vitest";
import {
  AccountWriter,
  type AuthorityNode,
  CommitteeNode,
  collectBaseKey,
  type Deposited,
  deposit,
  enrol,
  generateCommitteeKeys,
  HospitalNamespace,
  type Identity,
  identityOf,
  type MemberKeys,
  type NodeShares,
  newIdentitySeeds,
  type Opened,
  type ProviderStores,
  refreshSigningKeys,
  registerNamespace,
  renewTransformKey,
  StorageProvider,
  type Surroundings,
  setRule,
} from "../src/index.ts";
import type { NodeIdentity } from "../src/key-generation.ts";
import { MemoryStores } from "./stores.ts";

export interface Member extends MemberKeys {
  /** The last z that was kept before its key was announced. */
  pending?: { readonly recoveryKey: bigint; readonly requestId: Uint8Array };
}

export class World implements Surroundings {
  readonly pairing: Pairing;
  readonly ledger: Ledger;
  readonly stores = new MemoryStores();
  readonly validatorSeed: Uint8Array;
  readonly providerIdentity: Identity;
  readonly nodeParts: readonly { readonly identity: NodeIdentity; readonly shares: NodeShares }[];
  nodes: readonly AuthorityNode[];
  readonly hospitals = new Map<string, HospitalNamespace>();
  readonly hospitalParts = new Map<
    string,
    { readonly identity: Identity; readonly secret: NamespaceSecret }
  >();
  readonly members: Member[] = [];
  readonly clock: { nowMs: number };
  readonly #folder: string;
  provider: StorageProvider;

  private constructor(parts: {
    pairing: Pairing;
    ledger: Ledger;
    validatorSeed: Uint8Array;
    provider: Identity;
    nodes: World["nodeParts"];
    clock: { nowMs: number };
    folder: string;
  }) {
    this.pairing = parts.pairing;
    this.ledger = parts.ledger;
    this.validatorSeed = parts.validatorSeed;
    this.providerIdentity = parts.provider;
    this.clock = parts.clock;
    this.#folder = parts.folder;
    this.nodeParts = parts.nodes;
    this.nodes = parts.nodes.flatMap((node) =>
      node.shares === undefined ? [] : [new CommitteeNode(this.surroundings, node)],
    );
    this.provider = this.newProvider();
  }

  /** `driven`: the nodes run by themselves (committee.ts), and the committee has no keys yet. */
  static async create({
    n = 1,
    t = 1,
    driven = false,
  }: {
    n?: number;
    t?: number;
    driven?: boolean;
  } = {}): Promise<World> {
    const memory = "/dev/shm";
    const folder = mkdtempSync(join(existsSync(memory) ? memory : tmpdir(), "chartseal-sharing-"));
    const pairing = await loadPairing();
    const clock = { nowMs: 1_760_000_000_000 };
    const validatorSeed = randomBytes(32);
    const provider = await identityOf(newIdentitySeeds());
    const identities = await Promise.all(
      Array.from({ length: n }, async (_, at) => ({
        ...(await identityOf(newIdentitySeeds())),
        index: at + 1,
      })),
    );
    const genesis = encodeGenesis({
      name: "test",
      createdMs: clock.nowMs,
      parameters: defaultParameters,
      validators: [{ publicKey: ed25519KeyPairFromSeed(validatorSeed).publicKey, stake: 1 }],
      providers: [provider.publicKey],
      nodes: identities.map(({ publicKey }) => publicKey),
      threshold: t,
    });
    const now = () => clock.nowMs;
    const ledger = await openEmbedded({
      directory: folder,
      rulesOf: (bytes) => ledgerRules(pairing, bytes),
      proposerSeed: validatorSeed,
      now,
      create: genesis,
      waitMs: 0,
    });
    const surroundings = { pairing, ledger, now };
    const shares = driven ? [] : await generateCommitteeKeys(surroundings, { identities });
    const { publicKey, hpkePublic: hpkeKey } = provider;
    await new AccountWriter(surroundings, provider).submit({ kind: "register-provider", publicKey, hpkeKey });
    const nodes = identities.map((identity, at) => ({ identity, shares: shares[at]! }));
    return new World({ pairing, ledger, validatorSeed, provider, nodes, clock, folder });
  }

  now = (): number => this.clock.nowMs;

  get surroundings(): Surroundings {
    return { pairing: this.pairing, ledger: this.ledger, now: this.now };
  }

  /** A provider over these stores, as a process begins. */
  newProvider(stores: ProviderStores = this.stores, ledger: Ledger = this.ledger): StorageProvider {
    const surroundings = { ...this.surroundings, ledger };
    return new StorageProvider({ surroundings, identity: this.providerIdentity, stores });
  }

  async close(): Promise<void> {
    await this.ledger.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  advance(milliseconds: number): void {
    this.clock.nowMs += milliseconds;
  }

  async hospital(name: string): Promise<HospitalNamespace> {
    const identity = await identityOf(newIdentitySeeds());
    const saved = async () => {};
    const secret = await registerNamespace(this, { name, identity, admittedBy: [this.validatorSeed], saved });
    const hospital = new HospitalNamespace(this.surroundings, { identity, secret });
    this.hospitals.set(name, hospital);
    this.hospitalParts.set(name, { identity, secret });
    return hospital;
  }

  /** A member with a key for its own leaf, and for these attributes. */
  async member(...attributes: string[]): Promise<Member> {
    const identity = await identityOf(newIdentitySeeds());
    const member: Member = {
      ...identity,
      recoveryKey: null,
      transformKeyId: null,
      baseKey: null,
      signingKeys: new Map(),
    };
    this.members.push(member);
    await enrol(this, member);
    await this.grant(member, ...attributes);
    return member;
  }

  async grant(member: Member, ...attributes: string[]): Promise<void> {
    for (const attribute of attributes) {
      const name = attribute.slice(attribute.indexOf("@") + 1);
      await this.hospitals.get(name)!.vouch(member.account, [attribute]);
    }
    await this.renew(member);
    if (member.baseKey === null) await collectBaseKey(this, { member, nodes: this.nodes });
    await this.refresh(member);
  }

  /** All that new keys of an account collect: a transform key under a fresh z, the base, signing keys. */
  async collect(member: Member): Promise<void> {
    await this.renew(member);
    await collectBaseKey(this, { member, nodes: this.nodes });
    await this.refresh(member);
  }

  async renew(member: Member): Promise<void> {
    const saved = async (pending: NonNullable<Member["pending"]>) => {
      member.pending = pending;
    };
    await renewTransformKey(this, { member, nodes: this.nodes, provider: this.provider, saved });
  }

  async refresh(member: Member): Promise<void> {
    await refreshSigningKeys(this, { member, namespace: async (name) => this.hospitals.get(name) });
  }

  /**
   * Revokes at the ledger and has the provider follow, as the command does. Everybody else collects the keys of the
   * period that this opens.
   */
  async revoke(member: Identity, ...attributes: string[]): Promise<void> {
    const name = attributes[0]!.slice(attributes[0]!.indexOf("@") + 1);
    await this.hospitals.get(name)!.revoke(member.account, attributes);
    await this.provider.follow();
    for (const other of this.members) if (other.account !== member.account) await this.refresh(other);
  }

  async rule(owner: Identity, namespace: string, policy: string, more: object = {}): Promise<void> {
    await setRule(this, { owner, namespace, policy: parsePolicy(policy), ...more });
  }

  /** A deposit by an author under the owner's rule. */
  byAuthor(
    author: MemberKeys,
    owner: Identity,
    options: Sealing & { namespace: string },
  ): Promise<Deposited> {
    const { policy, authorPolicy = policy, namespace } = options;
    return this.#deposit(author, owner, { ...options, authorPolicy, namespace });
  }

  byOwner(owner: MemberKeys, options: Sealing): Promise<Deposited> {
    return this.#deposit(owner, owner, options);
  }

  #deposit(by: MemberKeys, owner: Identity, options: Sealing & { namespace?: string }): Promise<Deposited> {
    const { policy, authorPolicy, namespace, purposes, placement, text = "a record" } = options;
    return deposit(this, {
      by,
      owner: owner.account,
      policy: parsePolicy(policy),
      ...(authorPolicy === undefined ? {} : { authorPolicy: parsePolicy(authorPolicy) }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(purposes === undefined ? {} : { purposes }),
      ...(placement === undefined ? {} : { placement }),
      source: source(typeof text === "string" ? utf8(text) : text),
      metadata: async () => ({ name: "x.txt", mediaType: "text/plain", validation: "not-checked" }),
    });
  }
}

export interface Sealing {
  readonly policy: string;
  readonly authorPolicy?: string;
  readonly purposes?: readonly string[];
  readonly text?: string | Uint8Array;
  readonly placement?: Placement;
}

/** The member under new keys of its account, which have collected nothing yet; it takes the old one's place. */
export function movedTo(world: World, member: Member, next: Identity): Member {
  const nothing = { recoveryKey: null, transformKeyId: null, baseKey: null };
  const moved: Member = { ...next, ...nothing, signingKeys: new Map() };
  const at = world.members.indexOf(member);
  if (at !== -1) world.members[at] = moved;
  return moved;
}

export async function* source(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

export async function readOut(opened: Pick<Opened, "read">): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of opened.read()) parts.push(part.slice());
  return new TextDecoder().decode(concat(...parts));
}

/** The error with that code that the act fails with. */
export async function failure(code: ErrorCode, act: () => unknown): Promise<ChartsealError> {
  try {
    await act();
  } catch (error) {
    if (!hasCode(error, code)) expect(error).toMatchObject({ code });
    return error as ChartsealError;
  }
  throw new Error(`no failure, where ${code} was expected`);
}
