/**
 * One node's next message in a session's run (CRYPTO §2.3), decided from the ledger and the node's own store alone, so
 * that a process that dies before or after any message goes on where it was. A dealing is stored before its commit is
 * sent and never drawn twice for one commit; a dealer that lost it stays silent and is left out.
 */
import {
  commitOf,
  type Dealing,
  decodeCommit,
  decodeDeal,
  decodeReveal,
  encodeCommit,
  encodeComplaint,
  encodeDeal,
  encodePublishedShare,
  encodeReveal,
  encodeShare,
  equalBytes,
  type Generation,
  hpkeSeal,
  type NodeShare,
  nodesMax,
  type Pairing,
  publishShare,
  type Reveal,
  randomBytes,
  revealOf,
  sha256,
  shareEnvelopeBytes,
  shareFits,
  shareFor,
  shareInfo,
  shareIsOf,
  startDealing,
  toHex,
} from "@chartseal/crypto";
import { type Action, entries, fromBytes } from "@chartseal/ledger";
import type { Surroundings } from "../parties.ts";
import { readAccount } from "../state.ts";
import { readMessage, type SessionView } from "./committee-view.ts";
import type { NodeSecrets } from "./node-store.ts";
import { indexIn, openEnvelope } from "./shares.ts";

/** A node at work on one run. */
export interface Participant {
  readonly surroundings: Surroundings;
  readonly account: Uint8Array;
  readonly secrets: NodeSecrets;
  /** The longest that a silent node is waited for, as the consortium has it. */
  readonly roundMs: number;
  /** The node's share before a resharing. */
  readonly previous: () => Promise<NodeShare | undefined>;
  /** Block of the change that is under way; undefined in the first key generation. */
  readonly openedHeight: number | undefined;
}

/** What this node has to say now in this run, or undefined where it has to wait. */
export async function nextMessage(self: Participant, view: SessionView): Promise<Action | undefined> {
  if (view.value.done) return undefined;
  const dealer = indexIn(view.dealers, self.account);
  const deals = dealer > 0 && view.run.dealers.includes(dealer);
  const dealing = deals ? await nextOfDealer(self, view, dealer) : undefined;
  if (dealing !== undefined) return dealing;
  const receiver = indexIn(view.receivers, self.account);
  return receiver > 0 ? await nextOfReceiver(self, view, receiver) : undefined;
}

function isOverdue({ surroundings, roundMs }: Participant, { value }: SessionView): boolean {
  return surroundings.now() >= value.lastMs + roundMs;
}

/** What a dealer owes the run now; a number is the receiver whose complaint it has to answer. */
type Due = "commit" | "reveal" | "deal" | number;

function dueOf(self: Participant, view: SessionView, dealer: number): Due | undefined {
  const { commits, reveals, deals, complaints, answers, agreed } = view.value;
  const overdue = isOverdue(self, view);
  if (!commits.includes(dealer)) return reveals.length === 0 ? "commit" : undefined;
  if (!reveals.includes(dealer)) {
    const all = commits.length === view.run.dealers.length;
    const closed = all || (overdue && commits.length >= view.needed) || reveals.length > 0;
    return closed && deals.length === 0 ? "reveal" : undefined;
  }
  if (!deals.includes(dealer)) {
    const all = reveals.length === commits.length;
    const closed = all || (overdue && reveals.length >= view.needed) || deals.length > 0;
    return closed && agreed.length === 0 ? "deal" : undefined;
  }
  const isAnswered = (receiver: number): boolean =>
    answers.some((one) => one.dealer === dealer && one.receiver === receiver);
  return complaints.find((one) => one.dealer === dealer && !isAnswered(one.receiver))?.receiver;
}

async function nextOfDealer(
  self: Participant,
  view: SessionView,
  dealer: number,
): Promise<Action | undefined> {
  const due = dueOf(self, view, dealer);
  if (due === undefined) return undefined;
  if (due === "deal" && !isOverdue(self, view) && !(await haveNewKeys(self, view))) return undefined;
  const { run, session } = view;
  const { attempt } = view.value;
  const dealing =
    due === "commit" ? await dealingToCommit(self, view, dealer) : await committedDealing(self, view, dealer);
  if (dealing === undefined) return undefined;
  if (typeof due === "number") {
    const message = encodePublishedShare(publishShare(run, dealing, due));
    return { kind: "keygen-answer", session, attempt, message };
  }
  const messages = {
    commit: async () => encodeCommit(commitOf(run, dealing)),
    reveal: async () => encodeReveal(run, revealOf(run, dealing)),
    deal: () => sealedDeal(self, view, dealing),
  };
  return { kind: `keygen-${due}`, session, attempt, message: await messages[due]() };
}

/** Whether every receiver has renewed its key since the change was opened: nothing is sealed to a key of before. */
async function haveNewKeys(
  { surroundings, openedHeight }: Participant,
  { receivers }: SessionView,
): Promise<boolean> {
  if (openedHeight === undefined) return true;
  const { ledger } = surroundings;
  const { kind, codec } = entries.account;
  const renewed = receivers.map(async (account) => {
    const { value } = await ledger.prove(kind, account, openedHeight);
    const before = value === null ? null : fromBytes(codec, value).hpkeKey;
    const now = (await readAccount(ledger, account))?.hpkeKey ?? null;
    return now !== null && (before === null || !equalBytes(before, now));
  });
  return (await Promise.all(renewed)).every(Boolean);
}

