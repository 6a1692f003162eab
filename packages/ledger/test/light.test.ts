/** Light verification of a chain that signs itself: what counts, and every forgery that must not. */
import { sha256, utf8 } from "@chartseal/crypto";
import { describe, expect, test } from "vitest";
import { lightBlockJson, lightBlockOfRpc, parseLightBlock } from "../src/light/json.ts";
import { formatTime, parseTime } from "../src/light/time.ts";
import type { BlockCommit, CommitVote, LightBlock } from "../src/light/types.ts";
import { followLight, isTrusted, lightBlockFault, lightStepFault } from "../src/light/verify.ts";
import { absentVote, cometKey, cometSet, lightBlock, signRaw, voteOf } from "./comet-fixture.ts";

const chainId = `cs-${"ab".repeat(20)}`;
const keys = ["a", "b", "c", "d"].map((label) => cometKey(label));
const mallory = cometKey("mallory");
const base = { chainId, height: 7, validators: keys };
const whole = lightBlock(base);
const verdict = (block: LightBlock, chain = chainId) => lightBlockFault(chain, block)?.verdict;
const withCommit = (block: LightBlock, changes: Partial<BlockCommit>): LightBlock => ({
  ...block,
  signedHeader: { ...block.signedHeader, commit: { ...block.signedHeader.commit, ...changes } },
});
const withVotes = (block: LightBlock, change: (votes: CommitVote[]) => CommitVote[]): LightBlock =>
  withCommit(block, { votes: change([...block.signedHeader.commit.votes]) });

describe("one header", () => {
  test("counts where more than two thirds signed, and not where two thirds did", () => {
    expect(verdict(whole)).toBeUndefined();
    expect(verdict(lightBlock({ ...base, signers: keys.slice(1) }))).toBeUndefined();
    expect(verdict(lightBlock({ ...base, signers: keys.slice(2) }))).toBe("power");
    const three = keys.slice(0, 3);
    expect(verdict(lightBlock({ ...base, validators: three, signers: three.slice(1) }))).toBe("power");
  });

  test("counts power, not heads", () => {
    const heavy = [cometKey("a", 7), cometKey("b", 1), cometKey("c", 1), cometKey("d", 1)];
    const uneven = { ...base, validators: heavy };
    expect(verdict(lightBlock({ ...uneven, signers: heavy.slice(0, 1) }))).toBeUndefined();
    expect(verdict(lightBlock({ ...uneven, signers: heavy.slice(1) }))).toBe("power");
  });

  test("is of its own chain: a vote for another chain's header, same keys, same height, is none here", () => {
    const other = lightBlock({ ...base, chainId: "cs-other" });
    expect(verdict(other)).toBe("chain-id");
    // The header renamed to this chain, under the votes for the other one.
    const votes = other.signedHeader.commit.votes;
    expect(verdict(withCommit(whole, { votes }))).toBe("signature");
  });

  test("was not altered: a header with another app hash under the right commit is a forgery", () => {
    const header = { ...whole.signedHeader.header, appHash: sha256(utf8("forged")) };
    expect(verdict({ ...whole, signedHeader: { ...whole.signedHeader, header } })).toBe("header-hash");
  });

  test("was signed by its own validators: strangers do not hash to the set", () => {
    const strangers = ["e", "f", "g", "h"].map((label) => cometKey(label));
    const forged = lightBlock({ ...base, validators: strangers });
    const header = {
      ...forged.signedHeader.header,
      validatorsHash: whole.signedHeader.header.validatorsHash,
    };
    const swapped = { ...forged, signedHeader: { ...forged.signedHeader, header } };
    expect(verdict(withCommit(swapped, {}))).toBe("header-hash");
    expect(verdict({ ...whole, validators: forged.validators })).toBe("validators-hash");
  });

  test("a validator counts once: two places with one signature, or one validator twice in the set", () => {
    const minority = lightBlock({ ...base, signers: keys.slice(0, 1) });
    const [signed] = minority.signedHeader.commit.votes.filter(({ flag }) => flag === 2);
    expect(verdict(withVotes(minority, (votes) => votes.map(() => signed!)))).toBe("votes");
    const twice = lightBlock({ ...base, validators: [keys[0]!, keys[0]!, keys[1]!] });
    expect(verdict(twice)).toBe("votes");
    expect(verdict(withVotes(whole, (votes) => [...votes, votes[0]!]))).toBe("votes");
    expect(verdict(withVotes(whole, (votes) => votes.slice(1)))).toBe("votes");
  });

  test("a signature for another height, another round, or a prevote is none for this commit", () => {
    const { commit } = whole.signedHeader;
    const { blockId } = commit;
    const revote = (changes: { height?: number; round?: number }) =>
      cometSet(keys).map((key) =>
        voteOf(chainId, key, { height: 7, round: 0, blockId, time: commit.votes[0]!.time, ...changes }),
      );
    expect(verdict(withCommit(whole, { votes: revote({}) }))).toBeUndefined();
    expect(verdict(withCommit(whole, { votes: revote({ height: 8 }) }))).toBe("signature");
    expect(verdict(withCommit(whole, { votes: revote({ round: 1 }) }))).toBe("signature");
    expect(verdict(withCommit(whole, { height: 8 }))).toBe("height");
    expect(verdict(withCommit(whole, { round: 1 }))).toBe("signature");
  });

  test("votes for no block are not counted, however well signed, nor a nil vote relabelled as one for the block", () => {
    const { commit } = whole.signedHeader;
    const time = commit.votes[0]!.time;
    const nil = (votes: CommitVote[]) =>
      votes.map((vote, at) =>
        at < 2 ? voteOf(chainId, cometSet(keys)[at]!, { height: 7, round: 0, blockId: null, time }) : vote,
      );
    expect(verdict(withVotes(whole, nil))).toBe("power");
    const relabelled = (votes: CommitVote[]) => nil(votes).map((vote) => ({ ...vote, flag: 2 as const }));
    expect(verdict(withVotes(whole, relabelled))).toBe("signature");
  });

  test("a forged signature of a member refuses the whole, even beside enough good ones", () => {
    const forged = signRaw(mallory.seed, utf8("anything"));
    const one = (votes: CommitVote[]) =>
      votes.map((vote, at) => (at === 0 ? { ...vote, signature: forged } : vote));
    expect(verdict(withVotes(whole, one))).toBe("signature");
    expect(verdict(withVotes(whole, (votes) => [absentVote, ...votes.slice(1)]))).toBeUndefined();
  });
});

