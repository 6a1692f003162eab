/**
 * A link between an account and an identity at a namespace's identity provider, and how a member asks for it (spec/
 * 7-sharing.md, Vouching by an identity provider). The member signs a wish with the account's key; the nonce that it gives
 * stands in the ID token, so that the login was made for this account on this chain and serves no other.
 */
import {
  fixed,
  type HashPart,
  hash,
  randomBytes,
  signTagged,
  tagged,
  toHex,
  utf8,
  verifyTagged,
} from "@chartseal/crypto";
import type { Identity } from "../parties.ts";
import type { Match } from "./mapping.ts";

/** What a wish is for: the place, the namespace, and the provider as the namespace knows it. */
export interface LinkPlace {
  readonly chainId: Uint8Array;
  readonly namespace: string;
  readonly issuer: string;
  readonly clientId: string;
}

export interface LinkWish {
  readonly account: Uint8Array;
  /** 32 random bytes: one login. */
  readonly challenge: Uint8Array;
  readonly signature: Uint8Array;
}

function parts(
  { chainId, namespace, issuer, clientId }: LinkPlace,
  wish: Omit<LinkWish, "signature">,
): HashPart[] {
  const { account, challenge } = wish;
  return [fixed(chainId), utf8(namespace), fixed(account), utf8(issuer), utf8(clientId), fixed(challenge)];
}

export function signLinkWish(place: LinkPlace, { account, seed }: Identity): LinkWish {
  const wish = { account, challenge: randomBytes(32) };
  return { ...wish, signature: signTagged(seed, "sharing/link", ...parts(place, wish)) };
}

/** Whether the account's present key signed this wish for this place. */
export function verifyLinkWish(place: LinkPlace, publicKey: Uint8Array, wish: LinkWish): boolean {
  return verifyTagged(publicKey, wish.signature, "sharing/link", ...parts(place, wish));
}

/** The nonce of the login that the wish is for, 64 hex digits. */
export function nonceOf(place: LinkPlace, wish: LinkWish): string {
  return toHex(
    hash("sharing/link-nonce", tagged("sharing/link", ...parts(place, wish)), fixed(wish.signature)),
  );
}

export const endReasons = ["claim-gone", "mapping-changed", "identity-gone", "unlinked", "by-hand"] as const;
/** Why an attribute ended: the claim, the rule, the identity; the member's or the hospital's own act. */
export type EndReason = (typeof endReasons)[number];

/** Where the ledger holds an act. */
export interface Act {
  readonly height: number;
  /** Identifier, hex. */
  readonly transaction: string;
}

/** One span of one attribute: from the rule that brought it to what ended it. */
export interface Ground {
  readonly attribute: string;
  readonly match: Match;
  readonly sinceMs: number;
  /** Null while it is planned only: written before the ledger is asked, so that a crash leaves no vouch unexplained. */
  readonly vouch: Act | null;
  /** Granted by hand too, or before: then the end of the claim is not the end of the attribute. */
  readonly byHand: boolean;
  readonly end: GroundEnd | null;
}

export interface GroundEnd {
  readonly reason: EndReason;
  readonly atMs: number;
  /** Null while it is planned, and where nothing had to be revoked. */
  readonly act: Act | null;
  /** False from the plan until it is known to be so on the ledger. */
  readonly done: boolean;
}

/** What a namespace keeps of one link, encrypted in its vault and nowhere else. */
export interface Link {
  readonly version: 1;
  /** Hex. */
  readonly account: string;
  readonly issuer: string;
  readonly clientId: string;
  /** The identity's `sub`. */
  readonly subject: string;
  readonly linkedMs: number;
  /** `gone`: the provider said so; `unlinked`: the member or the hospital did, and the identity is free again. */
  readonly state: "linked" | "gone" | "unlinked";
  /** Null where the link is not followed any more. */
  readonly refreshToken: string | null;
  /** When claims were read last. */
  readonly readMs: number;
  /** Oldest first; at most `groundsMax`. */
  readonly grounds: readonly Ground[];
  /** Mapped attributes that were revoked by hand: they stay away until the claim has been gone, or a hand grants them. */
  readonly withheld: readonly string[];
}

export const groundsMax = 1024;

/** Where a namespace keeps its links: by account, one each. Durable when a call resolves. */
export interface LinkStore {
  get(account: string): Promise<Link | undefined>;
  put(link: Link): Promise<void>;
  remove(account: string): Promise<void>;
  /** Accounts with a link, hex. */
  accounts(): Promise<readonly string[]>;
}

/** What a link says of an attribute that a hospital grants by hand: from then on the end of a claim does not end it. */
export function grantedByHand(link: Link, attributes: readonly string[]): Link {
  const grounds = link.grounds.map((ground) => {
    const isOpen = ground.end?.done !== true && attributes.includes(ground.attribute);
    // A revocation that was only planned is not wanted any more.
    return isOpen ? { ...ground, byHand: true, end: null } : ground;
  });
  return { ...link, grounds, withheld: link.withheld.filter((one) => !attributes.includes(one)) };
}

/** What a link says of an attribute that a hospital revokes by hand: it stays away although the claim is there. */
export function revokedByHand(link: Link, attributes: readonly string[]): Link {
  return { ...link, withheld: [...new Set([...link.withheld, ...attributes])].sort() };
}

/** The last ground of an attribute that has not ended for good. */
export function openGround({ grounds }: Pick<Link, "grounds">, attribute: string): Ground | undefined {
  return grounds.findLast((ground) => ground.attribute === attribute && ground.end?.done !== true);
}
