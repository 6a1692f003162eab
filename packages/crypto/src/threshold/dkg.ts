/**
 * Distributed key generation: joint-Feldman with complaints (Pedersen, EUROCRYPT 1991; Feldman, FOCS 1987), with the
 * commitments hashed first and a proof of knowledge of each constant term (as FROST, RFC 9591's companion key
 * generation: Komlo, Goldberg, SAC 2020). This file is a node's side: it holds secrets. The other side, which sees
 * public messages only and which the ledger runs, is dkg-verify.ts.
 *
 *   1 commit   startDealing, commitOf     a hash of the t commitments [a_k]base
 *   2 reveal   revealOf                   the commitments and the proof
 *   3 deal     shareFor, one a receiver   f(j), sealed by the caller (HPKE, `shareInfo`)
 *   4 check    shareFits                  else a complaint
 *   5 answer   publishShare               the dealer complained of shows that share to all
 *   6 end      conclude (dkg-verify.ts), ownShare
 */
import { u32 } from "../bytes.ts";
import { encode } from "../encoding.ts";
import { ChartsealError } from "../errors.ts";
import { fixed, hash } from "../hash.ts";
import type { Scalar } from "../pairing/pairing.ts";
import { encodeScalar, mod } from "../pairing/scalar.ts";
import { randomScalar } from "../random.ts";
import type { Commit, PublishedShare, Reveal } from "./dkg-messages.ts";
import type { Agreed } from "./dkg-verify.ts";
import { type CommitteeKey, type Generation, nodeKey } from "./generation.ts";
import type { KeySpace } from "./group.ts";
import { claim, type ProofPurpose, prove } from "./proofs.ts";
import { checkIndex, evaluate, evaluateCommitments, lagrangeAtZero, polynomial } from "./shamir.ts";
import { readArray, readEpoch, readIndex, readMessage, readScalar, writeMessage } from "./wire.ts";

/** A dealer's secret polynomial, kept from round 1 to the end of the run and erased then. */
export interface Dealing {
  readonly dealer: number;
  readonly coefficients: readonly Scalar[];
}

/** A node's share of a committee secret. Secret. */
export interface NodeShare {
  readonly epoch: number;
  readonly index: number;
  readonly secret: Scalar;
}

/**
 * Draws a dealer's polynomial: the constant term is fresh, zero in a refresh, the dealer's own share in a resharing.
 * @throws ChartsealError `input-invalid` for a node that does not deal, or a share that is not the previous epoch's
 */
export function startDealing<P>(run: Generation<P>, dealer: number, previous?: NodeShare): Dealing {
  if (!run.dealers.includes(dealer))
    throw new ChartsealError("input-invalid", "this node does not deal here");
  return { dealer, coefficients: polynomial(run.threshold, constantTerm(run, dealer, previous)) };
}

function constantTerm<P>(run: Generation<P>, dealer: number, previous: NodeShare | undefined): Scalar {
  if (run.origin.kind === "fresh") return randomScalar({ nonZero: true });
  if (run.origin.kind === "refresh") return 0n;
  if (previous?.index !== dealer || !shareIsOf(run.space, run.origin.previous, previous)) {
    throw new ChartsealError("input-invalid", "a resharing needs the dealer's share of the previous epoch");
  }
  return previous.secret;
}

/** The commitments [a_k]base to a dealer's polynomial. */
export function commitmentsOf<P>(run: Generation<P>, { coefficients }: Dealing): P[] {
  const { group, base } = run.space;
  return coefficients.map((coefficient) => group.multiplySplit(base, coefficient));
}

/** SHA-256(tag ‖ chain id ‖ session ‖ dealer u32 ‖ the commitments): what round 1 shows of round 2. */
export function commitDigest<P>(run: Generation<P>, dealer: number, commitments: readonly P[]): Uint8Array {
  const points = commitments.map((point) => run.space.group.encode(point));
  return hash("authority/dkg-commit", run.chainId, run.session, fixed(u32(dealer)), ...points);
}

/** What a dealer's proof is bound to: [chain id, session, dealer, [its t commitments]] in CBOR. */
export function dealerPurpose<P>(
  run: Generation<P>,
  dealer: number,
  commitments: readonly P[],
): ProofPurpose {
  const points = commitments.map((point) => run.space.group.encode(point));
  return { use: "authority/dkg-pok", context: encode([run.chainId, run.session, dealer, points]) };
}

/** Round 1. */
export function commitOf<P>(run: Generation<P>, dealing: Dealing): Commit {
  const { dealer } = dealing;
  return { dealer, digest: commitDigest(run, dealer, commitmentsOf(run, dealing)) };
}

