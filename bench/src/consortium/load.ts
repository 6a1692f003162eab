/** A client's load: transactions handed over in order, so many under way at once, each timed from handing over to acknowledged. */

export interface Load {
  readonly transactions: readonly Uint8Array[];
  /** How many are under way at once. */
  readonly window: number;
}

/** Times are milliseconds since 1970 with fractions, so that those of several processes compare. */
export interface Loaded {
  readonly startMs: number;
  readonly endMs: number;
  readonly latenciesMs: readonly number[];
}

const clockMs = (): number => performance.timeOrigin + performance.now();

/** @throws what the first transaction that was not acknowledged failed with */
export async function drive(
  submit: (transaction: Uint8Array) => Promise<unknown>,
  { transactions, window }: Load,
): Promise<Loaded> {
  const latenciesMs: number[] = [];
  const waiting = transactions.values();
  const startMs = clockMs();
  const one = async (): Promise<void> => {
    for (const transaction of waiting) {
      const handed = clockMs();
      await submit(transaction);
      latenciesMs.push(clockMs() - handed);
    }
  };
  await Promise.all(Array.from({ length: window }, one));
  return { startMs, endMs: clockMs(), latenciesMs };
}
