/**
 * Light verification against CometBFT's own vectors: model-based cases with a verdict for each step, a bisection, the
 * hashes of ten headers and proofs of transactions of a real chain. They lie beside the repository; where they do not,
 * light.test.ts holds the same code to a chain that it signs itself.
 */
import { concat, equalBytes, fromHex, sha256, sha256Tree, toHex } from "@chartseal/crypto";
import { expect, test } from "vitest";
import { describeShared, sharedJson } from "../../../test/shared-data.ts";
import { cometHeaderHash, validatorsHash, voteBytes } from "../src/light/hashes.ts";
import { cometHeaderOfRpc, lightBlockOfRpc } from "../src/light/json.ts";
import { parseTime, timeMs } from "../src/light/time.ts";
import type { CometValidator, LightBlock } from "../src/light/types.ts";
import { followLight, lightStepFault } from "../src/light/verify.ts";
import { cometKey, lightBlock } from "./comet-fixture.ts";

// biome-ignore lint/suspicious/noExplicitAny: another project's files, read as they are.
const read = (name: string): any => sharedJson("vectors", "cometbft", name);
const base64 = (text: string) => new Uint8Array(Buffer.from(text, "base64"));
const set = (value: { validators: unknown }): readonly CometValidator[] =>
  lightBlockOfRpc(emptySigned, value.validators ?? []).validators;
const emptyId = { hash: "", parts: { total: 0, hash: "" } };
const emptySigned = {
  header: {
    version: { block: "0", app: "0" },
    chain_id: "",
    height: "0",
    time: "1970-01-01T00:00:00Z",
    last_block_id: emptyId,
    ...Object.fromEntries(
      [
        "last_commit",
        "data",
        "validators",
        "next_validators",
        "consensus",
        "app",
        "last_results",
        "evidence",
      ].map((name) => [`${name}_hash`, ""]),
    ),
    proposer_address: "00".repeat(20),
  },
  commit: { height: "0", round: 0, block_id: emptyId, signatures: [] },
};

const cases = [
  "TestFailure",
  "TestHeaderFromFuture",
  "TestLessThanTwoThirdsSign",
  "TestMoreThanTwoThirdsSign",
  "TestNonMonotonicHeight",
  "TestSuccess",
];

test("what CometBFT signs, by its own specification's example: an empty vote of a chain without a name", () => {
  const vote = {
    type: 2 as const,
    height: 1,
    round: 1,
    blockId: null,
    time: { seconds: -62_135_596_800, nanos: 0 },
  };
  expect(toHex(voteBytes("", vote))).toBe(
    "2108021101000000000000001901000000000000002a0b088092b8c398feffffff01",
  );
});

