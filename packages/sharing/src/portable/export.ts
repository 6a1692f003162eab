/**
 * export: a record in its portable form (CRYPTO §4). Header and payload leave the provider on no other ground than a
 * reveal (§3.1), so an export is a proved request and a transform, and stands in the access log as one. The exporter
 * opens the header before a byte is written, and the payload is hashed as it passes.
 */
import {
  ChartsealError,
  decodeDescriptor,
  equalBytes,
  hashPayload,
  sealedBytes,
  toHex,
} from "@chartseal/crypto";
import type { RecordValue } from "@chartseal/ledger";
import type { MemberKeys, Provider, Surroundings, Transformed } from "../parties.ts";
import { request } from "../request.ts";
import { askTransform, open } from "../retrieve.ts";
import { writePortable } from "./format.ts";
import { collectReceipt, encodeReceipt } from "./receipt.ts";

export interface Exported {
  readonly record: RecordValue;
  readonly requestId: Uint8Array;
  /** Bytes of the sealed payload, and so nearly of the file. */
  readonly sealedBytes: number;
  /** The file; a payload that is not the one deposited fails at its end, and then the file must not stay. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** @throws ChartsealError what `retrieve` throws; while reading, `object-altered`, `object-missing` */
export async function exportRecord(
  surroundings: Surroundings & { readonly provider: Provider },
  options: { readonly member: MemberKeys; readonly recordId: Uint8Array; readonly purpose?: string },
): Promise<Exported> {
  const { ledger } = surroundings;
  const { member, recordId } = options;
  const granted = await request(surroundings, options);
  const transformed = await askTransform(surroundings, { member, granted });
  const { record, requestId } = granted;
  await open(surroundings, { member, granted, transformed });
  const receipt = encodeReceipt(await collectReceipt(ledger, recordId, record));
  const { chunkBytes } = decodeDescriptor(record.current.descriptor);
  const payloadLength = sealedBytes(record.current.payloadLength, chunkBytes);
  const payload = checkedPayload(recordId, record, { transformed, chunkBytes, payloadLength });
  const bytes = writePortable({ header: transformed.header, receipt, payloadLength, payload });
  return { record, requestId, sealedBytes: payloadLength, bytes };
}

/** The sealed payload as it passes, its digest and length compared at its end. */
async function* checkedPayload(
  recordId: Uint8Array,
  { current }: RecordValue,
  place: { readonly transformed: Transformed; readonly chunkBytes: number; readonly payloadLength: number },
): AsyncIterable<Uint8Array> {
  const { transformed, chunkBytes, payloadLength } = place;
  const passing = hashPayload({ source: transformed.payload(0, payloadLength), chunkBytes });
  yield* passing.chunks;
  const { digest, ciphertextLength } = await passing.finished;
  if (ciphertextLength === payloadLength && equalBytes(digest, current.payloadDigest)) return;
  throw new ChartsealError("object-altered", "the stored payload is not the one that was deposited", {
    data: { recordId: toHex(recordId), part: "payload" },
  });
}
