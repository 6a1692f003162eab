/** Values of the state about emergencies, proxies and their keys (spec/6-ledger.md, State values; rules/special-grants.ts). */
import { emergencyRecordsMax, proxyRights, reviewOutcomes, specialModes } from "./actions.ts";
import { bytesOf, bytesUpTo, listOf, oneOf, optional, struct, text, uint } from "./codec.ts";

const hash32 = bytesOf(32);
const account = bytesOf(20);
const name = text(128);
const review = struct({ account, outcome: oneOf(...reviewOutcomes), note: text(1024), height: uint });
const ended = optional(struct({ account, height: uint, timestampMs: uint }));

/** In force as rules/special-grants.ts says. */
export const emergencyCodec = struct({
  owner: account,
  records: listOf(hash32, emergencyRecordsMax),
  reason: text(1024),
  /** The first clinician, who alone gets a key, and the listed attribute that makes one. */
  first: account,
  attribute: name,
  endMs: uint,
  /** Identifier of the declaration. */
  declaration: hash32,
  height: uint,
  era: uint,
  second: optional(struct({ account, attribute: name, height: uint })),
  /** Before its time. */
  ended,
  ownerReview: optional(review),
  nodeReview: optional(review),
});

/** What an owner gave a guardian or carer. */
export const proxyCodec = struct({
  owner: account,
  proxy: account,
  endMs: uint,
  may: listOf(oneOf(...proxyRights), proxyRights.length),
  height: uint,
  era: uint,
  ended,
});

/** The one key of an emergency or a proxy, beside the account's live one. */
export const specialKeyCodec = struct({
  keyId: hash32,
  requestId: hash32,
  account,
  /** The account's at the issue: a key that was replaced takes this one with it. */
  publicKey: hash32,
  mode: oneOf(...specialModes),
  provider: account,
  epoch: uint,
  height: uint,
});

/** A request for such a key. */
export const specialRequestCodec = struct({
  account,
  blinded: bytesOf(48),
  proof: bytesUpTo(256),
  attributes: listOf(name, 1),
  provider: account,
  mode: oneOf(...specialModes),
  grantId: hash32,
  epoch: uint,
  /** d */
  digest: hash32,
  height: uint,
  keyId: optional(hash32),
});
