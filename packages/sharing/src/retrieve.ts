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
  openPayload,
  recomputeEncapsulation,
  recoverFromTransform,
} from "@chartseal/crypto";
import { decodeTransaction, type RecordValue } from "@chartseal/ledger";
import { readCommittee } from "./committee.ts";
import type { MemberKeys, Provider, Surroundings, Transformed } from "./parties.ts";
import { type CheckedHeader, checkHeader } from "./provider/header-check.ts";
import { signReveal } from "./provider/reveal.ts";
import { fromMetadata, openSecrets, type RecordMetadata } from "./record.ts";
import { type Granted, request } from "./request.ts";

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
  read(range?: { readonly from: number; readonly to: number }): AsyncIterable<Uint8Array>;
}

/** The reader's half of the transform: both signatures, then the provider's answer. */
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
  return await provider.transform(reveal);
}

/**
 * Checks what the provider sent against the ledger, recovers m, and gives the record.
 * @throws ChartsealError `header-altered`, `transform-invalid`; while reading, `object-altered`, `object-missing`
 */
export async function open(
  surroundings: Surroundings,
  options: {
    readonly member: MemberKeys;
    readonly granted: Pick<Granted, "record" | "recordId">;
    readonly transformed: Transformed;
  },
): Promise<Opened> {
  const { pairing, ledger } = surroundings;
  const { member, granted, transformed } = options;
  const { record, recordId } = granted;
  const { reading } = await readCommittee(ledger, pairing);
  const registered = { ...record, recordId, statement: record.current };
  const mpk = reading.publicKey;
  const checked = checkHeader(pairing, { bytes: transformed.header, registered, mpk });
  const author = await authorOf(surroundings, record);
  if (member.recoveryKey === null) throw new ChartsealError("defect", "a transform without a recovery key");
  const { policy, context, encapsulation } = checked;
  const recovered = recoverFromTransform(pairing, {
    transform: transformed.transform,
    recoveryKey: member.recoveryKey,
    policy,
    context,
    encapsulation,
  });
  // The owner's client makes the whole encapsulation again: a sealer whose rows do not fit the policy is found here.
  if (author.kind === "attributes" && equalBytes(record.owner, member.account)) {
    recomputeEncapsulation(pairing, { mpk, message: recovered.message, policy, context, encapsulation });
  }
  const secrets = await openSecrets(checked.header, recovered, record.statement.metadataCommitment);
  return openedRecord({ record, checked, secrets, author, transformed });
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
    read: (range) =>
      openPayload({
        fileKey: secrets.fileKey,
        descriptor: decodeDescriptor(current.descriptor),
        length: current.payloadLength,
        digest: current.payloadDigest,
        keyCommitment: current.keyCommitment,
        leaves: transformed.leaves,
        source: transformed.payload,
        ...(range === undefined ? {} : { range }),
      }),
  };
}

/**
 * The author as the deposit's transaction shows it. The ledger took its signature under the periods of that block; what
 * is checked here is that the transaction is the chain's and says what the record says.
 * @throws ChartsealError `chain-altered` where the deposit is not in the chain
 */
export async function authorOf(
  { ledger }: Pick<Surroundings, "ledger">,
  record: RecordValue,
): Promise<Author> {
  const found = await ledger.transaction(record.deposit);
  if (found === undefined)
    throw new ChartsealError("chain-altered", "the record's deposit is not in the chain");
  const { body, authorisation } = decodeTransaction(found.bytes);
  if (body.action.kind !== "deposit") throw new ChartsealError("chain-altered", "the record has no deposit");
  const { statement } = body.action;
  const reencrypted = !equalBytes(statement.payloadDigest, record.current.payloadDigest);
  if (body.action.authorPolicy !== null && authorisation.attributes !== null) {
    return { kind: "attributes", policy: body.action.authorPolicy, verified: !reencrypted, reencrypted };
  }
  return { kind: "owner", account: record.owner, reencrypted };
}

/** All steps: the record, proved, transformed and opened. */
export async function retrieve(
  surroundings: Surroundings & { readonly provider: Provider },
  options: { readonly member: MemberKeys; readonly recordId: Uint8Array; readonly purpose?: string },
): Promise<Opened & { readonly requestId: Uint8Array }> {
  const granted = await request(surroundings, options);
  const transformed = await askTransform(surroundings, { member: options.member, granted });
  const opened = await open(surroundings, { member: options.member, granted, transformed });
  return { ...opened, requestId: granted.requestId };
}
