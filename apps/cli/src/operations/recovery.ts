/**
 * Ways of recovery as commands see them: guardians and paper kits of members, recoveries by members' names, and what the
 * member is told of them (CRYPTO §3.1, last point).
 */
import { ChartsealError, equalBytes, fromHex, randomBytes, toHex } from "@chartseal/crypto";
import { accountOf } from "@chartseal/ledger";
import {
  approveRecovery,
  countWays,
  listRecoveries,
  objectRecovery,
  openRecoveriesOf,
  paperSigner,
  type Recovery,
  readWays,
  setWays,
} from "@chartseal/sharing";
import { type Home, type MemberFile, memberNameOf, requireMember } from "../home/home.ts";
import { listRecoverable } from "../home/recovering.ts";
import { counted } from "../output.ts";
import type { ReadSession, Session, SessionMember } from "../services/session.ts";
import { paperKit } from "./paper-kit.ts";

/** How many ways a member should have, whether or not the consortium requires it. */
export const waysWanted = 2;

/** Registers a new paper kit in the place of an earlier one. @returns the page to print, and how many ways stand */
export async function makePaperKit(
  session: Session,
  member: SessionMember,
): Promise<{ readonly page: string; readonly ways: number; readonly height: number }> {
  const seed = randomBytes(32);
  const changes = { paperKey: paperSigner(seed).publicKey };
  const { height } = await setWays(session, { member: member.keys, changes });
  const page = paperKit(member.name, toHex(member.keys.account), seed);
  return { page, ways: await countWays(session.ledger, member.keys.account), height };
}

/** What a member with fewer ways than two is warned of; undefined with two. */
export function waysWarning(name: string, ways: number): string | undefined {
  if (ways >= waysWanted) return undefined;
  const has = ways === 0 ? "no way of recovery" : "one way of recovery";
  return `${name} has ${has} and should have two: a paper kit (chartseal recovery kit) and guardians (chartseal guardians set)`;
}

/** @throws ChartsealError `member-unknown`; `input-invalid` for guardians that no account can have */
export function checkGuardians(
  home: Home,
  name: string,
  options: { readonly guardians: readonly string[]; readonly threshold: number },
): readonly MemberFile[] {
  const { guardians, threshold } = options;
  const member = requireMember(home, name);
  const files = [...new Set(guardians)].map((one) => requireMember(home, one));
  if (files.some(({ account }) => account === member.account)) {
    throw new ChartsealError("input-invalid", `${name} cannot be its own guardian`);
  }
  if (threshold < 1 || threshold > files.length) {
    throw new ChartsealError("input-invalid", `the threshold is from 1 to ${files.length}, not ${threshold}`);
  }
  return files;
}

export interface WaysOf {
  readonly member: string;
  /** Names, or accounts of those without a folder here. */
  readonly guardians: readonly string[];
  readonly threshold: number;
  readonly paperKit: boolean;
  readonly ways: number;
}

export async function waysOfMember({ home, ledger }: ReadSession, member: MemberFile): Promise<WaysOf> {
  const account = fromHex(member.account, 20);
  const { guardians, threshold, paperKey } = await readWays(ledger, account);
  const ways = await countWays(ledger, account);
  const names = guardians.map((one) => nameOf(home, one)).sort();
  return { member: member.name, guardians: names, threshold, paperKit: paperKey !== null, ways };
}

export async function setGuardians(
  session: Session,
  member: SessionMember,
  options: { readonly guardians: readonly MemberFile[]; readonly threshold: number },
): Promise<WaysOf & { readonly height: number }> {
  const guardians = options.guardians.map(({ account }) => fromHex(account, 20));
  const { threshold } = options;
  const { height } = await setWays(session, { member: member.keys, changes: { guardians, threshold } });
  const file = requireMember(session.home, member.name);
  return { ...(await waysOfMember(session, file)), height };
}

function nameOf(home: Home, account: Uint8Array): string {
  return memberNameOf(home, toHex(account)) ?? toHex(account);
}

/** A recovery as scripts and people see it. */
export interface ShownRecovery {
  readonly member: string;
  readonly account: string;
  readonly recoveryId: string;
  readonly status: Recovery["status"];
  /** Who started it: a guardian's name, or `paper-kit`. */
  readonly by: string;
  readonly approvals: readonly string[];
  readonly approvalsNeeded: number;
  /** From when it can be finished, RFC 3339; null while approvals are missing. */
  readonly readyAt: string | null;
  /** The key that the account would get: what the member reads out to a guardian who asks. */
  readonly newKey: string;
  readonly height: number;
}

export function shown(home: Home, name: string, recovery: Recovery): ShownRecovery {
  const { account, id, status, by, paper, approvals, approvalsNeeded, readyMs, publicKey, height } = recovery;
  return {
    member: name,
    account: toHex(account),
    recoveryId: toHex(id),
    status,
    by: paper ? "paper-kit" : nameOf(home, by),
    approvals: approvals.map((one) => nameOf(home, one)),
    approvalsNeeded,
    readyAt: readyMs === null ? null : new Date(readyMs).toISOString(),
    newKey: toHex(publicKey),
    height,
  };
}

