/**
 * What validators attest to each other before it is a transaction: that one of them was absent (`jail-absent`), each with an
 * admission of its own for one and the same body. They travel as messages through CometBFT's list of waiting transactions,
 * since every validator has that connection and no other: 0x01 ‖ encode([1, body, [validator 32, signature 64]]). No
 * transaction begins with that byte, so that no block takes one.
 */

import type { CborValue } from "@chartseal/crypto";
import { ChartsealError, compareBytes, decode, encode, equalBytes, toHex } from "@chartseal/crypto";
import { verifyAdmission } from "../authorisation.ts";
import type { StakedValidator } from "../commit.ts";
import { type Admission, type Body, decodeBody, encodeTransaction, identifierOf } from "../transaction.ts";

const firstByte = 1;
const version = 1;
const attestationBytesMax = 1024;
/** How long a message waits in CometBFT's list, which hands it on as soon as it comes. */
const waitingMsMax = 10_000;
/** Bodies that one validator can have waiting. */
const ofOneMax = 64;

export interface Attestation {
  readonly body: Uint8Array;
  readonly admission: Admission;
}

export function isAttestation(bytes: Uint8Array): boolean {
  return bytes[0] === firstByte;
}

export function encodeAttestation({ body, admission }: Attestation): Uint8Array {
  const fields = encode([version, body, [admission.validator, admission.signature]]);
  return Buffer.concat([Uint8Array.of(firstByte), fields]);
}

/** @throws ChartsealError `encoding-invalid` */
export function decodeAttestation(bytes: Uint8Array): Attestation {
  const [found, body, admission, ...rest] = listOf(
    decode(bytes.subarray(1), { sizeMax: attestationBytesMax }),
  );
  const [validator, signature, ...more] = listOf(admission);
  const isWhole = isAttestation(bytes) && found === version && rest.length === 0 && more.length === 0;
  if (!isWhole || !(body instanceof Uint8Array)) throw malformed();
  if (!(validator instanceof Uint8Array) || validator.length !== 32) throw malformed();
  if (!(signature instanceof Uint8Array) || signature.length !== 64) throw malformed();
  return { body, admission: { validator, signature } };
}

function listOf(value: CborValue | undefined): readonly CborValue[] {
  if (!Array.isArray(value)) throw malformed();
  return value;
}

function malformed(): ChartsealError {
  return new ChartsealError("encoding-invalid", "not what a validator attests");
}

interface Matter {
  readonly identifier: Uint8Array;
  readonly bytes: Uint8Array;
  readonly body: Body;
  readonly admissions: Map<string, Admission>;
  heardMs: number;
  /** It is in the chain, or can never be. */
  settled: boolean;
}

/** Where an attestation is judged. */
export interface Standing {
  readonly chainId: Uint8Array;
  readonly validators: readonly StakedValidator[];
  readonly nowMs: number;
}

/** Those that were heard and are not settled, by the body that they are for. */
export class Attestations {
  readonly #matters = new Map<string, Matter>();

  /**
   * Takes what came from anywhere.
   * @throws ChartsealError `encoding-invalid`, `input-invalid`, `signature-invalid`, `rate-limited`
   */
  take(bytes: Uint8Array, standing: Standing): void {
    this.#forget(standing.nowMs);
    const { body: bodyBytes, admission } = decodeAttestation(bytes);
    const validator = toHex(admission.validator);
    const identifier = identifierOf(bodyBytes);
    const key = toHex(identifier);
    const known = this.#matters.get(key);
    if (known?.settled === true) throw refused("the matter is settled");
    const body = known?.body ?? decodeBody(bodyBytes);
    const isOurs = equalBytes(body.chainId, standing.chainId) && body.action.kind === "jail-absent";
    if (!isOurs || body.lastValidMs < standing.nowMs) throw refused("it is for nothing that waits here");
    if (!standing.validators.some(({ publicKey }) => equalBytes(publicKey, admission.validator))) {
      throw refused("it is by no validator in force");
    }
    const own = [...this.#matters.values()].filter(({ admissions }) => admissions.has(validator));
    if (own.length >= ofOneMax && known?.admissions.has(validator) !== true) {
      throw new ChartsealError("rate-limited", "one validator attests too much at once");
    }
    if (!verifyAdmission(admission, identifier)) {
      throw new ChartsealError("signature-invalid", "the attestation's signature does not verify");
    }
    const matter = known ?? {
      identifier,
      bytes: bodyBytes,
      body,
      admissions: new Map(),
      heardMs: 0,
      settled: false,
    };
    matter.heardMs = standing.nowMs;
    matter.admissions.set(validator, admission);
    this.#matters.set(key, matter);
  }

  /** Whether it still has to be handed on. */
  isWanted(bytes: Uint8Array, nowMs: number): boolean {
    const matter = this.#matters.get(toHex(identifierOf(decodeAttestation(bytes).body)));
    return matter !== undefined && !matter.settled && nowMs < matter.heardMs + waitingMsMax;
  }

  isSettled(identifier: Uint8Array): boolean {
    return this.#matters.get(toHex(identifier))?.settled === true;
  }

  /** A transaction of every matter that validators of more than two thirds of the stake attest. */
  agreed(
    validators: readonly StakedValidator[],
  ): { identifier: Uint8Array; body: Body; transaction: Uint8Array }[] {
    const all = validators.reduce((sum, { stake }) => sum + BigInt(stake), 0n);
    return [...this.#matters.values()].flatMap(({ identifier, bytes, body, admissions, settled }) => {
      const signed = validators.filter(({ publicKey }) => admissions.has(toHex(publicKey)));
      const agreed = signed.reduce((sum, { stake }) => sum + BigInt(stake), 0n);
      if (settled || 3n * agreed <= 2n * all) return [];
      const sorted = signed.map(({ publicKey }) => admissions.get(toHex(publicKey))!);
      sorted.sort((a, b) => compareBytes(a.validator, b.validator));
      return [{ identifier, body, transaction: encodeTransaction(bytes, { admissions: sorted }) }];
    });
  }

  settle(identifier: Uint8Array): void {
    const matter = this.#matters.get(toHex(identifier));
    if (matter !== undefined) matter.settled = true;
  }

  #forget(nowMs: number): void {
    for (const [key, { body }] of this.#matters) if (body.lastValidMs < nowMs) this.#matters.delete(key);
  }
}

function refused(message: string): ChartsealError {
  return new ChartsealError("input-invalid", message);
}
