/**
 * What the tests of the encapsulation share: an authority in one hand, readers with full and transform keys, and a
 * sealer whose every safeguard can be taken out, for the weakened copies on which an attack must succeed.
 */

import { seeded, wholeBetween } from "../../../test/seeded.ts";
import { transformKeyPair } from "../src/cpabe/blind.ts";
import type { Encapsulation } from "../src/cpabe/cpabe.ts";
import {
  applyMask,
  type CiphertextBytes,
  ciphertextBytes,
  encapsScalars,
  proveEncapsulation,
  transcriptOf,
} from "../src/cpabe/fo.ts";
import {
  type AttributeKey,
  type EncapsScalars,
  encaps,
  encapsulated,
  keygen,
  type Shape,
  setup,
  shapeOf,
} from "../src/cpabe/scheme.ts";
import { encode } from "../src/encoding.ts";
import { loadPairing } from "../src/pairing/mcl.ts";
import type { GT, Pairing, Scalar } from "../src/pairing/pairing.ts";
import { type Policy, parsePolicy } from "../src/policy/policy.ts";
import { randomBytes } from "../src/random.ts";

export const pairing: Pairing = await loadPairing();

export const authority: { alpha: Scalar; mpk: GT } = setup(pairing);

/** Stands for the header's context: any bytes will do here. */
export function contextOf(record: string): Uint8Array {
  return encode(["test context", record]);
}

/** A key for g1: opens by itself. */
export function fullKey(...attributes: string[]): AttributeKey {
  return keygen(pairing, { alpha: authority.alpha, attributes });
}

export interface Reader {
  readonly recoveryKey: Scalar;
  readonly transformKey: AttributeKey;
}

/** z with the reader, the transform key with the provider. */
export function reader(...attributes: string[]): Reader {
  const { recoveryKey, blinded } = transformKeyPair(pairing);
  return { recoveryKey, transformKey: keygen(pairing, { alpha: authority.alpha, attributes, blinded }) };
}

/** One safeguard taken out of `encapsulate`, for a weakened copy. */
export interface Weakening {
  /** A message used again, which `encapsulate` never does. */
  readonly message?: Uint8Array;
  readonly shape?: (shape: Shape) => Shape;
  readonly scalars?: (scalars: EncapsScalars) => EncapsScalars;
  readonly transcript?: (context: Uint8Array, bytes: CiphertextBytes) => Uint8Array;
}

/** `encapsulate` step by step, with what the attacker may not see: m and K. */
export function seal(
  policyText: string,
  context: Uint8Array,
  weakening: Weakening = {},
): {
  policy: Policy;
  context: Uint8Array;
  encapsulation: Encapsulation;
  message: Uint8Array;
  shared: GT;
  shape: Shape;
} {
  const policy = parsePolicy(policyText);
  const shape = weakening.shape?.(shapeOf(policy)) ?? shapeOf(policy);
  const message = weakening.message ?? randomBytes(32);
  const derived = encapsScalars(message, context, { tau: shape.tau, columns: shape.program.columns });
  const scalars = { ...derived, ...weakening.scalars?.(derived) };
  const ciphertext = encaps(pairing, shape, scalars);
  const bytes = ciphertextBytes(pairing, ciphertext);
  const shared = encapsulated(pairing, authority.mpk, scalars.s1);
  const transcript = (weakening.transcript ?? transcriptOf)(context, bytes);
  const mask = applyMask(pairing, shared, transcript, message);
  const proof = proveEncapsulation(pairing, context, bytes, scalars);
  return { policy, context, encapsulation: { ...ciphertext, mask, proof }, message, shared, shape };
}

/** Choices of an attacker, the same in every run. */
export function choices(seed: number): { below(limit: number): number; pick<T>(list: readonly T[]): T } {
  const random = seeded(seed);
  const below = (limit: number): number => wholeBetween(random, 0, limit);
  return { below, pick: (list) => list[below(list.length)]! };
}

/** The code of the ChartsealError that a call throws; fails the test if it throws none or something else. */
export function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof Error && "code" in error) return String(error.code);
    throw error;
  }
  return "nothing thrown";
}
