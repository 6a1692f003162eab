/**
 * A home in use by one command: its ledger, for reading or (with the service keys) for writing, and the services that an
 * embedded consortium runs in this process.
 */

import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  ChartsealError,
  fromHex,
  hasCode,
  isFamily,
  loadPairing,
  type Pairing,
  toHex,
  u64,
} from "@chartseal/crypto";
import { blockKind, type Head, type Ledger, type Submitted } from "@chartseal/ledger";
import { type HomeLock, takeHomeLock } from "@chartseal/ledger/embedded";
import {
  type Admitter,
  type Auditor,
  type AuthorityNode,
  type Hospital,
  HospitalNamespace,
  isKeyBehind,
  listNamespaces,
  type NodeDriver,
  namespacesBehind,
  OpenDisputes,
  Operator,
  type OperatorWriter,
  operatorWriter,
  type Provider,
  type ProviderSelf,
  type Registration,
  refreshSigningKeys,
  renewTransformKey,
  StorageProvider,
  type Surroundings,
  submitOperation,
} from "@chartseal/sharing";
import { readJson, writeJson } from "../home/files.ts";
import { type Home, isOfConsortium, memberFolder, openHome } from "../home/home.ts";
import type { KeyVault } from "../home/key-vault.ts";
import { quotasOf } from "../home/quotas-file.ts";
import {
  committeeNodes,
  institutionNodes,
  type OwnDriver,
  ownDrivers,
  presentNode,
} from "./authority-nodes.ts";
import { type HomeLedger, openHomeLedger, openLedgerForReading } from "./home-ledger.ts";
import { handsOf, openLinks } from "./identity-store.ts";
import {
  dropPendingKey,
  loadMemberKeys,
  type StoredMember,
  saveMemberKeys,
  savePendingKey,
} from "./member-keys.ts";
import { judgeOwn } from "./own-judges.ts";
import { recordPendingRepairs } from "./pending-repairs.ts";
import { openProviderStores } from "./provider-stores.ts";
import { proposeHospital, registerHospital } from "./registering.ts";
import { loadNamespace, loadProvider, loadValidatorSeed } from "./service-keys.ts";
import { openAll, type Vaults, vaultsUnder } from "./vaults.ts";

/** A home opened for reading: no key, no lock, no byte changed. */
export interface ReadSession extends Surroundings {
  readonly home: Home;
  close(): Promise<void>;
}

/** A member of this home with its keys and the vault that they are kept in. */
export interface SessionMember {
  readonly name: string;
  readonly keys: StoredMember;
  readonly vault: KeyVault;
  save(): Promise<void>;
}

/** A home in use for writing, with all its services: in this process, or in the server that runs on the home. */
export interface Session extends ReadSession {
  /** The home's own validator, which admits what needs a vote. */
  readonly validators: readonly Admitter[];
  readonly provider: Provider;
  /** The home's provider as one who records audits. */
  readonly auditor: Auditor;
  readonly nodes: readonly AuthorityNode[];
  readonly members: readonly SessionMember[];
  namespace(name: string): Promise<Hospital | undefined>;
  /** Makes a hospital's keys and registers it. */
  addNamespace(name: string): Promise<Registration>;
  /** The home's validator as an operator: what it proposes, how it votes, what it does with its stake. */
  readonly operator: Operator;
  readonly operating: OperatorWriter;
}

/** A home opened by its one writer, with the services' keys in this process. */
export interface OwnSession extends Session {
  readonly vault: KeyVault;
  readonly validatorSeed: Uint8Array;
  readonly provider: StorageProvider;
  /** What provider and nodes of this process look for disputes with. */
  readonly disputes: OpenDisputes;
  /** A hospital whose keys are in this home's vault. */
  hospital(name: string): Promise<HospitalNamespace | undefined>;
  /** Signs and submits for the home's operator, on behalf of a command. */
  submitOperation(body: Uint8Array): Promise<Submitted>;
  /** Opens the present quarter's signing periods of the home's hospitals, where they are behind. */
  rollPeriods(): Promise<void>;
  /** The present committee's node of that index, also of one that was not there when the session began. */
  node(index: number): AuthorityNode;
  /** The home's own authority nodes, for changes of the committee. */
  readonly drivers: readonly OwnDriver[];
  /** An institution's own nodes of the committee, which it serves to the others. */
  readonly ownNodes: readonly NodeDriver[];
  /** Of a consortium's ledger: how its node is. */
  readonly engineHealth?: HomeLedger["health"];
  /** And what is asked of its node's headers. */
  readonly askNode?: HomeLedger["askNode"];
}

