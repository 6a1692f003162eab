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
  utf8,
} from "@chartseal/crypto";
import { entries, type SessionName } from "@chartseal/ledger";
import { type Reader, readEntry } from "./state.ts";

/** The key spaces of a pairing by session. */
export function keySpaces(pairing: Pairing) {
  return {
    reading: readingKeySpace(pairing),
    signing: signingKeySpace(pairing, committeeBase(pairing)),
    audit: auditKeySpace(pairing),
  };
}

/** mpk, A0 and D with the nodes' public values. */
export interface Committee {
  readonly reading: CommitteeKey<GT>;
  readonly signing: CommitteeKey<G2>;
  readonly audit: CommitteeKey<G1>;
}

/** @throws ChartsealError `issue-refused` while the committee's keys are not made */
export async function readCommittee(ledger: Reader, pairing: Pairing): Promise<Committee> {
  const spaces = keySpaces(pairing);
  const session = async (name: SessionName): Promise<Uint8Array> => {
    const bytes = await readEntry(ledger, entries.committee, utf8(name));
    if (bytes !== undefined) return bytes;
    throw new ChartsealError("issue-refused", "the committee's keys are not made yet");
  };
  return {
    reading: decodeCommitteeKey(spaces.reading, await session("reading")),
    signing: decodeCommitteeKey(spaces.signing, await session("signing")),
    audit: decodeCommitteeKey(spaces.audit, await session("audit")),
  };
}

/** SHA-256(mpk), a field of every record's context. */
export function masterKeyHash(pairing: Pairing, mpk: GT): Uint8Array {
  return sha256(pairing.gt.encode(mpk));
}
