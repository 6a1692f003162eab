/**
 * spec/vectors/cpabe.json, bit for bit: by the default backend and by the oracle, which shares no group code with it.
 * CHARTSEAL_WRITE_VECTORS=1 writes the file anew by the recipe below (spec/2-cpabe.md tells it in words).
 */
import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { toHex, utf8 } from "../src/bytes.ts";
import { encodeBlindProof, proveBlind, transformKeyPair, verifyBlind } from "../src/cpabe/blind.ts";
import {
  decapsulate,
  encapsulate,
  recomputeEncapsulation,
  recoverFromTransform,
  verifyEncapsulation,
} from "../src/cpabe/cpabe.ts";
import { encapsScalars } from "../src/cpabe/fo.ts";
import { attributePoints, baseB, keygen, setup, shapeOf } from "../src/cpabe/scheme.ts";
import { encodeAttributeKey, encodeEncapsulation } from "../src/cpabe/wire.ts";
import { encode } from "../src/encoding.ts";
import { sha256 } from "../src/hash.ts";
import { loadPairing } from "../src/pairing/mcl.ts";
import type { Pairing } from "../src/pairing/pairing.ts";
import { encodeScalar } from "../src/pairing/scalar.ts";
import { parsePolicy } from "../src/policy/policy.ts";
import { randomScalar } from "../src/random.ts";
import { seedRandomness } from "../src/random-seam.ts";
import { nobleOracle } from "./noble-oracle.ts";

const file = new URL("../../../spec/vectors/cpabe.json", import.meta.url);

interface Case {
  readonly name: string;
  readonly policy: string;
  readonly context: string;
  readonly attributes: readonly string[];
  readonly values: Record<string, string | readonly string[]>;
}

const inputs: Omit<Case, "values">[] = [
  { name: "one leaf", policy: "cardiologist@cedars", context: "first", attributes: ["cardiologist@cedars"] },
  {
    name: "as sealed for an owner",
    policy: `cardiologist@cedars and researcher@mercy or ${"ab".repeat(20)}@self or emergency.${"ab".repeat(20)}@self`,
    context: "second",
    attributes: ["researcher@mercy", "cardiologist@cedars", "nurse@cedars"],
  },
  {
    name: "thresholds and repeated attributes",
    policy: "2 of (a@h, b@h and a@h, 3 of (a@h, c@h, d@h, b@h))",
    context: "third",
    attributes: ["b@h", "c@h", "d@h", "a@h"],
  },
];

/** Runs a step under a seed of its own, so that only the step's first draws count and not a backend's. */
function seeded<T>(name: string, step: string, run: () => T): T {
  const restore = seedRandomness(`cpabe vector/${name}/${step}`);
  try {
    return run();
  } finally {
    restore();
  }
}

const scalar = (value: bigint) => toHex(encodeScalar(value));

/** Everything of one case, from the seeds. */
function compute(pairing: Pairing, { name, policy: text, context: label, attributes }: Omit<Case, "values">) {
  const { g1, gt } = pairing;
  const policy = parsePolicy(text);
  const context = encode(["cpabe vector", label]);
  const digest = sha256(utf8(name));
  const { alpha, mpk } = seeded(name, "setup", () => setup(pairing));
  const pair = seeded(name, "blind", () => transformKeyPair(pairing));
  const proof = seeded(name, "proof", () => proveBlind(pairing, { pair, digest }));
  expect(verifyBlind(pairing, { blinded: pair.blinded, digest, proof, mode: "transform" })).toBe(true);
  const r = seeded(name, "key", () => randomScalar());
  const transformKey = seeded(name, "key", () =>
    keygen(pairing, { alpha, attributes, blinded: pair.blinded }),
  );
  const fullKey = seeded(name, "key", () => keygen(pairing, { alpha, attributes }));
  const made = seeded(name, "encapsulate", () => encapsulate(pairing, { mpk, policy, context }));
  const { encapsulation, message } = made;
  const shape = shapeOf(policy);
  const scalars = encapsScalars(message, context, { tau: shape.tau, columns: shape.program.columns });
  const shared = decapsulate(pairing, { key: fullKey, policy, encapsulation });
  const transform = gt.encode(decapsulate(pairing, { key: transformKey, policy, encapsulation }));
  const record = { policy, context, encapsulation };
  expect(verifyEncapsulation(pairing, record)).toBe(true);
  const recovered = recoverFromTransform(pairing, { ...record, transform, recoveryKey: pair.recoveryKey });
  expect(recovered).toEqual({ message, transcript: made.transcript });
  recomputeEncapsulation(pairing, { ...record, mpk, message });
  return {
    context: toHex(context),
    b: toHex(g1.encode(baseB(pairing))),
    H: attributePoints(pairing, policy.attributes).map((point) => toHex(g1.encode(point))),
    alpha: scalar(alpha),
    mpk: toHex(gt.encode(mpk)),
    z: scalar(pair.recoveryKey),
    Z: toHex(g1.encode(pair.blinded)),
    d: toHex(digest),
    blindProof: toHex(encode(encodeBlindProof(pairing, proof))),
    r: scalar(r),
    transformKey: toHex(encode(encodeAttributeKey(pairing, transformKey))),
    fullKey: toHex(encode(encodeAttributeKey(pairing, fullKey))),
    m: toHex(message),
    s1: scalar(scalars.s1),
    sPrime: scalars.sPrime.map(scalar),
    v: scalars.v.map(scalar),
    k: scalar(scalars.k),
    encapsulation: toHex(encode(encodeEncapsulation(pairing, encapsulation))),
    transcript: toHex(made.transcript),
    K: toHex(gt.encode(shared)),
    T: toHex(transform),
  };
}

const backend = await loadPairing();

if (process.env.CHARTSEAL_WRITE_VECTORS === "1") {
  const cases = inputs.map((input) => ({ ...input, values: compute(backend, input) }));
  const about = "FABEO encapsulation, blind keys and transform; the recipe is in spec/2-cpabe.md, Vectors.";
  writeFileSync(file, `${JSON.stringify({ about, cases }, null, 1)}\n`);
}

const published = JSON.parse(readFileSync(file, "utf8")) as { readonly cases: readonly Case[] };

describe("the published vectors", () => {
  test("are of exactly these inputs", () => {
    expect(published.cases.map(({ values: _, ...input }) => input)).toEqual(inputs);
  });

  test.each(published.cases)("$name: the default backend gives the same bytes", ({ values, ...input }) => {
    expect(compute(backend, input)).toEqual(values);
  });

  test.each(published.cases)("$name: the oracle gives the same bytes", ({ values, ...input }) => {
    expect(compute(nobleOracle, input)).toEqual(values);
  });
});
