/**
 * What follows from claims: which attributes a namespace vouches for and which it revokes. Pure: the link as it is kept,
 * what stands on the ledger, and what the provider said, in; a plan, out. A plan is kept before any of it is done, and
 * made again from what is kept and what stands, so that a crash at any point is made good by the next sync.
 */
import { type Ground, type GroundEnd, groundsMax, type Link, openGround } from "./link.ts";
import { type Claims, type Match, matchOf } from "./mapping.ts";

/** What the provider said of the identity. */
export type Said =
  /** Its claims, mapped. */
  | { readonly kind: "claims"; readonly mapped: ReadonlyMap<string, Match>; readonly claims: Claims }
  /** That it is no more: the refresh token is refused, as of a user who was disabled. */
  | { readonly kind: "gone" }
  /** The member or the hospital ended the link. */
  | { readonly kind: "unlinked" };

export interface Plan {
  /** The link with what is planned, to be kept before anything is done. */
  readonly link: Link;
  readonly vouch: readonly string[];
  readonly revoke: readonly string[];
  /** Mapped, and revoked by hand: not vouched for again. */
  readonly withheld: readonly string[];
}

interface Facts {
  readonly said: Said;
  /** Attributes of the namespace that stand on the ledger for the account. */
  readonly standing: ReadonlySet<string>;
  readonly nowMs: number;
}

export function decide(link: Link, facts: Facts): Plan {
  const { said, standing, nowMs } = facts;
  const mapped: ReadonlyMap<string, Match> = said.kind === "claims" ? said.mapped : new Map();
  const grounds = [...link.grounds];
  const withheld = new Set(
    link.withheld.filter((attribute) => mapped.has(attribute) && !standing.has(attribute)),
  );
  const vouch: string[] = [];
  const revoke: string[] = [];
  const open = link.grounds.filter((ground) => ground.end?.done !== true).map(({ attribute }) => attribute);
  for (const attribute of new Set([...open, ...mapped.keys()])) {
    const stands = standing.has(attribute);
    const match = mapped.get(attribute);
    const before = openGround({ grounds }, attribute);
    if (before !== undefined) {
      const after = changed(before, { ...facts, stands, match, isWithheld: withheld.has(attribute) });
      grounds[grounds.indexOf(before)] = after.ground;
      if (after.act === "vouch") vouch.push(attribute);
      if (after.act === "revoke") revoke.push(attribute);
      if (after.ground.end?.reason === "by-hand" && match !== undefined) withheld.add(attribute);
    } else if (match !== undefined && !withheld.has(attribute)) {
      grounds.push({ attribute, match, sinceMs: nowMs, vouch: null, byHand: stands, end: null });
      if (!stands) vouch.push(attribute);
    }
  }
  const kept = grounds.filter(({ end, vouch: act, byHand }) => end?.done !== true || act !== null || byHand);
  const planned = { ...link, grounds: kept.slice(-groundsMax), withheld: [...withheld].sort() };
  return { link: planned, vouch: vouch.sort(), revoke: revoke.sort(), withheld: planned.withheld };
}

/** What becomes of one ground. */
function changed(
  ground: Ground,
  facts: Facts & {
    readonly stands: boolean;
    readonly match: Match | undefined;
    readonly isWithheld: boolean;
  },
): { readonly ground: Ground; readonly act?: "vouch" | "revoke" } {
  const { stands, match, nowMs } = facts;
  const { end } = ground;
  // A revocation that was cut off: what does not stand is revoked, what stands is revoked, unless the claim is back.
  if (end !== null) {
    if (stands && match !== undefined) return { ground: { ...ground, match, end: null } };
    return stands ? { ground, act: "revoke" } : { ground: { ...ground, end: { ...end, done: true } } };
  }
  if (match === undefined) {
    const reason = endReason(ground, facts);
    const mustAct = stands && !ground.byHand;
    const ended: GroundEnd = { reason, atMs: nowMs, act: null, done: !mustAct };
    return mustAct
      ? { ground: { ...ground, end: ended }, act: "revoke" }
      : { ground: { ...ground, end: ended } };
  }
  const planned = ground.vouch === null && !ground.byHand && !facts.isWithheld;
  if (stands || planned) {
    return { ground: { ...ground, match }, ...(stands ? {} : { act: "vouch" as const }) };
  }
  // It stood, and this namespace's sync did not end it: somebody revoked it by hand, and that counts.
  return { ground: { ...ground, end: { reason: "by-hand", atMs: nowMs, act: null, done: true } } };
}

function endReason(
  { match }: Ground,
  { said, stands }: Facts & { readonly stands: boolean },
): GroundEnd["reason"] {
  if (!stands) return "by-hand";
  if (said.kind === "gone") return "identity-gone";
  if (said.kind === "unlinked") return "unlinked";
  const { claim, operator, value } = match;
  const still = matchOf({ claim, operator, values: [value] }, said.claims) !== undefined;
  return still ? "mapping-changed" : "claim-gone";
}
