/**
 * What CometBFT hashes and signs: a header, a set of validators, a vote. Trees have the shape of RFC 6962 over single
 * SHA-256; a header's leaves are its fourteen fields, each in the protobuf encoding of its type.
 */
import { concat, sha256, sha256Tree } from "@chartseal/crypto";
import {
  blockIdMessage,
  bytesField,
  fixed64Field,
  integerField,
  messageField,
  textField,
  timestamp,
  varint,
} from "./protobuf.ts";
import type { BlockId, CometHeader, CometTime, CometValidator } from "./types.ts";

function treeOf(leaves: readonly Uint8Array[]): Uint8Array {
  return sha256Tree.root(leaves.map((leaf) => sha256Tree.leafHash(leaf)));
}

export function cometHeaderHash(header: CometHeader): Uint8Array {
  const { version, lastBlockId } = header;
  return treeOf([
    concat(integerField(1, version.block), integerField(2, version.app)),
    textField(1, header.chainId),
    integerField(1, header.height),
    timestamp(header.time),
    blockIdMessage(lastBlockId),
    bytesField(1, header.lastCommitHash),
    bytesField(1, header.dataHash),
    bytesField(1, header.validatorsHash),
    bytesField(1, header.nextValidatorsHash),
    bytesField(1, header.consensusHash),
    bytesField(1, header.appHash),
    bytesField(1, header.lastResultsHash),
    bytesField(1, header.evidenceHash),
    bytesField(1, header.proposerAddress),
  ]);
}

/** In the order of the set, which is CometBFT's: falling power, then rising address. */
export function validatorsHash(validators: readonly CometValidator[]): Uint8Array {
  return treeOf(
    validators.map(({ publicKey, power }) =>
      concat(messageField(1, messageField(1, publicKey)), integerField(2, power)),
    ),
  );
}

/** The first 20 bytes of the key's SHA-256. */
export function cometAddress(publicKey: Uint8Array): Uint8Array {
  return sha256(publicKey).slice(0, 20);
}

export const voteTypes = { prevote: 1, precommit: 2 } as const;
export type VoteType = (typeof voteTypes)[keyof typeof voteTypes];

export interface Vote {
  readonly type: VoteType;
  readonly height: number;
  readonly round: number;
  /** null: a vote for no block. */
  readonly blockId: BlockId | null;
  readonly time: CometTime;
}

/** The bytes that a validator signs: CanonicalVote, its length in front. */
export function voteBytes(chainId: string, { type, height, round, blockId, time }: Vote): Uint8Array {
  const message = concat(
    integerField(1, type),
    fixed64Field(2, height),
    fixed64Field(3, round),
    blockId === null ? new Uint8Array(0) : messageField(4, blockIdMessage(blockId)),
    messageField(5, timestamp(time)),
    textField(6, chainId),
  );
  return concat(varint(message.length), message);
}
