/**
 * How everything here is timed: the sides of a comparison take turns in one process, so that a slow minute of the
 * machine falls on all of them, and what is printed is the median. A ratio is the median of the ratios of each round.
 */

/** One side: the work, and what must be made ready before the clock starts. */
export interface Side {
  /** Runs before each round, not timed. */
  readonly prepare?: () => void | Promise<void>;
  /** The work. A number that it returns is taken as its time in ms, for work that times a part of itself. */
  readonly run: () => unknown;
}

export interface Samples<S extends string> {
  /** A side's times, ms, in the order of the rounds. */
  times(side: S): readonly number[];
  /** Median time of a side, ms. */
  median(side: S): number;
  /** Median over the rounds of `side`'s time as a multiple of `of`'s. */
  ratio(side: S, of: S): number;
}

/** Middle value; the mean of the two middle ones for an even count. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

async function timeOnce({ prepare, run }: Side): Promise<number> {
  await prepare?.();
  const start = performance.now();
  const result = run();
  // Awaiting what is no promise would add a turn of the event loop to microseconds of work.
  const own = result instanceof Promise ? await result : result;
  return typeof own === "number" ? own : performance.now() - start;
}

/** Runs each side once a round, in an order that turns by one each round; the first `warmUps` rounds do not count. */
export async function interleaved<S extends string>(
  sides: Readonly<Record<S, Side>>,
  { rounds, warmUps = 1 }: { readonly rounds: number; readonly warmUps?: number },
): Promise<Samples<S>> {
  const names = Object.keys(sides) as S[];
  const times = new Map<S, number[]>(names.map((name) => [name, []]));
  for (let round = -warmUps; round < rounds; round++) {
    const turn = (round + warmUps) % names.length;
    for (const name of [...names.slice(turn), ...names.slice(0, turn)]) {
      const time = await timeOnce(sides[name]);
      if (round >= 0) times.get(name)?.push(time);
    }
  }
  const of = (name: S): number[] => times.get(name) ?? [];
  return {
    times: of,
    median: (side) => median(of(side)),
    ratio: (side, base) => median(of(side).map((time, round) => time / (of(base)[round] ?? Number.NaN))),
  };
}