/** Round 2. The caller sends it when every commit that counts is on the ledger, and not before. */
export function revealOf<P>(run: Generation<P>, dealing: Dealing): Reveal<P> {
  const { dealer, coefficients } = dealing;
  const commitments = commitmentsOf(run, dealing);
  const { group, base } = run.space;
  const constant = claim(group, base, commitments[0]!);
  const proof = prove([constant], coefficients[0]!, dealerPurpose(run, dealer, commitments));
  return { dealer, commitments, proof };
}

/** Round 3: the share f(receiver). Secret; `encodeShare` of it goes into an envelope to that receiver. */
export function shareFor<P>(run: Generation<P>, dealing: Dealing, receiver: number): Scalar {
  checkIndex(receiver, run.nodes);
  return evaluate(dealing.coefficients, receiver);
}

/** Whether a share fits the dealer's commitments. A receiver whose share does not, or has none, complains. */
export function shareFits<P>(
  run: Generation<P>,
  reveal: Reveal<P>,
  receiver: number,
  share: Scalar | undefined,
): boolean {
  checkIndex(receiver, run.nodes);
  if (share === undefined) return false;
  const { group, base } = run.space;
  const expected = evaluateCommitments(group, reveal.commitments, receiver);
  return group.equal(group.multiplySplit(base, share), expected);
}

/** The answer to a complaint. It costs that receiver's part of this dealer's sharing its secrecy, and no more. */
export function publishShare<P>(run: Generation<P>, dealing: Dealing, receiver: number): PublishedShare {
  return { dealer: dealing.dealer, receiver, share: shareFor(run, dealing, receiver) };
}

/**
 * A node's share of the agreed key, checked against C_i: Σ of its good dealers' shares, those that a complaint brought
 * to light in place of what was received; with the Lagrange weights in a resharing; on top of the old share in a
 * refresh.
 * @throws ChartsealError `input-invalid` where shares are missing or the sum does not fit C_i
 */
export function ownShare<P>(
  run: Generation<P>,
  agreed: Agreed<P>,
  own: {
    readonly index: number;
    /** By dealer. */
    readonly received: ReadonlyMap<number, Scalar>;
    /** In a refresh. */
    readonly previous?: NodeShare;
  },
): NodeShare {
  const { index, received, previous } = own;
  const published = agreed.published.filter(({ receiver }) => receiver === index);
  const shares = new Map(received);
  for (const { dealer, share } of published) shares.set(dealer, share);
  const weights =
    run.origin.kind === "reshare" ? lagrangeAtZero(agreed.qualified) : agreed.qualified.map(() => 1n);
  let secret = run.origin.kind === "refresh" ? (previous?.secret ?? 0n) : 0n;
  agreed.qualified.forEach((dealer, k) => {
    secret = mod(secret + (shares.get(dealer) ?? 0n) * weights[k]!);
  });
  const share = { epoch: run.epoch, index, secret };
  if (!shareIsOf(run.space, agreed.key, share)) {
    throw new ChartsealError("input-invalid", "the shares received do not give this node's share");
  }
  return share;
}

/** Whether a share is that node's of that epoch: [x_i]base = C_i. A node asks when it loads its share. */
export function shareIsOf<P>(space: KeySpace<P>, key: CommitteeKey<P>, share: NodeShare): boolean {
  if (share.epoch !== key.epoch) return false;
  const { group, base } = space;
  return group.equal(group.multiplySplit(base, share.secret), nodeKey(key, share.index));
}

/** [1, dealer, [coefficients]]: for the dealer's own encrypted store between the rounds. Secret. */
export function encodeDealing({ dealer, coefficients }: Dealing): Uint8Array {
  return writeMessage(dealer, coefficients.map(encodeScalar));
}

/** @throws ChartsealError `encoding-invalid` */
export function decodeDealing<P>(run: Generation<P>, bytes: Uint8Array): Dealing {
  const [dealer, coefficients] = readMessage(bytes, 2, 1 << 13);
  return {
    dealer: readIndex(dealer),
    coefficients: readArray(coefficients, run.threshold).map(readScalar),
  };
}

/** [1, epoch, index, share 32]: for the node's own encrypted store. Secret; erased when its epoch ends. */
export function encodeNodeShare({ epoch, index, secret }: NodeShare): Uint8Array {
  return writeMessage(epoch, index, encodeScalar(secret));
}

/** @throws ChartsealError `encoding-invalid` */
export function decodeNodeShare(bytes: Uint8Array): NodeShare {
  const [epoch, index, secret] = readMessage(bytes, 3, 128);
  return { epoch: readEpoch(epoch), index: readIndex(index), secret: readScalar(secret) };
}
