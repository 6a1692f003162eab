/**
 * What one run of the committee's key generation is: a first sharing, a refresh, or a resharing to another committee
 * (CRYPTO §2.3), and the public key that comes out of it. Everything that a message of a run is bound to is in its
 * session bytes, so that no message of one run, epoch, key or chain serves in another.
 */
import { encode } from "../encoding.ts";
import { ChartsealError } from "../errors.ts";
import { sha256 } from "../hash.ts";
import type { KeySpace } from "./group.ts";
import { checkIndex, checkSizes, evaluateCommitments, lagrangeAtZero, nodesMax } from "./shamir.ts";
import { readBytes, readEpoch, readIndex, readList, readMessage, writeMessage } from "./wire.ts";

/** A shared secret's public side: [x]base, and [x_i]base of every node. */
export interface CommitteeKey<P> {
  /** Which sharing: 1 for the first, one more after each refresh or resharing. Shares of two epochs never combine. */
  readonly epoch: number;
  readonly threshold: number;
  /** mpk, A0 or D. The same in every epoch. */
  readonly publicKey: P;
  /** C_1 … C_n. */
  readonly nodeKeys: readonly P[];
}

/**
 * How a dealer's constant term is fixed: free (with a proof of knowledge), zero, or its share of the previous epoch.
 * `dealers` of a resharing: exactly t of the old committee, one set for all receivers.
 */
export type Origin<P> =
  | { readonly kind: "fresh" }
  | { readonly kind: "refresh"; readonly previous: CommitteeKey<P> }
  | { readonly kind: "reshare"; readonly previous: CommitteeKey<P>; readonly dealers: readonly number[] };

/** One run. Make it with `generation`, which checks it. */
export interface Generation<P> {
  readonly space: KeySpace<P>;
  /** 32 bytes. */
  readonly chainId: Uint8Array;
  /** The epoch of the shares that result. */
  readonly epoch: number;
  /** From 1; one more after an aborted run. */
  readonly attempt: number;
  /** Receivers 1 … nodes and the threshold of the result. */
  readonly nodes: number;
  readonly threshold: number;
  readonly origin: Origin<P>;
  /** Who deals, in rising order: 1 … nodes, or the old committee's t of a resharing. */
  readonly dealers: readonly number[];
  /** Deterministic CBOR of all of the above but chain id, for hashes and proofs. */
  readonly session: Uint8Array;
}

/**
 * Checks a run and derives its epoch, dealers and session. A refresh keeps n and t.
 * @throws ChartsealError `input-invalid`
 */
export function generation<P>(
  space: KeySpace<P>,
  options: {
    readonly chainId: Uint8Array;
    readonly nodes: number;
    readonly threshold: number;
    readonly attempt?: number;
    readonly origin?: Origin<P>;
  },
): Generation<P> {
  const { chainId, nodes, threshold, attempt = 1, origin = { kind: "fresh" } } = options;
  checkSizes(threshold, nodes);
  const attempts = Number.isInteger(attempt) && attempt >= 1 && attempt < 2 ** 32;
  if (chainId.length !== 32 || !attempts) {
    throw new ChartsealError("input-invalid", "a run needs a chain id of 32 bytes and an attempt from 1");
  }
  const dealers = dealersOf(origin, nodes, threshold);
  const previous = origin.kind === "fresh" ? undefined : origin.previous;
  const epoch = (previous?.epoch ?? 0) + 1;
  const before = previous === undefined ? new Uint8Array(0) : sha256(encodeCommitteeKey(space, previous));
  const session = encode([1, space.name, origin.kind, epoch, attempt, nodes, threshold, dealers, before]);
  return { space, chainId, epoch, attempt, nodes, threshold, origin, dealers, session };
}

