/**
 * Issuance (CRYPTO §2.2, §2.3): the reader draws z and asks on the ledger, t nodes answer sealed to the provider, the
 * provider combines; the reader's secret never leaves it. Base keys for signing come sealed to the account itself.
 */
import {
  answerInfo,
  answerIssue,
  answerParts,
  type BasePartial,
  baseDigest,
  basePartial,
  type CborValue,
  ChartsealError,
  type CheckedAnswer,
  type CommitteeKey,
  checkAnswer,
  checkBasePartial,
  combineBaseKey,
  decode,
  decodeAnswer,
  decodeBasePartial,
  decodeBlindProof,
  encode,
  encodeAnswer,
  encodeBasePartial,
  encodeBlindProof,
  type G1,
  type GT,
  hasCode,
  hpkeOpen,
  hpkeSeal,
  type IssueRequest,
  isFamily,
  issueDigest,
  proveBlind,
  randomBytes,
  type Scalar,
  selfAttribute,
  signTagged,
  sortAttributes,
  toHex,
  transformKeyPair,
  verifyTagged,
} from "@chartseal/crypto";
import { demandGrant, entries, fullVouchKey, vouchKey } from "@chartseal/ledger";
import { replacedAt } from "./account-keys.ts";
import { type SignedAnswer, useSigned } from "./answer-evidence.ts";
import { keySpaces, readCommittee, readNodes } from "./committee.ts";
import { judged, judgingMs } from "./judged.ts";
import type { NodeIdentity, NodeShares } from "./key-generation.ts";
import type { AuthorityNode, Identity, SealedAnswer, Surroundings } from "./parties.ts";
import { readAccount, readEntry } from "./state.ts";
import { AccountWriter } from "./submit.ts";

const sealedAnswerBytesMax = 256 * 1024;

/** A request for a key as the ledger took it, with its proof and the key that was made of it. */
export interface TakenRequest extends IssueRequest {
  readonly proofBytes: Uint8Array;
  readonly height: number;
  readonly keyId: Uint8Array | null;
}

/** @throws ChartsealError `issue-refused` where the ledger shows none */
export async function issueRequestOf(
  { ledger, pairing }: Surroundings,
  requestId: Uint8Array,
): Promise<TakenRequest> {
  const special = await readEntry(ledger, entries.specialRequest, requestId);
  const value = special ?? (await readEntry(ledger, entries.keyRequest, requestId));
  if (value === undefined)
    throw new ChartsealError("issue-refused", "the ledger shows no such request for a key");
  const { epoch, account, attributes, provider, mode, proof: proofBytes, height, keyId } = value;
  const blinded = pairing.g1.decode(value.blinded, { identity: "reject" });
  const request = { chainId: ledger.chainId, epoch, requestId, account, blinded, attributes, provider, mode };
  const grant = special === undefined ? {} : { grantId: special.grantId };
  return { ...request, ...grant, proofBytes, height, keyId };
}

/**
 * What the ledger must show when a node answers, not only when it took the request: no key of it yet, every vouch in
 * force, the account's key not replaced since; of a special key the emergency or proxy in force, by the node's own clock
 * too. Else a provider and a reader would keep a request from before a revocation, and have it answered afterwards.
 */
async function demandIssuable(
  surroundings: Surroundings,
  request: TakenRequest,
  digest: Uint8Array,
): Promise<void> {
  const { ledger } = surroundings;
  const { account, attributes, mode } = request;
  if (request.keyId !== null) {
    throw new ChartsealError("issue-refused", "the key of this request was issued already");
  }
  const replaced = await replacedAt(ledger, account);
  if (replaced !== undefined && request.height <= replaced) {
    throw new ChartsealError("issue-refused", "the request was made under a key that was replaced since");
  }
  if (mode === "emergency" || mode === "proxy") {
    const { grantId } = request;
    if (grantId === undefined) throw new ChartsealError("issue-refused", "the request names no grant");
    const timestampMs = await judgingMs(surroundings);
    await judged(ledger, (state) => demandGrant(state, { mode, grantId, timestampMs }));
    return;
  }
  for (const attribute of attributes) {
    const own = mode === "full" && attribute === selfAttribute(toHex(account));
    const vouch = await readEntry(ledger, entries.vouch, vouchKey(account, attribute));
    const stands = vouch?.endedHeight === null;
    const full = await readEntry(ledger, entries.fullVouch, fullVouchKey(account, digest, attribute));
    const serves =
      mode === "transform" || (full !== undefined && vouch !== undefined && full.height >= vouch.height);
    if (own || (stands && serves)) continue;
    throw new ChartsealError("issue-refused", `no vouch for ${attribute} is in force`, {
      data: { attribute },
    });
  }
}

