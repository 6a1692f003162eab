/**
 * Threshold issuance of attribute keys (CRYPTO §2.2, §2.3): t of n nodes each answer one request with a key under
 * their share α_i, and the provider combines t answers into the transform key; nobody ever holds α.
 * FABEO's key generation is linear in (α, r), so Σ λ_i·answer_i is a key under α = Σ λ_i α_i and r = Σ λ_i r_i.
 *
 * Letters of CRYPTO §2:  Z = [1/z]g1 the reader's blinded base · b, H(u) FABEO's points · r_i a node's fresh scalar ·
 *   k1 = [α_i]Z + [r_i]b, k2_u = [r_i]H(u), k3 = [r_i]g2 the answer · X = e(Z, g2)^{α_i} · C_i = e(g1, g2)^{α_i} ·
 *   d the digest of the request.
 * An answer is 48·(|S| + 1) + 96 + 576 + 64 bytes and a little framing.
 */
import { compareBytes, equalBytes, toBigInt, u32, u64, utf8 } from "../bytes.ts";
import { type BlindProof, type IssueMode, verifyBlind } from "../cpabe/blind.ts";
import { type AttributeKey, attributePoints, baseB } from "../cpabe/scheme.ts";
import { encode } from "../encoding.ts";
import { ChartsealError } from "../errors.ts";
import { fixed, type HashPart, hash, tagged } from "../hash.ts";
import type { G1, G2, GT, Pairing, Scalar } from "../pairing/pairing.ts";
import { randomScalar } from "../random.ts";
import type { NodeShare } from "./dkg.ts";
import { type CommitteeKey, nodeKey } from "./generation.ts";
import { readingKeySpace } from "./group.ts";
import { claim, type Proof, prove, verify } from "./proofs.ts";
import { chooseParts } from "./shamir.ts";
import {
  readArray,
  readBytes,
  readEpoch,
  readIndex,
  readMessage,
  readProof,
  writeMessage,
  writeProof,
} from "./wire.ts";

/** What the ledger shows as granted: all that d covers. */
export interface IssueRequest {
  /** 32 bytes. */
  readonly chainId: Uint8Array;
  readonly epoch: number;
  readonly requestId: Uint8Array;
  readonly account: Uint8Array;
  /** Z. */
  readonly blinded: G1;
  /** In rising order of their bytes, none twice: `sortAttributes`. */
  readonly attributes: readonly string[];
  readonly provider: Uint8Array;
  readonly mode: IssueMode;
  /** The id of the emergency or of the appointment as proxy, in these two modes and there alone. */
  readonly grantId?: Uint8Array;
}

/** One node's part of a key, without its proof. */
interface AnswerParts {
  readonly epoch: number;
  readonly node: number;
  readonly k1: G1;
  /** In the order of the request's attributes. */
  readonly k2: readonly G1[];
  readonly k3: G2;
}

/** One node's part of a key. */
export interface Answer extends AnswerParts {
  /** X */
  readonly image: GT;
  readonly proof: Proof;
}

declare const checked: unique symbol;
/** An answer that `checkAnswer` found right, with the d that it answers. */
export interface CheckedAnswer {
  readonly [checked]: true;
  readonly digest: Uint8Array;
  readonly attributes: readonly string[];
  readonly answer: Answer;
}

const attributesMax = 4096;

/** In rising order of their UTF-8 bytes, none twice. */
export function sortAttributes(attributes: Iterable<string>): string[] {
  return [...new Set(attributes)].sort((a, b) => compareBytes(utf8(a), utf8(b)));
}

/**
 * d = SHA-256(tag ‖ chain id ‖ epoch u64 ‖ request id ‖ account ‖ Z ‖ number of attributes u32, each attribute ‖
 * provider ‖ mode ‖ grant id), 32 bytes; everything but epoch, Z and the number is length-prefixed.
 * @throws ChartsealError `input-invalid` for a request that is malformed or whose attributes are not sorted
 */
