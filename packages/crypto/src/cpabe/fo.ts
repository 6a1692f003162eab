/**
 * What makes FABEO safe against chosen ciphertexts and its answers checkable (CRYPTO §2.1): after Fujisaki and Okamoto
 * (J. Cryptology 2013), every scalar of an encapsulation is derived from the 32-byte message m and the context, and
 * whoever recovers m derives s1 again. Also the transcript, the mask over m, and the proof of knowledge of s1.
 */
import { concat, u32, utf8 } from "../bytes.ts";
import { fixed, hash, hashToScalar, reduce, sha256, tagOf } from "../hash.ts";
import { hkdf, hkdfExpand, hkdfExtract } from "../kdf.ts";
import type { G2, GT, Pairing, Scalar } from "../pairing/pairing.ts";
import { mod } from "../pairing/scalar.ts";
import type { Ciphertext, EncapsScalars } from "./scheme.ts";

/** m, drawn anew for every encapsulation. */
export const messageSizeBytes = 32;

/** The encodings of a ciphertext's elements, made once and hashed twice. */
export interface CiphertextBytes {
  readonly c1: Uint8Array;
  readonly c2: readonly Uint8Array[];
  readonly c3: readonly Uint8Array[];
}

/** Schnorr's proof of knowledge of s1: R = [k]g2, s = k + e·s1. */
export interface EncapsProof {
  readonly R: G2;
  readonly s: Scalar;
}

/**
 * x(label) = OS2IP(HKDF-Expand(prk, label ‖ SHA-256(context), 48)) mod p. Each scalar has its own label, since one long
 * Expand stops at 8160 bytes: 170 scalars.
 */
export function deriveScalars(
  message: Uint8Array,
  context: Uint8Array,
): (label: string, index?: number) => Scalar {
  const prk = hkdfExtract(tagOf("cpabe/fo"), message);
  const contextDigest = sha256(context);
  return (label, index) => {
    const name = index === undefined ? utf8(label) : concat(utf8(label), u32(index));
    return reduce(hkdfExpand(prk, concat(name, contextDigest), 48));
  };
}

/** s1, s'_1 … s'_τ, v_2 … v_c and the proof's k, all from m. */
export function encapsScalars(
  message: Uint8Array,
  context: Uint8Array,
  size: { tau: number; columns: number },
): EncapsScalars & { readonly k: Scalar } {
  const x = deriveScalars(message, context);
  return {
    s1: x("s1"),
    sPrime: Array.from({ length: size.tau }, (_, j) => x("s'", j + 1)),
    v: Array.from({ length: size.columns - 1 }, (_, k) => x("v", k + 2)),
    k: x("pok"),
  };
}

export function ciphertextBytes(pairing: Pairing, { c1, c2, c3 }: Ciphertext): CiphertextBytes {
  return {
    c1: pairing.g2.encode(c1),
    c2: c2.map((point) => pairing.g2.encode(point)),
    c3: c3.map((point) => pairing.g1.encode(point)),
  };
}

/** SHA-256("…/transcript" ‖ context ‖ c1 ‖ c2 ‖ c3): 32 bytes over the exact bytes; the context is length-prefixed. */
export function transcriptOf(context: Uint8Array, { c1, c2, c3 }: CiphertextBytes): Uint8Array {
  return hash("cpabe/transcript", context, ...[c1, ...c2, ...c3].map(fixed));
}

/** m ⊕ pad, and back: pad = HKDF-SHA-256(ikm = K in its 576 bytes, salt = transcript, info "…/mask", 32). */
export function applyMask(
  pairing: Pairing,
  shared: GT,
  transcript: Uint8Array,
  text: Uint8Array,
): Uint8Array {
  const pad = hkdf(pairing.gt.encode(shared), transcript, tagOf("cpabe/mask"), messageSizeBytes);
  return pad.map((byte, i) => byte ^ text[i]!);
}

/** [x]g2 */
export function timesG2(pairing: Pairing, scalar: Scalar): G2 {
  return pairing.g2.linear([[{ point: pairing.g2.generator, scalar, fixed: true }]])[0]!;
}

/** Proves knowledge of s1, k by the label "pok": one multiplication in G2. */
export function proveEncapsulation(
  pairing: Pairing,
  context: Uint8Array,
  bytes: CiphertextBytes,
  { s1, k }: { s1: Scalar; k: Scalar },
): EncapsProof {
  const R = timesG2(pairing, k);
  return { R, s: mod(k + challenge(pairing, context, bytes, R) * s1) };
}

/** [s]g2 = R + [e]c1: two multiplications in G2. */
export function verifyEncapsProof(
  pairing: Pairing,
  context: Uint8Array,
  ciphertext: Ciphertext,
  proof: EncapsProof,
): boolean {
  const { g2 } = pairing;
  const e = challenge(pairing, context, ciphertextBytes(pairing, ciphertext), proof.R);
  const difference = g2.linear([
    [
      { point: g2.generator, scalar: proof.s, fixed: true },
      { point: ciphertext.c1, scalar: mod(-e) },
    ],
  ])[0]!;
  return g2.equal(difference, proof.R);
}

/** e = H_p("…/encaps-pok", context, c1, every c2, every c3, R) */
function challenge(pairing: Pairing, context: Uint8Array, { c1, c2, c3 }: CiphertextBytes, R: G2): Scalar {
  return hashToScalar("cpabe/encaps-pok", context, c1, ...c2, ...c3, pairing.g2.encode(R));
}
