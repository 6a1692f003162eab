/** What several groups of commands share: arguments as they are parsed, and an example under each help page. */
import { ChartsealError, type Policy, parsePolicy, toHex } from "@chartseal/crypto";
import { type Command, InvalidArgumentError } from "commander";
import { findMember, type Home, memberNameOf } from "../home/home.ts";

/** Shows one example under the command's help. */
export function example(command: Command, line: string): void {
  command.addHelpText("after", `\nExample:\n  ${line}`);
}

export function wholeNumber(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw new InvalidArgumentError("a whole number.");
  return Number(text);
}

/** A comma-separated list without empty items. */
export function commaList(text: string): string[] {
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

/** RFC 3339 → ms since 1970. @throws ChartsealError `input-invalid` */
export function parseTime(text: string): number {
  const form = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;
  const time = form.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) {
    throw new ChartsealError("input-invalid", `${JSON.stringify(text)} is no RFC 3339 time`, {
      hint: "Write it as 2027-01-31T00:00:00Z.",
    });
  }
  return time;
}

/**
 * A policy as a user writes it: `MEMBER@self` stands for that member's ACCOUNT@self (CONTRACT, Who may).
 * @throws ChartsealError `policy-syntax`, `policy-limit`
 */
export function writtenPolicy(home: Home, text: string): Policy {
  const named = text.replaceAll(/([a-z0-9][a-z0-9-]{0,62})@self(?![a-z0-9-])/g, (whole, name: string) => {
    if (/^[0-9a-f]{40}$/.test(name)) return whole;
    const member = findMember(home, name);
    return member === undefined ? whole : `${member.account}@self`;
  });
  return parsePolicy(named);
}

/** The member's name where this home knows the account, else the account in hex. */
export function ownerName(home: Home, account: Uint8Array): string {
  const hex = toHex(account);
  return memberNameOf(home, hex) ?? hex;
}
