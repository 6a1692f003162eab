/**
 * Where evidence of an equivocation comes from, as the transaction that punishes it: two commits of one height and round, or
 * the duplicate vote in a block of CometBFT's RPC. What is made here is checked by the machine like anybody else's.
 */
import { ChartsealError, compareBytes, equalBytes, toHex } from "@chartseal/crypto";
import type { ActionOf } from "../actions.ts";
import type { CometCommit } from "../commit.ts";
import type { EvidenceVote } from "../stake-values.ts";
import { cometAddress } from "./hashes.ts";
import { voteOfRpc } from "./json.ts";
import { type BlockId, type CometTime, voteFlags } from "./types.ts";

type Equivocation = ActionOf<"equivocation">;

interface Placed {
  readonly blockId: BlockId | null;
  readonly time: CometTime;
  readonly signature: Uint8Array;
}

/**
 * Of every validator that precommitted in both. None where heights or rounds differ, though both be commits of one block of
 * ours: a validator may vote for another block in a later round, and who broke the rules then shows in no two votes.
 */
export function equivocationsBetween(first: CometCommit, second: CometCommit): Equivocation[] {
  const [one, other] = [first.signedHeader.commit, second.signedHeader.commit];
  const sameBlock = equalBytes(one.blockId.hash, other.blockId.hash);
  if (one.height !== other.height || one.round !== other.round || sameBlock) return [];
  return first.validators.flatMap(({ publicKey }): Equivocation[] => {
    const votes = [precommitOf(first, publicKey), precommitOf(second, publicKey)] as const;
    const [a, b] = votes;
    if (a === undefined || b === undefined) return [];
    return [
      {
        kind: "equivocation",
        validator: publicKey,
        voteType: "precommit",
        height: one.height,
        round: one.round,
        ...inOrder(a, b),
      },
    ];
  });
}

function precommitOf({ signedHeader }: CometCommit, publicKey: Uint8Array): Placed | undefined {
  const { votes, blockId } = signedHeader.commit;
  const address = cometAddress(publicKey);
  const vote = votes.find((one) => one.flag !== voteFlags.absent && equalBytes(one.address, address));
  if (vote === undefined) return undefined;
  return {
    blockId: vote.flag === voteFlags.block ? blockId : null,
    time: vote.time,
    signature: vote.signature,
  };
}

/** By rising hash, none first: whoever found them, two votes make one transaction's fields. */
function inOrder(one: Placed, other: Placed): { first: EvidenceVote; second: EvidenceVote } {
  const hashOf = ({ blockId }: Placed) => blockId?.hash ?? new Uint8Array(0);
  const [first, second] = compareBytes(hashOf(one), hashOf(other)) <= 0 ? [one, other] : [other, one];
  return { first: evidenceVote(first), second: evidenceVote(second) };
}

function evidenceVote({ blockId, time, signature }: Placed): EvidenceVote {
  const id = blockId && { hash: blockId.hash, total: blockId.parts.total, partsHash: blockId.parts.hash };
  return { blockId: id, ...time, signature };
}

/**
 * The duplicate votes in the `evidence` of a block of CometBFT's RPC. `keys`: of validators of then. What is of another kind,
 * or by a validator that is none of these, is left out.
 * @throws ChartsealError `encoding-invalid`
 */
export function equivocationsOfRpc(evidence: unknown, keys: readonly Uint8Array[]): Equivocation[] {
  const byAddress = new Map(keys.map((key) => [toHex(cometAddress(key)), key]));
  return listOf(fieldsOf(evidence).evidence).flatMap((item): Equivocation[] => {
    const { type, value } = fieldsOf(item);
    if (type !== "tendermint/DuplicateVoteEvidence") return [];
    const fields = fieldsOf(value);
    const [one, other] = [voteOfRpc(fields.vote_a), voteOfRpc(fields.vote_b)];
    const validator = byAddress.get(toHex(one.address));
    if (validator === undefined) return [];
    const { height, round, type: kind } = one;
    const voteType = kind === 1 ? "prevote" : "precommit";
    return [{ kind: "equivocation", validator, voteType, height, round, ...inOrder(one, other) }];
  });
}

function fieldsOf(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw malformed();
  return value as Record<string, unknown>;
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed();
  return value;
}

function malformed(): ChartsealError {
  return new ChartsealError("encoding-invalid", "not the evidence of a block of CometBFT");
}
