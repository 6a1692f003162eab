/**
 * Key encapsulation under a policy: FABEO (scheme.ts) with the Fujisaki–Okamoto check and the proof of knowledge
 * (fo.ts), for full keys and for transform keys (CRYPTO §2.1, §2.2). What leaves `encapsulate` or a `recover…` is m,
 * 32 bytes, from which the file layer derives its keys with the transcript as salt.
 */
import { ChartsealError } from "../errors.ts";
import { type GT, order, type Pairing, type Scalar } from "../pairing/pairing.ts";
import { multiplyMod } from "../pairing/scalar.ts";
import type { Policy } from "../policy/policy.ts";
import { select } from "../policy/span-program.ts";
import { randomBytes } from "../random.ts";
import {
  applyMask,
  ciphertextBytes,
  deriveScalars,
  type EncapsProof,
  encapsScalars,
  messageSizeBytes,
  proveEncapsulation,
  timesG2,
  transcriptOf,
  verifyEncapsProof,
} from "./fo.ts";
import {
  type AttributeKey,
  type Ciphertext,
  decaps,
  encaps,
  encapsulated,
  type Shape,
  shapeOf,
} from "./scheme.ts";

/** The part of a header that locks m: c1, c2, c3, mask = m ⊕ pad(K, transcript), and the proof of knowledge of s1. */
export interface Encapsulation extends Ciphertext {
  /** 32 bytes. */
  readonly mask: Uint8Array;
  readonly proof: EncapsProof;
}

/** What m was recovered or drawn as: `message` is secret, `transcript` public, 32 bytes each. */
export interface Recovered {
  readonly message: Uint8Array;
  readonly transcript: Uint8Array;
}

/** What an encapsulation is bound to: the sealed policy and the exact bytes of the context (CRYPTO §2.1). */
export interface Binding {
  readonly policy: Policy;
  readonly context: Uint8Array;
}

/**
 * Locks a fresh 32-byte m under a policy. For a policy without repeated attributes: one double multiplication in G1 a
 * row, two in G2 and one in GT, and one in G2 for the proof (FABEO's cost, CRYPTO §2).
 */
export function encapsulate(
  pairing: Pairing,
  { mpk, policy, context }: Binding & { readonly mpk: GT },
): Recovered & { readonly encapsulation: Encapsulation } {
  const shape = shapeOf(policy);
  for (;;) {
    const message = randomBytes(messageSizeBytes);
    const made = build(pairing, { mpk, shape, context, message });
    // s1 = 0 would make c1 the identity and K = 1; it comes with probability 2^−255, and then m is drawn again.
    if (!pairing.g2.isZero(made.encapsulation.c1)) return { message, ...made };
  }
}

/**
 * True if the encapsulation has the policy's shape, c1 ≠ 0, and its maker knew s1 under this very context. The provider
 * asks before it stores and before every transform, readers and `rekey` before they use it: without it the transform
 * is a decryption oracle (CRYPTO §2.1). Two multiplications in G2; never throws for a decoded encapsulation.
 */
export function verifyEncapsulation(
  pairing: Pairing,
  { policy, context, encapsulation }: Binding & { readonly encapsulation: Encapsulation },
): boolean {
  if (!fits(shapeOf(policy), encapsulation) || pairing.g2.isZero(encapsulation.c1)) return false;
  return verifyEncapsProof(pairing, context, encapsulation, encapsulation.proof);
}

/**
 * K under a full key, T = K^{1/z} under a transform key, with the smallest set of rows that the key opens; `attributes`
 * narrows the key to those in force. τ' + 2 Miller loops, τ' the occurrences used, and one final exponentiation.
 * The caller asks `verifyEncapsulation` first.
 * @throws ChartsealError `policy-unsatisfied` if the attributes do not open the policy
 * @throws ChartsealError `encoding-invalid` if the encapsulation has not the policy's shape
 */
export function decapsulate(
  pairing: Pairing,
  options: {
    readonly key: AttributeKey;
    readonly policy: Policy;
    readonly encapsulation: Ciphertext;
    readonly attributes?: Iterable<string>;
  },
): GT {
  const { key, policy, encapsulation } = options;
  const shape = shapeOf(policy);
  checkShape(shape, encapsulation);
  const held = new Set(
    [...(options.attributes ?? key.k2.keys())].filter((attribute) => key.k2.has(attribute)),
  );
  const opening = select(policy, held);
  if (opening === undefined) {
    throw new ChartsealError("policy-unsatisfied", "the key's attributes do not satisfy the policy", {
      data: { policy: policy.text },
    });
  }
  return decaps(pairing, key, shape, opening, encapsulation);
}

/**
 * m from K: unmasks, derives s1 again and compares c1 = [s1]g2 before anything is derived from m, at one
 * multiplication in G2. That stops a wrong K and every change to the header by a third party; a sealer whose rows do not
 * fit the policy is found by `recomputeEncapsulation`.
 * @throws ChartsealError `transform-invalid` whatever the cause
 */
export function recoverMessage(
  pairing: Pairing,
  options: Binding & { readonly shared: GT; readonly encapsulation: Encapsulation },
): Recovered {
  const { context, encapsulation } = options;
  const bytes = ciphertextBytes(pairing, encapsulation);
  const transcript = transcriptOf(context, bytes);
  const wellFormed = fits(shapeOf(options.policy), encapsulation) && !pairing.g2.isZero(encapsulation.c1);
  const message = applyMask(pairing, options.shared, transcript, encapsulation.mask);
  const c1 = timesG2(pairing, deriveScalars(message, context)("s1"));
  if (!wellFormed || !pairing.g2.equal(c1, encapsulation.c1)) throw transformInvalid();
  return { message, transcript };
}

