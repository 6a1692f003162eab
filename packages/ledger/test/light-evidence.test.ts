/** Evidence as it comes to hand, made into the transaction that punishes it, and what the ledger says to that. */
import { sha256, toHex, utf8 } from "@chartseal/crypto";
import { beforeAll, expect, test } from "vitest";
import { equivocationsBetween, equivocationsOfRpc } from "../src/light/evidence.ts";
import { cometAddress } from "../src/light/hashes.ts";
import { formatTime } from "../src/light/time.ts";
import { cometChainId } from "../src/light/types.ts";
import type { EvidenceVote } from "../src/stake-values.ts";
import { type CometKey, lightBlock } from "./comet-fixture.ts";
import { equivocationOf, powers, stakeWorld, unsigned, validators, value } from "./stake-world.ts";
import type { World } from "./world.ts";

const keys: readonly CometKey[] = validators.slice(0, 4).map((one) => ({ ...one, power: 10 }));
let base: World;
beforeAll(async () => {
  base = await stakeWorld();
});

const commitFor = (name: string, changes: object = {}) =>
  lightBlock({
    chainId: cometChainId(toHex(base.chainId)),
    height: 12,
    validators: keys,
    appHash: sha256(utf8(name)),
    ...changes,
  });

test("two commits of one height give evidence against everyone who signed both, which the ledger takes", () => {
  const [one, other] = [commitFor("one"), commitFor("other", { signers: keys.slice(1) })];
  const found = equivocationsBetween(one, other);
  expect(found.map(({ validator }) => toHex(validator)).sort()).toEqual(
    keys
      .slice(1)
      .map(({ publicKey }) => toHex(publicKey))
      .sort(),
  );
  expect(equivocationsBetween(other, one)).toEqual(expect.arrayContaining(found));
  const world = base.fork();
  for (const action of found) world.submit(unsigned(world, action));
  // One of four goes; the two others stay, since three must, and lose weight as well.
  expect([1, 2, 3].map((at) => value(world, at).bonds[0]!.amount)).toEqual([9, 9, 9]);
  expect(powers(world).filter((power) => power !== undefined)).toHaveLength(3);
});

test("two commits that accuse nobody: of one block, of two heights, of two rounds", () => {
  expect(equivocationsBetween(commitFor("one"), commitFor("one", { signers: keys.slice(1) }))).toEqual([]);
  expect(equivocationsBetween(commitFor("one"), commitFor("other", { height: 13 }))).toEqual([]);
  expect(equivocationsBetween(commitFor("one"), commitFor("other", { round: 1 }))).toEqual([]);
});

test("the duplicate votes in a block of CometBFT's RPC", () => {
  const made = equivocationOf(base, validators[2]!, { blocks: ["a", null], round: 2, height: 40 });
  const address = toHex(cometAddress(made.validator)).toUpperCase();
  const vote = ({ blockId, seconds, nanos, signature }: EvidenceVote) => ({
    type: 2,
    height: "40",
    round: 2,
    block_id: {
      hash: blockId === null ? "" : toHex(blockId.hash).toUpperCase(),
      parts: {
        total: blockId?.total ?? 0,
        hash: blockId === null ? "" : toHex(blockId.partsHash).toUpperCase(),
      },
    },
    timestamp: formatTime({ seconds, nanos }),
    validator_address: address,
    validator_index: 2,
    signature: Buffer.from(signature).toString("base64"),
  });
  const duplicate = { vote_a: vote(made.first), vote_b: vote(made.second), total_voting_power: "40" };
  const evidence = {
    evidence: [
      { type: "tendermint/LightClientAttackEvidence", value: {} },
      { type: "tendermint/DuplicateVoteEvidence", value: duplicate },
    ],
  };
  const all = validators.map(({ publicKey }) => publicKey);
  const found = equivocationsOfRpc(evidence, all);
  expect(found).toEqual([{ ...made, first: made.second, second: made.first }]);
  expect(base.verdict(unsigned(base, found[0]!))).toBe("applied");
  expect(equivocationsOfRpc(evidence, all.slice(0, 2))).toEqual([]);
  expect(equivocationsOfRpc({ evidence: [] }, all)).toEqual([]);
  expect(() => equivocationsOfRpc({}, all)).toThrow();
});