/** The stored dealing, or a new one, stored: whatever was sent before a crash was of the stored one. */
async function dealingToCommit(
  self: Participant,
  { run, session, value }: SessionView,
  dealer: number,
): Promise<Dealing | undefined> {
  const stored = await self.secrets.dealing(session, run);
  if (stored?.dealer === dealer) return stored;
  const previous = run.origin.kind === "reshare" ? await self.previous() : undefined;
  if (run.origin.kind === "reshare") {
    // Without its share of the epoch before, a node has nothing to deal.
    if (previous === undefined || !shareIsOf(run.space, run.origin.previous, previous)) return undefined;
  }
  const dealing = startDealing(run, dealer, previous);
  await self.secrets.saveDealing(session, value.attempt, dealing);
  return dealing;
}

/** The stored dealing that the ledger holds a commit to. Undefined where it is lost. */
async function committedDealing(
  { surroundings, secrets }: Participant,
  { run, session }: SessionView,
  dealer: number,
): Promise<Dealing | undefined> {
  const dealing = await secrets.dealing(session, run);
  if (dealing?.dealer !== dealer) return undefined;
  const place = { session, attempt: run.attempt };
  const commit = decodeCommit(await readMessage(surroundings.ledger, place, { round: "commit", dealer }));
  return equalBytes(commit.digest, commitOf(run, dealing).digest) ? dealing : undefined;
}

async function sealedDeal(
  { surroundings }: Participant,
  { run, receivers }: SessionView,
  dealing: Dealing,
): Promise<Uint8Array> {
  const { dealer } = dealing;
  const envelopes = receivers.map(async (account, at) => {
    const receiver = (await readAccount(surroundings.ledger, account))?.hpkeKey ?? null;
    // A node that was never there has no key: its place is filled, and when it comes it has nothing to open.
    if (receiver === null) return randomBytes(shareEnvelopeBytes);
    return await hpkeSeal({
      receiver,
      info: shareInfo(run, dealer, at + 1),
      plaintext: encodeShare(shareFor(run, dealing, at + 1)),
    });
  });
  return encodeDeal({ dealer, envelopes: await Promise.all(envelopes) });
}

async function nextOfReceiver(
  self: Participant,
  view: SessionView,
  receiver: number,
): Promise<Action | undefined> {
  const { session } = view;
  const { reveals, deals, complaints, answers, agreed, attempt } = view.value;
  const overdue = isOverdue(self, view);
  const dealt = deals.length > 0 && (deals.length === reveals.length || overdue || agreed.length > 0);
  if (!dealt) return undefined;
  const concluding: Action = { kind: "keygen-conclude", session, attempt };
  // Enough have concluded and the others are not waited for any longer.
  if (agreed.includes(receiver)) {
    return overdue && agreed.length >= view.run.threshold ? concluding : undefined;
  }
  const own = complaints.filter((one) => one.receiver === receiver);
  for (const dealer of deals) {
    if (own.some((one) => one.dealer === dealer) || (await isGood(self, view, { dealer, receiver })))
      continue;
    return { kind: "keygen-complaint", session, attempt, message: encodeComplaint({ receiver, dealer }) };
  }
  const answered = own.every(({ dealer }) =>
    answers.some((one) => one.dealer === dealer && one.receiver === receiver),
  );
  return answered || overdue ? concluding : undefined;
}

/** Whether a dealer's envelope to this node opens to a share that fits what the dealer revealed. */
async function isGood(
  { surroundings, secrets }: Participant,
  { run, session }: SessionView,
  { dealer, receiver }: { readonly dealer: number; readonly receiver: number },
): Promise<boolean> {
  const { ledger } = surroundings;
  const place = { session, attempt: run.attempt };
  const { envelopes } = decodeDeal(run, await readMessage(ledger, place, { round: "deal", dealer }));
  const keys = await secrets.receivingKeys();
  const sealed = envelopes[receiver - 1]!;
  const share = await openEnvelope(run, { dealer, receiver, sealed, keys });
  if (share === undefined) return false;
  const bytes = await readMessage(ledger, place, { round: "reveal", dealer });
  return shareFits(run, decodedReveal(surroundings.pairing, run, bytes), receiver, share);
}

/** Reveals that were decoded with a pairing: commitments in GT cost milliseconds each, and all receivers need them. */
const decodedReveals = new WeakMap<Pairing, Map<string, Reveal<unknown>>>();
const decodedMax = 3 * nodesMax;

function decodedReveal(pairing: Pairing, run: Generation<unknown>, bytes: Uint8Array): Reveal<unknown> {
  const known = decodedReveals.get(pairing) ?? new Map<string, Reveal<unknown>>();
  decodedReveals.set(pairing, known);
  const name = toHex(sha256(sha256(run.session), sha256(bytes)));
  const found = known.get(name);
  if (found !== undefined) return found;
  const reveal = decodeReveal(run, bytes);
  if (known.size === decodedMax) known.clear();
  known.set(name, reveal);
  return reveal;
}
