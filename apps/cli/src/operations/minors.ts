/** A minor's guardian, appointed with the account: the minor's own new keys sign the appointment. */
import { toHex } from "@chartseal/crypto";
import { proxyRights } from "@chartseal/ledger";
import { appointProxy } from "@chartseal/sharing";
import type { Session, SessionMember } from "../services/session.ts";
import { timeText } from "./emergencies.ts";

export interface Guardian {
  readonly name: string;
  readonly account: Uint8Array;
  readonly endMs: number;
}

/** With both rights, until the end. */
export async function appointGuardian(
  session: Session,
  minor: SessionMember,
  { name, account, endMs }: Guardian,
): Promise<{ readonly guardian: string; readonly proxyId: string; readonly until: string }> {
  const owner = minor.keys;
  const { proxyId } = await appointProxy(session, { owner, proxy: account, endMs, may: proxyRights });
  return { guardian: name, proxyId: toHex(proxyId), until: timeText(endMs) };
}
