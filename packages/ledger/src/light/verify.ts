/**
 * Light verification of CometBFT's commits, pure: which headers more than two thirds of a known set of validators signed,
 * and how trust goes from one header to a later one (CometBFT specification, Light Client; DESIGN, decision 1). The next
 * header is signed by the set that the one before names; a later one is trusted where validators that hold more than a
 * third of the trusted power signed it too, since at least one of them is honest.
 */
import { equalBytes, toHex, verifyUntagged } from "@chartseal/crypto";
import { cometAddress, cometHeaderHash, validatorsHash, voteBytes, voteTypes } from "./hashes.ts";
import { compareTimes, timeMs } from "./time.ts";
import {
  type BlockCommit,
  type CometHeader,
  type CometTime,
  type CometValidator,
  type CommitVote,
  type LightBlock,
  voteFlags,
} from "./types.ts";

/** Why a light block does not count. `trust`: it may be right, and an earlier one is needed in between. */
export type LightVerdict =
  | "chain-id"
  | "height"
  | "time"
  | "future"
  | "expired"
  | "header-hash"
  | "validators-hash"
  | "votes"
  | "signature"
  | "power"
  | "trust";

export interface LightFault {
  readonly verdict: LightVerdict;
  readonly detail: string;
}

const fault = (verdict: LightVerdict, detail: string): LightFault => ({ verdict, detail });

/** Sums of powers go beyond 2^53 before they are compared. */
export function totalPower(validators: readonly CometValidator[]): bigint {
  return validators.reduce((sum, { power }) => sum + BigInt(power), 0n);
}

/** What a light block says of itself: chain, header, commit, validators, and that more than two thirds signed. */
export function lightBlockFault(
  chainId: string,
  { signedHeader, validators }: LightBlock,
): LightFault | undefined {
  const { header, commit } = signedHeader;
  if (header.chainId !== chainId)
    return fault("chain-id", `the header is of chain ${header.chainId}, not ${chainId}`);
  if (commit.height !== header.height)
    return fault("height", "the commit is for another height than the header");
  if (!equalBytes(cometHeaderHash(header), commit.blockId.hash))
    return fault("header-hash", "the commit is for another header");
  if (!equalBytes(validatorsHash(validators), header.validatorsHash))
    return fault("validators-hash", "the validators are not those that the header names");
  return commitFault(chainId, validators, commit);
}

function commitFault(
  chainId: string,
  validators: readonly CometValidator[],
  commit: BlockCommit,
): LightFault | undefined {
  const keys = new Set(validators.map(({ publicKey }) => toHex(publicKey)));
  if (validators.length === 0 || keys.size !== validators.length)
    return fault("votes", "the validators are none, or one of them stands twice");
  if (commit.votes.length !== validators.length)
    return fault("votes", "the commit has not one place for each validator");
  let signed = 0n;
  for (const [at, vote] of commit.votes.entries()) {
    if (vote.flag !== voteFlags.block) continue;
    const { publicKey, power } = validators[at]!;
    if (!equalBytes(vote.address, cometAddress(publicKey)))
      return fault("votes", "a vote stands in another validator's place");
    if (!isSigned(chainId, publicKey, commit, vote))
      return fault("signature", "a validator's signature does not verify");
    signed += BigInt(power);
  }
  if (3n * signed <= 2n * totalPower(validators))
    return fault("power", "validators of no more than two thirds of the power signed");
  return undefined;
}

function isSigned(chainId: string, publicKey: Uint8Array, commit: BlockCommit, vote: CommitVote): boolean {
  const { height, round, blockId } = commit;
  const signed = { type: voteTypes.precommit, height, round, blockId, time: vote.time };
  return verifyUntagged(publicKey, voteBytes(chainId, signed), vote.signature);
}

/** What is trusted: a header, and the validators that stand behind what follows it. */
export interface TrustedHeader {
  readonly header: Pick<CometHeader, "height" | "time" | "nextValidatorsHash">;
  /** Those that signed it, or the next ones, where they are known. */
  readonly validators: readonly CometValidator[];
}

