/**
 * The secrets of emergencies and proxies in a member's vault: special-keys/ID.sealed holds the request and its z, kept
 * before the key is asked for. One whose emergency or appointment is over is removed when it is next met.
 */
import { type CborValue, ChartsealError, fromBigInt, toBigInt, toHex } from "@chartseal/crypto";
import { type GrantName, obtainSpecialKey, type SpecialKey, specialKeyOf } from "@chartseal/sharing";
import type { Session, SessionMember } from "./session.ts";

const fileOf = ({ grantId }: GrantName): string => `special-keys/${toHex(grantId)}.sealed`;

/** The key for this emergency or appointment: the one at hand, or a new one from the committee. */
export async function specialKeyFor(
  session: Session,
  member: SessionMember,
  grant: GrantName,
): Promise<SpecialKey> {
  const kept = await member.vault.load(fileOf(grant));
  const secret = kept === undefined ? undefined : secretOf(kept);
  const held = secret === undefined ? undefined : await specialKeyOf(session, grant, secret);
  if (held !== undefined) return held;
  return await obtainSpecialKey(session, {
    member: member.keys,
    grant,
    saved: ({ requestId, recoveryKey }) =>
      member.vault.save(fileOf(grant), [requestId, fromBigInt(recoveryKey, 32)]),
  });
}

/** Forgets the secret of what is over. */
export function dropSpecialKey(member: SessionMember, grant: GrantName): void {
  member.vault.remove(fileOf(grant));
}

function secretOf(value: CborValue): { readonly requestId: Uint8Array; readonly recoveryKey: bigint } {
  const [requestId, z] = Array.isArray(value) ? (value as readonly CborValue[]) : [];
  if (requestId instanceof Uint8Array && z instanceof Uint8Array)
    return { requestId, recoveryKey: toBigInt(z) };
  throw new ChartsealError("chain-altered", "a member's key file is damaged", {
    hint: "Remove it, and opening asks for a new key while the emergency or appointment is in force.",
  });
}
