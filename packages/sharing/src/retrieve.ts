/**
 * The journey OUT (DESIGN): request → verify → transform → open. The reader checks the ledger's record, the author's
 * statement and the header before any key is used, finishes the transform with one exponentiation and one check, and
 * opens the payload as a verified stream (CRYPTO §2.2, §4).
 */
import {
  ChartsealError,
  decodeDescriptor,
  equalBytes,
  type HeaderSecrets,
  hasCode,
  openPayload,
  recomputeEncapsulation,
  recoverFromTransform,
  toHex,
} from "@chartseal/crypto";
import { decodeTransaction, type RecordValue, type Statement } from "@chartseal/ledger";
import { readCommittee } from "./committee.ts";
import type { KeptAnswer } from "./dispute/kept.ts";
import { demandStatement } from "./dispute/statement.ts";
import type { MemberKeys, Provider, Surroundings, Transformed } from "./parties.ts";
import { type CheckedHeader, checkHeader } from "./provider/header-check.ts";
import { signReveal } from "./provider/reveal.ts";
import { fromMetadata, openSecrets, type RecordMetadata } from "./record.ts";
import { type Granted, request } from "./request.ts";
import { readAccount } from "./state.ts";

/** Who wrote a record, as a reader can know it. */
export type Author =
  | {
      readonly kind: "attributes";
      readonly policy: string;
      readonly verified: boolean;
      readonly reencrypted: boolean;
    }
  | { readonly kind: "owner"; readonly account: Uint8Array; readonly reencrypted: boolean };

/** An opened record: metadata at once, bytes as a verified stream. */
export interface Opened {
  readonly record: RecordValue;
  readonly metadata: RecordMetadata;
  readonly author: Author;
  /** Plaintext bytes of the whole payload. */
  readonly length: number;
  read(
    range?: { readonly from: number; readonly to: number },
    options?: { readonly lend?: boolean },
  ): AsyncIterable<Uint8Array>;
}

/**
 * The reader's half of the transform: both signatures, then the provider's answer, which it must have signed.
 * @throws ChartsealError `signature-invalid` for a T that the provider does not answer for
 */
export async function askTransform(
  surroundings: Surroundings & { readonly provider: Provider },
  options: { readonly member: MemberKeys; readonly granted: Granted },
): Promise<Transformed> {
  const { ledger, provider } = surroundings;
  const { member, granted } = options;
  if (member.transformKeyId === null || member.recoveryKey === null) {
    throw new ChartsealError("policy-unsatisfied", "this member has no reading key yet");
  }
  const place = { chainId: ledger.chainId, provider: provider.account, recordDigest: granted.record.digest };
  const reveal = signReveal({
    reader: member,
    oneTime: granted.oneTime,
    requestId: granted.requestId,
    recordId: granted.recordId,
    transformKeyId: member.transformKeyId,
    place,
  });
  const transformed = await provider.transform(reveal);
  const { requestId, recordId, transformKeyId } = reveal;
  demandStatement(
    await providerKey(ledger, provider),
    { ...place, requestId, recordId, transformKeyId },
    transformed,
  );
  return transformed;
}

/** The key that the ledger shows as the provider's now: never one that came with the answer. */
async function providerKey(ledger: Surroundings["ledger"], { account }: Provider): Promise<Uint8Array> {
  const registered = await readAccount(ledger, account);
  if (registered !== undefined) return registered.publicKey;
  throw new ChartsealError("signature-invalid", "the ledger knows no such provider");
}

/**
 * Checks what the provider sent against the ledger, recovers m, and gives the record.
 * @throws ChartsealError `header-altered`, `transform-invalid`; while reading, `object-altered`, `object-missing`
 */
export async function open(
  surroundings: Surroundings,
  options: {
    readonly member: MemberKeys;
    readonly granted: Pick<Granted, "record" | "recordId"> & Partial<Pick<Granted, "requestId">>;
    readonly transformed: Transformed;
    /** Told of an answer that does not open, before the error goes on: what a dispute is opened with. */
    readonly unopened?: KeepUnopened;
    /** Makes the whole encapsulation again, as the owner's client does anyway: for an owner who asks another reader. */
    readonly recompute?: boolean;
  },
): Promise<Opened> {
  const { pairing, ledger } = surroundings;
  const { member, granted, transformed } = options;
  const { record, recordId } = granted;
  const { reading } = await readCommittee(ledger, pairing);
  const registered = { ...record, recordId, statement: record.current };
  const mpk = reading.publicKey;
  const checked = checkHeader(pairing, { bytes: transformed.header, registered, mpk });
  const author = await authorOf(surroundings, { recordId, record });
  if (member.recoveryKey === null) throw new ChartsealError("defect", "a transform without a recovery key");
  const ownersFirst = author.kind === "attributes" && equalBytes(record.owner, member.account);
  let recovered: ReturnType<typeof recoverFromTransform>;
  try {
    const { recoveryKey } = member;
    const isOwnersOfAuthor = ownersFirst && record.rekey === null;
    recovered = recoverOrBlame(isOwnersOfAuthor, () =>
      recoverFromTransform(pairing, { transform: transformed.transform, recoveryKey, ...sealedOf(checked) }),
    );
    // The owner's client makes the whole encapsulation again: a sealer whose rows do not fit the policy is found here.
    if (ownersFirst || options.recompute === true) {
      recomputeEncapsulation(pairing, { mpk, message: recovered.message, ...sealedOf(checked) });
    }
  } catch (error) {
    await keepUnopened(surroundings, options, error);
    throw error;
  }
  const secrets = await openSecrets(checked.header, recovered, record.statement.metadataCommitment);
  return openedRecord({ record, checked, secrets, author, transformed });
}