/** For what is done with the services' own keys alone. @throws ChartsealError `home-busy` where a server has them */
export function ownSession(session: Session): OwnSession {
  if ("hospital" in session && "vault" in session) return session as OwnSession;
  throw new ChartsealError("home-busy", "the server that runs on this home has its keys", {
    hint: "Stop it, or ask it by its own routes.",
  });
}

const now = (): number => Date.now();

export async function openForReading(folder: string): Promise<ReadSession> {
  const home = openHome(folder);
  const pairing = await loadPairing();
  const opened = await openLedgerForReading(home, pairing);
  return { home, pairing, now, ...opened };
}

interface SessionPlace {
  /** Names of members whose keys the command uses; checked to exist by the caller. */
  readonly members?: readonly string[];
  readonly waitMs: number;
  /** The home's lock, where the caller took it already; it is the session's from then on. */
  readonly lock?: HomeLock;
  /** Told why a consortium's node ended, or was stopped. */
  readonly engineFailed?: (error: unknown) => void;
}

/** The vaults of the services and of the same members, or the one passphrase of all of them. */
export type SessionOptions = SessionPlace & ({ readonly vaults: Vaults } | { readonly passphrase: string });

export function vaultsFor(home: Home, options: SessionOptions): Vaults {
  return "vaults" in options ? options.vaults : vaultsUnder(options.passphrase, home, options.members ?? []);
}

