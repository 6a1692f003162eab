/**
 * The reader's side of blind issuance (CRYPTO §2.2), after Green, Hohenberger, Waters: Outsourcing the Decryption of ABE
 * Ciphertexts, USENIX Security 2011. The reader keeps z, the recovery key, and sends Z = [1/z]g1 (48 bytes) with a
 * Schnorr proof that it knows z: R = [k]g1, c = H_p("…/issue-pok", d, Z, R), s = k + c/z, where d says what is issued.
 */
import type { CborValue } from "../encoding.ts";
import { hashToScalar } from "../hash.ts";
import type { G1, Pairing, Scalar } from "../pairing/pairing.ts";
import { encodeScalar, invert, mod } from "../pairing/scalar.ts";
import { randomScalar } from "../random.ts";
import { array, bytes, scalarOf } from "./wire.ts";

/**
 * What a key is issued for: `full` means z = 1, for which Z = g1; the others go to the provider. Modes `emergency` and
 * `proxy` are for one attribute and one entry of the ledger, which d names.
 */
export type IssueMode = "transform" | "full" | "emergency" | "proxy";

/** z stays with the reader for ever; Z is public. */
export interface TransformKeyPair {
  readonly recoveryKey: Scalar;
  readonly blinded: G1;
}

/** R and s of the proof of knowledge of z. */
export interface BlindProof {
  readonly R: G1;
  readonly s: Scalar;
}

/** A fresh z, never 0 or 1, and Z = [1/z]g1. For a full key: z = 1 and Z = g1. */
export function transformKeyPair(pairing: Pairing, options: { mode?: IssueMode } = {}): TransformKeyPair {
  const { g1 } = pairing;
  if (options.mode === "full") return { recoveryKey: 1n, blinded: g1.generator };
  for (;;) {
    const recoveryKey = randomScalar({ nonZero: true });
    if (recoveryKey === 1n) continue;
    return { recoveryKey, blinded: g1.multiplySplit(g1.generator, invert(recoveryKey)) };
  }
}

/** Proves knowledge of z behind Z, bound to d, the 32-byte digest of the issue (CRYPTO §2.3). */
export function proveBlind(
  pairing: Pairing,
  { pair, digest }: { readonly pair: TransformKeyPair; readonly digest: Uint8Array },
): BlindProof {
  const { g1 } = pairing;
  const k = randomScalar({ nonZero: true });
  const R = g1.multiplySplit(g1.generator, k);
  const c = challenge(pairing, digest, pair.blinded, R);
  return { R, s: mod(k + c * invert(pair.recoveryKey)) };
}

/**
 * True if Z ≠ 0, Z = g1 exactly where the mode is `full`, and [s]g1 = R + [c]Z. A node asks before it answers: a Z
 * whose z nobody knows, or g1 itself in transform mode, would put a key into the provider's hands that opens records.
 */
export function verifyBlind(
  pairing: Pairing,
  options: { blinded: G1; digest: Uint8Array; proof: BlindProof; mode: IssueMode },
): boolean {
  const { g1 } = pairing;
  const { blinded, digest, proof } = options;
  if (g1.isZero(blinded) || g1.equal(blinded, g1.generator) !== (options.mode === "full")) return false;
  const c = challenge(pairing, digest, blinded, proof.R);
  const difference = g1.linear([
    [
      { point: g1.generator, scalar: proof.s, fixed: true },
      { point: blinded, scalar: mod(-c) },
    ],
  ])[0]!;
  return g1.equal(difference, proof.R);
}

/** [R (48), s (32)] */
export function encodeBlindProof(pairing: Pairing, proof: BlindProof): CborValue {
  return [pairing.g1.encode(proof.R), encodeScalar(proof.s)];
}

/** @throws ChartsealError `encoding-invalid` */
export function decodeBlindProof(pairing: Pairing, value: CborValue): BlindProof {
  const [R, s] = array(value, 2);
  return { R: pairing.g1.decode(bytes(R, pairing.g1.size)), s: scalarOf(s) };
}

function challenge(pairing: Pairing, digest: Uint8Array, blinded: G1, R: G1): Scalar {
  return hashToScalar("authority/issue-pok", digest, pairing.g1.encode(blinded), pairing.g1.encode(R));
}
