/**
 * Transactions and their bytes (spec/6-ledger.md; CRYPTO §3, §3.1): CBOR [1, body, authorisation], at most 256 KiB.
 *
 * body = encode([1, chain id 32, era, kind number, last valid ms, head height, head hash 32, [fields]]) is what is
 * signed; its hash is the identifier, 32 bytes. The authorisation stands outside and never enters the identifier:
 * [account: null | [account 20, sequence, signature 64], one-time: null | [public key 32, signature 64],
 *  attributes: null | bytes, relay: null | [account 20, signature 64],
 *  storage receipt: null | [provider account 20, signature 64], admissions: [[validator key 32, signature 64] …]].
 */
import { type CborValue, ChartsealError, decode, encode, hash } from "@chartseal/crypto";
import { type Action, actionKinds, actionTable, transactionBytesMax } from "./actions.ts";
import { bytesOf, bytesUpTo, type Codec, listOf, optional, struct, uint, type ValueOf } from "./codec.ts";

const version = 1;

/** The newest block that the signer verified; height 0 and the chain id before the first block. */
export interface NamedHead {
  readonly height: number;
  readonly hash: Uint8Array;
}

export interface Body {
  readonly chainId: Uint8Array;
  readonly era: number;
  /** The last block time, in ms, at which it may be taken: at most an hour after making. */
  readonly lastValidMs: number;
  readonly head: NamedHead;
  readonly action: Action;
}

const admission = struct({ validator: bytesOf(32), signature: bytesOf(64) });
const authorisationCodec = struct({
  account: optional(struct({ account: bytesOf(20), sequence: uint, signature: bytesOf(64) })),
  oneTime: optional(struct({ publicKey: bytesOf(32), signature: bytesOf(64) })),
  attributes: optional(bytesUpTo(128 * 1024)),
  relay: optional(struct({ account: bytesOf(20), signature: bytesOf(64) })),
  storageReceipt: optional(struct({ provider: bytesOf(20), signature: bytesOf(64) })),
  admissions: listOf(admission, 256),
});

export type Authorisation = ValueOf<typeof authorisationCodec>;
export type Admission = ValueOf<typeof admission>;

export interface Transaction {
  readonly body: Body;
  readonly bodyBytes: Uint8Array;
  /** SHA-256 of the body under its tag, 32 bytes. */
  readonly identifier: Uint8Array;
  readonly authorisation: Authorisation;
}

/** The bytes that are signed. @throws ChartsealError `encoding-invalid` for fields outside their limits */
export function encodeBody(body: Body): Uint8Array {
  const { kind } = body.action;
  const [number, fields] = actionTable[kind];
  return encode([
    version,
    bytesOf(32).write(body.chainId),
    uint.write(body.era),
    number,
    uint.write(body.lastValidMs),
    uint.write(body.head.height),
    bytesOf(32).write(body.head.hash),
    (fields as Codec<unknown>).write(body.action),
  ]);
}

/** @throws ChartsealError `encoding-invalid` */
export function decodeBody(bytes: Uint8Array): Body {
  const items = array(decode(bytes, { sizeMax: transactionBytesMax }), 8);
  if (items[0] !== version) throw malformed("a body of an unknown version");
  const kind = actionKinds.find((name) => actionTable[name][0] === items[3]);
  if (kind === undefined) throw malformed("an unknown kind of transaction");
  const fields = (actionTable[kind][1] as Codec<object>).read(items[7]);
  return {
    chainId: bytesOf(32).read(items[1]),
    era: uint.read(items[2]),
    lastValidMs: uint.read(items[4]),
    head: { height: uint.read(items[5]), hash: bytesOf(32).read(items[6]) },
    action: { kind, ...fields } as Action,
  };
}

/** What everybody calls the transaction, and what an attribute-based signature signs: 32 bytes. */
export function identifierOf(bodyBytes: Uint8Array): Uint8Array {
  return hash("ledger/tx-id", bodyBytes);
}

/** Body and the parts of its authorisation as one transaction. @throws ChartsealError `encoding-invalid` */
export function encodeTransaction(bodyBytes: Uint8Array, authorisation: Partial<Authorisation>): Uint8Array {
  const none = {
    account: null,
    oneTime: null,
    attributes: null,
    relay: null,
    storageReceipt: null,
    admissions: [],
  };
  const bytes = encode([version, bodyBytes, authorisationCodec.write({ ...none, ...authorisation })]);
  if (bytes.length > transactionBytesMax) throw malformed("a transaction has at most 256 KiB");
  return bytes;
}

/** Strict: one encoding per transaction. @throws ChartsealError `encoding-invalid` */
export function decodeTransaction(bytes: Uint8Array): Transaction {
  const items = array(decode(bytes, { sizeMax: transactionBytesMax }), 3);
  if (items[0] !== version) throw malformed("a transaction of an unknown version");
  const bodyBytes = bytesUpTo(transactionBytesMax).read(items[1]);
  return {
    body: decodeBody(bodyBytes),
    bodyBytes,
    identifier: identifierOf(bodyBytes),
    authorisation: authorisationCodec.read(items[2]),
  };
}

function array(value: CborValue, size: number): readonly CborValue[] {
  if (!Array.isArray(value) || value.length !== size) throw malformed(`expected an array of ${size} items`);
  return value as readonly CborValue[];
}

function malformed(message: string): ChartsealError {
  return new ChartsealError("encoding-invalid", message);
}
