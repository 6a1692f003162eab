/** What several groups of commands share: arguments as they are parsed, and an example under each help page. */
import { ChartsealError, checkWritten, type Policy, parsePolicy, toHex } from "@chartseal/crypto";
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

/**
 * The same where the home is looked at before the options' values (CONTRACT, Order of checks).
 * @throws ChartsealError `input-invalid`
 */
export function wholeNumberOf(option: string, text: string): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw new ChartsealError("input-invalid", `${option} takes a whole number, not ${JSON.stringify(text)}`);
}

const units: Readonly<Record<string, number>> = { m: 60_000, h: 60 * 60_000, d: 24 * 60 * 60_000 };

/** A length of time such as `7d`, `24h` or `30m`, in ms. @throws ChartsealError `input-invalid` */
export function durationOf(option: string, text: string): number {
  const [, count, unit] = /^([0-9]{1,5})([mhd])$/.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) return Number(count) * units[unit]!;
  throw new ChartsealError("input-invalid", `${option} takes a length of time, not ${JSON.stringify(text)}`, {
    hint: "Write it as 30m, 24h or 7d.",
  });
}

/** A length of time as `durationOf` takes it, in the largest unit that divides it. */
export function durationText(milliseconds: number): string {
  const unit = ["d", "h", "m"].find((one) => milliseconds > 0 && milliseconds % units[one]! === 0);
  return unit === undefined ? `${milliseconds} ms` : `${milliseconds / units[unit]!}${unit}`;
}

/** A comma-separated list without empty items. */
export function commaList(text: string): string[] {
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

/** Purposes, comma-separated; an empty item stays one, for `checkPurposes` to refuse. */
export function purposeList(text: string): string[] {
  return text.split(",").map((item) => item.trim());
}

/** True for a day that the calendar has: Date.parse takes the 30th of February for the 2nd of March. */
function isDay(year: number, month: number, day: number): boolean {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

/** RFC 3339, or a date, which stands for its first instant, UTC → ms since 1970. @throws ChartsealError `input-invalid` */
export function parseTime(given: string): number {
  const text = /^\d{4}-\d{2}-\d{2}$/.test(given) ? `${given}T00:00:00Z` : given;
  const form = /^(\d{4})-(\d{2})-(\d{2})[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;
  const parts = form.exec(text);
  const whole = parts !== null && isDay(Number(parts[1]), Number(parts[2]), Number(parts[3]));
  const time = whole ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) {
    throw new ChartsealError("input-invalid", `${JSON.stringify(given)} is no time or date`, {
      hint: "Write it as 2027-01-31T00:00:00Z (RFC 3339), or as 2027-01-31, which is its first instant, UTC.",
    });
  }
  return time;
}

/**
 * A time to come, in ms: `--until`, as `parseTime` takes it, or `--for`, a length from now.
 * @throws ChartsealError `input-invalid`
 */
export function endOf(
  options: { readonly until?: string; readonly for?: string },
  { now, forMs }: { readonly now: number; readonly forMs?: number },
): number {
  const { until, for: length } = options;
  if (until !== undefined && length !== undefined) {
    throw new ChartsealError("input-invalid", "give --until or --for, one of the two");
  }
  const aheadMs = length === undefined ? forMs : durationOf("--for", length);
  if (until === undefined && aheadMs === undefined) {
    throw new ChartsealError("input-invalid", "say when it ends: --until or --for");
  }
  if (until !== undefined) return futureTime(until, now);
  const end = now + (aheadMs ?? 0);
  if (end > now) return end;
  throw new ChartsealError("input-invalid", "it would end at once", { hint: "Give a length of time." });
}

/** A time at which something ends. @throws ChartsealError `input-invalid` for one that has passed */
export function futureTime(text: string, now: number, hint = "Give a time to come."): number {
  const end = parseTime(text);
  if (end > now) return end;
  const message = `it would have ended at ${new Date(end).toISOString()}`;
  throw new ChartsealError("input-invalid", message, { hint });
}

/**
 * A policy as a user writes it: `MEMBER@self` stands for that member's ACCOUNT@self (CONTRACT, Who may).
 * @throws ChartsealError `policy-syntax`, `policy-limit`; `input-invalid` for a leaf of self where none may be
 */
export function writtenPolicy(home: Home, text: string): Policy {
  const named = text.replaceAll(/([a-z0-9][a-z0-9-]{0,62})@self(?![a-z0-9-])/g, (whole, name: string) => {
    if (/^[0-9a-f]{40}$/.test(name)) return whole;
    const member = findMember(home, name);
    return member === undefined ? whole : `${member.account}@self`;
  });
  const policy = parsePolicy(named);
  checkWritten(policy);
  return policy;
}

/** The member's name where this home knows the account, else the account in hex. */
export function ownerName(home: Home, account: Uint8Array): string {
  const hex = toHex(account);
  return memberNameOf(home, hex) ?? hex;
}
