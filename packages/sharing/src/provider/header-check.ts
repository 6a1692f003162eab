/**
 * A header against what the ledger holds of its record (CRYPTO §4): provider (at store and before every transform) and
 * reader refuse one whose record id, owner, sealed policy, payload or key commitment differ, or whose maker did not know
 * s1. Without that proof the transform would be a decryption oracle (CRYPTO §2.1).
 */
import {
  ChartsealError,
  type Descriptor,
  decodeDescriptor,
  decodeEncapsulation,
  decodeHeader,
  type Encapsulation,
  encodeContext,
  equalBytes,
  type GT,
  type Pairing,
  type Policy,
  parsePolicy,
  type RecordHeader,
  sealedPolicy,
  sha256,
  toHex,
  verifyEncapsulation,
} from "@chartseal/crypto";
import type { Statement } from "@chartseal/ledger";
import { masterKeyHash } from "../committee.ts";

/** What the ledger holds, or is about to hold, of a record. */
export interface RegisteredHeader {
  readonly recordId: Uint8Array;
  readonly owner: Uint8Array;
  /** The written policy, canonical. */
  readonly policy: string;
  readonly headerHash: Uint8Array;
  readonly statement: Statement;
}

export interface CheckedHeader {
  readonly header: RecordHeader;
  readonly policy: Policy;
  readonly context: Uint8Array;
  readonly encapsulation: Encapsulation;
}

/** @throws ChartsealError `header-altered` with data {recordId, field} */
export function checkHeader(
  pairing: Pairing,
  options: { readonly bytes: Uint8Array; readonly registered: RegisteredHeader; readonly mpk: GT },
): CheckedHeader {
  const { bytes, registered, mpk } = options;
  const altered = (field: string): ChartsealError =>
    new ChartsealError("header-altered", `the record's header differs from what was registered: ${field}`, {
      data: { recordId: toHex(registered.recordId), field },
    });
  if (!equalBytes(sha256(bytes), registered.headerHash)) throw altered("hash");
  let header: RecordHeader;
  let descriptor: Descriptor;
  try {
    header = decodeHeader(bytes);
    descriptor = decodeDescriptor(registered.statement.descriptor);
  } catch {
    throw altered("encoding");
  }
  const policy = sealedPolicy(parsePolicy(registered.policy), toHex(registered.owner));
  const masterKey = masterKeyHash(pairing, mpk);
  const field = differingField(header, registered, { policy, masterKey, descriptor });
  if (field !== undefined) throw altered(field);
  const context = encodeContext(header.context);
  let encapsulation: Encapsulation;
  try {
    encapsulation = decodeEncapsulation(pairing, header.encapsulation, policy);
  } catch {
    throw altered("encapsulation");
  }
  if (!verifyEncapsulation(pairing, { policy, context, encapsulation })) throw altered("proof");
  return { header, policy, context, encapsulation };
}

function differingField(
  { context }: RecordHeader,
  { recordId, owner, statement }: RegisteredHeader,
  { descriptor, ...expected }: { policy: Policy; masterKey: Uint8Array; descriptor: Descriptor },
): string | undefined {
  const same: Record<string, boolean> = {
    recordId: equalBytes(context.recordId, recordId),
    owner: equalBytes(context.owner, owner),
    policy: context.policy === expected.policy.text,
    masterKey: equalBytes(context.masterKeyHash, expected.masterKey),
    suite: context.suite === descriptor.suite,
    payloadId: equalBytes(context.payloadId, descriptor.payloadId),
    chunkBytes: context.chunkBytes === descriptor.chunkBytes,
    length: context.length === statement.payloadLength,
    digest: equalBytes(context.digest, statement.payloadDigest),
    keyCommitment: equalBytes(context.keyCommitment, statement.keyCommitment),
  };
  return Object.keys(same).find((field) => !same[field]);
}
