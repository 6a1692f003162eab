/** The committee's public keys as the ledger's machine computed them (CRYPTO §2.3), and the spaces that they live in. */
import {
  auditKeySpace,
  ChartsealError,
  type CommitteeKey,
  committeeBase,
  decodeCommitteeKey,
  type G1,
  type G2,
  type GT,
  type Pairing,
  readingKeySpace,
  sha256,
  signingKeySpace,
  toHex,
  utf8,
} from "@chartseal/crypto";
import { emptyKey, entries, type SessionName } from "@chartseal/ledger";
import { type Reader, readEntry } from "./state.ts";

/** What was made for a pairing once: the spaces (the base of `reading` costs a pairing) and decoded keys. */
interface Known {
  readonly spaces: ReturnType<typeof makeSpaces>;
  readonly committees: Map<string, Committee>;
}

const knownOf = new WeakMap<Pairing, Known>();
/** Chains that one process meets at a time. */
const committeesMax = 8;

function makeSpaces(pairing: Pairing) {
  return {
    reading: readingKeySpace(pairing),
    signing: signingKeySpace(pairing, committeeBase(pairing)),
    audit: auditKeySpace(pairing),
  };
}

function known(pairing: Pairing): Known {
  let found = knownOf.get(pairing);
  if (found === undefined) {
    found = { spaces: makeSpaces(pairing), committees: new Map() };
    knownOf.set(pairing, found);
  }
  return found;
}

/** The key spaces of a pairing by session. */
export function keySpaces(pairing: Pairing): Known["spaces"] {
  return known(pairing).spaces;
}

/** mpk, A0 and D with the nodes' public values. */
export interface Committee {
  readonly reading: CommitteeKey<GT>;
  readonly signing: CommitteeKey<G2>;
  readonly audit: CommitteeKey<G1>;
}

/** Accounts of the present committee's nodes 1 … n, how many suffice, and the epoch of their shares. */
export interface PresentNodes {
  readonly nodes: readonly Uint8Array[];
  readonly threshold: number;
  readonly epoch: number;
}

/** The genesis' nodes, until a change of the committee has come about. */
export async function readNodes(ledger: Reader): Promise<PresentNodes> {
  const present = await readEntry(ledger, entries.committeeNodes, emptyKey);
  if (present !== undefined) return present;
  const consortium = await readEntry(ledger, entries.consortium, emptyKey);
  if (consortium === undefined) throw new ChartsealError("chain-altered", "the ledger names no committee");
  return { nodes: consortium.nodes, threshold: consortium.threshold, epoch: 1 };
}

/**
 * The keys of the state's bytes, decoded once: each element of GT is tested for membership, which takes milliseconds.
 * @throws ChartsealError `issue-refused` while the committee's keys are not made
 */
export async function readCommittee(ledger: Reader, pairing: Pairing): Promise<Committee> {
  const { spaces, committees } = known(pairing);
  const session = async (name: SessionName): Promise<Uint8Array> => {
    const bytes = await readEntry(ledger, entries.committee, utf8(name));
    if (bytes !== undefined) return bytes;
    throw new ChartsealError("issue-refused", "the committee's keys are not made yet");
  };
  const [reading, signing, audit] = [
    await session("reading"),
    await session("signing"),
    await session("audit"),
  ];
  const name = toHex(sha256(sha256(reading), sha256(signing), sha256(audit)));
  const found = committees.get(name);
  if (found !== undefined) return found;
  const committee = {
    reading: decodeCommitteeKey(spaces.reading, reading),
    signing: decodeCommitteeKey(spaces.signing, signing),
    audit: decodeCommitteeKey(spaces.audit, audit),
  };
  if (committees.size === committeesMax) committees.clear();
  committees.set(name, committee);
  return committee;
}

/** SHA-256(mpk), a field of every record's context. */
export function masterKeyHash(pairing: Pairing, mpk: GT): Uint8Array {
  return sha256(pairing.gt.encode(mpk));
}