export function issueDigest(pairing: Pairing, request: IssueRequest): Uint8Array {
  const { chainId, epoch, requestId, account, blinded, attributes, provider, mode } = request;
  checkRequest(request);
  return hash(
    "authority/issue",
    chainId,
    fixed(u64(epoch)),
    requestId,
    account,
    fixed(pairing.g1.encode(blinded)),
    fixed(u32(attributes.length)),
    ...attributes.map((attribute) => utf8(attribute)),
    provider,
    utf8(mode),
    request.grantId ?? new Uint8Array(0),
  );
}

function checkRequest({ chainId, epoch, attributes, mode, grantId }: IssueRequest): void {
  const refuse = (message: string) => new ChartsealError("input-invalid", message);
  if (chainId.length !== 32 || !Number.isSafeInteger(epoch) || epoch < 1) {
    throw refuse("an issue needs a chain id of 32 bytes and an epoch from 1");
  }
  const sorted = sortAttributes(attributes);
  const same = sorted.length === attributes.length && sorted.every((one, k) => one === attributes[k]);
  if (!same || sorted.length === 0 || sorted.length > attributesMax) {
    throw refuse("an issue's attributes are sorted, none twice, at least one");
  }
  if ((mode === "emergency" || mode === "proxy") !== (grantId !== undefined)) {
    throw refuse("the id of an emergency or a proxy goes with these modes, and with them alone");
  }
}

/**
 * A node's answer, under a fresh r_i. The caller has seen on the ledger that the request is granted; here the reader's
 * proof of z is checked: without one, Z could be anybody's point.
 * r_i is never stored and never derived: two Z under one r_i give [α_i](Z − Z'), and with z known [α_i]g1.
 * @throws ChartsealError `issue-refused` for a request whose proof fails, `input-invalid` for another epoch's share
 */
export function answerIssue(
  pairing: Pairing,
  options: {
    readonly request: IssueRequest;
    readonly proof: BlindProof;
    readonly key: CommitteeKey<GT>;
    readonly share: NodeShare;
  },
): Answer {
  const { request, proof, key, share } = options;
  const { blinded, mode, attributes } = request;
  const { g1, g2 } = pairing;
  const digest = issueDigest(pairing, request);
  if (share.epoch !== request.epoch || key.epoch !== request.epoch) {
    throw new ChartsealError("input-invalid", "the request is of another epoch than this node's share");
  }
  if (!verifyBlind(pairing, { blinded, digest, proof, mode })) {
    throw new ChartsealError("issue-refused", "the request does not prove its recovery key");
  }
  const r = randomScalar({ nonZero: true });
  const points = [baseB(pairing), ...attributePoints(pairing, attributes)];
  const blinds = g1.linear(points.map((point) => [{ point, scalar: r, fixed: true }]));
  const raised = g1.multiplySplit(blinded, share.secret);
  const k3 = g2.linear([[{ point: g2.generator, scalar: r, fixed: true }]])[0]!;
  const image = pairing.multiPairing([[raised, g2.generator]]);
  const partial = {
    epoch: share.epoch,
    node: share.index,
    k1: g1.add(raised, blinds[0]!),
    k2: blinds.slice(1),
    k3,
  };
  const claims = claimsOf(pairing, request, nodeKey(key, share.index), image);
  const context = answerContext(pairing, digest, partial);
  return {
    ...partial,
    image,
    proof: prove(claims, share.secret, { use: "authority/answer-proof", context }),
  };
}

/** log of C_i to e(g1, g2) = log of X to e(Z, g2). */
function claimsOf(pairing: Pairing, { blinded }: IssueRequest, key: GT, image: GT) {
  const { group, base } = readingKeySpace(pairing);
  const blindedBase = pairing.multiPairing([[blinded, pairing.g2.generator]]);
  return [claim(group, base, key), claim(group, blindedBase, image)];
}