describeShared("CometBFT's vectors", () => {
  test.each(cases)("the verdict of each step of %s", (name) => {
    const { initial, input } = read(`MC4_4_faulty_${name}.json`);
    const start = lightBlockOfRpc(initial.signed_header, []).signedHeader.header;
    let trusted = { header: start, validators: set(initial.next_validator_set) };
    for (const step of input) {
      const { signed_header: signed, validator_set: own, next_validator_set: next } = step.block;
      const block = lightBlockOfRpc(signed, own.validators ?? []);
      const fault = lightStepFault(trusted, block, {
        chainId: start.chainId,
        trustPeriodMs: Number(initial.trusting_period) / 1e6,
        nowMs: timeMs(parseTime(step.now)),
        clockDriftMs: 1_000,
      });
      const verdict =
        fault === undefined ? "SUCCESS" : fault.verdict === "trust" ? "NOT_ENOUGH_TRUST" : "INVALID";
      expect(verdict, JSON.stringify(fault)).toBe(step.verdict);
      if (fault === undefined) trusted = { header: block.signedHeader.header, validators: set(next) };
    }
  });

  // The file's own bytes are of Tendermint 0.33, before its headers and votes were protobuf; no CometBFT reads them.
  test("the happy path's validators hash as amino wrote them, which v0.38 does not", () => {
    const [first] = read("_happy_path.json").primary.lite_blocks;
    const validators = lightBlockOfRpc(emptySigned, first.validator_set.validators).validators;
    const amino = validators.map(({ publicKey, power }) =>
      sha256Tree.leafHash(concat(fromHex("0a251624de6420"), publicKey, Uint8Array.of(0x10, power))),
    );
    const named = first.signed_header.header.validators_hash;
    expect(toHex(sha256Tree.root(amino)).toUpperCase()).toBe(named);
    expect(toHex(validatorsHash(validators)).toUpperCase()).not.toBe(named);
  });

  test("the happy path, signed anew: no error from height 1 to height 11, over a change of all validators", async () => {
    const path = read("_happy_path.json");
    const { chain_id: chainId, lite_blocks: given } = path.primary;
    const keysOf = (value: { validators: { address: string; voting_power: string }[] }) =>
      value.validators.map(({ address, voting_power: power }) => cometKey(address, Number(power)));
    const blocks = new Map<number, LightBlock>();
    for (const { signed_header: signed, validator_set: own, next_validator_set: next } of given) {
      const height = Number(signed.header.height);
      const { seconds } = parseTime(signed.header.time);
      const wanted = { chainId, height, seconds, validators: keysOf(own), next: keysOf(next) };
      blocks.set(height, lightBlock(wanted));
    }
    const asked: number[] = [];
    const first = blocks.get(1)!;
    const target = blocks.get(Number(path.height_to_verify))!;
    const { taken, fault } = await followLight(
      { header: first.signedHeader.header, validators: first.validators },
      target,
      {
        chainId,
        trustPeriodMs: Number(path.trust_options.period) / 1e6,
        nowMs: timeMs(parseTime(path.now)),
        fetch: async (height) => {
          asked.push(height);
          return blocks.get(height);
        },
      },
    );
    expect(fault).toBeUndefined();
    expect(taken.at(-1)).toBe(target);
    expect(path.expected_output).toBe("no error");
    // 6 has nobody that 1 knows: only the step from 5 to 6, which 5 names, carries the trust over.
    expect(taken.map(({ signedHeader }) => signedHeader.header.height)).toEqual([3, 4, 5, 6, 11]);
    expect(asked).toEqual([6, 3, 4, 5]);
  });

  test("the hashes of ten headers of a real chain", () => {
    const { block_metas: metas } = read("blockchain_from_1_to_10.json").result;
    expect(metas).toHaveLength(10);
    for (const { block_id: id, header } of metas) {
      expect(toHex(cometHeaderHash(cometHeaderOfRpc(header))).toUpperCase()).toBe(id.hash);
    }
  });

  test("a set of validators hashes to what the header names", () => {
    const { initial, input } = read("MC4_4_faulty_TestSuccess.json");
    const hash = toHex(validatorsHash(set(initial.next_validator_set))).toUpperCase();
    expect(hash).toBe(initial.signed_header.header.next_validators_hash);
    const third = input[2].block;
    expect(toHex(validatorsHash(set(third.validator_set))).toUpperCase()).toBe(
      third.signed_header.header.validators_hash,
    );
  });

  test("proofs of transactions under a header's data hash", () => {
    for (const { tx, hash, proof } of read("tx_search_with_prove.json").result.txs) {
      const digest = sha256(base64(tx));
      expect(toHex(digest).toUpperCase()).toBe(hash);
      // CometBFT's tree is over the transactions' hashes.
      const leafHash = sha256Tree.leafHash(digest);
      expect(equalBytes(leafHash, base64(proof.proof.leaf_hash))).toBe(true);
      const root = fromHex(proof.root_hash.toLowerCase());
      const claim = { leafHash, index: Number(proof.proof.index), size: Number(proof.proof.total), root };
      expect(sha256Tree.verifyInclusion({ ...claim, proof: proof.proof.aunts.map(base64) })).toBe(true);
      const other = sha256Tree.leafHash(sha256(leafHash));
      expect(sha256Tree.verifyInclusion({ ...claim, leafHash: other, proof: [] })).toBe(false);
    }
  });
});
