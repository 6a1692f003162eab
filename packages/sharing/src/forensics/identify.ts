/**
 * Whose bytes an object holds: a payload or header of some record in a place where it does not belong. So swapped and
 * moved objects are told from altered ones, and good copies are found where they lie.
 */
import {
  ChartsealError,
  decodeHeader,
  equalBytes,
  hashPayload,
  headerBytesMax,
  type RecordHeader,
  sha256,
  toHex,
} from "@chartseal/crypto";
import { readAll } from "../streams.ts";
import { type ObjectReader, sizeOf } from "./payload-check.ts";
import { attempt, type StoredRecord } from "./records.ts";

export interface Identified {
  readonly record: StoredRecord;
  readonly part: "payload" | "header";
}

/** The record of which this object holds exactly the payload or the header, or undefined. */
export async function identify(
  objects: ObjectReader,
  name: string,
  records: readonly StoredRecord[],
): Promise<Identified | undefined> {
  const size = await sizeOf(objects, name);
  if (size === undefined) return undefined;
  if (size <= headerBytesMax) {
    const hash = sha256(await readAll(objects.get(name), headerBytesMax));
    const record = records.find(({ headerHash }) => equalBytes(headerHash, hash));
    if (record !== undefined) return { record, part: "header" };
  }
  const candidates = records.filter((record) => record.sealedBytes === size);
  for (const chunkBytes of new Set(candidates.map((record) => record.chunkBytes))) {
    const passing = hashPayload({ source: objects.get(name), chunkBytes, lend: true });
    for await (const _chunk of passing.chunks) {
      // Only the digest is wanted.
    }
    const { digest } = await passing.finished;
    const record = candidates.find(
      (one) => one.chunkBytes === chunkBytes && equalBytes(one.payloadDigest, digest),
    );
    if (record !== undefined) return { record, part: "payload" };
  }
  return undefined;
}

/** A header's bytes, or undefined where it is missing; one that is too long comes cut, and so never has its hash. */
export async function readHeader(objects: ObjectReader, name: string): Promise<Uint8Array | undefined> {
  const size = await sizeOf(objects, name);
  if (size === undefined) return undefined;
  if (size <= headerBytesMax) return await readAll(objects.get(name), headerBytesMax);
  return await readAll(objects.get(name, { from: 0, toInclusive: headerBytesMax }), headerBytesMax + 1);
}

/** How a header that has not the registered hash differs, as far as its own fields tell. */
export function headerDifference(
  bytes: Uint8Array,
  record: StoredRecord,
): { readonly field: string; readonly detail: string } {
  if (bytes.length > headerBytesMax) {
    return {
      field: "length",
      detail: `it is longer than the ${headerBytesMax} bytes that a header can have`,
    };
  }
  const header = attempt(() => decodeHeader(bytes));
  if (header === undefined) return { field: "encoding", detail: "its bytes are no header at all" };
  const field = differingField(header, record);
  if (field === "recordId") {
    return { field, detail: `it names record ${toHex(header.context.recordId)}` };
  }
  if (field !== undefined) return { field, detail: `its ${field} is not the registered one` };
  return {
    field: "encapsulation",
    detail: "its context is right, its encapsulation, wrapped key or encrypted metadata is another: ".concat(
      "altered bytes, or a header of another version of this record",
    ),
  };
}

function differingField({ context }: RecordHeader, record: StoredRecord): string | undefined {
  const same: Record<string, boolean> = {
    recordId: toHex(context.recordId) === record.recordId,
    owner: toHex(context.owner) === record.owner,
    digest: equalBytes(context.digest, record.payloadDigest),
    length: context.length === record.payloadLength,
    chunkBytes: context.chunkBytes === record.chunkBytes,
    keyCommitment: equalBytes(context.keyCommitment, record.keyCommitment),
  };
  return Object.keys(same).find((name) => !same[name]);
}

/** A sentence about a system's refusal to give an object's bytes. */
export function unreadableDetail(error: unknown): string {
  return error instanceof ChartsealError || error instanceof Error ? error.message : "it cannot be read";
}
