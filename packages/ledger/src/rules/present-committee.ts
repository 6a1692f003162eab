/**
 * The committee as it is now, as it was in an earlier epoch, and as an open change makes it: who its nodes are, from
 * which run its shares came. The genesis names the first; every later one came about by `open-committee-change`.
 */
import { type Generation, generation, utf8 } from "@chartseal/crypto";
import type { Session } from "../actions.ts";
import { demand } from "../refusals.ts";
import type { StateAccess } from "../state.ts";
import {
  type CommitteeChangeValue,
  type CommitteePastValue,
  type ConsortiumValue,
  committeePastKey,
  emptyKey,
  entries,
  load,
} from "../state-kinds.ts";
import { committeeEpoch, committeeKey, sessionSpace } from "./committee.ts";
import type { BlockContext } from "./setting.ts";

type Reading = Pick<StateAccess, "get">;

/** Accounts of nodes 1 … n, and how many of them suffice. */
export interface CommitteeNodes {
  readonly nodes: readonly Uint8Array[];
  readonly threshold: number;
}

export function presentCommittee(state: Reading, consortium: ConsortiumValue): CommitteeNodes {
  return load(state, entries.committeeNodes, emptyKey) ?? consortium;
}

/** The change that is under way. */
export function openChange(state: Reading): CommitteeChangeValue | undefined {
  const change = load(state, entries.committeeChange, emptyKey);
  return change?.closedHeight === null ? change : undefined;
}

/** A session's run that the state is in the middle of, or that made the present shares. */
export interface SessionRun {
  readonly run: Generation<unknown>;
  /** Accounts by index, from 1. */
  readonly dealers: readonly Uint8Array[];
  readonly receivers: readonly Uint8Array[];
}

/** The run of a session that takes messages now: the fresh one, or that of the open change. */
export function sessionRun(
  state: Reading,
  place: {
    readonly block: Pick<BlockContext, "chainId" | "pairing">;
    readonly consortium: ConsortiumValue;
    readonly session: Session;
    readonly attempt: number;
  },
): SessionRun {
  const { block, consortium, session, attempt } = place;
  const { nodes, threshold } = presentCommittee(state, consortium);
  const space = sessionSpace(block.pairing, session);
  const { chainId } = block;
  const change = openChange(state);
  if (change === undefined) {
    const run = generation(space, { chainId, nodes: nodes.length, threshold, attempt });
    return { run, dealers: nodes, receivers: nodes };
  }
  const previous = committeeKey(state, block.pairing, session);
  const { dealers } = change;
  const origin =
    change.change === "refresh"
      ? ({ kind: "refresh", previous } as const)
      : ({ kind: "reshare", previous, dealers } as const);
  const sizes = { nodes: change.nodes.length, threshold: change.threshold };
  const run = generation(space, { chainId, ...sizes, attempt, origin });
  return { run, dealers: nodes, receivers: change.nodes };
}

/** What the present shares of a session came from: the change that was closed last, or the fresh run. */
export function presentAsPast(
  state: Reading,
  consortium: ConsortiumValue,
  session: Session,
): CommitteePastValue {
  const key = load(state, entries.committee, utf8(session));
  const run = load(state, entries.keygen, utf8(session));
  demand(key !== undefined && run !== undefined, "committee-missing", { session });
  const { nodes, threshold } = presentCommittee(state, consortium);
  const change = load(state, entries.committeeChange, emptyKey);
  const dealers = change?.dealers ?? nodes.map((_, at) => at + 1);
  return { origin: change?.change ?? "fresh", nodes, threshold, dealers, run, key };
}

/** Nodes and key of an epoch, the present one or one before; undefined for one that never was. */
export function committeeOf(
  state: Reading,
  consortium: ConsortiumValue,
  { session, epoch }: { readonly session: Session; readonly epoch: number },
): (CommitteeNodes & { readonly key: Uint8Array }) | undefined {
  if (epoch !== committeeEpoch(state)) {
    if (epoch < 1 || epoch >= 2 ** 32) return undefined;
    return load(state, entries.committeePast, committeePastKey(session, epoch));
  }
  const key = load(state, entries.committee, utf8(session));
  return key === undefined ? undefined : { ...presentCommittee(state, consortium), key };
}
