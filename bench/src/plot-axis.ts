/** The y axis of a chart: its ends, round ticks between them, and where a value lies. */

export interface Axis {
  readonly low: number;
  readonly high: number;
  readonly isLog: boolean;
  readonly ticks: readonly number[];
}

/** Below it nothing is shown on a logarithmic axis. */
const smallest = 1e-9;

/** The next of 1, 2, 5 times a power of ten that is at least `value`. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((one) => one * power >= value * 0.999_999) ?? 10;
  return step * power;
}

function linearAxis(high: number): Axis {
  const step = roundUp(high / 5);
  const count = Math.ceil((high / step) * 0.999_999);
  const ticks = Array.from({ length: count + 1 }, (_, at) => at * step);
  return { low: 0, high: count * step, isLog: false, ticks };
}

function logAxis(low: number, high: number): Axis {
  const first = Math.floor(Math.log10(low) + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.log10(high) - 1e-9));
  const decades = Array.from({ length: last - first + 1 }, (_, at) => 10 ** (first + at));
  // Few decades leave room for more marks between them.
  const ticks =
    decades.length > 3
      ? decades
      : decades.flatMap((one, at) => (at === decades.length - 1 ? [one] : [one, 2 * one, 5 * one]));
  return { low: 10 ** first, high: 10 ** last, isLog: true, ticks };
}

/** An axis that holds all the values: from 0 where it is linear, whole decades where it is logarithmic. */
export function axisOf(values: readonly number[], scale: "linear" | "log"): Axis {
  const finite = values.filter((value) => Number.isFinite(value) && value > 0);
  const high = Math.max(smallest, ...finite);
  return scale === "log" ? logAxis(Math.max(smallest, Math.min(high, ...finite)), high) : linearAxis(high);
}

/** 0 at the axis' low end, 1 at its high end. */
export function positionOf({ low, high, isLog }: Axis, value: number): number {
  if (!isLog) return (value - low) / (high - low);
  return Math.log10(Math.max(value, low) / low) / Math.log10(high / low);
}

export function tickText(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (value >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  return String(Number(value.toPrecision(3)));
}
