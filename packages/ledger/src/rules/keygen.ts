/**
 * Key generation of the committee as transactions of its nodes (CRYPTO §2.3), one run for each of reading, signing and
 * audit: commit, reveal, deal, complaint, answer, conclude. A round is closed when all have spoken or its time (of
 * blocks) is over; the messages are checked and the key is computed by packages/crypto's dkg-verify.ts. An aborted run
 * starts over as the next attempt; a finished one is final. The fresh run sets the keys; those of a change
 * (open-committee-change.ts) wait in `committeeNext` until all three are done and then take their places at once. In a
 * resharing old nodes deal and new ones receive, each under its own index. Who is left out is named.
 */
import {
  type CommitteeKey,
  concat,
  conclude as concludeRun,
  decodeCommit,
  decodeComplaint,
  decodeDeal,
  decodePublishedShare,
  decodeReveal,
  type Excluded,
  encodeCommitteeKey,
  equalBytes,
  u32,
  utf8,
  verifyCommit,
  verifyComplaint,
  verifyDeal,
  verifyPublishedShare,
  verifyReveal,
} from "@chartseal/crypto";
import type { Session } from "../actions.ts";
import { demand } from "../refusals.ts";
import { emptyKey, entries, type KeygenValue, load, save } from "../state-kinds.ts";
import { committeeKey, sessions } from "./committee.ts";
import { nameNode } from "./node-faults.ts";
import { openChange, type SessionRun, sessionRun } from "./present-committee.ts";
import { type Rule, type Setting, signerOf } from "./setting.ts";

const rounds = { commit: 1, reveal: 2, deal: 3, complaint: 4, answer: 5 } as const;
type Round = keyof typeof rounds;
type Pair = KeygenValue["complaints"][number];

/** Where a message stands: session ‖ attempt u32 ‖ round u8 ‖ dealer u32 ‖ receiver u32 (0 where there is none). */
export function keygenKey(
  session: Session,
  attempt: number,
  place: { readonly round: Round; readonly dealer: number; readonly receiver?: number },
): Uint8Array {
  const { round, dealer, receiver = 0 } = place;
  return concat(utf8(session), u32(attempt), Uint8Array.of(rounds[round]), u32(dealer), u32(receiver));
}

interface Run extends SessionRun {
  readonly setting: Setting;
  readonly session: Session;
  readonly value: KeygenValue;
  /** Index of the signing node, from 1: among those that deal, or in the rounds of receivers among those. */
  readonly node: number;
  /** How many dealers a run cannot do without. */
  readonly needed: number;
  /** The last message is so long ago that the silent are not waited for. */
  readonly overdue: boolean;
}

/** A run's state before its first message. */
export const newRun: KeygenValue = {
  attempt: 1,
  lastMs: 0,
  commits: [],
  reveals: [],
  deals: [],
  complaints: [],
  answers: [],
  agreed: [],
  done: false,
};

function runOf(
  setting: Setting,
  { session, attempt }: { session: Session; attempt: number },
  side: "dealers" | "receivers",
): Run {
  const { state, block, consortium } = setting;
  const { account } = signerOf(setting);
  const value = load(state, entries.keygen, utf8(session)) ?? newRun;
  const current = sessionRun(state, { block, consortium, session, attempt: value.attempt });
  const node = current[side].findIndex((one) => equalBytes(one, account)) + 1;
  demand(node > 0, "role-missing");
  demand(!value.done, "keygen-done");
  demand(attempt === value.attempt, "keygen-round", { attempt: value.attempt });
  const { run } = current;
  const overdue = isOverdue(setting, value);
  const needed = run.origin.kind === "reshare" ? run.dealers.length : run.threshold;
  return { ...current, setting, session, value, node, needed, overdue };
}

export function isOverdue({ block, consortium }: Setting, { lastMs }: Pick<KeygenValue, "lastMs">): boolean {
  return block.timestampMs >= lastMs + consortium.parameters.keygenRoundMs;
}