/** [d, epoch, node, k1, [k2 …], k3] in CBOR: what the proof of an answer is bound to, besides X and the bases. */
function answerContext(pairing: Pairing, digest: Uint8Array, answer: AnswerParts): Uint8Array {
  const { g1, g2 } = pairing;
  const { epoch, node, k1, k2, k3 } = answer;
  return encode([digest, epoch, node, g1.encode(k1), k2.map((point) => g1.encode(point)), g2.encode(k3)]);
}

/**
 * Checks a node's answer to this request against C_i: X ≠ 1 with its proof, then, with C_i's own X,
 *   e(k1, g2) = X · e(b, k3)   and   e(k2_u, g2) = e(H(u), k3) for every u.
 * All equations in one: e(k1 + Σ ρ_u k2_u, g2) · e(−b − Σ ρ_u H(u), k3) = X, two Miller loops and one final
 * exponentiation. The ρ_u are 128 bits of a hash of d, C_i and every byte of the answer. Soundness: the elements are of
 * prime order and fixed before the weights, so one wrong equation leaves a linear form in ρ that is zero for one value
 * of some ρ_u, and a wrong answer passes with 2^−128 for each answer tried (the hash taken as a random function).
 * @throws ChartsealError `issue-invalid` with the node, and the attribute where one part is wrong
 */
export function checkAnswer(
  pairing: Pairing,
  options: { readonly request: IssueRequest; readonly key: CommitteeKey<GT>; readonly answer: Answer },
): CheckedAnswer {
  const { request, key, answer } = options;
  const digest = issueDigest(pairing, request);
  const fault = (message: string, data = {}) =>
    new ChartsealError("issue-invalid", message, { data: { node: answer.node, ...data } });
  if (answer.node > key.nodeKeys.length) throw fault("an answer of a node outside the committee");
  if (answer.epoch !== request.epoch || key.epoch !== request.epoch)
    throw fault("an answer of another epoch");
  if (answer.k2.length !== request.attributes.length) throw fault("not one part an attribute");
  if (pairing.g2.isZero(answer.k3) || pairing.gt.isOne(answer.image)) throw fault("an answer of zero");
  const own = nodeKey(key, answer.node);
  const context = answerContext(pairing, digest, answer);
  const claims = claimsOf(pairing, request, own, answer.image);
  if (!verify(claims, answer.proof, { use: "authority/answer-proof", context })) {
    throw fault("the answer's share is not the node's, or it answers another request");
  }
  const seed = [pairing.gt.encode(own), encodeAnswer(pairing, answer)];
  if (!equationsHold(pairing, request, answer, weights(digest, seed, answer.k2.length))) {
    throw fault("the answer's parts do not fit each other", {
      attribute: wrongPart(pairing, request, answer),
    });
  }
  return { digest, attributes: request.attributes, answer } as CheckedAnswer;
}

/** ρ_1 … ρ_count: the first 16 bytes of SHA-256(tag ‖ d ‖ u32 j ‖ C_i ‖ answer) each. */
function weights(digest: Uint8Array, seed: readonly Uint8Array[], count: number): Scalar[] {
  return Array.from({ length: count }, (_, j) =>
    toBigInt(hash("authority/issue-batch", fixed(digest), fixed(u32(j + 1)), ...seed).subarray(0, 16)),
  );
}

function equationsHold(
  pairing: Pairing,
  { attributes }: IssueRequest,
  { k1, k2, k3, image }: Answer,
  rho: readonly Scalar[],
): boolean {
  const { g1, g2, gt } = pairing;
  const points = attributePoints(pairing, attributes);
  const [left, right] = g1.linear([
    [{ point: k1, scalar: 1n }, ...k2.map((point, j) => ({ point, scalar: rho[j]! }))],
    [{ point: baseB(pairing), scalar: 1n }, ...points.map((point, j) => ({ point, scalar: rho[j]! }))],
  ]);
  const product = pairing.multiPairing([
    [left!, g2.generator],
    [g1.negate(right!), k3],
  ]);
  return gt.equal(product, image);
}

