/**
 * Commits, without which a block does not count (CONTRACT, Blocks), of both engines. Embedded: the proposer's own
 * signature. CometBFT: the light block whose header carries the block's hash as app hash, CometBFT's next height after the
 * one that made the block. One genesis serves both engines, so that a signature alone counts only where its signer holds
 * more than two thirds of the stake: else one validator of four could pass a block of its own off as an embedded one.
 */
import {
  type CborValue,
  ChartsealError,
  compareBytes,
  decode,
  encode,
  equalBytes,
  fromHex,
  toHex,
} from "@chartseal/crypto";
import { cometAddress, validatorsHash } from "./light/hashes.ts";
import { type LightBlockJson, lightBlockJson, parseLightBlock } from "./light/json.ts";
import { type CometValidator, cometChainId, type LightBlock, voteFlags } from "./light/types.ts";
import { lightBlockFault } from "./light/verify.ts";

/** One signature of an embedded commit. */
export interface CommitSignature {
  readonly publicKey: Uint8Array;
  readonly signature: Uint8Array;
}

export type EmbeddedCommit = readonly CommitSignature[];
export type CometCommit = LightBlock;
export type Commit = EmbeddedCommit | CometCommit;

/** A validator's weight, as the genesis and the state hold it. */
export interface StakedValidator {
  readonly publicKey: Uint8Array;
  readonly stake: number;
}

export function isCometCommit(commit: Commit): commit is CometCommit {
  return "signedHeader" in commit;
}

/** Whether CometBFT's commit is for this block of this chain, by the validators that it names itself. */
export function verifyCometCommit(chainId: Uint8Array, hash: Uint8Array, commit: CometCommit): boolean {
  const { appHash } = commit.signedHeader.header;
  return equalBytes(appHash, hash) && lightBlockFault(cometChainId(toHex(chainId)), commit) === undefined;
}

/** In CometBFT's order: falling power, then rising address. */
export function cometValidators(validators: readonly StakedValidator[]): CometValidator[] {
  const sorted = validators.map(({ publicKey, stake }) => ({ publicKey, power: stake }));
  const address = (one: CometValidator) => cometAddress(one.publicKey);
  return sorted.sort((a, b) => b.power - a.power || compareBytes(address(a), address(b)));
}

/** The hash that CometBFT gives to validators of these stakes. */
export function validatorSetHash(validators: readonly StakedValidator[]): Uint8Array {
  return validatorsHash(cometValidators(validators));
}

/** Whether this key alone holds more than two thirds of the stake, so that its signature is a commit. */
export function commitsAlone(validators: readonly StakedValidator[], publicKey: Uint8Array): boolean {
  const all = validators.reduce((sum, { stake }) => sum + BigInt(stake), 0n);
  const own = validators.find((one) => equalBytes(one.publicKey, publicKey));
  return own !== undefined && 3n * BigInt(own.stake) > 2n * all;
}

/** Who signed both of two commits, as their public keys: of two blocks of one height, proof against each of them. */
export function signersOfBoth(first: Commit, second: Commit): Uint8Array[] {
  const signers = (commit: Commit): Uint8Array[] =>
    isCometCommit(commit)
      ? commit.validators
          .filter((_, at) => commit.signedHeader.commit.votes[at]?.flag === voteFlags.block)
          .map(({ publicKey }) => publicKey)
      : commit.map(({ publicKey }) => publicKey);
  const others = signers(second);
  return signers(first).filter((key) => others.some((other) => equalBytes(other, key)));
}

export type EmbeddedCommitJson = readonly { readonly publicKey: string; readonly signature: string }[];
export type CommitJson = EmbeddedCommitJson | LightBlockJson;

/** As a line of `ledger export` holds it. */
export function commitJson(commit: Commit): CommitJson {
  if (isCometCommit(commit)) return lightBlockJson(commit);
  return commit.map(({ publicKey, signature }) => ({
    publicKey: toHex(publicKey),
    signature: toHex(signature),
  }));
}

/** @throws ChartsealError `encoding-invalid` */
export function parseCommit(value: unknown): Commit {
  if (!Array.isArray(value)) return parseLightBlock(value);
  return value.map((item): CommitSignature => {
    const { publicKey, signature } = (item ?? {}) as Record<string, unknown>;
    if (typeof publicKey !== "string" || typeof signature !== "string") {
      throw new ChartsealError("encoding-invalid", "a commit is signatures with their keys");
    }
    return { publicKey: fromHex(publicKey, 32), signature: fromHex(signature, 64) };
  });
}

/** As a store keeps it: CBOR [[public key, signature] …], or the text of the JSON form. */
export function encodeCommit(commit: Commit): Uint8Array {
  return encode(commitValue(commit));
}

/** The same as a part of something larger. */
export function commitValue(commit: Commit): CborValue {
  if (isCometCommit(commit)) return JSON.stringify(lightBlockJson(commit));
  return commit.map(({ publicKey, signature }) => [publicKey, signature]);
}

const commitBytesMax = 1024 * 1024;

/** @throws ChartsealError `encoding-invalid` */
export function decodeCommit(bytes: Uint8Array): Commit {
  return commitOfValue(decode(bytes, { sizeMax: commitBytesMax }));
}

/** @throws ChartsealError `encoding-invalid` */
export function commitOfValue(value: CborValue | undefined): Commit {
  if (typeof value === "string") return parseLightBlock(jsonOf(value));
  return items(value).map((item) => {
    const [publicKey, signature, ...rest] = items(item);
    const isSigned = publicKey instanceof Uint8Array && signature instanceof Uint8Array;
    if (!isSigned || publicKey.length !== 32 || signature.length !== 64 || rest.length > 0) throw malformed();
    return { publicKey, signature };
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed();
  }
}

function items(value: CborValue | undefined): readonly CborValue[] {
  if (!Array.isArray(value)) throw malformed();
  return value;
}

function malformed(): ChartsealError {
  return new ChartsealError("encoding-invalid", "the stored commit is malformed");
}

/**
 * Follows a chain's commits block by block from the genesis, as a stranger does (CONTRACT, Blocks): the first one's
 * validators are the genesis', every later one's those that the one before names as next.
 */
export class CommitChain {
  #expected: Uint8Array | undefined;

  constructor(genesis: readonly StakedValidator[]) {
    this.#expected = validatorSetHash(genesis);
  }

  /** What a block that cannot be read leaves unknown. */
  lose(): void {
    this.#expected = undefined;
  }

  /** Takes the next block's commit, which `verifyCometCommit` accepts; what is wrong with its place in the chain. */
  take({ signedHeader }: CometCommit): string | undefined {
    const { validatorsHash: own, nextValidatorsHash } = signedHeader.header;
    const expected = this.#expected;
    this.#expected = nextValidatorsHash;
    if (expected === undefined || equalBytes(expected, own)) return undefined;
    return "the commit is by other validators than the one before it names";
  }
}
