/**
 * Strict readers for the committee's messages: deterministic CBOR arrays whose first item is the version, 1.
 * Every reader throws `encoding-invalid` and nothing else.
 */
import { type CborValue, decode, encode } from "../encoding.ts";
import { ChartsealError } from "../errors.ts";
import type { Scalar } from "../pairing/pairing.ts";
import { decodeScalar, encodeScalar } from "../pairing/scalar.ts";
import type { Proof } from "./proofs.ts";
import { nodesMax } from "./shamir.ts";

const version = 1;
const epochMax = 2 ** 32 - 1;

function refuse(what: string): never {
  throw new ChartsealError("encoding-invalid", what);
}

/** [1, …fields]. */
export function writeMessage(...fields: readonly CborValue[]): Uint8Array {
  return encode([version, ...fields]);
}

/** The fields of [1, …fields], exactly `count` of them. */
export function readMessage(bytes: Uint8Array, count: number, sizeMax: number): readonly CborValue[] {
  const [first, ...fields] = readArray(decode(bytes, { sizeMax }), count + 1);
  if (first !== version) refuse("a message of an unknown version");
  return fields;
}

export function readArray(value: CborValue | undefined, length: number): readonly CborValue[] {
  if (!Array.isArray(value) || value.length !== length) refuse(`not an array of ${length} items`);
  return value as readonly CborValue[];
}

/** An array of 1 … max items, whatever their number. */
export function readList(value: CborValue | undefined, max: number): readonly CborValue[] {
  if (!Array.isArray(value) || value.length < 1 || value.length > max) {
    refuse(`not an array of 1 to ${max} items`);
  }
  return value as readonly CborValue[];
}

export function readInteger(value: CborValue | undefined, min: number, max: number): number {
  if (typeof value !== "number" || value < min || value > max) {
    refuse(`not an integer from ${min} to ${max}`);
  }
  return value;
}

/** A node's index, 1 … `nodesMax`; whether it is in the committee is the caller's to check. */
export function readIndex(value: CborValue | undefined): number {
  return readInteger(value, 1, nodesMax);
}

export function readEpoch(value: CborValue | undefined): number {
  return readInteger(value, 1, epochMax);
}

/** A byte string, of that size where one is given. */
export function readBytes(value: CborValue | undefined, size?: number): Uint8Array {
  if (!(value instanceof Uint8Array) || (size !== undefined && value.length !== size)) {
    refuse(`not a byte string of ${size ?? "any"} bytes`);
  }
  return value;
}

/** 32 bytes, big-endian, below p. */
export function readScalar(value: CborValue | undefined): Scalar {
  return decodeScalar(readBytes(value));
}

/** [challenge, response]. */
export function writeProof(proof: Proof): CborValue {
  return [encodeScalar(proof.challenge), encodeScalar(proof.response)];
}

export function readProof(value: CborValue | undefined): Proof {
  const [challenge, response] = readArray(value, 2);
  return { challenge: readScalar(challenge), response: readScalar(response) };
}
