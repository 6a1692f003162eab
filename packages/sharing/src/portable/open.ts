/**
 * open --file: a portable record opened with a full key and nothing else: no ledger, no provider, no network (CRYPTO §4).
 * The receipt is checked against the genesis that the reader holds; the whole encapsulation is made again from m, so
 * that nothing in the header is taken on trust; the payload is hashed first and decrypted in a second pass.
 */
import {
  ChartsealError,
  chunkCount,
  decapsulate,
  decodeEncapsulation,
  decodeHeader,
  encodeContext,
  equalBytes,
  type GT,
  type HeaderSecrets,
  hashPayload,
  type LeafSource,
  listLeavesMax,
  missing,
  openHeader,
  openPayload,
  type Pairing,
  parsePolicy,
  type RecordHeader,
  recomputeEncapsulation,
  recoverMessage,
  SpanTreeBuilder,
  satisfies,
  sealedBytes,
  sealedLimits,
  spanLeaves,
  spanProof,
  toHex,
  verifyEncapsulation,
} from "@chartseal/crypto";
import { masterKeyHash } from "../committee.ts";
import type { FullKey } from "../full-key.ts";
import { type CheckedHeader, checkHeader } from "../provider/header-check.ts";
import { fromMetadata, openSecrets, type RecordMetadata } from "../record.ts";
import type { Author } from "../retrieve.ts";
import { type PortableFile, type PortableParts, readPortable } from "./format.ts";
import { checkReceipt, decodeReceipt, isOfChain, type ProvedRecord } from "./receipt.ts";

export interface OpenedFile {
  readonly recordId: Uint8Array;
  readonly metadata: RecordMetadata;
  /** Undefined where the reader holds no genesis of the record's chain: then nothing is known of who wrote it. */
  readonly author: Author | undefined;
  /** Plaintext bytes of the whole payload. */
  readonly length: number;
  /** Hashes the payload first, then decrypts: the bytes that come out were each verified. */
  read(range?: { readonly from: number; readonly to: number }): AsyncIterable<Uint8Array>;
}

/**
 * @throws ChartsealError `input-invalid` for what is no portable record; `policy-unsatisfied` without a full key that
 *   opens it; `chain-altered`, `signature-invalid`, `header-altered`; while reading, `object-altered`
 */
export async function openPortable(
  pairing: Pairing,
  options: {
    readonly file: PortableFile;
    readonly keys: readonly FullKey[];
    /** Trusted by the reader, e.g. its home's. */
    readonly genesis?: Uint8Array;
  },
): Promise<OpenedFile> {
  const { file, keys, genesis } = options;
  const parts = await readPortable(file);
  const receipt = decodeReceipt(parts.receipt);
  const held = genesis !== undefined && isOfChain(receipt, genesis) ? genesis : undefined;
  const proved = held === undefined ? undefined : checkReceipt(pairing, receipt, held);
  const checked = checkedHeader(pairing, parts.header, proved && { ...proved, recordId: receipt.recordId });
  const full = chooseKey(pairing, keys, checked);
  const secrets = await secretsOf(pairing, { checked, full, proved });
  const { context } = checked.header;
  const payload = payloadOf(file, parts.payload, checked.header);
  return {
    recordId: context.recordId,
    metadata: fromMetadata(secrets.metadata),
    author: proved?.author,
    length: context.length,
    async *read(range) {
      yield* openPayload({
        fileKey: secrets.fileKey,
        descriptor: context,
        length: context.length,
        digest: context.digest,
        keyCommitment: context.keyCommitment,
        leaves: await leavesOf(payload, checked.header),
        source: payload,
        ...(range === undefined ? {} : { range }),
      });
    },
  };
}

/** Against what the receipt proves; without it, the header against itself: its encapsulation must fit its own context. */
function checkedHeader(
  pairing: Pairing,
  bytes: Uint8Array,
  proved: (ProvedRecord & { readonly recordId: Uint8Array }) | undefined,
): CheckedHeader {
  if (proved !== undefined) {
    const { record, mpk, recordId } = proved;
    return checkHeader(pairing, {
      bytes,
      registered: { ...record, recordId, statement: record.current },
      mpk,
    });
  }
  try {
    const header = decodeHeader(bytes);
    const policy = parsePolicy(header.context.policy, sealedLimits);
    const encapsulation = decodeEncapsulation(pairing, header.encapsulation, policy);
    const context = encodeContext(header.context);
    const canonical = policy.text === header.context.policy;
    if (canonical && verifyEncapsulation(pairing, { policy, context, encapsulation })) {
      return { header, policy, context, encapsulation };
    }
  } catch (error) {
    if (!(error instanceof ChartsealError) || error.family !== "usage") throw error;
  }
  throw new ChartsealError("header-altered", "the portable record's header does not hold together");
}