/** Who receives the answers of a request, and its registered key: never one that the request names. */
async function receiverOf({ ledger }: Surroundings, account: Uint8Array): Promise<Uint8Array> {
  const value = await readAccount(ledger, account);
  if (value?.hpkeKey == null) {
    throw new ChartsealError("issue-refused", "the receiver has registered no key to seal to");
  }
  return value.hpkeKey;
}

/** Answers to a request of an epoch that is over are neither given nor taken. @throws ChartsealError `issue-refused` */
export function demandEpoch({ epoch }: Pick<IssueRequest, "epoch">, present: number): void {
  if (epoch === present) return;
  throw new ChartsealError("issue-refused", "the committee has changed since the request", {
    data: { epoch, present },
    hint: "Ask again: the new request is of the present epoch.",
  });
}

/** A share of an epoch that is over answers nothing: beside new ones it is worth nothing (CRYPTO §2.3). */
function demandPresent(share: number, present: number): void {
  if (share === present) return;
  throw new ChartsealError("issue-refused", "this node's share is not of the committee's present epoch", {
    data: { share, present },
  });
}

/** One node's service: it answers what the ledger shows as granted and nothing else. */
export class CommitteeNode implements AuthorityNode {
  readonly #surroundings: Surroundings;
  readonly #identity: Pick<NodeIdentity, "seed" | "index">;
  readonly #shares: NodeShares;

  constructor(
    surroundings: Surroundings,
    node: { identity: Pick<NodeIdentity, "seed" | "index">; shares: NodeShares },
  ) {
    this.#surroundings = surroundings;
    this.#identity = node.identity;
    this.#shares = node.shares;
  }

  get index(): number {
    return this.#identity.index;
  }

