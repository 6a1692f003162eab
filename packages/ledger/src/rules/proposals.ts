/**
 * propose, vote, execute: what the consortium decides, every ballot on the ledger. A ballot weighs what its validator weighs
 * when the proposal is executed, so weight that left meanwhile decides nothing. What an institution must sign itself (its
 * registration) is approved here and used up by its own transaction; everything else is done at once. The signatures of
 * validators beside a transaction (admissions.ts) are the same vote in one piece, for a home with one validator.
 */
import { ChartsealError, decode, sha256 } from "@chartseal/crypto";
import { type Action, type ActionKind, type ActionOf, actionTable } from "../actions.ts";
import type { Codec } from "../codec.ts";
import { demand } from "../refusals.ts";
import { type ProposalValue, proposedBytesMax } from "../stake-values.ts";
import type { StateAccess } from "../state.ts";
import { append, emptyKey, entries, lists, load, save } from "../state-kinds.ts";
import { liftJail } from "./jail.ts";
import { admitValidator, assignWeight, removeInstitution, removeValidator } from "./membership.ts";
import { setSettings } from "./set-settings.ts";
import type { Rule, Setting } from "./setting.ts";
import { setStakeParameters, stakeParametersOf } from "./stake-parameters.ts";
import { ballotKey, holderOf, operatedBy, validatorsInForce } from "./validators.ts";

/** Done by the vote alone. */
const decided = {
  "set-settings": setSettings,
  "set-stake-parameters": setStakeParameters,
  "admit-validator": admitValidator,
  "remove-validator": removeValidator,
  "assign-weight": assignWeight,
  "remove-institution": removeInstitution,
  "lift-jail": liftJail,
} as const;
/** Approved by the vote, done by a transaction of whom it is about. */
const approved = [
  "register-provider",
  "register-namespace",
  "register-node",
  "open-committee-change",
] as const;

/** Kinds that a proposal can hold. */
export const votableKinds: readonly ActionKind[] = [
  ...(Object.keys(decided) as (keyof typeof decided)[]),
  ...approved,
];

/** @throws Refusal `proposal-action` */
export function decodeProposed(bytes: Uint8Array): Action {
  try {
    const items = decode(bytes, { sizeMax: proposedBytesMax });
    const [number, fields] = Array.isArray(items) && items.length === 2 ? items : [];
    const kind = votableKinds.find((one) => actionTable[one][0] === number);
    demand(kind, "proposal-action");
    return { kind, ...(actionTable[kind][1] as unknown as Codec<object>).read(fields) } as Action;
  } catch (error) {
    if (!(error instanceof ChartsealError) || error.code !== "encoding-invalid") throw error;
    demand(false, "proposal-action");
  }
}

export const propose: Rule<"propose"> = (setting, { action, lapsesMs, note }) => {
  const { state, block, transaction } = setting;
  operatedBy(setting);
  decodeProposed(action);
  const { timestampMs, height } = block;
  const inTime = lapsesMs > timestampMs && lapsesMs <= timestampMs + stakeParametersOf(state).proposalMs;
  demand(inTime, "proposal-time");
  const { account } = holderOf(setting);
  const value = { proposer: account, action, note, height, lapsesMs, executedHeight: null };
  save(state, entries.proposal, transaction.identifier, value);
  append(state, lists.proposals, emptyKey, transaction.identifier);
};

/** @throws Refusal `proposal-unknown`, `proposal-closed` */
function openProposal({ state, block }: Setting, id: Uint8Array): ProposalValue {
  const proposal = load(state, entries.proposal, id);
  demand(proposal, "proposal-unknown");
  const open = proposal.executedHeight === null && proposal.lapsesMs > block.timestampMs;
  demand(open, "proposal-closed");
  return proposal;
}

export const vote: Rule<"vote"> = (setting, { proposalId, inFavour }) => {
  const { state, block } = setting;
  openProposal(setting, proposalId);
  const keys = operatedBy(setting).map((publicKey) => ballotKey(proposalId, publicKey));
  const left = keys.filter((key) => load(state, entries.ballot, key) === undefined);
  demand(left.length > 0, "ballot-cast");
  for (const key of left) save(state, entries.ballot, key, { inFavour, height: block.height });
};

/** Power of validators in force for and against, and of all of them. */
export function tally(
  state: Pick<StateAccess, "get">,
  proposalId: Uint8Array,
): { readonly inFavour: bigint; readonly against: bigint; readonly all: bigint } {
  let [inFavour, against, all] = [0n, 0n, 0n];
  for (const { publicKey, stake } of validatorsInForce(state)) {
    const ballot = load(state, entries.ballot, ballotKey(proposalId, publicKey));
    all += BigInt(stake);
    if (ballot?.inFavour === true) inFavour += BigInt(stake);
    if (ballot?.inFavour === false) against += BigInt(stake);
  }
  return { inFavour, against, all };
}

export const execute: Rule<"execute"> = (setting, { proposalId }) => {
  const { state, block } = setting;
  holderOf(setting);
  const proposal = openProposal(setting, proposalId);
  const { inFavour, all } = tally(state, proposalId);
  demand(3n * inFavour > 2n * all, "proposal-short", { inFavour: Number(inFavour), all: Number(all) });
  save(state, entries.proposal, proposalId, { ...proposal, executedHeight: block.height });
  const action = decodeProposed(proposal.action);
  if (isDecided(action)) {
    const rule = decided[action.kind] as Rule<typeof action.kind>;
    rule({ ...setting, voted: true }, action as never);
    return;
  }
  const lapsesMs = block.timestampMs + stakeParametersOf(state).proposalMs;
  save(state, entries.approval, sha256(proposal.action), { proposalId, lapsesMs, height: block.height });
};

function isDecided(action: Action): action is ActionOf<keyof typeof decided> {
  return Object.hasOwn(decided, action.kind);
}
