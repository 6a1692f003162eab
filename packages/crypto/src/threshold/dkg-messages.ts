/**
 * The messages of a run of key generation and their one encoding each: deterministic CBOR arrays, version 1 first.
 * They do not name their run: a ledger transaction does, and every hash and proof in them is bound to it.
 *
 *   commit           [1, dealer, digest 32]
 *   reveal           [1, dealer, [t commitments, 576 | 96 | 48 bytes], [challenge 32, response 32]]
 *   deal             [1, dealer, [n envelopes of 80 bytes]]
 *   complaint        [1, receiver, dealer]
 *   published share  [1, dealer, receiver, share 32]
 */

import { u32 } from "../bytes.ts";
import { ChartsealError } from "../errors.ts";
import { fixed, tagged } from "../hash.ts";
import type { Scalar } from "../pairing/pairing.ts";
import { encodeScalar } from "../pairing/scalar.ts";
import type { Generation } from "./generation.ts";
import type { Proof } from "./proofs.ts";
import {
  readArray,
  readBytes,
  readIndex,
  readMessage,
  readProof,
  readScalar,
  writeMessage,
  writeProof,
} from "./wire.ts";

const shortMax = 256;
const longMax = 1 << 16;
/** An HPKE envelope (48 bytes more than its content) of a 32-byte share. */
export const shareEnvelopeBytes = 80;

/** Round 1: SHA-256 over the commitments that the dealer will reveal. */
export interface Commit {
  readonly dealer: number;
  readonly digest: Uint8Array;
}

/** Round 2: exactly t commitments, and a proof that the dealer knows the constant term. */
export interface Reveal<P> {
  readonly dealer: number;
  readonly commitments: readonly P[];
  readonly proof: Proof;
}

/** Round 3: one HPKE envelope a receiver, in the order of their indices. */
export interface Deal {
  readonly dealer: number;
  readonly envelopes: readonly Uint8Array[];
}

/** A receiver whose envelope does not open to a share that fits the commitments. */
export interface Complaint {
  readonly receiver: number;
  readonly dealer: number;
}

/** The dealer's answer to a complaint: that one share, in the clear. */
export interface PublishedShare {
  readonly dealer: number;
  readonly receiver: number;
  readonly share: Scalar;
}

export function encodeCommit({ dealer, digest }: Commit): Uint8Array {
  return writeMessage(dealer, digest);
}

/** @throws ChartsealError `encoding-invalid` */
export function decodeCommit(bytes: Uint8Array): Commit {
  const [dealer, digest] = readMessage(bytes, 2, shortMax);
  return { dealer: readIndex(dealer), digest: readBytes(digest, 32) };
}

export function encodeReveal<P>(run: Generation<P>, { dealer, commitments, proof }: Reveal<P>): Uint8Array {
  const { group } = run.space;
  return writeMessage(
    dealer,
    commitments.map((point) => group.encode(point)),
    writeProof(proof),
  );
}

/** Refuses any number of commitments but the run's t. @throws ChartsealError `encoding-invalid` */
export function decodeReveal<P>(run: Generation<P>, bytes: Uint8Array): Reveal<P> {
  const [dealer, commitments, proof] = readMessage(bytes, 3, longMax);
  // The cheap parts first: a commitment in GT costs a membership test.
  const head = { dealer: readIndex(dealer), proof: readProof(proof) };
  const points = readArray(commitments, run.threshold).map((point) =>
    run.space.group.decode(readBytes(point)),
  );
  return { ...head, commitments: points };
}

export function encodeDeal({ dealer, envelopes }: Deal): Uint8Array {
  return writeMessage(dealer, envelopes);
}

/** Refuses any number of envelopes but the run's n. @throws ChartsealError `encoding-invalid` */
export function decodeDeal<P>(run: Generation<P>, bytes: Uint8Array): Deal {
  const [dealer, envelopes] = readMessage(bytes, 2, longMax);
  const boxes = readArray(envelopes, run.nodes).map((box) => readBytes(box, shareEnvelopeBytes));
  return { dealer: readIndex(dealer), envelopes: boxes };
}

export function encodeComplaint({ receiver, dealer }: Complaint): Uint8Array {
  return writeMessage(receiver, dealer);
}

/** @throws ChartsealError `encoding-invalid` */
export function decodeComplaint(bytes: Uint8Array): Complaint {
  const [receiver, dealer] = readMessage(bytes, 2, shortMax);
  return { receiver: readIndex(receiver), dealer: readIndex(dealer) };
}

export function encodePublishedShare({ dealer, receiver, share }: PublishedShare): Uint8Array {
  return writeMessage(dealer, receiver, encodeScalar(share));
}

/** @throws ChartsealError `encoding-invalid` */
export function decodePublishedShare(bytes: Uint8Array): PublishedShare {
  const [dealer, receiver, share] = readMessage(bytes, 3, shortMax);
  return { dealer: readIndex(dealer), receiver: readIndex(receiver), share: readScalar(share) };
}

/** A share as the content of its envelope: 32 bytes, big-endian. */
export function encodeShare(share: Scalar): Uint8Array {
  return encodeScalar(share);
}

/** A share from its opened envelope, or undefined where that is none: a reason to complain, not an error. */
export function decodeShare(bytes: Uint8Array): Scalar | undefined {
  try {
    return readScalar(bytes);
  } catch (error) {
    if (error instanceof ChartsealError) return undefined;
    throw error;
  }
}

/** HPKE info of an envelope: tag ‖ chain id ‖ session ‖ dealer u32 ‖ receiver u32, the first two length-prefixed. */
export function shareInfo<P>(run: Generation<P>, dealer: number, receiver: number): Uint8Array {
  return tagged("authority/dkg-share", run.chainId, run.session, fixed(u32(dealer)), fixed(u32(receiver)));
}
