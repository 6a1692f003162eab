/**
 * A consortium for the benchmarks of the ledger, on either engine: one authority node, a provider that is the relay too, a
 * hospital, an owner with a rule, a doctor with signing keys; real rules and real signatures. On an embedded ledger its
 * clock is handed in, so that the relay's quota of a minute is met in seconds.
 */
import {
  decodeNamespaceLists,
  ed25519KeyPairFromSeed,
  encodeSignature,
  loadPairing,
  type NamespaceLists,
  type Pairing,
  type Policy,
  parsePolicy,
  randomBytes,
  type SigningKeys,
  sign,
  utf8,
} from "@chartseal/crypto";
import {
  defaultParameters,
  encodeGenesis,
  entries,
  fromBytes,
  type Ledger,
  ledgerRules,
  type Parameters,
} from "@chartseal/ledger";
import { openEmbedded } from "@chartseal/ledger/embedded";
import {
  AccountWriter,
  CommitteeNode,
  collectBaseKey,
  currentPeriod,
  enrol,
  generateCommitteeKeys,
  HospitalNamespace,
  type Identity,
  identityOf,
  type MemberKeys,
  newIdentitySeeds,
  refreshSigningKeys,
  registerNamespace,
  type Surroundings,
  setRule,
} from "@chartseal/sharing";

const hospital = "cedars";
const attributes = ["cardiologist@cedars", "physician@cedars"];
export const policy: Policy = parsePolicy(attributes.join(" and "));
const depositsPerDay = 1_000_000;

/** Moves on only when told. */
export interface Clock {
  ms: number;
}

/** What a consortium is made on: its validators, each with a stake of 1, and the engine that runs its ledger. */
export interface Founding {
  readonly pairing: Pairing;
  readonly clock: Readonly<Clock>;
  readonly validatorSeeds: readonly Uint8Array[];
  readonly parameters?: Partial<Parameters>;
  open(genesis: Uint8Array): Promise<Ledger>;
}

/** On an engine that takes its time from the clock. */
export type EmbeddedConsortium = Consortium & { readonly clock: Clock };

export class Consortium {
  readonly pairing: Pairing;
  readonly clock: Readonly<Clock>;
  readonly owner: Identity;
  readonly provider: Identity;
  readonly #validatorSeeds: readonly Uint8Array[];
  readonly #ledger: Ledger;
  #keys: SigningKeys | undefined;
  #lists: ReadonlyMap<string, NamespaceLists> = new Map();
  #periods: ReadonlyMap<string, string> = new Map();

  private constructor(founding: Founding, parts: { owner: Identity; provider: Identity; ledger: Ledger }) {
    this.pairing = founding.pairing;
    this.clock = founding.clock;
    this.#validatorSeeds = founding.validatorSeeds;
    this.owner = parts.owner;
    this.provider = parts.provider;
    this.#ledger = parts.ledger;
  }

  get ledger(): Ledger {
    return this.#ledger;
  }

  /** On an embedded ledger in that folder. */
  static async embedded(directory: string): Promise<EmbeddedConsortium> {
    const pairing = await loadPairing();
    const clock: Clock = { ms: Date.now() };
    const proposerSeed = randomBytes(32);
    const open = (create: Uint8Array) =>
      openEmbedded({
        directory,
        rulesOf: (bytes: Uint8Array) => ledgerRules(pairing, bytes),
        proposerSeed,
        now: () => clock.ms,
        waitMs: 0,
        create,
      });
    const founded = await Consortium.found({ pairing, clock, validatorSeeds: [proposerSeed], open });
    return founded as EmbeddedConsortium;
  }

  static async found(founding: Founding): Promise<Consortium> {
    const [owner, provider, node] = await Promise.all([1, 2, 3].map(() => identityOf(newIdentitySeeds())));
    const genesis = encodeGenesis({
      name: "benchmark",
      createdMs: founding.clock.ms,
      parameters: { ...defaultParameters, ...founding.parameters },
      validators: founding.validatorSeeds.map((seed) => ({
        publicKey: ed25519KeyPairFromSeed(seed).publicKey,
        stake: 1,
      })),
      providers: [provider!.publicKey],
      nodes: [node!.publicKey],
      threshold: 1,
    });
    const ledger = await founding.open(genesis);
    const made = new Consortium(founding, { owner: owner!, provider: provider!, ledger });
    await made.#populate(node!);
    return made;
  }

  /** Keys of the committee, the hospital, the owner's rule, the doctor's signing keys. */
  async #populate(node: Identity): Promise<void> {
    const { pairing } = this;
    const surroundings: Surroundings = { pairing, ledger: this.#ledger, now: () => this.clock.ms };
    const identity = { ...node, index: 1 };
    const [shares] = await generateCommitteeKeys(surroundings, { identities: [identity] });
    const { publicKey, hpkePublic: hpkeKey } = this.provider;
    await new AccountWriter(surroundings, this.provider).submit({
      kind: "register-provider",
      publicKey,
      hpkeKey,
    });
    const ownIdentity = await identityOf(newIdentitySeeds());
    const secret = await registerNamespace(surroundings, {
      name: hospital,
      identity: ownIdentity,
      admittedBy: this.#validatorSeeds,
      saved: async () => {},
    });
    const service = new HospitalNamespace(surroundings, { identity: ownIdentity, secret });
    await enrol(surroundings, memberOf(this.owner));
    const doctor = memberOf(await identityOf(newIdentitySeeds()));
    await enrol(surroundings, doctor);
    await service.vouch(doctor.account, attributes);
    await setRule(surroundings, { owner: this.owner, namespace: hospital, policy, perDay: depositsPerDay });
    const nodes = [new CommitteeNode(surroundings, { identity, shares: shares! })];
    await collectBaseKey(surroundings, { member: doctor, nodes });
    await refreshSigningKeys(surroundings, { member: doctor, namespace: async () => service });
    this.#keys = { account: doctor.account, base: doctor.baseKey!, attributes: doctor.signingKeys };
    const lists = await this.#ledger.read(entries.namespaceLists.kind, utf8(hospital));
    const stored = fromBytes(entries.namespaceLists.codec, lists!);
    this.#lists = new Map([[hospital, decodeNamespaceLists(pairing, stored)]]);
    const periods = attributes.map(async (one) => [one, (await currentPeriod(this.#ledger, one))!] as const);
    this.#periods = new Map(await Promise.all(periods));
  }

  /** The doctor's attribute-based signature over a deposit. */
  signByAttributes(identifier: Uint8Array): Uint8Array {
    const { pairing } = this;
    const { chainId } = this.#ledger;
    const statement = { policy, periods: this.#periods, namespaces: this.#lists, chainId };
    return encodeSignature(
      pairing,
      sign(pairing, { ...statement, kind: "deposit", message: identifier }, this.#keys!),
    );
  }

  async close(): Promise<void> {
    await this.#ledger.close();
  }
}

function memberOf(identity: Identity): MemberKeys {
  return { ...identity, recoveryKey: null, transformKeyId: null, baseKey: null, signingKeys: new Map() };
}
