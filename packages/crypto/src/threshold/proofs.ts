/**
 * Proofs of knowledge of one secret x behind one or more images [x]base: Schnorr for one, Chaum–Pedersen for two or
 * more, in one group or across groups of the same order p. Non-interactive by Fiat–Shamir:
 *   R_i = [k]base_i;  c = H_p(tag, context, base_1, image_1, …, base_n, image_n, R_1, …, R_n);  s = k + c·x
 * A proof is (c, s), 64 bytes; the verifier recomputes R_i = [s]base_i − [c]image_i, so it decodes no commitment.
 * The challenge has 255 bits and covers every base, image, commitment and the context (CRYPTO, Proofs): leaving out an
 * image lets a prover choose it after the challenge (the weak Fiat–Shamir of Bernhard, Pereira, Warinschi 2012).
 */
import { hashToScalar } from "../hash.ts";
import type { Scalar } from "../pairing/pairing.ts";
import { mod } from "../pairing/scalar.ts";
import { randomScalar } from "../random.ts";
import type { TagUse } from "../tags.ts";
import type { ProofGroup } from "./group.ts";

/** 64 bytes: challenge and response. */
export interface Proof {
  readonly challenge: Scalar;
  readonly response: Scalar;
}

/** "I know x with image = [x]base", its group closed over, so that claims in different groups stand in one list. */
export interface Claim {
  readonly base: Uint8Array;
  readonly image: Uint8Array;
  /** [nonce]base. */
  commit(nonce: Scalar): Uint8Array;
  /** [response]base − [challenge]image. */
  recover(proof: Proof): Uint8Array;
}

/** What a proof is for: the tag of its challenge and one byte string of everything that it is bound to. */
export interface ProofPurpose {
  readonly use: TagUse;
  readonly context: Uint8Array;
}

export function claim<P>(group: ProofGroup<P>, base: P, image: P): Claim {
  return {
    base: group.encode(base),
    image: group.encode(image),
    commit: (nonce) => group.encode(group.combine([{ point: base, scalar: nonce }])),
    recover: ({ challenge, response }) => {
      const terms = [
        { point: base, scalar: response },
        { point: image, scalar: mod(-challenge) },
      ];
      return group.encode(group.combine(terms));
    },
  };
}

/** Proves that one secret is behind all claims. The secret must fit them: nothing here checks it. */
export function prove(claims: readonly Claim[], secret: Scalar, purpose: ProofPurpose): Proof {
  const nonce = randomScalar({ nonZero: true });
  const commitments = claims.map((one) => one.commit(nonce));
  const challenge = challengeOf(claims, commitments, purpose);
  return { challenge, response: mod(nonce + challenge * secret) };
}

/** Whether one secret is behind all claims, proved for this purpose. The caller refuses identities where they matter. */
export function verify(claims: readonly Claim[], proof: Proof, purpose: ProofPurpose): boolean {
  const commitments = claims.map((one) => one.recover(proof));
  return challengeOf(claims, commitments, purpose) === proof.challenge;
}

function challengeOf(
  claims: readonly Claim[],
  commitments: readonly Uint8Array[],
  purpose: ProofPurpose,
): Scalar {
  const statements = claims.flatMap(({ base, image }) => [base, image]);
  return hashToScalar(purpose.use, purpose.context, ...statements, ...commitments);
}