/** @throws ChartsealError `passphrase-wrong`, `home-busy`, `chain-altered` */
export async function openSession(home: Home, options: SessionOptions): Promise<OwnSession> {
  const { members = [], waitMs } = options;
  const lock = options.lock ?? (await takeHomeLock(home.paths.root, waitMs));
  try {
    const opened = openAll(vaultsFor(home, options));
    const [pairing, [vault, memberVaults]] = await Promise.all([loadPairing(), opened]);
    return await assemble(home, { ...options, pairing, lock, vault, memberVaults, members });
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function assemble(
  home: Home,
  parts: {
    readonly pairing: Pairing;
    readonly lock: HomeLock;
    readonly vault: KeyVault;
    readonly memberVaults: readonly KeyVault[];
    readonly members: readonly string[];
    readonly engineFailed?: (error: unknown) => void;
  },
): Promise<OwnSession> {
  const { pairing, lock, vault, memberVaults, engineFailed: failed } = parts;
  const validatorSeed = await loadValidatorSeed(vault);
  const opened = await openHomeLedger(home, {
    ...{ pairing, validatorSeed, now, lock },
    ...(failed === undefined ? {} : { failed }),
  });
  const { ledger } = opened;
  const surroundings: Surroundings = { pairing, ledger, now };
  const stores = await openProviderStores(home.paths, { vault, pairing });
  const identity = await loadProvider(vault);
  const disputes = new OpenDisputes(surroundings);
  const provider = providerOf(home, { surroundings, identity, stores, disputes });
  let members: readonly SessionMember[];
  let isFinished: boolean;
  try {
    members = await openMembers(home, { pairing, ledger, names: parts.members, vaults: memberVaults });
    isFinished = await finishInterrupted(home, provider);
    await provider.dropEnded();
  } catch (error) {
    await opened.close();
    throw error;
  }
  const close = async (): Promise<void> => {
    try {
      rememberHead(home, await ledger.head(), parts.members);
    } finally {
      await opened.close();
      if (isFinished) rmSync(unfinishedMark(home), { force: true });
      lock.release();
    }
  };
  const namespace = async (name: string): Promise<HospitalNamespace | undefined> => {
    const own = await loadNamespace(vault, name);
    if (own === undefined) return undefined;
    return new HospitalNamespace(surroundings, own, handsOf(openLinks(vault, name)));
  };
  const operating = operatorWriter(surroundings, validatorSeed);
  const operator = new Operator(surroundings, operating);
  const addNamespace = (name: string): Promise<Registration> =>
    isOfConsortium(home)
      ? proposeHospital(surroundings, { vault, operator, name })
      : registerHospital(surroundings, { vault, validatorSeed, name });
  const session = {
    ...surroundings,
    home,
    vault,
    validatorSeed,
    provider,
    disputes,
    auditor: provider.auditor,
    members,
    namespace,
    hospital: namespace,
    operator,
    operating,
    submitOperation: (body: Uint8Array) => submitOperation(operating, body),
    close,
    ...(opened.health === undefined ? {} : { engineHealth: opened.health }),
    ...(opened.askNode === undefined ? {} : { askNode: opened.askNode }),
  };
  const roll = () => rollPeriods({ ...surroundings, provider }, namespace);
  try {
    await roll();
  } catch (error) {
    // A hospital's damaged key file stops its own periods, and nobody here.
    if (!isFamily(error, "integrity")) {
      await opened.close();
      throw error;
    }
  }
  await eraseWhatIsDue(provider);
  await recordPendingRepairs(provider);
  const authority = await authorityOf({ surroundings, home, vault, asker: identity, disputes, provider });
  return { ...session, ...authority, addNamespace, validators: [validatorSeed], rollPeriods: roll };
}

/** The committee as this home reaches it, and the home's own nodes at work. */
async function authorityOf(
  place: Parameters<typeof presentNode>[0] &
    Parameters<typeof institutionNodes>[0] & { readonly provider: StorageProvider },
): Promise<Pick<OwnSession, "nodes" | "node" | "drivers" | "ownNodes">> {
  const { home, provider, disputes } = place;
  const nodes = await committeeNodes(place);
  const node = (index: number) => presentNode(place, index);
  const ownNodes = isOfConsortium(home) ? await institutionNodes(place) : [];
  const drivers = isOfConsortium(home) ? ownNodes : ownDrivers(place);
  // A consortium's nodes and provider are at it as long as their server runs.
  if (!isOfConsortium(home)) await judgeOwn({ disputes, provider, drivers });
  return { nodes, node, drivers, ownNodes };
}

function providerOf(home: Home, parts: Omit<ProviderSelf, "quotas" | "followsOthers">) {
  const quotas = quotasOf(home.paths);
  return new StorageProvider({ ...parts, quotas, followsOthers: isOfConsortium(home) });
}

/** Members' keys from their vaults, for a ledger that extends what each has seen. @throws ChartsealError `chain-altered` */
export async function openMembers(
  home: Home,
  parts: {
    readonly pairing: Pairing;
    readonly ledger: Ledger;
    readonly names: readonly string[];
    readonly vaults: readonly KeyVault[];
  },
): Promise<SessionMember[]> {
  const { pairing, ledger, names, vaults } = parts;
  const members: SessionMember[] = [];
  for (const [at, name] of names.entries()) {
    const vault = vaults[at]!;
    await demandSameChain(home, ledger, name);
    const keys = await loadMemberKeys(vault, pairing, ledger);
    members.push({ name, keys, vault, save: () => saveMemberKeys(vault, pairing, keys) });
  }
  return members;
}

/** Signing periods go over into the next quarter with the first command of it; two reads a hospital where none does. */
async function rollPeriods(
  surroundings: Surroundings & { readonly provider: StorageProvider },
  namespace: (name: string) => Promise<HospitalNamespace | undefined>,
): Promise<void> {
  // By a ledger of before a restore every period would seem to be over.
  if (await surroundings.provider.isBehind()) return;
  for (const name of await namespacesBehind(surroundings, await listNamespaces(surroundings.ledger))) {
    await (await namespace(name))?.rollPeriods();
  }
}

/** There while a writer is at work; found by the next one, it says that the last was killed. */
function unfinishedMark(home: Home): string {
  return join(home.paths.run, "unfinished");
}

/**
 * After a writer that was killed, the provider makes good what lies between the ledger's last block and the deed. What is
 * damaged stays as it is for `forensics`, and stops nobody here; nor does a place that is away.
 * @returns false where something was away: the next writer tries it again
 */
async function finishInterrupted(home: Home, provider: StorageProvider): Promise<boolean> {
  const mark = unfinishedMark(home);
  let isFinished = true;
  if (existsSync(mark)) {
    try {
      await provider.follow();
    } catch (error) {
      isFinished = !isFamily(error, "unavailable");
      if (isFinished && !isFamily(error, "integrity")) throw error;
    }
  }
  writeFileSync(mark, "", { mode: 0o600 });
  return isFinished;
}

/** What its owner gave a time for. Whatever keeps it from its end stops nobody here, except a defect of ours. */
async function eraseWhatIsDue(provider: StorageProvider): Promise<void> {
  try {
    await provider.eraseDue();
  } catch (error) {
    if (!(error instanceof ChartsealError) || error.family === "defect") throw error;
  }
}

/** The member of that name in a session. */
export function memberOf(session: Session, name: string): SessionMember {
  const member = session.members.find((one) => one.name === name);
  if (member === undefined) throw new ChartsealError("defect", "a member that the command did not open");
  return member;
}

/**
 * What a client does at next use: signing keys of current periods, and a new transform key where a hospital has vouched
 * for something since the live one. While too few nodes answer, the earlier key goes on serving.
 */
export async function refreshKeys(session: Session, member: SessionMember): Promise<void> {
  const { keys } = member;
  if (await isKeyBehind(session.ledger, keys.account)) {
    try {
      await renewMemberKey(session, member);
    } catch (error) {
      const later = isFamily(error, "unavailable") || hasCode(error, "issue-refused");
      if (!later || keys.transformKeyId === null) throw error;
    }
  }
  if (await refreshSigningKeys(session, { member: keys, namespace: session.namespace })) await member.save();
}

/** One new transform key for all that the member holds now. */
export async function renewMemberKey(session: Session, member: SessionMember): Promise<readonly string[]> {
  const { attributes } = await renewTransformKey(session, {
    member: member.keys,
    nodes: session.nodes,
    provider: session.provider,
    saved: (pending) => savePendingKey(member.vault, pending),
  });
  await member.save();
  dropPendingKey(member.vault);
  return attributes;
}

interface SeenHead {
  readonly height: number;
  readonly hash: string;
}

function headFile(home: Home, name: string): string {
  return join(memberFolder(home, name), "head.json");
}

/** The last head that the member verified. */
export function seenHead(home: Home, name: string): { height: number; hash: Uint8Array } | undefined {
  const seen = readJson(headFile(home, name)) as SeenHead | undefined;
  return seen === undefined ? undefined : { height: seen.height, hash: fromHex(seen.hash, 32) };
}

/** A member refuses a chain that does not extend the last head it saw (CRYPTO §5). */
async function demandSameChain(home: Home, ledger: Ledger, name: string): Promise<void> {
  const seen = readJson(headFile(home, name)) as SeenHead | undefined;
  if (seen === undefined) return;
  const { height, hash } = await ledger.head();
  if (seen.height > height && isOfConsortium(home)) {
    throw new ChartsealError(
      "ledger-unreachable",
      `this institution's node lacks blocks that ${name} has seen`,
      {
        data: { member: name, height: seen.height, head: height },
        hint: "It gets them from the others, as after a restore: see chartseal network status.",
      },
    );
  }
  // By the state, which names every block before: one that began with a snapshot does not hold all of them.
  const below = seen.height < height ? await ledger.read(blockKind, u64(seen.height)) : undefined;
  const held = seen.height === height ? hash : below;
  if (held !== undefined && toHex(held) === seen.hash) return;
  throw new ChartsealError("chain-altered", `the chain does not extend the one that ${name} has seen`, {
    data: { member: name, height: seen.height, hash: seen.hash },
    hint: "A backup was restored, or the ledger was changed; see chartseal verify and restore --accept-loss.",
  });
}

/** The head that these members have verified from now on. */
export function rememberHead(home: Home, { height, hash }: Head, names: readonly string[]): void {
  if (height === 0) return;
  for (const name of names) {
    writeJson(headFile(home, name), { height, hash: toHex(hash) } satisfies SeenHead);
  }
}
