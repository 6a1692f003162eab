/**
 * New folders that wait for the end of a recovery (operations/recover.ts): beside the members' own, under a name that no
 * member can have. A folder counts once its member file is there, which is written last.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { readJson } from "./files.ts";
import { findMember, type Home, isMemberName, listMembers, type MemberFile, requireMember } from "./home.ts";

/** No member's folder, since no name begins with a dot. */
export function recoveryFolder(home: Home, name: string): string {
  return join(home.paths.members, `.${name}.recovery`);
}

/** What the new folder says of its member, or undefined. */
export function findRecovering(home: Home, name: string): MemberFile | undefined {
  if (!isMemberName(name)) return undefined;
  return readJson(join(recoveryFolder(home, name), "member.json")) as MemberFile | undefined;
}

/** The member, also where only its new folder is there. @throws ChartsealError `member-unknown` */
export function requireRecoverable(home: Home, name: string): MemberFile {
  return findMember(home, name) ?? findRecovering(home, name) ?? requireMember(home, name);
}

/** Every member, and those of whom only a new folder is there. */
export function listRecoverable(home: Home): MemberFile[] {
  const members = listMembers(home);
  const folders = existsSync(home.paths.members) ? readdirSync(home.paths.members).sort() : [];
  const lost = folders.flatMap((folder) => {
    const name = /^\.(.+)\.recovery$/.exec(folder)?.[1];
    const known = name === undefined || members.some((one) => one.name === name);
    return known ? [] : (findRecovering(home, name) ?? []);
  });
  return [...members, ...lost];
}