/** Saves a message and what it changes of the run. */
function saveMessage(
  { setting, session, value }: Run,
  place: { readonly round: Round; readonly dealer: number; readonly receiver?: number },
  message: Uint8Array,
  change: Partial<KeygenValue>,
): void {
  const { state, block } = setting;
  save(state, entries.keygenMessage, keygenKey(session, value.attempt, place), message);
  save(state, entries.keygen, utf8(session), { ...value, ...change, lastMs: block.timestampMs });
}

function messageOf(run: Run, place: Parameters<typeof keygenKey>[2]): Uint8Array {
  const { setting, session, value } = run;
  const bytes = load(setting.state, entries.keygenMessage, keygenKey(session, value.attempt, place));
  demand(bytes, "keygen-round");
  return bytes;
}

const sameAs =
  (one: Pair) =>
  ({ receiver, dealer }: Pair): boolean =>
    receiver === one.receiver && dealer === one.dealer;

export const keygenCommit: Rule<"keygen-commit"> = (setting, action) => {
  const run = runOf(setting, action, "dealers");
  const { commits, reveals } = run.value;
  demand(reveals.length === 0 && !commits.includes(run.node), "keygen-round");
  const commit = decodeCommit(action.message);
  demand(commit.dealer === run.node, "keygen-message");
  verifyCommit(run.run, commit);
  saveMessage(run, { round: "commit", dealer: run.node }, action.message, {
    commits: [...commits, run.node],
  });
};

export const keygenReveal: Rule<"keygen-reveal"> = (setting, action) => {
  const run = runOf(setting, action, "dealers");
  const { commits, reveals, deals } = run.value;
  const closed = commits.length === run.run.dealers.length || (run.overdue && commits.length >= run.needed);
  demand(closed || reveals.length > 0, "keygen-round");
  demand(commits.includes(run.node) && !reveals.includes(run.node) && deals.length === 0, "keygen-round");
  const reveal = decodeReveal(run.run, action.message);
  demand(reveal.dealer === run.node, "keygen-message");
  verifyReveal(run.run, decodeCommit(messageOf(run, { round: "commit", dealer: run.node })), reveal);
  saveMessage(run, { round: "reveal", dealer: run.node }, action.message, {
    reveals: [...reveals, run.node],
  });
};

export const keygenDeal: Rule<"keygen-deal"> = (setting, action) => {
  const run = runOf(setting, action, "dealers");
  const { commits, reveals, deals, agreed } = run.value;
  const closed = reveals.length === commits.length || (run.overdue && reveals.length >= run.needed);
  demand(closed || deals.length > 0, "keygen-round");
  demand(reveals.includes(run.node) && !deals.includes(run.node) && agreed.length === 0, "keygen-round");
  const deal = decodeDeal(run.run, action.message);
  demand(deal.dealer === run.node, "keygen-message");
  verifyDeal(run.run, deal);
  saveMessage(run, { round: "deal", dealer: run.node }, action.message, { deals: [...deals, run.node] });
};

/** A receiver whose share does not fit; not after it said that it has no complaint left. */
export const keygenComplaint: Rule<"keygen-complaint"> = (setting, action) => {
  const run = runOf(setting, action, "receivers");
  const { deals, complaints, agreed } = run.value;
  const complaint = decodeComplaint(action.message);
  const { dealer, receiver } = complaint;
  demand(receiver === run.node, "keygen-message");
  demand(deals.includes(dealer) && !complaints.some(sameAs(complaint)), "keygen-round");
  demand(!agreed.includes(run.node), "keygen-round");
  verifyComplaint(run.run, complaint);
  const change = { complaints: [...complaints, { receiver, dealer }] };
  saveMessage(run, { round: "complaint", dealer, receiver }, action.message, change);
};

/** The dealer publishes the share complained of. A wrong one is refused and the complaint stands. */
export const keygenAnswer: Rule<"keygen-answer"> = (setting, action) => {
  const run = runOf(setting, action, "dealers");
  const { complaints, answers } = run.value;
  const answer = decodePublishedShare(action.message);
  const { dealer, receiver } = answer;
  demand(dealer === run.node, "keygen-message");
  demand(complaints.some(sameAs(answer)) && !answers.some(sameAs(answer)), "keygen-round");
  const reveal = decodeReveal(run.run, messageOf(run, { round: "reveal", dealer }));
  demand(verifyPublishedShare(run.run, reveal, answer), "keygen-message");
  const change = { answers: [...answers, { receiver, dealer }] };
  saveMessage(run, { round: "answer", dealer, receiver }, action.message, change);
};

