/**
 * The paper's section 5 by counting: what each step asks of the group, whatever the machine. Claims that n attributes
 * cost (n + 2)E + E_T to encapsulate, and that a reader who outsourced meets no Miller loop.
 */
import {
  countingPairing,
  decapsulate,
  encapsulate,
  type G2,
  type OperationCounts,
  type Pairing,
  recoverFromTransform,
  recoverMessage,
  sign,
  verify,
  verifyEncapsulation,
} from "@chartseal/crypto";
import type { Claims, Row } from "../outcome.ts";
import { context, readingWorld, signingWorld } from "../worlds.ts";

/** Counts, and how many of the multiplications in G2 gave the element that `isProof` recognises. */
class Counter {
  readonly pairing: Pairing;
  readonly #counts: () => OperationCounts;
  readonly #reset: () => void;
  #results: G2[] = [];

  constructor(inner: Pairing) {
    const counting = countingPairing(inner);
    this.#counts = counting.counts;
    this.#reset = counting.reset;
    const { g2 } = counting.pairing;
    const linear: typeof g2.linear = (rows) => {
      const results = g2.linear(rows);
      this.#results.push(...results);
      return results;
    };
    this.pairing = { ...counting.pairing, g2: { ...g2, linear } };
  }

  of<T>(work: (pairing: Pairing) => T): { result: T; counts: OperationCounts; g2Results: readonly G2[] } {
    this.#reset();
    this.#results = [];
    const result = work(this.pairing);
    return { result, counts: this.#counts(), g2Results: this.#results };
  }
}

function rowOf(n: number, step: string, counts: OperationCounts, proofE2 = 0): Row {
  const { E1, E2, ET, P, F, H, C } = counts;
  return { n, step, E1, E2: E2 - proofE2, "E2 of the proof": proofE2, E_T: ET, "Miller loops": P, F, H, C };
}

function readingRows(inner: Pairing, n: number, claims: Claims): Row[] {
  const { mpk, policy, fullKey, transformKey, recoveryKey } = readingWorld(inner, n);
  const counter = new Counter(inner);
  const made = counter.of((pairing) => encapsulate(pairing, { mpk, policy, context }));
  const { encapsulation } = made.result;
  const proofE2 = made.g2Results.filter((point) => inner.g2.equal(point, encapsulation.proof.R)).length;
  const spent = made.counts.E1 + made.counts.E2 - proofE2;
  claims.check(spent <= n + 2, `encapsulation of n = ${n} costs ${spent} E, more than n + 2`);
  claims.check(
    made.counts.ET <= 1 && proofE2 === 1,
    `encapsulation of n = ${n}: not one E_T and one E2 for the proof`,
  );
  claims.check(made.counts.P === 0, `encapsulation of n = ${n} pairs`);

  const checked = counter.of((pairing) => verifyEncapsulation(pairing, { policy, context, encapsulation }));
  const transformed = counter.of((pairing) =>
    decapsulate(pairing, { key: transformKey, policy, encapsulation }),
  );
  const transform = inner.gt.encode(transformed.result);
  const reader = counter.of((pairing) =>
    recoverFromTransform(pairing, { transform, recoveryKey, policy, context, encapsulation }),
  );
  const { E1, E2, ET, P, F, C } = reader.counts;
  claims.check(P === 0, `the reader of n = ${n} meets ${P} Miller loops`);
  claims.check(
    ET <= 1 && E2 <= 1 && F + C <= 1 && E1 === 0,
    `the reader of n = ${n} does more than E_T + E2 + F`,
  );

  const full = counter.of((pairing) => decapsulate(pairing, { key: fullKey, policy, encapsulation }));
  claims.check(
    full.counts.P <= 3 && full.counts.F === 1,
    `full decapsulation of n = ${n}: more than 3 Miller loops and 1 F`,
  );
  const recovered = counter.of((pairing) =>
    recoverMessage(pairing, { shared: full.result, policy, context, encapsulation }),
  );
  claims.check(
    [reader, recovered].every(({ result }) => Buffer.compare(result.message, made.result.message) === 0),
    `the readers of n = ${n} do not get what was sealed`,
  );
  return [
    rowOf(n, "encapsulate", made.counts, proofE2),
    rowOf(n, "check the proof (provider)", checked.counts),
    rowOf(n, "transform (provider)", transformed.counts),
    rowOf(n, "recover from T (reader)", reader.counts),
    rowOf(n, "decapsulate, full key", full.counts),
    rowOf(n, "recover from K (full key)", recovered.counts),
  ];
}

function signingRows(inner: Pairing, n: number, claims: Claims): Row[] {
  const { keys, committeeKey, statement } = signingWorld(inner, n, ["p"]);
  // Signed once before, so that the row bases, which the policy and not the signature costs, are known.
  sign(inner, statement("p"), keys);
  const counter = new Counter(inner);
  sign(counter.pairing, statement("p"), keys);
  const signed = counter.of((pairing) => sign(pairing, statement("p"), keys));
  const proven = { ...statement("p"), signature: signed.result };
  const checked = counter.of((pairing) => verify(pairing, committeeKey, proven));
  claims.check(checked.result, `the signature of n = ${n} does not verify`);
  claims.check(
    checked.counts.P <= n + 3,
    `verification of n = ${n} pairs ${checked.counts.P} times, more than n + 3`,
  );
  claims.check(
    checked.counts.F === 1,
    `verification of n = ${n} has ${checked.counts.F} final exponentiations`,
  );
  return [rowOf(n, "sign", signed.counts), rowOf(n, "verify", checked.counts)];
}

export function countRows(pairing: Pairing, sizes: readonly number[], claims: Claims): Row[] {
  return sizes.flatMap((n) => [...readingRows(pairing, n, claims), ...signingRows(pairing, n, claims)]);
}
