/**
 * The few canonical protobuf encodings that CometBFT signs and hashes, written by hand: four messages need no library in
 * a browser, and nothing here ever decodes (docs/decisions/light-client.md). Fields at their default are left out, as in
 * proto3; the encoders of messages say themselves where CometBFT writes an empty one.
 */
import { assert, concat, utf8 } from "@chartseal/crypto";
import type { BlockId, CometTime } from "./types.ts";

const wire = { varint: 0, fixed64: 1, bytes: 2 } as const;

/** A base-128 varint of a signed 64-bit integer in two's complement. */
export function varint(value: number): Uint8Array {
  assert(Number.isSafeInteger(value), "a varint here is a safe integer");
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Uint8Array.of(...bytes, Number(rest));
}

const key = (field: number, type: number): Uint8Array => varint(field * 8 + type);
const nothing = new Uint8Array(0);

export function integerField(field: number, value: number): Uint8Array {
  return value === 0 ? nothing : concat(key(field, wire.varint), varint(value));
}

export function fixed64Field(field: number, value: number): Uint8Array {
  if (value === 0) return nothing;
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt(value), true);
  return concat(key(field, wire.fixed64), bytes);
}

export function bytesField(field: number, value: Uint8Array): Uint8Array {
  return value.length === 0 ? nothing : messageField(field, value);
}

export function textField(field: number, value: string): Uint8Array {
  return bytesField(field, utf8(value));
}

/** A message that stands there even when it is empty. */
export function messageField(field: number, message: Uint8Array): Uint8Array {
  return concat(key(field, wire.bytes), varint(message.length), message);
}

/** google.protobuf.Timestamp. */
export function timestamp({ seconds, nanos }: CometTime): Uint8Array {
  return concat(integerField(1, seconds), integerField(2, nanos));
}

/** BlockID, and CanonicalBlockID, which has the same bytes. */
export function blockIdMessage({ hash, parts }: BlockId): Uint8Array {
  const set = concat(integerField(1, parts.total), bytesField(2, parts.hash));
  return concat(bytesField(1, hash), messageField(2, set));
}
