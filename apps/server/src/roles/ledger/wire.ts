/** What the ledger role answers with, as schemas, and how it is written (spec/9-http.md, Ledger). */
import { toHex } from "@chartseal/crypto";
import { type BlockHeader, type Commit, commitJson, encodeHeader } from "@chartseal/ledger";
import { z } from "zod";
import { hexOf, hexUpTo } from "../../wire.ts";

/** Siblings of a state proof and what stands in the place of an absent key. */
const stateProof = hexUpTo(9_000);
const signatures = z.array(z.strictObject({ publicKey: hexOf(32), signature: hexOf(64) }));
/** Read strictly by who checks it (chapter 6, Commit). */
const lightBlock = z.strictObject({
  signedHeader: z.strictObject({ header: z.looseObject({}), commit: z.looseObject({}) }),
  validators: z.array(z.looseObject({})).max(256),
});
export const commit = z
  .union([signatures, lightBlock])
  .describe("the proposer's signature, or CometBFT's signed header with its validators");
const block = { header: hexOf(156), commit };

/** The head that the server answers at; null where there is no block yet. */
export const anchor = z
  .strictObject({ ...block, seen: stateProof.nullable() })
  .nullable()
  .describe("the head; `seen` proves that the block the client has seen is its ancestor");
export type Anchor = z.output<typeof anchor>;

export const placed = z
  .strictObject({ ...block, proof: stateProof.nullable() })
  .describe("a block; `proof` shows it an ancestor of the anchor, null where it is the anchor");
export type Placed = z.output<typeof placed>;

export const headAnswer = z.strictObject({ anchor });
export const stateAnswer = z.strictObject({
  anchor,
  block: placed.nullable(),
  value: hexUpTo(1024 * 1024).nullable(),
  proof: stateProof,
});
export const found = z.strictObject({
  block: placed,
  bytes: hexUpTo(256 * 1024),
  index: z.int().min(0),
  proof: z.array(hexOf(32)).max(64),
});
export const transactionAnswer = z.strictObject({
  anchor,
  found: found.nullable(),
  absence: stateProof
    .nullable()
    .describe("that the anchor's state holds no such transaction, where none was found"),
});
const exportLine = z.strictObject({
  height: z.int().min(1),
  header: hexOf(156),
  hash: hexOf(32),
  transactions: z.array(hexUpTo(256 * 1024)),
  commit,
});
export const blocksAnswer = z.strictObject({
  anchor,
  blocks: z.array(exportLine),
  proof: stateProof
    .nullable()
    .describe("that the last of them is an ancestor of the anchor, null where it is the anchor"),
});
export const submitAnswer = z.strictObject({
  anchor,
  outcomes: z.array(
    z.union([
      z.strictObject({ identifier: hexOf(32), found }),
      z.strictObject({ problem: z.looseObject({ code: z.string(), detail: z.string() }) }),
    ]),
  ),
});

export function headerHex(header: BlockHeader): string {
  return toHex(encodeHeader(header));
}

export function commitHex(one: Commit): z.output<typeof commit> {
  return commitJson(one) as z.output<typeof commit>;
}
