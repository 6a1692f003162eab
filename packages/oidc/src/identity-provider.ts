/**
 * A namespace's identity provider over OpenID Connect: a login by authorization code with PKCE (RFC 7636), and the claims
 * again by refresh token. What it says is believed after verification and for what the namespace's mapping asks alone.
 */
import { ChartsealError } from "@chartseal/crypto";
import type { Claims, ClaimsSource, Login, Reading } from "@chartseal/sharing";
import { createRemoteJWKSet, type JWTVerifyGetKey, customFetch as keysFetch } from "jose";
import * as client from "openid-client";
import { type IdToken, verifyIdToken } from "./id-token.ts";
import { answerTimeoutMs, limitedFetch } from "./limited-fetch.ts";
import { checkSettings, isLoopback, type OidcSettings } from "./settings.ts";

/** A login that was begun: where the user goes, and what the answer is checked against. */
export interface BegunLogin {
  readonly url: string;
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
}

type Tokens = Pick<
  Awaited<ReturnType<typeof client.refreshTokenGrant>>,
  "access_token" | "id_token" | "refresh_token"
>;

export class IdentityProvider implements ClaimsSource {
  readonly settings: OidcSettings;
  readonly #config: client.Configuration;
  readonly #keys: JWTVerifyGetKey;
  readonly #now: () => number;

  private constructor(
    settings: OidcSettings,
    config: client.Configuration,
    keys: JWTVerifyGetKey,
    now: () => number,
  ) {
    this.settings = settings;
    this.#config = config;
    this.#keys = keys;
    this.#now = now;
  }

  /**
   * Asks the issuer for its addresses and keys.
   * @throws ChartsealError `input-invalid`; `identity-unreachable` where it cannot be reached or is no such issuer
   */
  static async discover(settings: OidcSettings, now: () => number): Promise<IdentityProvider> {
    checkSettings(settings);
    const { issuer, clientId, clientSecret } = settings;
    const url = new URL(issuer);
    const plain = url.protocol === "http:" && isLoopback(url.hostname);
    try {
      const auth = clientSecret === null ? client.None() : client.ClientSecretBasic(clientSecret);
      const config = await client.discovery(url, clientId, undefined, auth, {
        [client.customFetch]: limitedFetch,
        timeout: answerTimeoutMs / 1000,
        ...(plain ? { execute: [client.allowInsecureRequests] } : {}),
      });
      const { jwks_uri } = config.serverMetadata();
      if (jwks_uri === undefined) throw new TypeError("it names no keys");
      const keysUrl = new URL(jwks_uri);
      if (keysUrl.protocol !== "https:" && !plain) throw new TypeError("its keys are not behind TLS");
      const keys = createRemoteJWKSet(keysUrl, {
        [keysFetch]: limitedFetch,
        timeoutDuration: answerTimeoutMs,
      });
      return new IdentityProvider(settings, config, keys, now);
    } catch (cause) {
      throw new ChartsealError("identity-unreachable", `the identity provider ${issuer} cannot be asked`, {
        data: { issuer },
        hint: "Is the issuer's address right, and is it up? Nothing was changed.",
        cause,
      });
    }
  }

