/**
 * Times as CometBFT writes them, RFC 3339 in UTC with up to nine decimals, from the year 1 on (its zero time). Written out,
 * since JavaScript's dates end at milliseconds and the machine reads no time zone.
 */
import { ChartsealError } from "@chartseal/crypto";
import type { CometTime } from "./types.ts";

const form = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z$/;
const daySeconds = 86_400;

/** Days since 1970-01-01 of a date of the Gregorian calendar. */
function daysOf(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const ofEra = shifted - era * 400;
  const ofYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return era * 146_097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear - 719_468;
}

/** @throws ChartsealError `encoding-invalid` */
export function parseTime(text: string): CometTime {
  const found = form.exec(text);
  if (found === null) throw new ChartsealError("encoding-invalid", "a time is RFC 3339 in UTC");
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const time = {
    seconds: daysOf(year, month, day) * daySeconds + hour * 3_600 + minute * 60 + second,
    nanos: Number((found[7] ?? "").padEnd(9, "0")),
  };
  // Whatever is no day of the calendar, or no second of a day, comes back as another text.
  if (formatTime(time).slice(0, 19) !== text.slice(0, 19))
    throw new ChartsealError("encoding-invalid", "a time that no calendar has");
  return time;
}

export function formatTime({ seconds, nanos }: CometTime): string {
  const text = new Date(seconds * 1000).toISOString().slice(0, 19);
  const decimals = String(nanos).padStart(9, "0").replace(/0+$/, "");
  return decimals === "" ? `${text}Z` : `${text}.${decimals}Z`;
}

/** Milliseconds since 1970, rounded down. */
export function timeMs({ seconds, nanos }: CometTime): number {
  return seconds * 1000 + Math.floor(nanos / 1_000_000);
}

/** Negative where `a` is before `b`, 0 where they are equal. */
export function compareTimes(a: CometTime, b: CometTime): number {
  return a.seconds - b.seconds || a.nanos - b.nanos;
}
