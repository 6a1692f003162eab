/**
 * The portable form (CRYPTO §4; spec/7-sharing.md): magic (8 bytes) ‖ u64 length ‖ header ‖ u64 length ‖ receipt ‖
 * u64 length ‖ sealed payload, and nothing after it. The magic's first byte is no ASCII and its line ends show a file
 * that some transfer took for text.
 */
import { ChartsealError, concat, equalBytes, headerBytesMax, payloadBytesMax, u64 } from "@chartseal/crypto";
import { readAll } from "../streams.ts";

/** 0x89 "CSP" CR LF 0x1a LF. */
export const portableMagic: Uint8Array = Uint8Array.of(0x89, 0x43, 0x53, 0x50, 0x0d, 0x0a, 0x1a, 0x0a);
/** Two transactions of 256 KiB, a namespace's lists of 64 KiB for each leaf of the policy, proofs. */
export const receiptBytesMax: number = 20 * 1024 * 1024;
const lengthBytes = 8;
/** At 64 bytes a chunk, the tags are a quarter of the plaintext. */
const sealedBytesMax = payloadBytesMax + payloadBytesMax / 4;

/** A portable file, read from any offset. */
export interface PortableFile {
  /** Bytes. */
  readonly size: number;
  /** `length` bytes from `offset` on; fewer only where the file ends. */
  read(offset: number, length: number): AsyncIterable<Uint8Array>;
}

export interface PortableParts {
  readonly header: Uint8Array;
  readonly receipt: Uint8Array;
  /** Where the sealed payload is in the file. */
  readonly payload: { readonly offset: number; readonly length: number };
}

function malformed(message: string): ChartsealError {
  return new ChartsealError("input-invalid", `not a portable record: ${message}`);
}

async function bytesAt(file: PortableFile, offset: number, length: number): Promise<Uint8Array> {
  const bytes = await readAll(file.read(offset, length), length);
  if (bytes.length !== length) throw malformed("it ends in the middle");
  return bytes;
}

/** The parts of a file, nothing in them checked. @throws ChartsealError `input-invalid` for what is no such file */
export async function readPortable(file: PortableFile): Promise<PortableParts> {
  const magic = file.size < portableMagic.length ? undefined : await bytesAt(file, 0, portableMagic.length);
  if (magic === undefined || !equalBytes(magic, portableMagic)) throw malformed("it does not begin like one");
  let at = portableMagic.length;
  const part = async (sizeMax: number): Promise<{ offset: number; length: number }> => {
    const prefix = await bytesAt(file, at, lengthBytes);
    const length = Number(new DataView(prefix.buffer, prefix.byteOffset, lengthBytes).getBigUint64(0));
    if (length > sizeMax) throw malformed("a part is larger than it can be");
    const offset = at + lengthBytes;
    if (offset + length > file.size) throw malformed("it ends in the middle");
    at = offset + length;
    return { offset, length };
  };
  const header = await part(headerBytesMax);
  const receipt = await part(receiptBytesMax);
  const payload = await part(sealedBytesMax);
  if (at !== file.size) throw malformed("bytes follow its payload");
  return {
    header: await bytesAt(file, header.offset, header.length),
    receipt: await bytesAt(file, receipt.offset, receipt.length),
    payload,
  };
}

/** A file's bytes; the payload passes as a stream and must have the length given. */
export async function* writePortable(parts: {
  readonly header: Uint8Array;
  readonly receipt: Uint8Array;
  readonly payloadLength: number;
  readonly payload: AsyncIterable<Uint8Array>;
}): AsyncIterable<Uint8Array> {
  const { header, receipt, payload, payloadLength } = parts;
  if (receipt.length > receiptBytesMax) throw new ChartsealError("defect", "a receipt is too large");
  yield concat(portableMagic, u64(header.length), header, u64(receipt.length), receipt, u64(payloadLength));
  yield* payload;
}
