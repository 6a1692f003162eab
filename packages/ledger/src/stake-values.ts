/**
 * Stake and membership (DESIGN, decision 2): fields of their transactions and values of their state. Stake is consortium
 * weight, given at the genesis and by vote, and no coin. A validator is known by its consensus key, Ed25519, 32 bytes.
 */
import {
  bool,
  bytesOf,
  bytesUpTo,
  listOf,
  oneOf,
  optional,
  struct,
  text,
  uint,
  type ValueOf,
} from "./codec.ts";

/** Bonds, and bonds on their way out, of one validator. */
export const bondsMax = 64;
/** Most weight of one account, and of all bonds of one validator. */
export const weightMax = 2 ** 36;
export const validatorsMax = 256;
/** Largest action that a proposal holds. */
export const proposedBytesMax = 160 * 1024;

const key = bytesOf(32);
const account = bytesOf(20);
const hash32 = bytesOf(32);
const namespaceName = text(32, /^[a-z0-9][a-z0-9-]{0,31}$/);

/** Changed by vote only; rules/stake-parameters.ts has the defaults. Times are in ms of block time. */
export const stakeParametersCodec = struct({
  /** How long weight that was unbonded can still be taken for an equivocation. */
  unbondingMs: uint,
  /** What an equivocation takes, in thousandths. */
  slashPermille: uint,
  /** How long a validator that was absent stays jailed at least. */
  jailMs: uint,
  /** Shortest run of CometBFT's blocks over which an absence counts, and how many of it were missed, in thousandths. */
  absenceBlocks: uint,
  absencePermille: uint,
  /** Longest life of a proposal, and of what was approved and is not used yet. */
  proposalMs: uint,
});
export type StakeParameters = ValueOf<typeof stakeParametersCodec>;

/** One of two votes that cannot both be: null is a vote for no block. */
const evidenceVote = struct({
  blockId: optional(struct({ hash: hash32, total: uint, partsHash: hash32 })),
  seconds: uint,
  nanos: uint,
  signature: bytesOf(64),
});
export type EvidenceVote = ValueOf<typeof evidenceVote>;

export const institutionRoles = ["provider", "namespace", "node"] as const;

export const stakeActions = {
  /** By the validator's operator: weight that is free becomes power of its validator. */
  bond: [140, struct({ validator: key, amount: uint })],
  /** By anybody else with weight. */
  delegate: [141, struct({ validator: key, amount: uint })],
  /** By whose bond it is: the power goes at once, the weight comes free after the delay. */
  unbond: [142, struct({ validator: key, amount: uint })],
  /** By whose it is: what has waited long enough becomes free. */
  "withdraw-weight": [143, struct({ validator: key })],
  /** By nobody: two votes of one height, round and type speak for themselves. */
  equivocation: [
    144,
    struct({
      validator: key,
      voteType: oneOf("prevote", "precommit"),
      height: uint,
      round: uint,
      first: evidenceVote,
      second: evidenceVote,
    }),
  ],
  /** By validators of more than two thirds of the stake, which saw the blocks of CometBFT from one height to another. */
  "jail-absent": [145, struct({ validator: key, fromHeight: uint, toHeight: uint, missed: uint })],
  /** By the operator, after an absence and its time. */
  unjail: [146, struct({ validator: key })],
  /** By an operator of a validator in force. `action`: CBOR [kind number, [fields]]. Its identifier is the proposal's id. */
  propose: [147, struct({ action: bytesUpTo(proposedBytesMax), lapsesMs: uint, note: text(1024) })],
  /** By an operator, for every validator in force that it operates. */
  vote: [148, struct({ proposalId: hash32, inFavour: bool })],
  /** By anybody, once enough have voted for it. */
  execute: [149, struct({ proposalId: hash32 })],
  /** All of them at once, by a vote. */
  "set-stake-parameters": [150, stakeParametersCodec],
  /** By a vote: a validator with that weight of its operator bonded to it. */
  "admit-validator": [151, struct({ publicKey: key, operator: account, weight: uint })],
  /** By a vote: its bonds are on their way out. */
  "remove-validator": [152, struct({ publicKey: key })],
  /** By a vote: what the account may bond, in place of what it could. */
  "assign-weight": [153, struct({ account, weight: uint })],
  /** By a vote. `namespace`: the name, of a namespace only. */
  "remove-institution": [
    154,
    struct({ role: oneOf(...institutionRoles), account, namespace: optional(namespaceName) }),
  ],
  /** By a vote: whatever it was jailed for. */
  "lift-jail": [155, struct({ publicKey: key })],
} as const;

const bond = struct({ account, amount: uint });
export const jailReasons = ["no", "absence", "equivocation", "left"] as const;

export const stakeEntries = {
  /** Key: consensus key. Absent for a validator of the genesis until anything about stake changes. */
  validator: {
    kind: 60,
    codec: struct({
      operator: account,
      bonds: listOf(bond, bondsMax),
      unbonding: listOf(struct({ account, amount: uint, releaseMs: uint }), bondsMax),
      jailed: oneOf(...jailReasons),
      /** Block time of the latest jailing. */
      jailedMs: uint,
      /** CometBFT's height of the latest equivocation that took weight. */
      punishedHeight: uint,
      height: uint,
    }),
  },
  /** Key: account. Weight that is not bonded. */
  weight: { kind: 61, codec: struct({ free: uint }) },
  /** Key: empty; absent while the defaults stand. */
  stakeParameters: { kind: 62, codec: stakeParametersCodec },
  /** Key: proposal id. */
  proposal: {
    kind: 63,
    codec: struct({
      proposer: account,
      action: bytesUpTo(proposedBytesMax),
      note: text(1024),
      height: uint,
      lapsesMs: uint,
      executedHeight: optional(uint),
    }),
  },
  /** Key: proposal id ‖ consensus key. */
  ballot: { kind: 64, codec: struct({ inFavour: bool, height: uint }) },
  /** Key: SHA-256 of the action as a proposal holds it. Absent once it was used. */
  approval: { kind: 65, codec: struct({ proposalId: hash32, lapsesMs: uint, height: uint }) },
  /** Key: empty. The validators as they were before the first change of the latest block that changed them. */
  validatorsBefore: {
    kind: 66,
    codec: struct({
      height: uint,
      validators: listOf(struct({ publicKey: key, stake: uint }), validatorsMax),
    }),
  },
  /** Key: name. Of a namespace that was voted out. */
  removedNamespace: { kind: 67, codec: struct({ height: uint }) },
} as const;

export type ValidatorValue = ValueOf<typeof stakeEntries.validator.codec>;
export type ProposalValue = ValueOf<typeof stakeEntries.proposal.codec>;

export const stakeLists = {
  /** Consensus keys of all validators that ever were, once anything about stake changed. */
  validators: 24,
  /** Ids. */
  proposals: 25,
  /** Identifiers. */
  equivocations: 26,
} as const;
