/**
 * How long a fuzz test runs. CHARTSEAL_FUZZ is the number of inputs for each decoder, 10^6 in `npm run fuzz`; without it
 * a short round. Dear decoders take a share of it, said beside the share: GT's membership check is 20 times a field's.
 */

/** Inputs for one decoder: the short round, or CHARTSEAL_FUZZ · share, at least the short round's. */
export function fuzzRounds(short: number, share = 1): number {
  const asked = Number(process.env.CHARTSEAL_FUZZ ?? 0);
  if (!Number.isFinite(asked) || asked < 0) throw new Error("CHARTSEAL_FUZZ is a number of rounds");
  return Math.max(short, Math.ceil(asked * share));
}

/** A limit that a round of this length keeps on a slow machine: 20 ms an input. */
export function fuzzTimeoutMs(rounds: number): number {
  return 120_000 + 20 * rounds;
}
