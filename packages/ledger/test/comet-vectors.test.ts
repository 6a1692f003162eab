/** The published commit of CometBFT: what we make is the file's, and its parts follow from one another by hand. */
import { readFileSync } from "node:fs";
import { platform, sha256, toHex } from "@chartseal/crypto";
import { expect, test } from "vitest";
import { decodeCommit, parseCommit, verifyCometCommit } from "../src/commit.ts";
import { cometVectors } from "./comet-vectors.ts";

const file = new URL("../../../spec/vectors/ledger-comet.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8"));
const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));

test("what we make is what is published, and reads back from both forms", () => {
  expect(JSON.parse(JSON.stringify(cometVectors()))).toEqual(vectors);
  const commit = parseCommit(vectors.commit);
  expect(decodeCommit(hex(vectors.stored))).toEqual(commit);
  const { header } = vectors.commit.signedHeader;
  expect(
    "signedHeader" in commit && verifyCometCommit(hex(vectors.chainId), hex(header.app_hash), commit),
  ).toBe(true);
});

test("tree, vote and signature by hand", () => {
  const leaves = vectors.commit.validators.map(({ pub_key: key, voting_power: power }: never) => {
    const message = Buffer.concat([
      hex("0a220a20"),
      hex((key as { value: string }).value),
      Uint8Array.of(0x10, Number(power)),
    ]);
    return sha256(Uint8Array.of(0), message);
  });
  const node = (a: Uint8Array, b: Uint8Array) => sha256(Uint8Array.of(1), a, b);
  expect(toHex(node(node(leaves[0], leaves[1]), leaves[2]))).toBe(vectors.validatorsHash);
  const { block_id: id, signatures } = vectors.commit.signedHeader.commit;
  expect(id.hash).toBe(vectors.headerHash);
  // type 2, height 12, round 1, the block id of 72 bytes.
  const start = `0802110c0000000000000019010000000000000022480a20${id.hash}122408011220${id.parts.hash}`;
  const message = vectors.voteForBlock.slice(4);
  expect(message.startsWith(start)).toBe(true);
  expect(vectors.voteForNone).not.toContain(id.hash);
  const signed = vectors.commit.validators.map(({ pub_key: key }: never, at: number) =>
    signatures[at].block_id_flag === 2
      ? platform.ed25519Verify(
          hex((key as { value: string }).value),
          hex(vectors.voteForBlock),
          hex(signatures[at].signature),
        )
      : null,
  );
  expect(signed.filter((one: boolean | null) => one === true)).toHaveLength(2);
  expect(signed.filter((one: boolean | null) => one === null)).toHaveLength(1);
});
