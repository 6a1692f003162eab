/** The committee's public keys in the state: set once by key generation, computed by the machine itself. */
import {
  auditKeySpace,
  type CommitteeKey,
  committeeBase,
  decode,
  decodeCommitteeKey,
  equalBytes,
  type G2,
  type KeySpace,
  type Pairing,
  readingKeySpace,
  signingKeySpace,
  utf8,
} from "@chartseal/crypto";
import type { Session } from "../actions.ts";
import { demand } from "../refusals.ts";
import type { StateAccess } from "../state.ts";
import { entries, load } from "../state-kinds.ts";

type Reading = Pick<StateAccess, "get">;

export const sessions: readonly Session[] = ["reading", "signing", "audit"];

const spaces = new WeakMap<Pairing, Map<Session, unknown>>();
/** The last key decoded of each session with a pairing: it changes with an epoch, and mpk's parts take milliseconds. */
const decoded = new WeakMap<Pairing, Map<Session, Decoded>>();

interface Decoded {
  readonly bytes: Uint8Array;
  readonly key: CommitteeKey<unknown>;
}

/** The group that a session's secret lives in. Kept for each pairing: the base of `reading` costs a pairing. */
export function sessionSpace(pairing: Pairing, session: Session): KeySpace<unknown> {
  let known = spaces.get(pairing);
  if (known === undefined) {
    known = new Map<Session, unknown>([
      ["reading", readingKeySpace(pairing)],
      ["signing", signingKeySpace(pairing, committeeBase(pairing))],
      ["audit", auditKeySpace(pairing)],
    ]);
    spaces.set(pairing, known);
  }
  return known.get(session) as KeySpace<unknown>;
}

/** @throws Refusal `committee-missing` until mpk, A0 and D are all made */
export function demandCommittee(state: Reading): void {
  for (const session of sessions) {
    demand(state.get(entries.committee.kind, utf8(session)) !== undefined, "committee-missing", { session });
  }
}

/** The epoch of the reading key's shares. @throws Refusal `committee-missing` */
export function committeeEpoch(state: Reading): number {
  const bytes = load(state, entries.committee, utf8("reading"));
  demand(bytes, "committee-missing");
  const [, , epoch] = decode(bytes, { sizeMax: bytes.length }) as readonly unknown[];
  return epoch as number;
}

/** A session's present public key. @throws Refusal `committee-missing` */
export function committeeKey(state: Reading, pairing: Pairing, session: Session): CommitteeKey<unknown> {
  const bytes = load(state, entries.committee, utf8(session));
  demand(bytes, "committee-missing", { session });
  const known = decoded.get(pairing) ?? new Map<Session, Decoded>();
  decoded.set(pairing, known);
  const last = known.get(session);
  if (last !== undefined && equalBytes(last.bytes, bytes)) return last.key;
  const key = decodeCommitteeKey(sessionSpace(pairing, session), bytes);
  known.set(session, { bytes, key });
  return key;
}

/** A0. @throws Refusal `committee-missing` */
export function signingCommitteeKey(state: Reading, pairing: Pairing): G2 {
  return committeeKey(state, pairing, "signing").publicKey as G2;
}
