/**
 * A member's new folder, where the old one is lost or its passphrase forgotten. It waits beside the others under a name
 * that no member can have, with keys that are saved before the ledger hears of them, and takes the member's name when the
 * recovery is finished; the old folder is kept aside and never overwritten. Each step can be made again after a kill.
 */
import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { ChartsealError, equalBytes, fromHex, toHex } from "@chartseal/crypto";
import {
  finishRecovery,
  isPresentKey,
  type Recovery,
  readAccount,
  recoveriesTo,
  replacingSeeds,
  type Signing,
  startRecovery,
} from "@chartseal/sharing";
import { makeFolder, readJson, syncFolder, writeJson } from "../home/files.ts";
import { checkNewMemberName, findMember, type Home, type MemberFile, memberFolder } from "../home/home.ts";
import { KeyVault } from "../home/key-vault.ts";
import { findRecovering, recoveryFolder } from "../home/recovering.ts";
import { counted } from "../output.ts";
import { takeMembers } from "../services/home-lock.ts";
import { newMember, readStored, type StoredMember, saveMemberKeys } from "../services/member-keys.ts";
import type { ReadSession, Session, SessionMember } from "../services/session.ts";
import { completeKeys } from "./keys.ts";
import { demandWay, type ShownRecovery, shown } from "./recovery.ts";

export interface Target {
  readonly name: string;
  /** 40 hex digits. */
  readonly account: string;
}

/** Whose account: the member's of that name, or the one given where its folder is lost. @throws ChartsealError `input-invalid`, `member-unknown` */
export async function recoveryTarget(
  { home, ledger }: ReadSession,
  name: string,
  given: string | undefined,
): Promise<Target> {
  checkNewMemberName(name);
  const file = findMember(home, name) ?? findRecovering(home, name);
  const account = file?.account ?? given;
  if (account === undefined) {
    throw new ChartsealError("member-unknown", `there is no member ${name} here`, {
      data: { member: name },
      hint: "Where its folder is lost, give --account; it stands on the paper kit and in chartseal records.",
    });
  }
  if (!/^[0-9a-f]{40}$/.test(account) || (given !== undefined && given !== account)) {
    throw new ChartsealError("input-invalid", `${given} is not the account of ${name}`);
  }
  if ((await readAccount(ledger, fromHex(account, 20))) === undefined) {
    throw new ChartsealError("member-unknown", `the ledger knows no account ${account}`, {
      data: { account },
    });
  }
  return { name, account };
}

/** The new folder with its keys: that of an attempt before, or a new one. */
async function draftOf(
  session: Session,
  { name, account }: Target,
  passphrase: string,
): Promise<StoredMember> {
  const { home, pairing } = session;
  const folder = recoveryFolder(home, name);
  if (findRecovering(home, name) !== undefined) {
    return await readStored(await KeyVault.open(folder, passphrase, { member: name }), pairing);
  }
  makeFolder(folder);
  const vault = await KeyVault.create(folder, passphrase);
  const keys = await newMember(replacingSeeds(fromHex(account, 20)));
  await saveMemberKeys(vault, pairing, keys);
  const seen = readJson(join(memberFolder(home, name), "head.json"));
  if (seen !== undefined) writeJson(join(folder, "head.json"), seen);
  const publicKey = toHex(keys.publicKey);
  const file: MemberFile = { version: 1, name, account, publicKey, hpkeKey: toHex(keys.hpkePublic) };
  // Last: a folder without it was cut short and is made anew.
  writeJson(join(folder, "member.json"), file);
  return keys;
}

/** One command at a time makes or moves a name's folders, beside a server too. @throws ChartsealError `home-busy` */
async function alone<T>(session: Session, { name, waitMs }: Turn, work: () => Promise<T>): Promise<T> {
  const lock = await takeMembers(session.home.paths, [name], waitMs);
  try {
    return await work();
  } finally {
    lock.release();
  }
}

interface Turn {
  readonly name: string;
  readonly waitMs: number;
}

