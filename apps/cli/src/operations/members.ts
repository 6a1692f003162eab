/** Hospitals and people: namespaces, members, their attributes. Each operation takes a session and changes one thing. */
import { randomUUID } from "node:crypto";
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ChartsealError, isSelf, namespaceOf, parseAttribute, selfNamespace, toHex } from "@chartseal/crypto";
import {
  attributesInForce,
  collectBaseKey,
  enrol,
  type Hospital,
  listNamespaces,
  namespaceExists,
  newIdentitySeeds,
  renewTransformKey,
} from "@chartseal/sharing";
import { makeFolder } from "../home/files.ts";
import {
  checkNewMemberName,
  checkNewNamespaceName,
  findMember,
  type MemberFile,
  memberFolder,
  saveMember,
} from "../home/home.ts";
import { KeyVault } from "../home/key-vault.ts";
import { recoveryFolder } from "../home/recovering.ts";
import { dropPendingKey, newMember, saveMemberKeys, savePendingKey } from "../services/member-keys.ts";
import {
  type ReadSession,
  refreshKeys,
  renewMemberKey,
  type Session,
  type SessionMember,
} from "../services/session.ts";

/** The name can be a namespace's and is none yet. @throws ChartsealError `input-invalid` */
export async function checkNewNamespace({ ledger }: ReadSession, name: string): Promise<void> {
  checkNewNamespaceName(name);
  if (await namespaceExists(ledger, name)) {
    throw new ChartsealError("input-invalid", `there is a namespace ${name} already`);
  }
}

export interface NamespaceAdded {
  readonly namespace: string;
  /** In a consortium: the proposal that others must vote for first. */
  readonly proposalId?: string;
}

/** Registers a hospital that vouches for attributes …@NAME. @throws ChartsealError `input-invalid` */
export async function addNamespace(session: Session, name: string): Promise<NamespaceAdded> {
  await checkNewNamespace(session, name);
  const registration = await session.addNamespace(name);
  if (registration.registered) return { namespace: name };
  return { namespace: name, proposalId: toHex(registration.proposalId) };
}

/** @returns the columns. @throws ChartsealError `attribute-unknown` for a namespace that is not of this home; `input-invalid` */
export async function extendNamespace(
  session: Session,
  { name, columns }: { readonly name: string; readonly columns: number },
): Promise<number> {
  const hospital = await session.namespace(name);
  if (hospital === undefined) {
    throw new ChartsealError(
      "attribute-unknown",
      `there is no namespace ${JSON.stringify(name)} in this home`,
      {
        data: { namespace: name },
      },
    );
  }
  await hospital.extend(columns);
  return columns;
}

/** The name can be a member's and is nobody's yet. @throws ChartsealError `input-invalid` */
export function checkNewMember({ home }: ReadSession, name: string): void {
  checkNewMemberName(name);
  if (findMember(home, name) !== undefined || existsSync(memberFolder(home, name))) {
    throw new ChartsealError("input-invalid", `there is a member ${name} already`);
  }
  if (existsSync(recoveryFolder(home, name))) {
    throw new ChartsealError("input-invalid", `the name ${name} is reserved: its member is being recovered`);
  }
}

/**
 * Makes a member: keys under the passphrase given, an account on the ledger, a first key for ACCOUNT@self. The folder
 * appears when everything is there.
 */
export async function addMember(
  session: Session,
  options: { readonly name: string; readonly passphrase: string },
): Promise<{ readonly member: MemberFile; readonly keys: SessionMember }> {
  const { name, passphrase } = options;
  checkNewMember(session, name);
  const { home, pairing } = session;
  const draft = join(home.paths.members, `.${name}.${randomUUID()}.tmp`);
  makeFolder(draft);
  try {
    const vault = await KeyVault.create(draft, passphrase);
    const keys = await newMember(newIdentitySeeds());
    await saveMemberKeys(vault, pairing, keys);
    await enrol(session, keys);
    await renewTransformKey(session, {
      member: keys,
      nodes: session.nodes,
      provider: session.provider,
      saved: (pending) => savePendingKey(vault, pending),
    });
    await collectBaseKey(session, { member: keys, nodes: session.nodes });
    await saveMemberKeys(vault, pairing, keys);
    dropPendingKey(vault);
    const member: MemberFile = {
      version: 1,
      name,
      account: toHex(keys.account),
      publicKey: toHex(keys.publicKey),
      hpkeKey: toHex(keys.hpkePublic),
    };
    const folder = memberFolder(home, name);
    renameSync(draft, folder);
    saveMember(home, member);
    const moved = vault.movedTo(folder);
    return { member, keys: { name, keys, vault: moved, save: () => saveMemberKeys(moved, pairing, keys) } };
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    throw error;
  }
}