  /** Begins a login whose ID token will carry the nonce. */
  async begin(options: { readonly redirectUri: string; readonly nonce: string }): Promise<BegunLogin> {
    const { redirectUri, nonce } = options;
    const { scopes } = this.settings;
    const codeVerifier = client.randomPKCECodeVerifier();
    const state = client.randomState();
    const url = client.buildAuthorizationUrl(this.#config, {
      redirect_uri: redirectUri,
      scope: scopes.join(" "),
      code_challenge: await client.calculatePKCECodeChallenge(codeVerifier),
      code_challenge_method: "S256",
      state,
      nonce,
      // A refresh token is the user's to give (OpenID Connect Core §11).
      ...(scopes.includes("offline_access") ? { prompt: "consent" } : {}),
    });
    return { url: url.href, state, nonce, codeVerifier };
  }

  /**
   * Ends a login with the address that the provider sent the user to: state, issuer, code with PKCE, the ID token.
   * @throws ChartsealError `identity-refused`, `identity-unreachable`
   */
  async finish(begun: BegunLogin, redirected: URL): Promise<Login> {
    const { state, nonce, codeVerifier } = begun;
    let tokens: Tokens;
    try {
      const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: codeVerifier };
      tokens = await client.authorizationCodeGrant(this.#config, redirected, {
        ...checks,
        idTokenExpected: true,
      });
    } catch (cause) {
      throw refusedOrDown(cause, "the login was not completed");
    }
    const token = await this.#verified(tokens, nonce);
    if (token === undefined) {
      throw new ChartsealError("identity-refused", "the identity provider sent no ID token");
    }
    const claims = await this.#claims(tokens, token.sub, token);
    return { subject: token.sub, nonce: String(token.nonce), claims, refreshToken: tokens.refresh_token };
  }

  /** The claims of now. Only the provider's own refusal of the refresh token says that the identity is gone. */
  async read(input: Parameters<ClaimsSource["read"]>[0]): Promise<Reading> {
    const { refreshToken, subject, saved } = input;
    let tokens: Tokens;
    try {
      tokens = await client.refreshTokenGrant(this.#config, refreshToken);
    } catch (error) {
      const refused = error instanceof client.ResponseBodyError && error.error === "invalid_grant";
      const reason = reasonOf(error);
      return refused ? { kind: "gone", reason } : { kind: "unreachable", reason };
    }
    const next = tokens.refresh_token;
    if (next !== undefined && next !== refreshToken) await saved(next);
    try {
      const token = await this.#verified(tokens, undefined);
      if (token !== undefined && token.sub !== subject)
        return { kind: "unreachable", reason: "another subject" };
      return { kind: "claims", claims: await this.#claims(tokens, subject, token) };
    } catch (error) {
      if (!(error instanceof ChartsealError) || error.code === "defect") throw error;
      return { kind: "unreachable", reason: error.message };
    }
  }

  async #verified(tokens: Tokens, nonce: string | undefined): Promise<IdToken | undefined> {
    const { issuer } = this.#config.serverMetadata();
    const { clientId } = this.settings;
    if (tokens.id_token === undefined) return undefined;
    const check = { keys: this.#keys, issuer, clientId, nonce, nowMs: this.#now() };
    return await verifyIdToken(tokens.id_token, check);
  }

  /** Those of the userinfo endpoint, which are of now, over those of the ID token. */
  async #claims(tokens: Tokens, subject: string, token: IdToken | undefined): Promise<Claims> {
    if (this.#config.serverMetadata().userinfo_endpoint === undefined) {
      if (token !== undefined) return token;
      throw new ChartsealError("identity-unreachable", "the identity provider gives no claims");
    }
    try {
      return { ...token, ...(await client.fetchUserInfo(this.#config, tokens.access_token, subject)) };
    } catch (cause) {
      throw refusedOrDown(cause, "the identity provider gives no claims");
    }
  }
}

/** An answer of the provider that refuses, or none. */
function refusedOrDown(cause: unknown, sentence: string): ChartsealError {
  const answered =
    cause instanceof client.ResponseBodyError ||
    cause instanceof client.AuthorizationResponseError ||
    cause instanceof client.WWWAuthenticateChallengeError ||
    (cause instanceof client.ClientError &&
      cause.code !== "OAUTH_TIMEOUT" &&
      cause.code !== "OAUTH_HTTP_REQUEST_FAILED");
  const code = answered ? "identity-refused" : "identity-unreachable";
  return new ChartsealError(code, `${sentence}: ${reasonOf(cause)}`, { cause });
}

/** One word of the provider's, or of the way to it; never a token. */
function reasonOf(error: unknown): string {
  if (error instanceof client.ResponseBodyError || error instanceof client.AuthorizationResponseError) {
    return /^[\x20-\x7e]{1,64}$/.test(error.error) ? error.error : "refused";
  }
  if (error instanceof client.ClientError && error.code !== undefined) return error.code;
  return "no answer";
}
