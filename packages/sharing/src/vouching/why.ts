/**
 * Why a member holds an attribute, or no longer does: claim → rule → attribute → the vouch on the ledger, or a grant by
 * hand. The ledger's part is anybody's to see; the rest lies with the namespace and is handed in.
 */
import { fromUtf8, isSelf, namespaceOf, toHex } from "@chartseal/crypto";
import { type Ledger, lists } from "@chartseal/ledger";
import { readList } from "../state.ts";
import { vouchActs } from "./acts.ts";
import type { Act, EndReason, Ground, Link } from "./link.ts";
import type { Match } from "./mapping.ts";

export interface Why {
  readonly attribute: string;
  readonly standing: boolean;
  /** `unknown`: the namespace's evidence is not at hand. */
  readonly by: "mapping" | "hand" | "mapping-and-hand" | "self" | "unknown";
  readonly vouch: Act;
  readonly match: Match | null;
  readonly identity: { readonly issuer: string; readonly subject: string } | null;
  readonly revoked: (Act & { readonly reason: EndReason; readonly atMs: number | null }) | null;
}

/** Namespace → its link of the account; undefined where the namespace's evidence is not at hand, null for no link. */
export type LinkOf = (namespace: string) => Promise<Link | null | undefined>;

/** For every attribute that a hospital ever vouched for, or for one; oldest first. */
export async function whyOf(
  ledger: Ledger,
  account: Uint8Array,
  options: { readonly linkOf: LinkOf; readonly attribute?: string },
): Promise<Why[]> {
  const ever = (await readList(ledger, lists.vouchesOfAccount, account)).map(fromUtf8);
  const asked = ever.filter((one) => options.attribute === undefined || one === options.attribute);
  const reasons: Why[] = [];
  for (const attribute of asked) {
    const acts = await vouchActs(ledger, account, attribute);
    if (acts === undefined) continue;
    const { standing, vouch, revocation } = acts;
    const self = isSelf(attribute) && attribute.startsWith(toHex(account));
    const link = self ? null : await options.linkOf(namespaceOf(attribute));
    const ground = link?.grounds.findLast((one) => one.attribute === attribute && isOf(one, acts));
    const { match = null } = ground ?? {};
    const mapped = ground !== undefined && ground.vouch !== null;
    const identity = mapped && link ? { issuer: link.issuer, subject: link.subject } : null;
    reasons.push({
      attribute,
      standing,
      by: self ? "self" : link === undefined ? "unknown" : byOf(ground, standing),
      vouch,
      match: mapped ? match : null,
      identity,
      revoked: revocation === null ? null : revokedBy(revocation, ground),
    });
  }
  return reasons;
}

/** Whether a ground is about the vouch that the ledger shows now, and not about an earlier one. */
function isOf(ground: Ground, acts: { readonly vouch: Act; readonly standing: boolean }): boolean {
  if (ground.vouch !== null) return ground.vouch.height === acts.vouch.height;
  return ground.byHand;
}

function byOf(ground: Ground | undefined, standing: boolean): Why["by"] {
  if (ground === undefined || ground.vouch === null) return "hand";
  if (!ground.byHand) return "mapping";
  return standing && ground.end !== null ? "hand" : "mapping-and-hand";
}

function revokedBy(act: Act, ground: Ground | undefined): NonNullable<Why["revoked"]> {
  const end = ground?.end ?? null;
  const mapped = end?.act?.height === act.height ? end : null;
  return { ...act, reason: mapped?.reason ?? "by-hand", atMs: mapped?.atMs ?? null };
}
