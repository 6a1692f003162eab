/**
 * A small consortium for the provider's benchmark: one authority node, one hospital, an owner, a reader who holds n
 * attributes, and a real provider whose objects lie wherever they are wanted. Real rules, real keys, an embedded ledger
 * on the disk.
 */
import { join } from "node:path";
import {
  columnsDefault,
  ed25519KeyPairFromSeed,
  loadPairing,
  type Pairing,
  parsePolicy,
  randomBytes,
  toHex,
} from "@chartseal/crypto";
import { defaultParameters, encodeGenesis, type Ledger, ledgerRules } from "@chartseal/ledger";
import { openEmbedded } from "@chartseal/ledger/embedded";
import {
  AccountWriter,
  CommitteeNode,
  collectBaseKey,
  deposit,
  enrol,
  generateCommitteeKeys,
  HospitalNamespace,
  type Identity,
  identityOf,
  type MemberKeys,
  newIdentitySeeds,
  type ProviderStores,
  refreshSigningKeys,
  registerNamespace,
  renewTransformKey,
  StorageProvider,
  type Surroundings,
} from "@chartseal/sharing";
import { type ObjectStore, openFilesystemStore } from "@chartseal/storage";
import { custodyOnly } from "../authority/custody.ts";
import { attributesOf, namespace } from "../worlds.ts";

export interface ProviderWorld extends Surroundings {
  readonly provider: StorageProvider;
  readonly owner: MemberKeys;
  readonly reader: MemberKeys;
  /** Seals and registers; the record's id, 32 bytes. */
  deposit(source: AsyncIterable<Uint8Array>, attributes: readonly string[]): Promise<Uint8Array>;
  close(): Promise<void>;
}

const memberOf = (identity: Identity): MemberKeys => ({
  ...identity,
  recoveryKey: null,
  transformKeyId: null,
  baseKey: null,
  signingKeys: new Map(),
});

export async function providerWorld(
  folder: string,
  options: { readonly attributes: number; readonly objects?: ObjectStore; readonly pairing?: Pairing },
): Promise<ProviderWorld> {
  const pairing = options.pairing ?? (await loadPairing());
  const people = await Promise.all([1, 2, 3, 4, 5].map(() => identityOf(newIdentitySeeds())));
  const [node, service, hospital, owner, reader] = people as [
    Identity,
    Identity,
    Identity,
    Identity,
    Identity,
  ];
  const validatorSeed = randomBytes(32);
  const ledger = await openLedger(pairing, { folder, node, service, validatorSeed });
  const surroundings: Surroundings = { pairing, ledger, now: Date.now };
  const identity = { ...node, index: 1 };
  const [shares] = await generateCommitteeKeys(surroundings, { identities: [identity] });
  const { publicKey, hpkePublic: hpkeKey } = service;
  await new AccountWriter(surroundings, service).submit({ kind: "register-provider", publicKey, hpkeKey });
  const secret = await registerNamespace(surroundings, {
    name: namespace,
    identity: hospital,
    admittedBy: [validatorSeed],
    saved: async () => {},
  });
  const hospitalService = new HospitalNamespace(surroundings, { identity: hospital, secret });
  // A policy of n attributes, all of them needed, has n columns; a namespace begins with fewer than the largest here.
  if (options.attributes > columnsDefault) await hospitalService.extend(options.attributes);
  const provider = new StorageProvider({
    surroundings,
    identity: service,
    stores: await storesIn(folder, options.objects),
  });
  const world = { ...surroundings, provider };
  const nodes = [new CommitteeNode(surroundings, { identity, shares: shares! })];
  const [owning, reading] = [memberOf(owner), memberOf(reader)];
  for (const member of [owning, reading]) await enrol(world, member);
  await hospitalService.vouch(reading.account, attributesOf(options.attributes));
  const saved = async (): Promise<void> => {};
  for (const member of [owning, reading]) await renewTransformKey(world, { member, nodes, provider, saved });
  await collectBaseKey(world, { member: reading, nodes });
  await refreshSigningKeys(world, { member: reading, namespace: async () => hospitalService });
  return {
    ...world,
    owner: owning,
    reader: reading,
    async deposit(source, attributes) {
      const policy = parsePolicy(attributes.join(" and "));
      const metadata = async () =>
        ({ name: "x", mediaType: "text/plain", validation: "not-checked" }) as const;
      const made = await deposit(world, { by: owning, owner: owning.account, policy, source, metadata });
      return made.recordId;
    },
    close: () => ledger.close(),
  };
}

async function openLedger(
  pairing: Pairing,
  at: {
    readonly folder: string;
    readonly node: Identity;
    readonly service: Identity;
    readonly validatorSeed: Uint8Array;
  },
): Promise<Ledger> {
  const create = encodeGenesis({
    name: "benchmark",
    createdMs: Date.now(),
    parameters: defaultParameters,
    validators: [{ publicKey: ed25519KeyPairFromSeed(at.validatorSeed).publicKey, stake: 1 }],
    providers: [at.service.publicKey],
    nodes: [at.node.publicKey],
    threshold: 1,
  });
  return await openEmbedded({
    directory: join(at.folder, "home"),
    rulesOf: (bytes: Uint8Array) => ledgerRules(pairing, bytes),
    proposerSeed: at.validatorSeed,
    now: Date.now,
    waitMs: 0,
    create,
  });
}

/** Objects and leaves on the disk or where they are wanted; the small rest in memory. */
async function storesIn(folder: string, objects: ObjectStore | undefined): Promise<ProviderStores> {
  const answered = new Map<string, Uint8Array>();
  const { keys } = custodyOnly();
  return {
    objects: objects ?? (await openFilesystemStore(join(folder, "objects"))),
    pending: await openFilesystemStore(join(folder, "pending")),
    leaves: await openFilesystemStore(join(folder, "leaves")),
    keys,
    special: custodyOnly().keys,
    answered: {
      get: async (receipt) => answered.get(toHex(receipt)),
      put: async (receipt, account) => void answered.set(toHex(receipt), account),
    },
    journal: { append: async () => {}, entries: async function* () {} },
    tombstones: { add: async () => {}, list: async () => [] },
  };
}
