/**
 * The reader's side of a dispute: the header that it was given, K, and the proof that K is what its own secret makes of
 * T. z never leaves it. Where T is no group element there is nothing to prove: the header alone is shown, and an honest
 * recomputation differs from such a T anyway.
 */
import {
  ChartsealError,
  concat,
  decode,
  decodeScalar,
  encode,
  encodeScalar,
  type GT,
  headerBytesMax,
  type Pairing,
  type ProvedRecovery,
  proveRecovery,
  type Scalar,
  sha256,
} from "@chartseal/crypto";
import { emptyKey, entries, lists } from "@chartseal/ledger";
import { readCommittee } from "../committee.ts";
import type { MemberKeys, Surroundings, Transformed } from "../parties.ts";
import type { Granted } from "../request.ts";
import { readEntry, readList } from "../state.ts";
import { AccountWriter } from "../submit.ts";
import { type Dispute, sealToJudges } from "./box.ts";

/** What a reader keeps of an answer that failed, until it is settled. */
export interface FailedAnswer {
  readonly requestId: Uint8Array;
  readonly transformKeyId: Uint8Array;
  readonly recoveryKey: Scalar;
  readonly answer: Pick<Transformed, "transform" | "statement" | "header">;
}

/** What a judge reads of it. `recovered` is null where the reader showed nothing. */
export interface Evidence {
  readonly header: Uint8Array;
  readonly recovered: ProvedRecovery | null;
}

/** Everything that the proof of K is for: chain, dispute, request, record, provider, key and T. */
export function proofContext(chainId: Uint8Array, dispute: Dispute): Uint8Array {
  const { disputeId, requestId, recordDigest, reader, provider, keyId, answerHash } = dispute;
  return concat(chainId, disputeId, requestId, recordDigest, reader, provider, keyId, answerHash);
}

export function encodeEvidence(pairing: Pairing, { header, recovered }: Evidence): Uint8Array {
  if (recovered === null) return encode([header, null]);
  const { gt } = pairing;
  const { shared, root, proof } = recovered;
  const { challenge, response } = proof;
  const shown = [gt.encode(shared), gt.encode(root), encodeScalar(challenge), encodeScalar(response)];
  return encode([header, shown]);
}

/** @throws ChartsealError `encoding-invalid` */
export function decodeEvidence(pairing: Pairing, bytes: Uint8Array): Evidence {
  const value = decode(bytes, { sizeMax: headerBytesMax + 4096 });
  const [header, shown] = Array.isArray(value) && value.length === 2 ? value : [];
  if (!(header instanceof Uint8Array)) throw malformed();
  if (shown === null) return { header, recovered: null };
  const parts = Array.isArray(shown) && shown.length === 4 ? shown : [];
  if (parts.length !== 4 || !parts.every((part) => part instanceof Uint8Array)) throw malformed();
  const [shared, root, challenge, response] = parts as Uint8Array[];
  const { gt } = pairing;
  const proof = { challenge: decodeScalar(challenge!), response: decodeScalar(response!) };
  return { header, recovered: { shared: gt.decode(shared!), root: gt.decode(root!), proof } };
}

function malformed(): ChartsealError {
  return new ChartsealError("encoding-invalid", "a dispute's evidence is malformed");
}

/** The dispute with this id. @throws ChartsealError `input-invalid` */
export async function readDispute(
  { ledger }: Pick<Surroundings, "ledger">,
  disputeId: Uint8Array,
): Promise<Dispute> {
  const value = await readEntry(ledger, entries.dispute, disputeId);
  if (value !== undefined) return { ...value, disputeId };
  throw new ChartsealError("input-invalid", "the ledger knows no such dispute");
}

/** All disputes of the chain, oldest first. */
export async function readDisputes(surroundings: Pick<Surroundings, "ledger">): Promise<Dispute[]> {
  const ids = await readList(surroundings.ledger, lists.disputes, emptyKey);
  return await Promise.all(ids.map((disputeId) => readDispute(surroundings, disputeId)));
}

/**
 * Shows the ledger what the provider signed, and the judges what came of it. From here on everybody sees that this
 * account made that request.
 * @throws ChartsealError `transaction-refused` and others of the rule's
 */
export async function disputeTransform(
  surroundings: Surroundings,
  { member, failed }: { readonly member: MemberKeys; readonly failed: FailedAnswer },
): Promise<Dispute> {
  const { requestId, transformKeyId: keyId, answer } = failed;
  const { rows, signature } = answer.statement;
  const answerHash = sha256(answer.transform);
  const writer = new AccountWriter(surroundings, member);
  const { identifier } = await writer.submit({
    kind: "dispute-transform",
    requestId,
    keyId,
    rows,
    answerHash,
    signature,
  });
  const dispute = await readDispute(surroundings, identifier);
  await giveEvidence(surroundings, { member, failed, dispute });
  return await readDispute(surroundings, identifier);
}

/** The second half of it, by itself for a client that stopped between the two. */
export async function giveEvidence(
  surroundings: Surroundings,
  options: { readonly member: MemberKeys; readonly failed: FailedAnswer; readonly dispute: Dispute },
): Promise<void> {
  const { member, failed, dispute } = options;
  const recovered = await recoveredOf(surroundings, failed, dispute);
  const plaintext = encodeEvidence(surroundings.pairing, { header: failed.answer.header, recovered });
  const sealed = await sealToJudges(surroundings, dispute, { side: "reader", plaintext });
  const { disputeId } = dispute;
  await new AccountWriter(surroundings, member).submit({ kind: "dispute-evidence", disputeId, ...sealed });
}

async function recoveredOf(
  surroundings: Surroundings,
  { answer, recoveryKey }: FailedAnswer,
  dispute: Dispute,
): Promise<ProvedRecovery | null> {
  const { ledger, pairing } = surroundings;
  const transform = elementOf(pairing, answer.transform);
  if (transform === undefined) return null;
  const mpk = (await readCommittee(ledger, pairing)).reading.publicKey;
  const blinded = pairing.g1.decode(await blindedOf(surroundings, dispute));
  const context = proofContext(ledger.chainId, dispute);
  return proveRecovery(pairing, { blinded, transform, mpk, context }, recoveryKey);
}

function elementOf(pairing: Pairing, bytes: Uint8Array): GT | undefined {
  try {
    return pairing.gt.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Z of the issue that the disputed key came from. */
export async function blindedOf(
  { ledger }: Pick<Surroundings, "ledger">,
  { keyId }: Dispute,
): Promise<Uint8Array> {
  const key = await readEntry(ledger, entries.key, keyId);
  const request =
    key === undefined
      ? undefined
      : ((await readEntry(ledger, entries.specialRequest, key.requestId)) ??
        (await readEntry(ledger, entries.keyRequest, key.requestId)));
  if (request !== undefined) return request.blinded;
  throw new ChartsealError("chain-altered", "the ledger holds a dispute about a key that was never issued");
}

/** What a reader keeps when `open` fails. */
export function failedAnswer(
  { requestId }: Pick<Granted, "requestId">,
  member: Pick<MemberKeys, "transformKeyId" | "recoveryKey">,
  answer: FailedAnswer["answer"],
): FailedAnswer {
  const { transformKeyId, recoveryKey } = member;
  if (transformKeyId === null || recoveryKey === null) {
    throw new ChartsealError("defect", "a transform without a recovery key");
  }
  return { requestId, transformKeyId, recoveryKey, answer };
}
