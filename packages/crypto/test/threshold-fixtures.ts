// A committee in one process: runs of key generation with dealers and receivers that can be told to misbehave.
import { committeeBase } from "../src/abs/abs.ts";
import { toHex } from "../src/bytes.ts";
import { ChartsealError } from "../src/errors.ts";
import { loadPairing } from "../src/pairing/mcl.ts";
import type { G1, G2, GT, Scalar } from "../src/pairing/pairing.ts";
import {
  commitOf,
  type Dealing,
  type NodeShare,
  ownShare,
  publishShare,
  revealOf,
  shareFits,
  shareFor,
  startDealing,
} from "../src/threshold/dkg.ts";
import { type PublishedShare, type Reveal, shareEnvelopeBytes } from "../src/threshold/dkg-messages.ts";
import { type Agreed, type Conclusion, conclude, type Transcript } from "../src/threshold/dkg-verify.ts";
import type { Generation } from "../src/threshold/generation.ts";
import { auditKeySpace, type KeySpace, readingKeySpace, signingKeySpace } from "../src/threshold/group.ts";

export const pairing = await loadPairing();
export const chainId = new Uint8Array(32).fill(7);

export const reading: KeySpace<GT> = readingKeySpace(pairing);
export const signing: KeySpace<G2> = signingKeySpace(pairing, committeeBase(pairing));
export const audit: KeySpace<G1> = auditKeySpace(pairing);

/** The code, and the named field of the data, of what an action throws. */
export function thrown(action: () => unknown): ChartsealError | undefined {
  try {
    action();
  } catch (error) {
    if (error instanceof ChartsealError) return error;
    throw error;
  }
  return undefined;
}

export function codeOf(action: () => unknown): string | undefined {
  return thrown(action)?.code;
}

/** How some of the nodes misbehave in a run. */
export interface Misbehaviour<P> {
  /** In place of the dealer's reveal; undefined: it sends none. */
  reveal?(dealer: number, honest: Reveal<P>, dealing: Dealing): Reveal<P> | undefined;
  /** In place of the share for a receiver; undefined: the envelope does not open. */
  share?(dealer: number, receiver: number, honest: Scalar): Scalar | undefined;
  /** Complaints beyond the honest ones. */
  complaints?: readonly { readonly dealer: number; readonly receiver: number }[];
  /** In place of the answer to a complaint; undefined: none. */
  publish?(honest: PublishedShare): PublishedShare | undefined;
  /** Dealers that send nothing in round 3. */
  silent?: readonly number[];
}

export interface Run<P> {
  readonly run: Generation<P>;
  readonly dealings: ReadonlyMap<number, Dealing>;
  readonly transcript: Transcript<P>;
  readonly conclusion: Conclusion<P>;
  /** Every receiver's share, where the run agreed. */
  readonly shares: readonly NodeShare[];
}

/** Plays one run to its end. `previous`: the shares of the epoch before, by index. */
export function play<P>(
  run: Generation<P>,
  previous: readonly NodeShare[] = [],
  misbehaviour: Misbehaviour<P> = {},
): Run<P> {
  const held = new Map(previous.map((share) => [share.index, share]));
  const dealings = new Map(
    run.dealers.map((dealer) => [dealer, startDealing(run, dealer, held.get(dealer))]),
  );
  const commits = [...dealings.values()].map((dealing) => commitOf(run, dealing));
  const reveals = [...dealings].flatMap(([dealer, dealing]) => {
    const honest = revealOf(run, dealing);
    const sent = misbehaviour.reveal === undefined ? honest : misbehaviour.reveal(dealer, honest, dealing);
    return sent === undefined ? [] : [sent];
  });
  const deals = run.dealers
    .filter((dealer) => !misbehaviour.silent?.includes(dealer))
    .map((dealer) => ({
      dealer,
      envelopes: Array.from({ length: run.nodes }, () => new Uint8Array(shareEnvelopeBytes)),
    }));
  const complaints = [...(misbehaviour.complaints ?? [])];
  const received = new Map<number, Map<number, Scalar>>();
  for (let receiver = 1; receiver <= run.nodes; receiver++) {
    const own = new Map<number, Scalar>();
    received.set(receiver, own);
    for (const reveal of reveals) {
      const { dealer } = reveal;
      const honest = shareFor(run, dealings.get(dealer)!, receiver);
      const share = misbehaviour.share === undefined ? honest : misbehaviour.share(dealer, receiver, honest);
      if (shareFits(run, reveal, receiver, share)) own.set(dealer, share!);
      else if (deals.some((deal) => deal.dealer === dealer)) complaints.push({ dealer, receiver });
    }
  }
  const published = complaints.flatMap(({ dealer, receiver }) => {
    const honest = publishShare(run, dealings.get(dealer)!, receiver);
    const sent = misbehaviour.publish === undefined ? honest : misbehaviour.publish(honest);
    return sent === undefined ? [] : [sent];
  });
  const transcript = { commits, reveals, deals, complaints, published };
  const conclusion = conclude(run, transcript);
  const shares =
    conclusion.kind === "aborted"
      ? []
      : [...received].map(([index, own]) => ownShareOf(run, conclusion, index, own, held.get(index)));
  return { run, dealings, transcript, conclusion, shares };
}

function ownShareOf<P>(
  run: Generation<P>,
  agreed: Agreed<P>,
  index: number,
  received: ReadonlyMap<number, Scalar>,
  previous: NodeShare | undefined,
): NodeShare {
  return ownShare(run, agreed, { index, received, ...(previous === undefined ? {} : { previous }) });
}

/** The conclusion of a run that must have given a key. */
export function agreedOf<P>({ conclusion }: Run<P>): Agreed<P> {
  if (conclusion.kind !== "agreed") throw new Error(`aborted: ${JSON.stringify(conclusion.excluded)}`);
  return conclusion;
}

/** Hex of an element, for comparisons. */
export function hexOf<P>(space: KeySpace<P>, point: P): string {
  return toHex(space.group.encode(point));
}

/** Every set of `size` of 1 … n. */
export function subsets(n: number, size: number): number[][] {
  if (size === 0) return [[]];
  if (n < size) return [];
  return [...subsets(n - 1, size), ...subsets(n - 1, size - 1).map((rest) => [...rest, n])];
}
