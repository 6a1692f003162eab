/**
 * A home: one folder with an embedded consortium (CONTRACT, Files). This file knows what a home is and who its members
 * and namespaces are, from public files alone; keys are opened elsewhere (key-vault.ts), the ledger in services/.
 */
import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { ChartsealError, fromHex } from "@chartseal/crypto";
import { readJson, readSmallFile, writeJson } from "./files.ts";
import { type HomePaths, homePaths } from "./paths.ts";

const memberName = /^[a-z0-9][a-z0-9-]{0,62}$/;
const namespaceName = /^[a-z0-9][a-z0-9-]{0,31}$/;

export interface HomeConfig {
  readonly version: 1;
  readonly consortium: string;
  readonly chainId: string;
  readonly nodes: number;
  readonly threshold: number;
  /** The ledger's engine; absent for the embedded one. */
  readonly engine?: "comet";
}

/** The public half of a member, `members/NAME/member.json`. Byte strings in hex. */
export interface MemberFile {
  readonly version: 1;
  readonly name: string;
  readonly account: string;
  readonly publicKey: string;
  readonly hpkeKey: string;
}

export interface Home {
  readonly paths: HomePaths;
  readonly config: HomeConfig;
  readonly genesis: Uint8Array;
}

/** Whether the home is one institution's of a consortium, whose ledger runs under CometBFT. */
export function isOfConsortium({ config }: Pick<Home, "config">): boolean {
  return config.engine === "comet";
}

/** The folder that a command works on: --home, else CHARTSEAL_HOME, else .chartseal. */
export function homeFolder(option: string | undefined): string {
  return resolve(option ?? process.env.CHARTSEAL_HOME ?? ".chartseal");
}

export function homeExists(folder: string): boolean {
  return existsSync(homePaths(folder).config);
}

/** @throws ChartsealError `home-missing`; `chain-altered` where its files are damaged */
export function openHome(folder: string): Home {
  const paths = homePaths(folder);
  const config = readJson(paths.config) as HomeConfig | undefined;
  if (config === undefined) {
    throw new ChartsealError("home-missing", `there is no consortium in ${folder}`, {
      hint: "Run chartseal init, or give --home.",
    });
  }
  const sound =
    typeof config === "object" &&
    config !== null &&
    config.version === 1 &&
    typeof config.consortium === "string" &&
    /^[0-9a-f]{64}$/.test(config.chainId) &&
    Number.isInteger(config.nodes) &&
    Number.isInteger(config.threshold) &&
    (config.engine === undefined || config.engine === "comet");
  const genesis = readSmallFile(paths.genesis);
  if (!sound || genesis === undefined) {
    throw new ChartsealError("chain-altered", `the files of the home ${folder} are damaged`, {
      hint: "Restore config.json and genesis.cbor from a backup.",
    });
  }
  return { paths, config, genesis };
}

export function isMemberName(name: string): boolean {
  return memberName.test(name);
}

/** @throws ChartsealError `input-invalid` where a name is made and cannot exist */
export function checkNewMemberName(name: string): void {
  if (isMemberName(name)) return;
  throw new ChartsealError("input-invalid", `${JSON.stringify(name)} cannot be a member's name`, {
    hint: "Lower-case letters, digits and hyphens, at most 63, starting with a letter or digit.",
  });
}

/** @throws ChartsealError `input-invalid` */
export function checkNewNamespaceName(name: string): void {
  if (namespaceName.test(name) && name !== "self") return;
  throw new ChartsealError("input-invalid", `${JSON.stringify(name)} cannot be a namespace's name`, {
    hint: "Lower-case letters, digits and hyphens, at most 32; self is reserved.",
  });
}

export function memberFolder(home: Home, name: string): string {
  return join(home.paths.members, name);
}

/** The member of that name, or undefined. */
export function findMember(home: Home, name: string): MemberFile | undefined {
  if (!memberName.test(name)) return undefined;
  const file = readJson(join(memberFolder(home, name), "member.json")) as MemberFile | undefined;
  if (file !== undefined && !/^[0-9a-f]{40}$/.test(file.account)) {
    throw new ChartsealError("chain-altered", `the member file of ${name} is damaged`);
  }
  return file;
}

/** @throws ChartsealError `member-unknown` */
export function requireMember(home: Home, name: string): MemberFile {
  const member = findMember(home, name);
  if (member !== undefined) return member;
  const known = listMembers(home).map((each) => each.name);
  throw new ChartsealError("member-unknown", `there is no member ${JSON.stringify(name)}`, {
    data: { member: name },
    hint:
      known.length === 0
        ? "Add one with chartseal member add."
        : `Members: ${known.slice(0, 10).join(", ")}.`,
  });
}

export function saveMember(home: Home, member: MemberFile): void {
  writeJson(join(memberFolder(home, member.name), "member.json"), member);
}

export function listMembers(home: Home): MemberFile[] {
  if (!existsSync(home.paths.members)) return [];
  return readdirSync(home.paths.members)
    .sort()
    .flatMap((name) => findMember(home, name) ?? []);
}

/** The member's name for an account in hex, where this home has one. */
export function memberNameOf(home: Home, account: string): string | undefined {
  return listMembers(home).find((member) => member.account === account)?.name;
}

/** A record id as given on a command line. @throws ChartsealError `record-unknown` where it cannot exist */
export function parseRecordId(text: string): Uint8Array {
  if (/^[0-9a-f]{64}$/.test(text)) return fromHex(text, 32);
  throw new ChartsealError("record-unknown", `there is no record ${JSON.stringify(text)}`, {
    data: { recordId: text },
    hint: "A record id is 64 lower-case hex digits; chartseal records lists them.",
  });
}
