/**
 * A member's keys as a whole: what new keys collect, and how a lost device is removed. The new keys are saved before the
 * ledger hears of them, and whatever a kill cuts short goes on at the member's next command.
 */
import { toHex } from "@chartseal/crypto";
import { collectBaseKey, identityOf, replaceKey } from "@chartseal/sharing";
import { findMember, saveMember } from "../home/home.ts";
import { loadMemberKeys, pendingReplacement, saveMemberKeys } from "../services/member-keys.ts";
import { refreshKeys, renewMemberKey, type Session, type SessionMember } from "../services/session.ts";

/** Collects what the member's present keys lack: a transform key under a fresh z, the base key, signing keys. */
export async function completeKeys(session: Session, member: SessionMember): Promise<void> {
  const { keys } = member;
  if (keys.recoveryKey !== null && keys.baseKey !== null) return;
  if (keys.recoveryKey === null) await renewMemberKey(session, member);
  if (keys.baseKey === null) {
    await collectBaseKey(session, { member: keys, nodes: session.nodes });
    await member.save();
  }
  await refreshKeys(session, member);
}

/** The public keys in the member's file are those that the account has now. */
export function writeMemberFile(session: Session, { name, keys }: SessionMember): void {
  const file = findMember(session.home, name);
  const publicKey = toHex(keys.publicKey);
  if (file === undefined || file.publicKey === publicKey) return;
  saveMember(session.home, { ...file, publicKey, hpkeKey: toHex(keys.hpkePublic) });
}

export interface Replaced {
  readonly member: string;
  readonly account: string;
  readonly publicKey: string;
  readonly height: number;
  /** A full key was issued to the lost device: only `rekey` takes back what it opens. */
  readonly fullKey: boolean;
}

/**
 * New keys for the same account, at once: every copy of the folder as it was is refused from that block on.
 * @throws ChartsealError `transaction-refused` while a recovery is open
 */
export async function replaceMemberKeys(session: Session, member: SessionMember): Promise<Replaced> {
  const { name, vault } = member;
  const next = await identityOf(await pendingReplacement(vault, member.keys));
  const { height } = await replaceKey(session, { member: member.keys, next });
  const keys = await loadMemberKeys(vault, session.pairing, session.ledger);
  const own = { name, keys, vault, save: () => saveMemberKeys(vault, session.pairing, keys) };
  await session.provider.follow();
  await completeKeys(session, own);
  writeMemberFile(session, own);
  const fullKey = (await vault.load("full-key.sealed")) !== undefined;
  return { member: name, account: toHex(keys.account), publicKey: toHex(keys.publicKey), height, fullKey };
}