/** Why no hospital vouches for an attribute of that namespace. */
async function notVouched(
  { ledger }: ReadSession,
  namespace: string,
  attribute: string | undefined,
): Promise<ChartsealError> {
  if (namespace === selfNamespace) {
    return new ChartsealError("input-invalid", "attributes of self are nobody's to grant or to revoke");
  }
  const known = await listNamespaces(ledger);
  return new ChartsealError("attribute-unknown", `there is no namespace ${namespace}`, {
    data: { attribute },
    hint: known.length === 0 ? "Add one with chartseal namespace add." : `Namespaces: ${known.join(", ")}.`,
  });
}

/**
 * What can be said of attributes without a key: well-formed, and of hospitals that are registered.
 * @throws ChartsealError `input-invalid`, `attribute-unknown`
 */
export async function checkAttributes(session: ReadSession, attributes: readonly string[]): Promise<void> {
  const namespaces = attributes.map((attribute) => parseAttribute(attribute).namespace);
  for (const [at, namespace] of namespaces.entries()) {
    if (namespace === selfNamespace || !(await namespaceExists(session.ledger, namespace)))
      throw await notVouched(session, namespace, attributes[at]);
  }
}

/** The attributes' hospitals, each once, with what it is asked for. @throws ChartsealError `attribute-unknown` */
async function byHospital(
  session: Session,
  attributes: readonly string[],
): Promise<{ readonly service: Hospital; readonly attributes: string[] }[]> {
  const groups = new Map<string, string[]>();
  for (const attribute of attributes) {
    const { namespace } = parseAttribute(attribute);
    groups.set(namespace, [...(groups.get(namespace) ?? []), attribute]);
  }
  const hospitals: { service: Hospital; attributes: string[] }[] = [];
  for (const [name, group] of groups) {
    const service = name === selfNamespace ? undefined : await session.namespace(name);
    if (service === undefined) throw await notVouched(session, name, group[0]);
    hospitals.push({ service, attributes: group });
  }
  return hospitals;
}

export interface Granted {
  readonly member: string;
  readonly attributes: readonly string[];
  readonly height: number;
}

/** The hospitals vouch, the committee issues one new transform key for the full set, signing keys reach the member. */
export async function grantAttributes(
  session: Session,
  member: SessionMember,
  attributes: readonly string[],
): Promise<Granted> {
  const hospitals = await byHospital(session, attributes);
  for (const { service, attributes: group } of hospitals) await service.vouch(member.keys.account, group);
  await renewMemberKey(session, member);
  if (member.keys.baseKey === null) {
    await collectBaseKey(session, { member: member.keys, nodes: session.nodes });
    await member.save();
  }
  await refreshKeys(session, member);
  const { height } = await session.ledger.head();
  const standing = await attributesInForce(session.ledger, member.keys.account);
  return {
    member: member.name,
    attributes: standing.filter((one) => namespaceOf(one) !== selfNamespace).sort(),
    height,
  };
}

/** A new transform key for what the member holds already. */
export async function renewKey(session: Session, member: SessionMember): Promise<Granted> {
  const attributes = await renewMemberKey(session, member);
  const { height } = await session.ledger.head();
  return { member: member.name, attributes: attributes.filter((one) => !isSelf(one)).sort(), height };
}

export interface Revoking {
  readonly name: string;
  readonly account: Uint8Array;
  readonly attributes: readonly string[];
}

/**
 * What is to be taken away: the attributes named, or all that the member holds.
 * @throws ChartsealError `input-invalid` for one that the member does not hold
 */
export async function revocable(
  { ledger }: ReadSession,
  { name, account, attributes }: Revoking,
): Promise<string[]> {
  const standing = (await attributesInForce(ledger, account)).filter(
    (one) => namespaceOf(one) !== selfNamespace,
  );
  const revoked = attributes.length === 0 ? standing : [...new Set(attributes)];
  const stranger = revoked.find((one) => !standing.includes(one));
  if (stranger === undefined && revoked.length > 0) return revoked;
  throw new ChartsealError("input-invalid", `${name} does not hold ${stranger ?? "any attribute"}`, {
    data: { member: name, attributes: standing },
  });
}

/**
 * Takes attributes away, all of them where none is named; the provider forgets its part of the key at once.
 * @throws ChartsealError `input-invalid` for an attribute that the member does not hold
 */
export async function revokeAttributes(
  session: Session,
  options: Revoking,
): Promise<{ readonly member: string; readonly revoked: readonly string[]; readonly height: number }> {
  const { name, account } = options;
  const revoked = await revocable(session, options);
  const groups = await byHospital(session, revoked);
  for (const { service, attributes } of groups) await service.revoke(account, attributes);
  await session.provider.follow();
  const { height } = await session.ledger.head();
  return { member: name, revoked: revoked.sort(), height };
}
