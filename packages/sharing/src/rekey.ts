/**
 * rekey (CRYPTO §4): a new m and a new encapsulation, by the owner, under the same or another policy. The payload stays
 * where it is; with `payload` it is re-encrypted under a fresh file key as well, for readers who must not be trusted with
 * the old one. The author's statement about the first version stays on the ledger.
 */
import {
  ChartsealError,
  decodeDescriptor,
  openPayload,
  type Policy,
  parsePolicy,
  recomputeEncapsulation,
  recordDigest,
  recoverFromTransform,
  sealedPolicy,
  sealPayload,
  sha256,
  toHex,
} from "@chartseal/crypto";
import type { RecordValue, Submitted } from "@chartseal/ledger";
import { readCommittee } from "./committee.ts";
import type { MemberKeys, Provider, Surroundings, TakeOptions, Transformed } from "./parties.ts";
import { checkHeader } from "./provider/header-check.ts";
import { makeHeader, openSecrets, type SealedPayloadFacts, statementFor } from "./record.ts";
import { request } from "./request.ts";
import { readPlacement, readResidency } from "./residency.ts";
import { askTransform } from "./retrieve.ts";
import { AccountWriter, currentBody } from "./submit.ts";

export interface Rekeyed {
  readonly digest: Uint8Array;
  readonly bytesWritten: number;
  readonly submitted: Submitted;
}

/** @throws ChartsealError `erased`, `record-unknown`, `header-altered` where the old header does not hold together */
export async function rekey(
  surroundings: Surroundings & { readonly provider: Provider },
  options: {
    readonly owner: MemberKeys;
    readonly recordId: Uint8Array;
    /** The written policy from now on; default the present one. */
    readonly policy?: Policy;
    readonly payload?: boolean;
  },
): Promise<Rekeyed> {
  const { pairing, provider, ledger } = surroundings;
  const { owner, recordId } = options;
  if (options.policy !== undefined) sealedPolicy(options.policy, toHex(owner.account));
  const granted = await request(surroundings, { member: owner, recordId });
  const transformed = await askTransform(surroundings, { member: owner, granted });
  const { record } = granted;
  const { mpk, secrets } = await recoverAll(surroundings, { owner, recordId, record, transformed });
  const policy = options.policy ?? parsePolicy(record.policy);
  const moved =
    options.payload === true
      ? await reencrypt(provider, {
          record,
          transformed,
          fileKey: secrets.fileKey,
          placing: await placingOf(ledger, recordId, record),
        })
      : { facts: factsOf(record), fileKey: secrets.fileKey, address: record.address, bytes: 0 };
  const { facts } = moved;
  const header = await makeHeader(pairing, {
    mpk,
    recordId,
    owner: record.owner,
    policy,
    payload: facts,
    secrets: { ...secrets, fileKey: moved.fileKey },
  });
  const statement = options.payload === true ? statementFor(facts, secrets.salt, secrets.metadata) : null;
  const body = await currentBody(surroundings, {
    kind: "rekey",
    recordId,
    version: record.version + 1,
    headerHash: sha256(header),
    address: moved.address,
    policy: policy.text,
    statement,
  });
  const storageReceipt = await provider.takeHeader({ header, body });
  const submitted = await new AccountWriter(surroundings, owner).submitBody(body, { storageReceipt });
  await provider.follow();
  if (moved.address !== record.address) await provider.discard({ recordId });
  return { digest: recordDigest(header, facts.digest), bytesWritten: header.length + moved.bytes, submitted };
}

function factsOf({ current }: RecordValue): SealedPayloadFacts {
  return {
    descriptor: decodeDescriptor(current.descriptor),
    length: current.payloadLength,
    digest: current.payloadDigest,
    keyCommitment: current.keyCommitment,
  };
}

/** m with the whole encapsulation made again, and the header's secrets. */
async function recoverAll(
  { pairing, ledger }: Surroundings,
  options: { owner: MemberKeys; recordId: Uint8Array; record: RecordValue; transformed: Transformed },
) {
  const { owner, recordId, record, transformed } = options;
  const mpk = (await readCommittee(ledger, pairing)).reading.publicKey;
  const registered = { ...record, recordId, statement: record.current };
  const { header, policy, context, encapsulation } = checkHeader(pairing, {
    bytes: transformed.header,
    registered,
    mpk,
  });
  if (owner.recoveryKey === null) throw new ChartsealError("defect", "a transform without a recovery key");
  const recovered = recoverFromTransform(pairing, {
    transform: transformed.transform,
    recoveryKey: owner.recoveryKey,
    policy,
    context,
    encapsulation,
  });
  recomputeEncapsulation(pairing, { mpk, message: recovered.message, policy, context, encapsulation });
  return { mpk, secrets: await openSecrets(header, recovered, record.statement.metadataCommitment) };
}

/** The new payload is divided as the old one was, within the owner's residency. */
async function placingOf(
  ledger: Surroundings["ledger"],
  recordId: Uint8Array,
  { owner }: RecordValue,
): Promise<Pick<TakeOptions, "placement" | "regions">> {
  const regions = await readResidency(ledger, owner);
  const before = await readPlacement(ledger, recordId);
  if (before !== undefined) return { placement: { k: before.k, n: before.n, regions } };
  return regions.length === 0 ? {} : { regions };
}

/** Opens and seals again as a stream: a fresh file key, a new payload at a new address. */
async function reencrypt(
  provider: Provider,
  {
    record,
    transformed,
    fileKey,
    placing,
  }: {
    record: RecordValue;
    transformed: Transformed;
    fileKey: Uint8Array;
    placing: Pick<TakeOptions, "placement" | "regions">;
  },
): Promise<{ facts: SealedPayloadFacts; fileKey: Uint8Array; address: string; bytes: number }> {
  const old = factsOf(record);
  const source = openPayload({
    ...old,
    fileKey,
    leaves: transformed.leaves,
    source: (offset, length) => transformed.payload(offset, length, { lend: true }),
    lend: true,
  });
  const { chunkBytes, suite } = old.descriptor;
  const sealed = sealPayload({ source, suite, chunkBytes, lend: provider.takesLent === true });
  const { address, bytes } = await provider.takePayload(sealed.chunks, { chunkBytes, ...placing });
  const { length, digest } = await sealed.finished;
  const facts = { descriptor: sealed.descriptor, length, digest, keyCommitment: sealed.keyCommitment };
  return { facts, fileKey: sealed.fileKey, address, bytes };
}