const sealedOf = ({ policy, context, encapsulation }: CheckedHeader) => ({ policy, context, encapsulation });

/** Takes what is left of an answer that did not open. */
export type KeepUnopened = (answer: KeptAnswer) => Promise<void>;

/** Here the provider's word and the registered header are both at hand: what is wrong from here on can be judged. */
async function keepUnopened(
  { ledger }: Surroundings,
  options: Pick<Parameters<typeof open>[1], "member" | "granted" | "transformed" | "unopened">,
  error: unknown,
): Promise<void> {
  const { member, granted, transformed, unopened } = options;
  const { requestId, recordId } = granted;
  const { transformKeyId } = member;
  const isAbout = hasCode(error, "transform-invalid") || hasCode(error, "header-altered");
  if (!isAbout || unopened === undefined || requestId === undefined || transformKeyId === null) return;
  const { transform, statement, header } = transformed;
  const answer = { transform, statement, header };
  await unopened({ chainId: ledger.chainId, requestId, recordId, transformKeyId, answer });
}

/**
 * m, or the error. An owner whose row in an author's header does not open cannot tell a wrong T from a row that does not
 * fit the policy, and says `header-altered` (CRYPTO §4); another satisfied reader, who makes it all again, can.
 */
function recoverOrBlame<T>(isOwnersOfAuthor: boolean, recover: () => T): T {
  try {
    return recover();
  } catch (error) {
    if (!isOwnersOfAuthor || !hasCode(error, "transform-invalid")) throw error;
    throw new ChartsealError("header-altered", "the owner's own row of this record does not open", {
      data: { field: "own row" },
      hint: "The author sealed it wrongly, or the provider answered wrongly: another reader can tell.",
      cause: error,
    });
  }
}

function openedRecord(parts: {
  record: RecordValue;
  checked: CheckedHeader;
  secrets: HeaderSecrets;
  author: Author;
  transformed: Transformed;
}): Opened {
  const { record, secrets, author, transformed } = parts;
  const { current } = record;
  return {
    record,
    metadata: fromMetadata(secrets.metadata),
    author,
    length: current.payloadLength,
    read: (range, { lend = false } = {}) =>
      openPayload({
        fileKey: secrets.fileKey,
        descriptor: decodeDescriptor(current.descriptor),
        length: current.payloadLength,
        digest: current.payloadDigest,
        keyCommitment: current.keyCommitment,
        leaves: transformed.leaves,
        source: (offset, length) => transformed.payload(offset, length, { lend: true }),
        lend,
        ...(range === undefined ? {} : { range }),
      }),
  };
}

/**
 * The author as the deposit's transaction shows it. The ledger took its signature under the periods of that block, and
 * what the author signed is this transaction's whole body: a record that says anything else than it is refused.
 * @throws ChartsealError `chain-altered` with data {recordId, field}
 */
export async function authorOf(
  { ledger }: Pick<Surroundings, "ledger">,
  { recordId, record }: Pick<Granted, "recordId" | "record">,
): Promise<Author> {
  const found = await ledger.transaction(record.deposit);
  const deposit = found === undefined ? undefined : decodeTransaction(found.bytes);
  const differs = (field: string): ChartsealError =>
    new ChartsealError("chain-altered", `the record is not what its deposit says: ${field}`, {
      data: { recordId: toHex(recordId), field },
    });
  const action = deposit?.body.action;
  if (deposit === undefined || action?.kind !== "deposit") throw differs("deposit");
  const { owner, namespace, authorPolicy, statement } = action;
  const stated = record.statement;
  const same: Record<string, boolean> = {
    identifier: equalBytes(deposit.identifier, record.deposit),
    recordId: equalBytes(action.recordId, recordId),
    owner: equalBytes(owner, record.owner),
    namespace: namespace === record.namespace,
    authorPolicy: authorPolicy === record.authorPolicy,
    descriptor: equalBytes(statement.descriptor, stated.descriptor),
    length: statement.payloadLength === stated.payloadLength,
    digest: equalBytes(statement.payloadDigest, stated.payloadDigest),
    keyCommitment: equalBytes(statement.keyCommitment, stated.keyCommitment),
    metadata: equalBytes(statement.metadataCommitment, stated.metadataCommitment),
  };
  const field = Object.keys(same).find((name) => !same[name]);
  if (field !== undefined) throw differs(field);
  const reencrypted = !sameStatement(stated, record.current);
  if (authorPolicy !== null && deposit.authorisation.attributes !== null) {
    return { kind: "attributes", policy: authorPolicy, verified: !reencrypted, reencrypted };
  }
  return { kind: "owner", account: record.owner, reencrypted };
}

/** Whether the payload is still the one that its author stated. */
function sameStatement(stated: Statement, current: Statement): boolean {
  return (
    equalBytes(stated.payloadDigest, current.payloadDigest) &&
    equalBytes(stated.descriptor, current.descriptor) &&
    equalBytes(stated.keyCommitment, current.keyCommitment) &&
    stated.payloadLength === current.payloadLength
  );
}

/** All steps: the record, proved, transformed and opened. */
export async function retrieve(
  surroundings: Surroundings & { readonly provider: Provider },
  options: {
    readonly member: MemberKeys;
    readonly recordId: Uint8Array;
    readonly purpose?: string;
    readonly unopened?: KeepUnopened;
  },
): Promise<Opened & { readonly requestId: Uint8Array }> {
  const { unopened, ...asked } = options;
  const { member } = asked;
  const granted = await request(surroundings, asked);
  const transformed = await askTransform(surroundings, { member, granted });
  const keep = unopened === undefined ? {} : { unopened };
  const opened = await open(surroundings, { member, granted, transformed, ...keep });
  return { ...opened, requestId: granted.requestId };
}
