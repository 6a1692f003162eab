/**
 * What a dispute about a transform is judged by (spec/7-sharing.md, Disputes). The reader shows K and proves that it is
 * T to the z behind the Z of its issue, and Y = e(g1, g2)^{α/z} with it: Chaum–Pedersen across G1 and GT,
 *   g1 = [z]Z,  K = T^z,  mpk = Y^z
 * Whoever holds the opened transform key compares Y with the key's own e(k1, g2) / e(b, k3): a key that is none under
 * mpk and Z is the provider's fault, however faithfully it was used.
 */
import { type AttributeKey, attributePoints, baseB } from "../cpabe/scheme.ts";
import type { G1, GT, Pairing, Scalar } from "../pairing/pairing.ts";
import { invert } from "../pairing/scalar.ts";
import { curveGroup, targetGroup } from "./group.ts";
import { type Claim, claim, type Proof, type ProofPurpose, prove, verify } from "./proofs.ts";

/** What the proof is about. Everything else that it is bound to stands in `context`. */
export interface RecoveredStatement {
  /** Z, as the ledger shows it. */
  readonly blinded: G1;
  readonly transform: GT;
  readonly mpk: GT;
  readonly context: Uint8Array;
}

export interface ProvedRecovery {
  /** K. */
  readonly shared: GT;
  /** Y. */
  readonly root: GT;
  readonly proof: Proof;
}

function claims(
  pairing: Pairing,
  about: RecoveredStatement,
  { shared, root }: Omit<ProvedRecovery, "proof">,
): Claim[] {
  const target = targetGroup(pairing);
  return [
    claim(curveGroup(pairing.g1), about.blinded, pairing.g1.generator),
    claim(target, about.transform, shared),
    claim(target, root, about.mpk),
  ];
}

const purpose = (context: Uint8Array): ProofPurpose => ({ use: "dispute/recovered", context });

/** K and Y from z, with the proof. */
export function proveRecovery(
  pairing: Pairing,
  about: RecoveredStatement,
  recoveryKey: Scalar,
): ProvedRecovery {
  const target = targetGroup(pairing);
  const shared = target.multiplySplit(about.transform, recoveryKey);
  const root = target.multiplySplit(about.mpk, invert(recoveryKey));
  const proof = prove(claims(pairing, about, { shared, root }), recoveryKey, purpose(about.context));
  return { shared, root, proof };
}

export function verifyRecovery(pairing: Pairing, about: RecoveredStatement, proved: ProvedRecovery): boolean {
  if (pairing.g1.isZero(about.blinded)) return false;
  return verify(claims(pairing, about, proved), proved.proof, purpose(about.context));
}

/** e(k1, g2) / e(b, k3), which is e(Z, g2)^α of a key that was issued for Z. */
export function rootOfKey(pairing: Pairing, { k1, k3 }: Pick<AttributeKey, "k1" | "k3">): GT {
  const { g1, g2 } = pairing;
  return pairing.multiPairing([
    [k1, g2.generator],
    [g1.negate(baseB(pairing)), k3],
  ]);
}

/** Whether each part is the one of its attribute under this key's r: e(k2_u, g2) = e(H(u), k3). */
export function partsFit(pairing: Pairing, { k2, k3 }: Pick<AttributeKey, "k2" | "k3">): boolean {
  const { g1, g2, gt } = pairing;
  const points = attributePoints(pairing, [...k2.keys()]);
  return [...k2.values()].every((part, at) =>
    gt.isOne(
      pairing.multiPairing([
        [part, g2.generator],
        [g1.negate(points[at]!), k3],
      ]),
    ),
  );
}
