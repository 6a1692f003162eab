/**
 * What CometBFT v0.38 signs and hashes, as far as a light client needs it: header, commit, validators. Heights, rounds and
 * powers are safe integers; hashes are 32 bytes, or none where CometBFT has none; addresses are 20 bytes.
 */

/** Seconds since 1970, negative before, and nanoseconds within the second. */
export interface CometTime {
  readonly seconds: number;
  readonly nanos: number;
}

/** Names a block of CometBFT: its hash, and the root of the parts in which it travels. All empty: no block. */
export interface BlockId {
  readonly hash: Uint8Array;
  readonly parts: { readonly total: number; readonly hash: Uint8Array };
}

export interface CometHeader {
  readonly version: { readonly block: number; readonly app: number };
  readonly chainId: string;
  readonly height: number;
  readonly time: CometTime;
  readonly lastBlockId: BlockId;
  readonly lastCommitHash: Uint8Array;
  readonly dataHash: Uint8Array;
  readonly validatorsHash: Uint8Array;
  readonly nextValidatorsHash: Uint8Array;
  readonly consensusHash: Uint8Array;
  /** Of the state after the block before: here the hash of a block of ours. */
  readonly appHash: Uint8Array;
  readonly lastResultsHash: Uint8Array;
  readonly evidenceHash: Uint8Array;
  readonly proposerAddress: Uint8Array;
}

/** What stands in a validator's place: nothing, its vote for the block, or its vote for none. */
export const voteFlags = { absent: 1, block: 2, nil: 3 } as const;
export type VoteFlag = (typeof voteFlags)[keyof typeof voteFlags];

export interface CommitVote {
  readonly flag: VoteFlag;
  readonly address: Uint8Array;
  readonly time: CometTime;
  readonly signature: Uint8Array;
}

export interface BlockCommit {
  readonly height: number;
  readonly round: number;
  readonly blockId: BlockId;
  /** One for each validator, in the set's order. */
  readonly votes: readonly CommitVote[];
}

export interface SignedHeader {
  readonly header: CometHeader;
  readonly commit: BlockCommit;
}

export interface CometValidator {
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly power: number;
}

/** A signed header with the validators that its commit counts. */
export interface LightBlock {
  readonly signedHeader: SignedHeader;
  readonly validators: readonly CometValidator[];
}

/** CometBFT's name of one of our chains: `cs-` and the first 40 hex digits of the chain id, since it takes 50 characters. */
export function cometChainId(chainIdHex: string): string {
  return `cs-${chainIdHex.slice(0, 40)}`;
}