function dealersOf<P>(origin: Origin<P>, nodes: number, threshold: number): readonly number[] {
  if (origin.kind !== "reshare") {
    const same = origin.kind === "fresh" || sizesOf(origin.previous) === `${threshold} of ${nodes}`;
    if (!same)
      throw new ChartsealError("input-invalid", "a refresh keeps the committee's size and threshold");
    return Array.from({ length: nodes }, (_, k) => k + 1);
  }
  const { previous, dealers } = origin;
  for (const dealer of dealers) checkIndex(dealer, previous.nodeKeys.length);
  if (new Set(dealers).size !== dealers.length || dealers.length !== previous.threshold) {
    throw new ChartsealError("input-invalid", "a resharing is dealt by exactly t distinct nodes");
  }
  return [...dealers].sort((a, b) => a - b);
}

function sizesOf<P>(key: CommitteeKey<P>): string {
  return `${key.threshold} of ${key.nodeKeys.length}`;
}

/** C_i. @throws ChartsealError `input-invalid` for an index outside the committee */
export function nodeKey<P>(key: CommitteeKey<P>, index: number): P {
  checkIndex(index, key.nodeKeys.length);
  return key.nodeKeys[index - 1]!;
}

/**
 * The key of a finished run: `commitments` is, coefficient by coefficient, what the good dealers committed to together
 * (their sum; in a resharing their Lagrange combination).
 */
export function keyOf<P>(run: Generation<P>, commitments: readonly P[]): CommitteeKey<P> {
  const { group } = run.space;
  const previous = run.origin.kind === "refresh" ? run.origin.previous : undefined;
  const nodeKeys = Array.from({ length: run.nodes }, (_, k) => {
    const added = evaluateCommitments(group, commitments, k + 1);
    return previous === undefined ? added : plus(run.space, previous.nodeKeys[k]!, added);
  });
  const publicKey = previous?.publicKey ?? commitments[0]!;
  return { epoch: run.epoch, threshold: run.threshold, publicKey, nodeKeys };
}

function plus<P>({ group }: KeySpace<P>, a: P, b: P): P {
  return group.combine([a, b].map((point) => ({ point, scalar: 1n })));
}

/** Whether t nodes' public values give the public key: what a genesis or a stored state must satisfy. */
export function keyIsConsistent<P>(space: KeySpace<P>, key: CommitteeKey<P>): boolean {
  const { group } = space;
  const all = key.nodeKeys.map((_, k) => k + 1);
  const first = all.slice(0, key.threshold);
  const windows = [first, ...all.slice(key.threshold).map((last) => [...first.slice(1), last])];
  return windows.every((indices) => {
    const weights = lagrangeAtZero(indices);
    const terms = indices.map((index, k) => ({ point: key.nodeKeys[index - 1]!, scalar: weights[k]! }));
    return group.equal(group.combine(terms), key.publicKey);
  });
}

/** [1, name, epoch, threshold, public key, [C_1 … C_n]]. */
export function encodeCommitteeKey<P>(space: KeySpace<P>, key: CommitteeKey<P>): Uint8Array {
  const { group, name } = space;
  const nodeKeys = key.nodeKeys.map((point) => group.encode(point));
  return writeMessage(name, key.epoch, key.threshold, group.encode(key.publicKey), nodeKeys);
}

/** @throws ChartsealError `encoding-invalid` */
export function decodeCommitteeKey<P>(space: KeySpace<P>, bytes: Uint8Array): CommitteeKey<P> {
  const [name, epoch, threshold, publicKey, nodeKeys] = readMessage(bytes, 5, 1 << 16);
  const points = readList(nodeKeys, nodesMax).map((point) => space.group.decode(readBytes(point)));
  const key = {
    epoch: readEpoch(epoch),
    threshold: readIndex(threshold),
    publicKey: space.group.decode(readBytes(publicKey)),
    nodeKeys: points,
  };
  if (name !== space.name || key.threshold > points.length) {
    throw new ChartsealError("encoding-invalid", "not a public key of this kind of committee secret");
  }
  return key;
}
