/** What a namespace is told about its identity provider, checked before anything is asked of it. */
import { ChartsealError } from "@chartseal/crypto";

export interface OidcSettings {
  readonly issuer: string;
  readonly clientId: string;
  /** Null for a public client: PKCE alone then ties the code to who asked for it. */
  readonly clientSecret: string | null;
  readonly scopes: readonly string[];
}

/** `offline_access` brings the refresh token, without which a namespace would never learn that a claim is gone. */
export const defaultScopes: readonly string[] = ["openid", "profile", "email", "offline_access"];

/** A machine's own address, where a provider of a test or of development may speak without TLS. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "127.0.0.1" || hostname === "[::1]";
}

/** @throws ChartsealError `input-invalid` */
export function checkSettings({ issuer, clientId, clientSecret, scopes }: OidcSettings): void {
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined;
  const secure = url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url.hostname));
  if (url === undefined || !secure || url.search !== "" || url.hash !== "" || url.username !== "") {
    throw new ChartsealError("input-invalid", `${JSON.stringify(issuer)} is no issuer`, {
      hint: "An https address without query, as its discovery document names it; http on this machine alone.",
    });
  }
  const printable = /^[\x21-\x7e]{1,512}$/;
  if (!printable.test(clientId)) throw new ChartsealError("input-invalid", "the client id is malformed");
  if (clientSecret !== null && !printable.test(clientSecret)) {
    throw new ChartsealError("input-invalid", "the client secret is malformed");
  }
  const sound =
    scopes.length <= 32 && scopes.every((scope) => /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/.test(scope));
  if (!sound || !scopes.includes("openid")) {
    throw new ChartsealError("input-invalid", "the scopes must be names, openid among them");
  }
}