export const keygenConclude: Rule<"keygen-conclude"> = (setting, action) => {
  const run = runOf(setting, action, "receivers");
  const { reveals, deals, complaints, answers, agreed } = run.value;
  // Who concluded first has closed the round of deals, also where a dealer stayed silent.
  const dealt = deals.length > 0 && (deals.length === reveals.length || run.overdue || agreed.length > 0);
  demand(dealt && (run.overdue || !agreed.includes(run.node)), "keygen-round");
  const now = agreed.includes(run.node) ? agreed : [...agreed, run.node];
  const all = now.length === run.run.nodes && answers.length === complaints.length;
  if (!all && !(run.overdue && now.length >= run.run.threshold)) {
    const { state, block } = setting;
    demand(!agreed.includes(run.node), "keygen-round");
    const value = { ...run.value, agreed: now, lastMs: block.timestampMs };
    save(state, entries.keygen, utf8(action.session), value);
    return;
  }
  finish(run);
};

/** The end of the run, computed from its messages. */
function finish(run: Run): void {
  const { setting, session, value } = run;
  const { state, block } = setting;
  const read = <T>(round: Round, dealers: readonly number[], decode: (bytes: Uint8Array) => T): T[] =>
    dealers.map((dealer) => decode(messageOf(run, { round, dealer })));
  const pairs = <T>(round: Round, list: readonly Pair[], decode: (bytes: Uint8Array) => T): T[] =>
    list.map((pair) => decode(messageOf(run, { round, ...pair })));
  const conclusion = concludeRun(run.run, {
    commits: read("commit", value.commits, decodeCommit),
    reveals: read("reveal", value.reveals, (bytes) => decodeReveal(run.run, bytes)),
    deals: read("deal", value.deals, (bytes) => decodeDeal(run.run, bytes)),
    complaints: pairs("complaint", value.complaints, decodeComplaint),
    published: pairs("answer", value.answers, decodePublishedShare),
  });
  nameExcluded(run, conclusion.excluded);
  const key = utf8(session);
  const lastMs = block.timestampMs;
  if (conclusion.kind === "aborted") {
    save(state, entries.keygen, key, { ...newRun, attempt: value.attempt + 1, lastMs });
    return;
  }
  save(state, entries.keygen, key, { ...value, done: true, lastMs });
  settle(run, conclusion.key);
}

function nameExcluded({ setting, dealers, run }: Run, excluded: readonly Excluded[]): void {
  const { identifier } = setting.transaction;
  for (const { dealer, fault } of excluded) {
    nameNode(setting, { node: dealers[dealer - 1]!, about: identifier, fault, epoch: run.epoch });
  }
}

/** The key of a fresh run counts at once; that of a change when all three are there, under the same public key. */
function settle({ setting, session, run }: Run, made: CommitteeKey<unknown>): void {
  const { state, block } = setting;
  const bytes = encodeCommitteeKey(run.space, made);
  const change = openChange(state);
  if (change === undefined) {
    save(state, entries.committee, utf8(session), bytes);
    return;
  }
  const { publicKey } = committeeKey(state, block.pairing, session);
  demand(run.space.group.equal(made.publicKey, publicKey), "change-key");
  save(state, entries.committeeNext, utf8(session), bytes);
  const next = sessions.map((one) => load(state, entries.committeeNext, utf8(one)));
  if (next.includes(undefined)) return;
  for (const [at, one] of sessions.entries()) {
    save(state, entries.committee, utf8(one), next[at]!);
    state.remove(entries.committeeNext.kind, utf8(one));
  }
  const { nodes, threshold, epoch } = change;
  save(state, entries.committeeNodes, emptyKey, { nodes, threshold, epoch });
  save(state, entries.committeeChange, emptyKey, { ...change, closedHeight: block.height });
}