  async answer(requestId: Uint8Array): Promise<SealedAnswer> {
    const { pairing, ledger } = this.#surroundings;
    const request = await issueRequestOf(this.#surroundings, requestId);
    const digest = issueDigest(pairing, request);
    await demandIssuable(this.#surroundings, request, digest);
    const { reading } = await readCommittee(ledger, pairing);
    demandPresent(this.#shares.reading.epoch, reading.epoch);
    demandEpoch(request, reading.epoch);
    const proof = decodeBlindProof(pairing, decode(request.proofBytes, { sizeMax: 256 }));
    const answer = answerIssue(pairing, { request, proof, key: reading, share: this.#shares.reading });
    const receiver = await receiverOf(this.#surroundings, request.provider);
    return await this.#seal({ digest, receiver, answer: encodeAnswer(pairing, answer) });
  }

  async basePartial(account: Uint8Array): Promise<SealedAnswer> {
    const { pairing, ledger } = this.#surroundings;
    demandPresent(this.#shares.signing.epoch, (await readNodes(ledger)).epoch);
    const receiver = await receiverOf(this.#surroundings, account);
    const partial = basePartial(pairing, { account, share: this.#shares.signing });
    const digest = baseDigest(ledger.chainId, this.#shares.signing.epoch, account);
    return await this.#seal({ digest, receiver, answer: encodeBasePartial(pairing, partial) });
  }

  /** Signed, so that a wrong answer is evidence, then sealed. */
  async #seal(options: {
    digest: Uint8Array;
    receiver: Uint8Array;
    answer: Uint8Array;
  }): Promise<SealedAnswer> {
    const { digest, receiver, answer } = options;
    const { seed, index } = this.#identity;
    const signature = signTagged(seed, "authority/answer", ...answerParts(digest, index, answer));
    const sealed = await hpkeSeal({
      receiver,
      info: answerInfo(digest, index),
      plaintext: encode([answer, signature]),
    });
    return { node: index, sealed };
  }
}

/** Opens an envelope of a node and checks its signature. @throws ChartsealError `issue-invalid` with the node */
async function openSealed(
  { ledger }: Surroundings,
  options: { receiver: Identity; digest: Uint8Array; sealed: SealedAnswer },
): Promise<SignedAnswer> {
  const { receiver, digest, sealed } = options;
  const { node } = sealed;
  const fault = (message: string): ChartsealError =>
    new ChartsealError("issue-invalid", message, { data: { node } });
  if (sealed.sealed.length > sealedAnswerBytesMax) throw fault("an answer is too large");
  const info = answerInfo(digest, node);
  const opened = await hpkeOpen({ privateKey: receiver.hpkeSecret, info, sealed: sealed.sealed });
  if (opened === null) throw fault("an answer is not sealed to its receiver for this request");
  const [answer, signature] = partsOf(opened);
  if (!(answer instanceof Uint8Array) || !(signature instanceof Uint8Array))
    throw fault("an answer is malformed");
  const account = (await readNodes(ledger)).nodes[node - 1];
  const key = account === undefined ? undefined : await readAccount(ledger, account);
  const signed = answerParts(digest, node, answer);
  if (key === undefined || !verifyTagged(key.publicKey, signature, "authority/answer", ...signed)) {
    throw fault("an answer is not signed by its node");
  }
  return { node, answer, signature };
}

/** The two parts of an opened envelope, or none. */
function partsOf(opened: Uint8Array): readonly CborValue[] {
  try {
    const fields = decode(opened, { sizeMax: sealedAnswerBytesMax });
    return Array.isArray(fields) && fields.length === 2 ? fields : [];
  } catch (error) {
    if (hasCode(error, "encoding-invalid")) return [];
    throw error;
  }
}

/**
 * A node's answer to an issue, opened and checked by who receives the key; one that is wrong names its node on the ledger,
 * in the receiver's name. @throws ChartsealError `issue-invalid` with the node
 */
export async function openAnswer(
  surroundings: Surroundings,
  options: {
    readonly receiver: Identity;
    readonly writer: AccountWriter;
    readonly request: IssueRequest;
    readonly key: CommitteeKey<GT>;
    readonly sealed: SealedAnswer;
  },
): Promise<CheckedAnswer> {
  const { pairing } = surroundings;
  const { receiver, writer, request, key, sealed } = options;
  const digest = issueDigest(pairing, request);
  const signed = await openSealed(surroundings, { receiver, digest, sealed });
  const { requestId: id, epoch } = request;
  return await useSigned(signed, { writer, answered: { subject: "issue", id, epoch } }, () => {
    const answer = decodeAnswer(pairing, signed.answer, request.attributes.length);
    demandOwn(answer, signed);
    return checkAnswer(pairing, { request, key, answer });
  });
}

/** What a node signed has the node's own name in it. @throws ChartsealError `issue-invalid` with the node */
function demandOwn(part: { readonly node: number }, { node }: SignedAnswer): void {
  if (part.node === node) return;
  throw new ChartsealError("issue-invalid", "an answer names another node", { data: { node } });
}

/** Asks for a key over a set of attributes: z, Z and its proof are made here, and only Z leaves. */
export async function requestKey(
  surroundings: Surroundings,
  options: {
    readonly member: Identity;
    readonly attributes: Iterable<string>;
    readonly provider: Uint8Array;
  },
): Promise<{ readonly requestId: Uint8Array; readonly recoveryKey: Scalar }> {
  const { ledger, pairing } = surroundings;
  const { member, provider } = options;
  const pair = transformKeyPair(pairing);
  const { reading } = await readCommittee(ledger, pairing);
  const request: IssueRequest = {
    chainId: ledger.chainId,
    epoch: reading.epoch,
    requestId: randomBytes(32),
    account: member.account,
    blinded: pair.blinded,
    attributes: sortAttributes(options.attributes),
    provider,
    mode: "transform",
  };
  const proof = proveBlind(pairing, { pair, digest: issueDigest(pairing, request) });
  const { requestId, attributes, mode, epoch } = request;
  await new AccountWriter(surroundings, member).submit({
    kind: "request-key",
    requestId,
    blinded: pairing.g1.encode(pair.blinded),
    proof: encode(encodeBlindProof(pairing, proof)),
    attributes,
    provider,
    mode: mode === "full" ? "full" : "transform",
    epoch,
  });
  return { requestId, recoveryKey: pair.recoveryKey };
}

/**
 * Asks nodes until `threshold` have answered; those that cannot be reached or refuse are passed over, since one node
 * alone decides nothing.
 * @throws ChartsealError `issue-refused` where fewer answer and one refused, else `ledger-unreachable`: data {answered,
 *   threshold, failures}
 */
export async function askNodes(
  nodes: readonly AuthorityNode[],
  threshold: number,
  ask: (node: AuthorityNode) => Promise<SealedAnswer>,
): Promise<SealedAnswer[]> {
  const answers: SealedAnswer[] = [];
  const failures: { node: number; code: string }[] = [];
  let refusal: unknown;
  for (const node of nodes) {
    if (answers.length === threshold) break;
    try {
      const answer = await ask(node);
      // Whose answer it is, its asker knows: a node that answers in another's name would have that one blamed.
      if (answer.node !== node.index)
        throw new ChartsealError("issue-invalid", "an answer names another node");
      answers.push(answer);
    } catch (error) {
      const code = error instanceof ChartsealError ? error.code : "defect";
      failures.push({ node: node.index, code });
      if (isFamily(error, "refused")) refusal ??= error;
    }
  }
  if (answers.length === threshold) return answers;
  if (refusal !== undefined) throw refusal;
  throw new ChartsealError(
    "ledger-unreachable",
    `${answers.length} of ${threshold} authority nodes answered`,
    {
      data: { answered: answers.length, threshold, failures },
    },
  );
}

/**
 * Asks and uses the answers; a node whose answer does not verify is left out and others are asked instead.
 * @throws ChartsealError `issue-invalid` with the node where too few others are left, and what `askNodes` throws
 */
export async function withAnswers<T>(
  nodes: readonly AuthorityNode[],
  threshold: number,
  steps: {
    readonly ask: (node: AuthorityNode) => Promise<SealedAnswer>;
    readonly use: (answers: readonly SealedAnswer[]) => Promise<T>;
  },
): Promise<T> {
  let left = nodes;
  for (;;) {
    const answers = await askNodes(left, threshold, steps.ask);
    try {
      return await steps.use(answers);
    } catch (error) {
      const wrong = hasCode(error, "issue-invalid") ? error.data.node : undefined;
      const others = left.filter(({ index }) => index !== wrong);
      if (others.length === left.length || others.length < threshold) throw error;
      left = others;
    }
  }
}

/** K_base of an account from t sealed partial values. @throws ChartsealError `issue-invalid` with the node */
export async function openBaseKey(
  surroundings: Surroundings,
  options: { readonly member: Identity; readonly answers: readonly SealedAnswer[] },
): Promise<G1> {
  const { ledger, pairing } = surroundings;
  const { member, answers } = options;
  const { signing } = await readCommittee(ledger, pairing);
  const { account } = member;
  const { epoch } = signing;
  const digest = baseDigest(ledger.chainId, epoch, account);
  const context = { space: keySpaces(pairing).signing, key: signing, account };
  const writer = new AccountWriter(surroundings, member);
  const partials: BasePartial[] = [];
  for (const sealed of answers) {
    const signed = await openSealed(surroundings, { receiver: member, digest, sealed });
    const answered = { subject: "base", id: account, epoch } as const;
    const partial = await useSigned(signed, { writer, answered }, () => {
      const read = decodeBasePartial(pairing, signed.answer);
      demandOwn(read, signed);
      checkBasePartial(pairing, context, read);
      return read;
    });
    partials.push(partial);
  }
  return combineBaseKey(pairing, context, partials);
}
