/**
 * What the ledger says of the committee at one head: who its nodes are, which change is open, and each session's run
 * with the messages in it. The ledger's own functions say what a run is; here its entries are read for them.
 */
import {
  ChartsealError,
  type CommitteeKey,
  decodeCommitteeKey,
  equalBytes,
  type Generation,
  generation,
  utf8,
} from "@chartseal/crypto";
import {
  type CommitteeChangeValue,
  type CommitteePastValue,
  type ConsortiumValue,
  committeePastKey,
  type Entry,
  emptyKey,
  entries,
  fromBytes,
  type KeygenValue,
  keygenKey,
  newRun,
  presentAsPast,
  presentCommittee,
  type Session,
  type StateAccess,
  sessionRun,
} from "@chartseal/ledger";
import { keySpaces, type PresentNodes } from "../committee.ts";
import type { Surroundings } from "../parties.ts";
import { type Reader, readEntry } from "../state.ts";

export const sessions: readonly Session[] = ["reading", "signing", "audit"];

/** A session's run as of now. */
export interface SessionView {
  readonly session: Session;
  readonly value: KeygenValue;
  readonly run: Generation<unknown>;
  /** Accounts by index, from 1. */
  readonly dealers: readonly Uint8Array[];
  readonly receivers: readonly Uint8Array[];
  /** How many dealers the run cannot do without. */
  readonly needed: number;
}

export interface CommitteeView {
  readonly consortium: ConsortiumValue;
  readonly present: PresentNodes;
  /** All three keys are made. */
  readonly hasKeys: boolean;
  /** The latest change; under way while its `closedHeight` is null. */
  readonly change: CommitteeChangeValue | undefined;
  readonly sessions: readonly SessionView[];
}

const readsMax = 4;

/** @throws ChartsealError `chain-altered`, `ledger-unreachable` */
export async function viewCommittee(surroundings: Surroundings): Promise<CommitteeView> {
  const { ledger } = surroundings;
  for (let reads = 1; ; reads++) {
    const { height } = await ledger.head();
    const view = await readView(surroundings);
    // Entries of two heights make a run that never was; the ledger would refuse its messages.
    if (reads === readsMax || (await ledger.head()).height === height) return view;
  }
}

async function readView({ ledger, pairing }: Surroundings): Promise<CommitteeView> {
  // All at once: over a network each read is a round trip.
  const state = await prefetch(ledger, [
    [entries.consortium, emptyKey],
    [entries.committeeNodes, emptyKey],
    [entries.committeeChange, emptyKey],
    ...sessions.map((session) => [entries.committee, utf8(session)] as const),
    ...sessions.map((session) => [entries.keygen, utf8(session)] as const),
  ]);
  const consortium = entryOf(state, entries.consortium, emptyKey);
  if (consortium === undefined) throw new ChartsealError("chain-altered", "the ledger names no committee");
  const block = { chainId: ledger.chainId, pairing };
  const views = sessions.map((session): SessionView => {
    const value = entryOf(state, entries.keygen, utf8(session)) ?? newRun;
    const found = sessionRun(state, { block, consortium, session, attempt: value.attempt });
    const needed = found.run.origin.kind === "reshare" ? found.run.dealers.length : found.run.threshold;
    return { session, value, needed, ...found };
  });
  const { nodes, threshold } = presentCommittee(state, consortium);
  const epoch = entryOf(state, entries.committeeNodes, emptyKey)?.epoch ?? 1;
  return {
    consortium,
    present: { nodes, threshold, epoch },
    hasKeys: sessions.every((session) => state.get(entries.committee.kind, utf8(session)) !== undefined),
    change: entryOf(state, entries.committeeChange, emptyKey),
    sessions: views,
  };
}

function entryOf<V>(state: Pick<StateAccess, "get">, entry: Entry<V>, key: Uint8Array): V | undefined {
  const bytes = state.get(entry.kind, key);
  return bytes === undefined ? undefined : fromBytes(entry.codec, bytes);
}

type Wanted = readonly [entry: Pick<Entry<unknown>, "kind">, key: Uint8Array];

/** Entries of the state, to be read without waiting. */
async function prefetch(ledger: Reader, wanted: readonly Wanted[]): Promise<Pick<StateAccess, "get">> {
  const found = await Promise.all(
    wanted.map(async ([{ kind }, key]) => ({ kind, key, value: await ledger.read(kind, key) })),
  );
  return {
    get: (kind, key) => found.find((one) => one.kind === kind && equalBytes(one.key, key))?.value,
  };
}

/** A message of a run as it stands on the ledger. */
export async function readMessage(
  ledger: Reader,
  run: { readonly session: Session; readonly attempt: number },
  place: Parameters<typeof keygenKey>[2],
): Promise<Uint8Array> {
  const key = keygenKey(run.session, run.attempt, place);
  const bytes = await readEntry(ledger, entries.keygenMessage, key);
  if (bytes === undefined)
    throw new ChartsealError("chain-altered", "a message of a key generation is missing");
  return bytes;
}

/** The run that an epoch's shares came from. */
export interface MadeRun {
  readonly session: Session;
  readonly past: CommitteePastValue;
  readonly run: Generation<unknown>;
  readonly key: CommitteeKey<unknown>;
}

/** @throws ChartsealError `chain-altered` for an epoch that never was */
export async function readMadeRun(
  surroundings: Surroundings,
  view: CommitteeView,
  { session, epoch }: { readonly session: Session; readonly epoch: number },
): Promise<MadeRun> {
  const { ledger, pairing } = surroundings;
  const past = await readPast(ledger, view, { session, epoch });
  const space = keySpaces(pairing)[session] as never;
  const key: CommitteeKey<unknown> = decodeCommitteeKey(space, past.key);
  const { nodes, threshold, dealers, run } = past;
  const sizes = { chainId: ledger.chainId, nodes: nodes.length, threshold, attempt: run.attempt };
  if (past.origin === "fresh") return { session, past, key, run: generation<unknown>(space, sizes) };
  const before = await readPast(ledger, view, { session, epoch: epoch - 1 });
  const previous: CommitteeKey<unknown> = decodeCommitteeKey(space, before.key);
  const origin =
    past.origin === "refresh"
      ? ({ kind: "refresh", previous } as const)
      : ({ kind: "reshare", previous, dealers } as const);
  return { session, past, key, run: generation<unknown>(space, { ...sizes, origin }) };
}

async function readPast(
  ledger: Reader,
  view: CommitteeView,
  { session, epoch }: { readonly session: Session; readonly epoch: number },
): Promise<CommitteePastValue> {
  const kept = await readEntry(ledger, entries.committeePast, committeePastKey(session, epoch));
  if (kept !== undefined) return kept;
  if (epoch !== view.present.epoch) {
    throw new ChartsealError("chain-altered", "the ledger holds no such epoch of the committee");
  }
  const state = await prefetch(ledger, [
    [entries.committeeNodes, emptyKey],
    [entries.committeeChange, emptyKey],
    [entries.committee, utf8(session)],
    [entries.keygen, utf8(session)],
  ]);
  return presentAsPast(state, view.consortium, session);
}
