/**
 * Key generation as the ledger's machine sees it: public messages only, no secret, no clock. It verifies each message
 * as it comes and at the end computes the qualified dealers, the public key and every C_i; nobody claims them
 * (CRYPTO §2.3). Whoever has the same messages comes to the same end.
 *
 * The machine's part besides: take a message only from the account of the node that it names, one of each kind and
 * sender, each round's only in that round; close a round when all have spoken or its time (of blocks) is over.
 */
import { equalBytes } from "../bytes.ts";
import { ChartsealError } from "../errors.ts";
import { commitDigest, dealerPurpose, shareFits } from "./dkg.ts";
import type { Commit, Complaint, Deal, PublishedShare, Reveal } from "./dkg-messages.ts";
import { shareEnvelopeBytes } from "./dkg-messages.ts";
import { type CommitteeKey, type Generation, keyOf, nodeKey } from "./generation.ts";
import { claim, verify } from "./proofs.ts";
import { lagrangeAtZero } from "./shamir.ts";

/** Everything public of one run, each message at most once. */
export interface Transcript<P> {
  readonly commits: readonly Commit[];
  readonly reveals: readonly Reveal<P>[];
  readonly deals: readonly Deal[];
  readonly complaints: readonly Complaint[];
  readonly published: readonly PublishedShare[];
}

export type Fault =
  | "no-commit"
  | "no-reveal"
  | "reveal-invalid"
  | "no-deal"
  | "deal-invalid"
  | "complaint-upheld";

export interface Excluded {
  readonly dealer: number;
  readonly fault: Fault;
}

/** A run that gave a key. */
export interface Agreed<P> {
  readonly kind: "agreed";
  readonly key: CommitteeKey<P>;
  /** In rising order. */
  readonly qualified: readonly number[];
  readonly excluded: readonly Excluded[];
  /** Shares that complaints brought to light and that stand. */
  readonly published: readonly PublishedShare[];
}

/** Fewer than t good dealers, or a resharing whose set lost one: the run is repeated as the next attempt. */
export interface Aborted {
  readonly kind: "aborted";
  readonly excluded: readonly Excluded[];
}

export type Conclusion<P> = Agreed<P> | Aborted;

/** @throws ChartsealError `issue-invalid` for a node that does not deal in this run, or a digest that is none */
export function verifyCommit<P>(run: Generation<P>, commit: Commit): void {
  checkDealer(run, commit.dealer);
  if (commit.digest.length !== 32) throw fault(commit.dealer, "a commit is a digest of 32 bytes");
}

/**
 * Exactly t commitments, those of the dealer's commit; the constant as the run asks (not zero; zero in a refresh; the
 * dealer's C_i in a resharing); the proof of knowledge.
 * @throws ChartsealError `issue-invalid` with the dealer's index
 */
export function verifyReveal<P>(run: Generation<P>, commit: Commit, reveal: Reveal<P>): void {
  const { dealer, commitments } = reveal;
  const { group, base } = run.space;
  checkDealer(run, dealer);
  if (commitments.length !== run.threshold) throw fault(dealer, `not exactly ${run.threshold} commitments`);
  if (commit.dealer !== dealer || !equalBytes(commit.digest, commitDigest(run, dealer, commitments))) {
    throw fault(dealer, "the commitments are not those of the dealer's commit");
  }
  const constant = commitments[0]!;
  if (run.origin.kind === "fresh" && group.isIdentity(constant)) throw fault(dealer, "the constant is zero");
  if (run.origin.kind === "refresh" && !group.isIdentity(constant)) {
    throw fault(dealer, "a refresh has the constant zero");
  }
  if (run.origin.kind === "reshare" && !group.equal(constant, nodeKey(run.origin.previous, dealer))) {
    throw fault(dealer, "a resharing has the dealer's own share as its constant");
  }
  if (!verify([claim(group, base, constant)], reveal.proof, dealerPurpose(run, dealer, commitments))) {
    throw fault(dealer, "the dealer does not prove that it knows its constant term");
  }
}

/** One envelope of the right size a receiver. @throws ChartsealError `issue-invalid` with the dealer's index */
export function verifyDeal<P>(run: Generation<P>, deal: Deal): void {
  checkDealer(run, deal.dealer);
  const sizes = deal.envelopes.every(({ length }) => length === shareEnvelopeBytes);
  if (deal.envelopes.length !== run.nodes || !sizes) throw fault(deal.dealer, "not one envelope a receiver");
}

/** A complaint by a receiver of this run against a dealer of this run. @throws ChartsealError `issue-invalid` */
export function verifyComplaint<P>(run: Generation<P>, { dealer, receiver }: Complaint): void {
  checkDealer(run, dealer);
  if (!receives(run, receiver)) throw fault(dealer, "the node that complains receives no share in this run");
}