/** Which attribute's part is wrong, one by one; undefined where it is k1. */
function wrongPart(pairing: Pairing, { attributes }: IssueRequest, { k2, k3 }: Answer): string | undefined {
  const { g1, g2, gt } = pairing;
  const points = attributePoints(pairing, attributes);
  return attributes.find((_, j) => {
    const product = pairing.multiPairing([
      [k2[j]!, g2.generator],
      [g1.negate(points[j]!), k3],
    ]);
    return !gt.isOne(product);
  });
}

/**
 * The key of t answers of distinct nodes to one request in one epoch, by Lagrange at 0. Of more than t, the lowest t.
 * The algebra alone would combine answers to two requests: whoever does gives two readers one key.
 * @throws ChartsealError `input-invalid` for answers of two requests or epochs, one node twice, or fewer than t
 */
export function combineAnswers(
  pairing: Pairing,
  options: { readonly threshold: number; readonly answers: readonly CheckedAnswer[] },
): AttributeKey {
  const { threshold, answers } = options;
  const chosen = chooseParts(
    answers.map(({ answer }) => answer),
    threshold,
  );
  const [first] = answers;
  for (const { digest, answer } of answers) {
    if (!equalBytes(digest, first!.digest) || answer.epoch !== first!.answer.epoch) {
      throw new ChartsealError(
        "input-invalid",
        "answers to two requests, or of two epochs, are not combined",
      );
    }
  }
  const { g1, g2 } = pairing;
  const { attributes } = first!;
  const parts = chosen.map(({ part }) => part);
  const weigh = <P>(points: readonly P[]) => points.map((point, i) => ({ point, scalar: chosen[i]!.weight }));
  const rows = [parts.map(({ k1 }) => k1), ...attributes.map((_, j) => parts.map(({ k2 }) => k2[j]!))];
  const [k1, ...k2] = g1.linear(rows.map(weigh));
  const k3 = g2.linear([weigh(parts.map((part) => part.k3))])[0]!;
  return { k1: k1!, k2: new Map(attributes.map((attribute, j) => [attribute, k2[j]!])), k3 };
}

/** [1, epoch, node, k1 48, [k2 48 …], k3 96, X 576, [challenge 32, response 32]]. */
export function encodeAnswer(pairing: Pairing, answer: Answer): Uint8Array {
  const { g1, g2, gt } = pairing;
  const { epoch, node, k1, k2, k3, image, proof } = answer;
  const parts = k2.map((point) => g1.encode(point));
  return writeMessage(epoch, node, g1.encode(k1), parts, g2.encode(k3), gt.encode(image), writeProof(proof));
}

/** For a request of `attributes` attributes. @throws ChartsealError `encoding-invalid` */
export function decodeAnswer(pairing: Pairing, bytes: Uint8Array, attributes: number): Answer {
  const [epoch, node, k1, k2, k3, image, proof] = readMessage(bytes, 7, 1024 + 51 * (attributes + 1));
  const head = { epoch: readEpoch(epoch), node: readIndex(node), proof: readProof(proof) };
  const parts = readArray(k2, attributes).map((point) => pairing.g1.decode(readBytes(point, 48)));
  return {
    ...head,
    k1: pairing.g1.decode(readBytes(k1, 48)),
    k2: parts,
    k3: pairing.g2.decode(readBytes(k3, 96), { identity: "reject" }),
    image: pairing.gt.decode(readBytes(image, 576)),
  };
}

/**
 * What a node signs under the tag authority/answer (Ed25519, `signTagged`): d ‖ node u32 ‖ length u64 ‖ answer. The
 * signature makes a wrong answer evidence against its node.
 */
export function answerParts(
  digest: Uint8Array,
  node: number,
  encodedAnswer: Uint8Array,
): readonly HashPart[] {
  return [fixed(digest), fixed(u32(node)), encodedAnswer];
}

/** HPKE info under which a node seals its signed answer to the provider: tag ‖ d ‖ node u32. d names the chain. */
export function answerInfo(digest: Uint8Array, node: number): Uint8Array {
  return tagged("sharing/answer-box", fixed(digest), fixed(u32(node)));
}