/** A full key for this committee's mpk whose attributes satisfy the policy. @throws ChartsealError `policy-unsatisfied` */
function chooseKey(pairing: Pairing, keys: readonly FullKey[], { header, policy }: CheckedHeader): FullKey {
  const { masterKeyHash: wanted } = header.context;
  const own = keys.filter(({ mpk }) => equalBytes(masterKeyHash(pairing, mpk), wanted));
  const fitting = own.find(({ key }) => satisfies(policy.tree, new Set(key.k2.keys())));
  if (fitting !== undefined) return fitting;
  const held = new Set(own.flatMap(({ key }) => [...key.k2.keys()]));
  const reason = keys.length === 0 ? "there is no full key" : "no full key satisfies the record's policy";
  throw new ChartsealError("policy-unsatisfied", `a portable record opens with a full key alone: ${reason}`, {
    data: { recordId: toHex(header.context.recordId), missing: missing(policy.tree, held) },
    hint: "Run chartseal keys full MEMBER.",
  });
}

async function secretsOf(
  pairing: Pairing,
  parts: { checked: CheckedHeader; full: FullKey; proved: ProvedRecord | undefined },
): Promise<HeaderSecrets> {
  const { checked, full, proved } = parts;
  const { header, policy, context, encapsulation } = checked;
  const message = messageOf(pairing, checked, full);
  const mpk: GT = full.mpk;
  recomputeEncapsulation(pairing, { mpk, message: message.message, policy, context, encapsulation });
  if (proved === undefined) return await openHeader(header, message);
  return await openSecrets(header, message, proved.record.statement.metadataCommitment);
}

/** m and transcript; what a full key of this mpk does not open was altered. */
function messageOf(pairing: Pairing, checked: CheckedHeader, { key }: FullKey) {
  const { policy, context, encapsulation } = checked;
  const shared = decapsulate(pairing, { key, policy, encapsulation });
  try {
    return recoverMessage(pairing, { shared, policy, context, encapsulation });
  } catch (cause) {
    if (!(cause instanceof ChartsealError) || cause.code !== "transform-invalid") throw cause;
    throw new ChartsealError(
      "header-altered",
      "the header does not open under a key that satisfies its policy",
      {
        data: { part: "encapsulation" },
        cause,
      },
    );
  }
}

type PayloadSource = (offset: number, length: number) => AsyncIterable<Uint8Array>;

function altered(): ChartsealError {
  return new ChartsealError("object-altered", "the payload in the file is not the one that was deposited", {
    data: { part: "payload" },
  });
}

/** The payload's bytes inside the file. @throws ChartsealError `object-altered` where it has not the header's length */
function payloadOf(
  file: PortableFile,
  place: PortableParts["payload"],
  { context }: RecordHeader,
): PayloadSource {
  if (place.length !== sealedBytes(context.length, context.chunkBytes)) throw altered();
  return (offset, length) => file.read(place.offset + offset, length);
}

/** The first pass: every leaf hash, 32 bytes a chunk, under the header's digest. */
async function leavesOf(payload: PayloadSource, { context }: RecordHeader): Promise<LeafSource> {
  const { length, chunkBytes, digest } = context;
  const count = chunkCount(length, chunkBytes);
  const list = new Uint8Array(32 * count);
  const builder = new SpanTreeBuilder();
  const passing = hashPayload({
    source: payload(0, sealedBytes(length, chunkBytes)),
    chunkBytes,
    onLeaf: (leaf, chunk) => {
      list.set(leaf, 32 * chunk);
      builder.append(leaf);
    },
  });
  for await (const _chunk of passing.chunks) {
    // Only the hashes are wanted in this pass.
  }
  const passed = await passing.finished;
  if (passed.chunks !== count || !equalBytes(passed.digest, digest)) throw altered();
  if (count <= listLeavesMax) return { list };
  const tree = builder.finish();
  return {
    span: async (index) => ({
      leafHashes: list.subarray(32 * spanLeaves * index, 32 * spanLeaves * (index + 1)),
      proof: spanProof(tree, index),
    }),
  };
}