function receives<P>(run: Generation<P>, receiver: number): boolean {
  return Number.isInteger(receiver) && receiver >= 1 && receiver <= run.nodes;
}

/** Whether the share that a dealer publishes fits its commitments. False upholds the complaint. */
export function verifyPublishedShare<P>(
  run: Generation<P>,
  reveal: Reveal<P>,
  { dealer, receiver, share }: PublishedShare,
): boolean {
  return dealer === reveal.dealer && receives(run, receiver) && shareFits(run, reveal, receiver, share);
}

/**
 * The end of a run from its public messages, each verified here again.
 * A dealer is left out for a missing or wrong commit, reveal or deal, and for a complaint that it answers wrongly or
 * not at all. A fresh run or a refresh needs t good dealers, a resharing all of its set.
 * @throws ChartsealError `input-invalid` for two messages of one kind and sender, `issue-invalid` for a complaint by or
 * against a stranger
 */
export function conclude<P>(run: Generation<P>, transcript: Transcript<P>): Conclusion<P> {
  checkUnique(transcript);
  for (const complaint of transcript.complaints) verifyComplaint(run, complaint);
  const excluded: Excluded[] = [];
  const good: Reveal<P>[] = [];
  for (const dealer of run.dealers) {
    const judged = judge(run, transcript, dealer);
    if (typeof judged === "string") excluded.push({ dealer, fault: judged });
    else good.push(judged);
  }
  const needed = run.origin.kind === "reshare" ? run.dealers.length : run.threshold;
  if (good.length < needed) return { kind: "aborted", excluded };
  const qualified = good.map(({ dealer }) => dealer);
  const weights = run.origin.kind === "reshare" ? lagrangeAtZero(qualified) : qualified.map(() => 1n);
  const commitments = Array.from({ length: run.threshold }, (_, k) =>
    run.space.group.combine(
      good.map((reveal, i) => ({ point: reveal.commitments[k]!, scalar: weights[i]! })),
    ),
  );
  const published = transcript.published.filter(
    (share) => qualified.includes(share.dealer) && complained(transcript, share),
  );
  return { kind: "agreed", key: keyOf(run, commitments), qualified, excluded, published };
}

/** The dealer's reveal, or what it is left out for. */
function judge<P>(run: Generation<P>, transcript: Transcript<P>, dealer: number): Reveal<P> | Fault {
  const commit = transcript.commits.find((message) => message.dealer === dealer);
  if (commit === undefined) return "no-commit";
  const reveal = transcript.reveals.find((message) => message.dealer === dealer);
  if (reveal === undefined) return "no-reveal";
  if (refused(() => verifyReveal(run, commit, reveal))) return "reveal-invalid";
  const deal = transcript.deals.find((message) => message.dealer === dealer);
  if (deal === undefined) return "no-deal";
  if (refused(() => verifyDeal(run, deal))) return "deal-invalid";
  const answered = transcript.complaints
    .filter((complaint) => complaint.dealer === dealer)
    .every(({ receiver }) => {
      const answer = transcript.published.find((one) => one.dealer === dealer && one.receiver === receiver);
      return answer !== undefined && verifyPublishedShare(run, reveal, answer);
    });
  return answered ? reveal : "complaint-upheld";
}

function refused(check: () => void): boolean {
  try {
    check();
    return false;
  } catch (error) {
    if (error instanceof ChartsealError) return true;
    throw error;
  }
}

/** A share published without a complaint is nobody's share: it is left aside. */
function complained<P>({ complaints }: Transcript<P>, { dealer, receiver }: PublishedShare): boolean {
  return complaints.some((complaint) => complaint.dealer === dealer && complaint.receiver === receiver);
}

function checkUnique<P>(transcript: Transcript<P>): void {
  const pair = ({ dealer, receiver }: Complaint) => `${dealer} ${receiver}`;
  const senders = [
    transcript.commits.map(({ dealer }) => `${dealer}`),
    transcript.reveals.map(({ dealer }) => `${dealer}`),
    transcript.deals.map(({ dealer }) => `${dealer}`),
    transcript.complaints.map(pair),
    transcript.published.map(pair),
  ];
  if (senders.some((names) => new Set(names).size !== names.length)) {
    throw new ChartsealError("input-invalid", "a transcript holds one message of each kind and sender");
  }
}

function checkDealer<P>(run: Generation<P>, dealer: number): void {
  if (!run.dealers.includes(dealer)) throw fault(dealer, "this node does not deal in this run");
}

function fault(dealer: number, message: string): ChartsealError {
  return new ChartsealError("issue-invalid", message, { data: { dealer } });
}