export interface TrustRules {
  readonly chainId: string;
  /** How long a header's validators can be held to account; infinite where trust never expires. */
  readonly trustPeriodMs: number;
  readonly nowMs: number;
  /** How far ahead of `nowMs` a header may be dated; default 10 s. */
  readonly clockDriftMs?: number;
  /** Of the trusted power, how much must have signed a header that is not the next; default a third. */
  readonly trustLevel?: { readonly numerator: number; readonly denominator: number };
}

const third = { numerator: 1, denominator: 3 };

/** Whether `next`, a later light block, follows from what is trusted; undefined where it does. */
export function lightStepFault(
  trusted: TrustedHeader,
  next: LightBlock,
  rules: TrustRules,
): LightFault | undefined {
  const { nowMs, clockDriftMs = 10_000 } = rules;
  const { header } = next.signedHeader;
  if (isExpired(trusted.header.time, rules))
    return fault("expired", "the trusted header is older than the trust period");
  if (header.height <= trusted.header.height)
    return fault("height", "the header is not after the trusted one");
  if (compareTimes(header.time, trusted.header.time) <= 0)
    return fault("time", "the header is not dated after the trusted one");
  if (timeMs(header.time) >= nowMs + clockDriftMs)
    return fault("future", "the header is dated in the future");
  const isNext = header.height === trusted.header.height + 1;
  if (isNext && !equalBytes(header.validatorsHash, trusted.header.nextValidatorsHash))
    return fault("validators-hash", "the header's validators are not those that the trusted one names");
  const own = lightBlockFault(rules.chainId, next);
  // What is enough by itself but signed by too few that are known is no lie: a header in between may carry the trust.
  if (own !== undefined && (own.verdict !== "power" || isNext)) return own;
  // The validators that the trusted header names are trusted as a whole, and more than two thirds of them signed.
  const isNamed = equalBytes(header.validatorsHash, trusted.header.nextValidatorsHash);
  const known = isNext || (isNamed && own === undefined) || isTrusted(trusted.validators, next, rules);
  return known ? own : fault("trust", "too few of the trusted validators signed the header");
}

export function isExpired(time: CometTime, { nowMs, trustPeriodMs }: TrustRules): boolean {
  return Number.isFinite(trustPeriodMs) && timeMs(time) + trustPeriodMs <= nowMs;
}

/** Whether validators of more than the trust level of the trusted power signed, each counted once. */
export function isTrusted(
  trusted: readonly CometValidator[],
  { signedHeader }: LightBlock,
  { chainId, trustLevel = third }: Pick<TrustRules, "chainId" | "trustLevel">,
): boolean {
  const { commit } = signedHeader;
  const waiting = new Map(trusted.map((one) => [toHex(cometAddress(one.publicKey)), one]));
  let signed = 0n;
  for (const vote of commit.votes) {
    const address = toHex(vote.address);
    const validator = waiting.get(address);
    if (vote.flag !== voteFlags.block || validator === undefined) continue;
    if (!isSigned(chainId, validator.publicKey, commit, vote)) continue;
    waiting.delete(address);
    signed += BigInt(validator.power);
  }
  return BigInt(trustLevel.denominator) * signed > BigInt(trustLevel.numerator) * totalPower(trusted);
}

/**
 * Follows trust to a light block, by those in between where it takes them: the headers taken on the way, the last of them
 * the target. `fetch` gives the light block of a height of CometBFT.
 */
export async function followLight(
  trusted: TrustedHeader,
  target: LightBlock,
  options: TrustRules & { fetch(height: number): Promise<LightBlock | undefined> },
): Promise<{ readonly taken: readonly LightBlock[]; readonly fault?: LightFault }> {
  const taken: LightBlock[] = [];
  const waiting = [target];
  let at = trusted;
  while (waiting.length > 0) {
    const next = waiting.at(-1)!;
    const found = lightStepFault(at, next, options);
    if (found === undefined) {
      waiting.pop();
      taken.push(next);
      at = { header: next.signedHeader.header, validators: next.validators };
      continue;
    }
    const { height } = next.signedHeader.header;
    const middle = Math.floor((at.header.height + height) / 2);
    const between =
      found.verdict === "trust" && middle > at.header.height ? await options.fetch(middle) : undefined;
    // A source that answers with another height would else be asked for ever.
    if (between === undefined || between.signedHeader.header.height !== middle)
      return { taken, fault: found };
    waiting.push(between);
  }
  return { taken };
}
