/**
 * A record's two objects, made and opened: the payload under a fresh file key, the header under the sealed policy
 * (CRYPTO §2.1, §4). No IO of its own; deposit.ts, retrieve.ts, rekey.ts and portable.ts are its users.
 */
import {
  type CborValue,
  ChartsealError,
  type Descriptor,
  encapsulate,
  encodeContext,
  encodeDescriptor,
  encodeEncapsulation,
  type GT,
  type HeaderSecrets,
  type Metadata,
  metadataCommitment,
  openHeader,
  type Pairing,
  type Policy,
  type RecordContext,
  type RecordHeader,
  type RecoveredMessage,
  sealedPolicy,
  sealHeader,
  toHex,
} from "@chartseal/crypto";
import type { Statement } from "@chartseal/ledger";
import { masterKeyHash } from "./committee.ts";

/** Result of validation at the author's side (DESIGN decision 7), signed as a part of the metadata. */
export type Validation = "valid" | "invalid" | "not-checked";

/** What a record says about its plaintext, encrypted in its header. */
export interface RecordMetadata {
  readonly name: string;
  readonly mediaType: string;
  readonly validation: Validation;
  /** What a viewer may use: FHIR types, DICOM modality … Small, never needed to open. */
  readonly hints?: readonly string[];
}

export function toMetadata({ name, mediaType, validation, hints = [] }: RecordMetadata): Metadata {
  return { name, mediaType, hints: [validation, [...hints]] };
}

/** @throws ChartsealError `header-altered` where the metadata is not of this form */
export function fromMetadata({ name, mediaType, hints }: Metadata): RecordMetadata {
  const [validation, texts] = Array.isArray(hints) ? (hints as readonly CborValue[]) : [];
  const known = validation === "valid" || validation === "invalid" || validation === "not-checked";
  if (known && Array.isArray(texts) && texts.every((text) => typeof text === "string")) {
    return { name, mediaType, validation, hints: texts as string[] };
  }
  throw new ChartsealError("header-altered", "the record's metadata is malformed", {
    data: { field: "metadata" },
  });
}

/** A sealed payload as its header will describe it. */
export interface SealedPayloadFacts {
  readonly descriptor: Descriptor;
  readonly length: number;
  readonly digest: Uint8Array;
  readonly keyCommitment: Uint8Array;
}

export function statementFor(facts: SealedPayloadFacts, salt: Uint8Array, metadata: Metadata): Statement {
  return {
    descriptor: encodeDescriptor(facts.descriptor),
    payloadLength: facts.length,
    payloadDigest: facts.digest,
    keyCommitment: facts.keyCommitment,
    metadataCommitment: metadataCommitment(salt, metadata),
  };
}

/** A new header: m drawn, encapsulated under the sealed policy, fk wrapped, metadata encrypted. */
export async function makeHeader(
  pairing: Pairing,
  options: {
    readonly mpk: GT;
    readonly recordId: Uint8Array;
    readonly owner: Uint8Array;
    /** The written policy. */
    readonly policy: Policy;
    readonly payload: SealedPayloadFacts;
    readonly secrets: HeaderSecrets;
  },
): Promise<Uint8Array> {
  const { mpk, recordId, owner, payload, secrets } = options;
  const policy = sealedPolicy(options.policy, toHex(owner));
  const context: RecordContext = {
    ...payload.descriptor,
    masterKeyHash: masterKeyHash(pairing, mpk),
    policy: policy.text,
    recordId,
    owner,
    length: payload.length,
    digest: payload.digest,
    keyCommitment: payload.keyCommitment,
  };
  const { message, transcript, encapsulation } = encapsulate(pairing, {
    mpk,
    policy,
    context: encodeContext(context),
  });
  return await sealHeader({
    message,
    transcript,
    context,
    encapsulation: encodeEncapsulation(pairing, encapsulation),
    ...secrets,
  });
}

/** The secrets of a header, checked against the author's metadata commitment. @throws ChartsealError `header-altered` */
export async function openSecrets(
  header: RecordHeader,
  recovered: RecoveredMessage,
  metadataCommitted: Uint8Array,
): Promise<HeaderSecrets> {
  const secrets = await openHeader(header, recovered);
  if (toHex(metadataCommitment(secrets.salt, secrets.metadata)) !== toHex(metadataCommitted)) {
    throw new ChartsealError("header-altered", "the record's metadata is not what its author stated", {
      data: { field: "metadata" },
    });
  }
  return secrets;
}