/** One line for people. */
export function recoveryLine(one: ShownRecovery): string {
  const by = one.by === "paper-kit" ? "by its paper kit" : `by ${one.approvals.join(", ")}`;
  const when =
    one.status === "approvals"
      ? `${counted(one.approvalsNeeded, "more approval")} needed`
      : one.status === "waiting"
        ? `can be finished from ${one.readyAt}`
        : one.status;
  return `${one.member}  ${one.recoveryId.slice(0, 16)}  ${by}: ${when}`;
}

/** Every recovery of members of this home, or of one of them. */
export async function recoveriesOf(
  session: ReadSession,
  members: readonly MemberFile[],
): Promise<ShownRecovery[]> {
  const all: ShownRecovery[] = [];
  for (const { name, account } of members) {
    for (const one of await listRecoveries(session, fromHex(account, 20))) {
      all.push(shown(session.home, name, one));
    }
  }
  return all;
}

/** What a member's client says before anything else, where somebody recovers the account. */
export async function recoveryNotices(session: Session, { name, keys }: SessionMember): Promise<string[]> {
  const open = await openRecoveriesOf(session, keys.account);
  return open.map((one) => {
    const line = recoveryLine(shown(session.home, name, one));
    return `a recovery is open: ${line}; if it is not yours: chartseal recovery object ${name}`;
  });
}

/** Open recoveries of all members of this home. */
export async function countOpenRecoveries(session: ReadSession): Promise<number> {
  let count = 0;
  for (const { account } of listRecoverable(session.home)) {
    count += (await openRecoveriesOf(session, fromHex(account, 20))).length;
  }
  return count;
}

/**
 * The recovery that is meant: the one named, or the only one that is open and fits.
 * @throws ChartsealError `input-invalid`
 */
function chosen(open: readonly Recovery[], name: string, id: string | undefined): Recovery {
  const fitting = id === undefined ? open : open.filter((one) => toHex(one.id).startsWith(id));
  const [only, second] = fitting;
  if (only === undefined) throw new ChartsealError("input-invalid", `no such recovery of ${name} is open`);
  if (second === undefined) return only;
  throw new ChartsealError("input-invalid", `several recoveries of ${name} are open: say which`, {
    data: { recoveries: fitting.map((one) => toHex(one.id)) },
    hint: "Give --recovery with an id of chartseal recovery list.",
  });
}

/**
 * That this kit or guardian is one of the member's ways, in words that name it: the ledger refuses the rest in its own.
 * @throws ChartsealError `input-invalid` for a kit, `transaction-refused` for a guardian
 */
export async function demandWay(
  { ledger }: ReadSession,
  member: Pick<MemberFile, "name" | "account">,
  by: { readonly account: Uint8Array; readonly guardian: string | undefined },
): Promise<void> {
  const { name } = member;
  const { guardians, paperKey } = await readWays(ledger, fromHex(member.account, 20));
  if (by.guardian === undefined) {
    if (paperKey !== null && equalBytes(accountOf(paperKey), by.account)) return;
    throw new ChartsealError("input-invalid", `this paper kit is not the one of ${name}`, {
      hint: "It is another member's, or a later kit took its place.",
    });
  }
  if (guardians.some((one) => equalBytes(one, by.account))) return;
  throw new ChartsealError("transaction-refused", `${by.guardian} is no guardian of ${name}`, {
    hint: `chartseal guardians list ${name} says who is.`,
  });
}

export async function approve(
  session: Session,
  options: { readonly member: MemberFile; readonly guardian: SessionMember; readonly recovery?: string },
): Promise<ShownRecovery> {
  const { member, guardian } = options;
  const account = fromHex(member.account, 20);
  await demandWay(session, member, { account: guardian.keys.account, guardian: guardian.name });
  const all = await openRecoveriesOf(session, account);
  const open = all.filter(({ paper }) => !paper);
  if (open.length === 0 && all.length > 0) {
    const message = `the recovery of ${member.name} that is open is its paper kit's, which needs no approval`;
    throw new ChartsealError("input-invalid", message, {
      hint: "It waits for its time alone; chartseal recovery list says for which.",
    });
  }
  const { id: recoveryId } = chosen(open, member.name, options.recovery);
  await approveRecovery(session, { by: guardian.keys, recoveryId });
  const after = (await listRecoveries(session, account)).find(({ id }) => toHex(id) === toHex(recoveryId));
  return shown(session.home, member.name, after!);
}

/** Ends every open recovery of the member, or the one named. */
export async function object(
  session: Session,
  member: SessionMember,
  id: string | undefined,
): Promise<{ readonly member: string; readonly objected: readonly string[] }> {
  const open = await openRecoveriesOf(session, member.keys.account);
  const meant = id === undefined && open.length > 0 ? open : [chosen(open, member.name, id)];
  for (const one of meant) await objectRecovery(session, { member: member.keys, recoveryId: one.id });
  return { member: member.name, objected: meant.map((one) => toHex(one.id)) };
}