describe("one step", () => {
  const rules = { chainId, trustPeriodMs: 1_000_000, nowMs: 1_700_000_100_000 };
  const trusted = { header: whole.signedHeader.header, validators: whole.validators };
  const step = (block: LightBlock, changes: Partial<typeof rules> = {}) =>
    lightStepFault(trusted, block, { ...rules, ...changes })?.verdict;

  test("the next header takes the set that the trusted one names, and no other", () => {
    expect(step(lightBlock({ ...base, height: 8 }))).toBeUndefined();
    const others = [...keys.slice(0, 3), mallory];
    expect(step(lightBlock({ ...base, height: 8, validators: others }))).toBe("validators-hash");
    const named = lightBlock({ ...base, next: others });
    const from = { header: named.signedHeader.header, validators: named.validators };
    expect(
      lightStepFault(from, lightBlock({ ...base, height: 8, validators: others }), rules),
    ).toBeUndefined();
  });

  test("a later one takes more than a third of the trusted power", () => {
    const next = (count: number) => {
      const validators = [...keys.slice(0, count), ...["x", "y", "z"].map((one) => cometKey(one))];
      return step(lightBlock({ ...base, height: 20, validators }));
    };
    expect(next(2)).toBeUndefined();
    expect(next(1)).toBe("trust");
    expect(next(0)).toBe("trust");
  });

  test("a validator's vote carries trust once, however often it stands in the commit", () => {
    const commit = whole.signedHeader.commit;
    const [one] = commit.votes;
    const repeated = withCommit(whole, { votes: [one!, one!, one!, one!] });
    expect(isTrusted(whole.validators, repeated, { chainId })).toBe(false);
    expect(isTrusted(whole.validators, whole, { chainId })).toBe(true);
  });

  test("not beyond the trust period, not from the future, not back", () => {
    const later = lightBlock({ ...base, height: 20 });
    const trustedMs = 1_700_000_007_000;
    expect(step(later, { nowMs: trustedMs + 999_999 })).toBeUndefined();
    expect(step(later, { nowMs: trustedMs + 1_000_000 })).toBe("expired");
    expect(step(later, { nowMs: 1_700_000_020_000 - 9_999 })).toBeUndefined();
    expect(step(later, { nowMs: 1_700_000_020_000 - 10_000 })).toBe("future");
    expect(step(lightBlock({ ...base, height: 7 }))).toBe("height");
    expect(step(lightBlock({ ...base, height: 8, seconds: 1_700_000_007 }))).toBe("time");
  });

  test("a source that answers with the wrong height ends the search", async () => {
    const target = lightBlock({ ...base, height: 20, validators: [mallory] });
    const asked: number[] = [];
    const found = await followLight(trusted, target, {
      ...rules,
      fetch: async (height) => {
        asked.push(height);
        return target;
      },
    });
    expect(found.fault?.verdict).toBe("trust");
    expect(asked).toEqual([13]);
  });
});

describe("as JSON", () => {
  test("our form gives the same block back, absent votes and nanoseconds too", () => {
    const block = lightBlock({ ...base, signers: keys.slice(1) });
    expect(parseLightBlock(JSON.parse(JSON.stringify(lightBlockJson(block))))).toEqual(block);
  });

  test("CometBFT's form gives the same, and sorts the set", () => {
    const upper = (value: unknown): unknown =>
      JSON.parse(JSON.stringify(value), (name, one) => {
        const isHash =
          typeof one === "string" && /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(one) && name !== "value";
        if (isHash) return one.toUpperCase();
        return name === "value" || name === "signature" ? Buffer.from(one, "hex").toString("base64") : one;
      });
    const { signedHeader, validators } = lightBlockJson(whole);
    expect(lightBlockOfRpc(upper(signedHeader), (upper(validators) as unknown[]).reverse())).toEqual(whole);
  });

  test.each([
    ["a height below 0", { height: "-1" }],
    ["a hash of 31 bytes", { data_hash: "00".repeat(31) }],
    ["upper-case hex", { data_hash: "AB".repeat(32) }],
    ["a day that no calendar has", { time: "2026-02-30T00:00:00Z" }],
    ["an address of 21 bytes", { proposer_address: "00".repeat(21) }],
  ])("%s is refused", (_, changes) => {
    const value = JSON.parse(JSON.stringify(lightBlockJson(whole)));
    Object.assign(value.signedHeader.header, changes);
    expect(() => parseLightBlock(value)).toThrow();
  });

  test.each([
    ["0001-01-01T00:00:00Z", -62_135_596_800, 0],
    ["1970-01-01T00:00:00.000000001Z", 0, 1],
    ["2024-02-29T23:59:59.5Z", 1_709_251_199, 500_000_000],
  ])("the time %s", (text, seconds, nanos) => {
    expect(parseTime(text)).toEqual({ seconds, nanos });
    expect(formatTime({ seconds, nanos })).toBe(text);
  });
});