/**
 * m from the provider's T, 576 bytes that nobody vouches for: canonical and non-zero, then K = finalExp(T)^{z/κ}, split
 * as the long-term secret z needs, then the check of `recoverMessage`. One final exponentiation, one exponentiation in
 * GT, one multiplication in G2 and no Miller loop, whatever the policy.
 * @throws ChartsealError `transform-invalid` whatever the cause
 * @throws ChartsealError `input-invalid` if the recovery key is not in 1 … p − 1
 */
export function recoverFromTransform(
  pairing: Pairing,
  options: Binding & {
    readonly transform: Uint8Array;
    readonly recoveryKey: Scalar;
    readonly encapsulation: Encapsulation;
  },
): Recovered {
  const { gt } = pairing;
  const { transform, recoveryKey, ...rest } = options;
  if (recoveryKey <= 0n || recoveryKey >= order) {
    throw new ChartsealError("input-invalid", "the recovery key is not a scalar in 1 … p − 1");
  }
  let cleared: GT;
  try {
    cleared = gt.clearCofactor(transform);
  } catch (error) {
    if (error instanceof ChartsealError && error.code === "encoding-invalid") throw transformInvalid();
    throw error;
  }
  const shared = gt.powerSplit(cleared, multiplyMod(recoveryKey, gt.cofactorInverse));
  return recoverMessage(pairing, { ...rest, shared });
}

/**
 * Makes the whole encapsulation again from m and compares it: finds a sealer whose rows do not fit the policy's text,
 * for which the readers of other rows need not have noticed anything. Needs m alone, so every reader can.
 * @throws ChartsealError `header-altered`, data `{part, row?}`: the first row that differs, counted from 0 in text order
 */
export function recomputeEncapsulation(
  pairing: Pairing,
  options: Binding & {
    readonly mpk: GT;
    readonly message: Uint8Array;
    readonly encapsulation: Encapsulation;
  },
): void {
  const { mpk, message, context, encapsulation } = options;
  const { g1, g2 } = pairing;
  const shape = shapeOf(options.policy);
  if (message.length !== messageSizeBytes) throw new ChartsealError("input-invalid", "m is 32 bytes");
  if (!fits(shape, encapsulation)) throw headerAltered("shape");
  const { encapsulation: expected } = build(pairing, { mpk, shape, context, message });
  if (g2.isZero(encapsulation.c1) || !g2.equal(expected.c1, encapsulation.c1)) throw headerAltered("c1");
  shape.program.rows.forEach(({ attribute }, row) => {
    const j = shape.occurrence[row]! - 1;
    const fitsRow = g1.equal(expected.c3[row]!, encapsulation.c3[row]!);
    if (!fitsRow || !g2.equal(expected.c2[j]!, encapsulation.c2[j]!)) {
      throw headerAltered(fitsRow ? "c2" : "c3", { row, attribute });
    }
  });
  if (expected.mask.some((byte, i) => byte !== encapsulation.mask[i])) throw headerAltered("mask");
  const sameProof =
    expected.proof.s === encapsulation.proof.s && g2.equal(expected.proof.R, encapsulation.proof.R);
  if (!sameProof) throw headerAltered("proof");
}

/** Everything that follows from m and the context. */
function build(
  pairing: Pairing,
  options: { mpk: GT; shape: Shape; context: Uint8Array; message: Uint8Array },
): { encapsulation: Encapsulation; transcript: Uint8Array } {
  const { mpk, shape, context, message } = options;
  const scalars = encapsScalars(message, context, { tau: shape.tau, columns: shape.program.columns });
  const ciphertext = encaps(pairing, shape, scalars);
  const bytes = ciphertextBytes(pairing, ciphertext);
  const transcript = transcriptOf(context, bytes);
  const mask = applyMask(pairing, encapsulated(pairing, mpk, scalars.s1), transcript, message);
  const proof = proveEncapsulation(pairing, context, bytes, scalars);
  return { encapsulation: { ...ciphertext, mask, proof }, transcript };
}

/** τ elements c2, one c3 a row, and a mask of 32 bytes where there is one. */
function fits(shape: Shape, ciphertext: Ciphertext & { readonly mask?: Uint8Array }): boolean {
  const { c2, c3, mask } = ciphertext;
  const maskFits = mask === undefined || mask.length === messageSizeBytes;
  return c2.length === shape.tau && c3.length === shape.program.rows.length && maskFits;
}

function checkShape(shape: Shape, ciphertext: Ciphertext): void {
  if (!fits(shape, ciphertext)) {
    throw new ChartsealError("encoding-invalid", "the encapsulation has not the policy's number of elements");
  }
}

function transformInvalid(): ChartsealError {
  return new ChartsealError("transform-invalid", "the transform does not open this record");
}

function headerAltered(part: string, where: { row?: number; attribute?: string } = {}): ChartsealError {
  const place = where.row === undefined ? part : `row ${where.row} (${where.attribute}), ${part}`;
  return new ChartsealError("header-altered", `the encapsulation is not what its message gives: ${place}`, {
    data: { part, ...where },
  });
}
