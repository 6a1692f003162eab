/**
 * A namespace follows its identity provider (spec/7-sharing.md, Vouching by an identity provider): it links an account to
 * an identity, reads the claims again, vouches for what is new and revokes what is gone. A provider that cannot be reached
 * changes nothing; a claim that is gone is a revocation.
 */
import { ChartsealError, equalBytes, fromHex, namespaceOf, toHex } from "@chartseal/crypto";
import type { Ledger, Submitted } from "@chartseal/ledger";
import { attributesInForce } from "../namespace.ts";
import type { Surroundings } from "../parties.ts";
import { readAccount } from "../state.ts";
import { vouchActs } from "./acts.ts";
import { decide, type Said } from "./decide.ts";
import {
  type Ground,
  type Link,
  type LinkPlace,
  type LinkStore,
  type LinkWish,
  nonceOf,
  verifyLinkWish,
} from "./link.ts";
import { applyMapping, type Claims, type Mapping } from "./mapping.ts";

/** What the provider answers when a namespace reads an identity's claims again. */
export type Reading =
  | { readonly kind: "claims"; readonly claims: Claims }
  /** It refuses the refresh token for good: the user is disabled, or took the consent back. */
  | { readonly kind: "gone"; readonly reason: string }
  /** Down, slow, confused, or it does not know this client: nothing follows from it. */
  | { readonly kind: "unreachable"; readonly reason: string };

export interface ClaimsSource {
  /** `saved`: called with a token that takes the old one's place, before anything else is asked. */
  read(input: {
    readonly refreshToken: string;
    readonly subject: string;
    readonly saved: (refreshToken: string) => Promise<void>;
  }): Promise<Reading>;
}

/** What a finished login gave: an ID token that was verified, and the claims. */
export interface Login {
  readonly subject: string;
  readonly nonce: string;
  readonly claims: Claims;
  readonly refreshToken: string | undefined;
}

export interface Vouching {
  readonly surroundings: Pick<Surroundings, "now"> & { readonly ledger: Ledger };
  readonly hospital: {
    readonly name: string;
    vouchMapped(account: Uint8Array, attributes: readonly string[]): Promise<Submitted>;
    revokeMapped(account: Uint8Array, attributes: readonly string[]): Promise<Submitted>;
  };
  readonly store: LinkStore;
  readonly mapping: Mapping;
}

export interface LinkReport {
  /** Hex. */
  readonly account: string;
  readonly outcome: "current" | "gone" | "unlinked" | "unreachable";
  readonly vouched: readonly string[];
  readonly revoked: readonly string[];
  readonly withheld: readonly string[];
  /** Of `gone` and `unreachable`. */
  readonly reason?: string;
}

/**
 * Links an account to the identity that logged in, and vouches for what its claims bring.
 * @throws ChartsealError `identity-refused`
 */
export async function completeLink(
  vouching: Vouching,
  input: { readonly place: LinkPlace; readonly wish: LinkWish; readonly login: Login },
): Promise<LinkReport> {
  const { surroundings, store } = vouching;
  const { place, wish, login } = input;
  await demandWish(vouching, input);
  if (login.refreshToken === undefined) {
    throw new ChartsealError("identity-refused", "the identity provider gave no refresh token", {
      hint: "Allow the client the scope offline_access: without it nobody would learn that a claim is gone.",
    });
  }
  const account = toHex(wish.account);
  await demandFree(store, { account, place, subject: login.subject });
  const earlier = await store.get(account);
  const nowMs = surroundings.now();
  const link: Link = {
    version: 1,
    account,
    issuer: place.issuer,
    clientId: place.clientId,
    subject: login.subject,
    linkedMs: nowMs,
    state: "linked",
    refreshToken: login.refreshToken,
    readMs: nowMs,
    grounds: earlier?.grounds ?? [],
    withheld: earlier?.withheld ?? [],
  };
  return await carryOut(vouching, link, saidOf(vouching.mapping, login.claims));
}

/** That the account asked for this login here, and the ID token was made for that wish. */
async function demandWish(
  { surroundings, hospital }: Vouching,
  { place, wish, login }: { readonly place: LinkPlace; readonly wish: LinkWish; readonly login: Login },
): Promise<void> {
  const { ledger } = surroundings;
  const value = await readAccount(ledger, wish.account);
  const here = place.namespace === hospital.name && equalBytes(place.chainId, ledger.chainId);
  if (!here || value === undefined || !verifyLinkWish(place, value.publicKey, wish)) {
    throw new ChartsealError("identity-refused", "the account did not ask to be linked here");
  }
  if (login.nonce !== nonceOf(place, wish)) {
    throw new ChartsealError("identity-refused", "the login was not made for this account");
  }
}

