/**
 * A namespace's side of its identity provider as a service: logins that members begin and end, links, and syncs, one at a
 * time. The browser comes back to the member's own machine, never here: whoever began a login must show what the browser
 * brought, so that nobody is talked into logging in for somebody else's link.
 */
import { ChartsealError, namespaceOf, toHex } from "@chartseal/crypto";
import {
  completeLink,
  endLink,
  type Link,
  type LinkPlace,
  type LinkReport,
  type LinkWish,
  nonceOf,
  readAccount,
  syncLink,
  type Vouching,
  verifyLinkWish,
  type Why,
  whyOf,
} from "@chartseal/sharing";
import { type BegunLogin, IdentityProvider } from "./identity-provider.ts";
import type { OidcSettings } from "./settings.ts";

export interface NamespaceIdentityParts {
  /** Read anew for each act: a mapping may have changed. @throws ChartsealError where the namespace follows no provider */
  readonly settings: () => Promise<OidcSettings>;
  readonly vouching: () => Promise<Vouching>;
  /** After revocations: the provider of transform keys follows. */
  readonly revoked: () => Promise<void>;
  /** Redirect addresses beside those of the members' own machines, whole. */
  readonly redirects?: readonly string[];
}

/** How long a login may take, and how many may be under way. */
export const loginTimeoutMs = 600_000;
export const loginsMax = 1_000;
export const loginsOfAccountMax = 4;

interface Pending {
  readonly provider: IdentityProvider;
  readonly place: LinkPlace;
  readonly wish: LinkWish;
  readonly begun: BegunLogin;
  readonly redirectUri: string;
  readonly atMs: number;
}

export class NamespaceIdentity {
  readonly #parts: NamespaceIdentityParts;
  /** By state. */
  readonly #pending = new Map<string, Pending>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: NamespaceIdentityParts) {
    this.#parts = parts;
  }

  /** What a wish names. */
  async client(): Promise<{ readonly issuer: string; readonly clientId: string }> {
    const { issuer, clientId } = await this.#parts.settings();
    return { issuer, clientId };
  }

  /** Why an account holds this namespace's attributes, or no longer does. */
  async why(account: Uint8Array, attribute?: string): Promise<Why[]> {
    const { store, surroundings, hospital } = await this.#parts.vouching();
    const linkOf = async (namespace: string): Promise<Link | null | undefined> => {
      return namespace === hospital.name ? ((await store.get(toHex(account))) ?? null) : undefined;
    };
    const reasons = await whyOf(surroundings.ledger, account, { linkOf, ...(attribute && { attribute }) });
    return reasons.filter((one) => namespaceOf(one.attribute) === hospital.name);
  }

  /**
   * Begins the login that an account wishes for.
   * @throws ChartsealError `identity-refused`, `identity-unreachable`, `input-invalid`, `rate-limited`
   */
  async begin(
    wish: LinkWish,
    redirectUri: string,
  ): Promise<{ readonly url: string; readonly state: string }> {
    const { surroundings, hospital } = await this.#parts.vouching();
    const settings = await this.#parts.settings();
    const { issuer, clientId } = settings;
    const { ledger, now } = surroundings;
    const place = { chainId: ledger.chainId, namespace: hospital.name, issuer, clientId };
    if (!this.#mayReturnTo(redirectUri)) {
      throw new ChartsealError(
        "input-invalid",
        "the browser may come back to the member's own machine alone",
        {
          hint: "http://127.0.0.1:PORT/callback.",
        },
      );
    }
    const value = await readAccount(ledger, wish.account);
    if (value === undefined || !verifyLinkWish(place, value.publicKey, wish)) {
      throw new ChartsealError("identity-refused", "the account did not ask to be linked here");
    }
    this.#demandRoom(wish.account, now());
    const provider = await IdentityProvider.discover(settings, now);
    const begun = await provider.begin({ redirectUri, nonce: nonceOf(place, wish) });
    this.#pending.set(begun.state, { provider, place, wish, begun, redirectUri, atMs: now() });
    return { url: begun.url, state: begun.state };
  }

  #mayReturnTo(redirectUri: string): boolean {
    if (this.#parts.redirects?.includes(redirectUri)) return true;
    return /^http:\/\/(?:127\.0\.0\.1|\[::1\]):[1-9][0-9]{0,4}\/callback$/.test(redirectUri);
  }

  #demandRoom(account: Uint8Array, nowMs: number): void {
    for (const [state, { atMs }] of this.#pending) {
      if (nowMs - atMs >= loginTimeoutMs) this.#pending.delete(state);
    }
    const hex = toHex(account);
    const own = [...this.#pending].filter(([, { wish }]) => toHex(wish.account) === hex);
    // An account's newest login counts: the oldest makes room for it.
    if (own.length >= loginsOfAccountMax) this.#pending.delete(own[0]![0]);
    else if (this.#pending.size >= loginsMax) {
      throw new ChartsealError("rate-limited", "too many logins are under way", {
        data: { retryAfterMs: 10_000 },
      });
    }
  }

  /**
   * Ends the account's own login with the address that its browser came back to; each is taken once.
   * @throws ChartsealError `identity-refused`, `identity-unreachable`
   */
  async finish(
    account: Uint8Array,
    answer: { readonly state: string; readonly redirected: string },
  ): Promise<LinkReport> {
    const pending = this.#pending.get(answer.state);
    const { surroundings } = await this.#parts.vouching();
    const own = pending !== undefined && toHex(pending.wish.account) === toHex(account);
    if (!own || surroundings.now() - pending.atMs >= loginTimeoutMs) {
      throw new ChartsealError("identity-refused", "no such login of this account is under way");
    }
    this.#pending.delete(answer.state);
    const { provider, begun, place, wish, redirectUri } = pending;
    const url = URL.canParse(answer.redirected) ? new URL(answer.redirected) : undefined;
    if (url === undefined || `${url.origin}${url.pathname}` !== redirectUri) {
      throw new ChartsealError("identity-refused", "the browser came back to another address");
    }
    const login = await provider.finish(begun, url);
    return await this.#inTurn(async () => {
      return await this.#followed(await completeLink(await this.#parts.vouching(), { place, wish, login }));
    });
  }

  /**
   * Reads the claims of every linked account, or of one, again.
   * @throws ChartsealError `identity-unreachable`, and then nothing was changed
   */
  async sync(account?: string): Promise<LinkReport[]> {
    return await this.#inTurn(async () => {
      const vouching = await this.#parts.vouching();
      const accounts = (await vouching.store.accounts()).filter(
        (one) => account === undefined || one === account,
      );
      if (accounts.length === 0) return [];
      const provider = await IdentityProvider.discover(
        await this.#parts.settings(),
        vouching.surroundings.now,
      );
      const reports: LinkReport[] = [];
      for (const one of accounts) {
        const report = await syncLink(vouching, provider, one);
        if (report !== undefined && report.outcome !== "unlinked") reports.push(await this.#followed(report));
      }
      return reports;
    });
  }

  /** Ends an account's link. Undefined where it has none. */
  async unlink(account: string): Promise<LinkReport | undefined> {
    return await this.#inTurn(async () => {
      const report = await endLink(await this.#parts.vouching(), account);
      return report === undefined ? undefined : await this.#followed(report);
    });
  }

  async #followed(report: LinkReport): Promise<LinkReport> {
    if (report.revoked.length > 0) await this.#parts.revoked();
    return report;
  }

  /** One at a time: two syncs would redeem one refresh token twice, which a provider takes for theft. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(act, act);
    this.#turn = done.catch(() => {});
    return done;
  }
}
