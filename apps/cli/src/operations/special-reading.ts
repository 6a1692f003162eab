/** Reading in an emergency or as a proxy, as `open`, `request` and `transform` are told of it. */
import { ChartsealError, fromHex } from "@chartseal/crypto";
import { entries } from "@chartseal/ledger";
import {
  appointmentFor,
  type GrantName,
  type MemberKeys,
  readEmergency,
  readEntry,
  readRequest,
} from "@chartseal/sharing";
import { requireMember } from "../home/home.ts";
import type { ReadSession, Session, SessionMember } from "../services/session.ts";
import { dropSpecialKey, specialKeyFor } from "../services/special-keys.ts";
import { parseGrantId } from "./emergencies.ts";

export interface SpecialOptions {
  readonly emergency?: string;
  readonly proxyFor?: string;
}

/** @throws ChartsealError `input-invalid`, `member-unknown` */
export function checkSpecial({ home }: ReadSession, { emergency, proxyFor }: SpecialOptions): void {
  if (emergency !== undefined && proxyFor !== undefined) {
    throw new ChartsealError("input-invalid", "give --emergency or --proxy-for, not both");
  }
  if (emergency !== undefined) parseGrantId(emergency);
  if (proxyFor !== undefined) requireMember(home, proxyFor);
}

/**
 * The emergency or appointment that the options name; undefined where they name none.
 * @throws ChartsealError `emergency-missing` for one that is not in force, `proxy-missing`
 */
export async function grantOf(
  session: Session,
  member: SessionMember,
  { emergency, proxyFor }: SpecialOptions,
): Promise<GrantName | undefined> {
  if (emergency !== undefined) {
    const grant = { mode: "emergency", grantId: parseGrantId(emergency) } as const;
    const { status } = await readEmergency(session, grant.grantId);
    if (status === "in-force") return grant;
    if (status !== "declared") dropSpecialKey(member, grant);
    throw new ChartsealError("emergency-missing", `the emergency is not in force: ${status}`, {
      data: { emergencyId: emergency, status },
      ...(status === "declared"
        ? { hint: "A second clinician confirms it: chartseal emergency confirm." }
        : {}),
    });
  }
  if (proxyFor === undefined) return undefined;
  const owner = fromHex(requireMember(session.home, proxyFor).account, 20);
  const { id } = await appointmentFor(session, { owner, proxy: member.keys.account, right: "read" });
  return { mode: "proxy", grantId: id };
}

/** The keys with which a request of that id is finished: the member's own, or those of its emergency or appointment. */
export async function readerOf(
  session: Session,
  member: SessionMember,
  requestId: Uint8Array,
): Promise<MemberKeys> {
  const proof = (await readRequest(session.ledger, requestId))?.proof;
  const grant = await readEntry(session.ledger, entries.requestGrant, requestId);
  if ((proof !== "emergency" && proof !== "proxy") || grant === undefined) return member.keys;
  const key = await specialKeyFor(session, member, { mode: proof, grantId: grant.grantId });
  return { ...member.keys, transformKeyId: key.keyId, recoveryKey: key.recoveryKey };
}
