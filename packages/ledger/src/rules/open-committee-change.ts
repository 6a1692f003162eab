/**
 * open-committee-change: new shares of the committee's keys (CRYPTO §2.3), one change for all three sessions. A refresh
 * keeps nodes and threshold, and any present node may open it; a resharing gives the keys to another committee and takes
 * a vote of the validators. A change under way gives way to another when it is overdue, or by a vote; attempts go on
 * counting, so that no message of the run before serves in the next.
 */
import { equalBytes, nodesMax, utf8 } from "@chartseal/crypto";
import type { ActionOf } from "../actions.ts";
import { demand } from "../refusals.ts";
import {
  committeePastKey,
  emptyKey,
  entries,
  type KeygenValue,
  load,
  type NodeFault,
  roles,
  save,
} from "../state-kinds.ts";
import { demandAdmission } from "./admissions.ts";
import { committeeEpoch, demandCommittee, sessions } from "./committee.ts";
import { isOverdue, newRun } from "./keygen.ts";
import { nameNode } from "./node-faults.ts";
import { openChange, presentAsPast, presentCommittee } from "./present-committee.ts";
import type { Rule, Setting } from "./setting.ts";

export const openCommitteeChange: Rule<"open-committee-change"> = (setting, action) => {
  const { state, block, consortium, transaction } = setting;
  const present = presentCommittee(state, consortium);
  const { account, admissions } = transaction.authorisation;
  const isPresent = present.nodes.some((one) => account !== null && equalBytes(one, account.account));
  const voted = action.change === "reshare" || account === null || admissions.length > 0;
  if (voted) demandAdmission(setting);
  else demand(isPresent, "role-missing");
  demandCommittee(state);
  demandPossible(setting, action);
  const runs = sessions.map((session) => load(state, entries.keygen, utf8(session)) ?? newRun);
  // One node alone could else keep the committee in changes, and every request for a key in the wrong epoch.
  demand(voted || runs.every((run) => isOverdue(setting, run)), "change-open");
  if (openChange(state) === undefined) keepPast(setting);
  else replace(setting, runs);
  for (const [at, session] of sessions.entries()) {
    const attempt = runs[at]!.attempt + 1;
    save(state, entries.keygen, utf8(session), { ...newRun, attempt, lastMs: block.timestampMs });
  }
  const { change, nodes, threshold, dealers } = action;
  const epoch = committeeEpoch(state) + 1;
  const made = { change, epoch, nodes, threshold, dealers, height: block.height, closedHeight: null };
  save(state, entries.committeeChange, emptyKey, made);
};

/** @throws Refusal `change-invalid` for what `generation` would refuse, and for nodes that nobody registered */
function demandPossible(setting: Setting, action: ActionOf<"open-committee-change">): void {
  const { state, consortium } = setting;
  const { nodes, threshold, dealers } = action;
  const present = presentCommittee(state, consortium);
  const size = present.nodes.length;
  const ascending = dealers.every((dealer, at) => dealer > (dealers[at - 1] ?? 0) && dealer <= size);
  if (action.change === "refresh") {
    const same = nodes.length === size && nodes.every((one, at) => equalBytes(one, present.nodes[at]!));
    const all = ascending && dealers.length === size;
    demand(same && threshold === present.threshold && all, "change-invalid");
    return;
  }
  const distinct = nodes.every((one, at) => nodes.findIndex((other) => equalBytes(one, other)) === at);
  const sized = nodes.length <= nodesMax && threshold >= 1 && threshold <= nodes.length;
  demand(distinct && sized && ascending && dealers.length === present.threshold, "change-invalid");
  for (const node of nodes) {
    const value = load(state, entries.account, node);
    const ready = value !== undefined && (value.roles & roles.node) !== 0 && value.hpkeKey !== null;
    demand(ready, "change-invalid", { node });
  }
}

/** What the present shares came from, for a node that was away and has to follow, and for evidence of this epoch. */
function keepPast({ state, consortium }: Setting): void {
  const epoch = committeeEpoch(state);
  for (const session of sessions) {
    const past = presentAsPast(state, consortium, session);
    save(state, entries.committeePast, committeePastKey(session, epoch), past);
  }
}

/** A change that did not come to its end: whom its overdue runs wait for is named. */
function replace(setting: Setting, runs: readonly KeygenValue[]): void {
  const { state, consortium, transaction } = setting;
  for (const session of sessions) state.remove(entries.committeeNext.kind, utf8(session));
  const { dealers, epoch } = load(state, entries.committeeChange, emptyKey)!;
  const { nodes } = presentCommittee(state, consortium);
  const about = transaction.identifier;
  for (const run of runs.filter((one) => !one.done && isOverdue(setting, one))) {
    for (const { dealer, fault } of silent(run, dealers))
      nameNode(setting, { node: nodes[dealer - 1]!, about, fault, epoch });
  }
}

/** Whom an unfinished run waits for. */
function silent(run: KeygenValue, dealers: readonly number[]): { dealer: number; fault: NodeFault }[] {
  const { commits, reveals, deals, complaints, answers } = run;
  const missing = (spoke: readonly number[], of: readonly number[], fault: NodeFault) =>
    of.filter((dealer) => !spoke.includes(dealer)).map((dealer) => ({ dealer, fault }));
  if (reveals.length === 0 && commits.length < dealers.length) return missing(commits, dealers, "no-commit");
  if (deals.length === 0 && reveals.length < commits.length) return missing(reveals, commits, "no-reveal");
  if (deals.length < reveals.length) return missing(deals, reveals, "no-deal");
  return complaints
    .filter((one) => !answers.some((own) => own.dealer === one.dealer && own.receiver === one.receiver))
    .map(({ dealer }) => ({ dealer, fault: "complaint-upheld" }));
}