/** By a guardian or the paper kit. A start that a kill hid is found again by the key that it leads to. */
export async function start(
  session: Session,
  options: {
    readonly target: Target;
    readonly by: Signing;
    /** Absent where the paper kit starts it. */
    readonly guardian?: string;
    readonly passphrase: string;
    readonly waitMs: number;
  },
): Promise<ShownRecovery> {
  const { waitMs, target } = options;
  return await alone(session, { name: target.name, waitMs }, () => started(session, options));
}

async function started(
  session: Session,
  { target, by, guardian, passphrase }: Parameters<typeof start>[1],
): Promise<ShownRecovery> {
  await demandWay(session, target, { account: by.account, guardian });
  const next = await draftOf(session, target, passphrase);
  const own = async (): Promise<Recovery | undefined> =>
    (await recoveriesTo(session, next)).find((one) => equalBytes(one.by, by.account));
  if ((await own()) === undefined) await startRecovery(session, { by, next });
  return shown(session.home, target.name, (await own())!);
}

/** The recovery that leads to the keys in the new folder. @throws ChartsealError `transaction-refused` before its time */
async function demandReady(session: Session, name: string, next: StoredMember): Promise<Recovery> {
  const open = await recoveriesTo(session, next);
  const recovery = open.find(({ status }) => status === "ready") ?? open[0];
  if (recovery === undefined) {
    throw new ChartsealError("input-invalid", `no recovery of ${name} to the keys made here is open`, {
      hint: "It was objected to, or has lapsed; chartseal recovery list says. It can be started again.",
    });
  }
  if (recovery.status === "ready") return recovery;
  const { readyAt, approvalsNeeded } = shown(session.home, name, recovery);
  const why =
    readyAt === null
      ? `${counted(approvalsNeeded, "more approval")} ${approvalsNeeded === 1 ? "is" : "are"} needed`
      : `it can be finished from ${readyAt}`;
  throw new ChartsealError("transaction-refused", `the recovery of ${name} is not ready: ${why}`, {
    data: { readyAt, approvalsNeeded },
  });
}

export interface Finished {
  readonly member: string;
  readonly account: string;
  readonly publicKey: string;
  /** Where the folder of the lost keys is now; null where there was none. */
  readonly aside: string | null;
}

/** @throws ChartsealError `input-invalid` where none was begun here */
export function checkFinish({ home }: ReadSession, name: string): void {
  if (findRecovering(home, name) !== undefined) return;
  throw new ChartsealError("input-invalid", `no recovery of ${JSON.stringify(name)} was begun in this home`);
}

/** The new keys take over on the ledger, then their folder takes the member's name, then they collect what they lack. */
export async function finish(
  session: Session,
  options: Turn & { readonly passphrase: string },
): Promise<Finished> {
  return await alone(session, options, () => finished(session, options));
}

async function finished(
  session: Session,
  { name, passphrase }: { readonly name: string; readonly passphrase: string },
): Promise<Finished> {
  const { home, ledger, pairing } = session;
  const folder = recoveryFolder(home, name);
  const vault = await KeyVault.open(folder, passphrase, { member: name });
  const keys = await readStored(vault, pairing);
  if (!(await isPresentKey(ledger, keys))) {
    const { id: recoveryId } = await demandReady(session, name, keys);
    await finishRecovery(session, { next: keys, recoveryId });
  }
  await session.provider.follow();
  const aside = swapFolders(home, name);
  const moved = vault.movedTo(memberFolder(home, name));
  const own: SessionMember = { name, keys, vault: moved, save: () => saveMemberKeys(moved, pairing, keys) };
  await completeKeys(session, own);
  return { member: name, account: toHex(keys.account), publicKey: toHex(keys.publicKey), aside };
}

/** Between the two renames the name is nobody's, and the new folder still says whose it is. */
function swapFolders(home: Home, name: string): string | null {
  const folder = memberFolder(home, name);
  const had = existsSync(folder);
  const aside = join(home.paths.members, `.${name}.replaced-${Date.now()}`);
  if (had) renameSync(folder, aside);
  renameSync(recoveryFolder(home, name), folder);
  syncFolder(home.paths.members);
  return had ? aside : null;
}