/** One identity, one account. */
async function demandFree(
  store: LinkStore,
  wanted: { readonly account: string; readonly place: LinkPlace; readonly subject: string },
): Promise<void> {
  const { account, place, subject } = wanted;
  for (const other of await store.accounts()) {
    const link = await store.get(other);
    if (link === undefined || link.state === "unlinked") continue;
    const same = link.issuer === place.issuer && link.subject === subject;
    if (other !== account && same) {
      throw new ChartsealError("identity-refused", "this identity is linked to another account");
    }
    if (other === account && !same) {
      throw new ChartsealError("identity-refused", "this account is linked to another identity", {
        hint: "Unlink it first: chartseal namespace unlink.",
      });
    }
  }
}

function saidOf(mapping: Mapping, claims: Claims): Said {
  return { kind: "claims", claims, mapped: applyMapping(mapping, claims) };
}

/** Reads one link's claims again and does what follows. Undefined for an account without a link. */
export async function syncLink(
  vouching: Vouching,
  source: ClaimsSource,
  account: string,
): Promise<LinkReport | undefined> {
  const { store, surroundings } = vouching;
  let link = await store.get(account);
  if (link === undefined) return undefined;
  const { refreshToken, subject } = link;
  if (refreshToken === null) {
    // Nothing to read; what a crash left of its end is done.
    return await carryOut(vouching, link, { kind: link.state === "unlinked" ? "unlinked" : "gone" });
  }
  const saved = async (token: string): Promise<void> => {
    link = { ...link!, refreshToken: token };
    await store.put(link);
  };
  const reading = await source.read({ refreshToken, subject, saved });
  if (reading.kind === "unreachable") {
    const nothing = { vouched: [], revoked: [], withheld: link.withheld };
    return { account, outcome: "unreachable", ...nothing, reason: reading.reason };
  }
  const readMs = surroundings.now();
  if (reading.kind === "claims") {
    return await carryOut(vouching, { ...link, readMs }, saidOf(vouching.mapping, reading.claims));
  }
  const gone: Link = { ...link, readMs, state: "gone", refreshToken: null };
  return { ...(await carryOut(vouching, gone, { kind: "gone" })), reason: reading.reason };
}

/** Ends a link: what it brought is revoked, the refresh token is forgotten, the identity is free again. */
export async function endLink(vouching: Vouching, account: string): Promise<LinkReport | undefined> {
  const link = await vouching.store.get(account);
  if (link === undefined || link.state === "unlinked") return undefined;
  return await carryOut(vouching, { ...link, state: "unlinked", refreshToken: null }, { kind: "unlinked" });
}

/** Keeps the plan, does it on the ledger, keeps where the ledger holds it. */
async function carryOut(vouching: Vouching, link: Link, said: Said): Promise<LinkReport> {
  const { surroundings, hospital, store } = vouching;
  const { ledger, now } = surroundings;
  const account = fromHex(link.account, 20);
  const standing = new Set(
    (await attributesInForce(ledger, account)).filter((one) => namespaceOf(one) === hospital.name),
  );
  const plan = decide(link, { said, standing, nowMs: now() });
  await store.put(plan.link);
  if (plan.vouch.length > 0) await hospital.vouchMapped(account, plan.vouch);
  if (plan.revoke.length > 0) await hospital.revokeMapped(account, plan.revoke);
  const grounds: Ground[] = [];
  for (const ground of plan.link.grounds) grounds.push(await settled(ledger, account, ground));
  await store.put({ ...plan.link, grounds });
  const { vouch: vouched, revoke: revoked, withheld } = plan;
  const outcome = link.state === "linked" ? "current" : link.state;
  return { account: link.account, outcome, vouched, revoked, withheld };
}

/** A ground with what the ledger shows of it by now. */
async function settled(ledger: Ledger, account: Uint8Array, ground: Ground): Promise<Ground> {
  const { attribute, vouch, byHand, end } = ground;
  const lacksVouch = vouch === null && !byHand;
  const lacksEnd = end !== null && end.act === null && !(end.done && end.reason !== "by-hand");
  if (!lacksVouch && !lacksEnd) return ground;
  const acts = await vouchActs(ledger, account, attribute);
  if (acts === undefined) return ground;
  const known = { ...ground, vouch: lacksVouch ? acts.vouch : vouch };
  if (!lacksEnd || acts.revocation === null) return known;
  return { ...known, end: { ...end, act: acts.revocation, done: true } };
}
