/**
 * A consortium on an embedded ledger for the benchmark: one authority node, a provider that is the relay too, a
 * hospital, an owner with a rule, a doctor with signing keys; real rules and real signatures. Its clock is handed in, so
 * that the relay's quota of a minute is met in seconds.
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
} from "@chartseal/ledger";
import { type EmbeddedLedger, openEmbedded } from "@chartseal/ledger/embedded";
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

export class Consortium {
  readonly pairing: Pairing;
  readonly clock: Clock;
  readonly directory: string;
  readonly owner: Identity;
  readonly provider: Identity;
  readonly #validatorSeed: Uint8Array;
  readonly #ledger: EmbeddedLedger;
  #keys: SigningKeys | undefined;
  #lists: ReadonlyMap<string, NamespaceLists> = new Map();
  #periods: ReadonlyMap<string, string> = new Map();

  private constructor(parts: {
    pairing: Pairing;
    clock: Clock;
    directory: string;
    owner: Identity;
    provider: Identity;
    validatorSeed: Uint8Array;
    ledger: EmbeddedLedger;
  }) {
    this.pairing = parts.pairing;
    this.clock = parts.clock;
    this.directory = parts.directory;
    this.owner = parts.owner;
    this.provider = parts.provider;
    this.#validatorSeed = parts.validatorSeed;
    this.#ledger = parts.ledger;
  }

  get ledger(): Ledger {
    return this.#ledger;
  }

  static async create(directory: string): Promise<Consortium> {
    const pairing = await loadPairing();
    const clock: Clock = { ms: Date.now() };
    const [owner, provider, node] = await Promise.all([1, 2, 3].map(() => identityOf(newIdentitySeeds())));
    const validatorSeed = randomBytes(32);
    const genesis = encodeGenesis({
      name: "benchmark",
      createdMs: clock.ms,
      parameters: defaultParameters,
      validators: [{ publicKey: ed25519KeyPairFromSeed(validatorSeed).publicKey, stake: 1 }],
      providers: [provider!.publicKey],
      nodes: [node!.publicKey],
      threshold: 1,
    });
    const ledger = await openEmbedded({
      ...openOptions(pairing, directory, validatorSeed, clock),
      create: genesis,
    });
    const parts = { pairing, clock, directory, owner: owner!, provider: provider!, validatorSeed, ledger };
    const made = new Consortium(parts);
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
      admittedBy: [this.#validatorSeed],
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

function openOptions(pairing: Pairing, directory: string, proposerSeed: Uint8Array, clock: Clock) {
  return {
    directory,
    rulesOf: (bytes: Uint8Array) => ledgerRules(pairing, bytes),
    proposerSeed,
    now: () => clock.ms,
    waitMs: 0,
  };
}

function memberOf(identity: Identity): MemberKeys {
  return { ...identity, recoveryKey: null, transformKeyId: null, baseKey: null, signingKeys: new Map() };
}
