/** The published vectors of CometBFT's commits: keys, headers and votes from labels alone (spec/6-ledger.md). */
import { fromHex, toHex } from "@chartseal/crypto";
import { commitJson, encodeCommit } from "../src/commit.ts";
import { cometHeaderHash, validatorsHash, voteBytes, voteTypes } from "../src/light/hashes.ts";
import { cometChainId } from "../src/light/types.ts";
import { cometKey, cometSet, lightBlock } from "./comet-fixture.ts";

const chainIdHex = "c5".repeat(32);
const keys = [cometKey("vector a", 7), cometKey("vector b", 5), cometKey("vector c", 5)];

/** The whole file, hex for bytes. */
export function cometVectors(): Record<string, unknown> {
  const chainId = cometChainId(chainIdHex);
  const appHash = fromHex("ab".repeat(32));
  const signers = keys.slice(0, 2);
  const block = lightBlock({
    chainId,
    height: 12,
    round: 1,
    validators: keys,
    next: signers,
    signers,
    appHash,
  });
  const { header, commit } = block.signedHeader;
  const vote = { type: voteTypes.precommit, height: 12, round: 1, time: header.time } as const;
  return {
    about: "Recipe: spec/6-ledger.md, Light verification. Byte strings are lower-case hex.",
    chainId: chainIdHex,
    cometChainId: chainId,
    seeds: cometSet(keys).map(({ seed }) => toHex(seed)),
    validatorsHash: toHex(validatorsHash(block.validators)),
    headerHash: toHex(cometHeaderHash(header)),
    voteForBlock: toHex(voteBytes(chainId, { ...vote, blockId: commit.blockId })),
    voteForNone: toHex(voteBytes(chainId, { ...vote, blockId: null })),
    commit: commitJson(block),
    stored: toHex(encodeCommit(block)),
  };
}
