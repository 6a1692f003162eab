/** `bench cpabe`: keys and encapsulation under a policy of n attributes, against the bare group operations. */
import {
  decapsulate,
  encapsulate,
  keygenDirect,
  loadPairing,
  openPairing,
  type Pairing,
  type Policy,
  recoverFromTransform,
  verifyEncapsulation,
} from "@chartseal/crypto";
import { type BenchOptions, Claims, type Outcome, type Row } from "../outcome.ts";
import { sizes as allSizes, attributesOf, context, policyOfAll, readingWorld } from "../worlds.ts";
import { type Needs, noTables } from "./primitives.ts";
import { type StepToMeasure, stepPlots, stepRows } from "./steps.ts";

let marks = 0;

/** Attributes that no cache knows, new each round, for work over the cold backend. */
function fresh(n: number, work: (attributes: readonly string[], policy: Policy) => unknown) {
  let attributes: readonly string[] = [];
  let policy = policyOfAll(n);
  return {
    prepare: () => {
      const mark = `-${marks++}`;
      attributes = attributesOf(n, mark);
      policy = policyOfAll(n, mark);
    },
    run: () => work(attributes, policy),
  };
}

/** The ciphertext's bytes: a row is one point of G1. */
function encodings(n: number, ofG2: number): Needs {
  return { "G1 encode": n, "G2 encode": ofG2 };
}

function stepsOf(n: number, cold: Pairing, warm: Pairing): StepToMeasure[] {
  const { alpha, mpk, policy, transformKey, recoveryKey } = readingWorld(warm, n);
  const { encapsulation } = encapsulate(warm, { mpk, policy, context });
  const locked = { policy, context, encapsulation };
  const transform = warm.gt.encode(decapsulate(warm, { key: transformKey, policy, encapsulation }));
  const both = (work: (pairing: Pairing) => unknown) => ({
    cold: { run: () => work(cold) },
    warm: { run: () => work(warm) },
  });
  return [
    {
      step: "keygen",
      cold: fresh(n, (attributes) => keygenDirect(cold, { alpha, attributes })),
      warm: { run: () => keygenDirect(warm, { alpha, attributes: attributesOf(n) }) },
      // α meets g1 split in two; b and every attribute once.
      floor: { "hash to G1": n, E1x1: n + 1, E1x2: 1, E2x1: 1 },
    },
    {
      step: "encapsulate",
      cold: fresh(n, (_, policyOfRound) => encapsulate(cold, { mpk, policy: policyOfRound, context })),
      warm: { run: () => encapsulate(warm, { mpk, policy, context }) },
      // c1, c2 and the proof's R in G2; what the transcript and the challenge hash is encoded once.
      floor: { "hash to G1": n, E1x2: n, E2x1: 3, ETx1: 1, ...encodings(n, 3) },
    },
    {
      step: "check the proof (provider)",
      ...both((pairing) => verifyEncapsulation(pairing, locked)),
      floor: { E2x2: 1, ...encodings(n, 3) },
    },
    {
      step: "transform (provider)",
      ...both((pairing) => decapsulate(pairing, { key: transformKey, policy, encapsulation })),
      floor: { P3: 1, "G1 add": 2 * n },
    },
    {
      step: "recover from T (reader)",
      ...both((pairing) => recoverFromTransform(pairing, { ...locked, transform, recoveryKey })),
      floor: { F: 1, ETx2: 1, E2x1: 1, ...encodings(n, 2) },
    },
  ];
}

export async function benchCpabe({ quick, note }: BenchOptions): Promise<Outcome> {
  const { pairing: coldPairing } = await openPairing(noTables);
  const warmPairing = await loadPairing();
  const sizes = quick ? allSizes.slice(0, 1) : allSizes;
  const claims = new Claims();
  const rows: Row[] = [];
  for (const n of sizes) {
    note(`cpabe: n = ${n}`);
    const steps = stepsOf(n, coldPairing, warmPairing);
    rows.push(...(await stepRows(n, steps, { coldPairing, rounds: quick ? 3 : 15, claims })));
  }
  return {
    tables: [{ title: "Encapsulation under n attributes", rows }],
    plots: stepPlots(rows, sizes),
    failures: claims.failures,
  };
}
